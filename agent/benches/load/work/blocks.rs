//! Blocks of all sizes that live for long.

use super::Dice;

/// Replaces one of 100,000 at random, again and again.
pub(super) fn live() {
    let mut dice = Dice::new(3);
    let mut block = || vec![1u8; 16 + dice.roll(400) as usize];
    let mut blocks: Vec<Vec<u8>> = (0..100_000).map(|_| block()).collect();
    let mut dice = Dice::new(5);
    for _ in 0..2_500_000 {
        let index = dice.roll(blocks.len() as u64) as usize;
        blocks[index] = vec![2u8; 16 + dice.roll(400) as usize];
    }
}
