//! Small readings of text.

/// The first `width` characters, with line ends made visible, for messages of one line.
pub(crate) fn brief(text: &str, width: usize) -> String {
    let flat = text.trim_end().replace('\n', "\\n");
    match flat.char_indices().nth(width) {
        Some((end, _)) => format!("{}...", &flat[..end]),
        None => flat,
    }
}

/// The lines that say something.
pub(crate) fn lines(text: &str) -> Vec<&str> {
    text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect()
}

/// The value of `key` in text of the form of `/proc/PID/status`.
pub(crate) fn field<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).map(str::trim)
}

/// A path as text.
pub(crate) fn shown(path: impl AsRef<std::path::Path>) -> String {
    path.as_ref().to_string_lossy().into_owned()
}
