//! OCI seccomp profile to BPF. Not written yet: `libcontainer` refuses configs that carry a profile.
#![forbid(unsafe_code)]
