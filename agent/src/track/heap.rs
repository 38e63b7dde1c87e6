//! ON THE PROGRAM'S HOT PATH: the global allocator.

use std::alloc::{GlobalAlloc, Layout, System};

#[cfg(sigheap_supported)]
use super::{
    arena,
    record::Record,
    section::Section,
    table::TABLE,
    thread::{self, Slot},
    walk::{self, Registers},
};

/// The global allocator that remembers every live block. It forwards to another, and adds to each call the record of a
/// block: what was asked for, by which call stack, when.
///
/// It tracks from the first allocation of the process on, whether or not [`install`](crate::install) is ever called.
/// Where the agent is not supported it only forwards.
#[derive(Debug)]
pub struct Heap<A = System> {
    inner: A,
    /// The least that `inner` is asked for. The tracker's table tells blocks apart that begin 32 bytes apart on
    /// addresses that are multiples of 16: glibc's do; of other allocators that has to be asked.
    #[cfg(sigheap_supported)]
    least: Least,
}

#[cfg(sigheap_supported)]
#[derive(Clone, Copy, Debug)]
struct Least {
    size: usize,
    align: usize,
}

impl Heap<System> {
    /// Over the system's allocator.
    pub const fn system() -> Self {
        Heap {
            inner: System,
            #[cfg(sigheap_supported)]
            least: Least { size: 1, align: 1 },
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

// Each method forwards to one that is not inlined: the stack is taken there, and so begins at the method's caller.
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
        TABLE.remove(block as u64, layout.size());
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
    #[inline(never)]
    unsafe fn allocate<const ZEROED: bool>(&self, layout: Layout) -> *mut u8 {
        if !arena::is_program() {
            // SAFETY: the caller's promises.
            return unsafe { self.allocate_apart::<ZEROED>(layout) };
        }
        let site = walk::site(Registers::here());
        let Some(asked) = self.asked(layout) else {
            return std::ptr::null_mut();
        };
        // SAFETY: the layout's size is not zero, the caller says.
        let block = unsafe {
            if ZEROED {
                self.inner.alloc_zeroed(asked)
            } else {
                self.inner.alloc(asked)
            }
        };
        if !block.is_null() {
            insert(block, layout.size(), layout.align(), site, super::epoch());
        }
        block
    }

    /// Allocates in the arena, or unrecorded.
    ///
    /// # Safety
    /// As for [`GlobalAlloc::alloc`].
    #[cold]
    #[inline(never)]
    unsafe fn allocate_apart<const ZEROED: bool>(&self, layout: Layout) -> *mut u8 {
        if arena::is_entered() {
            return arena::allocate(layout, ZEROED);
        }
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

    /// Moves a block. It is seen by a look at every moment: by its old record, in the thread's slot, or by its new one.
    ///
    /// # Safety
    /// As for [`GlobalAlloc::realloc`].
    #[inline(never)]
    unsafe fn reallocate(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if arena::is_routed(block) || !arena::is_program() {
            // SAFETY: the caller's promises.
            return unsafe { self.move_routed(block, layout, size) };
        }
        let site = walk::site(Registers::here());
        match thread::slot().filter(|slot| !slot.is_busy()) {
            // SAFETY: the caller's promises.
            Some(slot) => unsafe { self.move_noted(slot, block, layout, size, site) },
            // SAFETY: the caller's promises.
            None => unsafe { self.move_by_copy(block, layout, size, site) },
        }
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
        site: u32,
    ) -> *mut u8 {
        let old = TABLE.get(block as u64);
        let birth = if old.is_live() {
            old.birth()
        } else {
            super::epoch()
        };
        let Some((asked, asked_size)) = self.asked_anew(layout, size) else {
            return std::ptr::null_mut();
        };
        begin_move(slot, block, old, layout.size());
        // SAFETY: the block came from the inner allocator with this layout, and the new size is valid, the caller says.
        let moved = unsafe { self.inner.realloc(block, asked, asked_size) };
        let _section = Section::enter();
        if !moved.is_null() {
            insert(moved, size, layout.align(), site, birth);
        } else if old.is_live() {
            TABLE.insert(block as u64, old, layout.size());
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
        site: u32,
    ) -> *mut u8 {
        let old = TABLE.get(block as u64);
        let birth = if old.is_live() {
            old.birth()
        } else {
            super::epoch()
        };
        let new = Layout::from_size_align(size, layout.align());
        let Some(asked) = new.ok().and_then(|layout| self.asked(layout)) else {
            return std::ptr::null_mut();
        };
        // SAFETY: the size is not zero, the caller says.
        let moved = unsafe { self.inner.alloc(asked) };
        if !moved.is_null() {
            // SAFETY: both blocks have these many bytes, and they are two.
            unsafe { moved.copy_from_nonoverlapping(block, size.min(layout.size())) };
            insert(moved, size, layout.align(), site, birth);
            TABLE.remove(block as u64, layout.size());
            // SAFETY: the block came from the inner allocator with this layout, and is used no more.
            unsafe { self.inner.dealloc(block, self.asked_before(layout)) };
        }
        moved
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
        let size = layout.size().max(self.least.size);
        Layout::from_size_align(size, layout.align().max(self.least.align)).ok()
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

#[cfg(sigheap_supported)]
#[inline(always)]
fn insert(block: *mut u8, size: usize, align: usize, site: u32, birth: u32) {
    let record = Record::new(block as u64, size, align, site, birth);
    TABLE.insert(block as u64, record, size);
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
