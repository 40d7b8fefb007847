//! The harness's own command line.

use std::path::PathBuf;
use std::time::Duration;

use crate::engines::{self, Engine};

pub(crate) const HELP: &str = "\
usage: skep-integration --runtime PATH [OPTION]...

  --runtime PATH      the OCI runtime to test
  --filter SUBSTRING  only cases whose name has it; may be repeated
  --exact NAME        only the case of that name; may be repeated
  --share N/M         only every Mth case, from the Nth on: M harnesses share the work
  --list              show the cases, who runs them, what they need and where they are proved
  --against PEER      instead of the cases: give both runtimes the same limits, and compare what they write
                      into the container's cgroup; may be repeated. --filter then is for the limits' names
  --conformance DIR   instead of the cases: the OCI runtime-tools validation programs in DIR
  --engine NAME       instead of the cases: the checks of this engine (docker, containerd, cri, podman,
                      podman-rootless, buildah, buildah-rootless), which is started for them with the
                      runtime plugged in; in integration/engines/root.sh enter
  --systemd           with --against: systemd makes the containers' cgroups
  --peer              the runtime is a peer (its file name says which: runc or crun): leave out the
                      cases that cannot be proved on it
  --jobs N            cases at the same time (default 2)
  --time-limit SECS   for one case (default 30)
  --probe PATH        the payload program (default: skep-probe beside this program)

Prints a line for each case and closes with 'N passed, N failed, N skipped'. Exit status 1 if any failed.
";

/// The OCI runtimes on which cases are proved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Peer {
    Runc,
    Crun,
}

/// What the parent tells the process that runs one case.
pub(crate) struct Inner {
    pub(crate) case: String,
    pub(crate) dir: PathBuf,
}

pub(crate) struct Options {
    pub(crate) runtime: PathBuf,
    pub(crate) filters: Vec<String>,
    pub(crate) exact: Vec<String>,
    /// Every so manieth case, from this one on, counted from 0.
    pub(crate) share: (usize, usize),
    pub(crate) list: bool,
    pub(crate) help: bool,
    pub(crate) against: Vec<PathBuf>,
    pub(crate) conformance: Option<PathBuf>,
    pub(crate) engine: Option<&'static Engine>,
    pub(crate) systemd: bool,
    pub(crate) peer: Option<Peer>,
    pub(crate) jobs: usize,
    pub(crate) time_limit: Duration,
    pub(crate) probe: PathBuf,
    pub(crate) inner: Option<Inner>,
}

impl Options {
    /// Whether this one is chosen.
    pub(crate) fn wants(&self, name: &str) -> bool {
        let by_part = self.filters.iter().any(|part| name.contains(part.as_str()));
        let by_name = self.exact.iter().any(|exact| exact == name);
        by_part || by_name || (self.filters.is_empty() && self.exact.is_empty())
    }
}

pub(crate) fn parse(args: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut args = args;
    let mut options = Options {
        runtime: PathBuf::new(),
        filters: Vec::new(),
        exact: Vec::new(),
        share: (0, 1),
        list: false,
        help: false,
        against: Vec::new(),
        conformance: None,
        engine: None,
        systemd: false,
        peer: None,
        jobs: 2,
        time_limit: Duration::from_secs(30),
        probe: default_probe()?,
        inner: None,
    };
    let mut peer = false;
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} wants a value"));
        match arg.as_str() {
            "--runtime" => options.runtime = find_program("--runtime", &value()?)?,
            "--against" => options.against.push(find_program("--against", &value()?)?),
            "--conformance" => options.conformance = Some(absolute(&arg, &value()?)?),
            "--filter" => options.filters.push(value()?),
            "--exact" => options.exact.push(value()?),
            "--share" => options.share = share(&arg, &value()?)?,
            "--list" => options.list = true,
            "--help" | "-h" => options.help = true,
            "--engine" => options.engine = Some(engines::named(&value()?)?),
            "--systemd" => options.systemd = true,
            "--peer" => peer = true,
            "--jobs" => options.jobs = number(&arg, &value()?)?,
            "--time-limit" => {
                options.time_limit = Duration::from_secs(number(&arg, &value()?)? as u64)
            }
            "--probe" => options.probe = PathBuf::from(value()?),
            // Between the harness and itself: the case to run in this process, and its directory.
            "--inner" => {
                options.inner = Some(Inner { case: value()?, dir: PathBuf::from(value()?) })
            }
            _ => {
                return Err(format!("unknown argument {arg}; --help shows the known ones"));
            }
        }
    }
    if peer {
        let peer = peer_of(&options.runtime).map_err(|reason| format!("--peer: {reason}"))?;
        options.peer = Some(peer);
    }
    if options.runtime.as_os_str().is_empty() && !options.list && !options.help {
        return Err("--runtime PATH is needed".into());
    }
    Ok(options)
}

fn share(arg: &str, text: &str) -> Result<(usize, usize), String> {
    let whole = |text: &str| text.parse::<usize>().ok();
    let numbers = text.split_once('/').and_then(|(n, m)| whole(n).zip(whole(m)));
    match numbers {
        Some((n, m)) if 1 <= n && n <= m => Ok((n - 1, m)),
        _ => Err(format!("{arg} wants two numbers like 1/2, not {text}")),
    }
}

fn number(arg: &str, text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err(format!("{arg} wants a number from 1, not {text}")),
        Ok(number) => Ok(number),
    }
}

/// The payload program beside this one.
pub(crate) fn default_probe() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|error| format!("own path: {error}"))?;
    Ok(own.with_file_name("skep-probe"))
}

fn absolute(arg: &str, path: &str) -> Result<PathBuf, String> {
    std::path::absolute(path).map_err(|error| format!("{arg} {path}: {error}"))
}

fn find_program(arg: &str, name: &str) -> Result<PathBuf, String> {
    if name.contains('/') {
        return absolute(arg, name);
    }
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':')
        .map(|dir| PathBuf::from(dir).join(name))
        .find(|candidate| candidate.is_file())
        .ok_or(format!("{arg} {name}: not in PATH"))
}

pub(crate) fn peer_of(runtime: &std::path::Path) -> Result<Peer, String> {
    let name = runtime.file_name().unwrap_or_default().to_string_lossy();
    match &*name {
        name if name.contains("runc") => Ok(Peer::Runc),
        name if name.contains("crun") => Ok(Peer::Crun),
        name => Err(format!("{name} is neither runc nor crun")),
    }
}
