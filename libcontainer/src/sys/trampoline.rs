//! A program of a few hundred bytes whose only act is to execute another one, at once or when `start` says so.
//!
//! A process that enters a container is, until it executes its program, an image of the host's
//! binary: `/proc/self/exe`, and with it an entrypoint, a `#!` line or an ELF interpreter of that
//! name, would lead the container to the host's file (CVE-2019-5736). So the last thing that the
//! child executes is this program, from a memory file of its own, and it executes the container's.
//! All that the container can ever see or overwrite is that memory file.
//!
//! It costs five system calls and no second start of ourselves, and serves a program that embeds
//! the library as well. A container that waits for `start` waits in it: with none of its maker's
//! memory, and open to whoever owns its user namespace, as a process that was executed there is.
//!
//! It is also what loads the container's seccomp filter: as late as that can be, so that the profile
//! need permit as little as possible for our sake. The order is
//!
//! 1. fcntl(2): what it holds open becomes close-on-exec.
//! 2. capset(2) or prctl(2), only if CAP_SYS_ADMIN was carried here to load the filter with, as an
//!    ambient capability: it is ambient no more, so that the program cannot get it whatever the filter
//!    does to what follows.
//! 3. clone(2), only if there will be a listener: a thread that the filter is not for, and that hands
//!    the listener to the parent. Whatever we called ourselves for that might be notified, and then
//!    wait for an agent that has no listener.
//! 4. seccomp(2). From here on the filter has a say.
//! 5. capset(2), only if the filter permits it: gives CAP_SYS_ADMIN up for the time of waiting.
//! 6. read(2), only if the container waits for `start`.
//! 7. execve(2). `argv[0]` is the path to execute, the rest its arguments.
//!
//! A failure is reported as the twelve bytes of a [`Message`](crate::child::Message) without text.
//! What fails before `start` has come, with nobody there to hear of it, is told to `start`.

use super::Result;
#[cfg(target_arch = "x86_64")]
use super::check;
use skep_seccomp::Instruction;
use std::mem::offset_of;
#[cfg(target_arch = "x86_64")]
use std::os::fd::{AsRawFd, RawFd};
use std::os::fd::{FromRawFd, OwnedFd};

