//! bpf(2), as far as a device filter needs it.

use super::{Errno, Result, check};
use std::ffi::{c_int, c_long};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

const BPF_PROG_LOAD: c_int = 5;
const BPF_PROG_ATTACH: c_int = 8;
const BPF_PROG_DETACH: c_int = 9;
const BPF_PROG_GET_FD_BY_ID: c_int = 13;
const BPF_OBJ_GET_INFO_BY_FD: c_int = 15;
const BPF_PROG_QUERY: c_int = 16;
const BPF_PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const BPF_CGROUP_DEVICE: u32 = 6;
/// Every program on the way up is asked, and one that says no is enough.
const BPF_F_ALLOW_MULTI: u32 = 2;
/// The new program takes the place of another in one step (Linux 5.6).
const BPF_F_REPLACE: u32 = 4;

/// The kernel attaches no more than this to one cgroup (`BPF_CGROUP_MAX_PROGS`).
const MOST_FILTERS: usize = 64;

/// By this name our filters are told from those of others, such as systemd's `sd_devices`.
const NAME: [u8; 16] = *b"skep_devices\0\0\0\0";

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

/// The first fields of `union bpf_attr` for BPF_PROG_ATTACH and BPF_PROG_DETACH.
#[repr(C)]
struct AttachAttr {
    target_fd: u32,
    attach_bpf_fd: u32,
    attach_type: u32,
    attach_flags: u32,
    replace_bpf_fd: u32,
}

/// All of `union bpf_attr` for BPF_PROG_QUERY up to `revision`: Linux 6.17 to 7.1 write that field
/// whatever the size that they are told (fixed by commit 21c4b99b27f3).
#[repr(C)]
struct QueryAttr {
    target_fd: u32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    prog_ids: u64,
    prog_cnt: u32,
    padding: u32,
    prog_attach_flags: u64,
    link_ids: u64,
    link_attach_flags: u64,
    revision: u64,
}

/// `union bpf_attr` for BPF_PROG_GET_FD_BY_ID.
#[repr(C)]
struct IdAttr {
    prog_id: u32,
    next_id: u32,
    open_flags: u32,
}

/// `union bpf_attr` for BPF_OBJ_GET_INFO_BY_FD.
#[repr(C)]
struct InfoAttr {
    bpf_fd: u32,
    info_len: u32,
    info: u64,
}

/// The first fields of `struct bpf_prog_info`, up to the program's name.
#[repr(C)]
#[derive(Default)]
struct ProgInfo {
    prog_type: u32,
    id: u32,
    tag: [u8; 8],
    jited_prog_len: u32,
    xlated_prog_len: u32,
    jited_prog_insns: u64,
    xlated_prog_insns: u64,
    load_time: u64,
    created_by_uid: u32,
    nr_map_ids: u32,
    map_ids: u64,
    name: [u8; 16],
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
        prog_name: NAME,
    };
    let fd = retry(|| {
        // SAFETY: `attr` holds pointers to `program` and to a static string, which outlive the call,
        // with the program's true length; the kernel writes nothing (no log buffer).
        unsafe { bpf(BPF_PROG_LOAD, &raw const attr) }
    })?;
    // SAFETY: the kernel just made this descriptor (with O_CLOEXEC), and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as c_int) })
}

/// Attaches a device filter to a cgroup, in the place of `former` or else in addition to those that
/// are there. Who asks for a device while that happens is asked by one of the two.
///
/// <https://man7.org/linux/man-pages/man2/bpf.2.html>
pub(crate) fn attach_device_filter(
    cgroup: BorrowedFd<'_>,
    filter: BorrowedFd<'_>,
    former: Option<BorrowedFd<'_>>,
) -> Result<()> {
    let attr = AttachAttr {
        target_fd: number(cgroup),
        attach_bpf_fd: number(filter),
        attach_type: BPF_CGROUP_DEVICE,
        attach_flags: BPF_F_ALLOW_MULTI | if former.is_some() { BPF_F_REPLACE } else { 0 },
        replace_bpf_fd: former.map_or(0, number),
    };
    retry(|| {
        // SAFETY: `attr` is plain numbers and valid for the call.
        unsafe { bpf(BPF_PROG_ATTACH, &raw const attr) }
    })
    .map(drop)
}

