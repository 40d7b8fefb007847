//! A program with many busy threads starts containers as well as any other: 500 in a row, eight at
//! a time. None hangs, all do what they should, and nothing is left of them.

#![allow(clippy::multiple_unsafe_ops_per_block)]

mod common;

use common::{Left, Stage, Watchdog, add_user_namespace, push};
use libcontainer::{CreateOptions, Error, oci};
use serde_json::{Value, json};
use std::fs::File;
use std::hint::black_box;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

const CONTAINERS: usize = 500;
const AT_A_TIME: usize = 8;
const BUSY: usize = 16;

/// Fails when the process has been given a descriptor of another thread.
const CHECK: &str =
    "n=3; while [ $n -lt 100 ]; do [ -L /proc/$$/fd/$n ] && exit 9; n=$((n + 1)); done; exit 0";

/// Containers that wait in a hook.
const SLOW: usize = 40;

/// What is left behind is a test's own.
static ONE: Mutex<()> = Mutex::new(());

fn one_at_a_time() -> MutexGuard<'static, ()> {
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn five_hundred_containers_from_a_busy_program() {
    let _one = one_at_a_time();
    let Some(stage) = Stage::new("threads") else {
        return;
    };
    let _watchdog = Watchdog::new("threads", Duration::from_secs(120));
    let sink = Mutex::new(File::create("/dev/null").unwrap());
    let before = Left::look(&stage);
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        let (sink, stop) = (&sink, &stop);
        for number in 0..BUSY {
            scope.spawn(move || keep_busy(number, sink, stop));
        }
        let work = || {
            while let number @ ..CONTAINERS = next.fetch_add(1, Ordering::Relaxed) {
                if let Err(why) = container(&stage, number) {
                    failures.lock().unwrap().push(why);
                }
            }
        };
        let workers: Vec<_> = (0..AT_A_TIME).map(|_| scope.spawn(work)).collect();
        let ended: Vec<_> = workers.into_iter().map(thread::ScopedJoinHandle::join).collect();
        stop.store(true, Ordering::Relaxed);
        assert!(ended.iter().all(Result::is_ok));
    });
    assert_eq!(*failures.lock().unwrap(), Vec::<String>::new());
    assert_eq!(Left::look(&stage), before);
}

/// A child that is being set up has copies of whatever descriptors its parent had open for others.
/// They must not hold up anybody who waits for the end of one of these.
#[test]
fn a_hook_that_takes_long_holds_nobody_else_up() {
    let _one = one_at_a_time();
    let Some(stage) = Stage::new("slow-hook") else {
        return;
    };
    let _watchdog = Watchdog::new("slow hook", Duration::from_secs(60));
    let before = Left::look(&stage);
    let done = stage.directory().join("done");
    let wait = format!(
        "n=0; while [ $n -lt 300 ] && ! [ -e {} ]; do n=$((n + 1)); sleep 0.1; done",
        done.display()
    );
    let mut slow = stage.config(&["/bin/true"]);
    slow["hooks"]["createRuntime"] =
        json!([{ "path": "/bin/busybox", "args": ["sh", "-c", wait] }]);
    let quick = stage.config(&["/bin/true"]);
    let (stage, slow, quick) = (&stage, &slow, &quick);
    thread::scope(|scope| {
        let waiting: Vec<_> = (0..SLOW)
            .map(|_| {
                let waiting = scope.spawn(move || stage.run(slow).unwrap());
                (0..5).for_each(|_| assert!(stage.run(quick).unwrap().success()));
                waiting
            })
            .collect();
        File::create(&done).unwrap();
        let ended = waiting.into_iter().map(|thread| thread.join().unwrap());
        assert!(ended.into_iter().all(|status| status.success()));
    });
    assert_eq!(Left::look(stage), before);
}

/// One container, made in one of the ways that there are.
fn container(stage: &Stage, number: usize) -> Result<(), String> {
    let mut config = stage.config(&["/bin/sh", "-c", CHECK]);
    if number.is_multiple_of(3) {
        add_user_namespace(&mut config);
    }
    if number.is_multiple_of(5) {
        // It cannot be made by clone3 with the others, so an intermediate process makes the child.
        push(&mut config["linux"]["namespaces"], json!({ "type": "time" }));
    }
    let status =
        if number.is_multiple_of(4) { with_exec(stage, config) } else { stage.run(&config) };
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("container {number}: {status}")),
        Err(error) => Err(format!("container {number}: {error}")),
    }
}

/// Created, started, entered, killed and deleted.
fn with_exec(stage: &Stage, mut config: Value) -> Result<ExitStatus, Error> {
    config["process"]["args"] = json!(["/bin/sleep", "100"]);
    let bundle = stage.bundle(&config);
    let root = stage.root();
    let created = root.create(&common::id(), &bundle, &CreateOptions::default())?;
    created.container.start()?;
    let process = common::process(&["/bin/sh", "-c", CHECK]);
    let process: oci::Process = serde_json::from_value(process).expect("a process");
    let status = created
        .container
        .exec(&process, &Default::default())
        .map(|spawned| spawned.wait().expect("our child"));
    created.container.kill(libc::SIGKILL, false)?;
    created.init.wait().expect("our child");
    created.container.delete(false)?;
    status
}

/// What threads of a program do: allocate, take locks, make threads, open files. None of these may
/// be in the middle of it in the child.
fn keep_busy(number: usize, sink: &Mutex<File>, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        match number % 4 {
            0 => (0..100).for_each(|n| drop(black_box(vec![0u8; n * 97]))),
            1 => drop(writeln!(sink.lock().unwrap(), "{number} {:?}", black_box([1, 2, 3]))),
            2 => drop(thread::spawn(|| black_box(String::from("short"))).join()),
            _ => inheritable_descriptor(),
        }
        // Two processors shall have time for containers, too.
        thread::sleep(Duration::from_micros(200));
    }
}

/// Opens a descriptor that is not closed by execve(2).
fn inheritable_descriptor() {
    let file = File::open("/dev/null").unwrap();
    // SAFETY: takes no pointer.
    unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFD, 0) };
    thread::yield_now();
}
