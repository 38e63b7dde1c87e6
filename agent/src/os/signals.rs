//! Signals by name and number, and which of them may open the heap.

use signal_hook::low_level::signal_name;

use super::stop;

/// The signals that may open the heap: by default they end a program, they are no fault of its own, and nobody waits for
/// the program to end of them.
const USABLE: [i32; 8] = [
    libc::SIGQUIT,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGALRM,
    libc::SIGVTALRM,
    libc::SIGPROF,
    libc::SIGIO,
    libc::SIGPWR,
];

/// Whether this signal may open the heap.
pub(crate) fn is_usable(signal: i32) -> bool {
    let real_time = (libc::SIGRTMIN()..=libc::SIGRTMAX()).contains(&signal);
    USABLE.contains(&signal) || real_time && signal != stop::signal()
}

/// The signal of this name (`USR2`, `SIGUSR2`, `RTMIN+3`) or number.
pub(crate) fn by_name(word: &str) -> Option<i32> {
    let word = word.to_ascii_uppercase();
    if let Ok(number) = word.parse() {
        return Some(number);
    }
    let bare = word.strip_prefix("SIG").unwrap_or(&word);
    if let Some(above) = bare.strip_prefix("RTMIN") {
        let above: i32 = match above.strip_prefix('+') {
            Some(number) => number.parse().ok()?,
            None if above.is_empty() => 0,
            None => return None,
        };
        return libc::SIGRTMIN().checked_add(above);
    }
    (1..libc::SIGRTMIN()).find(|&signal| short_name(signal) == Some(bare))
}

/// What it is called: `SIGQUIT`, `SIGRTMIN+3`.
pub(crate) fn name(signal: i32) -> String {
    if let Some(name) = short_name(signal) {
        return format!("SIG{name}");
    }
    match signal.checked_sub(libc::SIGRTMIN()) {
        Some(above @ 0..) if signal <= libc::SIGRTMAX() => format!("SIGRTMIN+{above}"),
        _ => format!("signal {signal}"),
    }
}

/// `QUIT`, if the signal has a name.
fn short_name(signal: i32) -> Option<&'static str> {
    match signal {
        // The one that signal-hook does not know.
        libc::SIGPWR => Some("PWR"),
        _ => signal_name(signal)?.strip_prefix("SIG"),
    }
}

/// The names that [`by_name`] takes and [`is_usable`] allows.
pub(crate) fn usable_names() -> impl Iterator<Item = &'static str> {
    USABLE.iter().filter_map(|&signal| short_name(signal))
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
