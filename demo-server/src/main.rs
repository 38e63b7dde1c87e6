//! A real little server with a leak, to press Ctrl-\ in.

#[global_allocator]
static HEAP: sigheap::Heap = sigheap::Heap::system();

fn main() {}
