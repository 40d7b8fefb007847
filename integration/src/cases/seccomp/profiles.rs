//! The profiles of engines, as they hand them over.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use super::filters;
use crate::container::Container;
use crate::ctx::Ctx;
use crate::harness::case::{Feature, either, root};
use crate::result::{Doing, Res, same};

pub(crate) const FEATURE: Feature = Feature {
    name: "seccomp.profiles",
    cases: &[
        either!(docker),
        either!(podman),
        either!(containerd),
        root!(docker_as_a_user),
        root!(podman_as_a_user),
        root!(containerd_as_a_user),
        either!(docker_forbids),
    ],
};

const PROFILES: &[(&str, &str)] = &[
    ("docker", include_str!("../../../../libcontainer/tests/samples/docker.config.json")),
    ("podman", include_str!("../../../../libcontainer/tests/samples/podman.config.json")),
    (
        "containerd",
        include_str!("../../../../libcontainer/tests/samples/cri-security-context.config.json"),
    ),
];

/// What this engine gives as `linux.seccomp`.
pub(super) fn profile(engine: &str) -> Value {
    let row = PROFILES.iter().find(|row| row.0 == engine).expect("a known engine");
    let config: Value = serde_json::from_str(row.1).expect("a sample is JSON");
    config["linux"]["seccomp"].clone()
}

/// Takes a name out of all rules.
pub(super) fn take_out(profile: &mut Value, name: &str) {
    for rule in profile["syscalls"].as_array_mut().into_iter().flatten() {
        if let Some(names) = rule["names"].as_array_mut() {
            names.retain(|each| each != name);
        }
    }
}

/// What a shell script of an image does; the last line tells what filter it ran under.
const WORK: &str = "set -e
cd /tmp
mkdir -p a/b
echo straw | tr a-z A-Z | sed s/STRAW/basket/ >a/b/c
ln -s b/c a/link
mkfifo a/fifo
( cat a/link >a/fifo & ) ; cat a/fifo
chmod 600 a/b/c && mv a/b/c a/b/d && touch a/b/c
find a -type f | sort | xargs ls -l | wc -l
sleep 0.01
timeout 5 sh -c 'kill -0 $$; exit 3' || echo $?
dd if=/dev/zero of=a/zero bs=4096 count=4 2>/dev/null && stat -c %s a/zero
ip link show lo >/dev/null
date +%Y >/dev/null; df /tmp >/dev/null; ps >/dev/null; uname -r >/dev/null; nproc >/dev/null
rm -r a
ls | wc -l
id -u
grep -E '^(NoNewPrivs|Seccomp|Seccomp_filters):' /proc/self/status | tr -d '\\t' | tr '\\n' ' '
";

/// With `noNewPrivileges` and without, in the container's own process and in one of exec.
fn works(ctx: &Ctx, engine: &str, uid: u32) -> Res {
    for no_new_privileges in [true, false] {
        let mut container = ctx.container()?;
        container.set("/linux/seccomp", profile(engine)).user(uid, uid);
        container.set("/process/noNewPrivileges", no_new_privileges);
        let open = std::fs::Permissions::from_mode(0o1777);
        std::fs::set_permissions(container.inside("/tmp"), open).doing("chmod /tmp")?;
        runs_the_work(&mut container, uid, no_new_privileges)
            .map_err(|reason| format!("noNewPrivileges {no_new_privileges}: {reason}"))?;
    }
    Ok(())
}

fn runs_the_work(container: &mut Container<'_>, uid: u32, no_new_privileges: bool) -> Res {
    let wanted = format!(
        "basket\n2\n3\n16384\n0\n{uid}\nNoNewPrivs:{} Seccomp:2 Seccomp_filters:{} ",
        i32::from(no_new_privileges),
        filters("self")? + 1
    );
    let out = container.sh(WORK).run()?.is(0)?.prints(&wanted)?;
    same!(out.err, "");
    super::run_sleeping(container)?;
    container
        .exec(super::exec_flags(no_new_privileges), &["/bin/sh", "-c", WORK])?
        .is(0)?
        .prints(&wanted)?;
    container.force_delete()?;
    Ok(())
}

fn docker(ctx: &Ctx) -> Res {
    works(ctx, "docker", 0)
}

fn podman(ctx: &Ctx) -> Res {
    works(ctx, "podman", 0)
}

fn containerd(ctx: &Ctx) -> Res {
    works(ctx, "containerd", 0)
}

fn docker_as_a_user(ctx: &Ctx) -> Res {
    works(ctx, "docker", 1000)
}

fn podman_as_a_user(ctx: &Ctx) -> Res {
    works(ctx, "podman", 1000)
}

fn containerd_as_a_user(ctx: &Ctx) -> Res {
    works(ctx, "containerd", 1000)
}

/// What such profiles are there for, seen to come from them: the container has all capabilities, and the
/// error is none that the kernel gives.
fn docker_forbids(ctx: &Ctx) -> Res {
    let mut profile = profile("docker");
    profile["defaultErrnoRet"] = serde_json::json!(super::MARK);
    let forbidden = [
        libc::SYS_add_key,
        libc::SYS_bpf,
        libc::SYS_delete_module,
        libc::SYS_kexec_load,
        libc::SYS_keyctl,
        libc::SYS_mount,
        libc::SYS_move_pages,
        libc::SYS_open_by_handle_at,
        libc::SYS_perf_event_open,
        libc::SYS_pivot_root,
        libc::SYS_unshare,
        libc::SYS_userfaultfd,
    ];
    let calls: Vec<String> = forbidden.iter().map(|number| format!("{number} -1")).collect();
    let mut wanted: Vec<(&str, &str)> =
        calls.iter().map(|call| (call.as_str(), super::MARKED)).collect();
    // So that C libraries fall back to clone, whose flags a filter can see.
    let clone3 = format!("{} 0 0", libc::SYS_clone3);
    wanted.push((&clone3, "ENOSYS"));
    super::returns(ctx, &profile, &wanted)?;
    let calls = wanted.iter().map(|row| row.0).collect::<Vec<_>>().join(" , ");
    let mut container = super::with(ctx, &profile, "syscall", &calls)?;
    container.all_capabilities();
    super::returned(&container.run()?.is(0)?, &wanted)
}
