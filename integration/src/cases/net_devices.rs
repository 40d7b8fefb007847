//! Network devices of the host that a container is given.
//!
//! Each case is in a network namespace of its own, and makes its devices there: the machine's own are
//! never touched.

use serde_json::{Value, json};

use crate::container::Container;
use crate::ctx::Ctx;
use crate::harness::case::{Feature, root, user};
use crate::harness::needs::Need;
use crate::result::{Doing, Res, holds, same};

const NO_DEVICES: &str = "runc 1.3 ignores linux.netDevices";

pub(crate) const FEATURE: Feature = Feature {
    name: "net_devices",
    cases: &[
        root!(moved_with_address_and_mtu).needs(&[Need::Veth]).only_crun(NO_DEVICES),
        root!(renamed).needs(&[Need::Veth]).only_crun(NO_DEVICES),
        root!(empty_name_is_none)
            .needs(&[Need::Veth])
            .ours("runc 1.3 ignores linux.netDevices, crun looks for a device without a name"),
        root!(renamed_with_its_labels)
            .needs(&[Need::Veth])
            .ours("runc 1.3 ignores linux.netDevices, crun keeps the old name in the label"),
        root!(named_by_the_kernel)
            .needs(&[Need::Veth])
            .ours("runc 1.3 ignores linux.netDevices, crun then looks for a device called eth%d"),
        root!(ipv6_address_is_kept).needs(&[Need::Veth, Need::Ipv6]).only_crun(NO_DEVICES),
        root!(addresses_of_the_link_stay_behind).needs(&[Need::Veth]).only_crun(NO_DEVICES),
        root!(several).needs(&[Need::Veth]).only_crun(NO_DEVICES),
        root!(in_a_user_namespace).needs(&[Need::Veth]).only_crun(NO_DEVICES),
        root!(there_before_hooks_and_sysctls).needs(&[Need::Veth]).only_crun(NO_DEVICES),
        root!(in_a_joined_namespace_it_stays).needs(&[Need::Veth]).only_crun(NO_DEVICES),
        root!(virtual_ones_end_with_the_namespace).needs(&[Need::Veth]).only_crun(NO_DEVICES),
        root!(physical_ones_come_back)
            .needs(&[Need::SpareNic])
            .ours("the guest alone has one, and its peers are older than linux.netDevices"),
        root!(missing_one_gives_the_others_back)
            .needs(&[Need::Veth])
            .ours("runc 1.3 ignores linux.netDevices, crun gives nothing back"),
        root!(failed_creation_gives_them_back)
            .needs(&[Need::Veth])
            .ours("runc 1.3 ignores linux.netDevices, crun gives nothing back"),
        root!(failed_creation_gives_back_what_was_not_given)
            .needs(&[Need::Veth])
            .ours("runc 1.3 ignores linux.netDevices, crun gives nothing back"),
        root!(what_does_not_come_back_is_told)
            .needs(&[Need::Veth])
            .ours("runc 1.3 ignores linux.netDevices, crun gives nothing back"),
        root!(taken_name_refused)
            .needs(&[Need::Veth])
            .ours("runc 1.3 ignores linux.netDevices, crun names no field"),
        root!(own_namespace_refused)
            .needs(&[Need::Veth])
            .ours("runc 1.3 ignores linux.netDevices, crun renames the device"),
        root!(immovable_refused)
            .needs(&[Need::Veth])
            .ours("runc 1.3 ignores linux.netDevices, crun names no field"),
        root!(wrong_ones_refused).ours("runc 1.3 ignores linux.netDevices, crun names no field"),
        user!(without_rights_refused)
            .ours("runc 1.3 ignores linux.netDevices, crun names no field"),
    ],
};

/// A network namespace of the case's own, from here on.
fn leave_the_host() -> Res {
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).doing("unshare the network")
}

fn ip(ctx: &Ctx, line: &str) -> Res<String> {
    let out = ctx.program("/bin/busybox").arg("ip").args(line.split(' ')).ok()?;
    Ok(out.text().to_string())
}

fn exists(ctx: &Ctx, name: &str) -> Res<bool> {
    let out = ctx.program("/bin/busybox").args(["ip", "link", "show", name]).done()?;
    Ok(out.code == 0)
}

