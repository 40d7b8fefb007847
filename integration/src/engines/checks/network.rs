//! Networks: names, published ports, namespaces that are shared.

use crate::ctx::Ctx;
use crate::engines::cli::{Cli, Started};
use crate::harness::case::{Feature, root};
use crate::result::{Res, holds, same};

pub(crate) const FEATURE: Feature = Feature {
    name: "network",
    cases: &[
        root!(published_port),
        root!(names_on_a_network),
        root!(connected_and_disconnected),
        root!(addresses_by_wish),
        root!(none_has_loopback),
        root!(host),
        root!(of_another_container),
        root!(hosts_and_dns),
    ],
};

/// Answers each connection to the port with a word.
fn server<'a>(cli: &Cli<'a>, flags: &[&str], word: &str) -> Res<Started<'a>> {
    let line = format!("echo ready; while :; do echo {word} | nc -l -p 80; done");
    let container = cli.detached(flags, &["sh", "-c", &line])?;
    container.until_log("ready")?;
    Ok(container)
}

/// What the port says; the server may not listen again yet.
fn asks(ctx: &Ctx, address: &str, port: &str, word: &str) -> Res {
    ctx.eventually(&format!("{word} from {address}:{port}"), || {
        let out = ctx.program("busybox").args(["nc", "-w", "2", address, port]).done().ok()?;
        (out.text() == word).then_some(())
    })
}

/// The same from within a container.
fn asks_from(container: &Started<'_>, name: &str, word: &str) -> Res {
    container.cli.ctx.eventually(&format!("{word} from {name}"), || {
        let out = container.exec(&[], &["nc", "-w", "2", name, "80"]).ok()?;
        (out.text() == word).then_some(())
    })
}

fn published_port(ctx: &Ctx) -> Res {
    let container = server(&Cli::of(ctx), &["--publish", "127.0.0.1::80"], "published")?;
    let port = container.call(&["port"]).arg("80/tcp").ok()?;
    let port = port.text().rsplit(':').next().unwrap_or_default().to_string();
    asks(ctx, "127.0.0.1", &port, "published")?;
    let address = container.is("{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}")?;
    // An ordinary user's has none that the host can reach.
    if address.is_empty() { Ok(()) } else { asks(ctx, &address, "80", "published") }
}

fn network(cli: &Cli<'_>, flags: &[&str]) -> Res<String> {
    let name = cli.ctx.id();
    cli.call(&["network", "create"]).args(flags).arg(&name).ok()?;
    Ok(name)
}

fn names_on_a_network(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let net = network(&cli, &[])?;
    let server = server(&cli, &["--network", &net, "--network-alias", "web"], "by name")?;
    let client = cli.sleeper(&["--network", &net])?;
    asks_from(&client, &server.name, "by name")?;
    asks_from(&client, "web", "by name")?;
    // One on another network does not know it.
    let stranger = cli.sleeper(&[])?;
    stranger.exec(&[], &["nc", "-w", "2", &server.name, "80"])?.failed().map(drop)
}

fn connected_and_disconnected(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let net = network(&cli, &[])?;
    let server = server(&cli, &["--network", &net], "connected")?;
    let client = cli.sleeper(&["--network", &network(&cli, &[])?])?;
    cli.ok(&["network", "connect", &net, &client.name])?;
    asks_from(&client, &server.name, "connected")?;
    cli.ok(&["network", "disconnect", &net, &client.name])?;
    client.exec(&[], &["nc", "-w", "2", &server.name, "80"])?.failed().map(drop)
}

fn addresses_by_wish(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let third = 2 + std::process::id() % 250;
    let subnet = format!("10.89.{third}.0/24");
    let address = format!("10.89.{third}.77");
    let net = network(&cli, &["--subnet", &subnet])?;
    let flags = ["--network", &net, "--ip", &address, "--mac-address", "02:00:00:00:77:01"];
    let out = cli.shell(&flags, "ip addr show eth0")?;
    holds!(out.contains(&format!("{address}/24")), "not its address: {out}");
    holds!(out.contains("02:00:00:00:77:01"), "not its hardware address: {out}");
    Ok(())
}

fn none_has_loopback(ctx: &Ctx) -> Res {
    let line = "ls /sys/class/net; ping -c 1 -W 2 127.0.0.1 >/dev/null && echo answers";
    let out = Cli::of(ctx).shell(&["--network", "none", "--cap-add", "NET_RAW"], line)?;
    holds!(out.contains("lo") && !out.contains("eth0"), "it has {out}");
    holds!(out.ends_with("answers"), "lo is down: {out}");
    Ok(())
}

fn host(ctx: &Ctx) -> Res {
    let out = Cli::of(ctx).shell(&["--network", "host"], "readlink /proc/self/ns/net; hostname")?;
    let own = ctx.program("sh").args(["-c", "readlink /proc/self/ns/net; hostname"]).ok()?;
    same!(out, own.text());
    Ok(())
}

fn of_another_container(ctx: &Ctx) -> Res {
    let cli = Cli::of(ctx);
    let server = server(&cli, &[], "over lo")?;
    let client = cli.sleeper(&["--network", &format!("container:{}", server.name)])?;
    asks_from(&client, "127.0.0.1", "over lo")
}

fn hosts_and_dns(ctx: &Ctx) -> Res {
    let flags = ["--add-host", "far:192.0.2.7", "--dns", "192.0.2.53", "--dns-search", "hive.test"];
    let line = "grep far /etc/hosts; grep -v '^#' /etc/resolv.conf";
    let out = Cli::of(ctx).shell(&flags, line)?;
    for wanted in ["192.0.2.7", "nameserver 192.0.2.53", "search hive.test"] {
        holds!(out.contains(wanted), "no {wanted}: {out}");
    }
    Ok(())
}
