//! Writing the id maps of a new user namespace.
//!
//! Who may write what is in user_namespaces(7): whoever has CAP_SETUID and CAP_SETGID over the
//! parent namespace writes any map; anyone may map their own id to one id, after giving up
//! setgroups(2) (CVE-2014-8989); for more, newuidmap(1) and newgidmap(1) check `/etc/subuid` and
//! `/etc/subgid`.

use crate::error::{Error, ErrorKind, Result};
use crate::plan::{Host, IdMap, IdMaps, render_id_maps};
use caps::Capability;
use std::fs;
use std::process::{Child, Command, Stdio};

const UID_FIELD: &str = "linux.uidMappings";
const GID_FIELD: &str = "linux.gidMappings";

pub(super) fn write(pid: i32, maps: &IdMaps, host: &Host) -> Result<()> {
    let privileged = host.has(Capability::CAP_SETUID) && host.has(Capability::CAP_SETGID);
    if privileged {
        return direct(pid, maps);
    }
    if is_only(&maps.uids, host.euid) && is_only(&maps.gids, host.egid) {
        put(pid, "setgroups", "deny", GID_FIELD)?;
        return direct(pid, maps);
    }
    through_helpers(pid, maps)
}

/// Whether a map is what anyone may write: one id, the caller's own.
fn is_only(maps: &[IdMap], own: u32) -> bool {
    matches!(maps, [map] if map.outside == own && map.count == 1)
}

fn direct(pid: i32, maps: &IdMaps) -> Result<()> {
    put(pid, "uid_map", &render_id_maps(&maps.uids), UID_FIELD)?;
    put(pid, "gid_map", &render_id_maps(&maps.gids), GID_FIELD)
}

fn put(pid: i32, file: &str, text: &str, field: &str) -> Result<()> {
    let path = format!("/proc/{pid}/{file}");
    fs::write(&path, text).map_err(|error| {
        Error::system(format!("write \"{}\" to {file}", text.trim_end()), error).field(field)
    })
}

/// Both helpers at the same time: each is a program that reads the user database.
fn through_helpers(pid: i32, maps: &IdMaps) -> Result<()> {
    super::check_exit_status().map_err(|error| error.field(UID_FIELD))?;
    let uids = helper("newuidmap", pid, &maps.uids, UID_FIELD)?;
    let gids = helper("newgidmap", pid, &maps.gids, GID_FIELD);
    let uids = finish("newuidmap", uids, "/etc/subuid", UID_FIELD);
    finish("newgidmap", gids?, "/etc/subgid", GID_FIELD)?;
    uids
}

fn helper(program: &str, pid: i32, maps: &[IdMap], field: &str) -> Result<Child> {
    let ids = maps.iter().flat_map(|map| [map.inside, map.outside, map.count]);
    Command::new(program)
        .arg(pid.to_string())
        .args(ids.map(|id| id.to_string()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| {
            let text = format!("run {program}, which mapping more than one's own id needs (Debian's package uidmap)");
            Error::system(text, error).field(field)
        })
}

fn finish(program: &str, child: Child, file: &str, field: &str) -> Result<()> {
    let output = child
        .wait_with_output()
        .map_err(|error| Error::system(format!("wait for {program}"), error))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().next().unwrap_or("no reason given").trim();
    let text = format!("{program} refused: {said}; {file} must give the caller these ids");
    Err(Error::new(ErrorKind::Setup, text).field(field))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ones_own_id_needs_no_helper() {
        let map = IdMap { inside: 0, outside: 1000, count: 1 };
        assert!(is_only(&[map], 1000));
        assert!(!is_only(&[map], 1001));
        assert!(!is_only(&[IdMap { count: 2, ..map }], 1000));
        assert!(!is_only(&[map, map], 1000));
    }
}
