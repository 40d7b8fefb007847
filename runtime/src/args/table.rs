//! The commands.

use super::definition::Arity::{Many, One, Optional, Rest};
use super::definition::{Command, Operand};
use super::flags as f;
use crate::commands;

const ID: Operand = Operand::new("ID", One, "Name of the container");

/// Every command, in the order of the help.
pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "create",
        about: "Create a container",
        details: "Makes everything of the container but runs nothing in it: its process waits for 'skep start'. \
            stdin, stdout and stderr are the container's.",
        operands: &[ID],
        flags: &[
            f::BUNDLE,
            f::CONSOLE_SOCKET,
            f::PID_FILE,
            f::PIDFD_SOCKET,
            f::NO_PIVOT,
            f::NO_NEW_KEYRING,
            f::PRESERVE_FDS,
        ],
        run: commands::create::run,
        failure_code: 1,
    },
    Command {
        name: "start",
        about: "Start the process of a created container",
        details: "Lets the process that config.json asks for begin, and returns.",
        operands: &[ID],
        flags: &[],
        run: commands::start::run,
        failure_code: 1,
    },
    Command {
        name: "run",
        about: "Create and start a container",
        details: "In the foreground (without --detach) signals are passed to the container's process, its terminal \
            is connected to this one, the container is deleted at its end, and the exit code is the \
            process's own, or 128 and the signal that killed it.",
        operands: &[ID],
        flags: &[
            f::BUNDLE,
            f::CONSOLE_SOCKET,
            f::DETACH,
            f::KEEP,
            f::PID_FILE,
            f::PIDFD_SOCKET,
            f::NO_SUBREAPER,
            f::NO_PIVOT,
            f::NO_NEW_KEYRING,
            f::PRESERVE_FDS,
        ],
        run: commands::run::run,
        failure_code: 1,
    },
    Command {
        name: "state",
        about: "Print the state of a container",
        details: "JSON: ociVersion, id, pid, status, bundle, rootfs, created, annotations, owner. \
            The status is creating, created, running, paused or stopped; pid is 0 when stopped.",
        operands: &[ID],
        flags: &[],
        run: commands::state::run,
        failure_code: 1,
    },
    Command {
        name: "kill",
        about: "Send a signal to the process of a container",
        details: "SIGNAL is a name with or without SIG, in either case, RTMIN+N, or a number.",
        operands: &[ID, Operand::new("SIGNAL", Optional, "The signal [default: SIGTERM]")],
        flags: &[f::ALL],
        run: commands::kill::run,
        failure_code: 1,
    },
    Command {
        name: "delete",
        about: "Delete a stopped container",
        details: "Removes its cgroup and its state, and runs its poststop hooks.",
        operands: &[ID],
        flags: &[f::FORCE],
        run: commands::delete::run,
        failure_code: 1,
    },
    Command {
        name: "pause",
        about: "Freeze the processes of a container",
        details: "Returns when none runs any more; 'skep resume' lets them go on. SIGKILL ends them all the same.",
        operands: &[ID],
        flags: &[],
        run: commands::pause::run,
        failure_code: 1,
    },
    Command {
        name: "resume",
        about: "Let the processes of a paused container go on",
        details: "Returns when they do.",
        operands: &[ID],
        flags: &[],
        run: commands::resume::run,
        failure_code: 1,
    },
    Command {
        name: "update",
        about: "Change the limits of a container",
        details: "Those that are given, and all of them or, if the kernel refuses one, none. A 0 leaves a limit as it \
            is, but for --cpu-quota (none), --cpu-period (the kernel's default), --cpu-burst and --cpu-idle. SIZE is \
            -1 (no limit) or a number of bytes, with b, k, m, g, t or p if you like. FILE is JSON like config.json's \
            linux.resources, and - is stdin; then the other flags are ignored, but for --l3-cache-schema and \
            --mem-bw-schema, for which it has no field.",
        operands: &[ID],
        flags: commands::update::FLAGS,
        run: commands::update::run,
        failure_code: 1,
    },
    Command {
        name: "list",
        about: "List the containers",
        details: "Lists what is below --root.",
        operands: &[],
        flags: &[f::FORMAT, f::QUIET],
        run: commands::list::run,
        failure_code: 1,
    },
    Command {
        name: "ps",
        about: "List the processes of a container",
        details: "The table is what ps(1) prints with PS-OPTION (-ef if there is none), cut down to the container's \
            processes; json is an array of pids. Pids are the host's.",
        operands: &[ID, Operand::new("PS-OPTION", Rest, "The container, and options of ps(1)")],
        flags: &[f::FORMAT],
        run: commands::ps::run,
        failure_code: 1,
    },
    Command {
        name: "events",
        about: "Print what a container uses, and when it runs out of memory",
        details: "A line of JSON for each: type 'stats' every interval, with cpu, memory, pids, blkio and more in data; \
            type 'oom' when the OOM killer kills in the container. Ends when the container does.",
        operands: &[ID],
        flags: &[f::INTERVAL, f::STATS],
        run: commands::events::run,
        failure_code: 1,
    },
    Command {
        name: "exec",
        about: "Run a command in a running container",
        details: "The process is the one of config.json with COMMAND, and with what the flags change; it has no terminal \
            unless --tty is given. Exits with the command's own code, or 128 and the signal that killed it, or 255 \
            if it could not be run.",
        operands: &[
            ID,
            Operand::new("COMMAND", Rest, "The container, and the command with its arguments"),
        ],
        flags: &[
            f::PROCESS,
            f::TTY,
            f::DETACH,
            f::USER,
            f::ADDITIONAL_GIDS,
            f::CWD,
            f::ENV,
            f::CAP,
            f::NO_NEW_PRIVS,
            f::PROCESS_LABEL,
            f::APPARMOR,
            f::CGROUP,
            f::IGNORE_PAUSED,
            f::CONSOLE_SOCKET,
            f::PID_FILE,
            f::PIDFD_SOCKET,
            f::PRESERVE_FDS,
        ],
        run: commands::exec::run,
        failure_code: 255,
    },
    Command {
        name: "spec",
        about: "Write a config.json to start from",
        details: "It runs sh in ./rootfs, which is read-only. A config.json that is there is not overwritten.",
        operands: &[],
        flags: &[f::BUNDLE, f::ROOTLESS_SPEC],
        run: commands::spec::run,
        failure_code: 1,
    },
    Command {
        name: "plan",
        about: "Print what create would do, and do nothing",
        details: "Reads and checks config.json and prints each step in its order. No privilege is needed.",
        operands: &[Operand::new("ID", Optional, "Name of the container [default: plan]")],
        flags: &[f::BUNDLE, f::NO_PIVOT, f::NO_NEW_KEYRING, f::PRESERVE_FDS],
        run: commands::plan::run,
        failure_code: 1,
    },
    Command {
        name: "seccomp",
        about: "Print what a bundle's seccomp profile does",
        details: "To all system calls, or to CALL and why. CALL is a name or a number, ARGs are numbers: decimal, \
            hexadecimal with 0x, or octal with 0; those that are not given are 0. No privilege is needed. \
            --bpf=raw writes what 'bwrap --seccomp' reads.",
        operands: &[
            Operand::new("CALL", Optional, "The system call"),
            Operand::new("ARG", Many, "Its arguments, up to 6"),
        ],
        flags: &[f::BUNDLE, f::ARCH, f::BPF],
        run: commands::seccomp::run,
        failure_code: 1,
    },
    Command {
        name: "features",
        about: "Print what this program can do",
        details: "JSON, as features.md of the OCI runtime specification describes it: hooks, mount options, namespaces, \
            capabilities, cgroups, seccomp and more. It is about the program, not about the host.",
        operands: &[],
        flags: &[],
        run: commands::features::run,
        failure_code: 1,
    },
    Command {
        name: "completions",
        about: "Print a shell's completions",
        details: "SHELL is bash, fish or zsh.",
        operands: &[Operand::new("SHELL", One, "The shell")],
        flags: &[],
        run: commands::completions::run,
        failure_code: 1,
    },
    Command {
        name: "man",
        about: "Write the man pages to a directory",
        details: "skep.1 and one page for each command.",
        operands: &[Operand::new("DIR", One, "The directory")],
        flags: &[],
        run: commands::man::run,
        failure_code: 1,
    },
];

/// The command of that name.
pub(crate) fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}
