//! Gives the runtime and its peers the same limits, and compares what the kernel then says of the
//! container's cgroup: file by file, in every hierarchy.
//!
//! The container is made and not started: its limits have to be there before its program is.

mod configs;
mod known;
mod settings;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::container::Container;
use crate::ctx::{self, Ctx};
use crate::harness::{leaks, procs, runner};
use crate::options::{Options, Peer, peer_of};
use crate::result::{Doing, Res, holds};
use crate::text::brief;
use crate::{cgroups, image};
use configs::{CONFIGS, Config, Outcome};
use known::{EVERY, KNOWN, Known, OUTCOME, Setup};
use settings::Settings;

/// As `println!`, to a reader that may have gone.
macro_rules! say {
    ($($text:tt)*) => {{
        let _closed = writeln!(std::io::stdout(), $($text)*);
    }};
}

/// What came of one config with one runtime.
enum Made {
    Settings(Settings),
    Refused(String),
}

/// A setting (or whether there are any) that is not the same.
struct Difference {
    key: String,
    own: String,
    theirs: String,
}

/// What all configs have in common.
struct Comparison {
    runtime: PathBuf,
    peers: Vec<(Peer, PathBuf)>,
    work: PathBuf,
    systemd: bool,
    /// The settings of a container without limits.
    unlimited: Settings,
}

pub(crate) fn run(options: &Options) -> Res<ExitCode> {
    nix::sys::prctl::set_child_subreaper(true).doing("become subreaper")?;
    let work = runner::work_dir()?;
    let outcome = image::build(&work.join("rootfs"), &options.probe)
        .and_then(|()| Comparison::new(options, &work))
        .map(|comparison| comparison.all(options));
    procs::kill_below(std::process::id() as i32);
    leaks::remove(&work, &ctx::id_prefix(std::process::id()));
    let [passed, failed, skipped] = outcome?;
    say!("{passed} passed, {failed} failed, {skipped} skipped");
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Comparison {
    fn new(options: &Options, work: &Path) -> Res<Comparison> {
        let peer = |path: &PathBuf| Ok((peer_of(path)?, path.clone()));
        let mut comparison = Comparison {
            runtime: options.runtime.clone(),
            peers: options.against.iter().map(peer).collect::<Res<_>>()?,
            work: work.to_path_buf(),
            systemd: options.systemd,
            unlimited: Settings::new(),
        };
        match comparison.make(&options.runtime, &json!({}))? {
            Made::Settings(settings) => comparison.unlimited = settings,
            Made::Refused(reason) => return Err(format!("without limits: {reason}")),
        }
        Ok(comparison)
    }

    /// How many passed, failed and were skipped.
    fn all(&self, options: &Options) -> [usize; 3] {
        let mut counts = [0; 3];
        let chosen = |config: &&Config| {
            let has = |part: &String| config.name.contains(part.as_str());
            options.filters.is_empty() || options.filters.iter().any(has)
        };
        for config in CONFIGS.iter().filter(chosen) {
            let here = config.needs.iter().all(|need| self.has(need));
            let verdict = here.then(|| self.one(config));
            let (count, verdict, why) = match verdict {
                Some(Ok(what)) => (0, "ok", what),
                Some(Err(reason)) => (1, "FAIL", reason),
                None => (2, "SKIP", format!("not here: {}", config.needs.join(", "))),
            };
            say!("{verdict} compare.{}: {why}", config.name);
            counts[count] += 1;
        }
        counts
    }

    fn setup(&self) -> Setup {
        match self.unlimited.keys().any(|key| key.contains('/')) {
            true => Setup::V1,
            false if self.systemd => Setup::Systemd,
            false => Setup::V2,
        }
    }

    /// The differences that are meant.
    fn known(&self, config: &Config, peer: Peer) -> Vec<&'static Known> {
        let of_config = |known: &&Known| [config.name, EVERY].contains(&known.config);
        let here = |known: &&Known| known.peer == peer && known.is_of(self.setup());
        KNOWN.iter().filter(of_config).filter(here).collect()
    }

    /// Whether a container has this controller or file.
    fn has(&self, need: &str) -> bool {
        if self.setup() != Setup::V1 {
            return cgroups::offers(need) || self.unlimited.contains_key(need);
        }
        let name = if need == "io" { "blkio" } else { need };
        let hierarchies = self.unlimited.keys().filter_map(|key| key.split_once('/'));
        hierarchies.flat_map(|(names, _)| names.split(',')).any(|each| each == name)
    }

    /// What the config comes to, if it is as it has to be.
    fn one(&self, config: &Config) -> Res<String> {
        let resources = resources(config)?;
        let own = self.make(&self.runtime, &resources)?;
        let mut wrong = Vec::new();
        for peer in &self.peers {
            wrong.extend(self.against(config, &resources, &own, peer)?);
        }
        let (outcome, text) = self.outcome(&own);
        // The table says it for v2; v1 has other files, and no `unified`, and systemd has limits of its own.
        if self.setup() == Setup::V2 && outcome != config.outcome {
            wrong.insert(0, format!("{text}, wanted {:?}", config.outcome));
        }
        holds!(wrong.is_empty(), "{}", wrong.join(" | "));
        Ok(text)
    }

    fn outcome(&self, made: &Made) -> (Outcome, String) {
        let settings = match made {
            Made::Refused(reason) => return (Outcome::Refused, format!("refused: {reason}")),
            Made::Settings(settings) => settings,
        };
        let changed =
            settings.iter().filter(|(key, value)| self.unlimited.get(*key) != Some(value));
        let changed: Vec<String> = changed.map(|(key, value)| format!("{key} {value}")).collect();
        match changed.is_empty() {
            true => (Outcome::Nothing, format!("{} settings as they were", settings.len())),
            false => (Outcome::Changes, changed.join(", ")),
        }
    }

    /// What is wrong with the differences to this peer. A runc under a limit of one process may have no thread left
    /// to make a container with, or to be asked by: a peer's answer that nobody expects is asked for again.
    fn against(
        &self,
        config: &Config,
        resources: &Value,
        own: &Made,
        (peer, path): &(Peer, PathBuf),
    ) -> Res<Vec<String>> {
        let meant = self.known(config, *peer);
        let ask = || -> Res<_> {
            let theirs = self.make(path, resources)?;
            Ok(unexpected(&meant, *peer, &differences(own, &theirs)))
        };
        let mut wrong = ask();
        for _ in 1..runner::PEERS_TRIES {
            let reason = match &wrong {
                Ok(wrong) if wrong.is_empty() => break,
                Ok(wrong) => wrong.join(" | "),
                Err(reason) => reason.clone(),
            };
            say!("again {peer:?}: {}", brief(&reason, 200));
            wrong = ask();
        }
        wrong
    }

    /// The settings of a container of this runtime.
    fn make(&self, runtime: &Path, resources: &Value) -> Res<Made> {
        let name = runtime.file_name().unwrap_or_default();
        let ctx = Ctx::new(runtime, &self.work.join(name), None)?;
        if self.systemd {
            ctx.use_systemd();
        }
        let mut container = ctx.sleeper()?;
        if self.systemd {
            container.set("/linux/cgroupsPath", format!("system.slice:skep:{}", container.id));
        }
        for (key, value) in resources.as_object().into_iter().flatten() {
            container.set(&format!("/linux/resources/{key}"), value.clone());
        }
        let made = created(&container);
        ctx.force_delete_all();
        procs::reap();
        let gone = if runtime == self.runtime { container.gone() } else { Ok(()) };
        leaks::remove(&ctx.dir, &container.id);
        made.and_then(|made| gone.map(|()| made))
    }
}