/// A pair of devices, `name` with an address and an MTU, up, and its other end `NAMEx`, down.
fn make(ctx: &Ctx, name: &str, address: &str) -> Res {
    // busybox has no words for the other end, which gets a name by the kernel.
    let before = names(ctx)?;
    ip(ctx, &format!("link add name {name} type veth"))?;
    let other = names(ctx)?.into_iter().find(|each| each != name && !before.contains(each));
    let other = other.doing("the other end")?;
    ip(ctx, &format!("link set {other} name {name}x"))?;
    ip(ctx, &format!("addr add {address} dev {name}"))?;
    ip(ctx, &format!("link set {name} mtu 1400"))?;
    ip(ctx, &format!("link set {name} up"))?;
    Ok(())
}

/// The names of the devices here.
fn names(ctx: &Ctx) -> Res<Vec<String>> {
    let table = ip(ctx, "-o link")?;
    let name = |line: &str| Some(line.split(": ").nth(1)?.split('@').next()?.to_string());
    Ok(table.lines().filter_map(name).collect())
}

/// As `ip addr` of busybox describes a device: the part of its text that is about it.
fn about(text: &str, name: &str) -> Res<String> {
    let mut lines = text.lines().skip_while(|line| {
        let mut words = line.split(": ").skip(1);
        words.next().and_then(|word| word.split('@').next()) != Some(name)
    });
    let first = lines.next().ok_or_else(|| format!("no device {name} in: {text}"))?;
    let rest = lines.take_while(|line| line.starts_with(' '));
    Ok(std::iter::once(first).chain(rest).collect::<Vec<_>>().join("\n"))
}

/// The device must be up, with this address and the MTU of [`make`].
fn is_whole(text: &str, name: &str, address: &str) -> Res {
    let about = about(text, name)?;
    let up = about.contains(",UP") || about.contains("<UP");
    holds!(up, "{name} is not up: {about}");
    holds!(about.contains("mtu 1400"), "{name} has lost its mtu: {about}");
    holds!(about.contains(&format!("{address} ")), "{name} has lost {address}: {about}");
    Ok(())
}

/// A container that is given these devices and prints what it has.
fn given(ctx: &Ctx, devices: Value) -> Res<Container<'_>> {
    let mut container = ctx.container_of(&["/bin/ip", "addr"])?;
    container.set("/linux/netDevices", devices);
    Ok(container)
}

/// What a container has that is given these devices.
fn inside(ctx: &Ctx, devices: Value) -> Res<String> {
    Ok(given(ctx, devices)?.run()?.is(0)?.text().to_string())
}

fn hardware_address(text: &str) -> Option<String> {
    let mut words = text.split_whitespace().skip_while(|word| *word != "link/ether");
    words.nth(1).map(str::to_string)
}

fn moved_with_address_and_mtu(ctx: &Ctx) -> Res {
    leave_the_host()?;
    make(ctx, "lan", "10.9.8.7/24")?;
    let before = hardware_address(&about(&ip(ctx, "addr")?, "lan")?);
    let seen = inside(ctx, json!({"lan": {}}))?;
    is_whole(&seen, "lan", "10.9.8.7/24")?;
    same!(hardware_address(&about(&seen, "lan")?), before);
    holds!(before.is_some(), "no hardware address: {seen}");
    Ok(())
}

fn renamed(ctx: &Ctx) -> Res {
    leave_the_host()?;
    make(ctx, "lan", "10.9.8.7/24")?;
    let seen = inside(ctx, json!({"lan": {"name": "fifteen-bytes15"}}))?;
    is_whole(&seen, "fifteen-bytes15", "10.9.8.7/24")?;
    holds!(about(&seen, "lan").is_err(), "it has both names: {seen}");
    Ok(())
}

fn empty_name_is_none(ctx: &Ctx) -> Res {
    leave_the_host()?;
    make(ctx, "lan", "10.9.8.7/24")?;
    is_whole(&inside(ctx, json!({"lan": {"name": ""}}))?, "lan", "10.9.8.7/24")
}

