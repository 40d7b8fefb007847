//! `ctr run`: what it gives the container's first process, and what comes back of it.

use std::fs;

use serde_json::{Value, json};

use crate::ctx::Ctx;
use crate::engines::containerd::IMAGE;
use crate::engines::ctr::Ctr;
use crate::harness::case::{Feature, root};
use crate::harness::needs::Need;
use crate::pty::Terminal;
use crate::result::{Doing, Res, holds, same};
use crate::text::shown;

pub(crate) const FEATURE: Feature = Feature {
    name: "ctr_run",
    cases: &[
        root!(exit_codes_and_output),
        root!(killed_by_a_signal),
        root!(output_is_complete),
        root!(stdin_is_passed_on),
        root!(runc_of_the_path),
        root!(detached),
        root!(pid_file),
        root!(rm_removes_it),
        root!(environment_and_directory),
        root!(user).needs(&[Need::Containerd(2)]),
        root!(hostname).needs(&[Need::Containerd(2)]),
        root!(network),
        root!(joins_a_namespace),
        root!(mounts),
        root!(read_only),
        root!(terminal),
        root!(capabilities),
        root!(privileged),
        root!(seccomp),
        root!(seccomp_profile),
        root!(no_new_privileges),
        root!(devices),
        root!(user_namespace).needs(&[Need::IdMap]),
        root!(rootfs_of_a_directory),
        root!(config_of_its_own),
        root!(no_descriptors_but_stdio),
        root!(many_at_the_same_time),
        root!(errors_come_through).only_runc(super::OTHER_WORDS),
    ],
};

fn exit_codes_and_output(ctx: &Ctx) -> Res {
    for code in [0, 3, 255] {
        let line = format!("echo out; echo err >&2; exit {code}");
        super::has_both(code, || Ctr::of(ctx).run(&[], &["sh", "-c", &line]))?;
    }
    Ok(())
}

fn killed_by_a_signal(ctx: &Ctx) -> Res {
    // The first process of a pid namespace gets only signals that it waits for, but can be killed from
    // outside.
    let task = Ctr::of(ctx).sleeper(&[])?;
    task.call(&["kill", "--signal", "SIGKILL"]).ok()?;
    same!(task.end()?, 137);
    Ok(())
}

fn output_is_complete(ctx: &Ctx) -> Res {
    let out = Ctr::of(ctx).run(&[], &["sh", "-c", "seq 1 20000; echo the last line"])?.is(0)?;
    same!(out.out.lines().count(), 20001);
    holds!(out.out.ends_with("20000\nthe last line\n"), "the end is missing");
    Ok(())
}

fn stdin_is_passed_on(ctx: &Ctx) -> Res {
    let text = "straw\n".repeat(10_000);
    // `ctr` does not always pass the end on, when that comes before the container runs.
    let head = ["head", "-c", &text.len().to_string()];
    let out = Ctr::of(ctx).run_call(&[], &head).input(&text)?.ok()?;
    holds!(out.out == text, "{} of {} bytes came back", out.out.len(), text.len());
    Ok(())
}

/// Without `--runc-binary` it is what the shim finds under the name `runc`.
fn runc_of_the_path(ctx: &Ctx) -> Res {
    let ctr = Ctr::of(ctx);
    let call = ctr.call(&["run", "--rm", IMAGE, &ctx.id(), "sh", "-c", "echo out; exit 7"]);
    call.done()?.is(7)?.prints("out").map(drop)
}

fn detached(ctx: &Ctx) -> Res {
    let task = Ctr::of(ctx).sleeper(&[])?;
    same!(task.listed()?.1, "RUNNING");
    task.call(&["kill"]).ok()?;
    same!(task.end()?, 42);
    Ok(())
}

fn pid_file(ctx: &Ctx) -> Res {
    let file = ctx.dir.join("pid");
    let task = Ctr::of(ctx).sleeper(&["--pid-file", &shown(&file)])?;
    same!(fs::read_to_string(file).doing("the pid file")?, task.pid()?.to_string());
    Ok(())
}

