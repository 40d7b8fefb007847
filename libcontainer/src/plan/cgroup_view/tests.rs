use super::*;
use crate::cgroup::Layout;
use crate::plan::Host;
use std::collections::BTreeMap;
use std::path::Path;

const USUAL: &[&str] = &["nosuid", "noexec", "nodev", "relatime", "ro"];

fn host() -> Host {
    let hierarchies = vec![
        Mounted::new("cpu,cpuacct", "/sys/fs/cgroup/cpu,cpuacct", "/"),
        Mounted::new("memory", "/sys/fs/cgroup/memory", "/user.slice"),
        Mounted::new("name=systemd", "/sys/fs/cgroup/systemd", "/user.slice"),
        Mounted::new("", "/sys/fs/cgroup/unified", "/user.slice"),
    ];
    Host { cgroups: Layout::Hybrid, hierarchies, ..Host::for_tests() }
}

/// The container's cgroup `/c1`, in every hierarchy.
fn place() -> Place {
    let at = |one: &Mounted| (one.name.clone(), one.mount.join("c1"));
    let mut v1: BTreeMap<_, _> = host().hierarchies.iter().map(at).collect();
    let unified = v1.remove("");
    let mut place = Place::default();
    (place.v1, place.unified) = (v1, unified);
    place
}

fn planned(
    host: &Host,
    options: &[&str],
    new: bool,
    cgroup: Option<&Place>,
) -> (Vec<MountPlan>, Option<&'static str>) {
    let bundle = Path::new("/bundle");
    let given = Given {
        bundle,
        host,
        own_pid_namespace: true,
        new_cgroup_namespace: new,
        cgroup,
        privileged: false,
        label: None,
    };
    let target = RootPath::new("/sys/fs/cgroup").expect("path");
    match plan(&target, &MountOptions::parse(options.iter().copied()), &given) {
        Ok((Planned::Several(mounts), warning)) => (mounts, warning.map(|_| FORCED)),
        Ok(_) => panic!("one mount"),
        Err(error) => panic!("{error}"),
    }
}

fn lines(mounts: &[MountPlan]) -> Vec<String> {
    mounts.iter().map(|mount| format!("{mount:#}")).collect()
}

fn is_read_only(mount: &MountPlan) -> bool {
    mount.attr.attr_set & mount_options::read_only().attr_set != 0
}

#[test]
fn a_new_cgroup_namespace_mounts_every_hierarchy_anew() {
    let (mounts, warning) = planned(&host(), USUAL, true, Some(&place()));
    let usual = "nodev noexec nosuid ro";
    let at = "at /sys/fs/cgroup";
    let expected = [
        format!("mount tmpfs {at} source=cgroup mode=755 {usual}"),
        format!("mount cgroup {at}/cpu,cpuacct source=cgroup cpu cpuacct {usual}"),
        format!("mount cgroup {at}/memory source=cgroup memory {usual}"),
        format!("mount cgroup {at}/systemd source=cgroup none name=systemd {usual}"),
        format!("mount cgroup2 {at}/unified source=cgroup {usual}"),
    ];
    assert_eq!(lines(&mounts), expected);
    assert_eq!(warning, None);
    let classic = |mount: &MountPlan| match &mount.source {
        Source::Filesystem(Filesystem { classic: Some(classic), .. }) => {
            classic.data.to_str().map(str::to_owned).ok()
        }
        _ => None,
    };
    let data: Vec<_> = mounts.iter().filter_map(classic).collect();
    assert_eq!(data, ["mode=755", "cpu,cpuacct", "memory", "none,name=systemd", ""]);
}

/// The host's whole tree, or that of the namespace that is joined, is never shown.
#[test]
fn elsewhere_the_containers_own_directories_are_bound() {
    let (mounts, warning) = planned(&host(), USUAL, false, Some(&place()));
    let usual = "nodev noexec nosuid ro";
    let bind = |name| format!("bind /sys/fs/cgroup/{name}/c1 at /sys/fs/cgroup/{name} {usual}");
    let expected = ["cpu,cpuacct", "memory", "systemd", "unified"].map(bind);
    assert_eq!(lines(&mounts)[1..], expected);
    assert_eq!(warning, None);
    let shared =
        |mount: &&MountPlan| mount.attr.propagation != mount_options::private().propagation;
    assert_eq!(mounts.iter().filter(shared).count(), 1, "but for the tmpfs, which is new");
}

