//! The device rules as systemd knows them: `DevicePolicy=strict` and `DeviceAllow`.
//!
//! The container's own filter is the one that decides exactly. systemd's list is beside it, and both
//! must allow what is to be used; so the list has every rule that allows, and no rule that denies.
//! On cgroup v1, where there is one list in all, systemd would otherwise write "everything" there at
//! its next reload.

use super::super::devices::{ALL, DeviceFilter, Kind, MKNOD, READ, Rule, WRITE};
use super::dbus::Value;
use super::property::Property;

/// What `filter` comes to.
pub(super) fn properties(filter: &DeviceFilter) -> Vec<Property> {
    let rules = if filter.otherwise { &[][..] } else { &filter.rules };
    let entries = rules.iter().rev().filter(|rule| rule.allow).flat_map(entries).collect();
    let policy = if filter.otherwise { "auto" } else { "strict" };
    vec![
        Property::new("DevicePolicy", Value::string(policy)),
        Property::new("DeviceAllow", Value::Array("(ss)".into(), entries)),
    ]
}

/// A rule as systemd has it: a device by its number, or all of a kind that have a major number.
fn entries(rule: &Rule) -> Vec<Value> {
    let access = [(READ, 'r'), (WRITE, 'w'), (MKNOD, 'm')];
    let letters = access.iter().filter(|(bit, _)| rule.access & ALL & bit != 0);
    let letters: String = letters.map(|(_, letter)| letter).collect();
    let kinds = match rule.kind {
        None => &[Kind::Block, Kind::Char][..],
        Some(Kind::Block) => &[Kind::Block],
        Some(Kind::Char) => &[Kind::Char],
    };
    let entry = |kind: &Kind| {
        let node = node(*kind, rule.major, rule.minor);
        Value::Struct(vec![Value::string(node), Value::string(&letters)])
    };
    kinds.iter().map(entry).collect()
}

/// A minor number of all majors cannot be said; all devices of the kind are the next larger set.
fn node(kind: Kind, major: Option<u32>, minor: Option<u32>) -> String {
    let kind = match kind {
        Kind::Block => "block",
        Kind::Char => "char",
    };
    match (major, minor) {
        (Some(major), Some(minor)) => format!("/dev/{kind}/{major}:{minor}"),
        (Some(major), None) => format!("{kind}-{major}"),
        (None, _) => format!("{kind}-*"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(json: &str) -> Vec<String> {
        let rules: Vec<_> = serde_json::from_str(json).expect("devices");
        let filter = DeviceFilter::new(&rules).expect("filter");
        properties(&filter).iter().map(Property::to_string).collect()
    }

    #[test]
    fn the_config_s_rules_and_the_defaults() {
        let shown = text(
            r#"[{"allow":false,"access":"rwm"},
            {"allow":true,"type":"b","major":8,"minor":1,"access":"r"},
            {"allow":true,"type":"a","minor":9,"access":"m"},
            {"allow":false,"type":"c","major":9,"access":"rwm"},
            {"allow":true,"type":"c","major":10,"access":"rw"}]"#,
        );
        assert_eq!(shown[0], "DevicePolicy = 'strict'");
        let begin = "DeviceAllow = [('/dev/block/8:1', 'r'), ('block-*', 'm'), ('char-*', 'm'), \
                     ('char-10', 'rw'), ('char-*', 'm'), ('block-*', 'm'), ('/dev/char/1:3', 'rwm'), ";
        assert!(shown[1].starts_with(begin), "{}", shown[1]);
        assert!(shown[1].contains("('char-136', 'rwm')") && !shown[1].contains("char-9'"));
    }

    #[test]
    fn where_all_is_allowed_there_is_no_list() {
        let all = ["DevicePolicy = 'auto'", "DeviceAllow = @a(ss) []"];
        assert_eq!(text(r#"[{"allow":true,"access":"rwm"}]"#), all);
        let but = r#"[{"allow":true,"access":"rwm"},{"allow":false,"type":"b","access":"w"}]"#;
        assert_eq!(text(but), all);
    }
}
