//! Nothing to build: Cargo wants a build script beside `links`, which keeps a second copy of the agent out of a program.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
}