fn renamed_with_its_labels(ctx: &Ctx) -> Res {
    leave_the_host()?;
    make(ctx, "lan", "10.9.8.7/24")?;
    ip(ctx, "addr add 10.9.8.6/24 dev lan label lan:web")?;
    let seen = inside(ctx, json!({"lan": {"name": "eth7"}}))?;
    let label = |address: &str| {
        let line = seen.lines().find(|line| line.contains(&format!("inet {address}/24")));
        line.and_then(|line| line.split(' ').next_back()).unwrap_or_default().to_string()
    };
    same!(label("10.9.8.7"), "eth7");
    same!(label("10.9.8.6"), "eth7:web");
    Ok(())
}

/// The pattern of one is the name that the other has.
fn named_by_the_kernel(ctx: &Ctx) -> Res {
    leave_the_host()?;
    make(ctx, "a", "10.9.8.7/24")?;
    make(ctx, "b", "10.9.7.7/24")?;
    let seen = inside(ctx, json!({"a": {"name": "eth0"}, "b": {"name": "eth%d"}}))?;
    is_whole(&seen, "eth0", "10.9.8.7/24")?;
    is_whole(&seen, "eth1", "10.9.7.7/24")
}

fn ipv6_address_is_kept(ctx: &Ctx) -> Res {
    leave_the_host()?;
    make(ctx, "lan", "2001:db8::7/64")?;
    ip(ctx, "addr add 10.9.8.7/24 dev lan")?;
    let seen = inside(ctx, json!({"lan": {"name": "eth0"}}))?;
    is_whole(&seen, "eth0", "2001:db8::7/64")?;
    is_whole(&seen, "eth0", "10.9.8.7/24")
}

/// The specification wants those of global scope.
fn addresses_of_the_link_stay_behind(ctx: &Ctx) -> Res {
    leave_the_host()?;
    make(ctx, "lan", "10.9.8.7/24")?;
    ip(ctx, "addr add 169.254.8.7/16 dev lan scope link")?;
    holds!(ip(ctx, "addr")?.contains("169.254.8.7"), "the device has no address of its link");
    let seen = inside(ctx, json!({"lan": {}}))?;
    is_whole(&seen, "lan", "10.9.8.7/24")?;
    holds!(!seen.contains("169.254.8.7"), "the link's address came along: {seen}");
    Ok(())
}

/// Each other's names, and one that is down: it is up in the container.
fn several(ctx: &Ctx) -> Res {
    leave_the_host()?;
    make(ctx, "a", "10.9.8.7/24")?;
    make(ctx, "b", "10.9.7.7/24")?;
    make(ctx, "c", "10.9.6.7/24")?;
    ip(ctx, "link set c down")?;
    let seen = inside(ctx, json!({"a": {"name": "b"}, "b": {"name": "a"}, "c": {}}))?;
    is_whole(&seen, "b", "10.9.8.7/24")?;
    is_whole(&seen, "a", "10.9.7.7/24")?;
    is_whole(&seen, "c", "10.9.6.7/24")
}

fn in_a_user_namespace(ctx: &Ctx) -> Res {
    leave_the_host()?;
    make(ctx, "lan", "10.9.8.7/24")?;
    let mut container = given(ctx, json!({"lan": {"name": "eth0"}}))?;
    container.map_ids(100_000, 65_536);
    let seen = container.run()?.is(0)?.text().to_string();
    is_whole(&seen, "eth0", "10.9.8.7/24")
}

fn there_before_hooks_and_sysctls(ctx: &Ctx) -> Res {
    leave_the_host()?;
    make(ctx, "lan", "10.9.8.7/24")?;
    let mut container =
        ctx.container_of(&["/bin/cat", "/proc/sys/net/ipv4/conf/eth0/forwarding"])?;
    container.set("/linux/netDevices", json!({"lan": {"name": "eth0"}}));
    container.set("/linux/sysctl", json!({"net.ipv4.conf.eth0.forwarding": "1"}));
    let seen = ctx.dir.join("tmp/seen");
    let line = format!("/bin/busybox ip addr >{}", seen.display());
    let hook = json!([{"path": "/bin/busybox", "args": ["sh", "-c", line]}]);
    container.set("/hooks", json!({ "createContainer": hook }));
    container.run()?.is(0)?.prints("1")?;
    is_whole(&std::fs::read_to_string(&seen).doing("what the hook saw")?, "eth0", "10.9.8.7/24")
}

