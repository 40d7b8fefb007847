//! list and ps.

use serde_json::Value;

use crate::ctx::Ctx;
use crate::harness::case::{Feature, either, root, user};
use crate::harness::needs::Need;
use crate::result::{Doing, Res, holds, same};
use crate::text::{lines, shown};

pub(crate) const FEATURE: Feature = Feature {
    name: "list",
    cases: &[
        either!(table),
        either!(table_columns).only_runc("crun's columns are its own"),
        either!(quiet),
        either!(json),
        either!(empty),
        either!(unknown_format_refused),
        root!(ps_json),
        user!(ps_json_without_cgroup).ours("the peers look for processes in a cgroup"),
        root!(ps_table).needs(&[Need::Ps]),
        root!(ps_passes_options_on)
            .needs(&[Need::Ps])
            .only_runc("crun's ps shows pids and nothing else"),
        either!(ps_of_unknown_refused),
    ],
};

fn table(ctx: &Ctx) -> Res {
    let created = ctx.sleeper()?;
    created.create()?;
    let running = ctx.sleeper()?;
    running.run_until("ready")?;
    let out = ctx.runtime().arg("list").ok()?;
    let rows: Vec<Vec<&str>> =
        lines(&out.out).iter().map(|line| line.split_whitespace().collect()).collect();
    let head = rows.first().doing("head line")?;
    holds!(
        head.contains(&"PID") && head.contains(&"STATUS") && head.contains(&"BUNDLE"),
        "head line is {head:?}"
    );
    for (container, status) in [(&created, "created"), (&running, "running")] {
        let row = rows.iter().find(|row| row[0] == container.id).doing("row of the container")?;
        same!(row[1], container.pid()?.to_string());
        same!(row[2], status);
        same!(row[3], shown(&container.bundle));
    }
    same!(rows.len(), 3);
    Ok(())
}

fn table_columns(ctx: &Ctx) -> Res {
    let container = ctx.sleeper()?;
    container.create()?;
    let out = ctx.runtime().arg("list").ok()?;
    let head = lines(&out.out).first().map(|line| line.split_whitespace().collect::<Vec<_>>());
    same!(head.unwrap_or_default(), ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]);
    Ok(())
}

fn quiet(ctx: &Ctx) -> Res {
    let first = ctx.sleeper()?;
    let second = ctx.sleeper()?;
    first.create()?;
    second.create()?;
    for flag in ["-q", "--quiet"] {
        let out = ctx.runtime().args(["list", flag]).ok()?;
        let mut ids = lines(&out.out);
        ids.sort_unstable();
        let mut want = vec![first.id.as_str(), second.id.as_str()];
        want.sort_unstable();
        same!(ids, want);
    }
    Ok(())
}

fn json(ctx: &Ctx) -> Res {
    let container = ctx.sleeper()?;
    container.create()?;
    for flags in [["-f", "json"], ["--format", "json"]] {
        let list = ctx.runtime().arg("list").args(flags).ok()?.json()?;
        same!(list.as_array().map(Vec::len), Some(1));
        same!(list[0]["id"], container.id);
        same!(list[0]["status"], "created");
        same!(list[0]["pid"], container.pid()?);
        same!(list[0]["bundle"], shown(&container.bundle));
        holds!(
            list[0]["created"].is_string() && list[0]["owner"].is_string(),
            "created, owner in {list}"
        );
    }
    Ok(())
}

fn empty(ctx: &Ctx) -> Res {
    ctx.make_dir("state")?;
    ctx.runtime().args(["list", "-q"]).ok()?.prints("")?;
    let list = ctx.runtime().args(["list", "-f", "json"]).ok()?.json()?;
    holds!(list.as_array().is_none_or(Vec::is_empty), "{list}");
    Ok(())
}

fn unknown_format_refused(ctx: &Ctx) -> Res {
    ctx.runtime().args(["list", "-f", "nosuch"]).done()?.failed()?;
    Ok(())
}

fn two_processes(ctx: &Ctx) -> Res<crate::container::Container<'_>> {
    let container =
        ctx.container_of(&["/bin/sh", "-c", "sleep 100 & exec /bin/probe until-term"])?;
    container.run_until("ready")?;
    Ok(container)
}

fn ps_json(ctx: &Ctx) -> Res {
    let container = two_processes(ctx)?;
    for flags in [["-f", "json"], ["--format", "json"]] {
        let list = container.command("ps", &flags).ok()?.json()?;
        let pids: Vec<i64> =
            list.as_array().into_iter().flatten().filter_map(Value::as_i64).collect();
        same!(pids.len(), 2);
        holds!(pids.contains(&i64::from(container.pid()?)), "no init in {pids:?}");
    }
    Ok(())
}

fn ps_json_without_cgroup(ctx: &Ctx) -> Res {
    ps_json(ctx)
}

fn ps_table(ctx: &Ctx) -> Res {
    let container = two_processes(ctx)?;
    let out = container.command("ps", &[]).ok()?;
    let rows = lines(&out.out);
    holds!(rows[0].contains("PID"), "head line is {}", rows[0]);
    same!(rows.len(), 3);
    let pid = container.pid()?.to_string();
    holds!(
        rows.iter().any(|row| row.split_whitespace().any(|word| word == pid)),
        "no {pid} in {rows:?}"
    );
    Ok(())
}

fn ps_passes_options_on(ctx: &Ctx) -> Res {
    let container = two_processes(ctx)?;
    let out = container.command("ps", &[]).args(["-o", "pid,comm"]).ok()?;
    let rows = lines(&out.out);
    same!(rows[0].split_whitespace().collect::<Vec<_>>(), ["PID", "COMMAND"]);
    holds!(rows.iter().any(|row| row.ends_with("sleep")), "no sleep in {rows:?}");
    same!(rows.len(), 3);
    Ok(())
}

fn ps_of_unknown_refused(ctx: &Ctx) -> Res {
    let id = ctx.id();
    ctx.runtime().args(["ps", &id]).done()?.refused(&["does not exist"])?;
    Ok(())
}
