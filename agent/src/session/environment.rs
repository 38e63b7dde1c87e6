//! `SIGHEAP`: what whoever starts the program wants of the agent. Reads text, touches nothing.

use crate::heap::Mode;
use crate::options::Options;
use crate::os::signals;
use crate::query::nearest;

/// What the variable may hold, for hints.
const WORDS: [&str; 5] = ["off", "on", "track", "signal", "chain"];

/// The options as the variable changes them, and a line for each word of it that could not be heeded.
pub(super) fn read(text: &str, built: Options) -> (Options, Vec<String>) {
    let mut options = built;
    let mut problems = Vec::new();
    let words = text.split(',').map(str::trim);
    for word in words.filter(|word| !word.is_empty()) {
        if let Err(why) = apply(word, &mut options) {
            let word = shortened(word);
            let end = if why.ends_with('?') { "" } else { "." };
            problems.push(format!("SIGHEAP: `{word}` is not heeded: {why}{end}"));
        }
    }
    (options, problems)
}

/// Options without a signal that may not open the heap, and what there is to say about it.
pub(super) fn checked(built: Options) -> (Options, Option<String>) {
    match built.signal {
        Some(signal) if !signals::is_usable(signal) => {
            let name = signals::name(signal);
            let problem = format!(
                "{name} cannot open the heap: it ends programs or means something else. SIGQUIT does instead."
            );
            let signal = Options::default().signal;
            (Options { signal, ..built }, Some(problem))
        }
        _ => (built, None),
    }
}

fn apply(word: &str, options: &mut Options) -> Result<(), String> {
    let (key, value) = match word.split_once('=') {
        Some((key, value)) => (key.trim_end(), Some(value.trim_start())),
        None => (word, None),
    };
    match (key, value) {
        ("off", None) => options.off = true,
        ("on", None) => options.off = false,
        ("chain", None | Some("on")) => options.chain = true,
        ("chain", Some("off")) => options.chain = false,
        ("signal", Some("none")) => options.signal = None,
        ("signal", Some(name)) => options.signal = Some(signal(name)?),
        ("track", Some(mode)) => options.track = read_mode(mode)?,
        ("signal", None) => return Err(wants("signal=USR2")),
        ("track", None) => return Err(wants("track=sampled:512k")),
        ("chain", Some(_)) => return Err(wants("chain")),
        ("off" | "on", Some(_)) => return Err(wants(key)),
        _ => return Err(unknown(key)),
    }
    Ok(())
}

fn signal(name: &str) -> Result<i32, String> {
    let Some(signal) = signals::by_name(name) else {
        let near = nearest(name.trim_start_matches("SIG"), signals::usable_names());
        let near = near
            .first()
            .map(|near| format!("; did you mean `signal={near}`?"));
        return Err(format!(
            "there is no such signal{}",
            near.unwrap_or_default()
        ));
    };
    if signals::is_usable(signal) {
        Ok(signal)
    } else {
        Err("it ends programs or means something else; USR2 would do".to_owned())
    }
}

fn read_mode(mode: &str) -> Result<Mode, String> {
    mode.parse()
        .map_err(|error: crate::heap::NoMode| error.to_string())
}

fn unknown(key: &str) -> String {
    match nearest(key, WORDS.into_iter()).first() {
        Some(near) => format!("there is none of that name; did you mean `{near}`?"),
        None => format!("there are {}", WORDS.join(", ")),
    }
}

fn wants(example: &str) -> String {
    format!("it is written `{example}`")
}

/// A word as it can be shown in a line.
fn shortened(word: &str) -> String {
    const MOST: usize = 40;
    let short: String = word.chars().take(MOST).collect();
    if short.len() < word.len() {
        format!("{short}…")
    } else {
        short
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::num::NonZeroU64;

    fn options(text: &str) -> Options {
        let (options, problems) = read(text, Options::default());
        assert!(problems.is_empty(), "{text}: {problems:?}");
        options
    }

    fn problem(text: &str) -> String {
        let (options, mut problems) = read(text, Options::default());
        assert_eq!(options, Options::default(), "{text} changes nothing");
        assert_eq!(problems.len(), 1, "{text}: {problems:?}");
        problems.remove(0)
    }

    #[test]
    fn every_option_is_read() {
        let all = options(" track = sampled:64k , signal=SIGUSR2,chain,,");
        let mean = NonZeroU64::new(64 << 10).unwrap();
        assert_eq!(
            all,
            Options {
                off: false,
                signal: Some(libc::SIGUSR2),
                chain: true,
                track: Mode::Sampled(mean),
            }
        );
        assert!(options("off").off);
        assert_eq!(options("signal=none").signal, None);
        assert_eq!(options(""), Options::default());
    }

    #[test]
    fn the_environment_wins_over_what_was_built() {
        let built = Options {
            off: true,
            signal: None,
            chain: true,
            track: Mode::Off,
        };
        let (options, problems) = read("on,signal=QUIT,chain=off,track=full", built);
        assert_eq!((options, problems), (Options::default(), Vec::new()));
    }

    #[test]
    fn what_is_not_heeded_is_named_with_a_way_to_mend_it() {
        for (text, mend) in [
            ("sginal=USR2", "did you mean `signal`?"),
            ("signal=USR", "did you mean `signal=USR1`?"),
            ("signal=KILL", "USR2 would do"),
            ("signal", "it is written `signal=USR2`"),
            ("track", "it is written `track=sampled:512k`"),
            ("off=1", "it is written `off`"),
            ("xyzzy", "there are off, on, track, signal, chain"),
            ("track=half", "`half` is no way of tracking"),
        ] {
            let problem = problem(text);
            assert!(
                problem.contains(text) && problem.contains(mend),
                "{problem}"
            );
        }
    }

    #[test]
    fn a_bad_word_does_not_spoil_its_neighbours() {
        let (options, problems) = read("track=half,chain,nonsense", Options::default());
        assert!(options.chain);
        assert_eq!(problems.len(), 2);
    }

    #[test]
    fn a_signal_that_was_built_is_checked_too() {
        let built = Options {
            signal: Some(libc::SIGKILL),
            ..Options::default()
        };
        let (options, problem) = checked(built);
        assert_eq!(options, Options::default());
        assert!(problem.is_some_and(|problem| problem.contains("SIGKILL")));
    }

    proptest! {
        #[test]
        fn no_text_panics(text: String) {
            _ = read(&text, Options::default());
        }

        #[test]
        fn no_text_of_its_own_letters_panics(text in "(off|on|chain|track|signal|USR2|sampled|=|:|,| |é){0,12}") {
            _ = read(&text, Options::default());
        }
    }
}
