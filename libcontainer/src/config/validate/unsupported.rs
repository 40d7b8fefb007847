//! Fields of the specification that this version cannot honour. None of them is passed over in
//! silence; each line goes when its feature comes.

use oci_spec::runtime::{Linux, Spec};

use super::Findings;

const TEXT: &str = "is not supported by this version; leave it out to run without it";

type Table<T> = &'static [(&'static str, fn(&T) -> bool)];

const LINUX: Table<Linux> = &[
    // Empty, it still asks for a group of the container's name.
    ("linux.intelRdt", |linux| linux.intel_rdt().is_some()),
];

const SPEC: Table<Spec> = &[("vm", |spec| spec.vm().is_some())];

pub(super) fn check(spec: &Spec, findings: &mut Findings) {
    look(SPEC, spec, findings);
    if let Some(linux) = spec.linux() {
        look(LINUX, linux, findings);
    }
}

fn look<T>(table: Table<T>, part: &T, findings: &mut Findings) {
    for (field, is_set) in table {
        findings.expect(!is_set(part), *field, TEXT);
    }
}
