//! The C library's `malloc` and its like, for a test program: a small allocator that refuses to work
//! in any process but the one that called [`arm`].
//!
//! Rust's allocator calls these functions, and so does the C library itself, so that nobody's
//! allocation goes unseen. A process that was made by fork(2) or clone3(2) is known by a page that
//! the kernel wipes for it (MADV_WIPEONFORK): process ids are of no use, for the first process of a
//! pid namespace is always 1. What was refused is counted in memory that both processes share, and
//! the process ends.

use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};

/// With this a process ends that was caught.
pub(crate) const CAUGHT: i32 = 86;

/// Not wiped in the process that allocates.
static OWN: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());
/// How often somebody else was caught.
static SEEN: AtomicPtr<AtomicUsize> = AtomicPtr::new(ptr::null_mut());
/// Whether others are let through to the lock instead of being caught.
static LENIENT: AtomicBool = AtomicBool::new(false);

/// From now on this process alone may allocate.
pub(crate) fn arm() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let own = page(libc::MAP_PRIVATE);
        // SAFETY: the page is ours.
        let wiped = unsafe { libc::madvise(own.cast(), 1, libc::MADV_WIPEONFORK) };
        assert_eq!(wiped, 0, "MADV_WIPEONFORK");
        // SAFETY: as above.
        unsafe { own.write_volatile(1) };
        SEEN.store(page(libc::MAP_SHARED).cast(), Ordering::SeqCst);
        OWN.store(own, Ordering::SeqCst);
    });
}

/// How many were caught so far.
pub(crate) fn seen() -> usize {
    // SAFETY: null, or the page that `arm` made, which stays.
    unsafe { SEEN.load(Ordering::SeqCst).as_ref() }.map_or(0, |seen| seen.load(Ordering::SeqCst))
}

/// Lets others allocate, if they get the lock.
pub(crate) fn be_lenient(lenient: bool) {
    LENIENT.store(lenient, Ordering::SeqCst);
}

/// Ends the process when it is not the one that called [`arm`]. Nothing is allocated or locked.
pub(crate) fn only_in_own_process(what: &str) {
    let own = OWN.load(Ordering::SeqCst);
    // SAFETY: the page that `arm` made stays.
    if own.is_null() || unsafe { own.read_volatile() } == 1 || LENIENT.load(Ordering::SeqCst) {
        return;
    }
    // SAFETY: as in `seen`.
    if let Some(seen) = unsafe { SEEN.load(Ordering::SeqCst).as_ref() } {
        seen.fetch_add(1, Ordering::SeqCst);
    }
    for text in ["called between clone3 and execve: ", what, "\n"] {
        // SAFETY: the text is valid for its length.
        unsafe { libc::write(2, text.as_ptr().cast(), text.len()) };
    }
    // SAFETY: takes no pointer and does not return.
    unsafe { libc::_exit(CAUGHT) }
}

fn page(kind: c_int) -> *mut u8 {
    map(4096, kind).cast()
}

fn map(length: usize, kind: c_int) -> *mut c_void {
    let (rights, flags) = (libc::PROT_READ | libc::PROT_WRITE, kind | libc::MAP_ANONYMOUS);
    // SAFETY: new memory, at an address of the kernel's choice.
    let memory = unsafe { libc::mmap(ptr::null_mut(), length, rights, flags, -1, 0) };
    if memory == libc::MAP_FAILED { ptr::null_mut() } else { memory }
}

/// The allocator's lock; held as long as this lives.
pub(crate) struct Held(());

static LOCKED: AtomicBool = AtomicBool::new(false);

