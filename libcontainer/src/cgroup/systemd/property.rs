//! A property of a unit.

use super::dbus::Value;
use std::fmt;

/// A property of a unit: a name and a value, as `busctl introspect` shows them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Property {
    pub(super) name: String,
    pub(super) value: Value,
    /// The first version of systemd that takes it.
    pub(super) since: u32,
}

impl Property {
    /// One that every systemd takes that runs on the kernels that we run on (5.14 and later).
    pub(super) fn new(name: &str, value: Value) -> Self {
        Self { name: name.into(), value, since: 0 }
    }

    /// The same for one that is newer.
    pub(super) fn since(self, version: u32) -> Self {
        Self { since: version, ..self }
    }
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.name, self.value)
    }
}

/// `properties` as a D-Bus value, for systemd of `version`: without those that it does not know, and
/// where one is there twice, the last.
pub(super) fn value(properties: &[Property], version: u32) -> Value {
    let known: Vec<&Property> = properties.iter().filter(|one| one.since <= version).collect();
    let is_last = |(index, one): &(usize, &&Property)| {
        !known.iter().skip(index + 1).any(|later| later.name == one.name)
    };
    let pair = |one: &Property| {
        let value = Value::Variant(Box::new(one.value.clone()));
        Value::Struct(vec![Value::string(&one.name), value])
    };
    let last = known.iter().enumerate().filter(is_last);
    Value::Array("(sv)".into(), last.map(|(_, one)| pair(one)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_a_name_that_the_version_knows() {
        let property = |name: &str, value| Property::new(name, Value::Uint64(value));
        let all = [
            property("CPUWeight", 100),
            property("TasksMax", 7),
            property("CPUWeight", 0).since(252),
        ];
        let text = |version| value(&all, version).to_string();
        assert_eq!(text(252), "[('TasksMax', <uint64 7>), ('CPUWeight', <uint64 0>)]");
        assert_eq!(text(251), "[('CPUWeight', <uint64 100>), ('TasksMax', <uint64 7>)]");
    }
}