fn rm_removes_it(ctx: &Ctx) -> Res {
    let ctr = Ctr::of(ctx);
    ctr.run(&[], &["true"])?.is(0)?;
    ctr.run(&[], &["false"])?.is(1)?;
    let left = ctr.call(&["container", "ls", "--quiet"]).ok()?;
    holds!(!left.out.contains(&ctx.id_prefix()), "left is {}", left.out);
    Ok(())
}

fn environment_and_directory(ctx: &Ctx) -> Res {
    let report = Ctr::of(ctx).report(&["--env", "STRAW=gold thread", "--cwd", "/tmp"])?;
    same!(report["env"]["STRAW"], "gold thread");
    same!(report["cwd"], "/tmp");
    Ok(())
}

fn user(ctx: &Ctx) -> Res {
    let report = Ctr::of(ctx).report(&["--user", "1000:50"])?;
    same!(report["ids"]["uid"], json!([1000, 1000, 1000, 1000]));
    same!(report["ids"]["gid"], json!([50, 50, 50, 50]));
    Ok(())
}

fn hostname(ctx: &Ctx) -> Res {
    same!(Ctr::of(ctx).shell(&["--hostname", "haystack"], "hostname")?, "haystack");
    Ok(())
}

fn network(ctx: &Ctx) -> Res {
    let ctr = Ctr::of(ctx);
    let own = fs::read_link("/proc/self/ns/net").doing("the network namespace")?;
    let link = "readlink /proc/self/ns/net";
    holds!(ctr.shell(&[], link)? != shown(&own), "it has the host's network");
    same!(ctr.shell(&["--net-host"], link)?, shown(&own));
    // A network of its own has its loopback device up.
    same!(ctr.shell(&[], "ping -c 1 127.0.0.1 >/dev/null && echo up")?, "up");
    Ok(())
}

fn joins_a_namespace(ctx: &Ctx) -> Res {
    let ctr = Ctr::of(ctx);
    let other = ctr.sleeper(&[])?;
    let pid = other.pid()?;
    for (kind, file) in [("network", "net"), ("ipc", "ipc"), ("uts", "uts"), ("pid", "pid")] {
        let path = format!("/proc/{pid}/ns/{file}");
        let inode = shown(fs::read_link(&path).doing(&path)?);
        let flag = format!("{kind}:{path}");
        same!(ctr.shell(&["--with-ns", &flag], &format!("readlink /proc/self/ns/{file}"))?, inode);
    }
    Ok(())
}

fn mounts(ctx: &Ctx) -> Res {
    let ctr = Ctr::of(ctx);
    let dir = ctx.make_dir("shared")?;
    ctx.make_file("shared/file", "straw\n")?;
    let bind = format!("type=bind,src={},dst=/mnt/it", dir.display());
    let (writable, read_only) =
        (format!("{bind},options=rbind:rw"), format!("{bind},options=rbind:ro"));
    let line = "cat /mnt/it/file; echo new >/mnt/it/new";
    same!(ctr.shell(&["--mount", &writable], line)?, "straw");
    same!(fs::read_to_string(dir.join("new")).doing("what it wrote")?, "new\n");
    let out = ctr.run(&["--mount", &read_only], &["sh", "-c", line])?.failed()?;
    out.has("straw")?.says_one_of(&["read-only file system"])?;
    let tmpfs = "type=tmpfs,src=tmpfs,dst=/mnt/t,options=size=4096k:nosuid:noexec";
    let mount = ctr.shell(&["--mount", tmpfs], "grep /mnt/t /proc/mounts")?;
    for part in ["size=4096k", "nosuid", "noexec"] {
        holds!(mount.contains(part), "no {part} in {mount}");
    }
    Ok(())
}

