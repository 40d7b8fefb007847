//! Processes of a container that reach for those that enter it, and for the host's binary; and what a process
//! may have and see that has entered.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::NAME;
use crate::call::{Call, inherit};
use crate::container::Container;
use crate::ctx::Ctx;
use crate::harness::case::{Feature, either, root, user};
use crate::harness::needs::Need;
use crate::result::{Doing, Res, holds, same};

pub(crate) const FEATURE: Feature = Feature {
    name: NAME,
    cases: &[
        root!(cve_2016_3697_exec_user_is_a_number)
            .ours("runc and crun make a number beyond 32 bits uid 0"),
        root!(cve_2016_9962_joining_process_is_not_looked_into)
            .only_crun("runc has pipes of its own open"),
        root!(cve_2016_9962_joining_process_is_no_more_than_the_container)
            .needs(&[Need::Quick])
            .ours("the peers take the user and give up capabilities where they are seen"),
        root!(cve_2016_9962_joining_process_shows_nothing_of_the_host)
            .needs(&[Need::Quick, Need::Ptrace])
            .ours("the peers set it up where it is seen"),
        root!(cve_2016_9962_scheduled_process_shows_nothing_of_the_host)
            .needs(&[Need::Quick, Need::Ptrace])
            .ours("the peers set it up where it is seen"),
        root!(cve_2019_5736_host_binary_is_not_written).takes(180),
        root!(cve_2019_5736_host_binary_is_not_written_by_a_tracer)
            .takes(180)
            .needs(&[Need::Quick, Need::Ptrace]),
        either!(cve_2022_29162_exec_cap_sets_no_inheritable),
        either!(cve_2024_21626_cwd_through_a_descriptor).takes(120),
        either!(cve_2024_21626_payload_has_three_descriptors),
        user!(cve_2014_8989_setgroups_is_denied),
    ],
};

fn running(ctx: &Ctx) -> Res<Container<'_>> {
    let container = ctx.sleeper()?;
    container.run_until("ready")?;
    Ok(container)
}

/// Also CVE-2026-30892. The image has a root user whose name is a number.
fn cve_2016_3697_exec_user_is_a_number(ctx: &Ctx) -> Res {
    let container = ctx.sleeper()?;
    let passwd = "root:x:0:0:root:/root:/bin/sh\n1000:x:0:0:root:/root:/bin/sh\n";
    fs::write(container.inside("/etc/passwd"), passwd).doing("write")?;
    container.run_until("ready")?;
    for user in ["1", "1000"] {
        container.exec(&["-u", user], &["/bin/id", "-u"])?.is(0)?.prints(user)?;
    }
    for user in ["4294967296", "4294967295", "1:4294967296", "1:", ":1", "x", "", "-1", "0x1"] {
        let out = container.exec(&["-u", user], &["/bin/id", "-u"])?;
        out.refused(&["user", "uid", "gid", "-u"])?.prints("")?;
    }
    same!(container.status()?, "running");
    Ok(())
}

/// A container with these capabilities that runs a mode of the probe.
fn attacker<'a>(ctx: &'a Ctx, mode: &str, capabilities: &[&str]) -> Res<Container<'a>> {
    let mut container = ctx.container_of(&["/bin/probe", mode])?;
    for set in ["bounding", "effective", "permitted"] {
        container.set(&format!("/process/capabilities/{set}"), capabilities);
    }
    Ok(container)
}

/// So many enter, and more until the attacker has seen so many of them before they executed their program: else it is
/// too late for what it is there for.
const ROUNDS: usize = 40;
const ENOUGH: usize = 15;
const MOST: usize = 400;

/// Executes programs in the container, with an open directory of the host's each time, until the attacker has seen
/// enough. Gives what it saw, of each process in a value of its own; the first is the attacker itself.
fn entered(attacker: &Container<'_>) -> Res<Vec<Value>> {
    let host = fs::File::open("/").doing("open")?;
    inherit(&host)?;
    attacker.run_until("ready")?;
    let mut seen = Vec::new();
    for round in 1..=MOST {
        attacker.exec(&[], &["/bin/sleep", "0.01"])?.is(0)?;
        let output = attacker.output();
        seen = output.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let early = seen.iter().filter(|it| was_on_its_way(it)).count();
        if round >= ROUNDS && early >= ENOUGH {
            return Ok(seen);
        }
    }
    Err(format!("of {MOST} that entered it saw too few on their way in: {seen:?}"))
}

