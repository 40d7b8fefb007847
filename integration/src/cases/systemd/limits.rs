//! Limits of a scope, which the kernel and systemd both have to know.

use serde_json::{Value, json};

use super::{SYSTEMD, of, property, scope_is_gone, sleeper, systemctl, unit, value};
use crate::container::Container;
use crate::ctx::Ctx;
use crate::harness::case::{Feature, either, root};
use crate::result::{Doing, Res, holds, same};

pub(crate) const FEATURE: Feature = Feature {
    name: "systemd.limits",
    cases: &[
        either!(are_in_the_cgroup).needs(SYSTEMD),
        either!(are_known_to_systemd)
            .needs(SYSTEMD)
            .only_runc("crun 1.8 tells it of weights alone"),
        either!(outlive_a_reload).needs(SYSTEMD),
        either!(pids_limit_is_enforced).needs(SYSTEMD),
        either!(memory_limit_is_enforced).needs(SYSTEMD),
        either!(update_is_known_to_systemd).needs(SYSTEMD).only_runc("as above"),
        either!(updated_quota_is_exact).needs(SYSTEMD).ours("systemd rounds it to whole percents"),
        root!(devices_are_denied_after_a_reload).needs(SYSTEMD),
    ],
};

fn limited(ctx: &Ctx) -> Res<Container<'_>> {
    let mut container = sleeper(ctx)?;
    container.set("/linux/resources", limits());
    container.run_until("ready")?;
    Ok(container)
}

fn limits() -> Value {
    json!({
        "memory": {"limit": 64 << 20},
        "pids": {"limit": 77},
        "cpu": {"quota": 30_000, "period": 60_000, "shares": 512}
    })
}

fn reload(ctx: &Ctx) -> Res {
    systemctl(ctx, "daemon-reload").ok()?;
    Ok(())
}

fn are_in_the_cgroup(ctx: &Ctx) -> Res {
    limits_hold(&limited(ctx)?)
}

fn limits_hold(container: &Container<'_>) -> Res {
    same!(value(container, "memory.max")?, (64 << 20).to_string());
    same!(value(container, "pids.max")?, "77");
    same!(value(container, "cpu.max")?, "30000 60000");
    let weight: u64 = value(container, "cpu.weight")?.parse().doing("cpu.weight")?;
    holds!((2..100).contains(&weight), "512 shares give {weight}");
    Ok(())
}

/// What systemd does not know it undoes with the next change to the scope.
fn are_known_to_systemd(ctx: &Ctx) -> Res {
    let container = limited(ctx)?;
    let unit = unit(&container);
    same!(property(ctx, &unit, "MemoryMax")?, (64 << 20).to_string());
    same!(property(ctx, &unit, "TasksMax")?, "77");
    same!(property(ctx, &unit, "CPUQuotaPerSecUSec")?, "500ms");
    same!(property(ctx, &unit, "CPUWeight")?, value(&container, "cpu.weight")?);
    Ok(())
}

fn outlive_a_reload(ctx: &Ctx) -> Res {
    let container = limited(ctx)?;
    reload(ctx)?;
    systemctl(ctx, "set-property")
        .args(["--runtime", &unit(&container), "IOAccounting=yes"])
        .ok()?;
    limits_hold(&container)
}

fn pids_limit_is_enforced(ctx: &Ctx) -> Res {
    let mut container = of(ctx, &["/bin/probe", "fork", "20"])?;
    container.set("/linux/resources", json!({"pids": {"limit": 8}}));
    let out = container.run()?.is(0)?;
    let started: i32 = out.text().parse().doing("number of children")?;
    holds!((3..8).contains(&started), "{started} children started");
    Ok(())
}

fn memory_limit_is_enforced(ctx: &Ctx) -> Res {
    let mut container = of(ctx, &["/bin/probe", "eat", "200"])?;
    container.set("/linux/resources", json!({"memory": {"limit": 32 << 20, "swap": 32 << 20}}));
    container.run()?.is(128 + 9)?.prints("")?;
    scope_is_gone(&container)
}

fn update_is_known_to_systemd(ctx: &Ctx) -> Res {
    let container = limited(ctx)?;
    let limits = json!({"memory": {"limit": 80 << 20}, "pids": {"limit": 30}}).to_string();
    let file = ctx.make_file("limits.json", &limits)?;
    let path = file.to_string_lossy();
    container.command("update", &["--resources", &path]).ok()?;
    reload(ctx)?;
    let unit = unit(&container);
    systemctl(ctx, "set-property").args(["--runtime", &unit, "IOAccounting=yes"]).ok()?;
    for (file, name, wanted) in
        [("memory.max", "MemoryMax", 80 << 20), ("pids.max", "TasksMax", 30)]
    {
        same!(value(&container, file)?, wanted.to_string());
        same!(property(ctx, &unit, name)?, wanted.to_string());
    }
    Ok(())
}

fn updated_quota_is_exact(ctx: &Ctx) -> Res {
    let container = limited(ctx)?;
    container.command("update", &["--cpu-quota", "23456"]).ok()?;
    same!(value(&container, "cpu.max")?, "23456 60000");
    Ok(())
}

/// systemd sets device filters of its own when it starts anew.
fn devices_are_denied_after_a_reload(ctx: &Ctx) -> Res {
    let mut container = sleeper(ctx)?;
    container.all_capabilities();
    container.run_until("ready")?;
    reload(ctx)?;
    systemctl(ctx, "set-property")
        .args(["--runtime", &unit(&container), "IOAccounting=yes"])
        .ok()?;
    let read = "mknod /tmp/kmsg c 1 11 && dd if=/tmp/kmsg of=/dev/null bs=8k count=1 2>&1";
    container.exec(&[], &["/bin/sh", "-c", read])?.failed()?.has("not permitted")?;
    container.exec(&[], &["/bin/sh", "-c", "echo x >/dev/null"])?.is(0)?;
    Ok(())
}
