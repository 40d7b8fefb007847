//! A pod's security context, volumes and devices, as kubelet hands them on.

use std::fs;

use serde_json::{Value, json};

use crate::ctx::Ctx;
use crate::engines::cri::{Cri, Pod};
use crate::harness::case::{Feature, root};
use crate::harness::needs::Need;
use crate::result::{Doing, Res, holds, same};

pub(crate) const FEATURE: Feature = Feature {
    name: "cri_security",
    cases: &[
        root!(user_and_groups),
        root!(groups_of_the_image_left_out).needs(&[Need::Containerd(2)]),
        root!(capabilities),
        root!(ordinary_user_has_no_capabilities),
        root!(read_only_root),
        root!(no_new_privileges),
        root!(seccomp_default),
        root!(seccomp_of_a_file),
        root!(masked_and_read_only_paths),
        root!(devices),
        root!(volumes),
        root!(volumes_read_only_to_the_bottom).needs(&[Need::Containerd(2)]),
        root!(volumes_with_propagation),
        root!(oom_score),
    ],
};

fn security(context: Value) -> Value {
    json!({"linux": {"security_context": context}})
}

fn pod(ctx: &Ctx) -> Res<Pod<'_>> {
    Cri::of(ctx).pod(&json!({}))
}

fn user_and_groups(ctx: &Ctx) -> Res {
    let pod = pod(ctx)?;
    let whom = json!({"run_as_user": 1000, "run_as_group": 1234, "supplemental_groups": [77, 88]});
    let report = pod.report(&security(whom))?;
    same!(report["ids"]["uid"], json!([1000, 1000, 1000, 1000]));
    same!(report["ids"]["gid"], json!([1234, 1234, 1234, 1234]));
    // alice is of staff, 50, in the image.
    same!(report["ids"]["groups"], json!([50, 77, 88, 1234]));
    let by_name = pod.report(&security(json!({"run_as_username": "alice"})))?;
    same!(by_name["ids"]["uid"][0], 1000);
    Ok(())
}

fn groups_of_the_image_left_out(ctx: &Ctx) -> Res {
    let whom = json!({
        "run_as_user": 1000, "run_as_group": 1234, "supplemental_groups": [77],
        "supplemental_groups_policy": "Strict",
    });
    same!(pod(ctx)?.report(&security(whom))?["ids"]["groups"], json!([77, 1234]));
    Ok(())
}

const CHOWN: u64 = 1 << 0;
const NET_BIND_SERVICE: u64 = 1 << 10;
const NET_ADMIN: u64 = 1 << 12;

fn capabilities(ctx: &Ctx) -> Res {
    let pod = pod(ctx)?;
    let effective = |wanted: Value| -> Res<u64> {
        let report = pod.report(&security(json!({"capabilities": wanted})))?;
        same!(report["caps"]["effective"], report["caps"]["bounding"]);
        report["caps"]["effective"].as_u64().doing("its capabilities")
    };
    let usual = effective(json!({}))?;
    holds!(usual & CHOWN != 0 && usual & NET_ADMIN == 0, "it has {usual:x}");
    same!(effective(json!({"add_capabilities": ["NET_ADMIN"]}))?, usual | NET_ADMIN);
    same!(effective(json!({"drop_capabilities": ["CHOWN"]}))?, usual & !CHOWN);
    let one = json!({"drop_capabilities": ["ALL"], "add_capabilities": ["NET_BIND_SERVICE"]});
    same!(effective(one)?, NET_BIND_SERVICE);
    Ok(())
}

fn ordinary_user_has_no_capabilities(ctx: &Ctx) -> Res {
    let context = json!({"run_as_user": 1000, "capabilities": {"add_capabilities": ["NET_ADMIN"]}});
    let caps = pod(ctx)?.report(&security(context))?["caps"].clone();
    for set in ["ambient", "effective", "permitted"] {
        same!((set, caps[set].as_u64()), (set, Some(0)));
    }
    holds!(caps["bounding"].as_u64().is_some_and(|set| set & NET_ADMIN != 0), "bounding: {caps}");
    Ok(())
}

