//! [Specification version](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config.md#specification-version)

use super::Findings;

/// The oldest version of the specification that is understood.
pub const OLDEST_VERSION: &str = "1.0.0";

/// The newest version of the specification whose fields are known.
pub const NEWEST_VERSION: &str = "1.3.0";

/// What of a version matters for compatibility.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::config) struct Version {
    major: u64,
    minor: u64,
}

impl Version {
    /// Reads [SemVer 2.0.0](https://semver.org/spec/v2.0.0.html).
    pub(in crate::config) fn parse(text: &str) -> Option<Self> {
        let (text, build) = split(text, '+');
        let (text, release) = split(text, '-');
        let mut numbers = text.split('.').map(number);
        let (major, minor, _patch) = (numbers.next()??, numbers.next()??, numbers.next()??);
        let valid = numbers.next().is_none()
            && build.is_none_or(|build| build.split('.').all(is_identifier))
            && release.is_none_or(|release| release.split('.').all(is_identifier));
        valid.then_some(Self { major, minor })
    }

    /// Whether it is a version 1 older than 1.`minor`.
    pub(in crate::config) fn is_before(self, minor: u64) -> bool {
        self.major == 1 && self.minor < minor
    }

    /// Whether it may have fields that are not known here.
    pub(in crate::config) fn is_newer(self) -> bool {
        Self::parse(NEWEST_VERSION)
            .is_some_and(|newest| self.major == newest.major && self.minor > newest.minor)
    }
}

pub(super) fn check(text: &str, findings: &mut Findings) {
    let text = match Version::parse(text) {
        Some(Version { major: 1, .. }) => return,
        Some(_) => format!("{text} is not supported; 1.0.0 to 1.3.x are"),
        None if text.is_empty() => "is missing; write \"1.0.2\" or newer".to_owned(),
        None => format!("{text:?} is no version of the form 1.0.2"),
    };
    findings.add("ociVersion", text);
}

fn split(text: &str, at: char) -> (&str, Option<&str>) {
    match text.split_once(at) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

fn number(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let leading_zero = text.len() > 1 && text.starts_with('0');
    text.parse().ok().filter(|_| plain && !leading_zero)
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_semver() {
        for text in ["1.0.0", "1.0.2-dev", "1.3.0", "1.0.0-rc.1+build.5", "1.12.0", "1.0.0+a-b"] {
            assert!(Version::parse(text).is_some_and(|version| version.major == 1), "{text}");
        }
        for text in ["", "1", "1.0", "1.0.0.0", "v1.0.0", "01.0.0", "1.0.0-", "1.0.0+", "1.-1.0"] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }

    #[test]
    fn newer_is_told_by_the_minor_number() {
        assert!(!Version::parse("1.3.9").unwrap().is_newer());
        assert!(Version::parse("1.4.0").unwrap().is_newer());
    }
}
