//! Counts over time: what the next look compares itself with. This room may import `heap` and `report`; it knows no
//! process, terminal or clock.

mod counts;
mod ledger;
mod names;
mod peaks;
mod wire;

pub(crate) use counts::{Counts, Group, GroupIndex, Tally};
pub(crate) use ledger::{Damaged, LONGEST_NAME, Ledger, MOST_MARKS, Mark, NoMark};
pub(crate) use names::{decode as decode_names, encode as encode_names};
pub(crate) use peaks::Peaks;
