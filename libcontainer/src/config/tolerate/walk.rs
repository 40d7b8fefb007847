//! Finding what a path such as `linux.namespaces.*` names in a JSON value. What has another type
//! than the path expects is passed over: its reader will tell.

use serde_json::Value;

use super::Object;
use crate::config::explain::join;

/// Where a value was found. It is only spelled out when there is something to say.
pub(super) enum Trail<'a> {
    Start(&'a str),
    Field(&'a Trail<'a>, &'a str),
    Element(&'a Trail<'a>, usize),
}

impl Trail<'_> {
    /// `linux.namespaces[2]`
    pub(super) fn field(&self) -> String {
        match self {
            Self::Start(field) => (*field).to_owned(),
            Self::Field(before, key) => join(&before.field(), key),
            Self::Element(before, index) => format!("{}[{index}]", before.field()),
        }
    }

    /// The field `key` of what is here.
    pub(super) fn with(&self, key: &str) -> String {
        Trail::Field(self, key).field()
    }
}

/// What to do with a value that was found.
pub(super) type Found<'a, T> = &'a mut dyn FnMut(&Trail<'_>, &mut T);

/// The object at `path`, which has no `*`.
pub(super) fn at<'a>(value: &'a mut Value, path: &[&str]) -> Option<&'a mut Object> {
    path.iter().try_fold(value, |value, key| value.get_mut(*key))?.as_object_mut()
}

/// Calls `found` for each object at `path`, in which `*` stands for each element or field.
pub(super) fn each(value: &mut Value, trail: &Trail<'_>, path: &[&str], found: Found<'_, Object>) {
    each_value(value, trail, path, &mut |trail, value| {
        if let Value::Object(object) = value {
            found(trail, object);
        }
    });
}

/// Calls `found` for each value of whatever type at `path`.
pub(super) fn each_value(
    value: &mut Value,
    trail: &Trail<'_>,
    path: &[&str],
    found: Found<'_, Value>,
) {
    let [key, rest @ ..] = path else {
        return found(trail, value);
    };
    match (*key, value) {
        ("*", Value::Array(elements)) => {
            for (index, element) in elements.iter_mut().enumerate() {
                each_value(element, &Trail::Element(trail, index), rest, found);
            }
        }
        ("*", Value::Object(object)) => {
            for (key, value) in object {
                each_value(value, &Trail::Field(trail, key), rest, found);
            }
        }
        (key, Value::Object(object)) => {
            if let Some(value) = object.get_mut(key) {
                each_value(value, &Trail::Field(trail, key), rest, found);
            }
        }
        _ => (),
    }
}
