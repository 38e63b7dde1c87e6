//! An idiom, what it left alive, and what that truly is.

use crate::record::Block;

/// One idiom.
pub(crate) struct Case {
    /// Where it stands and what it is called: `plain::word/Vec::clone`.
    pub(crate) label: String,
    pub(crate) blocks: Vec<Block>,
    /// Addresses with the owner's name; address 0 stands for every other block.
    pub(crate) truth: Vec<(usize, String)>,
}

impl Case {
    /// A line for the idiom, and one for each of its blocks: size, alignment, type (empty if unknown), stack.
    pub(crate) fn print(&self) {
        println!("case\t{}", self.label);
        for block in &self.blocks {
            let (size, align) = (block.layout.size(), block.layout.align());
            let stack: Vec<_> = block.stack.iter().map(|one| format!("{one:x}")).collect();
            let truth = self.truth_of(block);
            println!("block\t{size}\t{align}\t{truth}\t{}", stack.join(" "));
        }
    }

    fn truth_of(&self, block: &Block) -> &str {
        let known = |address| self.truth.iter().find(|(at, _)| *at == address);
        let found = known(block.address).or_else(|| known(0));
        found.map_or("", |(_, owner)| owner)
    }
}

/// Runs an idiom and records what it leaves alive. The value itself is never dropped, so that addresses stay its own.
macro_rules! case {
    ($out:expr, $label:expr, $truth:expr, $make:expr) => {{
        let mut made = None;
        let blocks = $crate::record::record(&mut || {
            // No other idiom's code is equal: the linker does not make one of both.
            std::hint::black_box((module_path!(), $label));
            made = Some($make);
        });
        let made = std::mem::ManuallyDrop::new(made.unwrap());
        let truth = $crate::case::truth($truth, &*made);
        let place = module_path!().trim_start_matches("ground::");
        let label = format!("{place}/{}", $label);
        $out.push($crate::case::Case {
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

/// Every block whose address was not named has this owner.
pub(crate) fn others(owner: impl Into<String>) -> (usize, String) {
    (0, owner.into())
}