impl Held {
    pub(crate) fn new() -> Self {
        while LOCKED.swap(true, Ordering::Acquire) {
            // SAFETY: takes no pointer.
            unsafe { libc::sched_yield() };
        }
        Self(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        LOCKED.store(false, Ordering::Release);
    }
}

/// Before every piece of memory: where its block begins, and which size the block has.
#[repr(C)]
struct Header {
    block: *mut u8,
    class: usize,
}

const HEADER: usize = size_of::<Header>();
/// What malloc(3) promises on 64-bit machines.
const ALIGNMENT: usize = 16;
/// Blocks are powers of two.
const CLASSES: usize = 48;
const SMALLEST: usize = 5;
const CHUNK: usize = 1 << 20;

/// Free blocks of each size, linked through their first word; and memory that was never used.
struct Arena {
    free: [*mut u8; CLASSES],
    next: *mut u8,
    left: usize,
}

/// Only touched with the lock held.
static mut ARENA: Arena =
    Arena { free: [ptr::null_mut(); CLASSES], next: ptr::null_mut(), left: 0 };

/// A block of `1 << class` bytes.
unsafe fn take(class: usize) -> *mut u8 {
    let _held = Held::new();
    // SAFETY: the lock is held.
    let arena = unsafe { &mut *(&raw mut ARENA) };
    let first = arena.free[class];
    if !first.is_null() {
        // SAFETY: the first word of a free block is the next of its list.
        arena.free[class] = unsafe { first.cast::<*mut u8>().read() };
        return first;
    }
    let size = 1 << class;
    if arena.left < size {
        let length = CHUNK.max(size);
        arena.next = map(length, libc::MAP_PRIVATE).cast();
        arena.left = if arena.next.is_null() { 0 } else { length };
    }
    if arena.next.is_null() {
        return ptr::null_mut();
    }
    let block = arena.next;
    arena.next = arena.next.wrapping_add(size);
    arena.left -= size;
    block
}

unsafe fn give(block: *mut u8, class: usize) {
    let _held = Held::new();
    // SAFETY: the lock is held.
    let arena = unsafe { &mut *(&raw mut ARENA) };
    // SAFETY: nobody uses the block any more.
    unsafe { block.cast::<*mut u8>().write(arena.free[class]) };
    arena.free[class] = block;
}

fn header(memory: *mut c_void) -> *mut Header {
    memory.cast::<Header>().wrapping_sub(1)
}

unsafe fn allocate(alignment: usize, size: usize) -> *mut c_void {
    let room = size.saturating_add(HEADER + alignment);
    if room > 1 << (CLASSES - 1) {
        return ptr::null_mut();
    }
    let class = (room.next_power_of_two().trailing_zeros() as usize).max(SMALLEST);
    // SAFETY: the class is in range.
    let block = unsafe { take(class) };
    if block.is_null() {
        return ptr::null_mut();
    }
    let first = block.wrapping_add(HEADER);
    let memory: *mut c_void = first.wrapping_add(first.align_offset(alignment)).cast();
    // SAFETY: there is room for a header before `memory`, which is aligned for it.
    unsafe { header(memory).write(Header { block, class }) };
    memory
}

#[unsafe(no_mangle)]
unsafe extern "C" fn malloc(size: usize) -> *mut c_void {
    only_in_own_process("malloc");
    // SAFETY: the alignment is a power of two.
    unsafe { allocate(ALIGNMENT, size) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn free(memory: *mut c_void) {
    if memory.is_null() {
        return;
    }
    only_in_own_process("free");
    // SAFETY: the caller gives back what `allocate` gave.
    let Header { block, class } = unsafe { header(memory).read() };
    // SAFETY: as above.
    unsafe { give(block, class) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn calloc(count: usize, size: usize) -> *mut c_void {
    only_in_own_process("calloc");
    let Some(size) = count.checked_mul(size) else {
        return ptr::null_mut();
    };
    // SAFETY: the alignment is a power of two.
    let memory = unsafe { allocate(ALIGNMENT, size) };
    if !memory.is_null() {
        // SAFETY: `memory` has this size.
        unsafe { memory.write_bytes(0, size) };
    }
    memory
}

#[unsafe(no_mangle)]
unsafe extern "C" fn realloc(memory: *mut c_void, size: usize) -> *mut c_void {
    only_in_own_process("realloc");
    // SAFETY: the caller passes what `allocate` gave, or null.
    let usable = unsafe { malloc_usable_size(memory) };
    if size <= usable && !memory.is_null() {
        return memory;
    }
    // SAFETY: the alignment is a power of two.
    let new = unsafe { allocate(ALIGNMENT, size) };
    if !new.is_null() && !memory.is_null() {
        // SAFETY: both are at least this long, and different.
        unsafe { ptr::copy_nonoverlapping::<u8>(memory.cast(), new.cast(), usable.min(size)) };
        // SAFETY: as above.
        unsafe { free(memory) };
    }
    new
}

#[unsafe(no_mangle)]
unsafe extern "C" fn malloc_usable_size(memory: *mut c_void) -> usize {
    if memory.is_null() {
        return 0;
    }
    // SAFETY: the caller passes what `allocate` gave.
    let Header { block, class } = unsafe { header(memory).read() };
    block.wrapping_add(1 << class).addr() - memory.addr()
}

#[unsafe(no_mangle)]
unsafe extern "C" fn aligned_alloc(alignment: usize, size: usize) -> *mut c_void {
    only_in_own_process("aligned_alloc");
    // SAFETY: the caller passes a power of two.
    unsafe { allocate(alignment.max(ALIGNMENT), size) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memalign(alignment: usize, size: usize) -> *mut c_void {
    // SAFETY: the same contract.
    unsafe { aligned_alloc(alignment, size) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn valloc(size: usize) -> *mut c_void {
    // SAFETY: a page is a power of two.
    unsafe { aligned_alloc(4096, size) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn pvalloc(size: usize) -> *mut c_void {
    // SAFETY: as above.
    unsafe { aligned_alloc(4096, size.next_multiple_of(4096)) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn posix_memalign(to: *mut *mut c_void, alignment: usize, size: usize) -> c_int {
    // SAFETY: the same contract.
    let memory = unsafe { aligned_alloc(alignment, size) };
    if memory.is_null() {
        return libc::ENOMEM;
    }
    // SAFETY: the caller gives a place to write to.
    unsafe { to.write(memory) };
    0
}
