//! ON THE PROGRAM'S HOT PATH: the global allocator.

use std::alloc::{GlobalAlloc, Layout, System};

#[cfg(sigheap_supported)]
use super::{
    arena,
    mode::{self, Way},
    record::{Origin, Record},
    section::Section,
    stack::Registers,
    state,
    table::TABLE,
    thread::{self, Slot},
    walk,
};
#[cfg(sigheap_supported)]
use crate::heap::Rate;

/// The global allocator that remembers every live block. It forwards to another, and adds to each call the record of a
/// block: what was asked for, by which call stack, when.
///
/// It tracks from the first allocation of the process on, whether or not [`install`](crate::install) is ever called.
/// Where the agent is not supported it only forwards.
#[derive(Debug)]
pub struct Heap<A = System> {
    inner: A,
    /// The least that `inner` is asked for. The tracker's table tells blocks apart that begin 32 bytes apart on
    /// addresses that are multiples of 16, which has to be asked of an allocator.
    #[cfg(sigheap_supported)]
    least: Least,
    /// Whether `inner` is the system's allocator, which can be asked what it keeps.
    #[cfg(sigheap_supported)]
    is_system: bool,
}

#[cfg(sigheap_supported)]
#[derive(Clone, Copy, Debug)]
struct Least {
    size: usize,
    align: usize,
}

/// No larger block is asked for: rounded up to a multiple of 16, it would be more than a layout can say.
#[cfg(sigheap_supported)]
const MAX_SIZE: usize = isize::MAX as usize - 15;

impl Heap<System> {
    /// Over the system's allocator.
    pub const fn system() -> Self {
        Heap {
            inner: System,
            #[cfg(sigheap_supported)]
            // glibc's chunk for one byte and for 24 is the same. Another malloc may stand in its place (LD_PRELOAD), whose
            // smaller classes would be too close together, and which has none between 16 and 32.
            least: Least {
                size: 24,
                align: 16,
            },
            #[cfg(sigheap_supported)]
            is_system: true,
        }
    }
}

impl<A> Heap<A> {
    /// Over any other allocator. It is asked for at least 32 bytes at a time, on multiples of 16.
    pub const fn new(inner: A) -> Self {
        Heap {
            inner,
            #[cfg(sigheap_supported)]
            least: Least {
                size: 32,
                align: 16,
            },
            #[cfg(sigheap_supported)]
            is_system: false,
        }
    }
}