#[cfg(target_arch = "x86_64")]
std::arch::global_asm!(
    ".pushsection .rodata.skep_trampoline, \"a\", @progbits",
    ".balign 8",
    ".globl skep_trampoline_begin",
    ".hidden skep_trampoline_begin",
    "skep_trampoline_begin:",
    // The ELF header: elf(5). One segment to execute, one that says the stack is not.
    ".byte 0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0",
    ".short 2, 62",
    ".long 1",
    ".quad 0x400000 + (20f - skep_trampoline_begin)",
    ".quad 64, 0",
    ".long 0",
    ".short 64, 56, 2, 64, 0, 0",
    ".long 1, 5",
    ".quad 0, 0x400000, 0x400000",
    ".quad skep_trampoline_end - skep_trampoline_begin",
    ".quad skep_trampoline_end - skep_trampoline_begin",
    ".quad 4096",
    ".long 0x6474e551, 6",
    ".quad 0, 0, 0, 0, 0, 16",
    "20:",
    "mov r13, rsp",
    "sub rsp, 192",
    "lea r12, [rip + 30f]",
    "lea r14, [r12 + {EXEC}]",
    "xor r15d, r15d",
    // fcntl(fd, F_SETFD, FD_CLOEXEC); without it the payload would inherit it.
    "mov ebx, [r12 + {FD}]",
    "mov edi, ebx",
    "mov esi, 2",
    "mov edx, 1",
    "mov eax, 72",
    "syscall",
    "test rax, rax",
    "js 25f",
    "mov edi, [r12 + {SOCKET}]",
    "test edi, edi",
    "js 21f",
    "mov eax, 72",
    "syscall",
    "test rax, rax",
    "js 25f",
    "21:",
    "cmp word ptr [r12 + {PROGRAM}], 0",
    "je 23f",
    "mov ecx, [r12 + {ADMIN}]",
    "test ecx, ecx",
    "jz 28f",
    // capget({{_LINUX_CAPABILITY_VERSION_3, 0}}, data)
    "lea r14, [r12 + {KEEP}]",
    "mov ecx, 0x20080522",
    "mov [rsp + 96], rcx",
    "lea rdi, [rsp + 96]",
    "lea rsi, [rsp + 104]",
    "mov eax, 125",
    "syscall",
    "test rax, rax",
    "js 22f",
    "test dword ptr [r12 + {ADMIN}], {INHERITABLE}",
    "jz 33f",
    // capset(the same header, data less CAP_SYS_ADMIN in the inheritable set, and so in the ambient one)
    "and dword ptr [rsp + 112], 0xffdfffff",
    "mov eax, 126",
    "syscall",
    "jmp 34f",
    // prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, CAP_SYS_ADMIN, 0, 0)
    "33:",
    "mov edi, 47",
    "mov esi, 3",
    "mov edx, 21",
    "xor r10d, r10d",
    "xor r8d, r8d",
    "mov eax, 157",
    "syscall",
    "34:",
    "test rax, rax",
    "js 22f",
    // clone(VM, FS, FILES, SIGHAND, THREAD; a stack below ours): a thread that has no filter, and our files.
    "28:",
    "mov rbp, rsp",
    "cmp dword ptr [r12 + {SOCKET}], 0",
    "jl 29f",
    "xor ecx, ecx",
    "mov [rbp + 128], rcx",
    "mov [rbp + 136], rcx",
    "lea r14, [r12 + {SEND}]",
    "mov edi, 0x10f00",
    "lea rsi, [rsp - 512]",
    "xor edx, edx",
    "xor r10d, r10d",
    "xor r8d, r8d",
    "mov eax, 56",
    "syscall",
    "test rax, rax",
    "jz 40f",
    "js 22f",
    // seccomp(SECCOMP_SET_MODE_FILTER, flags, program)
    "29:",
    "lea r14, [r12 + {LOAD}]",
    "mov edi, 1",
    "mov esi, [r12 + {FLAGS}]",
    "lea rdx, [r12 + {PROGRAM}]",
    "mov eax, 317",
    "syscall",
    "test rax, rax",
    "js 22f",
    "cmp dword ptr [r12 + {SOCKET}], 0",
    "jl 26f",
    // What sends the listener is told its number; no call of ours could be sure not to be notified.
    "lea r14, [r12 + {SEND}]",
    "inc rax",
    "mov [rbp + 128], rax",
    "31:",
    "pause",
    "mov rax, [rbp + 136]",
    "test rax, rax",
    "jz 31b",
    "js 22f",
    // capset(the same header, data less CAP_SYS_ADMIN in the permitted and effective sets)
    "26:",
    "test dword ptr [r12 + {ADMIN}], {GIVEN_UP}",
    "jz 23f",
    "lea r14, [r12 + {GIVE_UP}]",
    "and dword ptr [rsp + 104], 0xffdfffff",
    "and dword ptr [rsp + 108], 0xffdfffff",
    "lea rdi, [rsp + 96]",
    "lea rsi, [rsp + 104]",
    "mov eax, 126",
    "syscall",
    "test rax, rax",
    "jns 23f",
    // What failed is told to the parent, if it is there to hear it, or else to whoever starts us.
    "22:",
    "mov ecx, [r12 + {SOCKET}]",
    "test ecx, ecx",
    "cmovns ebx, ecx",
    "jns 25f",
    "mov r15, rax",
    "23:",
    "cmp dword ptr [r12 + {WAITS}], 0",
    "je 24f",
    "lea rcx, [r12 + {WAIT}]",
    "test r15, r15",
    "cmovz r14, rcx",
    // read(fd, on the stack, 1), again after a signal's handler; whatever is not one byte is no go.
    "27:",
    "mov edi, ebx",
    "mov rsi, rsp",
    "mov edx, 1",
    "xor eax, eax",
    "syscall",
    "cmp rax, -4",
    "je 27b",
    "cmp rax, 1",
    "jne 25f",
    "24:",
    "mov rax, r15",
    "test rax, rax",
    "jnz 25f",
    // execve(argv[0], argv + 1, envp)
    "lea r14, [r12 + {EXEC}]",
    "mov rcx, [r13]",
    "mov rdi, [r13 + 8]",
    "lea rsi, [r13 + 16]",
    "lea rdx, [r13 + rcx * 8 + 16]",
    "mov eax, 59",
    "syscall",
    // write(fd, {{header, errno}}, 12)
    "25:",
    "neg rax",
    "mov rcx, [r14]",
    "mov [rsp], rcx",
    "mov [rsp + 8], rax",
    "mov edi, ebx",
    "mov rsi, rsp",
    "mov edx, 12",
    "mov eax, 1",
    "syscall",
    "mov edi, 1",
    "mov eax, 231",
    "syscall",
    "hlt",
    // The thread: sched_yield() until there is a listener.
    "40:",
    "mov eax, 24",
    "syscall",
    "mov rax, [rbp + 128]",
    "test rax, rax",
    "jz 40b",
    "dec rax",
    // sendmsg(socket, {{a message, SCM_RIGHTS: the listener}}, MSG_NOSIGNAL)
    "xor ecx, ecx",
    "mov [rsp], rcx",
    "mov [rsp + 8], rcx",
    "mov [rsp + 48], rcx",
    "lea rdx, [rsp + 56]",
    "mov [rsp + 16], rdx",
    "lea rdx, [rsp + 72]",
    "mov [rsp + 32], rdx",
    "lea rdx, [r12 + {LISTENER}]",
    "mov [rsp + 56], rdx",
    "mov ecx, 1",
    "mov [rsp + 24], rcx",
    "mov [rsp + 80], ecx",
    "mov [rsp + 84], ecx",
    "mov ecx, 12",
    "mov [rsp + 64], rcx",
    "mov ecx, 20",
    "mov [rsp + 72], rcx",
    "mov ecx, 24",
    "mov [rsp + 40], rcx",
    "mov [rsp + 88], rax",
    "mov edi, [r12 + {SOCKET}]",
    "mov rsi, rsp",
    "mov edx, 0x4000",
    "mov eax, 46",
    "syscall",
    // What came of it is not 0: so many bytes, or an error. Then exit(0), of this thread only.
    "mov [rbp + 136], rax",
    "xor edi, edi",
    "mov eax, 60",
    "syscall",
    "hlt",
    // Orders, and the filter's instructions, come right behind.
    ".balign 8",
    "30:",
    ".globl skep_trampoline_end",
    ".hidden skep_trampoline_end",
    "skep_trampoline_end:",
    ".popsection",
    FD = const offset_of!(Orders, fd),
    WAITS = const offset_of!(Orders, waits),
    SOCKET = const offset_of!(Orders, socket),
    FLAGS = const offset_of!(Orders, flags),
    ADMIN = const offset_of!(Orders, admin),
    INHERITABLE = const Admin::INHERITABLE,
    GIVEN_UP = const Admin::GIVEN_UP,
    KEEP = const offset_of!(Orders, keep),
    PROGRAM = const offset_of!(Orders, program),
    EXEC = const offset_of!(Orders, exec),
    LOAD = const offset_of!(Orders, load),
    SEND = const offset_of!(Orders, send),
    GIVE_UP = const offset_of!(Orders, give_up),
    WAIT = const offset_of!(Orders, wait),
    LISTENER = const offset_of!(Orders, listener),
);

