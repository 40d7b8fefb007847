//! `features`.

use serde_json::Value;

use crate::args::CommandLine;
use crate::failure::{Failure, Result};
use crate::json::{Object, pretty};
use crate::output::print;

/// The keys of the document, in the order in which the specification describes them.
const KEYS: &[&str] = &[
    "ociVersionMin",
    "ociVersionMax",
    "hooks",
    "mountOptions",
    "linux",
    "annotations",
    "potentiallyUnsafeConfigAnnotations",
];

/// Prints the features document. Nothing that is typed or mounted matters for it.
pub(crate) fn run(_: &CommandLine) -> Result<u8> {
    print(&format!("{}\n", pretty(&document()?)))?;
    Ok(0)
}

/// What is absent in it is left out.
fn document() -> Result<Object> {
    let mut value = serde_json::to_value(libcontainer::features())
        .map_err(|error| Failure::new(format!("the features: {error}")))?;
    drop_nulls(&mut value);
    let mut take = |key| Some((key, value.as_object_mut()?.remove(key)?));
    Ok(KEYS.iter().filter_map(|key| take(*key)).collect())
}

fn drop_nulls(value: &mut Value) {
    if let Value::Object(object) = value {
        object.retain(|_, value| !value.is_null());
        object.values_mut().for_each(drop_nulls);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_it_is_left_out() {
        let Ok(document) = document() else { panic!("no document") };
        let keys: Vec<_> = document.iter().map(|(key, _)| *key).collect();
        assert_eq!(keys, KEYS);
        let all = serde_json::to_value(libcontainer::features()).unwrap();
        assert_eq!(all.as_object().unwrap().len(), KEYS.len());
        assert!(!pretty(&document).contains("null"));
    }
}
