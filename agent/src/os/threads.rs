//! Which threads this process has. By `getdents64`, because `opendir` allocates.

use std::ffi::CStr;
use std::io;

/// Calls `each` with the id of every thread of this process.
pub(crate) fn each(mut each: impl FnMut(u32)) -> io::Result<()> {
    let directory = Directory::open(c"/proc/self/task")?;
    let mut buffer = [0u8; 16 * 1024];
    loop {
        let filled = directory.read(&mut buffer)?;
        if filled == 0 {
            return Ok(());
        }
        names(&buffer[..filled])
            .filter_map(number)
            .for_each(&mut each);
    }
}

/// The names in what the kernel wrote: records of inode (8 bytes), offset (8), length of the record (2), kind (1), name.
fn names(mut records: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes([*records.get(16)?, *records.get(17)?]));
        let record = records.get(..length).filter(|record| record.len() > 19)?;
        records = &records[length..];
        record[19..].split(|byte| *byte == 0).next()
    })
}

fn number(name: &[u8]) -> Option<u32> {
    std::str::from_utf8(name).ok()?.parse().ok()
}

struct Directory(i32);

impl Directory {
    fn open(path: &CStr) -> io::Result<Self> {
        // SAFETY: the path ends in a null byte.
        let descriptor = unsafe {
            libc::open(
                path.as_ptr(),
                libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC,
            )
        };
        if descriptor < 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(Directory(descriptor))
        }
    }

    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        // SAFETY: the kernel writes at most the buffer's length.
        let read = unsafe {
            libc::syscall(
                libc::SYS_getdents64,
                self.0,
                buffer.as_mut_ptr(),
                buffer.len(),
            )
        };
        usize::try_from(read).map_err(|_| io::Error::last_os_error())
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // SAFETY: the descriptor is this value's own.
        unsafe { libc::close(self.0) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_thread_is_listed() {
        let (stop, wait) = std::sync::mpsc::channel::<()>();
        let (tell, told) = std::sync::mpsc::channel();
        let other = std::thread::spawn(move || {
            tell.send(super::super::process::tid()).unwrap();
            let _ = wait.recv();
        });
        let tid = told.recv().unwrap();
        let mut seen = Vec::new();
        each(|tid| seen.push(tid)).unwrap();
        assert!(seen.contains(&tid) && seen.contains(&super::super::process::tid()));
        drop(stop);
        other.join().unwrap();
    }

    #[test]
    fn damaged_records_end_the_list() {
        assert_eq!(names(&[0; 24]).count(), 0);
        assert_eq!(names(&[0xff; 40]).count(), 0);
        assert_eq!(names(&[]).count(), 0);
    }
}