/// The first eight bytes of a message.
pub(crate) type Header = [u8; 8];

/// What the trampoline is to do. It reads this behind its own instructions.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Orders {
    /// Where it reports, and waits.
    pub(crate) fd: i32,
    /// Not 0: it reads a byte first.
    pub(crate) waits: u32,
    /// Where the listener goes, and failures before it has gone; -1 where there is none.
    pub(crate) socket: i32,
    /// For seccomp(2).
    pub(crate) flags: u32,
    /// What becomes of a CAP_SYS_ADMIN that is only there to load the filter with.
    pub(crate) admin: Admin,
    /// `struct sock_fprog`. Length 0: there is no filter.
    pub(crate) program: [u64; 2],
    /// Begin the messages that these failed: execve, what comes before seccomp, seccomp itself, sendmsg,
    /// capset and read.
    pub(crate) exec: Header,
    pub(crate) keep: Header,
    pub(crate) load: Header,
    pub(crate) send: Header,
    pub(crate) give_up: Header,
    pub(crate) wait: Header,
    /// The message with which the listener goes.
    pub(crate) listener: [u8; 16],
}

/// A set of bits. Empty: there is no CAP_SYS_ADMIN that is not to be there.
#[derive(Clone, Copy, Debug, Default)]
#[repr(transparent)]
pub(crate) struct Admin(pub(crate) u32);

