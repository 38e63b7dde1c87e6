//! A log that is still being written, as `tail -F` follows it. Touches files.
//!
//! At its end the file is looked at again after [`PATIENCE`]. One that was cut back is read from its beginning; one that
//! was renamed away is read to its end before the new one of that name is begun; one that is not there yet, or just now,
//! is waited for. A file that was cut back and has grown beyond where it was read between two looks cannot be told from
//! one that only grew.

use crate::lines::{Assembler, Line};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;
use tokio::sync::mpsc::Sender;
use tracing::{info, warn};

/// Bytes read at once.
const CHUNK: usize = 8 * 1024;

/// Time between looks at a file that has nothing new.
const PATIENCE: Duration = Duration::from_millis(100);

/// Follows the file until nobody takes its lines any more.
pub(crate) fn follow(path: PathBuf, lines: &Sender<Line>) {
    let mut log = Log::new(path);
    while !lines.is_closed() {
        let read = log.read(|line| {
            // Nobody takes it when the server is ending.
            let _ = lines.blocking_send(line);
        });
        match read {
            Progress::More => {}
            Progress::Nothing => thread::sleep(PATIENCE),
        }
    }
}

/// What a look at the file gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// There may be more at once.
    More,
    /// Nothing new.
    Nothing,
}

#[derive(Debug)]
struct Log {
    path: PathBuf,
    open: Option<Open>,
    assembler: Assembler,
    chunk: Box<[u8]>,
    /// Why it could not be opened or read, where that has been said.
    trouble: Option<ErrorKind>,
}

#[derive(Debug)]
struct Open {
    file: File,
    /// Device and number of the file.
    identity: (u64, u64),
    /// Bytes read of it.
    position: u64,
}

impl Log {
    fn new(path: PathBuf) -> Self {
        Log {
            path,
            open: None,
            assembler: Assembler::default(),
            chunk: vec![0; CHUNK].into(),
            trouble: None,
        }
    }

    /// Reads a chunk, or sees why there is none.
    fn read(&mut self, give: impl FnMut(Line)) -> Progress {
        match self.try_read(give) {
            Ok(progress) => {
                self.trouble = None;
                progress
            }
            // A stop of all threads, by a signal, may interrupt a read.
            Err(error) if error.kind() == ErrorKind::Interrupted => Progress::More,
            Err(error) => {
                if self.trouble.replace(error.kind()) != Some(error.kind()) {
                    warn!("waiting for {}: {error}", self.path.display());
                }
                Progress::Nothing
            }
        }
    }

    fn try_read(&mut self, mut give: impl FnMut(Line)) -> io::Result<Progress> {
        let open = match &mut self.open {
            Some(open) => open,
            None => self.open.insert(Open::at_beginning(&self.path)?),
        };
        let length = open.file.read(&mut self.chunk)?;
        if length > 0 {
            open.position += length as u64;
            self.assembler.feed(&self.chunk[..length], give);
            return Ok(Progress::More);
        }
        if open.file.metadata()?.len() < open.position {
            info!("{} was cut back", self.path.display());
            open.file.seek(SeekFrom::Start(0))?;
            open.position = 0;
        } else if open.was_replaced(&self.path) {
            // What was written between the last read and the renaming.
            if open.is_longer()? {
                return Ok(Progress::More);
            }
            info!("{} is another file now", self.path.display());
            self.open = None;
        } else {
            return Ok(Progress::Nothing);
        }
        // The line under way will not be finished.
        let cut_off = std::mem::take(&mut self.assembler).finish();
        cut_off.into_iter().for_each(&mut give);
        Ok(Progress::More)
    }
}

