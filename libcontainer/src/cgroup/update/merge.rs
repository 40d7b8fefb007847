//! New limits over those that a container has.
//!
//! The rules are runc's: an absent field leaves a limit as it is, and so does a 0 where 0 means
//! "unset". Two are made explicit that runc leaves to chance: a quota of 0 is no quota and a period of
//! 0 the kernel's default, also if the other of the two was never given.

use super::super::devices;
use crate::error::{Error, ErrorKind, Result};
use oci_spec::runtime::LinuxResources;
use serde::Serialize;
use serde_json::{Map, Value};

/// Where a 0 (or an empty list) means "unset".
const UNSET: &[(&str, &[&str])] = &[
    ("memory", &["limit", "reservation", "swap", "kernel", "kernelTCP"]),
    ("cpu", &["shares", "realtimeRuntime", "realtimePeriod", "cpus", "mems"]),
    ("blockIO", &["weight", "leafWeight"]),
];

/// Fields of which one is written as part of the other.
const TOGETHER: &[(&str, &str)] = &[
    ("linux.resources.cpu.quota", "linux.resources.cpu.period"),
    ("linux.resources.memory.swap", "linux.resources.memory.limit"),
];

/// `cpu.cfs_period_us` and the second number of `cpu.max`, in microseconds.
const DEFAULT_PERIOD: u64 = 100_000;

/// What a merge comes to.
#[derive(Debug)]
pub(super) struct Merged {
    pub(super) resources: LinuxResources,
    /// The fields of config.json that were given.
    pub(super) fields: Vec<String>,
}

impl Merged {
    /// Whether a write for `field` was asked for.
    pub(super) fn asks_for(&self, field: &str) -> bool {
        let given = |wanted: &str| self.fields.iter().any(|one| is_part_of(wanted, one));
        let together = TOGETHER.iter().any(|(one, other)| *one == field && given(other));
        given(field) || together
    }
}

/// Merges `given` over `present`.
pub(super) fn merge(present: &LinuxResources, given: &LinuxResources) -> Result<Merged> {
    let mut news = as_value(given)?;
    if let Value::Object(news) = &mut news {
        spell_out(news);
        let rules = given.devices().as_deref().unwrap_or_default();
        // Given again, they are no wish to replace what others (of a GPU's maker) have made of them meanwhile.
        let is_given_again = present.devices().as_deref() == Some(rules);
        if is_given_again || !devices::asks_for_more_than_default(rules) {
            news.remove("devices");
        }
    }
    let fields = fields(&news);
    let mut all = as_value(present)?;
    lay_over(&mut all, news);
    let resources = serde_json::from_value(all).map_err(|error| unreadable(&error))?;
    Ok(Merged { resources, fields })
}

/// Says in numbers what a 0 and an absent field mean.
fn spell_out(news: &mut Map<String, Value>) {
    for (object, keys) in UNSET {
        if let Some(Value::Object(object)) = news.get_mut(*object) {
            object.retain(|key, value| !keys.contains(&key.as_str()) || !is_unset(value));
        }
    }
    if let Some(Value::Object(cpu)) = news.get_mut("cpu") {
        replace_zero(cpu, "quota", Value::from(-1));
        replace_zero(cpu, "period", Value::from(DEFAULT_PERIOD));
    }
    if let Some(Value::Object(memory)) = news.get_mut("memory")
        && memory.get("limit").and_then(Value::as_i64) == Some(-1)
    {
        memory.entry("swap").or_insert(Value::from(-1));
    }
}

fn is_unset(value: &Value) -> bool {
    value.as_i64() == Some(0) || value.as_str() == Some("")
}

fn replace_zero(object: &mut Map<String, Value>, key: &str, by: Value) {
    if let Some(value) = object.get_mut(key).filter(|value| is_unset(value)) {
        *value = by;
    }
}

/// Objects field by field, anything else as a whole.
fn lay_over(present: &mut Value, news: Value) {
    match (present, news) {
        (Value::Object(present), Value::Object(news)) => {
            for (key, value) in news {
                lay_over(present.entry(key).or_insert(Value::Null), value);
            }
        }
        (present, news) => *present = news,
    }
}

/// The fields as the writes name them: `linux.resources.cpu.quota`,
/// `linux.resources.unified[io.max]`, `linux.resources.hugepageLimits`.
fn fields(news: &Value) -> Vec<String> {
    let mut fields = Vec::new();
    for (key, value) in news.as_object().into_iter().flatten() {
        let field = format!("linux.resources.{key}");
        match value {
            Value::Object(map) if key == "unified" => {
                fields.extend(map.keys().map(|file| format!("{field}[{file}]")));
            }
            Value::Object(object) => {
                fields.extend(object.keys().map(|name| format!("{field}.{name}")));
            }
            _ => fields.push(field),
        }
    }
    fields
}

