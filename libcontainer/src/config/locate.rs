//! Finding the value that an error is about. serde tells what is wrong but not where, and following
//! where it reads takes a second copy of the readers of all of oci-spec's types, a tenth of the
//! binary. The copy at hand tells the place as well when it is asked about parts of the value.

use serde_json::{Map, Value};

/// A step from a value to one inside it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

/// Reads a value and tells what is wrong with it.
pub(super) type Read = fn(Value) -> Option<String>;

/// The way from `value` to the first value in it that gives `error`. Where the error is about a
/// field that is not there, `absent` is its name and the way leads to the object without it.
pub(super) fn locate(value: &Value, error: &str, absent: Option<&str>, read: Read) -> Vec<Step> {
    let mut search = Search { error, absent, read, way: Vec::new() };
    let mut here = value;
    while let Some((step, child)) = search.step_from(here) {
        search.way.push((here, step));
        here = child;
    }
    search.way.into_iter().map(|(_, step)| step).collect()
}

struct Search<'a> {
    error: &'a str,
    absent: Option<&'a str>,
    read: Read,
    /// The values passed so far, each with the step that was taken from it.
    way: Vec<(&'a Value, Step)>,
}

impl<'a> Search<'a> {
    /// The step from `here` towards the error, none when it is about `here` itself.
    fn step_from(&self, here: &'a Value) -> Option<(Step, &'a Value)> {
        if self.is_about(here) {
            return None;
        }
        let children = children(here);
        // Reading stops at the first error, so the error is in the first half if that gives it.
        let mut rest = &children[..];
        while rest.len() > 1 {
            let (first, second) = rest.split_at(rest.len() / 2);
            rest = match self.fails(self.with(here, first)) {
                true => first,
                false => second,
            };
        }
        rest.first().filter(|_| self.fails(self.with(here, rest))).cloned()
    }

    /// Whether the error stays when `here` is emptied, or goes when it has the field that is absent.
    fn is_about(&self, here: &Value) -> bool {
        match (self.absent, here) {
            (None, _) => self.fails(self.with(here, &[])),
            (Some(name), Value::Object(object)) if !object.contains_key(name) => {
                let mut filled = object.clone();
                filled.insert(name.to_owned(), Value::Null);
                !self.fails(Value::Object(filled))
            }
            _ => false,
        }
    }

    /// Whether `here`, with nothing beside the way to it, gives the error.
    fn fails(&self, here: Value) -> bool {
        let whole = self.way.iter().rev().fold(here, |inner, (outer, step)| {
            let mut whole = self.with(outer, &[]);
            put(&mut whole, step, inner);
            whole
        });
        (self.read)(whole).as_deref() == Some(self.error)
    }

    /// `value` with no more than `children` in it.
    fn with(&self, value: &Value, children: &[(Step, &Value)]) -> Value {
        let mut value = self.emptied(value);
        for (step, child) in children {
            put(&mut value, step, (*child).clone());
        }
        value
    }

    /// `value` with nothing in it. Only the field that is absent elsewhere stays: without it this
    /// object would give the error too.
    fn emptied(&self, value: &Value) -> Value {
        match value {
            Value::Object(object) => {
                let mut emptied = Map::new();
                if let Some((key, value)) = self.absent.and_then(|name| object.get_key_value(name))
                {
                    emptied.insert(key.clone(), value.clone());
                }
                Value::Object(emptied)
            }
            Value::Array(_) => Value::Array(Vec::new()),
            other => other.clone(),
        }
    }
}

fn children(value: &Value) -> Vec<(Step, &Value)> {
    match value {
        Value::Object(object) => {
            object.iter().map(|(key, value)| (Step::Key(key.clone()), value)).collect()
        }
        Value::Array(array) => {
            array.iter().enumerate().map(|(index, value)| (Step::Index(index), value)).collect()
        }
        _ => Vec::new(),
    }
}

fn put(value: &mut Value, step: &Step, child: Value) {
    match (value, step) {
        (Value::Object(object), Step::Key(key)) => {
            object.insert(key.clone(), child);
        }
        (Value::Array(array), Step::Index(_)) => array.push(child),
        _ => (),
    }
}

/// Takes the value at the end of `way` out of its object, so that reading can go on behind it. An
/// element of an array goes with its whole array: without it the others would change their numbers.
pub(super) fn remove(value: &mut Value, way: &[Step]) -> bool {
    let Some(last) = way.iter().rposition(|step| matches!(step, Step::Key(_))) else {
        return false;
    };
    let parent = way[..last].iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get_mut(key),
        Step::Index(index) => value.get_mut(index),
    });
    match (parent, &way[last]) {
        (Some(Value::Object(object)), Step::Key(key)) => object.remove(key).is_some(),
        _ => false,
    }
}
