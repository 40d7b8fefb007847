//! The checker refuses what the kernel refuses: who trusts it trusts no filter that cannot be loaded.

mod support;

use skep_seccomp::Instruction;
use support::interpreter::{MOST, check};

const LOAD: u16 = 0x20;
const EQUAL: u16 = 0x15;
const JUMP: u16 = 0x05;
const RETURN: Instruction = Instruction { code: 0x06, jt: 0, jf: 0, k: 0 };

fn instruction(code: u16, jt: u8, jf: u8, k: u32) -> Instruction {
    Instruction { code, jt, jf, k }
}

/// Whether it is taken before one instruction that returns.
fn is_taken(first: Instruction) -> bool {
    check(&[first, RETURN]).is_ok()
}

#[test]
fn programs_have_a_length_and_an_end() {
    assert!(check(&[RETURN]).is_ok());
    assert!(check(&[]).is_err());
    assert!(check(&[RETURN; MOST]).is_ok());
    assert!(check(&[RETURN; MOST + 1]).is_err());
    assert!(check(&[RETURN, instruction(LOAD, 0, 0, 0)]).is_err());
}

#[test]
fn jumps_stay_inside() {
    assert!(is_taken(instruction(EQUAL, 0, 0, 0)));
    assert!(!is_taken(instruction(EQUAL, 1, 0, 0)));
    assert!(!is_taken(instruction(EQUAL, 0, 1, 0)));
    assert!(is_taken(instruction(JUMP, 0, 0, 0)));
    assert!(!is_taken(instruction(JUMP, 0, 0, 1)));
    assert!(!is_taken(instruction(JUMP, 0, 0, u32::MAX)));
}

#[test]
fn loads_are_of_whole_words_of_a_call() {
    for offset in (0..64).step_by(4) {
        assert!(is_taken(instruction(LOAD, 0, 0, offset)));
    }
    for offset in [1, 2, 3, 61, 64, u32::MAX - 3] {
        assert!(!is_taken(instruction(LOAD, 0, 0, offset)), "{offset}");
    }
}

#[test]
fn instructions_are_those_of_filters() {
    // Of packets: half words, bytes, indirect loads, the packet's length.
    for code in [0x28, 0x30, 0x40, 0xb1, u16::MAX] {
        assert!(!is_taken(instruction(code, 0, 0, 0)), "{code:#x}");
    }
}