/// It was seen in a program that is not of the image, or one that was not to be seen.
fn was_on_its_way(seen: &Value) -> bool {
    texts(seen, "programs").any(|program| !program.starts_with("/bin/"))
}

/// What it says of a program that is not to be seen.
const REFUSED: &str = "EACCES";

fn texts<'a>(seen: &'a Value, what: &str) -> impl Iterator<Item = &'a str> {
    seen[what].as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// Nothing of what was seen may lead to the host: only the standard three, which are files of this test, and the
/// runtime's socket and trampoline, which lead nowhere. Nor may what was executed, where that was to be seen.
fn nothing_of_the_host(seen: &[Value]) -> Res {
    let harmless = |target: &&str| {
        target.ends_with(".out")
            || target.ends_with(".err")
            || ["/dev/null", "/null"].contains(target)
            || ["socket:", "/memfd:", "/bin/"].iter().any(|start| target.starts_with(start))
    };
    for each in &seen[1..] {
        let strange: Vec<&str> =
            texts(each, "descriptors").filter(|target| !harmless(target)).collect();
        holds!(strange.is_empty(), "it saw {strange:?}");
        let ours = |program: &&str| harmless(program) || *program == REFUSED;
        let program = texts(each, "programs").find(|program| !ours(program));
        holds!(program.is_none(), "it saw {program:?} executed");
    }
    Ok(())
}

/// Nobody was more than the attacker is, at any time.
fn nobody_is_more(seen: &[Value]) -> Res {
    let most = &seen[0]["credentials"][0];
    let all = seen.iter().flat_map(|each| each["credentials"].as_array().into_iter().flatten());
    for credentials in all {
        holds!(is_no_more(credentials, most)?, "it saw {credentials}, and is {most}");
    }
    Ok(())
}

/// Of the same user, with no capability besides.
fn is_no_more(credentials: &Value, most: &Value) -> Res<bool> {
    let mask = |of: &Value, at: usize| {
        u64::from_str_radix(of[at].as_str().unwrap_or_default(), 16).doing("a set of capabilities")
    };
    let permitted = mask(credentials, 1)? & !mask(most, 1)?;
    let effective = mask(credentials, 2)? & !mask(most, 2)?;
    Ok(credentials[0] == most[0] && permitted == 0 && effective == 0)
}

/// In a user namespace of its own, in which it may trace whatever belongs to it.
fn seen_in_a_user_namespace(ctx: &Ctx) -> Res<Vec<Value>> {
    let mut attacker = attacker(ctx, "loot", crate::config::ALL_CAPABILITIES)?;
    attacker.map_ids(100_000, 65_536);
    entered(&attacker)
}

fn cve_2016_9962_joining_process_is_no_more_than_the_container(ctx: &Ctx) -> Res {
    nobody_is_more(&seen_in_a_user_namespace(ctx)?)
}

fn cve_2016_9962_joining_process_is_not_looked_into(ctx: &Ctx) -> Res {
    nothing_of_the_host(&seen_in_a_user_namespace(ctx)?)
}

/// As root of the host's user namespace with CAP_SYS_PTRACE, to which nothing is refused.
fn cve_2016_9962_joining_process_shows_nothing_of_the_host(ctx: &Ctx) -> Res {
    shows_nothing_of_the_host(&attacker(ctx, "loot", &["CAP_SYS_PTRACE"])?)
}

/// The kernel takes such a scheduler from children, so it has to be set when the process is there.
fn cve_2016_9962_scheduled_process_shows_nothing_of_the_host(ctx: &Ctx) -> Res {
    let mut attacker = attacker(ctx, "loot", &["CAP_SYS_PTRACE"])?;
    let scheduler = json!({"policy": "SCHED_OTHER", "flags": ["SCHED_FLAG_RESET_ON_FORK"]});
    attacker.set("/process/scheduler", scheduler).set("/process/oomScoreAdj", 100);
    shows_nothing_of_the_host(&attacker)
}

