//! spec, and what the program says of itself.

use std::fs;

use serde_json::Value;

use crate::ctx::Ctx;
use crate::harness::case::{Feature, either, root, user};
use crate::result::{Doing, Res, holds, same};

pub(crate) const FEATURE: Feature = Feature {
    name: "spec",
    cases: &[
        either!(writes_config),
        either!(in_a_bundle),
        either!(does_not_overwrite).only_runc("crun overwrites"),
        root!(runs),
        user!(rootless_runs),
        either!(rootless_maps_the_caller).only_runc("crun writes no maps"),
        either!(version),
        either!(help_of_each_command).only_runc("crun has no help after a command"),
    ],
};

fn spec(ctx: &Ctx, flags: &[&str]) -> Res<Value> {
    let dir = ctx.make_dir("spec")?;
    ctx.runtime().arg("spec").args(flags).cwd(&dir).ok()?.prints("")?;
    let text = fs::read_to_string(dir.join("config.json")).doing("read config.json")?;
    serde_json::from_str(&text).doing("config.json")
}

fn writes_config(ctx: &Ctx) -> Res {
    let config = spec(ctx, &[])?;
    same!(config["process"]["args"][0], "sh");
    same!(config["process"]["terminal"], true);
    same!(config["root"]["path"], "rootfs");
    holds!(
        config["ociVersion"].as_str().is_some_and(|version| version.starts_with("1.")),
        "{}",
        config["ociVersion"]
    );
    let kinds = config["linux"]["namespaces"].as_array().cloned().unwrap_or_default();
    for kind in ["pid", "network", "ipc", "uts", "mount"] {
        holds!(kinds.iter().any(|each| each["type"] == kind), "no {kind} namespace");
    }
    Ok(())
}

fn in_a_bundle(ctx: &Ctx) -> Res {
    let dir = ctx.make_dir("there")?;
    ctx.runtime().arg("spec").arg("--bundle").arg(&dir).ok()?;
    holds!(dir.join("config.json").exists(), "no config.json");
    Ok(())
}

fn does_not_overwrite(ctx: &Ctx) -> Res {
    spec(ctx, &[])?;
    let dir = ctx.make_dir("spec")?;
    ctx.runtime().arg("spec").cwd(&dir).done()?.refused(&["config.json"])?;
    Ok(())
}

/// The default config with nothing changed but the command.
fn run_default(ctx: &Ctx, flags: &[&str]) -> Res {
    let mut container = ctx.container()?;
    container.config = spec(ctx, flags)?;
    container.set("/process/terminal", false).args(&["/bin/sh", "-c", "echo it runs; hostname"]);
    let out = container.run()?.is(0)?;
    holds!(out.text().starts_with("it runs\n"), "{}", out.text());
    container.gone()
}

fn runs(ctx: &Ctx) -> Res {
    run_default(ctx, &[])
}

fn rootless_runs(ctx: &Ctx) -> Res {
    run_default(ctx, &["--rootless"])
}

fn rootless_maps_the_caller(ctx: &Ctx) -> Res {
    let config = spec(ctx, &["--rootless"])?;
    let (uid, gid) = crate::ctx::own_ids();
    same!(config["linux"]["uidMappings"][0]["hostID"], uid);
    same!(config["linux"]["uidMappings"][0]["containerID"], 0);
    same!(config["linux"]["gidMappings"][0]["hostID"], gid);
    let kinds = config["linux"]["namespaces"].as_array().cloned().unwrap_or_default();
    holds!(kinds.iter().any(|each| each["type"] == "user"), "no user namespace");
    Ok(())
}

fn version(ctx: &Ctx) -> Res {
    let out = ctx.program(&ctx.runtime.to_string_lossy()).arg("--version").ok()?;
    let name = ctx.runtime.file_name().unwrap_or_default().to_string_lossy().into_owned();
    holds!(
        out.out.starts_with(&format!("{name} version ")),
        "first line is {:?}",
        out.out.lines().next()
    );
    holds!(
        out.out.lines().any(|line| line.starts_with("spec: 1.")),
        "no spec version in {}",
        out.out
    );
    Ok(())
}

fn help_of_each_command(ctx: &Ctx) -> Res {
    for command in
        ["create", "start", "run", "state", "kill", "delete", "list", "ps", "exec", "spec"]
    {
        let out = ctx.program(&ctx.runtime.to_string_lossy()).args([command, "--help"]).ok()?;
        holds!(out.out.contains(command), "{command} --help does not name it");
        holds!(out.out.to_lowercase().contains("usage"), "{command} --help shows no usage");
    }
    Ok(())
}
