//! Fields of the specification that this version cannot honour. None of them is passed over in
//! silence; each line goes when its feature comes.

use oci_spec::runtime::Spec;

use super::Findings;

const TEXT: &str = "is not supported by this version; leave it out to run without it";

pub(super) fn check(spec: &Spec, findings: &mut Findings) {
    findings.expect(spec.vm().is_none(), "vm", TEXT);
}
