//! What holds for every command, and what each answers about the fixture.

use std::collections::HashSet;

use super::command::shown;
use super::fixture::{Asked, Book, past, snapshot};
use super::*;
use crate::heap::{Gap, Request};
use crate::render::{Style, json, text, width};
use crate::report::Report;
use crate::trend::Counts;

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

fn ask(view: &mut View<'_>, line: &str) -> Result<Report, Error> {
    let words = words(line);
    let report = find(&words[0])?.answer(view, &words[1..], &mut Asked::default())?;
    view.number(&report.objects);
    Ok(report)
}

/// The answers to several lines of one look, with the look before.
fn answers(lines: &[&str]) -> Vec<Result<Report, Error>> {
    let (snapshot, mut book, past) = (snapshot(), Book::default(), past());
    let mut view = View::new(&snapshot, &mut book, Some(&past));
    lines.iter().map(|line| ask(&mut view, line)).collect()
}

/// The text of the last of several lines.
fn shows(lines: &[&str]) -> String {
    let last = answers(lines).pop().expect("a line was asked");
    text(
        &last.expect("it has an answer"),
        Style {
            width: 80,
            colour: false,
        },
    )
}

#[test]
fn see() {
    for lines in [
        &["help"][..],
        &["help top"],
        &["info"],
        &["top"],
        &["list * 3"],
        &["growth --all"],
        &["growth"],
        &["sites"],
        &["list Arc", "where #1"],
        &["sites", "where #1 --full"],
        &["where 0x1010"],
    ] {
        println!("> {lines:?}\n{}", shows(lines));
    }
    let (snapshot, mut book, past) = (snapshot(), Book::default(), past());
    let mut view = View::new(&snapshot, &mut book, Some(&past));
    println!(
        "{}",
        text(
            &first_screen(&mut view),
            Style {
                width: 80,
                colour: false
            }
        )
    );
    for line in [
        "top 1",
        "where 0x1010",
        "info",
        "growth 1",
        "sites 1",
        "list Arc 1",
    ] {
        println!("{}", json(&ask(&mut view, line).unwrap(), &view.capture()));
    }
    let (snapshot, mut book, past) = (
        super::fixture::large(),
        Book::default(),
        super::fixture::past(),
    );
    let start = std::time::Instant::now();
    let mut view = View::new(&snapshot, &mut book, Some(&past));
    ask(&mut view, "top").unwrap();
    println!("top of a million: {:?}", start.elapsed());
    _ = (
        HashSet::from([1]),
        Gap::new("", ""),
        Request::Continue,
        width(""),
        Counts::default(),
        shown(),
    );
}
