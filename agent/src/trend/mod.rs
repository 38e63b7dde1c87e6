//! Counts over time: what the next look compares itself with. This room may import `heap` and `report`; it knows no
//! process, terminal or clock.

mod counts;
mod wire;

pub(crate) use counts::{Counts, Group, GroupIndex};
