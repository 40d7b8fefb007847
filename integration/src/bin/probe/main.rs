//! Payload of the cases, where busybox is not enough: says from inside a container, as JSON, what the
//! process really has, or behaves in one odd way.
//!
//! It is static and needs `/proc` only for what it reads there.
#![deny(unsafe_code)]

mod calls;
mod forge;
mod hostile;
mod seize;
mod sys;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixDatagram;
use std::process::ExitCode;
use std::time::Duration;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::signal::{SigSet, Signal};
use serde_json::{Value, json};

const USAGE: &str = "usage: skep-probe MODE [ARG]
  report          one JSON object: ids, capabilities, limits, descriptors, environment ...
  until-term      print 'ready', wait for SIGTERM, exit 42
  ignore-term     print 'ready' and ignore SIGTERM
  exit N          exit with status N
  signal N        die of signal N
  echo            copy stdin to stdout, then exit 0
  catch           print 'ready' and the name of each signal that comes, until SIGTERM
  notify          send READY=1 to $NOTIFY_SOCKET
  eat MIB         touch so much memory, print 'ate'
  spin            print 'ready' and use all of the first processor that it may use
  fork N          start N children that wait, print how many there are
  seize           print 'ready', trace each new process as soon as it lets us, print its filter
  syscall CALL    make these system calls, print what each returned: a number or the error's name
  trapped CALL    the same with SIGSYS caught: prints what it said
  threads CALL    the same, each in a thread: prints 'killed' when it did not come back
  exchange A B    print 'ready' and exchange the two paths, and those of further pairs, all the time
  open-programs   open what processes execute that is not of /bin, and write to it once nobody executes it
  loot            print of itself, 'ready', and of each new process: programs, descriptors, credentials
  forge PID       take the socket of each new process, and name process PID on it as made
  device MAJ MIN  make a block device /disk, open it, print what came of both
  writable DIR    print what can be written to in or below it, then 'looked'

CALL: [i386:|x32:]NAME|NUMBER [ARG...], several of them divided by a comma between spaces
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let mode = args.first().map_or("", String::as_str);
    let number = || args.get(1).and_then(|text| text.parse::<i32>().ok()).unwrap_or(0);
    match mode {
        "report" => print_report(),
        "until-term" => return until_term(),
        "ignore-term" => ignore_term(),
        "exit" => return ExitCode::from(number() as u8),
        "signal" => die_of(number()),
        "echo" => echo(),
        "catch" => catch(),
        "notify" => notify(),
        "eat" => eat(number()),
        "spin" => spin(),
        "fork" => fork(number()),
        "seize" => seize::newcomers(),
        "exchange" => hostile::exchange(&args[1..]),
        "open-programs" => hostile::open_programs(),
        "loot" => hostile::loot(),
        "forge" => forge::messages(number()),
        "device" => hostile::open_device(&args[1..]),
        "writable" => hostile::print_writable(std::path::Path::new(&args[1])),
        "syscall" => calls::make(&args[1..]),
        "trapped" => calls::make_trapped(&args[1..]),
        "threads" => calls::make_in_threads(&args[1..]),
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

fn print_report() {
    println!("{}", report());
}

fn report() -> Value {
    // First of all, before anything else opens files.
    let descriptors = descriptors();
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    json!({
        "fds": descriptors,
        "pid": std::process::id(),
        "args": std::env::args().collect::<Vec<_>>(),
        "env": std::env::vars().collect::<BTreeMap<_, _>>(),
        "env_order": environment(),
        "cwd": std::env::current_dir().map(|path| path.display().to_string()).unwrap_or_default(),
        "ids": ids(&status),
        "caps": caps(&status),
        "securebits": sys::securebits(),
        "no_new_privs": field(&status, "NoNewPrivs"),
        "seccomp": field(&status, "Seccomp"),
        "seccomp_filters": field(&status, "Seccomp_filters"),
        "umask": field(&status, "Umask"),
        "blocked": field(&status, "SigBlk"),
        "ignored": field(&status, "SigIgn"),
        "limits": limits(),
        "oom_score_adj": read("/proc/self/oom_score_adj"),
        "hostname": read("/proc/sys/kernel/hostname"),
        "domainname": read("/proc/sys/kernel/domainname"),
        "session": read("/proc/self/stat").rsplit(')').next().map(session),
        "namespaces": namespaces(),
        "timens_offsets": read("/proc/self/timens_offsets"),
        "monotonic": clock(nix::time::ClockId::CLOCK_MONOTONIC),
        "boottime": clock(nix::time::ClockId::CLOCK_BOOTTIME),
        "keyring": sys::session_keyring(),
        "keyring_label": sys::session_keyring_label(),
        "personality": read("/proc/self/personality"),
        "machine": machine(),
        "processors": field(&status, "Cpus_allowed_list"),
        "scheduler": sys::scheduler(),
        "io_priority": sys::io_priority(),
        "memory_policy": sys::memory_policy(),
        "cgroup": read("/proc/self/cgroup"),
        "mounts": read("/proc/self/mountinfo").lines().collect::<Vec<_>>(),
    })
}

/// As `uname -m` has it, which the personality changes.
fn machine() -> String {
    let name = nix::sys::utsname::uname();
    name.map(|name| name.machine().to_string_lossy().into_owned()).unwrap_or_default()
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim_end().to_string()
}

fn field<'a>(status: &'a str, name: &str) -> &'a str {
    let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.unwrap_or("").trim()
}

