//! Classic BPF as the kernel runs it for seccomp: Documentation/networking/filter.rst.

use skep_seccomp::{Arch, Call, Instruction};

/// What a program returns for a call.
pub(crate) fn run(program: &[Instruction], call: &Call) -> u32 {
    let data = data(call);
    let (mut at, mut accumulator) = (0, 0);
    loop {
        let Instruction { code, jt, jf, k } = program[at];
        let test = |holds: bool| usize::from(if holds { jt } else { jf });
        at += 1;
        match code {
            0x06 => return k,
            0x20 => accumulator = word(&data, k as usize),
            0x54 => accumulator &= k,
            0x05 => at += k as usize,
            0x15 => at += test(accumulator == k),
            0x25 => at += test(accumulator > k),
            0x35 => at += test(accumulator >= k),
            0x45 => at += test(accumulator & k != 0),
            _ => panic!("{at}: unknown instruction {code:#x}"),
        }
    }
}

fn word(data: &[u8; 64], offset: usize) -> u32 {
    assert!(offset.is_multiple_of(4), "the kernel loads whole words only");
    u32::from_ne_bytes(data[offset..offset + 4].try_into().unwrap())
}

/// `struct seccomp_data`, in whose words this machine's order of bytes is that of the call's.
fn data(call: &Call) -> [u8; 64] {
    let mut data = [0; 64];
    data[0..4].copy_from_slice(&call.number.to_ne_bytes());
    data[4..8].copy_from_slice(&call.arch.token().to_ne_bytes());
    for (at, arg) in call.args.iter().enumerate() {
        let (high, low) = ((arg >> 32) as u32, *arg as u32);
        let halves = if is_little_endian(call.arch) { [low, high] } else { [high, low] };
        for (half, value) in halves.into_iter().enumerate() {
            let begin = 16 + at * 8 + half * 4;
            data[begin..begin + 4].copy_from_slice(&value.to_ne_bytes());
        }
    }
    data
}

/// By the bit of linux/audit.h.
pub(crate) fn is_little_endian(arch: Arch) -> bool {
    arch.token() & 0x4000_0000 != 0
}
