//! Fields of the specification that this version cannot honour. None of them is passed over in
//! silence; each line goes when its feature comes.

use oci_spec::runtime::Spec;

use super::Findings;

const TEXT: &str = "is not supported by this version; leave it out to run without it";

const FIELDS: &[(&str, fn(&Spec) -> bool)] = &[("vm", |spec| spec.vm().is_some())];

pub(super) fn check(spec: &Spec, findings: &mut Findings) {
    for (field, is_set) in FIELDS {
        findings.expect(!is_set(spec), *field, TEXT);
    }
}
