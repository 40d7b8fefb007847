//! JSON objects whose keys keep the order in which readers know them (`serde_json`'s own map
//! sorts them).

use serde_json::Value;

/// Keys and values in their order.
pub(crate) type Object = Vec<(&'static str, Value)>;

/// On one line, as in `list --format json` and log lines.
pub(crate) fn compact(object: &Object) -> String {
    let fields: Vec<_> = object.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
    format!("{{{}}}", fields.join(","))
}

/// Indented by two spaces, as in `state`.
pub(crate) fn pretty(object: &Object) -> String {
    let fields: Vec<_> = object
        .iter()
        .map(|(key, value)| format!("  \"{key}\": {}", format!("{value:#}").replace('\n', "\n  ")))
        .collect();
    format!("{{\n{}\n}}", fields.join(",\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sample() -> Object {
        vec![("z", json!("quote \" and \n")), ("a", json!({"k": ["v"]}))]
    }

    #[test]
    fn keys_keep_their_order() {
        assert_eq!(compact(&sample()), r#"{"z":"quote \" and \n","a":{"k":["v"]}}"#);
    }

    #[test]
    fn nested_values_are_indented() {
        assert_eq!(
            pretty(&sample()),
            "{\n  \"z\": \"quote \\\" and \\n\",\n  \"a\": {\n    \"k\": [\n      \"v\"\n    ]\n  }\n}"
        );
    }
}