#[cfg(not(sigheap_supported))]
// SAFETY: every call is forwarded unchanged to an allocator that keeps the contract.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Heap<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are the inner allocator's.
        unsafe { self.inner.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { self.inner.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { self.inner.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        unsafe { self.inner.realloc(block, layout, size) }
    }
}

// A call that records forwards to a method that is not inlined: the stack is taken there, and so begins at the method's
// caller. A call that does not is a few instructions more than the inner allocator's.
#[cfg(sigheap_supported)]
// SAFETY: blocks come from the inner allocator, which keeps the contract, or from the arena, which does, and go back
// where they came from with the layout they were asked for with.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Heap<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises.
        unsafe { self.allocate::<false>(layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises.
        unsafe { self.allocate::<true>(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if arena::is_routed(block) {
            // SAFETY: the caller's promises.
            return unsafe { self.free_routed(block, layout) };
        }
        // Where nothing is recorded ever again, the table's memory is not touched.
        if mode::way() != Way::ENDED && !TABLE.remove(block as u64, layout.size()) {
            // SAFETY: the caller's promises.
            return unsafe { self.free_unrecorded(block, layout) };
        }
        // SAFETY: the block came from the inner allocator, asked for with the same layout.
        unsafe { self.inner.dealloc(block, self.asked_before(layout)) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promises.
        unsafe { self.reallocate(block, layout, size) }
    }
}

#[cfg(sigheap_supported)]
impl<A: GlobalAlloc> Heap<A> {
    /// # Safety
    /// As for [`GlobalAlloc::alloc`].
    #[inline(always)]
    unsafe fn allocate<const ZEROED: bool>(&self, layout: Layout) -> *mut u8 {
        let way = mode::way();
        if way == Way::FULL {
            // SAFETY: the caller's promises.
            unsafe { self.allocate_recorded::<ZEROED>(layout, Rate::WHOLE) }
        } else if way == Way::ENDED {
            // Nobody allocates apart any more: there will be no look. A block is freed where its address belongs.
            // SAFETY: the caller's promises.
            unsafe { self.allocate_inner::<ZEROED>(layout) }
        } else {
            // SAFETY: the caller's promises.
            unsafe { self.allocate_picked::<ZEROED>(layout, way) }
        }
    }

    /// Allocates where not all is recorded.
    ///
    /// # Safety
    /// As for [`GlobalAlloc::alloc`].
    #[inline(never)]
    unsafe fn allocate_picked<const ZEROED: bool>(&self, layout: Layout, way: Way) -> *mut u8 {
        if !arena::is_program() {
            // SAFETY: the caller's promises.
            return unsafe { self.allocate_apart::<ZEROED>(layout) };
        }
        let slot = thread::slot();
        if let Some(rate) = way.pick(slot, layout.size()) {
            // SAFETY: the caller's promises.
            return unsafe { self.allocate_recorded::<ZEROED>(layout, rate) };
        }
        // SAFETY: the caller's promises.
        let block = unsafe { self.allocate_inner::<ZEROED>(layout) };
        if !block.is_null() {
            thread::count_unrecorded(slot, 1, layout.size() as i64);
        }
        block
    }

    /// # Safety
    /// As for [`GlobalAlloc::alloc`].
    #[inline(never)]
    unsafe fn allocate_recorded<const ZEROED: bool>(&self, layout: Layout, rate: Rate) -> *mut u8 {
        if !arena::is_program() {
            // SAFETY: the caller's promises.
            return unsafe { self.allocate_apart::<ZEROED>(layout) };
        }
        let origin = Origin {
            site: walk::site(Registers::here()),
            birth: super::epoch(),
            rate,
        };
        // SAFETY: the caller's promises.
        let block = unsafe { self.allocate_inner::<ZEROED>(layout) };
        if !block.is_null() {
            enter(block, layout.size(), layout.align(), Some(origin));
        }
        block
    }

    /// Allocates in the arena, or what is not the program's.
    ///
    /// # Safety
    /// As for [`GlobalAlloc::alloc`].
    #[cold]
    #[inline(never)]
    unsafe fn allocate_apart<const ZEROED: bool>(&self, layout: Layout) -> *mut u8 {
        // Said here, off the hot path: the agent's own thread comes by before every look.
        state::set_over_system(self.is_system);
        if arena::is_entered() {
            return arena::allocate(layout, ZEROED);
        }
        // SAFETY: the caller's promises.
        let block = unsafe { self.allocate_inner::<ZEROED>(layout) };
        if !block.is_null() && mode::way() != Way::ENDED {
            let record = Record::own(block as u64, layout.size());
            if !TABLE.insert(block as u64, record, layout.size()) {
                count_unrecorded(1, layout.size() as i64);
            }
        }
        block
    }

    /// # Safety
    /// As for [`GlobalAlloc::alloc`].
    #[inline(always)]
    unsafe fn allocate_inner<const ZEROED: bool>(&self, layout: Layout) -> *mut u8 {
        let Some(asked) = self.asked(layout) else {
            return std::ptr::null_mut();
        };
        // SAFETY: the layout's size is not zero, the caller says.
        unsafe {
            if ZEROED {
                self.inner.alloc_zeroed(asked)
            } else {
                self.inner.alloc(asked)
            }
        }
    }

    /// Moves a block. If it has a record, it is seen by a look at every moment: by its old record, in the thread's slot,
    /// or by its new one.
    ///
    /// To a sample a moved block is a new one, whole: so that it is recorded with the chance of its size, which may be
    /// another than that of the size before.
    ///
    /// # Safety
    /// As for [`GlobalAlloc::realloc`].
    #[inline(never)]
    unsafe fn reallocate(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if arena::is_routed(block) || !arena::is_program() {
            // SAFETY: the caller's promises.
            return unsafe { self.move_routed(block, layout, size) };
        }
        let old = TABLE.get(block as u64);
        let rate = mode::way().pick(thread::slot(), size);
        if rate.is_none() && !old.is_live() {
            // SAFETY: the caller's promises.
            return unsafe { self.move_unrecorded(block, layout, size) };
        }
        let new = rate.map(|rate| Origin {
            site: walk::site(Registers::here()),
            birth: if old.is_shown() {
                old.birth()
            } else {
                super::epoch()
            },
            rate,
        });
        match thread::slot().filter(|slot| !slot.is_busy()) {
            // SAFETY: the caller's promises.
            Some(slot) => unsafe { self.move_noted(slot, block, layout, size, (old, new)) },
            // SAFETY: the caller's promises.
            None => unsafe { self.move_by_copy(block, layout, size, (old, new)) },
        }
    }

    /// Moves a block that has no record and gets none.
    ///
    /// # Safety
    /// As for [`GlobalAlloc::realloc`].
    #[inline(always)]
    unsafe fn move_unrecorded(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Some((asked, asked_size)) = self.asked_anew(layout, size) else {
            return std::ptr::null_mut();
        };
        // SAFETY: the block came from the inner allocator with this layout, and the new size is valid, the caller says.
        let moved = unsafe { self.inner.realloc(block, asked, asked_size) };
        if !moved.is_null() {
            count_unrecorded(0, size as i64 - layout.size() as i64);
        }
        moved
    }

    /// # Safety
    /// As for [`GlobalAlloc::realloc`].
    #[inline(always)]
    unsafe fn move_noted(
        &self,
        slot: &Slot,
        block: *mut u8,
        layout: Layout,
        size: usize,
        (old, new): (Record, Option<Origin>),
    ) -> *mut u8 {
        let Some((asked, asked_size)) = self.asked_anew(layout, size) else {
            return std::ptr::null_mut();
        };
        begin_move(slot, block, old, layout.size());
        // SAFETY: the block came from the inner allocator with this layout, and the new size is valid, the caller says.
        let moved = unsafe { self.inner.realloc(block, asked, asked_size) };
        let _section = Section::enter();
        if !moved.is_null() {
            if !old.is_live() {
                count_unrecorded(-1, -(layout.size() as i64));
            }
            enter(moved, size, layout.align(), new);
        } else if old.is_live() && !TABLE.insert(block as u64, old, layout.size()) {
            count_unrecorded(1, layout.size() as i64);
        }
        slot.end();
        moved
    }

    /// Moves a block of a thread that cannot note it: one past its destructors, or a signal handler that interrupted
    /// another move. The old block stays until the new one is recorded.
    ///
    /// # Safety
    /// As for [`GlobalAlloc::realloc`].
    #[cold]
    #[inline(never)]
    unsafe fn move_by_copy(
        &self,
        block: *mut u8,
        layout: Layout,
        size: usize,
        (old, new): (Record, Option<Origin>),
    ) -> *mut u8 {
        let Ok(new_layout) = Layout::from_size_align(size, layout.align()) else {
            return std::ptr::null_mut();
        };
        // SAFETY: the size is not zero, the caller says.
        let moved = unsafe { self.allocate_inner::<false>(new_layout) };
        if !moved.is_null() {
            // SAFETY: both blocks have these many bytes, and they are two.
            unsafe { moved.copy_from_nonoverlapping(block, size.min(layout.size())) };
            enter(moved, size, layout.align(), new);
            if old.is_live() {
                TABLE.remove(block as u64, layout.size());
            } else {
                count_unrecorded(-1, -(layout.size() as i64));
            }
            // SAFETY: the block came from the inner allocator with this layout, and is used no more.
            unsafe { self.inner.dealloc(block, self.asked_before(layout)) };
        }
        moved
    }

    /// Frees a block that has no record.
    ///
    /// # Safety
    /// As for [`GlobalAlloc::dealloc`].
    #[inline(never)]
    unsafe fn free_unrecorded(&self, block: *mut u8, layout: Layout) {
        thread::count_unrecorded(thread::slot(), -1, -(layout.size() as i64));
        // SAFETY: the block came from the inner allocator, asked for with the same layout.
        unsafe { self.inner.dealloc(block, self.asked_before(layout)) }
    }

    /// Frees a block of the arena, or in the clone any block.
    ///
    /// # Safety
    /// As for [`GlobalAlloc::dealloc`].
    #[cold]
    #[inline(never)]
    unsafe fn free_routed(&self, block: *mut u8, layout: Layout) {
        // Others reach this in the clone only, where they are leaked.
        if arena::contains(block) {
            // SAFETY: the block lies in the arena; the rest the caller says.
            unsafe { arena::free(block, layout) };
        }
    }

    /// Moves a block within the arena, into it or out of it.
    ///
    /// # Safety
    /// As for [`GlobalAlloc::realloc`].
    #[cold]
    #[inline(never)]
    unsafe fn move_routed(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let inside = arena::contains(block);
        if inside && arena::is_entered() {
            // SAFETY: the block lies in the arena; the rest the caller says.
            return unsafe { arena::reallocate(block, layout, size) };
        }
        let Ok(new) = Layout::from_size_align(size, layout.align()) else {
            return std::ptr::null_mut();
        };
        let moved = if arena::in_clone() {
            arena::allocate(new, false)
        } else {
            // SAFETY: the size is not zero, the caller says.
            unsafe { self.allocate::<false>(new) }
        };
        if !moved.is_null() {
            // SAFETY: both blocks have these many bytes, and they are two; the old one is used no more.
            unsafe {
                moved.copy_from_nonoverlapping(block, size.min(layout.size()));
                self.dealloc(block, layout);
            }
        }
        moved
    }

    /// What to ask the inner allocator for. Nothing where rounding up leaves the range of layouts.
    #[inline(always)]
    fn asked(&self, layout: Layout) -> Option<Layout> {
        if layout.size() > MAX_SIZE {
            return None;
        }
        let size = layout.size().max(self.least.size);
        // SAFETY: both alignments are powers of two. The layout is valid, and so is 32 bytes with its alignment, since it
        // has a size; 16 is valid with any size that is not larger than the one compared with.
        Some(unsafe {
            Layout::from_size_align_unchecked(size, layout.align().max(self.least.align))
        })
    }

    /// What the inner allocator was asked for when it gave out a block.
    #[inline(always)]
    fn asked_before(&self, layout: Layout) -> Layout {
        let size = layout.size().max(self.least.size);
        // SAFETY: the block exists, so `asked` found this layout valid.
        unsafe { Layout::from_size_align_unchecked(size, layout.align().max(self.least.align)) }
    }

    /// What it was asked for, and the size to ask for now.
    #[inline(always)]
    fn asked_anew(&self, layout: Layout, size: usize) -> Option<(Layout, usize)> {
        let asked = self.asked_before(layout);
        let size = size.max(self.least.size);
        Layout::from_size_align(size, asked.align()).ok()?;
        Some((asked, size))
    }
}

/// Records a block, or counts it where it gets no record.
#[cfg(sigheap_supported)]
#[inline(always)]
fn enter(block: *mut u8, size: usize, align: usize, origin: Option<Origin>) {
    let recorded = origin.is_some_and(|origin| {
        let record = Record::new(block as u64, size, align, origin);
        TABLE.insert(block as u64, record, size)
    });
    if !recorded {
        count_unrecorded(1, size as i64);
    }
}

/// Counts blocks without a record that were born, or died where less than zero.
#[cfg(sigheap_supported)]
#[inline(always)]
fn count_unrecorded(blocks: i64, bytes: i64) {
    if mode::way() != Way::ENDED {
        thread::count_unrecorded(thread::slot(), blocks, bytes);
    }
}

/// Notes a block in the slot instead of the table.
#[cfg(sigheap_supported)]
#[inline(always)]
fn begin_move(slot: &Slot, block: *mut u8, old: Record, size: usize) {
    let _section = Section::enter();
    if old.is_live() {
        slot.begin(block as u64, old, size);
        TABLE.remove(block as u64, size);
    }
}
