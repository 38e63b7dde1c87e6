//! The types that `resolve` infers, against the truth that the program beside this test knows of itself.
//!
//! `cargo test --release -p ground -- --nocapture` prints the figures, `.ci/types` the table of every kind of build. `WRONG=1`
//! prints each mistake, `DOUBT=1` what is right and not `exact`, `STACKS=1` their stacks too; `UNSEEN=1` those of the part that was
//! written last alone.
#![expect(clippy::print_stdout, reason = "the score is the point")]

mod disk;
mod judge;
mod program;
mod score;

use program::Program;

/// What this profile must reach: see the table in docs/types.md.
const LEAST: score::Least = if cfg!(debug_assertions) {
    score::Least {
        right: 0.995,
        exact: 0.85,
    }
} else {
    score::Least {
        right: 0.985,
        exact: 0.85,
    }
};

#[test]
fn types_are_those_of_the_program() {
    let program = Program::run(env!("CARGO_BIN_EXE_ground"));
    let score = judge::judge(&program);
    println!("{score}");
    assert!(score.all().pairs() >= 1500, "too few pairs to say anything");
    score.demand(&LEAST).expect("less than docs/types.md says");
}

/// The judge can say no: with the truth of each pair given to another one, nothing is right.
#[test]
fn a_shuffled_truth_is_found_wrong() {
    let mut program = Program::run(env!("CARGO_BIN_EXE_ground"));
    program.shuffle();
    let score = judge::judge(&program);
    assert!(score.demand(&LEAST).is_err());
    assert!(score.all().right() < 0.2, "{score}");
}

/// One row of the table for each of the programs that the environment names, `name=path` a line. Run by `.ci/types`.
#[test]
#[ignore = "judges programs built elsewhere"]
fn table() {
    let programs = std::env::var("GROUND_PROGRAMS").expect("`name=path`, a line each");
    print!("{}", score::HEADER);
    let mut wanting = Vec::new();
    for line in programs.lines() {
        let (name, path) = line.split_once('=').expect("`name=path`");
        let score = judge::judge(&Program::run(path));
        print!("{}", score.row(name));
        let failed = score.demand_exactness().err();
        wanting.extend(failed.map(|why| format!("{name}: {why}")));
    }
    assert!(wanting.is_empty(), "{wanting:?}");
}
