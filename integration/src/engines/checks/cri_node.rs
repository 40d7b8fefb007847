//! What a Kubernetes node is told of the runtime, and how it is chosen.

use serde_json::{Value, json};

use crate::ctx::Ctx;
use crate::engines::cri::Cri;
use crate::engines::{containerd, docs};
use crate::harness::case::{Feature, root};
use crate::harness::needs::Need;
use crate::result::{Doing, Res, same};

pub(crate) const FEATURE: Feature = Feature {
    name: "cri_node",
    cases: &[
        root!(handlers_and_their_features).needs(&[Need::Containerd(2)]),
        root!(runtime_class),
        root!(default_handler),
        root!(unknown_handler_refused),
        root!(config_of_containerd_1).needs(&[Need::Containerd(2)]),
    ],
};

/// kubelet makes node features of them: recursive read-only mounts, and user namespaces of pods.
fn handlers_and_their_features(ctx: &Ctx) -> Res {
    let status = Cri::of(ctx).call("Status", &json!({"verbose": true}))?;
    let handlers = status["runtime_handlers"].as_array().doing("the handlers")?;
    let named = |name: &str| handlers.iter().find(|each| each["name"] == name).doing(name);
    for name in ["skep", "runc", ""] {
        let features = &named(name)?["features"];
        same!((name, &features["recursive_read_only_mounts"]), (name, &json!(true)));
        same!((name, &features["user_namespaces"]), (name, &json!(true)));
    }
    let config: Value = serde_json::from_str(status["info"]["config"].as_str().unwrap_or("{}"))
        .doing("the config in the status")?;
    let skep = &config["containerd"]["runtimes"]["skep"]["options"];
    same!(skep["BinaryName"].as_str(), ctx.runtime.to_str());
    Ok(())
}

/// The handler that the documented RuntimeClass names, beside that of the engine.
fn runtime_class(ctx: &Ctx) -> Res {
    let class = docs::example("RuntimeClass")?;
    let handler = class.lines().find_map(|line| line.strip_prefix("handler: "));
    same!(handler, Some("skep"));
    // Where others are configured, the old one has none of its own.
    let others: &[&str] = if containerd::is_old(ctx)? { &[] } else { &["runc"] };
    for &handler in ["skep"].iter().chain(others) {
        let pod = Cri::of(ctx).pod_of(handler, &json!({}))?;
        let (status, info) = pod.status()?;
        same!(status["runtime_handler"], handler);
        if handler == "skep" {
            same!(info["runtimeOptions"]["binary_name"].as_str(), ctx.runtime.to_str());
        }
        same!(pod.shell("echo out", &json!({}))?, "out");
    }
    Ok(())
}

fn default_handler(ctx: &Ctx) -> Res {
    let (_, info) = Cri::of(ctx).pod(&json!({}))?.status()?;
    same!(info["runtimeOptions"]["binary_name"].as_str(), ctx.runtime.to_str());
    Ok(())
}

fn unknown_handler_refused(ctx: &Ctx) -> Res {
    match Cri::of(ctx).pod_of("straw", &json!({})) {
        Err(words) if words.contains("no runtime for \"straw\"") => Ok(()),
        Err(words) => Err(format!("it says: {words}")),
        Ok(_) => Err("it was not refused".into()),
    }
}

/// The documented config for containerd 1, as containerd 2 reads it.
fn config_of_containerd_1(ctx: &Ctx) -> Res {
    let text = docs::example_with("containerd 1", &ctx.runtime)?;
    let file = ctx.make_file("config.toml", &text)?;
    let migrated =
        ctx.program("containerd").arg("--config").arg(file).args(["config", "migrate"]).ok()?;
    let mut lines = migrated.out.lines();
    let table = "[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.skep.options]";
    lines.find(|line| line.trim() == table).doing("the options of the runtime")?;
    let wanted = format!("BinaryName = '{}'", ctx.runtime.display());
    let options: Vec<&str> = lines.map(str::trim).take_while(|line| !line.is_empty()).collect();
    same!(options, [wanted.as_str(), "SystemdCgroup = true"]);
    Ok(())
}