fn read_only_root(ctx: &Ctx) -> Res {
    let pod = pod(ctx)?;
    let context = security(json!({"readonly_rootfs": true}));
    let line = "touch /new 2>&1; touch /dev/shm/new && echo but not there";
    let said = pod.shell(line, &context)?;
    holds!(said.contains("Read-only file system"), "it says: {said}");
    holds!(said.ends_with("but not there"), "it says: {said}");
    Ok(())
}

fn no_new_privileges(ctx: &Ctx) -> Res {
    let pod = pod(ctx)?;
    same!(pod.report(&security(json!({"no_new_privs": true})))?["no_new_privs"], "1");
    same!(pod.report(&security(json!({"no_new_privs": false})))?["no_new_privs"], "0");
    Ok(())
}

fn seccomp_default(ctx: &Ctx) -> Res {
    let filter = |kind: &str| security(json!({"seccomp": {"profile_type": kind}}));
    let pod = Cri::of(ctx).pod(&filter("RuntimeDefault"))?;
    same!(pod.report(&filter("RuntimeDefault"))?["seccomp"], "2");
    same!(pod.report(&filter("Unconfined"))?["seccomp"], "0");
    let container = pod.started(&["unshare", "-U", "true"], &filter("RuntimeDefault"))?;
    holds!(container.wait()? != 0, "the default profile lets it make user namespaces");
    Ok(())
}

fn seccomp_of_a_file(ctx: &Ctx) -> Res {
    let pod = pod(ctx)?;
    let profile = |name: &str, action: &str| -> Res<Value> {
        let text = json!({
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{"names": ["mkdir", "mkdirat"], "action": action, "errnoRet": 5}],
        });
        let file = ctx.make_file(name, &text.to_string())?;
        Ok(security(json!({"seccomp": {"profile_type": "Localhost", "localhost_ref": file}})))
    };
    let denied = pod.started(&["mkdir", "/tmp/new"], &profile("denied.json", "SCMP_ACT_ERRNO")?)?;
    same!(denied.wait()?, 1);
    denied.until_said("the error", |log| log.err.contains("Input/output error"))?;
    let refused = pod.created(&["true"], &profile("bad.json", "SCMP_ACT_STRAW")?)?;
    let Err(said) = refused.call("StartContainer") else {
        return Err("an unknown action is accepted".into());
    };
    holds!(said.contains("SCMP_ACT_STRAW"), "it says: {said}");
    Ok(())
}

fn masked_and_read_only_paths(ctx: &Ctx) -> Res {
    let context = security(json!({"masked_paths": ["/proc/uptime"], "readonly_paths": ["/tmp"]}));
    let line =
        "cat /proc/uptime; touch /tmp/new 2>&1; wc -c </proc/kcore >/dev/null && echo not masked";
    let said = pod(ctx)?.shell(&format!("{line}; :"), &context)?;
    holds!(said.contains("Read-only file system"), "/tmp can be written to: {said}");
    holds!(!said.contains('.'), "/proc/uptime can be read: {said}");
    Ok(())
}

fn devices(ctx: &Ctx) -> Res {
    let tun = json!({"devices": [
        {"container_path": "/dev/straw", "host_path": "/dev/net/tun", "permissions": "rwm"},
    ]});
    let pod = pod(ctx)?;
    same!(pod.shell("head -c 0 /dev/straw && echo opened", &tun)?, "opened");
    holds!(pod.shell("ls /dev/straw", &json!({})).is_err(), "it is there without being asked for");
    Ok(())
}

