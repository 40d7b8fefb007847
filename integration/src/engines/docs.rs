//! The examples of `docs/engines.md`: what a reader copies is what the engines are started with here.

use std::path::Path;

use crate::result::{Doing, Res};
use crate::text::shown;

const TEXT: &str = include_str!("../../../docs/engines.md");

/// Where the documentation has the runtime.
const INSTALLED: &str = "/usr/local/bin/skep";

/// The block behind the line `<!-- tried: NAME -->`.
pub(super) fn example(name: &str) -> Res<&'static str> {
    let mark = format!("<!-- tried: {name} -->\n```");
    let (_, rest) = TEXT.split_once(&mark).doing(&format!("example {name}"))?;
    let (_language, rest) = rest.split_once('\n').doing(name)?;
    rest.split_once("```").map(|(block, _)| block).doing(name)
}

/// The same with the runtime where it is.
pub(super) fn example_with(name: &str, runtime: &Path) -> Res<String> {
    let example = example(name)?;
    match example.contains(INSTALLED) {
        true => Ok(example.replace(INSTALLED, &shown(runtime))),
        false => Err(format!("example {name} does not name {INSTALLED}")),
    }
}

/// The same with `from`, which it must have, as `to`.
pub(super) fn but(example: &str, from: &str, to: &str) -> Res<String> {
    match example.contains(from) {
        true => Ok(example.replace(from, to)),
        false => Err(format!("no {from} in the example")),
    }
}
