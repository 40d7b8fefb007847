//! System calls by name and by number, on each architecture.
//!
//! `table.rs` has a row for each name. Here the rows are turned, while compiling, into what is quick
//! to read: the names with a hash table over them, and an array of numbers for each column, so that
//! the columns that nobody asks for are never read into memory.

pub(crate) use crate::table::Column;
use crate::table::{COLUMNS, NO, ROWS};

/// The place of a name: the same in all columns, so a name is looked up once for all of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Name(u16);

impl Name {
    /// Smaller than [`LEN`].
    pub(crate) const fn place(self) -> usize {
        self.0 as usize
    }

    pub(crate) fn as_str(self) -> &'static str {
        NAMES[self.place()]
    }

    /// Its number; `None` when the architecture has no such call. x32's numbers are without its bit,
    /// 0x40000000.
    pub(crate) fn number(self, column: Column) -> Option<u32> {
        match NUMBERS[column as usize][self.place()] {
            NO => None,
            private @ PRIVATE.. => Some(PRIVATE_BASE + u32::from(private - PRIVATE)),
            number => Some(u32::from(number)),
        }
    }
}

/// How many names there are; an index is smaller than this.
pub(crate) const LEN: usize = ROWS.len();

static NAMES: [&str; LEN] = names();
static NUMBERS: [[u16; LEN]; COLUMNS] = numbers_of_columns();

/// For each hash the index of a name, or `EMPTY`. A name whose slot is taken is in the next empty
/// one. Half of the slots or more are empty, so few are passed on the way.
static SLOTS: [u16; SLOT_COUNT] = slots();
const SLOT_COUNT: usize = (2 * LEN).next_power_of_two();
const EMPTY: u16 = u16::MAX;

/// What the table has in place of 0x0f0000, the base of ARM's private calls. All other numbers are smaller.
const PRIVATE: u16 = 0xf000;
const PRIVATE_BASE: u32 = 0x0f_0000;

/// Finds a name.
pub(crate) const fn find(name: &str) -> Option<Name> {
    let mut slot = hash(name.as_bytes());
    while SLOTS[slot] != EMPTY {
        let place = SLOTS[slot];
        if same(NAMES[place as usize].as_bytes(), name.as_bytes()) {
            return Some(Name(place));
        }
        slot = (slot + 1) % SLOT_COUNT;
    }
    None
}

const fn same(one: &[u8], other: &[u8]) -> bool {
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

/// Returns the name of the call `number`, x32's without its bit. Where two names have one number,
/// it is the first of them in the alphabet: arm's 341 is `arm_sync_file_range`, which is what the
/// kernel calls it, and not `sync_file_range2`. It looks at the whole column: it is for texts, not for work.
pub(crate) fn name(column: Column, number: u32) -> Option<&'static str> {
    numbers(column).find(|&(_, other)| other == number).map(|(name, _)| name)
}

/// Returns the names and numbers of all calls of an architecture, in the order of the names.
pub(crate) fn numbers(column: Column) -> impl Iterator<Item = (&'static str, u32)> {
    let names = (0..LEN).map(|place| Name(place as u16));
    names.filter_map(move |name| Some((name.as_str(), name.number(column)?)))
}

/// FNV-1a, cut to a slot. Whoever writes a profile can do no harm with names of one hash: the table
/// is fixed, and to look up takes as many steps as there are full slots in one run.
const fn hash(name: &[u8]) -> usize {
    let mut hash: u32 = 0x811c_9dc5;
    let mut at = 0;
    while at < name.len() {
        hash = (hash ^ name[at] as u32).wrapping_mul(0x0100_0193);
        at += 1;
    }
    (hash ^ (hash >> 16)) as usize % SLOT_COUNT
}

const fn names() -> [&'static str; LEN] {
    let mut names = [""; LEN];
    let mut index = 0;
    while index < LEN {
        names[index] = ROWS[index].0;
        index += 1;
    }
    names
}

const fn numbers_of_columns() -> [[u16; LEN]; COLUMNS] {
    let mut numbers = [[NO; LEN]; COLUMNS];
    let mut at = 0;
    while at < LEN * COLUMNS {
        numbers[at % COLUMNS][at / COLUMNS] = ROWS[at / COLUMNS].1[at % COLUMNS];
        at += 1;
    }
    numbers
}

const fn slots() -> [u16; SLOT_COUNT] {
    let mut slots = [EMPTY; SLOT_COUNT];
    let mut index = 0;
    while index < LEN {
        let mut slot = hash(ROWS[index].0.as_bytes());
        while slots[slot] != EMPTY {
            slot = (slot + 1) % SLOT_COUNT;
        }
        slots[slot] = index as u16;
        index += 1;
    }
    slots
}

#[cfg(test)]
mod tests;
