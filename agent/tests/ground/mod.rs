//! Ground truth: records who allocated what, and judges the names that `resolve` gives.

mod judge;
mod modules;
mod record;

pub(crate) use judge::judge;
pub(crate) use record::{Block, Recorder, record};

/// One idiom: what it left alive, and what that truly is.
pub(crate) struct Case {
    pub(crate) label: &'static str,
    pub(crate) blocks: Vec<Block>,
    /// Addresses with the owner's name; address 0 stands for every other block.
    pub(crate) truth: Vec<(usize, String)>,
}

/// Runs an idiom and records what it leaves alive. The value itself is never dropped, so that addresses stay its own.
macro_rules! case {
    ($out:expr, $label:expr, $truth:expr, $make:expr) => {{
        let mut made = None;
        let blocks = $crate::ground::record(&mut || {
            // No other idiom's code is equal: the linker does not make one of both.
            std::hint::black_box((module_path!(), $label));
            made = Some($make);
        });
        let made = std::mem::ManuallyDrop::new(made.unwrap());
        let truth = $crate::ground::truth($truth, &*made);
        let label = $label;
        $out.push($crate::ground::Case {
            label,
            blocks,
            truth,
        });
    }};
}
pub(crate) use case;

/// Says what the blocks of a value truly are.
pub(crate) trait Truth<T> {
    fn of(&self, made: &T) -> Vec<(usize, String)>;
}

/// All blocks of the idiom have this owner.
pub(crate) struct All(String);

impl<T> Truth<T> for All {
    fn of(&self, _: &T) -> Vec<(usize, String)> {
        vec![(0, self.0.clone())]
    }
}

impl<T, F: Fn(&T) -> Vec<(usize, String)>> Truth<T> for F {
    fn of(&self, made: &T) -> Vec<(usize, String)> {
        self(made)
    }
}

/// Applies it: a function, so that the type of a closure's argument is known.
pub(crate) fn truth<T>(truth: impl Truth<T>, made: &T) -> Vec<(usize, String)> {
    truth.of(made)
}

/// All blocks of the idiom have this owner.
pub(crate) fn rest(owner: impl Into<String>) -> All {
    All(owner.into())
}

/// The block at this address has this owner.
pub(crate) fn at<T: ?Sized>(address: *const T, owner: impl Into<String>) -> (usize, String) {
    (address.cast::<u8>() as usize, owner.into())
}
