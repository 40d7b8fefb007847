//! Inputs to begin with: what engines have written.

use serde_json::Value;
use std::fs;
use std::path::Path;

/// The files of `tests/samples` whose names end so.
fn samples(end: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
    let entries = fs::read_dir(folder).expect("the samples");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.to_string_lossy().ends_with(end));
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("a sample")).collect()
}

/// Whole configurations, processes, and resources, in one line each.
pub(super) fn configs() -> Vec<Vec<u8>> {
    let all = [".config.json", ".process.json", ".resources.json"].into_iter().flat_map(samples);
    let parsed = all.filter_map(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    parsed.map(|value| value.to_string().into_bytes()).collect()
}

/// The options of each mount, as in fstab(5).
pub(super) fn mount_options() -> Vec<Vec<u8>> {
    let parsed = configs();
    let parsed = parsed.iter().filter_map(|bytes| serde_json::from_slice::<Value>(bytes).ok());
    let mounts = parsed.flat_map(|config| config["mounts"].as_array().cloned().unwrap_or_default());
    let line = |mount: Value| {
        let options = mount["options"].as_array()?;
        let words: Vec<&str> = options.iter().filter_map(Value::as_str).collect();
        Some(words.join(",").into_bytes())
    };
    let mut lines: Vec<Vec<u8>> = mounts.filter_map(line).collect();
    lines.sort();
    lines.dedup();
    lines
}

/// `linux.resources` of all configurations.
pub(super) fn resources() -> Vec<Vec<u8>> {
    let of = |bytes: Vec<u8>| {
        let config: Value = serde_json::from_slice(&bytes).ok()?;
        let resources = config.pointer("/linux/resources")?;
        Some(resources.to_string().into_bytes())
    };
    configs().into_iter().filter_map(of).collect()
}