/// Whether `field` is `whole`, a field of it or an element of it.
fn is_part_of(field: &str, whole: &str) -> bool {
    field.strip_prefix(whole).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

fn as_value(resources: &LinuxResources) -> Result<Value> {
    resources.serialize(serde_json::value::Serializer).map_err(|error| unreadable(&error))
}

fn unreadable(error: &serde_json::Error) -> Error {
    Error::new(ErrorKind::InvalidConfig, error.to_string()).field("linux.resources")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(present: &str, given: &str) -> Value {
        let read = |json: &str| serde_json::from_str(json).expect("resources");
        let merged = merge(&read(present), &read(given)).expect("merge");
        as_value(&merged.resources).expect("value")
    }

    fn json(text: &str) -> Value {
        serde_json::from_str(text).expect("json")
    }

    #[test]
    fn absent_fields_and_zeros_leave_what_there_is() {
        let present = r#"{"memory":{"limit":5,"swap":9},"cpu":{"shares":7,"cpus":"0"},
            "blockIO":{"weight":100},"pids":{"limit":3}}"#;
        assert_eq!(merged(present, "{}"), json(present));
        let zeros = r#"{"memory":{"limit":0,"swap":0,"reservation":0},
            "cpu":{"shares":0,"cpus":"","mems":""},"blockIO":{"weight":0}}"#;
        assert_eq!(merged(present, zeros), json(present));
        let half = r#"{"memory":{"reservation":4},"cpu":{"burst":0,"idle":0}}"#;
        let expected = r#"{"memory":{"limit":5,"swap":9,"reservation":4},
            "cpu":{"shares":7,"cpus":"0","burst":0,"idle":0},
            "blockIO":{"weight":100},"pids":{"limit":3}}"#;
        assert_eq!(merged(present, half), json(expected));
    }

    #[test]
    fn no_quota_and_the_default_period_can_be_asked_for() {
        let given = r#"{"cpu":{"quota":0,"period":0}}"#;
        let expected = r#"{"cpu":{"quota":-1,"period":100000}}"#;
        assert_eq!(merged("{}", given), json(expected));
        let present = r#"{"cpu":{"quota":50,"period":200}}"#;
        let expected = r#"{"cpu":{"quota":-1,"period":200}}"#;
        assert_eq!(merged(present, r#"{"cpu":{"quota":0}}"#), json(expected));
    }

    #[test]
    fn memory_without_limit_is_swap_without_limit_unless_it_is_given() {
        let present = r#"{"memory":{"limit":5,"swap":9}}"#;
        let expected = r#"{"memory":{"limit":-1,"swap":-1}}"#;
        assert_eq!(merged(present, r#"{"memory":{"limit":-1}}"#), json(expected));
        let given = r#"{"memory":{"limit":-1,"swap":20}}"#;
        assert_eq!(merged(present, given), json(given));
    }

    #[test]
    fn maps_are_merged_by_key_and_lists_replaced() {
        let present = r#"{"unified":{"a.b":"1","c.d":"2"},
            "hugepageLimits":[{"pageSize":"2MB","limit":1},{"pageSize":"1GB","limit":1}]}"#;
        let given = r#"{"unified":{"c.d":"3"},"hugepageLimits":[{"pageSize":"2MB","limit":5}]}"#;
        let expected = r#"{"unified":{"a.b":"1","c.d":"3"},
            "hugepageLimits":[{"pageSize":"2MB","limit":5}]}"#;
        assert_eq!(merged(present, given), json(expected));
    }

    #[test]
    fn fields_are_named_as_writes_name_them() {
        let given = r#"{"cpu":{"period":1},"unified":{"io.max":"x"},"pids":{"limit":1},
            "hugepageLimits":[],"memory":{"limit":0}}"#;
        let given = serde_json::from_str(given).expect("resources");
        let merged = merge(&LinuxResources::default(), &given).expect("merge");
        for field in [
            "linux.resources.cpu.period",
            "linux.resources.cpu.quota",
            "linux.resources.unified[io.max]",
            "linux.resources.pids.limit",
            "linux.resources.hugepageLimits[0].limit",
        ] {
            assert!(merged.asks_for(field), "{field}: {:?}", merged.fields);
        }
        for field in ["linux.resources.memory.limit", "linux.resources.unified[io.ma]"] {
            assert!(!merged.asks_for(field), "{field}");
        }
    }
}
