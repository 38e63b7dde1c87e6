//! Says where the agent works: `cfg(sigheap_supported)`. Elsewhere the allocator only forwards.
//!
//! Cargo also wants a build script beside `links`, which keeps a second copy of the agent out of a program.

use std::env::var;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(sigheap_supported)");
    let is = |name, value| var(name).as_deref() == Ok(value);
    if is("CARGO_CFG_TARGET_OS", "linux")
        && is("CARGO_CFG_TARGET_ARCH", "x86_64")
        && is("CARGO_CFG_TARGET_ENV", "gnu")
        && is("CARGO_CFG_TARGET_POINTER_WIDTH", "64")
    {
        println!("cargo::rustc-cfg=sigheap_supported");
    }
}
