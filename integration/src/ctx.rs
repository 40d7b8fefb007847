//! What a case is given: the runtime, a directory of its own, and names that nobody else has.

use std::cell::{Cell, RefCell};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::unistd::{User, getegid, geteuid};

use crate::call::Call;
use crate::container::Container;
use crate::engines::Engine;
use crate::harness::procs;
use crate::result::{Doing, Res};

/// How long a case waits for something that has to happen.
const PATIENCE: Duration = Duration::from_secs(10);

/// The same of an engine, where a look alone may take seconds in a slow guest.
const ENGINES_PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Ctx {
    pub(crate) runtime: PathBuf,
    pub(crate) dir: PathBuf,
    /// Which the runtime is plugged into, where it is not called directly.
    pub(crate) engine: Option<&'static Engine>,
    template: PathBuf,
    /// Start of the names it gives.
    prefix: String,
    serial: Cell<u32>,
    systemd: Cell<bool>,
    ids: RefCell<Vec<(PathBuf, String)>>,
}

impl Ctx {
    /// For `runtime` in `dir`, beside which the image of the rootfs is.
    pub(crate) fn new(runtime: &Path, dir: &Path, engine: Option<&'static Engine>) -> Res<Ctx> {
        let template = dir.with_file_name("rootfs");
        let ctx = Ctx {
            runtime: runtime.to_path_buf(),
            dir: dir.to_path_buf(),
            engine,
            template,
            prefix: id_prefix(std::process::id()),
            serial: Cell::new(0),
            systemd: Cell::new(false),
            ids: RefCell::new(Vec::new()),
        };
        for dir in ["tmp", "home", "xdg"] {
            ctx.make_dir(dir)?;
        }
        Ok(ctx)
    }

    /// The same for what another process has made there, whose names start so.
    pub(crate) fn of(mut self, prefix: &str) -> Ctx {
        self.prefix = prefix.to_string();
        self
    }

    pub(crate) fn template(&self) -> &Path {
        &self.template
    }

    pub(crate) fn is_root(&self) -> bool {
        geteuid().is_root()
    }

    /// From now on systemd makes the containers' cgroups, and calls find the caller's manager.
    pub(crate) fn use_systemd(&self) {
        self.systemd.set(true);
    }

    pub(crate) fn uses_systemd(&self) -> bool {
        self.systemd.get()
    }

    /// A number that this case has not used.
    pub(crate) fn next(&self) -> u32 {
        self.serial.set(self.serial.get() + 1);
        self.serial.get()
    }

    pub(crate) fn id_prefix(&self) -> String {
        self.prefix.clone()
    }

    /// A container id that no other case has, deleted at the end.
    pub(crate) fn id(&self) -> String {
        let id = format!("{}{}", self.id_prefix(), self.next());
        self.will_delete(&self.state_root(), &id);
        id
    }

    pub(crate) fn will_delete(&self, root: &Path, id: &str) {
        self.ids.borrow_mut().push((root.to_path_buf(), id.to_string()));
    }

    /// The `--root` of this case.
    pub(crate) fn state_root(&self) -> PathBuf {
        self.dir.join("state")
    }

    /// Every directory in which the runtime may have kept a state.
    pub(crate) fn state_roots(&self) -> Vec<PathBuf> {
        let mut roots: Vec<PathBuf> =
            self.ids.borrow().iter().map(|(root, _)| root.clone()).collect();
        roots.push(self.state_root());
        roots.sort();
        roots.dedup();
        roots
    }

    pub(crate) fn force_delete_all(&self) {
        for (root, id) in self.ids.borrow().iter() {
            if root.join(id).exists() {
                let _leaks_tell = Call::new(self, &self.runtime)
                    .arg("--root")
                    .arg(root)
                    .args(["delete", "--force", id])
                    .done();
            }
        }
    }

    /// A directory in the case's own, open to every id a container may map.
    pub(crate) fn make_dir(&self, name: &str) -> Res<PathBuf> {
        let path = self.dir.join(name);
        fs::create_dir_all(&path).doing(&format!("make {}", path.display()))?;
        open_to_all(&path)?;
        Ok(path)
    }

    /// A file in the case's own directory.
    pub(crate) fn make_file(&self, name: &str, text: &str) -> Res<PathBuf> {
        let path = self.dir.join(name);
        fs::write(&path, text).doing(&format!("write {}", path.display()))?;
        Ok(path)
    }

    /// A container with the default config and a rootfs of its own, not yet created.
    pub(crate) fn container(&self) -> Res<Container<'_>> {
        Container::new(self)
    }

    /// A container whose process is `args`.
    pub(crate) fn container_of(&self, args: &[&str]) -> Res<Container<'_>> {
        let mut container = self.container()?;
        container.args(args);
        Ok(container)
    }

    /// A container that does nothing until it is told to end.
    pub(crate) fn sleeper(&self) -> Res<Container<'_>> {
        self.container_of(&["/bin/probe", "until-term"])
    }

    /// A call of the runtime with the case's `--root`.
    pub(crate) fn runtime(&self) -> Call {
        let call = Call::new(self, &self.runtime).arg("--root").arg(self.state_root());
        if self.uses_systemd() { call.arg("--systemd-cgroup") } else { call }
    }

    /// A call of any program, with the environment that the runtime gets.
    pub(crate) fn program(&self, program: &str) -> Call {
        Call::new(self, Path::new(program))
    }

    /// Waits until `found` finds something.
    pub(crate) fn eventually<T>(&self, what: &str, found: impl Fn() -> Option<T>) -> Res<T> {
        let patience = if self.engine.is_some() { ENGINES_PATIENCE } else { PATIENCE };
        let end = Instant::now() + patience;
        loop {
            procs::reap_adopted();
            if let Some(value) = found() {
                return Ok(value);
            }
            if Instant::now() > end {
                return Err(format!("{what}: not within {} s", patience.as_secs()));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Start of the ids of the containers of a case, by its process. A pid alone comes again, and what a run
/// that was killed has left would be taken for this case's.
pub(crate) fn id_prefix(pid: u32) -> String {
    let begin = procs::begin(pid as i32).unwrap_or_default();
    format!("skepit{pid}b{begin}x")
}

/// What no container of any case of this run is called: for the last clearing up.
pub(crate) fn run_prefix(pid: u32) -> String {
    format!("skepit-run-{pid}")
}

pub(crate) fn open_to_all(path: &Path) -> Res {
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(path, mode).doing(&format!("chmod {}", path.display()))
}

pub(crate) fn user_name() -> String {
    let user = User::from_uid(geteuid()).ok().flatten();
    user.map_or_else(|| geteuid().to_string(), |user| user.name)
}

/// The first range of `user` in `/etc/subuid` or `/etc/subgid`: first id and count.
pub(crate) fn sub_range(file: &str, user: &str) -> Option<(u32, u32)> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let owner = fields.next()?;
        let own = owner == user || owner == geteuid().to_string();
        let range = (fields.next()?.parse().ok()?, fields.next()?.trim().parse().ok()?);
        own.then_some(range)
    })
}

/// The caller's ids.
pub(crate) fn own_ids() -> (u32, u32) {
    (geteuid().as_raw(), getegid().as_raw())
}
