//! bpf(2), as far as a device filter needs it.

use super::{Result, check};
use std::ffi::{c_int, c_long};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

const BPF_PROG_LOAD: c_int = 5;
const BPF_PROG_ATTACH: c_int = 8;
const BPF_PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const BPF_CGROUP_DEVICE: u32 = 6;
/// Every program on the way up is asked, and one that says no is enough.
const BPF_F_ALLOW_MULTI: u32 = 2;

/// One instruction, `struct bpf_insn` of `linux/bpf.h`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Insn {
    pub(crate) code: u8,
    /// Destination and source register, four bits each: see [`Insn::registers`].
    registers: u8,
    pub(crate) off: i16,
    pub(crate) imm: i32,
}

impl Insn {
    pub(crate) const fn new(code: u8, dst: u8, src: u8, off: i16, imm: i32) -> Self {
        let registers = match cfg!(target_endian = "little") {
            true => dst | src << 4,
            false => dst << 4 | src,
        };
        Self { code, registers, off, imm }
    }

    /// Destination and source register.
    #[cfg(test)]
    pub(crate) const fn registers(self) -> (usize, usize) {
        let (low, high) = (self.registers as usize & 15, self.registers as usize >> 4);
        match cfg!(target_endian = "little") {
            true => (low, high),
            false => (high, low),
        }
    }
}

/// The first fields of `union bpf_attr` for BPF_PROG_LOAD, up to the program's name.
#[repr(C)]
struct LoadAttr {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; 16],
}

/// The first fields of `union bpf_attr` for BPF_PROG_ATTACH.
#[repr(C)]
struct AttachAttr {
    target_fd: u32,
    attach_bpf_fd: u32,
    attach_type: u32,
    attach_flags: u32,
}

/// Loads a program of type BPF_PROG_TYPE_CGROUP_DEVICE.
///
/// <https://man7.org/linux/man-pages/man2/bpf.2.html>
pub(crate) fn load_device_filter(program: &[Insn]) -> Result<OwnedFd> {
    let attr = LoadAttr {
        prog_type: BPF_PROG_TYPE_CGROUP_DEVICE,
        insn_cnt: program.len() as u32,
        insns: program.as_ptr() as u64,
        license: c"Apache-2.0".as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log_buf: 0,
        kern_version: 0,
        prog_flags: 0,
        prog_name: *b"skep_devices\0\0\0\0",
    };
    let fd = retry(|| {
        // SAFETY: `attr` holds pointers to `program` and to a static string, which outlive the call,
        // with the program's true length; the kernel writes nothing (no log buffer).
        unsafe { bpf(BPF_PROG_LOAD, &raw const attr) }
    })?;
    // SAFETY: the kernel just made this descriptor (with O_CLOEXEC), and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as c_int) })
}

/// Attaches a device filter to a cgroup, in addition to those that are there.
///
/// <https://man7.org/linux/man-pages/man2/bpf.2.html>
pub(crate) fn attach_device_filter(cgroup: BorrowedFd<'_>, filter: BorrowedFd<'_>) -> Result<()> {
    let attr = AttachAttr {
        target_fd: cgroup.as_raw_fd() as u32,
        attach_bpf_fd: filter.as_raw_fd() as u32,
        attach_type: BPF_CGROUP_DEVICE,
        attach_flags: BPF_F_ALLOW_MULTI,
    };
    retry(|| {
        // SAFETY: `attr` is plain numbers and valid for the call.
        unsafe { bpf(BPF_PROG_ATTACH, &raw const attr) }
    })
    .map(drop)
}

/// # Safety
///
/// `attr` is what `command` reads, and every pointer in it is valid for the call.
unsafe fn bpf<T>(command: c_int, attr: *const T) -> Result<c_long> {
    // SAFETY: as promised by the caller; the size is that of what `attr` points to, and the kernel
    // takes the fields beyond it as zero.
    check(unsafe { libc::syscall(libc::SYS_bpf, command, attr, size_of::<T>()) })
}

/// The verifier gives EAGAIN when a signal is pending.
fn retry<T>(call: impl FnMut() -> Result<T>) -> Result<T> {
    let mut call = call;
    let mut tries = 0;
    loop {
        match super::retry(&mut call) {
            Err(super::Errno(libc::EAGAIN)) if tries < 16 => tries += 1,
            other => return other,
        }
    }
}
