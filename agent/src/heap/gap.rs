//! A gap: something that could not be known, said to whoever reads the answer it affects.

/// What is missing from an answer, and why. Incomplete data is not failure: an answer carries its gaps along.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gap {
    /// What could not be known: "types of blocks allocated in libfoo.so".
    pub what: String,
    /// Why: "it has no debug information".
    pub why: String,
    /// What the user can do about it, if anything: a line to add, a command to run.
    pub mend: Option<String>,
}

impl Gap {
    /// A gap that nothing can mend.
    pub fn new(what: impl Into<String>, why: impl Into<String>) -> Self {
        Gap {
            what: what.into(),
            why: why.into(),
            mend: None,
        }
    }

    /// The same, with what the user can do about it.
    pub fn mended_by(self, mend: impl Into<String>) -> Self {
        Gap {
            mend: Some(mend.into()),
            ..self
        }
    }
}
