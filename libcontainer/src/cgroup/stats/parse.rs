//! The forms that cgroup files have (cgroup-v2.rst, "Format").

/// One number. `max` is `None`, as is what is no number. Below zero, which v1 has given when its
/// counters were not yet folded, is 0.
pub(super) fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    match text.parse() {
        Ok(number) => Some(number),
        Err(_) => text.parse::<i64>().ok().map(|_| 0),
    }
}

/// `KEY VALUE` on each line; lines of another form are passed over.
pub(super) fn flat_keyed(text: &str) -> impl Iterator<Item = (&str, u64)> {
    text.lines().filter_map(|line| {
        let (key, value) = line.trim_end().split_once(' ')?;
        Some((key, number(value)?))
    })
}

/// The value of one key.
pub(super) fn value(text: &str, wanted: &str) -> Option<u64> {
    flat_keyed(text).find(|(key, _)| *key == wanted).map(|(_, value)| value)
}

/// `NAME KEY=VALUE...` on each line: the name, and an iterator over the pairs.
pub(super) fn nested_keyed(
    text: &str,
) -> impl Iterator<Item = (&str, impl Iterator<Item = (&str, &str)>)> {
    text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        Some((words.next()?, words.filter_map(|word| word.split_once('='))))
    })
}

/// `MAJOR:MINOR`.
pub(super) fn device(text: &str) -> Option<(u64, u64)> {
    let (major, minor) = text.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// `0-3,7`, in the order given; what is no number or no range is passed over.
pub(super) fn ranges(text: &str) -> Vec<u16> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse::<u16>().ok()?..=last.parse::<u16>().ok()?)
    };
    text.trim().split(',').filter_map(range).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_the_kernel_prints_them() {
        for (text, expected) in [
            ("0\n", Some(0)),
            ("18446744073709551615\n", Some(u64::MAX)),
            ("-4096\n", Some(0)),
            ("max\n", None),
            ("", None),
            ("x", None),
        ] {
            assert_eq!(number(text), expected, "{text:?}");
        }
    }

    #[test]
    fn keys_and_their_values() {
        let text = "oom 1\n\nno_value\nodd a b\noom_kill 2 \n";
        assert_eq!(flat_keyed(text).collect::<Vec<_>>(), [("oom", 1), ("oom_kill", 2)]);
        assert_eq!((value(text, "oom_kill"), value(text, "odd")), (Some(2), None));
    }

    #[test]
    fn names_with_pairs() {
        let lines: Vec<(&str, Vec<_>)> = nested_keyed("8:0 rbytes=1 odd wbytes=2\n\n7:0\n")
            .map(|(name, pairs)| (name, pairs.collect()))
            .collect();
        let expected = [("8:0", vec![("rbytes", "1"), ("wbytes", "2")]), ("7:0", vec![])];
        assert_eq!(lines, expected);
    }

    #[test]
    fn ranges_are_spelled_out() {
        assert_eq!(ranges("0-2,7\n"), [0, 1, 2, 7]);
        assert_eq!(ranges("5\n"), [5]);
        assert!(ranges("\n").is_empty() && ranges("3-1,x,-,70000\n").is_empty());
    }
}