fn shows_nothing_of_the_host(attacker: &Container<'_>) -> Res {
    let seen = entered(attacker)?;
    nobody_is_more(&seen)?;
    nothing_of_the_host(&seen)
}

/// A copy of the runtime, and calls of it.
struct Copy<'a> {
    ctx: &'a Ctx,
    path: PathBuf,
    before: Vec<u8>,
}

impl<'a> Copy<'a> {
    fn new(ctx: &'a Ctx) -> Res<Copy<'a>> {
        let path = ctx.dir.join(ctx.runtime.file_name().unwrap_or_default());
        fs::copy(&ctx.runtime, &path).doing("copy the runtime")?;
        let before = fs::read(&path).doing("read the runtime")?;
        Ok(Copy { ctx, path, before })
    }

    fn call(&self, args: &[&str]) -> Call {
        let call = self.ctx.program(&self.path.to_string_lossy());
        call.arg("--root").arg(self.ctx.state_root()).args(args)
    }

    /// A container of it that runs until the attacker in it is ready.
    fn run(&self, container: &Container<'_>) -> Res<Attacker> {
        container.save()?;
        let bundle = container.bundle.to_string_lossy().into_owned();
        let call = self.call(&["run", "--detach", "--bundle", &bundle, &container.id]);
        let said = Attacker(call.stdout_path());
        call.ok()?;
        self.ctx.eventually("the attacker is ready", || said.has("ready").then_some(()))?;
        Ok(said)
    }

    fn unchanged(&self) -> Res {
        let now = fs::read(&self.path).doing("read the runtime")?;
        holds!(now == self.before, "the runtime's file has changed");
        Ok(())
    }
}

/// Where the attacker writes what it has found.
struct Attacker(PathBuf);

impl Attacker {
    fn text(&self) -> String {
        fs::read_to_string(&self.0).unwrap_or_default()
    }

    fn has(&self, word: &str) -> bool {
        self.text().contains(word)
    }

    /// What it did to programs; each line ends with what the program is.
    fn did(&self, what: &[&str], to: &str) -> Vec<String> {
        let is_it = |line: &&str| {
            what.iter().any(|what| line.starts_with(what)) && line.split(' ').nth(1) == Some(to)
        };
        self.text().lines().filter(is_it).map(str::to_string).collect()
    }

