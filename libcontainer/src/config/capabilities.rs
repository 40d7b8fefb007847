//! The [capabilities](https://man7.org/linux/man-pages/man7/capabilities.7.html) that are known, by the
//! names that config.json has for them.

use std::str::FromStr;

use caps::Capability;
use oci_spec::runtime::Capability as OciCapability;

/// All of them, in the kernel's order.
pub(crate) fn all() -> Vec<Capability> {
    let mut all: Vec<_> = caps::all().into_iter().collect();
    all.sort_unstable_by_key(|capability| *capability as u8);
    all
}

/// The one of this name, which begins with `CAP_`.
pub(crate) fn find(name: &str) -> Option<Capability> {
    // oci-spec, which takes other spellings too, has to read it after this.
    let readable =
        name.strip_prefix("CAP_").is_some_and(|rest| OciCapability::from_str(rest).is_ok());
    Capability::from_str(name).ok().filter(|_| readable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_found_by_their_names() {
        let all = all();
        assert_eq!(all.len(), 41);
        for (bit, capability) in all.iter().enumerate() {
            assert_eq!(find(&capability.to_string()), Some(*capability));
            assert_eq!(capability.bitmask(), 1 << bit);
        }
        for other in ["CHOWN", "cap_chown", "CAP_chown", "CAP_ALL", "CAP_", ""] {
            assert_eq!(find(other), None, "{other}");
        }
    }
}