/// Takes a device filter off a cgroup.
///
/// <https://man7.org/linux/man-pages/man2/bpf.2.html>
pub(crate) fn detach_device_filter(cgroup: BorrowedFd<'_>, filter: BorrowedFd<'_>) -> Result<()> {
    let attr = AttachAttr {
        target_fd: number(cgroup),
        attach_bpf_fd: number(filter),
        attach_type: BPF_CGROUP_DEVICE,
        attach_flags: 0,
        replace_bpf_fd: 0,
    };
    retry(|| {
        // SAFETY: `attr` is plain numbers and valid for the call.
        unsafe { bpf(BPF_PROG_DETACH, &raw const attr) }
    })
    .map(drop)
}

/// The device filters of ours that are attached to a cgroup itself, in the order in which they were.
///
/// Those of others are passed over, also where a security module does not let us look at them: a
/// filter only ever takes away, so leaving one makes nothing weaker. It takes CAP_SYS_ADMIN.
///
/// <https://man7.org/linux/man-pages/man2/bpf.2.html>
pub(crate) fn own_device_filters(cgroup: BorrowedFd<'_>) -> Result<Vec<OwnedFd>> {
    let mut filters = Vec::new();
    for id in attached(cgroup)? {
        match by_id(id) {
            Ok(filter) if name_of(filter.as_fd())? == NAME => filters.push(filter),
            Ok(_) | Err(Errno(libc::EACCES | libc::EPERM | libc::ENOENT)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filters)
}

/// The ids of a cgroup's device filters.
fn attached(cgroup: BorrowedFd<'_>) -> Result<Vec<u32>> {
    let mut ids = vec![0_u32; MOST_FILTERS];
    let mut attr = QueryAttr {
        target_fd: number(cgroup),
        attach_type: BPF_CGROUP_DEVICE,
        query_flags: 0,
        attach_flags: 0,
        prog_ids: ids.as_mut_ptr() as u64,
        prog_cnt: MOST_FILTERS as u32,
        padding: 0,
        prog_attach_flags: 0,
        link_ids: 0,
        link_attach_flags: 0,
        revision: 0,
    };
    retry(|| {
        // SAFETY: the kernel writes `prog_cnt` ids at most, for which `ids` has room, and into
        // `attr`, which has all the fields that it knows of for this command.
        unsafe { bpf(BPF_PROG_QUERY, &raw mut attr) }
    })?;
    ids.truncate(attr.prog_cnt as usize);
    Ok(ids)
}

fn by_id(prog_id: u32) -> Result<OwnedFd> {
    let attr = IdAttr { prog_id, next_id: 0, open_flags: 0 };
    let fd = retry(|| {
        // SAFETY: `attr` is plain numbers and valid for the call.
        unsafe { bpf(BPF_PROG_GET_FD_BY_ID, &raw const attr) }
    })?;
    // SAFETY: the kernel just made this descriptor (with O_CLOEXEC), and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as c_int) })
}

fn name_of(filter: BorrowedFd<'_>) -> Result<[u8; 16]> {
    let mut info = ProgInfo::default();
    let mut attr = InfoAttr {
        bpf_fd: number(filter),
        info_len: size_of::<ProgInfo>() as u32,
        info: (&raw mut info) as u64,
    };
    retry(|| {
        // SAFETY: the kernel writes `info_len` bytes at most, which is the size of `info`; its
        // pointers are null with lengths of 0, so that nothing is written through them.
        unsafe { bpf(BPF_OBJ_GET_INFO_BY_FD, &raw mut attr) }
    })?;
    Ok(info.name)
}

fn number(fd: BorrowedFd<'_>) -> u32 {
    fd.as_raw_fd() as u32
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
            Err(Errno(libc::EAGAIN)) if tries < 16 => tries += 1,
            other => return other,
        }
    }
}