fn created(container: &Container<'_>) -> Res<Made> {
    let out = container.create_call(&[])?.done()?;
    Ok(match out.code {
        0 => Made::Settings(settings::of(container.pid()?)?),
        _ => Made::Refused(brief(&out.err, 200)),
    })
}

fn differences(own: &Made, theirs: &Made) -> Vec<Difference> {
    let (own, theirs) = match (own, theirs) {
        (Made::Refused(_), Made::Refused(_)) => return Vec::new(),
        (Made::Refused(reason), _) => return vec![outcome(reason, "a container")],
        (_, Made::Refused(reason)) => return vec![outcome("a container", reason)],
        (Made::Settings(own), Made::Settings(theirs)) => (own, theirs),
    };
    let keys: BTreeSet<&String> = own.keys().chain(theirs.keys()).collect();
    let row = |key: &String| Difference {
        key: key.clone(),
        own: shown(own.get(key)),
        theirs: shown(theirs.get(key)),
    };
    keys.into_iter().map(row).filter(|each| each.own != each.theirs).collect()
}

fn shown(value: Option<&String>) -> String {
    value.map_or("no file", String::as_str).to_string()
}

fn outcome(own: &str, theirs: &str) -> Difference {
    Difference { key: OUTCOME.into(), own: own.into(), theirs: theirs.into() }
}

/// Differences that nobody meant, and those that were meant and did not come.
fn unexpected(meant: &[&Known], peer: Peer, found: &[Difference]) -> Vec<String> {
    let new = found.iter().filter(|each| !meant.iter().any(|known| known.key == each.key));
    let gone = meant.iter().filter(|known| known.config != EVERY);
    let gone = gone.filter(|known| !found.iter().any(|each| each.key == known.key));
    let new = new.map(|each| format!("{}: {}, {peer:?}: {}", each.key, each.own, each.theirs));
    let gone =
        gone.map(|known| format!("{} is as {peer:?}'s, no longer: {}", known.key, known.why));
    new.chain(gone).collect()
}

/// The config's JSON, with a block device of this machine in it.
fn resources(config: &Config) -> Res<Value> {
    let (major, minor) = disk().unwrap_or((1, 0));
    let text = config.resources.replace("@disk", &format!(r#""major":{major},"minor":{minor}"#));
    let text = text.replace("@device", &format!("{major}:{minor}"));
    serde_json::from_str(&text).doing(config.name)
}

/// The numbers of the first whole disk.
fn disk() -> Option<(u32, u32)> {
    let table = std::fs::read_to_string("/proc/partitions").ok()?;
    table.lines().skip(2).find_map(|line| {
        let mut fields = line.split_whitespace();
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    })
}