    /// The host's binary was never open for writing, while the attacker did write to what it may write to: the
    /// container's own file, and the trampoline, which nobody uses any more.
    fn has_written_to(&self, its_own: &Path, not_to: &Path) -> Res {
        let bad = self.did(&["wrote", "opened"], &inode(not_to)?);
        holds!(bad.is_empty(), "the attacker {bad:?}");
        let good = self.did(&["wrote"], &inode(its_own)?);
        holds!(!good.is_empty(), "the attacker was too late for anything: {}", self.text());
        Ok(())
    }
}

/// As the attacker names a file.
fn inode(path: &Path) -> Res<String> {
    let stat = fs::metadata(path).doing("stat")?;
    Ok(format!("{}:{}", stat.dev(), stat.ino()))
}

/// A program of the container's that the attacker may write to.
const ITS_OWN: &str = "/tmp/sleep";

/// Programs that are, or are read by, `/proc/self/exe`.
fn with_entries(container: &Container<'_>) -> Res {
    fs::copy(container.inside("/bin/busybox"), container.inside(ITS_OWN)).doing("copy")?;
    symlink("/proc/self/exe", container.inside("/entry")).doing("link")?;
    let script = container.inside("/script");
    fs::write(&script, "#!/proc/self/exe\n").doing("write")?;
    crate::ctx::open_to_all(&script)
}

/// Enters the container, and makes others that share its processes, by what leads to the runtime itself.
fn provoked(copy: &Copy<'_>, attacked: &Container<'_>, rounds: usize) -> Res {
    let mut other = copy.ctx.container()?;
    with_entries(&other)?;
    let pid = attacked.pid()?;
    other.namespace("pid", Some(&format!("/proc/{pid}/ns/pid")));
    let bundle = other.bundle.to_string_lossy().into_owned();
    for round in 0..rounds {
        let entry = ["/entry", "/script"][round % 2];
        // They may run (and then show a help or fail) or be refused.
        copy.call(&["exec", &attacked.id, entry, "--version"]).done()?;
        copy.call(&["exec", &attacked.id, ITS_OWN, "0.02"]).done()?.is(0)?;
        other.args(&[entry, "--version"]).save()?;
        copy.call(&["create", "--bundle", &bundle, &other.id]).done()?;
        copy.call(&["start", &other.id]).done()?;
        copy.call(&["delete", "--force", &other.id]).done()?;
    }
    Ok(())
}

fn host_binary_is_not_written(ctx: &Ctx, capabilities: &[&str]) -> Res {
    let copy = Copy::new(ctx)?;
    let container = attacker(ctx, "open-programs", capabilities)?;
    with_entries(&container)?;
    let attacker = copy.run(&container)?;
    provoked(&copy, &container, 10)?;
    container.force_delete()?;
    copy.unchanged()?;
    attacker.has_written_to(&container.inside(ITS_OWN), &copy.path)?;
    container.gone()
}

fn cve_2019_5736_host_binary_is_not_written(ctx: &Ctx) -> Res {
    host_binary_is_not_written(ctx, &["CAP_DAC_OVERRIDE"])
}

/// To CAP_SYS_PTRACE in the host's user namespace no process that it sees is closed.
fn cve_2019_5736_host_binary_is_not_written_by_a_tracer(ctx: &Ctx) -> Res {
    host_binary_is_not_written(ctx, &["CAP_DAC_OVERRIDE", "CAP_SYS_PTRACE"])
}

const NET_RAW: u64 = 1 << 13;

/// Also CVE-2022-27650 and CVE-2025-27612.
fn cve_2022_29162_exec_cap_sets_no_inheritable(ctx: &Ctx) -> Res {
    let container = running(ctx)?;
    let flags = ["--cap", "CAP_NET_RAW"];
    let out = container.exec(&flags, &["/bin/grep", "Cap", "/proc/self/status"])?.is(0)?;
    let mask = |name| {
        let text = crate::text::field(&out.out, name).doing(name)?;
        u64::from_str_radix(text, 16).doing(name)
    };
    same!(mask("CapInh")?, 0);
    same!(mask("CapAmb")?, 0);
    for name in ["CapPrm", "CapEff", "CapBnd"] {
        holds!(mask(name)? & NET_RAW != 0, "{name} is without what was asked for: {}", out.out);
    }
    Ok(())
}

/// The caller leaks its own root directory, under all of the numbers.
fn cve_2024_21626_cwd_through_a_descriptor(ctx: &Ctx) -> Res {
    const LAST: u32 = 64;
    let root = fs::File::open("/").doing("open")?;
    let leaked: Vec<_> = (3..LAST).map(|_| root.try_clone().doing("copy")).collect::<Res<_>>()?;
    leaked.iter().try_for_each(inherit)?;
    let running = running(ctx)?;
    let mut container = ctx.container_of(&["/bin/echo", "ran"])?;
    for number in 3..=LAST {
        let cwd = format!("/proc/self/fd/{number}");
        container.set("/process/cwd", cwd.as_str());
        container.run()?.failed()?.prints("")?;
        container.gone()?;
        running.exec(&["--cwd", &cwd], &["/bin/echo", "ran"])?.failed()?.prints("")?;
    }
    Ok(())
}

fn three_descriptors(report: &Value) -> Res {
    let names: Vec<&String> =
        report["fds"].as_object().into_iter().flat_map(|map| map.keys()).collect();
    same!(names, ["0", "1", "2"]);
    Ok(())
}

fn cve_2024_21626_payload_has_three_descriptors(ctx: &Ctx) -> Res {
    let root = fs::File::open("/").doing("open")?;
    inherit(&root)?;
    three_descriptors(&ctx.container()?.report()?)?;
    let container = running(ctx)?;
    three_descriptors(&container.exec(&[], &["/bin/probe", "report"])?.is(0)?.json()?)
}

/// Where nobody maps groups for the caller, those that deny something are not to be dropped.
fn cve_2014_8989_setgroups_is_denied(ctx: &Ctx) -> Res {
    let container = ctx.container_of(&["/bin/cat", "/proc/self/setgroups"])?;
    container.run()?.is(0)?.prints("deny")?;
    Ok(())
}
