//! A command of the program's own: as it was called at the prompt, and what came of it.

use std::time::Duration;

/// A call that was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The whole line, for whoever shows the answer.
    pub line: String,
    /// The command.
    pub name: String,
    /// The words behind it.
    pub words: Vec<String>,
}

impl Call {
    /// The call as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in [&self.line, &self.name].into_iter().chain(&self.words) {
            // No line has a null byte; one that came all the same must not end a word early.
            bytes.extend(part.bytes().filter(|byte| *byte != 0));
            bytes.push(0);
        }
        bytes
    }

    /// Reads what [`encode`](Self::encode) wrote. None for anything else.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes.strip_suffix(&[0])?).ok()?;
        let mut parts = text.split('\0').map(str::to_owned);
        Some(Call {
            line: parts.next()?,
            name: parts.next()?,
            words: parts.collect(),
        })
    }
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// What was called.
    pub call: Call,
    /// What the command wrote: any bytes.
    pub output: Vec<u8>,
    /// How many bytes more it wrote, which were not kept.
    pub left_out: u64,
    /// How it ended.
    pub ended: Ended,
}

/// How a command of the program's ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Well.
    Well,
    /// With an error of its own.
    Failed(String),
    /// It panicked.
    Panicked(String),
    /// It has not: nobody waited for it any longer than this.
    NotYet(Duration),
    /// It was not called: the last call of it has not ended.
    Busy,
    /// It was not called, for this reason.
    NotCalled(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_call_is_read_back() {
        for words in [&[][..], &["", "é b"], &["a"]] {
            let call = Call {
                line: "cache  é > f".to_owned(),
                name: "cache".to_owned(),
                words: words.iter().map(|word| (*word).to_owned()).collect(),
            };
            assert_eq!(Call::decode(&call.encode()), Some(call));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            _ = Call::decode(&bytes);
        }
    }
}
