//! A program that serves until it is told to end.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::procs;
use crate::result::{Doing, Res};

/// For a daemon to come up or to go down, also on a slow machine.
const PATIENCE: Duration = Duration::from_secs(180);

pub(crate) struct Daemon {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts it, with everything it says in `log`.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Res<Daemon> {
        let name = Path::new(command.get_program()).file_name().unwrap_or_default();
        let name = name.to_string_lossy().into_owned();
        let out = File::create(log).doing("make the daemon's log")?;
        let err = out.try_clone().doing("make the daemon's log")?;
        command.stdin(Stdio::null()).stdout(out).stderr(err);
        let child = procs::start(command).doing(&format!("start {name}"))?;
        Ok(Daemon { name, child, log: log.to_path_buf() })
    }

    /// Waits until it answers.
    pub(crate) fn until(mut self, answers: impl Fn() -> bool) -> Res<Daemon> {
        let end = Instant::now() + PATIENCE;
        while !answers() {
            let ended = self.child.try_wait().doing(&self.name)?;
            if ended.is_some() || Instant::now() > end {
                let _gone = self.child.kill();
                return Err(format!("{} does not come up: {}", self.name, self.last_words()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(self)
    }

    fn last_words(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("; ")
    }

    /// Ends it as an accident would.
    pub(crate) fn kill(mut self) -> Res {
        self.child.kill().doing(&self.name)?;
        self.child.wait().doing(&self.name)?;
        procs::waited_for(self.child.id() as i32);
        Ok(())
    }

    /// Ends it, and collects all that it leaves to the init process meanwhile.
    pub(crate) fn stop(mut self) -> Res {
        kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM).doing(&self.name)?;
        let end = Instant::now() + PATIENCE;
        while self.child.try_wait().doing(&self.name)?.is_none() {
            procs::reap_adopted();
            if Instant::now() > end {
                let _gone = self.child.kill();
                return Err(format!("{} does not end: {}", self.name, self.last_words()));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}
