//! What to write to put a file back to what it held.
//!
//! Most files hold one value. Those with a line for each device take back only the lines that were
//! written, and a device that had none gets the word that removes its line.

/// Files with a line for each device or interface, by the beginning of their names, and what
/// removes a line.
const BY_LINE: &[(&str, &str)] = &[
    ("io.max", "rbps=max wbps=max riops=max wiops=max"),
    ("io.latency", "target=0"),
    ("io.weight", "default"),
    ("io.bfq.weight", "default"),
    ("blkio.throttle.", "0"),
    ("blkio.weight_device", "default"),
    ("blkio.bfq.weight_device", "default"),
    ("net_prio.ifpriomap", "0"),
    ("rdma.max", "hca_handle=max hca_object=max"),
    ("misc.max", "max"),
    ("dmem.", "max"),
];

/// Of v1: a switch, and what the OOM killer does and has done.
const OOM_CONTROL: &str = "memory.oom_control";

/// The lines that turn `file` back from `new` to `old`.
pub(super) fn lines(file: &str, old: &str, new: &str) -> Vec<String> {
    let removal = BY_LINE.iter().find(|(name, _)| file.starts_with(name)).map(|(_, word)| *word);
    match removal {
        Some(removal) => new.lines().filter_map(|line| former(line, old, removal)).collect(),
        // It has more to tell than it takes.
        None if file == OOM_CONTROL => {
            disables_oom_killer(old).map(String::from).into_iter().collect()
        }
        // An empty line is what empties a list.
        None if old.trim().is_empty() => vec!["\n".into()],
        None => old.lines().map(String::from).collect(),
    }
}

/// Whether what a file holds is what it held, as far as a write may have changed that.
pub(super) fn is_same(file: &str, old: &str, now: &str) -> bool {
    old == now || (file == OOM_CONTROL && disables_oom_killer(old) == disables_oom_killer(now))
}

/// What is to be written: `oom_kill_disable 0`, without its name.
fn disables_oom_killer(text: &str) -> Option<&str> {
    text.lines().find_map(|line| line.strip_prefix("oom_kill_disable "))
}

/// The line of `old` about what `line` is about.
fn former(line: &str, old: &str, removal: &str) -> Option<String> {
    let key = line.split_whitespace().next()?;
    // A weight without a device is for all that have no line.
    let key = if key.bytes().all(|byte| byte.is_ascii_digit()) { "default" } else { key };
    let about_it = |line: &&str| line.split_whitespace().next() == Some(key);
    let found = old.lines().find(about_it).map(String::from);
    Some(found.unwrap_or_else(|| format!("{key} {removal}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_is_written_as_it_was() {
        assert_eq!(lines("memory.max", "max\n", "5"), ["max"]);
        assert_eq!(lines("cpu.max", "max 100000\n", "1000 2000"), ["max 100000"]);
        assert_eq!(lines("cpuset.cpus", "\n", "0-1"), ["\n"]);
    }

    #[test]
    fn only_the_lines_that_were_written_are_put_back() {
        let old =
            "8:0 rbps=1 wbps=max riops=max wiops=max\n8:16 rbps=5 wbps=max riops=max wiops=max\n";
        let new = "8:0 rbps=2\n8:32 rbps=7";
        let expected = [
            "8:0 rbps=1 wbps=max riops=max wiops=max",
            "8:32 rbps=max wbps=max riops=max wiops=max",
        ];
        assert_eq!(lines("io.max", old, new), expected);
        let old = "8:0 4096\n";
        let file = "blkio.throttle.read_bps_device";
        assert_eq!(lines(file, old, "8:0 5\n8:16 6"), ["8:0 4096", "8:16 0"]);
    }

    #[test]
    fn of_the_oom_killer_only_the_switch_is_put_back() {
        let text = |disabled, under_oom| {
            format!("oom_kill_disable {disabled}\nunder_oom {under_oom}\noom_kill 3\n")
        };
        assert_eq!(lines(OOM_CONTROL, &text(0, 0), "1"), ["0"]);
        assert!(is_same(OOM_CONTROL, &text(1, 0), &text(1, 1)));
        assert!(!is_same(OOM_CONTROL, &text(0, 0), &text(1, 0)));
        assert!(!is_same("memory.max", "1\n", "2\n"));
    }

    #[test]
    fn weights_have_a_default_line() {
        let old = "default 100\n8:0 50\n";
        assert_eq!(lines("io.weight", old, "default 200"), ["default 100"]);
        assert_eq!(lines("io.bfq.weight", old, "300"), ["default 100"]);
        assert_eq!(lines("io.weight", old, "8:16 70"), ["8:16 default"]);
    }
}