/// A running container whose network namespace others join.
fn holder(ctx: &Ctx) -> Res<Container<'_>> {
    let container = ctx.sleeper()?;
    container.run_until("ready")?;
    Ok(container)
}

fn join(container: &mut Container<'_>, holder: &Container<'_>) -> Res {
    container.namespace("network", Some(&format!("/proc/{}/ns/net", holder.pid()?)));
    Ok(())
}

/// Whoever has the namespace has the device, also when the container is gone that brought it.
fn in_a_joined_namespace_it_stays(ctx: &Ctx) -> Res {
    leave_the_host()?;
    let holder = holder(ctx)?;
    make(ctx, "lan", "10.9.8.7/24")?;
    let mut guest = ctx.sleeper()?;
    guest.set("/linux/netDevices", json!({"lan": {"name": "eth0"}}));
    join(&mut guest, &holder)?;
    guest.create()?;
    is_whole(holder.exec(&[], &["/bin/ip", "addr"])?.is(0)?.text(), "eth0", "10.9.8.7/24")?;
    guest.start()?;
    guest.kill("KILL")?;
    guest.until("stopped")?;
    guest.delete()?;
    is_whole(holder.exec(&[], &["/bin/ip", "addr"])?.is(0)?.text(), "eth0", "10.9.8.7/24")?;
    holds!(!exists(ctx, "lan")? && !exists(ctx, "eth0")?, "the device has come back");
    guest.gone()
}

/// What becomes of a device is the kernel's to decide: the runtime takes nothing out of the namespace.
fn virtual_ones_end_with_the_namespace(ctx: &Ctx) -> Res {
    leave_the_host()?;
    make(ctx, "lan", "10.9.8.7/24")?;
    let mut container = ctx.sleeper()?;
    container.set("/linux/netDevices", json!({"lan": {}}));
    container.run_until("ready")?;
    holds!(!exists(ctx, "lan")?, "the device is here, too");
    holds!(exists(ctx, "lanx")?, "its other end is gone");
    container.kill("KILL")?;
    container.until("stopped")?;
    container.delete()?;
    ctx.eventually("the pair ends", || (!exists(ctx, "lanx").ok()?).then_some(()))?;
    holds!(!exists(ctx, "lan")?, "the device has come back");
    container.gone()
}

/// The kernel gives it to the first network namespace, by the name that it has then.
fn physical_ones_come_back(ctx: &Ctx) -> Res {
    let nic = crate::harness::needs::SPARE_NIC;
    ip(ctx, &format!("link set {nic} mtu 1400"))?;
    ip(ctx, &format!("addr add 10.9.8.7/24 dev {nic}"))?;
    for end in ["delete --force", "kill"] {
        let mut container = ctx.sleeper()?;
        container.set("/linux/netDevices", json!({nic: {"name": "lan7"}}));
        container.run_until("ready")?;
        let seen = container.exec(&[], &["/bin/ip", "addr"])?.is(0)?;
        holds!(about(seen.text(), "lan7")?.contains("mtu 1400"), "lost its mtu: {}", seen.text());
        holds!(!exists(ctx, nic)?, "the device is here, too");
        if end == "kill" {
            container.kill("KILL")?;
            container.until("stopped")?;
        } else {
            container.force_delete()?;
        }
        ctx.eventually("it comes back", || exists(ctx, "lan7").ok()?.then_some(()))?;
        ip(ctx, &format!("link set lan7 name {nic}"))?;
    }
    Ok(())
}

