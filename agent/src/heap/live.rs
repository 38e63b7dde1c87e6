//! The traits that the live side implements: the bytes of object files, and acting on the program.

use std::io;
use std::path::{Path, PathBuf};

use super::{Call, Mode, Settings, Told};

/// The bytes of object files.
pub trait Files {
    /// The whole content of a file, for as long as the look lasts.
    fn open(&self, path: &Path) -> io::Result<&'static [u8]>;

    /// Where else debug information may lie.
    fn debug_places(&self) -> DebugPlaces {
        DebugPlaces::default()
    }
}

/// Where a machine keeps debug information apart from the programs it is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DebugPlaces {
    /// Folders with a folder `.build-id` in them, and the paths of programs below them.
    pub roots: Vec<PathBuf>,
    /// Folders in which `debuginfod`'s client keeps what it has brought, by build id.
    pub caches: Vec<PathBuf>,
}

impl Default for DebugPlaces {
    /// Where distributions put it.
    fn default() -> Self {
        DebugPlaces {
            roots: vec!["/usr/lib/debug".into()],
            caches: Vec::new(),
        }
    }
}

/// What a command can do beyond answering.
pub trait Host {
    /// Asks for something to happen when the look is over, or at once where that is possible.
    ///
    /// # Errors
    /// [`Untold`] where the program could not be told.
    fn request(&mut self, request: Request) -> Result<(), Untold>;

    /// Keeps these bytes for the next look, all or nothing, in place of what was kept before.
    ///
    /// # Errors
    /// [`Untold`] where there is no room for them; what was kept before then stays.
    fn keep(&mut self, _content: &[u8]) -> Result<(), Untold> {
        Err(Untold)
    }

    /// Keeps these types for the next look, in place of what was kept before; it can do without.
    fn keep_names(&mut self, _told: &[Told]) {}
}

/// The program could not be told: it is gone, or does not listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Untold;

/// What the look asks of the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Resume as if nothing had happened.
    Continue,
    /// End the program with this exit code, the terminal restored.
    Quit(u8),
    /// Die of SIGQUIT, with a core where the limits allow one.
    Abort,
    /// Resume, run a command of the program's own there, and look again.
    Run(Call),
    /// Remember these settings of the prompt for the looks to come.
    Remember(Settings),
    /// Record so much of what is allocated from now on.
    Track(Mode),
}

impl Request {
    /// Whether the look is over with it.
    pub fn leaves(&self) -> bool {
        match self {
            Request::Continue | Request::Quit(_) | Request::Abort | Request::Run(_) => true,
            Request::Remember(_) | Request::Track(_) => false,
        }
    }
}
