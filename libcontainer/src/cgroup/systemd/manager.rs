//! systemd's own interface: `org.freedesktop.systemd1.Manager`, as far as scopes need it.
//! <https://www.freedesktop.org/software/systemd/man/latest/org.freedesktop.systemd1.html>

use super::bus::{Place, Surroundings};
use super::dbus::{Call, Connection, Fault, Message, Value};
use crate::error::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::time::Duration;

const NAME: &str = "org.freedesktop.systemd1";
const PATH: &str = "/org/freedesktop/systemd1";
const INTERFACE: &str = "org.freedesktop.systemd1.Manager";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// The bus itself.
const BUS: &str = "org.freedesktop.DBus";

/// How long a connection may take in all, waiting for a job included. As long as runc waits.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a bus is asked to pass on.
const MATCH: &str = "type='signal',sender='org.freedesktop.systemd1',\
    path='/org/freedesktop/systemd1',interface='org.freedesktop.systemd1.Manager',\
    member='JobRemoved'";

/// A job that systemd was given: its path, and who answered, whose signals alone count.
#[derive(Debug)]
pub(super) struct Job {
    path: String,
    systemd: Option<String>,
}

/// A connection to the systemd of the system, or of the user's session.
#[derive(Debug)]
pub(super) struct Manager {
    connection: Connection,
}

impl Manager {
    /// Connects to the first place that answers.
    pub(super) fn connect(user: bool) -> Result<Self> {
        let surroundings = Surroundings::detect(user);
        let mut failures = Vec::new();
        for place in surroundings.places(user) {
            match open(&place) {
                Ok(connection) => return Ok(Self { connection }),
                Err(fault) => {
                    let late = matches!(fault, Fault::Late(_));
                    failures.push(format!("{}: {fault}", place.address));
                    // A systemd that hangs hangs on every socket.
                    if late {
                        break;
                    }
                }
            }
        }
        let tried = failures.join("; ");
        let text = match (Path::new("/run/systemd/system").is_dir(), user) {
            (false, _) => format!(
                "--systemd-cgroup: systemd does not run here ({tried}); leave --systemd-cgroup out"
            ),
            (true, false) => format!("--systemd-cgroup: no connection to systemd ({tried})"),
            (true, true) => {
                format!(
                    "--systemd-cgroup: no systemd of a user session ({tried}); {}",
                    advice(&surroundings)
                )
            }
        };
        Err(Error::new(ErrorKind::Unsupported, text))
    }

    /// The number of its version: 252 for `252.39-1~deb12u1`.
    pub(super) fn version(&mut self) -> std::result::Result<u32, Fault> {
        let value = self.property(PATH, INTERFACE, "Version")?;
        Ok(number(value.text().unwrap_or_default()))
    }

    /// The directory of a scope, from the root of the tree of cgroups.
    pub(super) fn control_group(&mut self, scope: &str) -> std::result::Result<PathBuf, Fault> {
        let value =
            self.property(&object_path(scope), "org.freedesktop.systemd1.Scope", "ControlGroup")?;
        Ok(value.text().unwrap_or_default().into())
    }

    /// Makes a unit that lasts as long as its processes. `replace` is about jobs that are waiting, not
    /// about units: a name that is in use is refused.
    pub(super) fn start_transient(
        &mut self,
        unit: &str,
        properties: Value,
    ) -> std::result::Result<Job, Fault> {
        let no_others = Value::Array("(sa(sv))".into(), Vec::new());
        let body = [Value::string(unit), Value::string("replace"), properties, no_others];
        self.call("StartTransientUnit", &body).and_then(job)
    }

    pub(super) fn stop(&mut self, unit: &str) -> std::result::Result<Job, Fault> {
        self.call("StopUnit", &[Value::string(unit), Value::string("replace")]).and_then(job)
    }

    /// Moves a process of the caller's into a unit, or a cgroup below that (an absolute path from the
    /// unit's own). Where only root may move it, a user's systemd has the system's do it.
    pub(super) fn attach(
        &mut self,
        unit: &str,
        below: &str,
        pid: u32,
    ) -> std::result::Result<(), Fault> {
        let pids = Value::Array("u".into(), vec![Value::Uint32(pid)]);
        let body = [Value::string(unit), Value::string(below), pids];
        self.call("AttachProcessesToUnit", &body).map(drop)
    }

    /// Until the next boot, as the unit itself.
    pub(super) fn set(&mut self, unit: &str, properties: Value) -> std::result::Result<(), Fault> {
        let body = [Value::string(unit), Value::Bool(true), properties];
        self.call("SetUnitProperties", &body).map(drop)
    }