/// Nothing is as if it had been moved and back: name, address, state.
fn missing_one_gives_the_others_back(ctx: &Ctx) -> Res {
    leave_the_host()?;
    make(ctx, "a", "10.9.8.7/24")?;
    make(ctx, "b", "10.9.7.7/24")?;
    ip(ctx, "link set b down")?;
    let before = ip(ctx, "-o link")?;
    let container = given(ctx, json!({"a": {"name": "x"}, "b": {}, "c": {}}))?;
    container.run()?.refused(&["linux.netDevices.c: there is no such network device here"])?;
    let now = ip(ctx, "addr")?;
    is_whole(&now, "a", "10.9.8.7/24")?;
    let about = about(&now, "b")?;
    holds!(about.contains("10.9.7.7/24") && !about.contains(",UP"), "b is otherwise: {about}");
    let numbers = |text: &str| -> Vec<String> {
        let mut found: Vec<String> =
            text.lines().filter_map(|line| Some(line.split('<').next()?.to_string())).collect();
        found.sort();
        found
    };
    same!(numbers(&ip(ctx, "-o link")?), numbers(&before));
    container.gone()
}

/// After they were moved: a hook fails, or a mount.
fn failed_creation_gives_them_back(ctx: &Ctx) -> Res {
    leave_the_host()?;
    make(ctx, "lan", "10.9.8.7/24")?;
    let changes = [
        ("/hooks", json!({"createRuntime": [{"path": "/bin/false"}]})),
        ("/process/args", json!(["/bin/nosuch"])),
    ];
    for (pointer, value) in changes {
        let mut container = given(ctx, json!({"lan": {"name": "eth0"}}))?;
        container.set(pointer, value);
        container.run()?.failed()?;
        container.gone()?;
        is_whole(&ip(ctx, "addr")?, "lan", "10.9.8.7/24")?;
    }
    Ok(())
}

/// What the container does not get: addresses that end or are the link's, the bridge; and what is lost.
fn failed_creation_gives_back_what_was_not_given(ctx: &Ctx) -> Res {
    leave_the_host()?;
    make(ctx, "lan", "10.9.8.7/24")?;
    ip(ctx, "addr add 10.9.6.7/24 dev lan valid_lft 3000 preferred_lft 2000")?;
    ip(ctx, "addr add 169.254.8.7/16 dev lan scope link")?;
    let bridge = ip(ctx, "link add name br7 type bridge").is_ok();
    if bridge {
        ip(ctx, "link set lan master br7")?;
    }
    for routes in [0, 1] {
        if routes == 1 {
            ip(ctx, "link set lanx up")?;
            ip(ctx, "route add 10.7.0.0/16 dev lan")?;
        }
        let mut container = given(ctx, json!({"lan": {"name": "eth0"}}))?;
        container.set("/hooks", json!({"createRuntime": [{"path": "/bin/false"}]}));
        let out = container.run()?.failed()?;
        let told = out
            .err
            .contains("linux.netDevices.lan is not as it was: the routes over it are gone (1)");
        same!(told, routes == 1);
        let text = ip(ctx, "addr")?;
        is_whole(&text, "lan", "10.9.8.7/24")?;
        let about = about(&text, "lan")?;
        let parts = ["10.9.6.7/24 scope global dynamic lan", "169.254.8.7/16 scope link lan"];
        for part in parts.into_iter().chain(bridge.then_some("master br7")) {
            holds!(about.contains(part), "no {part}: {about}");
        }
        container.gone()?;
    }
    Ok(())
}

/// A hook takes the name that the device had, and fails.
fn what_does_not_come_back_is_told(ctx: &Ctx) -> Res {
    leave_the_host()?;
    make(ctx, "lan", "10.9.8.7/24")?;
    let mut container = given(ctx, json!({"lan": {"name": "eth0"}}))?;
    let line = "/bin/busybox ip link set lanx name lan; exit 1";
    let hook = json!([{"path": "/bin/busybox", "args": ["sh", "-c", line]}]);
    container.set("/hooks", json!({ "createRuntime": hook }));
    let out = container.run()?.refused(&["hooks.createRuntime[0]"])?;
    let told = "; linux.netDevices.lan is not as it was: move it back";
    holds!(out.err.contains(told), "it does not say so: {}", out.err);
    container.gone()
}

