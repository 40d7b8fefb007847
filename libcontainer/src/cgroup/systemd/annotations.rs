//! Annotations `org.systemd.property.NAME`: properties that the config asks for by itself, with values
//! in [GVariant's notation](super::gvariant), as runc and crun take them.
//!
//! systemd knows most times by names that end in `USec`, in microseconds; people know them by those of
//! its documentation, which end in `Sec`. Such a name is turned into the other, and its number, in
//! seconds, into microseconds.

use super::dbus::Value;
use super::gvariant;
use super::property::Property;
use crate::error::Problem;
use std::collections::HashMap;

/// What their names begin with.
pub(crate) const PREFIX: &str = "org.systemd.property.";

/// What a config may not set, and why.
const REFUSED: &[(&str, &str)] = &[
    ("PIDs", "a container begins with its own process alone"),
    ("PIDFDs", "a container begins with its own process alone"),
    ("Slice", "linux.cgroupsPath (SLICE:PREFIX:NAME) says in which slice the container is"),
    ("Delegate", "a container's cgroup is always delegated, or its limits could not be set"),
    ("DelegateSubgroup", "the container's first process is in the scope itself"),
    ("Controller", "a container's scope has no controller"),
];

/// The properties, by name so that the order is always the same, and what is wrong.
pub(super) fn properties(
    annotations: Option<&HashMap<String, String>>,
) -> (Vec<Property>, Vec<Problem>) {
    let of_systemd =
        |(key, text)| -> Option<(&str, &String)> { Some((str::strip_prefix(key, PREFIX)?, text)) };
    let all = annotations.into_iter().flatten();
    let mut named: Vec<_> =
        all.map(|(key, text)| (key.as_str(), text)).filter_map(of_systemd).collect();
    named.sort();
    let (mut properties, mut problems) = (Vec::new(), Vec::new());
    for (name, text) in named {
        match property(name, text) {
            Ok(property) => properties.push(property),
            Err(text) => problems
                .push(Problem::new(format!("annotations[{PREFIX}{}]", name.escape_debug()), text)),
        }
    }
    (properties, problems)
}

fn property(name: &str, text: &str) -> Result<Property, String> {
    if name.len() < 3 || !name.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return Err("the name of a property is three letters or more, and nothing else".into());
    }
    if let Some((_, why)) = REFUSED.iter().find(|(refused, _)| *refused == name) {
        return Err(format!("may not be set: {why}"));
    }
    let value = gvariant::parse(text).map_err(|why| format!("{text:?} {why}"))?;
    match in_seconds(name) {
        None => Ok(Property::new(name, value)),
        Some(stem) => match microseconds(&value) {
            Some(value) => Ok(Property::new(&format!("{stem}USec"), Value::Uint64(value))),
            None => Err(format!(
                "{text:?} must be a number of seconds; {stem}USec takes microseconds, of which \
                 uint64 18446744073709551615 is infinity"
            )),
        },
    }
}

/// What is before the `Sec` of a name of the documentation.
fn in_seconds(name: &str) -> Option<&str> {
    let stem = name.strip_suffix("Sec")?;
    stem.ends_with(|last: char| last.is_ascii_lowercase()).then_some(stem)
}

fn microseconds(seconds: &Value) -> Option<u64> {
    let whole = match seconds {
        Value::Double(seconds) => {
            let value = seconds * 1e6;
            return (0.0..u64::MAX as f64).contains(&value).then_some(value as u64);
        }
        Value::Byte(value) => u64::from(*value),
        Value::Uint16(value) => u64::from(*value),
        Value::Uint32(value) => u64::from(*value),
        Value::Uint64(value) => *value,
        Value::Int16(value) => u64::try_from(*value).ok()?,
        Value::Int32(value) => u64::try_from(*value).ok()?,
        Value::Int64(value) => u64::try_from(*value).ok()?,
        _ => return None,
    };
    whole.checked_mul(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
        let owned = |(key, text): &(&str, &str)| (key.to_string(), text.to_string());
        let (properties, problems) = properties(Some(&pairs.iter().map(owned).collect()));
        let text = |problem: &Problem| problem.to_string();
        (properties.iter().map(Property::to_string).collect(), problems.iter().map(text).collect())
    }

    #[test]
    fn podmans_and_runcs_examples() {
        let (properties, problems) = of(&[
            ("org.systemd.property.TimeoutStopUSec", "uint64 10000000"),
            ("org.systemd.property.KillSignal", "15"),
            ("org.systemd.property.CollectMode", "'inactive-or-failed'"),
            ("org.systemd.property.RuntimeMaxSec", "2"),
            ("org.systemd.property.TimeoutStopSec", "double 1.5"),
            ("org.systemd.property.After", "['a.service','b.service']"),
            ("io.container.manager", "libpod"),
        ]);
        assert_eq!(problems, [""; 0]);
        let expected = [
            "After = ['a.service', 'b.service']",
            "CollectMode = 'inactive-or-failed'",
            "KillSignal = 15",
            "RuntimeMaxUSec = uint64 2000000",
            "TimeoutStopUSec = uint64 1500000",
            "TimeoutStopUSec = uint64 10000000",
        ];
        assert_eq!(properties, expected);
        assert_eq!(super::properties(None), (vec![], vec![]));
    }

    #[test]
    fn what_is_wrong_is_named_all_at_once() {
        let (properties, problems) = of(&[
            ("org.systemd.property.PIDs", "[uint32 1]"),
            ("org.systemd.property.Slice", "'a.slice'"),
            ("org.systemd.property.Delegate", "false"),
            ("org.systemd.property.", "1"),
            ("org.systemd.property.a=b", "1"),
            ("org.systemd.property.TimeoutStopSec", "'infinity'"),
            ("org.systemd.property.RuntimeMaxSec", "-1"),
            ("org.systemd.property.TasksMax", "many"),
            ("org.systemd.property.XSec", "uint64 18446744073709551615"),
        ]);
        assert_eq!((properties.len(), problems.len()), (1, 8));
        assert_eq!(properties, ["XSec = uint64 18446744073709551615"]);
        let tasks =
            "annotations[org.systemd.property.TasksMax]: \"many\" is not understood at \"many\"";
        assert!(problems.iter().any(|problem| problem == tasks), "{problems:?}");
    }
}
