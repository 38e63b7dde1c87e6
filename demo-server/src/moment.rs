//! The format's time, `10/Oct/2000:13:55:36 -0700`, to and from seconds since 1970-01-01 UTC. Pure: touches nothing.

use std::ops::RangeInclusive;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

const DAY: i64 = 86_400;

/// Reads a time; `None` where a part is missing or out of its range.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let (clock, zone) = text.split_once(' ')?;
    let (date, clock) = clock.split_once(':')?;
    let mut date = date.split('/');
    let day = digits(date.next()?, 2, 1..=31)?;
    let month = month(date.next()?)?;
    let year = digits(date.next()?, 4, 1..=9999)?;
    let mut clock = clock.split(':');
    let hours = digits(clock.next()?, 2, 0..=23)?;
    let minutes = digits(clock.next()?, 2, 0..=59)?;
    // 60 is a leap second.
    let seconds = digits(clock.next()?, 2, 0..=60)?;
    if date.next().is_some() || clock.next().is_some() {
        return None;
    }
    let local = days_since_1970(year, month, day) * DAY + hours * 3600 + minutes * 60 + seconds;
    Some(local - offset(zone)?)
}

/// Writes a time, in UTC.
pub(crate) fn format(at: i64) -> String {
    let (year, month, day) = date_of(at.div_euclid(DAY));
    let second = at.rem_euclid(DAY);
    let name = MONTHS[usize::try_from(month - 1).unwrap_or(0)];
    let (hours, minutes, seconds) = (second / 3600, second / 60 % 60, second % 60);
    format!("{day:02}/{name}/{year:04}:{hours:02}:{minutes:02}:{seconds:02} +0000")
}

fn digits(text: &str, length: usize, range: RangeInclusive<i64>) -> Option<i64> {
    let plain = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    let value = plain.then(|| text.parse().ok()).flatten()?;
    range.contains(&value).then_some(value)
}

fn month(name: &str) -> Option<i64> {
    let index = MONTHS.iter().position(|month| *month == name)?;
    i64::try_from(index + 1).ok()
}

/// Seconds that the zone `+HHMM` is ahead of UTC.
fn offset(zone: &str) -> Option<i64> {
    let (sign, digits_at) = match zone.as_bytes().first()? {
        b'+' => (1, 1),
        b'-' => (-1, 1),
        _ => return None,
    };
    let number = digits(zone.get(digits_at..)?, 4, 0..=2359)?;
    Some(sign * (number / 100 * 3600 + number % 100 * 60))
}

/// Days of the proleptic Gregorian calendar, counted in years that begin in March so that a leap
/// day comes last (Hinnant's `days_from_civil`).
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day of a day since 1970: the inverse of [`days_since_1970`].
fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = (from_march + 2) % 12 + 1;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times_are_read() {
        for (text, at) in [
            ("01/Jan/1970:00:00:00 +0000", 0),
            ("10/Oct/2000:13:55:36 -0700", 971_211_336),
            ("29/Feb/2024:23:59:59 +0130", 1_709_245_799),
            ("31/Dec/2016:23:59:60 +0000", 1_483_228_800),
        ] {
            assert_eq!(parse(text), Some(at), "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for step in -2_000..20_000 {
            let at = step * 123_457;
            assert_eq!(parse(&format(at)), Some(at), "{}", format(at));
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "10/Oct/2000:13:55:36",
            "10/Oct/2000:13:55 -0700",
            "10/Oct/2000:13:55:36:01 -0700",
            "00/Oct/2000:13:55:36 -0700",
            "10/Oct/2000:24:55:36 -0700",
            "10/10/2000:13:55:36 -0700",
            "10/Oct/2000:13:55:36 0700",
            "10/Oct/2000:13:55:36 -07€",
            "+1/Oct/2000:13:55:36 -0700",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
