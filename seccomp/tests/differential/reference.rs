//! The program of tests/reference: libseccomp, driven as runc drives it.

use skep_seccomp::Instruction;
use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::profile::{Condition, Profile};
use crate::support::machines::Machine;

/// Where the test is told the path of the compiled program.
pub const VARIABLE: &str = "SKEP_LIBSECCOMP_REFERENCE";

/// What libseccomp calls x32: the kernel has no token for it.
const X32_TOKEN: u32 = 0x4000_003e;

/// What libseccomp says then, as a number.
const EEXIST: &str = "17";

const RETURN: u16 = 0x06;

/// The operators in the order of `enum scmp_compare`, from 1.
const OPERATORS: [&str; 7] = ["NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"];

pub struct Reference {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    numbers: HashMap<(u32, String), i32>,
}

impl Reference {
    /// Starts the program, if the environment has its path.
    pub fn start() -> Option<Self> {
        let path = std::env::var_os(VARIABLE)?;
        let mut child = Command::new(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{VARIABLE}={}: {error}", path.display()));
        let input = child.stdin.take().expect("it was asked for");
        let output = BufReader::new(child.stdout.take().expect("it was asked for"));
        Some(Self { child, input, output, numbers: HashMap::new() })
    }

    /// Compiles a profile for exactly its architectures; `level` is that of libseccomp's optimisation.
    /// `None` where rules contradict each other.
    pub fn compile(&mut self, profile: &Profile, level: u32) -> Option<Vec<Instruction>> {
        self.send(&question(profile, level));
        let line = self.line();
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["program", length] => {
                let length = length.parse().expect("a number");
                Some(self.program(length, profile.machines[0]))
            }
            ["error", "rule", EEXIST] => None,
            _ => panic!("the reference says {line:?}"),
        }
    }

    /// Whether any architecture has a call of this name.
    pub fn knows(&mut self, name: &str) -> bool {
        self.resolve(Machine::named("SCMP_ARCH_X86_64"), name) != -1
    }

    /// The number of a call, if the architecture has it.
    pub fn number(&mut self, machine: &Machine, name: &str) -> Option<u32> {
        u32::try_from(self.resolve(machine, name)).ok()
    }

    /// Negative where the architecture has no such call.
    fn resolve(&mut self, machine: &Machine, name: &str) -> i32 {
        let token = token(machine);
        if let Some(number) = self.numbers.get(&(token, name.to_owned())) {
            return *number;
        }
        self.send(&format!("resolve {token} {name}\n"));
        let number = self.line().parse().expect("a number");
        self.numbers.insert((token, name.to_owned()), number);
        number
    }

    fn send(&mut self, text: &str) {
        self.input.write_all(text.as_bytes()).and_then(|()| self.input.flush()).expect("it reads");
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("it answers");
        assert!(line.ends_with('\n'), "the reference has ended");
        line.pop();
        line
    }

    /// libseccomp writes in the byte order of the architecture that the program is for.
    fn program(&mut self, length: usize, machine: &Machine) -> Vec<Instruction> {
        let mut bytes = vec![0; 8 * length];
        self.output.read_exact(&mut bytes).expect("a program");
        let swap = machine.little_endian != cfg!(target_endian = "little");
        bytes.chunks_exact(8).map(|bytes| instruction(bytes, swap)).collect()
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn instruction(bytes: &[u8], swap: bool) -> Instruction {
    let code = u16::from_ne_bytes([bytes[0], bytes[1]]);
    let k = u32::from_ne_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
    let (code, k) = if swap { (code.swap_bytes(), k.swap_bytes()) } else { (code, k) };
    // A return that is there again, nearer to a jump to it, has been turned twice.
    let k = if swap && code == RETURN && !is_action(k) { k.swap_bytes() } else { k };
    Instruction { code, jt: bytes[2], jf: bytes[3], k }
}

fn is_action(value: u32) -> bool {
    let (action, data) = (value >> 16, value & 0xffff);
    matches!((action, data), (0 | 0x8000 | 0x7fc0 | 0x7ffc | 0x7fff, 0) | (3 | 5 | 0x7ff0, _))
}

fn token(machine: &Machine) -> u32 {
    if machine.name == "SCMP_ARCH_X32" { X32_TOKEN } else { machine.token }
}

fn question(profile: &Profile, level: u32) -> String {
    let mut text = format!("profile {}\noptimize {level}\nonly\n", profile.default);
    for machine in &profile.machines {
        text += &format!("arch {}\n", token(machine));
    }
    for rule in &profile.rules {
        let names: Vec<&str> = rule.names.iter().map(|(name, _)| name.as_str()).collect();
        text += &format!("rule {} {}", rule.action, names.join(","));
        for Condition { index, operator, value, value_two } in &rule.conditions {
            let place = OPERATORS.iter().position(|name| name == operator).expect("one of seven");
            text += &format!(" {index} {} {value} {value_two}", place + 1);
        }
        text.push('\n');
    }
    text + "end\n"
}
