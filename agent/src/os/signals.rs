//! Signals by name and number, and which of them may open the heap.

use super::stop;

/// The signals that may open the heap: by default they end a program, they are no fault of its own, and nobody waits for
/// the program to end of them.
const USABLE: [(&str, i32); 8] = [
    ("QUIT", libc::SIGQUIT),
    ("USR1", libc::SIGUSR1),
    ("USR2", libc::SIGUSR2),
    ("ALRM", libc::SIGALRM),
    ("VTALRM", libc::SIGVTALRM),
    ("PROF", libc::SIGPROF),
    ("IO", libc::SIGIO),
    ("PWR", libc::SIGPWR),
];

/// Other signals that a user may name, so that the refusal can.
const OTHERS: [(&str, i32); 10] = [
    ("HUP", libc::SIGHUP),
    ("INT", libc::SIGINT),
    ("TERM", libc::SIGTERM),
    ("KILL", libc::SIGKILL),
    ("STOP", libc::SIGSTOP),
    ("CHLD", libc::SIGCHLD),
    ("PIPE", libc::SIGPIPE),
    ("WINCH", libc::SIGWINCH),
    ("SEGV", libc::SIGSEGV),
    ("ABRT", libc::SIGABRT),
];

/// Whether this signal may open the heap.
pub(crate) fn is_usable(signal: i32) -> bool {
    let real_time = (libc::SIGRTMIN()..=libc::SIGRTMAX()).contains(&signal);
    USABLE.iter().any(|(_, known)| *known == signal) || real_time && signal != stop::signal()
}

/// The signal of this name (`USR2`, `SIGUSR2`, `RTMIN+3`) or number.
pub(crate) fn by_name(word: &str) -> Option<i32> {
    let word = word.to_ascii_uppercase();
    if let Ok(number) = word.parse() {
        return Some(number);
    }
    let name = word.strip_prefix("SIG").unwrap_or(&word);
    if let Some(above) = name.strip_prefix("RTMIN") {
        let above: i32 = match above.strip_prefix('+') {
            Some(number) => number.parse().ok()?,
            None if above.is_empty() => 0,
            None => return None,
        };
        return libc::SIGRTMIN().checked_add(above);
    }
    let mut known = USABLE.iter().chain(&OTHERS);
    known
        .find(|(known, _)| *known == name)
        .map(|(_, signal)| *signal)
}

/// What it is called: `SIGQUIT`, `SIGRTMIN+3`.
pub(crate) fn name(signal: i32) -> String {
    let mut known = USABLE.iter().chain(&OTHERS);
    if let Some((name, _)) = known.find(|(_, known)| *known == signal) {
        return format!("SIG{name}");
    }
    match signal.checked_sub(libc::SIGRTMIN()) {
        Some(above @ 0..) if signal <= libc::SIGRTMAX() => format!("SIGRTMIN+{above}"),
        _ => format!("signal {signal}"),
    }
}

/// The names that [`by_name`] takes and [`is_usable`] allows.
pub(crate) fn usable_names() -> impl Iterator<Item = &'static str> {
    USABLE.iter().map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_read() {
        assert_eq!(by_name("USR2"), Some(libc::SIGUSR2));
        assert_eq!(by_name("sigusr2"), Some(libc::SIGUSR2));
        assert_eq!(by_name("12"), Some(12));
        assert_eq!(by_name("RTMIN+3"), Some(libc::SIGRTMIN() + 3));
        assert_eq!(by_name("SIGRTMIN"), Some(libc::SIGRTMIN()));
        for nonsense in ["", "SIG", "USR3", "RTMIN-1", "RTMIN+x", "RTMIN+2147483647"] {
            assert_eq!(by_name(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn every_name_is_read_back() {
        for signal in 1..=libc::SIGRTMAX() {
            let name = name(signal);
            if !name.starts_with("signal ") {
                assert_eq!(by_name(&name), Some(signal), "{name}");
            }
        }
    }

    #[test]
    fn signals_that_mean_something_are_not_usable() {
        for signal in [
            0,
            -1,
            1000,
            libc::SIGKILL,
            libc::SIGTERM,
            libc::SIGSEGV,
            stop::signal(),
        ] {
            assert!(!is_usable(signal), "{signal}");
        }
        assert!(is_usable(libc::SIGQUIT) && is_usable(libc::SIGRTMIN()));
    }
}