    pub(super) fn reset_failed(&mut self, unit: &str) -> std::result::Result<(), Fault> {
        self.call("ResetFailedUnit", &[Value::string(unit)]).map(drop)
    }

    /// Waits for what came of a job: `done`, or why not.
    pub(super) fn wait(&mut self, job: &Job) -> std::result::Result<String, Fault> {
        loop {
            let signal = self.connection.signal()?;
            if signal.interface.as_deref() != Some(INTERFACE) || signal.sender != job.systemd {
                continue;
            }
            if let [_, path, _, Value::String(result)] = signal.values()?.as_slice()
                && path.text() == Some(&job.path)
            {
                return Ok(result.clone());
            }
        }
    }

    fn call(&mut self, member: &str, body: &[Value]) -> std::result::Result<Message, Fault> {
        let (path, interface) = (PATH, INTERFACE);
        self.connection.call(&Call { destination: NAME, path, interface, member, body })
    }

    fn property(
        &mut self,
        path: &str,
        interface: &str,
        name: &str,
    ) -> std::result::Result<Value, Fault> {
        let body = [Value::string(interface), Value::string(name)];
        let call =
            Call { destination: NAME, path, interface: PROPERTIES, member: "Get", body: &body };
        match self.connection.call(&call)?.values()?.pop() {
            Some(Value::Variant(value)) => Ok(*value),
            _ => Err(UNEXPECTED),
        }
    }
}

const UNEXPECTED: Fault = Fault::Unexpected("its answer has other values than it should");

/// On a bus, says hello and asks for the signals; systemd itself sends them unasked.
fn open(place: &Place) -> std::result::Result<Connection, Fault> {
    let mut connection = Connection::open(&place.address, PATIENCE)?;
    connection.keep_signals("JobRemoved");
    if !place.direct {
        let (path, interface) = ("/org/freedesktop/DBus", BUS);
        let hello = Call { destination: BUS, path, interface, member: "Hello", body: &[] };
        connection.call(&hello)?;
        let rule = [Value::string(MATCH)];
        connection.call(&Call { member: "AddMatch", body: &rule, ..hello })?;
    }
    Ok(connection)
}

fn advice(surroundings: &Surroundings) -> String {
    let uid = surroundings.uid;
    let missing = match surroundings.runtime {
        None => "XDG_RUNTIME_DIR is not set; ",
        Some(_) => "",
    };
    format!(
        "{missing}log in with a session, or `loginctl enable-linger {uid}`, \
         or leave --systemd-cgroup out"
    )
}

fn job(reply: Message) -> std::result::Result<Job, Fault> {
    match reply.values()?.pop() {
        Some(Value::ObjectPath(path)) => Ok(Job { path, systemd: reply.sender }),
        _ => Err(UNEXPECTED),
    }
}

/// The first number in a version.
fn number(version: &str) -> u32 {
    let digits = version.trim_start_matches(|one: char| !one.is_ascii_digit());
    let end = digits.find(|one: char| !one.is_ascii_digit()).unwrap_or(digits.len());
    digits.get(..end).and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// Where a unit is on the bus: what cannot be in an object's path, and a digit at the beginning, is
/// `_` and two hexadecimal digits.
fn object_path(unit: &str) -> String {
    let escaped = unit.bytes().enumerate().map(|(index, byte)| match byte {
        b'a'..=b'z' | b'A'..=b'Z' => char::from(byte).to_string(),
        b'0'..=b'9' if index > 0 => char::from(byte).to_string(),
        _ => format!("_{byte:02x}"),
    });
    format!("{PATH}/unit/{}", escaped.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        for (version, expected) in
            [("252.39-1~deb12u1", 252), ("v245.4-1.fc32", 245), ("258~rc1", 258), ("", 0), ("x", 0)]
        {
            assert_eq!(number(version), expected, "{version}");
        }
    }

    #[test]
    fn paths_of_units() {
        let unit = |name| object_path(name).replace(PATH, "");
        assert_eq!(unit("skep-a1.scope"), "/unit/skep_2da1_2escope");
        assert_eq!(unit("1_\\x2b.scope"), "/unit/_31_5f_5cx2b_2escope");
    }

    #[test]
    fn what_to_do_without_a_session() {
        let none = Surroundings { uid: 1000, ..Surroundings::default() };
        assert_eq!(
            advice(&none),
            "XDG_RUNTIME_DIR is not set; log in with a session, or `loginctl enable-linger 1000`, \
             or leave --systemd-cgroup out"
        );
    }
}
