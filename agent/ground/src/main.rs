//! A program that allocates in every way Rust programs do, and knows what it allocated: each idiom is run by an allocator that
//! records the stacks of the blocks it leaves alive, and says by `type_name` and by the addresses it holds what these are.
//!
//! Prints it all, for the test beside it to compare with what `resolve` makes of the stacks. Knows nothing of sigheap.
#![expect(unsafe_code, reason = "an allocator that records")]
#![expect(clippy::print_stdout, reason = "its only output")]
#![expect(
    clippy::unwrap_used,
    reason = "what fails here is a mistake of this program"
)]
#![expect(clippy::borrowed_box, reason = "the box is what is judged")]
#![expect(clippy::useless_vec, reason = "every way of allocating is wanted")]

mod case;
mod crates;
mod idioms;
mod modules;
mod record;
mod unseen;

#[global_allocator]
static RECORDER: record::Recorder = record::Recorder;

fn main() {
    let mut cases = Vec::new();
    idioms::all(&mut cases);
    crates::all(&mut cases);
    unseen::all(&mut cases);
    for module in modules::modules() {
        println!("{module}");
    }
    for case in &cases {
        case.print();
    }
}