fn taken_name_refused(ctx: &Ctx) -> Res {
    leave_the_host()?;
    let holder = holder(ctx)?;
    make(ctx, "lan", "10.9.8.7/24")?;
    let mut first = given(ctx, json!({"lan": {"name": "eth0"}}))?;
    join(&mut first, &holder)?;
    first.run()?.is(0)?;
    make(ctx, "wan", "10.9.7.7/24")?;
    let mut second = given(ctx, json!({"wan": {"name": "eth0"}}))?;
    join(&mut second, &holder)?;
    let taken = "linux.netDevices.wan: the container's network namespace has a device eth0 already";
    second.run()?.refused(&[taken])?;
    is_whole(&ip(ctx, "addr")?, "wan", "10.9.7.7/24")?;
    // A pattern finds another.
    second.set("/linux/netDevices", json!({"wan": {"name": "eth%d"}}));
    second.run()?.is(0)?.has("eth1")?;
    second.gone()
}

/// Nothing is changed of the device, which has the name and the number already.
fn own_namespace_refused(ctx: &Ctx) -> Res {
    leave_the_host()?;
    make(ctx, "lan", "10.9.8.7/24")?;
    for device in [json!({}), json!({"name": "eth0"})] {
        let mut container = given(ctx, json!({ "lan": device }))?;
        container.namespace("network", Some("/proc/self/ns/net"));
        let says = "linux.netDevices: the container's network namespace is the caller's own";
        container.run()?.refused(&[says])?;
        is_whole(&ip(ctx, "addr")?, "lan", "10.9.8.7/24")?;
        container.gone()?;
    }
    Ok(())
}

/// A bridge belongs to its namespace.
fn immovable_refused(ctx: &Ctx) -> Res {
    leave_the_host()?;
    make(ctx, "lan", "10.9.8.7/24")?;
    if ip(ctx, "link add name br7 type bridge").is_err() {
        return Ok(());
    }
    let container = given(ctx, json!({"lan": {}, "br7": {}}))?;
    container.run()?.refused(&["linux.netDevices.br7: move it into"])?;
    is_whole(&ip(ctx, "addr")?, "lan", "10.9.8.7/24")?;
    holds!(exists(ctx, "br7")?, "the bridge has gone");
    container.gone()
}

fn wrong_ones_refused(ctx: &Ctx) -> Res {
    leave_the_host()?;
    let cases = [
        (json!({"lo": {}}), "linux.netDevices.lo: lo is in every network namespace"),
        (json!({"a": {"name": "lo"}}), "linux.netDevices.a.name: lo is in every"),
        (json!({"": {}}), "linux.netDevices[\"\"]: has no name"),
        (json!({"a/b": {}}), "linux.netDevices[\"a/b\"]"),
        (
            json!({"a": {"name": "sixteen-bytes-16"}}),
            "linux.netDevices.a.name: \"sixteen-bytes-16\"",
        ),
        (json!({"a": {"name": "x"}, "b": {"name": "x"}}), "linux.netDevices.b.name"),
        (json!({"a": {"name": 7}}), "linux.netDevices.a.name"),
        (json!({"nosuch": {}}), "linux.netDevices.nosuch: there is no such network device here"),
    ];
    for (devices, says) in cases {
        let container = given(ctx, devices)?;
        container.run()?.refused(&[says])?;
        container.gone()?;
    }
    let mut container = given(ctx, json!({"a": {}}))?;
    container.drop_namespace("network");
    container.run()?.refused(&["linux.netDevices: needs a network namespace"])?;
    container.gone()
}

fn without_rights_refused(ctx: &Ctx) -> Res {
    let mut container = given(ctx, json!({"lan": {}}))?;
    container.namespace("network", None);
    container
        .run()?
        .refused(&["linux.netDevices: to move a network device takes CAP_NET_ADMIN"])?;
    // Root of a user namespace has no rights over a network that it was not made for.
    let mut container = given(ctx, json!({"lo2": {}}))?;
    container.namespace("network", None);
    container.drop_namespace("user").remove("/linux/uidMappings").remove("/linux/gidMappings");
    let unshare = ["/usr/bin/unshare", "--user", "--map-root-user", "--mount"];
    container
        .run_call(&[])?
        .through(&unshare)
        .done()?
        .refused(&["linux.netDevices.lo2: there is no"])?;
    container.gone()
}
