//! One line of the Combined Log Format, read without copying what needs no copy. Pure: touches nothing.

use crate::moment;
use std::borrow::Cow;
use std::error::Error;
use std::fmt;

/// Longest host the format is believed with: the limit of a DNS name.
const MAX_HOST: usize = 255;

/// One request, as `HOST IDENT USER [TIME] "REQUEST" STATUS BYTES "REFERER" "AGENT"` tells it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    /// The client's address or name.
    pub(crate) client: &'a str,
    /// The authenticated user, who may have blanks in the name.
    pub(crate) user: Option<&'a str>,
    /// Seconds since 1970-01-01 UTC.
    pub(crate) at: i64,
    /// The request line as sent, which need not be HTTP.
    pub(crate) request: Cow<'a, str>,
    /// The status answered.
    pub(crate) status: u16,
    /// Bytes of the body answered; `-` is none.
    pub(crate) bytes: u64,
    /// Where the client says it comes from.
    pub(crate) referer: Option<Cow<'a, str>>,
    /// What the client says it is.
    pub(crate) agent: Option<Cow<'a, str>>,
}

impl Entry<'_> {
    /// The path without its query; the whole request where it is not HTTP.
    pub(crate) fn path(&self) -> &str {
        let target = self.request.split(' ').nth(1).unwrap_or(&self.request);
        target.split('?').next().unwrap_or(target)
    }
}

/// Why a line is no entry.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BadLine {
    /// It is not UTF-8.
    Encoding(std::str::Utf8Error),
    /// The field named is missing, cut off, or not what it should be.
    Field(&'static str),
}

impl fmt::Display for BadLine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadLine::Encoding(_) => out.write_str("not UTF-8"),
            BadLine::Field(name) => write!(out, "no valid {name}"),
        }
    }
}

impl Error for BadLine {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            BadLine::Encoding(source) => Some(source),
            BadLine::Field(_) => None,
        }
    }
}

/// Reads one line, given without its line feed.
pub(crate) fn parse(line: &[u8]) -> Result<Entry<'_>, BadLine> {
    let line = str::from_utf8(line).map_err(BadLine::Encoding)?;
    let mut rest = Rest(line.strip_suffix('\r').unwrap_or(line));
    let client = rest.until(" ", "host")?;
    rest.until(" ", "identity")?;
    let user = rest.until(" [", "user")?;
    let time = rest.until("] ", "time")?;
    let request = rest.quoted("request")?;
    let status = rest.until(" ", "status")?;
    let bytes = rest.until(" ", "bytes")?;
    let referer = rest.quoted("referer")?;
    let agent = rest.quoted("agent")?;
    rest.end()?;
    Ok(Entry {
        client: host(client)?,
        user: given(user),
        at: moment::parse(time).ok_or(BadLine::Field("time"))?,
        request: unescape(request),
        status: number(status, "status").and_then(valid_status)?,
        bytes: given(bytes).map_or(Ok(0), |bytes| number(bytes, "bytes"))?,
        referer: given(referer).map(unescape),
        agent: given(agent).map(unescape),
    })
}

/// What is left of a line.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn until(&mut self, mark: &str, field: &'static str) -> Result<&'a str, BadLine> {
        let (value, rest) = self.0.split_once(mark).ok_or(BadLine::Field(field))?;
        self.0 = rest;
        Ok(value)
    }

    /// A field in quotes, escapes left as they are, and the blank after it.
    fn quoted(&mut self, field: &'static str) -> Result<&'a str, BadLine> {
        let bad = BadLine::Field(field);
        let Some(text) = self.0.strip_prefix('"') else {
            return Err(bad);
        };
        let Some(end) = closing_quote(text) else {
            return Err(bad);
        };
        let rest = &text[end + 1..];
        self.0 = rest.strip_prefix(' ').unwrap_or(rest);
        Ok(&text[..end])
    }

    fn end(&self) -> Result<(), BadLine> {
        match self.0 {
            "" => Ok(()),
            _ => Err(BadLine::Field("end of line")),
        }
    }
}

/// Index of the first quote that no backslash escapes.
fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}

fn host(text: &str) -> Result<&str, BadLine> {
    match text.len() {
        1..=MAX_HOST => Ok(text),
        _ => Err(BadLine::Field("host")),
    }
}

fn given(text: &str) -> Option<&str> {
    (text != "-").then_some(text)
}

/// A plain decimal number: `str::parse` alone would take `+5`.
fn number<T: std::str::FromStr>(text: &str, field: &'static str) -> Result<T, BadLine> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(BadLine::Field(field));
    }
    text.parse().map_err(|_| BadLine::Field(field))
}

fn valid_status(status: u16) -> Result<u16, BadLine> {
    match status {
        0..=999 => Ok(status),
        _ => Err(BadLine::Field("status")),
    }
}

