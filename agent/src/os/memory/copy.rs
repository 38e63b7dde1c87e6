//! THE ONE GUARDED DOOR to memory: a copy of bytes that a fault ends instead of the process.
//!
//! The copy is one instruction, `rep movsb`. The kernel delivers its fault with the registers as they stand in the middle
//! of it: the handler steps over it, and what it had not copied is left in `rcx`. Any other fault gets the action that
//! was there before, under which it happens again.

use std::arch::naked_asm;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::OnceLock;

use libc::{SA_NODEFER, SA_ONSTACK, SA_SIGINFO, SIGBUS, SIGSEGV, c_int, siginfo_t, ucontext_t};

/// Fills `into` from an address on, whatever that is. None where not all of it could be read.
pub(super) fn copy(from: u64, into: &mut [u8]) -> Option<()> {
    BEFORE.get_or_init(|| [SIGSEGV, SIGBUS].map(take_over));
    // SAFETY: `into` has room for as many bytes as are copied, and those are the caller's alone. The source may be
    // anything: it is read by the one instruction whose faults the handler, in place by now, steps over.
    let left = unsafe { copy_bytes(into.as_mut_ptr(), from, into.len()) };
    (left == 0).then_some(())
}

/// Copies, and returns how many bytes were not.
///
/// # Safety
/// `to` is valid for writes of `length` bytes; the handler is in place.
#[unsafe(naked)]
unsafe extern "C" fn copy_bytes(to: *mut u8, from: u64, length: usize) -> usize {
    // rdi and rsi are where the instruction wants them; the direction flag is clear by the calling convention.
    naked_asm!("mov rcx, rdx", "rep movsb", "mov rax, rcx", "ret")
}

/// Where in `copy_bytes` the instruction stands, behind `mov rcx, rdx`, and how it is encoded. A test compares.
const AT: usize = 3;
const REP_MOVSB: [u8; 2] = [0xf3, 0xa4];

/// What SIGSEGV and SIGBUS did before.
static BEFORE: OnceLock<[libc::sigaction; 2]> = OnceLock::new();

fn take_over(signal: c_int) -> libc::sigaction {
    let mut before = MaybeUninit::zeroed();
    // SAFETY: the actions are plain data, valid when zeroed; the handler is async-signal-safe. It runs on the alternate
    // stack, where there is one, so that a stack that overflowed comes to its own end.
    unsafe {
        let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
        action.sa_sigaction = faulted as *const () as usize;
        action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
        libc::sigaction(signal, &raw const action, before.as_mut_ptr());
        before.assume_init()
    }
}

extern "C" fn faulted(signal: c_int, _: *mut siginfo_t, context: *mut ucontext_t) {
    let copying = copy_bytes as *const () as usize + AT;
    // SAFETY: the kernel hands the interrupted registers over, to be read and changed before it goes on with them.
    let ip = unsafe { &mut (*context).uc_mcontext.gregs[libc::REG_RIP as usize] };
    if *ip as usize == copying {
        *ip += REP_MOVSB.len() as i64;
        return;
    }
    let [segv, bus] = BEFORE.get().map_or([ptr::null(); 2], |[segv, bus]| {
        [ptr::from_ref(segv), ptr::from_ref(bus)]
    });
    let before = if signal == SIGSEGV { segv } else { bus };
    // SAFETY: a plain call. Where nothing is remembered yet (the fault came in between) nothing changes, and the fault
    // comes again when it is.
    unsafe { libc::sigaction(signal, before, ptr::null_mut()) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_instruction_stands_where_the_handler_looks_for_it() {
        let code = copy_bytes as *const () as u64 + AT as u64;
        let mut found = [0; 2];
        copy(code, &mut found).expect("code can be read");
        assert_eq!(found, REP_MOVSB);
    }

    /// Also when the fault comes after some of the bytes.
    #[test]
    fn a_fault_ends_the_copy_alone() {
        let mut bytes = [7; 100];
        for round in 0..1000 {
            for from in [0, 1, 1 << 46, 1 << 47, u64::MAX - 50, u64::MAX, !0xfff] {
                assert_eq!(copy(from, &mut bytes), None, "{from:#x} in {round}");
            }
        }
        let page = crate::os::map::reserve(8192).expect("addresses");
        let start = page.as_ptr() as u64;
        // SAFETY: the second page of the reservation, which nothing refers to.
        unsafe { libc::mprotect((start + 4096) as *mut _, 4096, libc::PROT_NONE) };
        assert_eq!(copy(start + 4096 - 50, &mut bytes), None);
        assert_eq!(copy(start + 4096 - 100, &mut bytes), Some(()));
        assert_eq!(bytes, [0; 100]);
        // SAFETY: as reserved above.
        unsafe { crate::os::map::release(page, 8192) };
    }

    #[test]
    fn a_file_that_became_shorter_ends_the_copy_alone() {
        let mut file = tempfile();
        std::io::Write::write_all(&mut file, &[1; 8192]).expect("room");
        // SAFETY: a new mapping of the file at an address of the kernel's choice.
        let start = unsafe {
            let descriptor = std::os::fd::AsRawFd::as_raw_fd(&file);
            libc::mmap(
                ptr::null_mut(),
                8192,
                libc::PROT_READ,
                libc::MAP_PRIVATE,
                descriptor,
                0,
            )
        } as u64;
        file.set_len(4096).expect("it can be cut");
        let mut bytes = [0; 100];
        assert_eq!(copy(start + 5000, &mut bytes), None);
        assert_eq!(copy(start + 4000, &mut bytes), None);
        assert_eq!(copy(start + 3000, &mut bytes), Some(()));
        assert_eq!(bytes, [1; 100]);
        // SAFETY: mapped above.
        unsafe { libc::munmap(start as *mut _, 8192) };
    }

    fn tempfile() -> std::fs::File {
        // SAFETY: a new descriptor, owned from here on.
        unsafe {
            let descriptor = libc::memfd_create(c"test".as_ptr(), libc::MFD_CLOEXEC);
            std::os::fd::FromRawFd::from_raw_fd(descriptor)
        }
    }
}
