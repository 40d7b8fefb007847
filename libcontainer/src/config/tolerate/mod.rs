//! Where oci-spec is stricter than the specification, or reads something else than was written,
//! the JSON value is mended before it is read into types.
//!
//! Most configurations are written by Go programs, for which a null, an empty string and an absent
//! field are the same thing; for serde they are three. The rest are traps of oci-spec 0.10, each
//! named where it is handled. Whatever is lost by this leaves a warning.

mod annotations;
mod linux;
mod process;
mod shape;
mod walk;

use serde_json::{Map, Value};

pub(crate) use self::annotations::KEEP_GROUPS;
pub(crate) use self::process::scheduler_flag;
use self::walk::{Trail, each};
use super::json::Report;
use super::namespaces;
use crate::error::Problem;

/// Sections for other systems ([platforms](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/spec.md#platforms)).
/// They are taken out so that a slip in one of them cannot stop a container of ours.
const OTHER_SYSTEMS: &[&str] = &["windows", "solaris", "zos", "freebsd"];

/// oci-spec reads these at the top, where no version of the specification has them.
const MISPLACED: &[&str] = &["uidMappings", "gidMappings"];

/// Strings for which Go's types cannot tell empty from absent, so that empty means absent.
const EMPTY_IS_ABSENT: &[&[&str]] = &[
    &["hostname"],
    &["domainname"],
    &["mounts", "*", "type"],
    &["mounts", "*", "source"],
    &["linux", "cgroupsPath"],
    &["linux", "rootfsPropagation"],
    &["linux", "mountLabel"],
    &["linux", "namespaces", "*", "path"],
    &["linux", "resources", "cpu", "cpus"],
    &["linux", "resources", "cpu", "mems"],
    &["linux", "resources", "devices", "*", "type"],
    &["linux", "resources", "devices", "*", "access"],
    &["linux", "memoryPolicy", "nodes"],
    &["linux", "seccomp", "listenerPath"],
    &["linux", "seccomp", "listenerMetadata"],
];

/// Strings that oci-spec must have before it reads the object at all. An empty one lets validation
/// name it along with everything else that is wrong.
const COMPULSORY: &[(&[&str], &str)] =
    &[(&["mounts", "*"], "destination"), (&["hooks", "*", "*"], "path")];

const CHOICES: &[Choice] = &[
    Choice {
        path: &["linux", "namespaces", "*"],
        key: "type",
        known: namespaces::NAMES,
        otherwise: Otherwise::First,
    },
    Choice {
        path: &["linux", "devices", "*"],
        key: "type",
        known: "c b u p",
        otherwise: Otherwise::First,
    },
    Choice {
        path: &["linux", "resources", "devices", "*"],
        key: "type",
        known: "a b c u",
        otherwise: Otherwise::FirstIfAny,
    },
    Choice {
        path: &["linux", "personality"],
        key: "domain",
        known: "LINUX LINUX32",
        otherwise: Otherwise::Dropped,
    },
    Choice {
        path: &["linux", "memoryPolicy"],
        key: "mode",
        known: "MPOL_DEFAULT MPOL_BIND MPOL_INTERLEAVE MPOL_WEIGHTED_INTERLEAVE MPOL_PREFERRED \
                MPOL_PREFERRED_MANY MPOL_LOCAL",
        otherwise: Otherwise::Dropped,
    },
];

const MEMORY_POLICY_FLAGS: Choices = Choices {
    path: &["linux", "memoryPolicy"],
    key: "flags",
    known: "MPOL_F_NUMA_BALANCING MPOL_F_RELATIVE_NODES MPOL_F_STATIC_NODES",
    taken: &[],
};

/// An object of the JSON value.
type Object = Map<String, Value>;

#[cfg(test)]
pub(crate) use shape::known_fields;

/// Where paths start that are not part of a process.
const TOP: Trail<'_> = Trail::Start("");

/// Mends a whole configuration.
pub(super) fn config(config: &mut Value, report: &mut Report) {
    drop_nulls(config);
    drop_foreign(config, report);
    shape::config(config, report);
    for path in EMPTY_IS_ABSENT {
        drop_empty(config, path);
    }
    for (path, key) in COMPULSORY {
        supply(config, path, key);
    }
    for choice in CHOICES {
        choice.look(config, &TOP, report);
    }
    MEMORY_POLICY_FLAGS.look(config, &TOP, report);
    linux::mend(config, report);
    annotations::look(config, report);
    if let Some(value) = config.get_mut("process") {
        process::mend(value, report);
    }
}

/// Mends a process that stands by itself, and makes it that of an otherwise empty configuration.
pub(super) fn process(value: &mut Value, report: &mut Report) {
    drop_nulls(value);
    process::mend(value, report);
    let mut config = Object::new();
    config.insert("process".to_owned(), value.take());
    *value = Value::Object(config);
}

