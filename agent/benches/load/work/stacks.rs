//! Call stacks: one, many, and without end.

use std::hint::black_box;

use super::Dice;

/// Formats and drops below a dozen frames.
pub(super) fn hot() {
    black_box(deep::<12>(0));
}

#[inline(never)]
fn deep<const FRAMES: usize>(below: usize) -> usize {
    if below == FRAMES {
        return format_some();
    }
    // Another function for each frame: of one it would be a recursion, which is folded.
    let next = match below % 4 {
        0 => first::<FRAMES>,
        1 => second::<FRAMES>,
        2 => third::<FRAMES>,
        _ => fourth::<FRAMES>,
    };
    black_box(next(below)) + 1
}

macro_rules! frames {
    ($($name:ident)*) => {$(
        #[inline(never)]
        fn $name<const FRAMES: usize>(below: usize) -> usize {
            black_box(deep::<FRAMES>(below + 1)) + 1
        }
    )*};
}

frames!(first second third fourth);

#[inline(never)]
fn format_some() -> usize {
    let mut sum = 0;
    for number in 0..3_000_000u64 {
        sum += black_box(number.to_string()).len();
    }
    sum
}

/// Takes one of 10,000 ways down to an allocation, in an order without pattern.
pub(super) fn many() {
    let mut dice = Dice::new(7);
    for _ in 0..2_500_000 {
        black_box(step(dice.roll(10_000) as usize, 4));
    }
}

type Step = fn(usize, u32) -> Box<usize>;

/// Ten functions, so that four decimal digits are a way.
#[inline(never)]
fn step(way: usize, digits: u32) -> Box<usize> {
    const STEPS: [Step; 10] = [
        go::<0>, go::<1>, go::<2>, go::<3>, go::<4>, go::<5>, go::<6>, go::<7>, go::<8>, go::<9>,
    ];
    if digits == 0 {
        return Box::new(way);
    }
    STEPS[way % 10](way / 10, digits - 1)
}

#[inline(never)]
fn go<const DIGIT: usize>(way: usize, digits: u32) -> Box<usize> {
    let mut boxed = step(way, digits);
    *boxed += black_box(DIGIT);
    boxed
}

/// Builds trees of one, two or three branches at random depths, whose nodes are boxed by three functions that call each
/// other in no order: of those call stacks hardly any is like another.
pub(super) fn mint() {
    let mut dice = Dice::new(9);
    for _ in 0..1500 {
        black_box(red(&mut dice, 24));
    }
}

struct Tree {
    _branches: Vec<Tree>,
    _name: String,
}

macro_rules! build {
    ($($name:ident)*) => {$(
        #[inline(never)]
        fn $name(dice: &mut Dice, depth: usize) -> Tree {
            let count = if depth == 0 { 0 } else { 1 + dice.roll(8) / 7 * (depth > 12) as u64 };
            let mut branches = Vec::new();
            for _ in 0..count {
                branches.push(match dice.roll(3) {
                    0 => red(dice, depth - 1),
                    1 => green(dice, depth - 1),
                    _ => blue(dice, depth - 1),
                });
            }
            Tree { _branches: branches, _name: depth.to_string() }
        }
    )*};
}

build!(red green blue);