/// Open descriptors with what they are; the one that reads the directory is closed by then.
fn descriptors() -> BTreeMap<String, String> {
    let Ok(entries) = fs::read_dir("/proc/self/fd") else {
        return BTreeMap::new();
    };
    let numbers: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
    let target = |name: std::ffi::OsString| {
        let name = name.into_string().ok()?;
        let target = fs::read_link(format!("/proc/self/fd/{name}")).ok()?;
        Some((name, target.display().to_string()))
    };
    numbers.into_iter().filter_map(target).collect()
}

fn environment() -> Vec<String> {
    let raw = fs::read("/proc/self/environ").unwrap_or_default();
    let parts = raw.split(|&byte| byte == 0).filter(|part| !part.is_empty());
    parts.map(|part| String::from_utf8_lossy(part).into_owned()).collect()
}

fn numbers(text: &str) -> Vec<u64> {
    text.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

fn ids(status: &str) -> Value {
    let mut groups = numbers(field(status, "Groups"));
    groups.sort_unstable();
    json!({"uid": numbers(field(status, "Uid")), "gid": numbers(field(status, "Gid")), "groups": groups})
}

fn caps(status: &str) -> Value {
    let mask = |name| u64::from_str_radix(field(status, name), 16).unwrap_or(0);
    json!({
        "inheritable": mask("CapInh"),
        "permitted": mask("CapPrm"),
        "effective": mask("CapEff"),
        "bounding": mask("CapBnd"),
        "ambient": mask("CapAmb"),
    })
}

/// Soft and hard limit by the name that `/proc/self/limits` gives.
fn limits() -> BTreeMap<String, [String; 2]> {
    let table = read("/proc/self/limits");
    let row = |line: &str| {
        // Columns of fixed width: name, soft, hard, unit.
        let (name, rest) = (line.get(..26)?.trim(), line.get(26..)?);
        let mut words = rest.split_whitespace();
        Some((name.to_string(), [words.next()?.to_string(), words.next()?.to_string()]))
    };
    table.lines().skip(1).filter_map(row).collect()
}

/// Process group, session and terminal from the tail of `/proc/self/stat`.
fn session(stat: &str) -> Value {
    let fields: Vec<i64> =
        stat.split_whitespace().skip(2).filter_map(|word| word.parse().ok()).collect();
    json!({"group": fields.first(), "session": fields.get(1), "terminal": fields.get(2)})
}

fn namespaces() -> BTreeMap<String, String> {
    let Ok(entries) = fs::read_dir("/proc/self/ns") else {
        return BTreeMap::new();
    };
    let link = |entry: fs::DirEntry| {
        let target = fs::read_link(entry.path()).ok()?;
        Some((entry.file_name().into_string().ok()?, target.display().to_string()))
    };
    entries.flatten().filter_map(link).collect()
}

fn clock(id: nix::time::ClockId) -> i64 {
    nix::time::clock_gettime(id).map_or(0, |time| time.tv_sec())
}

fn say(text: &str) {
    println!("{text}");
    let _closed = std::io::stdout().flush();
}

fn block(signals: &[Signal]) -> SigSet {
    let mut set = SigSet::empty();
    for &signal in signals {
        set.add(signal);
    }
    set.thread_block().expect("block signals");
    set
}

fn until_term() -> ExitCode {
    let set = block(&[Signal::SIGTERM]);
    say("ready");
    let _term = set.wait();
    ExitCode::from(42)
}

fn ignore_term() {
    block(&[Signal::SIGTERM]);
    say("ready");
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

fn catch() {
    use Signal::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
    let set = block(&[SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH]);
    say("ready");
    while let Ok(signal) = set.wait() {
        say(signal.as_str());
        if signal == SIGTERM {
            return;
        }
    }
}

fn die_of(number: i32) {
    let signal = Signal::try_from(number).expect("a signal's number");
    nix::sys::signal::raise(signal).expect("raise");
}

fn echo() {
    let mut text = Vec::new();
    std::io::stdin().read_to_end(&mut text).expect("read stdin");
    std::io::stdout().write_all(&text).expect("write stdout");
}

fn notify() {
    let path = std::env::var("NOTIFY_SOCKET").expect("NOTIFY_SOCKET");
    let socket = UnixDatagram::unbound().expect("socket");
    socket.send_to(b"READY=1\nSTATUS=from the container", &path).expect("send");
    say("sent");
}

fn eat(mib: i32) {
    let mut memory = vec![0u8; (mib as usize) << 20];
    for page in memory.chunks_mut(4096) {
        page[0] = 1;
    }
    say("ate");
    std::hint::black_box(&memory);
}

fn spin() {
    let me = nix::unistd::Pid::from_raw(0);
    let allowed = sched_getaffinity(me).expect("get affinity");
    let first = (0..CpuSet::count()).find(|&cpu| allowed.is_set(cpu).unwrap_or(false));
    let mut one = CpuSet::new();
    one.set(first.expect("a processor")).expect("set");
    sched_setaffinity(me, &one).expect("set affinity");
    say("ready");
    loop {
        std::hint::spin_loop();
    }
}

fn fork(count: i32) {
    let start = || std::process::Command::new("/bin/sleep").arg("100").spawn();
    let children: Vec<_> = (0..count).map_while(|_| start().ok()).collect();
    say(&children.len().to_string());
    for mut child in children {
        let _gone = child.kill();
        let _status = child.wait();
    }
}
