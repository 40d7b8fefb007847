//! [Hostname](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config.md#hostname) and
//! [domainname](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config.md#domainname)

use oci_spec::runtime::{LinuxNamespaceType, Spec};

use super::Findings;
use super::namespaces::{Origin, origin};

/// The kernel's limit on either (__NEW_UTS_LEN).
const LONGEST: usize = 64;

pub(super) fn check(spec: &Spec, findings: &mut Findings) {
    let host = origin(spec.linux().as_ref(), LinuxNamespaceType::Uts) == Origin::Host;
    let names = [("hostname", spec.hostname()), ("domainname", spec.domainname())];
    for (field, name) in names {
        let Some(name) = name.as_ref().filter(|name| !name.is_empty()) else {
            continue;
        };
        findings.expect(!host, field, "needs a uts namespace in linux.namespaces");
        let text = format!("has {} bytes; the kernel takes {LONGEST}", name.len());
        findings.expect(name.len() <= LONGEST, field, text);
    }
}
