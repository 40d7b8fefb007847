//! A NUL inside a string. JSON can write one; the kernel takes it for the end of the string, and
//! would act on another path or name than the one that was looked at.

use serde_json::Value;

use super::explain::join;
use crate::error::Problem;

/// How JSON spells it.
const ESCAPE: &[u8] = b"\\u0000";

/// Looks at every string and key of `value`, which was read from `bytes`.
pub(super) fn check(bytes: &[u8], value: &Value, problems: &mut Vec<Problem>) {
    if bytes.windows(ESCAPE.len()).any(|window| window == ESCAPE) {
        walk(value, "", problems);
    }
}

fn walk(value: &Value, field: &str, problems: &mut Vec<Problem>) {
    match value {
        Value::String(text) if text.contains('\0') => {
            problems.push(Problem::new(field, format!("{text:?} has a NUL in it")));
        }
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                walk(element, &format!("{field}[{index}]"), problems);
            }
        }
        Value::Object(object) => {
            for (key, value) in object {
                let field = join(field, key);
                if key.contains('\0') {
                    problems.push(Problem::new(&*field, "the name has a NUL in it"));
                }
                walk(value, &field, problems);
            }
        }
        _ => (),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let mut problems = Vec::new();
        check(text.as_bytes(), &serde_json::from_str(text).unwrap(), &mut problems);
        problems.iter().map(|problem| problem.field.clone()).collect()
    }

    #[test]
    fn nul_is_found_in_values_and_names() {
        let escape = "\\u0000";
        assert_eq!(
            found(&format!(r#"{{"a":["x","b{escape}"],"c":{{"d":"{escape}"}}}}"#)),
            ["a[1]", "c.d"]
        );
        assert_eq!(found(&format!(r#"{{"k{escape}":1}}"#)).len(), 1);
        assert!(found(r#"{"a":"b"}"#).is_empty());
    }
}
