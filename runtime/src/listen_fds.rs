//! Socket activation: `LISTEN_FDS` descriptors from 3 up go to the payload of `create` and `run`,
//! which is pid 1 to itself (sd_listen_fds(3)).

/// What the payload is given.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Passed {
    /// How many descriptors from 3 up.
    pub(crate) descriptors: u32,
    /// The variables that say so.
    pub(crate) env: Vec<String>,
}

/// What is passed on, given `--preserve-fds`.
pub(crate) fn passed(preserve_fds: u32) -> Passed {
    passed_from(preserve_fds, std::process::id, |name| std::env::var(name).ok())
}

fn passed_from(
    preserve: u32,
    pid: impl Fn() -> u32,
    var: impl Fn(&str) -> Option<String>,
) -> Passed {
    let Some(count) = var("LISTEN_FDS").and_then(|count| count.parse::<u32>().ok()) else {
        return Passed { descriptors: preserve, env: Vec::new() };
    };
    let ours = var("LISTEN_PID").map(|listener| listener == pid().to_string());
    let descriptors = match (ours, preserve >= count) {
        (Some(true), _) | (None, false) => preserve.saturating_add(count),
        // Podman counts them in --preserve-fds and leaves its own pid in LISTEN_PID, or none.
        (Some(false) | None, true) => preserve,
        // Variables that were meant for another process: its descriptors are not at 3 here, and
        // what is there (a socket of containerd's shim) must not reach the container.
        (Some(false), false) => {
            return Passed { descriptors: preserve, env: Vec::new() };
        }
    };
    let mut env = vec![format!("LISTEN_FDS={count}"), "LISTEN_PID=1".to_owned()];
    env.extend(var("LISTEN_FDNAMES").map(|names| format!("LISTEN_FDNAMES={names}")));
    Passed { descriptors, env }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(preserve: u32, env: &[(&str, &str)]) -> Passed {
        passed_from(
            preserve,
            || 7,
            |name| env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()),
        )
    }

    #[test]
    fn nothing_without_listen_fds() {
        assert_eq!(passed(2, &[]), Passed { descriptors: 2, env: vec![] });
        assert_eq!(passed(2, &[("LISTEN_FDS", "x")]), Passed { descriptors: 2, env: vec![] });
    }

    #[test]
    fn own_descriptors_come_before_the_preserved_ones() {
        let found =
            passed(1, &[("LISTEN_FDS", "2"), ("LISTEN_PID", "7"), ("LISTEN_FDNAMES", "a:b")]);
        assert_eq!(found.descriptors, 3);
        assert_eq!(found.env, ["LISTEN_FDS=2", "LISTEN_PID=1", "LISTEN_FDNAMES=a:b"]);
    }

    #[test]
    fn podman_counts_them_in_preserve_fds() {
        let found = passed(2, &[("LISTEN_FDS", "2"), ("LISTEN_PID", "99")]);
        assert_eq!((found.descriptors, found.env.len()), (2, 2));
        let found = passed(2, &[("LISTEN_FDS", "2")]);
        assert_eq!((found.descriptors, found.env.len()), (2, 2));
    }

    #[test]
    fn variables_of_another_process_are_ignored() {
        let found = passed(0, &[("LISTEN_FDS", "1"), ("LISTEN_PID", "99")]);
        assert_eq!(found, Passed::default());
    }
}
