//! The types that `resolve` infers, against the truth: every idiom by which Rust code allocates, recorded by an allocator of
//! this test's own, with the type known at the place of birth.
#![expect(unsafe_code, reason = "an allocator that records")]
#![expect(clippy::print_stdout, reason = "the score is the point")]
#![expect(clippy::unwrap_used, reason = "a test")]

mod ground;
mod idioms;

#[global_allocator]
static RECORDER: ground::Recorder = ground::Recorder;

#[test]
fn types_are_those_of_the_program() {
    ground::judge(&idioms::all());
}