fn volumes(ctx: &Ctx) -> Res {
    let pod = pod(ctx)?;
    let dir = ctx.make_dir("volume")?;
    ctx.make_file("volume/file", "straw\n")?;
    let mount = |read_only: bool| json!({"mounts": [{"container_path": "/volume/deep", "host_path": dir, "readonly": read_only}]});
    let line = "cat /volume/deep/file; echo new >/volume/deep/new";
    same!(pod.shell(line, &mount(false))?, "straw");
    same!(fs::read_to_string(dir.join("new")).doing("what it wrote")?, "new\n");
    let Err(said) = pod.shell(line, &mount(true)) else {
        return Err("a read-only volume can be written to".into());
    };
    holds!(said.contains("Read-only file system"), "it says: {said}");
    // kubelet mounts single files too.
    let file = json!({"mounts": [{"container_path": "/etc/hosts", "host_path": dir.join("file")}]});
    same!(pod.shell("cat /etc/hosts", &file)?, "straw");
    Ok(())
}

/// A mount below the volume is the test: with `readonly` alone it can be written to.
fn volumes_read_only_to_the_bottom(ctx: &Ctx) -> Res {
    let pod = pod(ctx)?;
    let dir = crate::text::shown(ctx.make_dir("volume")?);
    let _mounted = Below::mount(ctx, &dir)?;
    let mount = |bottom: bool| {
        json!({"mounts": [{"container_path": "/volume", "host_path": dir, "readonly": true,
                           "recursive_read_only": bottom}]})
    };
    let line = "touch /volume/new 2>/dev/null || echo above; touch /volume/below/new 2>/dev/null || echo below";
    same!(pod.shell(line, &mount(false))?, "above");
    same!(pod.shell(line, &mount(true))?, "above\nbelow");
    Ok(())
}

/// A tmpfs below a volume of the check, in the daemon's own mount namespace, until it is dropped.
struct Below<'a> {
    ctx: &'a Ctx,
    path: String,
}

impl<'a> Below<'a> {
    fn mount(ctx: &'a Ctx, volume: &str) -> Res<Below<'a>> {
        let path = format!("{volume}/below");
        fs::create_dir(&path).doing(&path)?;
        ctx.program("mount").args(["-t", "tmpfs", "tmpfs", &path]).ok()?;
        Ok(Below { ctx, path })
    }
}

impl Drop for Below<'_> {
    fn drop(&mut self) {
        // A container that is just ending may still have it.
        let _leaks_tell = self.ctx.program("umount").args(["--lazy", &self.path]).done();
    }
}

fn volumes_with_propagation(ctx: &Ctx) -> Res {
    let dir = crate::text::shown(ctx.make_dir("volume")?);
    ctx.program("mount").args(["--bind", &dir, &dir]).ok()?;
    ctx.program("mount").args(["--make-shared", &dir]).ok()?;
    let outcome = propagation(ctx, &dir);
    ctx.program("umount").args(["--lazy", &dir]).ok()?;
    outcome
}

fn propagation(ctx: &Ctx, dir: &str) -> Res {
    let all = security(json!({"privileged": true}));
    let pod = Cri::of(ctx).pod(&all)?;
    let with = |kind: &str| {
        let mut changes = all.clone();
        changes["mounts"] =
            json!([{"container_path": "/v", "host_path": dir, "propagation": kind}]);
        changes
    };
    let slave = pod.sleeper(&with("PROPAGATION_HOST_TO_CONTAINER"))?;
    let private = pod.sleeper(&with("PROPAGATION_PRIVATE"))?;
    let below = Below::mount(ctx, dir)?;
    same!(slave.shell("grep -c /v/below /proc/mounts")?, "1");
    same!(private.exec(&["grep", "-c", "/v/below", "/proc/mounts"])?.out, "0\n");
    drop(below);
    let shared = pod.sleeper(&with("PROPAGATION_BIDIRECTIONAL"))?;
    shared.shell("mkdir -p /v/own && mount -t tmpfs tmpfs /v/own")?;
    let own = format!("{dir}/own");
    let table = fs::read_to_string("/proc/self/mounts").doing("the mounts")?;
    let came = table.contains(&own);
    shared.shell("umount /v/own")?;
    holds!(came, "what the container mounts does not come to the node");
    Ok(())
}

fn oom_score(ctx: &Ctx) -> Res {
    let wanted = json!({"linux": {"resources": {"oom_score_adj": 900}}});
    same!(pod(ctx)?.report(&wanted)?["oom_score_adj"], "900");
    Ok(())
}
