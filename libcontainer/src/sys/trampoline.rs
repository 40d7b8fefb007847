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
//! `argv[0]` is the path to execute, the rest its arguments. What it holds open is made
//! close-on-exec first of all: from when it waits it makes no calls but read(2) and execve(2), which
//! a seccomp filter may permit and no others. A failure is reported as the twelve bytes of a
//! [`Message`](crate::child::Message) without text.

use super::Result;
#[cfg(target_arch = "x86_64")]
use super::check;
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
    // fcntl(fd, F_SETFD, FD_CLOEXEC); without it the payload would inherit it.
    "mov ebx, dword ptr [rip + 30f]",
    "mov edi, ebx",
    "mov esi, 2",
    "mov edx, 1",
    "mov eax, 72",
    "syscall",
    "test rax, rax",
    "js 25f",
    "cmp dword ptr [rip + 31f], 0",
    "je 23f",
    // read(fd, below the stack, 1), again after a signal's handler; whatever is not one byte is no go.
    "21:",
    "mov edi, ebx",
    "lea rsi, [rsp - 8]",
    "mov edx, 1",
    "xor eax, eax",
    "syscall",
    "cmp rax, -4",
    "je 21b",
    "cmp rax, 1",
    "jne 25f",
    // execve(argv[0], argv + 1, envp)
    "23:",
    "mov rcx, [rsp]",
    "mov rdi, [rsp + 8]",
    "lea rsi, [rsp + 16]",
    "lea rdx, [rsp + rcx * 8 + 16]",
    "mov eax, 59",
    "syscall",
    // write(fd, {{header, errno}}, 12)
    "25:",
    "neg rax",
    "push rax",
    "push qword ptr [rip + 32f]",
    "mov edi, ebx",
    "mov rsi, rsp",
    "mov edx, 12",
    "mov eax, 1",
    "syscall",
    "mov edi, 1",
    "mov eax, 231",
    "syscall",
    "hlt",
    ".balign 8",
    ".globl skep_trampoline_fd",
    ".hidden skep_trampoline_fd",
    "skep_trampoline_fd:",
    "30: .long 0",
    "31: .long 0",
    "32: .quad 0",
    ".globl skep_trampoline_end",
    ".hidden skep_trampoline_end",
    "skep_trampoline_end:",
    ".popsection",
);

#[cfg(target_arch = "x86_64")]
unsafe extern "C" {
    static skep_trampoline_begin: u8;
    static skep_trampoline_fd: u8;
    static skep_trampoline_end: u8;
}

/// The program as it is in our image, and where in it the descriptor is.
#[cfg(target_arch = "x86_64")]
fn program() -> (&'static [u8], usize) {
    let (begin, fd, end) = (
        &raw const skep_trampoline_begin,
        &raw const skep_trampoline_fd,
        &raw const skep_trampoline_end,
    );
    let length = end as usize - begin as usize;
    // SAFETY: the assembler puts the bytes between the two symbols into read-only data.
    (unsafe { std::slice::from_raw_parts(begin, length) }, fd as usize - begin as usize)
}

/// The program in a memory file. It reports on `fd`, with `header` in front of the errno, and, if it
/// `waits`, first reads a byte from there. `None` on architectures for which it has not been written.
#[cfg(target_arch = "x86_64")]
pub(crate) fn open(fd: RawFd, waits: bool, header: [u8; 8]) -> Result<Option<OwnedFd>> {
    let (program, at) = program();
    let mut image = program.to_vec();
    let patches = [
        (at, &fd.to_ne_bytes()[..]),
        (at + 4, &i32::from(waits).to_ne_bytes()[..]),
        (at + 8, &header[..]),
    ];
    for (at, bytes) in patches {
        if let Some(place) = image.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }
    let file = memory_file()?;
    super::file::write_all(file.as_raw_fd(), &image)?;
    Ok(Some(file))
}

#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn open(
    _fd: std::os::fd::RawFd,
    _waits: bool,
    _header: [u8; 8],
) -> Result<Option<OwnedFd>> {
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