impl Open {
    fn at_beginning(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(ErrorKind::IsADirectory.into());
        }
        Ok(Open {
            file,
            identity: (metadata.dev(), metadata.ino()),
            position: 0,
        })
    }

    /// Whether another file has its name. One that is gone was renamed a moment ago: it is followed until then.
    fn was_replaced(&self, path: &Path) -> bool {
        let now = std::fs::metadata(path);
        now.is_ok_and(|now| (now.dev(), now.ino()) != self.identity)
    }

    fn is_longer(&self) -> io::Result<bool> {
        Ok(self.file.metadata()?.len() > self.position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, OpenOptions};
    use std::io::Write;

    /// A log in a folder that goes when the test does, and what was read of it.
    struct Scene {
        folder: PathBuf,
        log: Log,
        lines: Vec<String>,
    }

    impl Scene {
        fn new(test: &str) -> Self {
            let name = format!("demo-server-follow-{}-{test}", std::process::id());
            let folder = std::env::temp_dir().join(name);
            fs::create_dir(&folder).unwrap();
            let log = Log::new(folder.join("access.log"));
            Scene {
                folder,
                log,
                lines: Vec::new(),
            }
        }

        fn append(&self, text: &str) {
            let mut options = OpenOptions::new();
            let mut file = options
                .append(true)
                .create(true)
                .open(&self.log.path)
                .unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }

        /// Reads until there is nothing new, and gives what has come.
        fn read(&mut self) -> Vec<String> {
            let lines = &mut self.lines;
            while self.log.read(|line| lines.push(text(line))) == Progress::More {}
            std::mem::take(&mut self.lines)
        }
    }

    impl Drop for Scene {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }

    fn text(line: Line) -> String {
        match line {
            Line::Text(text) => String::from_utf8(text).unwrap(),
            Line::TooLong => "too long".to_owned(),
        }
    }

    #[test]
    fn a_file_that_appears_late_and_grows_is_read_as_it_does() {
        let mut scene = Scene::new("late");
        assert!(scene.read().is_empty());
        assert_eq!(scene.log.trouble, Some(ErrorKind::NotFound));
        scene.append("one\ntwo\n");
        assert_eq!(scene.read(), ["one", "two"]);
        assert_eq!(scene.log.trouble, None);
        scene.append("three\n");
        assert_eq!(scene.read(), ["three"]);
        assert!(scene.read().is_empty());
    }

    #[test]
    fn a_line_that_comes_in_pieces_is_one_line() {
        let mut scene = Scene::new("pieces");
        for piece in ["be", "gin", "ning and"] {
            scene.append(piece);
            assert!(scene.read().is_empty(), "{piece}");
        }
        scene.append(" end\nnext");
        assert_eq!(scene.read(), ["beginning and end"]);
    }

    #[test]
    fn a_file_that_is_cut_back_is_read_from_its_beginning() {
        let mut scene = Scene::new("cut");
        scene.append("one\ntwo\nthr");
        assert_eq!(scene.read(), ["one", "two"]);
        fs::write(&scene.log.path, "new\n").unwrap();
        assert_eq!(scene.read(), ["thr", "new"]);
        fs::write(&scene.log.path, "").unwrap();
        assert!(scene.read().is_empty());
        scene.append("newer\n");
        assert_eq!(scene.read(), ["newer"]);
    }

    #[test]
    fn a_file_that_is_renamed_is_read_to_its_end_before_the_next() {
        let mut scene = Scene::new("rotated");
        scene.append("one\n");
        assert_eq!(scene.read(), ["one"]);
        let old = scene.folder.join("access.log.1");
        fs::rename(&scene.log.path, &old).unwrap();
        assert!(scene.read().is_empty(), "nothing has its name yet");
        let mut late = OpenOptions::new().append(true).open(&old).unwrap();
        late.write_all(b"two\n").unwrap();
        assert_eq!(scene.read(), ["two"]);
        late.write_all(b"three\ncut o").unwrap();
        scene.append("four\n");
        assert_eq!(scene.read(), ["three", "cut o", "four"]);
        scene.append("five\n");
        assert_eq!(scene.read(), ["five"]);
    }

    #[test]
    fn a_line_without_end_is_bounded() {
        let mut scene = Scene::new("endless");
        for _ in 0..64 {
            scene.append(&"x".repeat(16 * 1024));
            assert!(scene.read().is_empty());
        }
        scene.append("\ngood\n");
        assert_eq!(scene.read(), ["too long", "good"]);
    }

    #[test]
    fn a_folder_is_waited_for_as_if_it_were_no_file() {
        let mut scene = Scene::new("folder");
        fs::create_dir(&scene.log.path).unwrap();
        assert!(scene.read().is_empty());
        assert_eq!(scene.log.trouble, Some(ErrorKind::IsADirectory));
        fs::remove_dir(&scene.log.path).unwrap();
        scene.append("one\n");
        assert_eq!(scene.read(), ["one"]);
    }
}
