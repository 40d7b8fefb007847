//! One of those who make and break containers.

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use super::actions::{ACTIONS, Action, Does, GONE, RESUME};
use super::flavours::{self, FLAVOURS};
use super::{Field, PLACES};
use crate::harness::procs;
use crate::result::{Doing, Res};
use crate::text::brief;
use fastrand::Rng;
use serde_json::Value;

/// A call that waits for so long waits for ever.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct Worker<'a> {
    field: &'a Field,
    runtime: &'a Path,
    number: usize,
    random: Rng,
    calls: usize,
}

/// What came of a call.
struct Outcome {
    code: i32,
    said: String,
}

impl<'a> Worker<'a> {
    pub(super) fn new(field: &'a Field, runtime: &'a Path, number: usize, seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        (0..=number).for_each(|_| {
            random.u64(..);
        });
        let random = random.fork();
        Worker { field, runtime, number, random, calls: 0 }
    }

    /// Until enough containers were made, or something was wrong.
    pub(super) fn work(&mut self) {
        while self.field.goes_on() {
            if let Err(why) = self.act() {
                self.field.fail(why);
            }
        }
    }

    fn act(&mut self) -> Res {
        let place = self.random.usize(..PLACES);
        let number = self.field.at(place);
        let id = self.field.id(number);
        let action = self.choose();
        let flavour = FLAVOURS[number % FLAVOURS.len()];
        if action.does == Does::Make {
            self.write_bundle(&id, flavour)?;
        }
        let worked = self
            .does(action, &id)
            .map_err(|why| format!("{why}, of a container that {}", flavour.0))?;
        match action.does {
            Does::Make if worked => {
                self.field.made.fetch_add(1, Ordering::Relaxed);
            }
            Does::Remove if worked => self.field.replace(place, number),
            _ => (),
        }
        Ok(())
    }

    /// Also what has come to be when its number was gone from its place already.
    pub(super) fn resume_all(&mut self) -> Res {
        let found = fs::read_dir(&self.field.root).doing("look for containers")?;
        let ids = found.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        ids.collect::<Vec<_>>().iter().try_for_each(|id| self.does(&RESUME, id).map(drop))
    }

    /// Whether it worked; an error is one that others cannot have caused.
    fn does(&mut self, action: &Action, id: &str) -> Res<bool> {
        let outcome = self.call(action, id)?;
        self.judge(action, &outcome).map_err(|why| {
            let said = brief(&outcome.said, 400);
            let words = action.words.join(" ");
            format!("{words} of {id}: {why}: status {}, `{said}`", outcome.code)
        })?;
        Ok(outcome.code == 0)
    }

    fn choose(&mut self) -> &'static Action {
        let all: usize = ACTIONS.iter().map(|action| action.weight).sum();
        let mut chosen = self.random.usize(..all);
        let found = ACTIONS.iter().find(|action| {
            let here = chosen < action.weight;
            chosen = chosen.wrapping_sub(action.weight);
            here
        });
        found.expect("less than the sum of all")
    }

    /// Others may be writing the same: it is put there whole.
    fn write_bundle(&self, id: &str, flavour: flavours::Flavour) -> Res {
        let bundle = self.bundle(id);
        fs::create_dir_all(&bundle).doing("make a bundle")?;
        let rootfs = self.field.dir.join("shared");
        let config = flavours::config(flavour, id, &rootfs.to_string_lossy(), self.field.is_root);
        let draft = bundle.join(format!("draft{}", self.number));
        fs::write(&draft, config.to_string()).doing("write a config")?;
        fs::rename(draft, bundle.join("config.json")).doing("write a config")
    }

    fn bundle(&self, id: &str) -> std::path::PathBuf {
        self.field.dir.join("bundles").join(id)
    }

    fn call(&mut self, action: &Action, id: &str) -> Res<Outcome> {
        self.calls += 1;
        // Not a pipe, which the container would hold open.
        let said = self.field.dir.join(format!("worker{}-{}", self.number, self.calls));
        let errors = File::create(&said).doing("make stderr")?;
        let mut command = Command::new(self.runtime);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command.env("TMPDIR", self.field.dir.join("tmp"));
        command.env("XDG_RUNTIME_DIR", self.field.dir.join("xdg"));
        command.arg("--root").arg(&self.field.root);
        for word in action.words {
            match *word {
                "ID" => command.arg(id),
                "BUNDLE" => command.arg(self.bundle(id)),
                word => command.arg(word),
            };
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
        let code = run(&mut command)
            .map_err(|why| format!("{} {id}, which {}: {why}", action.words[0], self.status(id)))?;
        let text = fs::read(&said).doing("read stderr")?;
        fs::remove_file(&said).doing("remove stderr")?;
        Ok(Outcome { code, said: String::from_utf8_lossy(&text).into_owned() })
    }

    fn status(&self, id: &str) -> String {
        let mut command = Command::new(self.runtime);
        command.arg("--root").arg(&self.field.root).args(["state", id]).stdout(Stdio::piped());
        let state = procs::start(&mut command).ok().and_then(|child| {
            let pid = child.id() as i32;
            let out = child.wait_with_output();
            procs::waited_for(pid);
            serde_json::from_slice::<Value>(&out.ok()?.stdout).ok()
        });
        let status = state.as_ref().and_then(|state| state["status"].as_str());
        status.map_or("is gone".to_owned(), |status| format!("is {status}"))
    }

    fn judge(&self, action: &Action, outcome: &Outcome) -> Res {
        const KILLED: i32 = 128 + 9;
        let said = outcome.said.to_lowercase();
        let may = |text: &&str| said.contains(&text.to_lowercase());
        match outcome.code {
            0 => Ok(()),
            KILLED if action.does == Does::Enter && said.is_empty() => Ok(()),
            _ if action.may_say.iter().chain(&[GONE]).any(may) => Ok(()),
            _ => Err("no error that others may cause".into()),
        }
    }
}

fn run(command: &mut Command) -> Res<i32> {
    let mut child = procs::start(command).doing("start the runtime")?;
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().doing("wait for the runtime")? {
            procs::waited_for(child.id() as i32);
            return Ok(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)));
        }
        if Instant::now() > end {
            let _gone = child.kill();
            return Err(format!("no end within {} s", PATIENCE.as_secs()));
        }
        thread::sleep(Duration::from_millis(2));
    }
}