fn read_only(ctx: &Ctx) -> Res {
    let ctr = Ctr::of(ctx);
    ctr.shell(&[], "touch /new")?;
    let out = ctr.run(&["--read-only"], &["touch", "/new"])?.failed()?;
    out.says_one_of(&["read-only file system"]).map(drop)
}

fn terminal(ctx: &Ctx) -> Res {
    let call = Ctr::of(ctx).run_call(&["--tty"], super::TALK);
    let mut terminal = Terminal::open(31, 97)?;
    let running = call.on_terminal(terminal.slave()?)?.spawn()?;
    terminal.let_go();
    let begin = terminal.until("ready")?;
    holds!(begin.contains("/dev/pts/0"), "no tty in {begin:?}");
    terminal.types("typed\n")?;
    terminal.until("<typed>")?;
    terminal.until("31 97")?;
    running.wait()?.is(5).map(drop)
}

fn effective(report: &Value) -> u64 {
    report["caps"]["effective"].as_u64().unwrap_or_default()
}

const CHOWN: u64 = 1 << 0;
const NET_ADMIN: u64 = 1 << 12;

fn capabilities(ctx: &Ctx) -> Res {
    let ctr = Ctr::of(ctx);
    let usual = effective(&ctr.report(&[])?);
    holds!(usual & CHOWN != 0 && usual & NET_ADMIN == 0, "it has {usual:x}");
    same!(effective(&ctr.report(&["--cap-add", "CAP_NET_ADMIN"])?), usual | NET_ADMIN);
    same!(effective(&ctr.report(&["--cap-drop", "CAP_CHOWN"])?), usual & !CHOWN);
    Ok(())
}

fn privileged(ctx: &Ctx) -> Res {
    let ctr = Ctr::of(ctx);
    let line = "mount -t tmpfs tmpfs /mnt && echo mounted";
    ctr.run(&[], &["sh", "-c", &format!("mkdir -p /mnt; {line}")])?.failed()?;
    same!(ctr.shell(&["--privileged"], &format!("mkdir -p /mnt; {line}"))?, "mounted");
    let own = fs::read_to_string("/proc/self/status").doing("its status")?;
    let own = crate::text::field(&own, "CapBnd").unwrap_or_default();
    same!(effective(&ctr.report(&["--privileged"])?), u64::from_str_radix(own, 16).unwrap_or(1));
    Ok(())
}

fn seccomp(ctx: &Ctx) -> Res {
    let ctr = Ctr::of(ctx);
    same!(ctr.report(&[])?["seccomp"], "0");
    same!(ctr.report(&["--seccomp"])?["seccomp"], "2");
    Ok(())
}

fn seccomp_profile(ctx: &Ctx) -> Res {
    let profile = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5}],
    });
    let profile = shown(ctx.make_file("profile.json", &profile.to_string())?);
    let flags = ["--seccomp", "--seccomp-profile", &profile];
    let out = Ctr::of(ctx).run(&flags, &["mkdir", "/tmp/new"])?.failed()?;
    out.says_one_of(&["input/output error", "i/o error"]).map(drop)
}

fn no_new_privileges(ctx: &Ctx) -> Res {
    let ctr = Ctr::of(ctx);
    same!(ctr.report(&[])?["no_new_privs"], "1");
    same!(ctr.report(&["--allow-new-privs"])?["no_new_privs"], "0");
    Ok(())
}

fn devices(ctx: &Ctx) -> Res {
    let line = "test -c /dev/net/tun && head -c 0 /dev/net/tun && echo opened";
    let ctr = Ctr::of(ctx);
    ctr.run(&[], &["sh", "-c", line])?.failed()?;
    same!(ctr.shell(&["--device", "/dev/net/tun"], line)?, "opened");
    Ok(())
}