/// The text that Apache or nginx escaped; as it stands where that is not UTF-8.
fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some(&first) = rest.first() {
        let (byte, length) = match first {
            b'\\' => escape(&rest[1..]).unwrap_or((first, 1)),
            _ => (first, 1),
        };
        bytes.push(byte);
        rest = &rest[length..];
    }
    String::from_utf8(bytes).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// The byte that an escape stands for and the escape's length, given what follows the backslash.
fn escape(after: &[u8]) -> Option<(u8, usize)> {
    Some(match after {
        [quoted @ (b'"' | b'\\'), ..] => (*quoted, 2),
        [b'n', ..] => (b'\n', 2),
        [b'r', ..] => (b'\r', 2),
        [b't', ..] => (b'\t', 2),
        [b'b', ..] => (0x08, 2),
        [b'v', ..] => (0x0b, 2),
        [b'x', high, low, ..] => (hex(*high)? << 4 | hex(*low)?, 4),
        _ => return None,
    })
}

fn hex(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const APACHE: &str = concat!(
        r#"127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif?a=b HTTP/1.0" "#,
        r#"200 2326 "http://www.example.com/start.html" "Mozilla/4.08 [en] (Win98; I ;Nav)""#
    );

    fn with_request(request: &str) -> String {
        format!(r#"::1 - - [10/Oct/2000:13:55:36 +0000] "{request}" 400 0 "-" "-""#)
    }

    fn field_at_fault(line: &str) -> &'static str {
        match parse(line.as_bytes()) {
            Err(BadLine::Field(name)) => name,
            other => panic!("{line:?} gave {other:?}"),
        }
    }

    #[test]
    fn reads_the_line_of_apache_s_manual() {
        let entry = parse(APACHE.as_bytes()).unwrap();
        assert_eq!(entry.client, "127.0.0.1");
        assert_eq!(entry.user, Some("frank"));
        assert_eq!(entry.at, 971_211_336);
        assert_eq!(entry.request, "GET /apache_pb.gif?a=b HTTP/1.0");
        assert_eq!(entry.path(), "/apache_pb.gif");
        assert_eq!((entry.status, entry.bytes), (200, 2326));
        assert_eq!(
            entry.referer.as_deref(),
            Some("http://www.example.com/start.html")
        );
        assert_eq!(
            entry.agent.as_deref(),
            Some("Mozilla/4.08 [en] (Win98; I ;Nav)")
        );
    }

    #[test]
    fn a_carriage_return_at_the_end_is_none_of_the_agent() {
        let line = format!("{APACHE}\r");
        assert_eq!(parse(line.as_bytes()), parse(APACHE.as_bytes()));
    }

    #[test]
    fn a_user_may_have_blanks_and_dashes_mean_absent() {
        let line = APACHE.replace("frank", "john doe").replace("2326", "-");
        let entry = parse(line.as_bytes()).unwrap();
        assert_eq!((entry.user, entry.bytes), (Some("john doe"), 0));
        let absent = with_request("-");
        let entry = parse(absent.as_bytes()).unwrap();
        assert_eq!((entry.user, entry.referer, entry.agent), (None, None, None));
    }

    #[test]
    fn escapes_in_quoted_fields_are_undone() {
        for (escaped, plain) in [
            (r#"GET /\"quoted\" HTTP/1.1"#, "GET /\"quoted\" HTTP/1.1"),
            (r"GET /back\\slash HTTP/1.1", r"GET /back\slash HTTP/1.1"),
            (r"GET /ends\\", r"GET /ends\"),
            (r"GET /\xD0\x9F HTTP/1.1", "GET /П HTTP/1.1"),
            (r"tab\tline\n", "tab\tline\n"),
            (r"\x16\x03\x01\x00\xfe", r"\x16\x03\x01\x00\xfe"),
            (r"half\x1", r"half\x1"),
            (r"unknown \q", r"unknown \q"),
        ] {
            let line = with_request(escaped);
            assert_eq!(parse(line.as_bytes()).unwrap().request, plain, "{escaped}");
        }
    }

    #[test]
    fn a_line_cut_off_anywhere_is_bad() {
        for end in 0..APACHE.len() {
            assert!(parse(&APACHE.as_bytes()[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn the_field_at_fault_is_named() {
        let long_host = "h".repeat(MAX_HOST + 1);
        for (was, becomes, field) in [
            ("127.0.0.1", long_host.as_str(), "host"),
            ("127.0.0.1", "", "host"),
            ("10/Oct", "10/Okt", "time"),
            (" 200 ", " 2OO ", "status"),
            (" 200 ", " 1000 ", "status"),
            (" 2326 ", " +2326 ", "bytes"),
            (" 2326 ", " 99999999999999999999999 ", "bytes"),
            ("Nav)\"", "Nav)\" extra", "end of line"),
            ("Nav)\"", r#"Nav)\""#, "agent"),
        ] {
            assert_eq!(field_at_fault(&APACHE.replace(was, becomes)), field);
        }
    }

    #[test]
    fn broken_utf8_is_bad() {
        let mut line = APACHE.as_bytes().to_vec();
        line[60] = 0xff;
        assert!(matches!(parse(&line), Err(BadLine::Encoding(_))));
    }
}
