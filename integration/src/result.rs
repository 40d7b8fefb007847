//! What a case gives back, and the checks that make it.

/// A case fails with one line that says what was wanted and what came.
pub(crate) type Res<T = ()> = Result<T, String>;

/// Turns any error into a case's failure, naming what was being done.
pub(crate) trait Doing<T> {
    fn doing(self, what: &str) -> Res<T>;
}

impl<T, E: std::fmt::Display> Doing<T> for Result<T, E> {
    fn doing(self, what: &str) -> Res<T> {
        self.map_err(|error| format!("{what}: {error}"))
    }
}

impl<T> Doing<T> for Option<T> {
    fn doing(self, what: &str) -> Res<T> {
        self.ok_or_else(|| format!("{what}: nothing there"))
    }
}

/// Fails unless both are equal, showing the expression and both values.
macro_rules! same {
    ($got:expr, $want:expr) => {{
        let (got, want) = (&$got, &$want);
        if got != want {
            return Err(format!("{} is {got:?}, wanted {want:?}", stringify!($got)));
        }
    }};
}

/// Fails with the formatted reason unless the condition holds.
macro_rules! holds {
    ($cond:expr, $($why:tt)+) => {
        if !$cond {
            return Err(format!($($why)+));
        }
    };
}

pub(crate) use {holds, same};
