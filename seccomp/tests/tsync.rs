//! A filter that is to be for all threads and cannot be is not said to be in force. A file, and so a
//! process, of its own: such a filter is for whatever runs beside it.

use nix::sys::prctl;
use oci_spec::runtime::LinuxSeccomp;
use serde_json::json;
use skep_seccomp::{Filter, Profile};
use std::sync::mpsc::channel;
use std::thread;

fn filter(flags: &[&str]) -> Filter {
    let profile = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "flags": flags,
        "syscalls": [{"names": ["acct"], "action": "SCMP_ACT_ERRNO"}],
    });
    let oci: LinuxSeccomp = serde_json::from_value(profile).unwrap();
    Profile::new(&oci).unwrap().compile().unwrap()
}

#[test]
fn a_thread_that_cannot_follow_is_an_error() {
    let (done, wait) = channel::<()>();
    let (ready, begin) = channel();
    let other = thread::spawn(move || {
        prctl::set_no_new_privs().unwrap();
        filter(&[]).install().unwrap();
        ready.send(()).unwrap();
        let _ends = wait.recv();
    });
    begin.recv().unwrap();
    prctl::set_no_new_privs().unwrap();
    let error = filter(&["SECCOMP_FILTER_FLAG_TSYNC"]).install().unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ESRCH));
    drop(done);
    other.join().unwrap();
}
