//! The table of [hooks](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config.md#posix-platform-hooks).

use oci_spec::runtime::{Hook, Hooks, Spec};

/// One kind of hooks.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    list: fn(&Hooks) -> &Option<Vec<Hook>>,
}

// Deprecated, not gone: engines still write it.
#[allow(deprecated)]
pub(crate) const PRESTART: Kind = Kind { name: "prestart", list: Hooks::prestart };
pub(crate) const CREATE_RUNTIME: Kind = Kind { name: "createRuntime", list: Hooks::create_runtime };
pub(crate) const CREATE_CONTAINER: Kind =
    Kind { name: "createContainer", list: Hooks::create_container };
pub(crate) const START_CONTAINER: Kind =
    Kind { name: "startContainer", list: Hooks::start_container };
pub(crate) const POSTSTART: Kind = Kind { name: "poststart", list: Hooks::poststart };
pub(crate) const POSTSTOP: Kind = Kind { name: "poststop", list: Hooks::poststop };

/// All of them, in the order in which they run.
pub(crate) const ALL: [Kind; 6] =
    [PRESTART, CREATE_RUNTIME, CREATE_CONTAINER, START_CONTAINER, POSTSTART, POSTSTOP];

impl Kind {
    /// Those of a configuration.
    pub(crate) fn of<'a>(&self, spec: &'a Spec) -> &'a [Hook] {
        spec.hooks().as_ref().and_then(|hooks| (self.list)(hooks).as_deref()).unwrap_or_default()
    }
}
