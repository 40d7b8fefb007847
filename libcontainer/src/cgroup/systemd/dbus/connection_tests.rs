//! A connection to a real `dbus-daemon`, and to sockets on which somebody misbehaves.

use super::*;
use std::io::BufRead;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;

const PATIENCE: Duration = Duration::from_secs(10);

/// A directory for sockets, which is removed.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("skep-dbus-{name}-{}", std::process::id()));
        std::fs::create_dir(&path).expect("a directory");
        Self(path)
    }

    fn address(&self) -> Address {
        Address::Path(self.0.join("bus"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

struct Daemon(Child);

impl Daemon {
    /// `None` where Debian's package `dbus` is not installed.
    fn start(listen: &str) -> Option<Self> {
        let mut command = Command::new("dbus-daemon");
        command.args(["--session", "--nofork", "--nopidfile", "--nosyslog", "--print-address"]);
        let daemon = command.arg(format!("--address={listen}")).stdout(Stdio::piped()).spawn();
        let mut daemon = Self(daemon.ok()?);
        let mut line = String::new();
        let stdout = daemon.0.stdout.take().expect("a pipe");
        io::BufReader::new(stdout).read_line(&mut line).expect("an address");
        assert!(line.starts_with("unix:"), "{line}");
        Some(daemon)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn bus<'a>(member: &'a str, body: &'a [Value]) -> Call<'a> {
    let name = "org.freedesktop.DBus";
    Call { destination: name, path: "/org/freedesktop/DBus", interface: name, member, body }
}

fn converse(address: &Address) {
    let mut connection = Connection::open(address, PATIENCE).expect("a connection");
    connection.keep_signals("NameOwnerChanged");
    let name = connection.call(&bus("Hello", &[])).expect("an answer").values().expect("values");
    let name = name[0].text().expect("a name").to_string();
    assert!(name.starts_with(":1."), "{name}");
    let rule = [Value::string("type='signal',member='NameOwnerChanged'")];
    connection.call(&bus("AddMatch", &rule)).expect("an answer");
    let wanted = [Value::string("org.skep.Test"), Value::Uint32(0)];
    let got = connection.call(&bus("RequestName", &wanted)).expect("an answer");
    assert_eq!(got.values(), Ok(vec![Value::Uint32(1)]));
    let signal = connection.signal().expect("a signal");
    let owner = [Value::string("org.skep.Test"), Value::string(""), Value::string(name)];
    assert_eq!(signal.values(), Ok(owner.to_vec()));
    let nobody = [Value::string("org.skep.Nobody")];
    let fault = connection.call(&bus("GetNameOwner", &nobody)).expect_err("no such name");
    assert!(fault.is("org.freedesktop.DBus.Error.NameHasNoOwner"), "{fault:?}");
}

#[test]
fn a_real_bus_answers() {
    let place = Folder::new("real");
    let path = place.0.join("bus");
    let Some(_daemon) = Daemon::start(&format!("unix:path={}", path.display())) else {
        eprintln!("skipped: no dbus-daemon (Debian: dbus)");
        return;
    };
    converse(&place.address());
}

#[test]
fn a_real_bus_without_a_file_answers() {
    let name = format!("skep-dbus-{}", std::process::id());
    let Some(_daemon) = Daemon::start(&format!("unix:abstract={name}")) else {
        eprintln!("skipped: no dbus-daemon (Debian: dbus)");
        return;
    };
    converse(&Address::Abstract(name.into_bytes()));
}

/// Any other implementation: dbus-broker, say.
#[test]
#[ignore = "needs $DBUS_SESSION_BUS_ADDRESS"]
fn the_bus_of_the_session_answers() {
    let list = std::env::var("DBUS_SESSION_BUS_ADDRESS").expect("a session");
    converse(&Address::parse(&list).expect("an address")[0]);
}

/// Somebody who sends `bytes` one by one, whatever they are sent, and then waits or goes.
fn sends(name: &str, bytes: Vec<u8>, then_go: bool) -> (Folder, thread::JoinHandle<()>) {
    let place = Folder::new(name);
    let listener = UnixListener::bind(place.0.join("bus")).expect("a socket");
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        for byte in bytes {
            let _ = stream.write_all(&[byte]);
        }
        let mut rest = Vec::new();
        if !then_go {
            let _ = stream.read_to_end(&mut rest);
        }
    });
    (place, server)
}

fn answer(name: &str, bytes: &[u8], then_go: bool) -> Result<Message, Fault> {
    let whole = [b"DATA\r\nOK 0123\r\n", bytes].concat();
    let (place, server) = sends(name, whole, then_go);
    let connection = Connection::open(&place.address(), Duration::from_millis(300));
    let answer = connection.and_then(|mut connection| connection.call(&bus("Hello", &[])));
    server.join().expect("no panic");
    answer
}

/// A reply to call 1 without values.
const REPLY: &[u8] = b"l\x02\x01\x01\0\0\0\0\x09\0\0\0\x08\0\0\0\x05\x01u\0\x01\0\0\0";

#[test]
fn pieces_are_put_together_and_what_is_not_for_us_is_dropped() {
    let mut other = REPLY.to_vec();
    other[20] = 77;
    let unknown = b"l\x09\x01\x01\0\0\0\0\x09\0\0\0\0\0\0\0";
    let reply = answer("pieces", &[&other[..], unknown, REPLY].concat(), false).expect("a reply");
    assert_eq!((reply.kind, reply.serial, reply.reply_serial), (Kind::Reply, 9, Some(1)));
}

#[test]
fn silence_ends() {
    for (name, bytes) in [("silent", &b""[..]), ("stuck", &REPLY[..20])] {
        let begin = Instant::now();
        assert!(matches!(answer(name, bytes, false), Err(Fault::Late(_))));
        assert!(begin.elapsed() < PATIENCE);
    }
}

#[test]
fn an_early_end_and_nonsense_are_errors() {
    assert!(matches!(answer("early", &REPLY[..20], true), Err(Fault::Io(_))));
    assert!(matches!(answer("nonsense", &[b'x'; 64], false), Err(Fault::Malformed(_))));
}

#[test]
fn who_is_refused_is_told_so() {
    let (place, server) = sends("refused", b"REJECTED EXTERNAL\r\n".to_vec(), false);
    let fault = Connection::open(&place.address(), PATIENCE).expect_err("refused");
    assert!(fault.to_string().contains("does not accept this user"), "{fault}");
    server.join().expect("no panic");
}

#[test]
fn no_socket_is_an_error_of_the_kernel() {
    let fault = Connection::open(&Address::Path("/no/such/bus".into()), PATIENCE);
    assert_eq!(fault.expect_err("none").to_string(), "No such file or directory (ENOENT)");
    let long = Address::Path("/x".repeat(200).into());
    assert!(matches!(Connection::open(&long, PATIENCE), Err(Fault::Io(_))));
}
