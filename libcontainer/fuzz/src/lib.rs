//! What all targets are: one of the library's own, with the library's own changes of inputs.

pub use libfuzzer_sys;

use libcontainer::fuzz::mutate::Mutator;
use fastrand::Rng;
use libcontainer::fuzz::target;
use std::sync::OnceLock;

/// Gives the target of this name its bytes.
pub fn run(name: &str, data: &[u8]) {
    (target(name).run)(data);
}

/// Mostly as the library's tests do it, and at times as libFuzzer does. The new size.
pub fn mutate(name: &str, data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    static MUTATOR: OnceLock<Mutator> = OnceLock::new();
    let mut random = Rng::with_seed(u64::from(seed));
    if random.u8(..4) != 0 {
        let mutator = MUTATOR.get_or_init(|| Mutator::new(target(name)));
        // An empty corpus begins with the library's own.
        let input = match size < 2 || random.u8(..32) == 0 {
            true => random.choice(mutator.seeds()).unwrap().as_slice(),
            false => &data[..size],
        };
        let changed = mutator.change(input, &mut random);
        if !changed.is_empty() && changed.len() <= max_size {
            data[..changed.len()].copy_from_slice(&changed);
            return changed.len();
        }
    }
    libfuzzer_sys::fuzzer_mutate(data, size, max_size)
}

/// A whole program for one target.
#[macro_export]
macro_rules! fuzz {
    ($name:literal) => {
        use $crate::libfuzzer_sys;
        libfuzzer_sys::fuzz_target!(|data: &[u8]| $crate::run($name, data));
        libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
            $crate::mutate($name, data, size, max_size, seed)
        });
    };
}
