//! Says where the agent works: `cfg(sigheap_supported)`. Elsewhere the allocator only forwards.
//!
//! Cargo also wants a build script beside `links`, which keeps a second copy of the agent out of a program.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=SIGHEAP_ELSEWHERE");
    println!("cargo::rustc-check-cfg=cfg(sigheap_supported)");
    let is = |key: &str, value| env::var(format!("CARGO_CFG_TARGET_{key}")).as_deref() == Ok(value);
    let supported =
        is("OS", "linux") && is("ARCH", "x86_64") && is("ENV", "gnu") && is("POINTER_WIDTH", "64");
    // The second way in lets one machine compile and test what other targets get.
    if supported && env::var_os("SIGHEAP_ELSEWHERE").is_none() {
        println!("cargo::rustc-cfg=sigheap_supported");
    }
}