impl Admin {
    /// It is ambient.
    pub(crate) const AMBIENT: u32 = 1;
    /// And not to stay inheritable.
    pub(crate) const INHERITABLE: u32 = 2;
    /// And to be given up behind the load, not only by execve(2).
    pub(crate) const GIVEN_UP: u32 = 4;
}

impl Orders {
    fn bytes(&self) -> impl Iterator<Item = u8> {
        let words = [self.fd as u32, self.waits, self.socket as u32, self.flags, self.admin.0, 0];
        let words = words.into_iter().flat_map(u32::to_ne_bytes);
        let headers = [self.exec, self.keep, self.load, self.send, self.give_up, self.wait];
        words
            .chain(self.program.into_iter().flat_map(u64::to_ne_bytes))
            .chain(headers.into_iter().flatten())
            .chain(self.listener)
    }
}

#[cfg(target_arch = "x86_64")]
unsafe extern "C" {
    static skep_trampoline_begin: u8;
    static skep_trampoline_end: u8;
}

/// The program as it is in our image.
#[cfg(target_arch = "x86_64")]
fn program() -> &'static [u8] {
    let (begin, end) = (&raw const skep_trampoline_begin, &raw const skep_trampoline_end);
    // SAFETY: the assembler puts the bytes between the two symbols into read-only data.
    unsafe { std::slice::from_raw_parts(begin, end as usize - begin as usize) }
}

/// Where the program is mapped.
#[cfg(target_arch = "x86_64")]
const ADDRESS: u64 = 0x40_0000;
/// Where the only segment's size in the file and in memory stand: elf(5), `p_filesz` and `p_memsz`.
#[cfg(target_arch = "x86_64")]
const SIZES: [usize; 2] = [64 + 32, 64 + 40];

/// The program in a memory file, with its orders and a filter. `None` on architectures for which it
/// has not been written.
#[cfg(target_arch = "x86_64")]
pub(crate) fn open(orders: Orders, filter: &[Instruction]) -> Result<Option<OwnedFd>> {
    let mut image = program().to_vec();
    let address = ADDRESS + (image.len() + size_of::<Orders>()) as u64;
    image.extend(Orders { program: [filter.len() as u64, address], ..orders }.bytes());
    image.extend(filter.iter().flat_map(|instruction| instruction.bytes()));
    let size = (image.len() as u64).to_ne_bytes();
    for at in SIZES {
        if let Some(place) = image.get_mut(at..at + size.len()) {
            place.copy_from_slice(&size);
        }
    }
    let file = memory_file()?;
    super::file::write_all(file.as_raw_fd(), &image)?;
    Ok(Some(file))
}

#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn open(_orders: Orders, _filter: &[Instruction]) -> Result<Option<OwnedFd>> {
    Ok(None)
}

/// Kernels before 6.3 have no MFD_EXEC, and let every memory file be executed.
#[cfg(target_arch = "x86_64")]
fn memory_file() -> Result<OwnedFd> {
    const MFD_EXEC: u32 = 0x10;
    let make = |flags: u32| {
        // SAFETY: the name is a valid C string.
        check(unsafe { libc::syscall(libc::SYS_memfd_create, c"skep".as_ptr(), flags) })
    };
    let fd = match make(libc::MFD_CLOEXEC | MFD_EXEC) {
        Err(super::Errno(libc::EINVAL)) => make(libc::MFD_CLOEXEC)?,
        made => made?,
    };
    // SAFETY: the kernel has just opened this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}