fn user_namespace(ctx: &Ctx) -> Res {
    let ids = ["--uidmap", "0:200000:65536", "--gidmap", "0:300000:65536"];
    let report = Ctr::of(ctx)
        .shell(&ids, "cat /proc/self/uid_map /proc/self/gid_map; stat -c %u:%g /bin")?;
    let words: Vec<&str> = report.split_whitespace().collect();
    same!(words, ["0", "200000", "65536", "0", "300000", "65536", "0:0"]);
    Ok(())
}

fn rootfs_of_a_directory(ctx: &Ctx) -> Res {
    let rootfs = ctx.make_dir("rootfs-of-it")?;
    crate::image::copy(ctx.template(), &rootfs)?;
    fs::write(rootfs.join("mark"), "mine\n").doing("mark it")?;
    let call = Ctr::of(ctx).run_as_configured(&["--rootfs"]);
    call.arg(rootfs).arg(ctx.id()).args(["/bin/cat", "/mark"]).ok()?.prints("mine").map(drop)
}

/// `--config`: everything is as the caller wrote it.
fn config_of_its_own(ctx: &Ctx) -> Res {
    let rootfs = ctx.make_dir("rootfs-of-it")?;
    crate::image::copy(ctx.template(), &rootfs)?;
    let mut config = crate::config::default(true);
    config["root"]["path"] = json!(rootfs);
    config["process"]["args"] = json!(["sh", "-c", "hostname; exit 9"]);
    config["hostname"] = json!("written");
    let config = ctx.make_file("config.json", &config.to_string())?;
    let call = Ctr::of(ctx).run_as_configured(&["--config"]).arg(config).arg(ctx.id());
    call.done()?.is(9)?.prints("written").map(drop)
}

fn no_descriptors_but_stdio(ctx: &Ctx) -> Res {
    let fds = Ctr::of(ctx).report(&[])?["fds"].clone();
    let open: Vec<&String> = fds.as_object().doing("its descriptors")?.keys().collect();
    same!(open, ["0", "1", "2"]);
    Ok(())
}

fn many_at_the_same_time(ctx: &Ctx) -> Res {
    let ctr = Ctr::of(ctx);
    let start = |number: i32| {
        let line = format!("echo {number}; exit {number}");
        ctr.run_call(&[], &["sh", "-c", &line]).spawn()
    };
    let running = (1..=6).map(start).collect::<Res<Vec<_>>>()?;
    for (call, number) in running.into_iter().zip(1..) {
        call.wait()?.is(number)?.prints(&number.to_string())?;
    }
    Ok(())
}

/// In the runtime's own words.
fn errors_come_through(ctx: &Ctx) -> Res {
    let ctr = Ctr::of(ctx);
    let missing = ctr.run(&[], &["no-such-program"])?.failed()?;
    missing.says_one_of(&["executable file not found in $PATH"])?;
    let missing = ctr.run(&[], &["/no/such/program"])?.failed()?;
    missing.says_one_of(&["no such file or directory"])?;
    let denied = ctr.run(&[], &["/etc/passwd"])?.failed()?;
    denied.says_one_of(&["permission denied"])?;
    let bad = "type=bind,src=/no/such/source,dst=/mnt,options=rbind";
    let out = ctr.run(&["--mount", bad], &["true"])?.failed()?;
    out.says_one_of(&["no such file or directory"])?.says_one_of(&["/no/such/source"])?;
    let file = ctx.make_file("file", "x")?;
    let over = format!("type=bind,src={},dst=/etc,options=rbind", file.display());
    let out = ctr.run(&["--mount", &over], &["true"])?.failed()?;
    out.says_one_of(&["not a directory"])?;
    let profile = shown(ctx.make_file("profile.json", r#"{"defaultAction": "SCMP_ACT_STRAW"}"#)?);
    let flags = ["--seccomp", "--seccomp-profile", &profile];
    ctr.run(&flags, &["true"])?.failed()?.says_one_of(&["SCMP_ACT_STRAW"]).map(drop)
}
