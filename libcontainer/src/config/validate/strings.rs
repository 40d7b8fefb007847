//! A NUL inside a string. JSON can write one; the kernel takes it for the end of the string, and
//! would act on another path or name than the one that was looked at.

use serde::Serialize;
use serde_json::Value;

use super::Findings;
use crate::config::explain::join;

/// How JSON spells it.
const ESCAPE: &str = "\\u0000";

/// Looks at every string and key of `part`, which stands at `field`.
pub(super) fn check(part: &impl Serialize, field: &str, findings: &mut Findings) {
    // Writing it out is the quickest way past every string, whatever fields the types get.
    let text = match serde_json::to_string(part) {
        Ok(text) => text,
        Err(error) => return findings.add(field, format!("cannot be written as JSON: {error}")),
    };
    if text.contains(ESCAPE)
        && let Ok(value) = serde_json::from_str(&text)
    {
        walk(&value, field, findings);
    }
}

fn walk(value: &Value, field: &str, findings: &mut Findings) {
    match value {
        Value::String(text) => {
            findings.expect(!text.contains('\0'), field, format!("{text:?} has a NUL in it"));
        }
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                walk(element, &format!("{field}[{index}]"), findings);
            }
        }
        Value::Object(object) => {
            for (key, value) in object {
                let field = join(field, key);
                findings.expect(!key.contains('\0'), &field, "the name has a NUL in it");
                walk(value, &field, findings);
            }
        }
        _ => (),
    }
}