#[test]
fn controllers_that_share_a_directory_have_links_to_it() {
    let (mounts, _) = planned(&host(), USUAL, true, Some(&place()));
    let text = |(name, target): &(CString, CString)| {
        (name.to_string_lossy().into_owned(), target.to_string_lossy().into_owned())
    };
    let links: Vec<_> = mounts[0].links.iter().map(text).collect();
    let both = |name: &str| (name.to_owned(), "cpu,cpuacct".to_owned());
    assert_eq!(links, [both("cpu"), both("cpuacct")]);
    assert!(mounts[1..].iter().all(|mount| mount.links.is_empty()));
    // Where the directory has one of the names, the other one leads there.
    let links = links_of("cpuacct,cpu", "/sys/fs/cgroup/cpu");
    assert_eq!(links, [("cpuacct".into(), "cpu".into())]);
    assert_eq!(links_of("name=systemd", "/sys/fs/cgroup/systemd"), []);
}

fn links_of(name: &str, mount: &str) -> Vec<(String, String)> {
    let links = links(&Mounted::new(name, mount, "/")).expect("links");
    let text = |text: CString| text.to_string_lossy().into_owned();
    links.into_iter().map(|(name, target)| (text(name), text(target))).collect()
}

#[test]
fn what_is_asked_to_be_writable_is_where_the_cgroup_is_the_containers() {
    for new in [true, false] {
        let (mounts, warning) = planned(&host(), &["nosuid"], new, Some(&place()));
        assert!(!mounts.iter().any(is_read_only), "{:?}", lines(&mounts));
        assert_eq!(warning, None);
    }
}

/// CVE-2023-25809, and a container without a cgroup: it is in its caller's.
#[test]
fn a_cgroup_that_is_not_the_containers_is_read_only() {
    for new in [true, false] {
        let (mounts, warning) = planned(&host(), &["rw"], new, None);
        assert!(mounts[1..].iter().all(is_read_only), "{:?}", lines(&mounts));
        assert_eq!(warning, Some(FORCED));
        let (_, warning) = planned(&host(), &["ro"], new, None);
        assert_eq!(warning, None, "that is what was asked for");
    }
}

#[test]
fn only_the_hierarchies_that_it_has_no_cgroup_in_are_read_only() {
    let mut place = place();
    place.v1.remove("memory");
    let (mounts, warning) = planned(&host(), &[], false, Some(&place));
    let read_only: Vec<_> = mounts.iter().map(is_read_only).collect();
    assert_eq!(read_only, [false, false, true, false, false]);
    assert_eq!(warning, Some(FORCED));
    assert_eq!(mounts[2].source_name, "/sys/fs/cgroup/memory/user.slice");
}

#[test]
fn what_is_said_to_the_tree_is_said_to_each() {
    let (mounts, _) = planned(&host(), &["rnosuid", "rro"], true, Some(&place()));
    assert!(mounts.iter().all(is_read_only), "{:?}", lines(&mounts));
    assert!(mounts.iter().all(|mount| mount.recursive_attr.is_empty()));
    let (mounts, _) = planned(&host(), &["ro", "rrw"], true, Some(&place()));
    assert!(!mounts.iter().any(is_read_only), "{:?}", lines(&mounts));
}

#[test]
fn options_of_the_entry_are_the_tmpfs_s() {
    let (mounts, _) = planned(&host(), &["mode=700", "size=4k"], true, Some(&place()));
    let expected = "mount tmpfs at /sys/fs/cgroup source=cgroup mode=755 mode=700 size=4k";
    assert_eq!(lines(&mounts)[0], expected);
    assert!(!lines(&mounts)[1..].iter().any(|line| line.contains("mode=")));
}
