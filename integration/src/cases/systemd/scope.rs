//! A container's scope: its name, its slice, and its end.

use super::{SYSTEMD, cgroup_of, of, property, running, scope_is_gone, sleeper, slice, unit};
use crate::ctx::Ctx;
use crate::harness::case::{Feature, either};
use crate::result::{Doing, Res, holds, same};

pub(crate) const FEATURE: Feature = Feature {
    name: "systemd.scope",
    cases: &[
        either!(is_named_by_the_path).needs(SYSTEMD),
        either!(without_a_path).needs(SYSTEMD),
        either!(in_the_slice_of_an_empty_name)
            .needs(SYSTEMD)
            .only_runc("crun 1.8 asks for a slice without a name"),
        either!(in_a_slice_of_slices).needs(SYSTEMD),
        either!(is_delegated).needs(SYSTEMD),
        either!(is_gone_after_run).needs(SYSTEMD),
        either!(is_gone_after_delete).needs(SYSTEMD),
        either!(is_gone_after_delete_before_start).needs(SYSTEMD),
        either!(is_gone_after_force_without_the_flag).needs(SYSTEMD),
        either!(is_gone_after_failed_create).needs(SYSTEMD),
        either!(two_at_once).needs(SYSTEMD),
        either!(name_in_use_is_refused)
            .needs(SYSTEMD)
            .only_crun("runc 1.1 goes into the scope that is there"),
        either!(path_of_another_form_is_refused)
            .needs(SYSTEMD)
            .only_runc("crun 1.8 takes it for a unit's name"),
        either!(slice_that_is_none_is_refused).needs(SYSTEMD),
    ],
};

fn is_named_by_the_path(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    let unit = unit(&container);
    same!(property(ctx, &unit, "ActiveState")?, "active");
    same!(property(ctx, &unit, "Slice")?, slice(ctx));
    let group = property(ctx, &unit, "ControlGroup")?;
    holds!(group.ends_with(&format!("/{}/{unit}", slice(ctx))), "the scope's cgroup is {group}");
    let own = cgroup_of(container.pid()?)?;
    holds!(own.starts_with(&group), "the process is in {own}, the scope is {group}");
    Ok(())
}

fn without_a_path(ctx: &Ctx) -> Res {
    let mut container = sleeper(ctx)?;
    container.remove("/linux/cgroupsPath");
    container.run_until("ready")?;
    let own = cgroup_of(container.pid()?)?;
    let scope =
        own.split('/').find(|part| part.ends_with(".scope") && part.contains(&container.id));
    same!(property(ctx, scope.doing(&format!("a scope in {own}"))?, "ActiveState")?, "active");
    Ok(())
}

fn in_the_slice_of_an_empty_name(ctx: &Ctx) -> Res {
    let mut container = sleeper(ctx)?;
    container.set("/linux/cgroupsPath", format!(":skep:{}", container.id));
    container.run_until("ready")?;
    same!(property(ctx, &unit(&container), "Slice")?, slice(ctx));
    Ok(())
}

/// As Kubernetes has them: a-b.slice is in a.slice.
fn in_a_slice_of_slices(ctx: &Ctx) -> Res {
    let mut container = sleeper(ctx)?;
    container.set("/linux/cgroupsPath", format!("straw-hive.slice:skep:{}", container.id));
    container.run_until("ready")?;
    let own = cgroup_of(container.pid()?)?;
    let path = format!("/straw.slice/straw-hive.slice/{}", unit(&container));
    holds!(own.contains(&path), "the process is in {own}");
    Ok(())
}

fn is_delegated(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    same!(property(ctx, &unit(&container), "Delegate")?, "yes");
    Ok(())
}

fn is_gone_after_run(ctx: &Ctx) -> Res {
    let container = of(ctx, &["/bin/true"])?;
    container.run()?.is(0)?;
    scope_is_gone(&container)
}

fn is_gone_after_delete(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    container.kill("KILL")?;
    container.until("stopped")?;
    container.delete()?;
    scope_is_gone(&container)
}

fn is_gone_after_delete_before_start(ctx: &Ctx) -> Res {
    let container = sleeper(ctx)?;
    container.create()?;
    same!(property(ctx, &unit(&container), "ActiveState")?, "active");
    container.force_delete()?;
    scope_is_gone(&container)
}

/// The state tells who made the cgroup.
fn is_gone_after_force_without_the_flag(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    let runtime = ctx.program(&ctx.runtime.to_string_lossy());
    let call = runtime.arg("--root").arg(ctx.state_root());
    call.args(["delete", "--force", &container.id]).ok()?;
    scope_is_gone(&container)
}

fn is_gone_after_failed_create(ctx: &Ctx) -> Res {
    let container = of(ctx, &["/no/such/command"])?;
    container.run()?.failed()?.says_one_of(&["/no/such/command"])?;
    scope_is_gone(&container)
}

fn two_at_once(ctx: &Ctx) -> Res {
    let (one, other) = (running(ctx)?, running(ctx)?);
    one.force_delete()?;
    scope_is_gone(&one)?;
    same!(property(ctx, &unit(&other), "ActiveState")?, "active");
    same!(other.status()?, "running");
    Ok(())
}

fn name_in_use_is_refused(ctx: &Ctx) -> Res {
    let first = running(ctx)?;
    let mut second = sleeper(ctx)?;
    let path = format!("{}:skep:{}", slice(ctx), first.id);
    second.set("/linux/cgroupsPath", path);
    second.run_call(&["--detach"])?.done()?.refused(&["exist"])?;
    second.gone()?;
    same!(first.status()?, "running");
    same!(property(ctx, &unit(&first), "ActiveState")?, "active");
    Ok(())
}

fn path_of_another_form_is_refused(ctx: &Ctx) -> Res {
    for path in ["/straw/hive", "straw.slice:hive", "straw.slice:a:b:c"] {
        let mut container = sleeper(ctx)?;
        container.set("/linux/cgroupsPath", path);
        container.create_call(&[])?.done()?.refused(&["slice:prefix:name"])?;
        container.gone()?;
    }
    Ok(())
}

fn slice_that_is_none_is_refused(ctx: &Ctx) -> Res {
    for name in ["straw", "straw--hive.slice", "-straw.slice"] {
        let mut container = sleeper(ctx)?;
        container.set("/linux/cgroupsPath", format!("{name}:skep:{}", container.id));
        container.create_call(&[])?.done()?.refused(&[name])?;
        scope_is_gone(&container)?;
    }
    Ok(())
}
