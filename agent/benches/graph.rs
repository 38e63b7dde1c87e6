//! How long it takes to know who holds whom: real blocks, allocated here, read through the same code as in a look, a million of
//! them or as many as are given (`-- 10000000`). One core, as in the copy of a process, which has one thread.
//!
//! The heap is like a server's: maps of records of several blocks each, shared ones among them, and some that are lost.
#![expect(clippy::print_stdout, reason = "figures are what a benchmark is for")]
#![expect(unsafe_code, reason = "the memory that is read is this program's own")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use sigheap::internals::graph::{Graph, Index};
use sigheap::internals::{
    Address, Birth, Block, Held, Memory, NoTypes, Rate, Root, RootKind, SiteId, Words, scan,
};

/// What is in use, and the most that was since it was last asked.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static HEAP: Counting = Counting;

// SAFETY: forwards to the system's allocator, and counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = IN_USE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(now, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let now = IN_USE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(now, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }
}

/// One of six blocks of a record: itself, its name, its tags, one of them, what it shares, and a note.
struct Record {
    _name: String,
    _tags: Vec<String>,
    _shared: Arc<[u64; 10]>,
    _note: Option<Box<[u64; 4]>>,
    _next: usize,
}

fn main() {
    let numbers = std::env::args()
        .skip(1)
        .filter_map(|argument| argument.parse().ok());
    let wanted: usize = numbers.into_iter().next().unwrap_or(1_000_000);
    let mut found: Vec<(u64, u64)> = Vec::with_capacity(wanted + 8);
    let mut records: Vec<Box<Record>> = Vec::with_capacity(wanted / 6 + 1);
    let mut order = 12345usize;
    while found.len() + 6 <= wanted {
        let record = record(records.last().map(|last| &**last));
        note(&record, &mut found);
        // Neither in order of address nor at random.
        order = order
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        records.push(record);
        let last = records.len() - 1;
        records.swap(order % (last + 1), last);
    }
    let table = (records.as_ptr() as u64, (records.capacity() * 8) as u64);
    found.push(table);
    let mut blocks: Vec<Block> = found.into_iter().map(block).collect();
    blocks.sort_unstable_by_key(|block| block.address);
    let roots = [Root {
        kind: RootKind::Static { module: 0 },
        words: Words::Values(vec![table.0]),
    }];
    measure(&blocks, &roots);
    black_box(records);
}

fn record(before: Option<&Record>) -> Box<Record> {
    Box::new(Record {
        _name: "a name of some length".to_owned(),
        _tags: vec!["a tag".to_owned(); 1],
        _shared: Arc::new([7; 10]),
        _note: Some(Box::new([3; 4])),
        _next: before.map_or(0, |before| std::ptr::from_ref(before) as usize),
    })
}

fn note(record: &Record, found: &mut Vec<(u64, u64)>) {
    found.push((
        std::ptr::from_ref(record) as u64,
        size_of::<Record>() as u64,
    ));
    found.push((record._name.as_ptr() as u64, record._name.capacity() as u64));
    found.push((record._tags.as_ptr() as u64, 24));
    found.push((
        record._tags[0].as_ptr() as u64,
        record._tags[0].capacity() as u64,
    ));
    found.push((Arc::as_ptr(&record._shared) as u64 - 16, 96));
    found.extend(
        record
            ._note
            .as_deref()
            .map(|note| (note.as_ptr() as u64, 32)),
    );
}

fn block((address, size): (u64, u64)) -> Block {
    Block {
        address: Address(address),
        size,
        align_log2: 3,
        birth: Birth(1),
        site: SiteId(1),
        moving: false,
        rate: Rate::WHOLE,
    }
}

fn measure(blocks: &[Block], roots: &[Root]) {
    let before = IN_USE.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    let begun = Instant::now();
    let index = Index::new(blocks);
    let scan = scan(blocks, &index, roots, &Own, false, &mut NoTypes);
    let scanned = begun.elapsed();
    let links = scan.links.count();
    let graph = Graph::new(
        blocks,
        scan.links,
        scan.holds,
        vec![RootKind::Static { module: 0 }],
    );
    let reached = begun.elapsed();
    let top = graph.retained(0);
    let all = begun.elapsed();
    let most = MOST.load(Ordering::Relaxed) - before;
    let lost = (0..graph.blocks())
        .filter(|block| graph.held(*block) == Held::Nothing)
        .count();
    println!(
        "{} blocks, {links} links, {lost} lost, block 0 retains {top}",
        blocks.len()
    );
    println!("index and scan             {scanned:>10.1?}");
    println!("reverse, reach             {:>10.1?}", reached - scanned);
    println!("dominators, retained sizes {:>10.1?}", all - reached);
    println!("all                        {all:>10.1?}");
    println!("at most {} bytes a block", most / blocks.len());
}

/// This program's own memory: what is asked for is there, since only blocks are.
struct Own;

impl Memory for Own {
    fn read(&self, at: Address, into: &mut [u8]) -> Option<()> {
        // SAFETY: the range lies between blocks that are alive, in the heap that they share: `readable` gave it.
        unsafe { std::ptr::copy_nonoverlapping(at.0 as *const u8, into.as_mut_ptr(), into.len()) };
        Some(())
    }

    fn readable(&self, within: Range<u64>) -> Vec<Range<u64>> {
        vec![within]
    }
}
