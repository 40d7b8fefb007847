//! Where a process is in the cgroup hierarchies of this machine, whether v2, v1 or both.

use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::result::{Doing, Res};

/// A process's directory in one hierarchy.
pub(crate) struct Place {
    /// As `/proc/PID/cgroup` has them; empty for v2.
    pub(crate) controllers: String,
    pub(crate) dir: PathBuf,
}

/// A mounted hierarchy.
struct Hierarchy {
    v2: bool,
    root: PathBuf,
    at: PathBuf,
    /// Of v1: its controllers, or `name=` and its name, among others.
    options: String,
}

impl Hierarchy {
    fn is_of(&self, controllers: &str) -> bool {
        match controllers {
            "" => self.v2,
            _ => !self.v2 && controllers.split(',').all(|each| has_word(&self.options, ',', each)),
        }
    }

    /// Where a path of `/proc/PID/cgroup` is, if it is below what is mounted: seen from a cgroup namespace,
    /// either may begin above its root.
    fn dir_of(&self, path: &Path) -> Option<PathBuf> {
        let below = path.strip_prefix(&self.root).ok()?;
        let inside = below.components().all(|part| part != Component::ParentDir);
        inside.then(|| self.at.join(below))
    }
}

/// All places of a process, of those hierarchies that are mounted here.
pub(crate) fn places(pid: i32) -> Res<Vec<Place>> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).doing("its cgroups")?;
    let mounted = hierarchies();
    let place = |line: &str| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, Path::new(fields.next()?));
        // The last one mounted is the one seen, where one covers another.
        let seen = mounted.iter().rev().filter(|each| each.is_of(controllers));
        let dir = seen.filter_map(|each| each.dir_of(path)).next()?;
        Some(Place { controllers: controllers.into(), dir })
    };
    Ok(text.lines().filter_map(place).collect())
}

/// The place where a controller limits a process: that of v1 which has it, or else that of v2.
pub(crate) fn place_of(pid: i32, controller: &str) -> Res<Place> {
    let mut places = places(pid)?;
    let has = |place: &Place| has_word(&place.controllers, ',', controller);
    let found = places.iter().position(has);
    let found = found.or_else(|| places.iter().position(|place| place.controllers.is_empty()));
    found.map(|index| places.swap_remove(index)).doing(&format!("a cgroup with {controller}"))
}

/// Whether processes can be limited by this controller here: in v2, or in a hierarchy of v1.
pub(crate) fn offers(controller: &str) -> bool {
    hierarchies().iter().any(|each| match each.v2 {
        true => has_word(&read(&each.at.join("cgroup.controllers")), ' ', controller),
        false => each.is_of(controller),
    })
}

fn hierarchies() -> Vec<Hierarchy> {
    read(Path::new("/proc/self/mountinfo")).lines().filter_map(hierarchy).collect()
}

/// [proc_pid_mountinfo(5)](https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html)
fn hierarchy(line: &str) -> Option<Hierarchy> {
    let (mount, filesystem) = line.split_once(" - ")?;
    let mut mount = mount.split(' ').skip(3).map(PathBuf::from);
    let (root, at) = (mount.next()?, mount.next()?);
    let mut filesystem = filesystem.split(' ');
    let v2 = match filesystem.next()? {
        "cgroup2" => true,
        "cgroup" => false,
        _ => return None,
    };
    Some(Hierarchy { v2, root, at, options: filesystem.nth(1)?.to_string() })
}

fn has_word(text: &str, divider: char, word: &str) -> bool {
    text.trim_end().split(divider).any(|each| each == word)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}