/// Mends resources that stand by themselves, and makes them those of an otherwise empty configuration
/// of this version.
pub(super) fn resources(value: &mut Value, version: &str, report: &mut Report) {
    let resources = value.take();
    *value = serde_json::json!({"ociVersion": version, "linux": {"resources": resources}});
    config(value, report);
}

/// Go writes null for an empty slice, map or pointer; serde takes it for optional fields only.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.retain(|_, value| !value.is_null());
            object.values_mut().for_each(drop_nulls);
        }
        Value::Array(elements) => elements.iter_mut().for_each(drop_nulls),
        _ => (),
    }
}

fn drop_foreign(config: &mut Value, report: &mut Report) {
    let Value::Object(config) = config else {
        return;
    };
    for key in OTHER_SYSTEMS {
        if config.remove(*key).is_some() {
            report.warnings.push(format!("{key}: ignored, it is for another system"));
        }
    }
    for key in MISPLACED {
        if config.remove(*key).is_some() {
            report.warnings.push(format!("{key}: unknown field, ignored; it belongs in linux"));
        }
    }
}

fn drop_empty(value: &mut Value, path: &[&str]) {
    let Some((key, parents)) = path.split_last() else {
        return;
    };
    each(value, &TOP, parents, &mut |_, object| {
        if object.get(*key).and_then(Value::as_str) == Some("") {
            object.remove(*key);
        }
    });
}

fn drop_emptied(value: &mut Value, path: &[&str]) {
    let Some((key, parents)) = path.split_last() else {
        return;
    };
    each(value, &TOP, parents, &mut |_, object| {
        if object.get(*key).and_then(Value::as_object).is_some_and(Object::is_empty) {
            object.remove(*key);
        }
    });
}

fn supply(value: &mut Value, path: &[&str], key: &str) {
    each(value, &TOP, path, &mut |_, object| {
        if !object.contains_key(key) {
            object.insert(key.to_owned(), Value::String(String::new()));
        }
    });
}

/// A field that holds one of a list of words, which serde would refuse one at a time.
struct Choice {
    path: &'static [&'static str],
    key: &'static str,
    known: &'static str,
    otherwise: Otherwise,
}

/// What is read in place of another word than those.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Otherwise {
    /// The first of them.
    First,
    /// The same, but there need be none.
    FirstIfAny,
    /// Nothing: the rest of the object would be judged by a word that nobody wrote.
    Dropped,
}

impl Choice {
    /// Reports another word, and puts one in its place that can be read.
    fn look(&self, value: &mut Value, start: &Trail<'_>, report: &mut Report) {
        each(value, start, self.path, &mut |trail, object| {
            let text = match object.get(self.key) {
                None if self.otherwise == Otherwise::FirstIfAny => return,
                None => "is missing".to_owned(),
                Some(Value::String(word)) if !self.words().any(|known| known == word) => {
                    format!("unknown value {word:?}")
                }
                _ => return,
            };
            let known = self.words().collect::<Vec<_>>().join(", ");
            let text = format!("{text}; known are {known}");
            let problem = Problem::new(trail.with(self.key), text);
            report.problems.push(problem);
            if self.otherwise == Otherwise::Dropped {
                return object.clear();
            }
            let word = self.words().next().map(Value::from).unwrap_or_default();
            object.insert(self.key.to_owned(), word);
        });
        if self.otherwise == Otherwise::Dropped {
            drop_emptied(value, self.path);
        }
    }

    fn words(&self) -> impl Iterator<Item = &'static str> {
        self.known.split(' ')
    }
}

/// A field that holds several of a list of words.
struct Choices {
    path: &'static [&'static str],
    key: &'static str,
    known: &'static str,
    /// Words of no specification that pass as well.
    taken: &'static [&'static str],
}

impl Choices {
    /// Reports other words, and takes them out.
    fn look(&self, value: &mut Value, start: &Trail<'_>, report: &mut Report) {
        each(value, start, self.path, &mut |trail, object| {
            let Some(Value::Array(words)) = object.get_mut(self.key) else {
                return;
            };
            let field = trail.with(self.key);
            let mut index = 0;
            words.retain(|word| {
                let mut right = self.known.split(' ').chain(self.taken.iter().copied());
                let wrong = word.as_str().filter(|word| !right.any(|known| known == *word));
                if let Some(word) = wrong {
                    let known = self.known.split(' ').collect::<Vec<_>>().join(", ");
                    let text = format!("unknown value {word:?}; known are {known}");
                    report.problems.push(Problem::new(format!("{field}[{index}]"), text));
                }
                index += 1;
                wrong.is_none()
            });
        });
    }
}
