//! Arrays of C strings as execve(2) takes them, made before the clone and only read after it.

use std::cell::Cell;
use std::ffi::{CStr, CString, c_char};
use std::fmt;

/// How long the string may be that [`CStringArray::append`] adds, with its NUL.
const SPARE: usize = 4096;

/// A NULL-terminated array of C strings, with room for one more at either end.
pub(crate) struct CStringArray {
    strings: Vec<CString>,
    pointers: Box<[Cell<*const c_char>]>,
    spare: Box<[Cell<u8>]>,
}

// SAFETY: the pointers point into `strings` and `spare`, which the array owns.
unsafe impl Send for CStringArray {}

impl CStringArray {
    pub(crate) fn new(strings: Vec<CString>) -> Self {
        let free = std::ptr::null();
        let pointers = std::iter::once(free)
            .chain(strings.iter().map(|string| string.as_ptr()))
            .chain([free, free])
            .map(Cell::new);
        Self { pointers: pointers.collect(), strings, spare: Box::default() }
    }

    /// The same, with room for what [`append`](Self::append) adds.
    pub(crate) fn with_room(strings: Vec<CString>) -> Self {
        let spare = std::iter::repeat_n(Cell::new(0), SPARE).collect();
        Self { spare, ..Self::new(strings) }
    }

    /// What execve(2) takes.
    pub(crate) fn as_ptr(&self) -> *const *const c_char {
        self.pointers[1..].as_ptr().cast()
    }

    /// The same with `first` put in front of the others. `first` must live until execve(2).
    pub(crate) fn as_ptr_behind(&self, first: &CStr) -> *const *const c_char {
        self.pointers[0].set(first.as_ptr());
        self.pointers.as_ptr().cast()
    }

    /// Adds a string made of `parts` at the end, if there is room for it.
    pub(crate) fn append(&self, parts: &[&[u8]]) {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        if let (true, Some(place)) =
            (length < self.spare.len(), self.pointers.get(self.strings.len() + 1))
        {
            for (cell, byte) in self.spare.iter().zip(parts.iter().copied().flatten().chain(&[0])) {
                cell.set(*byte);
            }
            place.set(self.spare.as_ptr().cast());
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &CStr> {
        self.strings.iter().map(CString::as_c_str)
    }
}

impl fmt::Debug for CStringArray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
