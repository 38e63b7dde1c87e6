//! End-to-end tests, one binary: the demo server under a real terminal, and rules about the sources.
//!
//! - [`screen`], [`pty`], [`process`], [`prompt`]: what a test does: start, type, wait with a deadline, look at what a
//!   terminal would show.
//! - [`commands`], [`growth`], [`show`], [`threads`]: what the prompt answers.
//! - [`leaks`]: the demo's leaks, one by one. [`inputs`]: what is hard on it: logs that move, clients that vanish, a full
//!   disk.
//! - [`jobs`]: a terminal whose size changes, a shell's background.
//! - [`terminals`]: dumb, raw and closed ones, and others that have the terminal, too.
//! - [`modes`]: tracking switched at the prompt.
//! - [`holds`]: who holds what: a program of known heaps, and the demo's leaks by the commands made for them.
//! - [`forgotten`], [`graph`]: strong counts that nothing explains, and pictures.
//! - [`leave`]: every way out of a look.
//! - [`stopping`]: threads that do not stop, or are many, or come and go.
//! - [`worst`]: a study that loops, takes all memory, overflows, aborts.
//! - [`handlers`], [`own_commands`]: programs that are not like the server: handlers, forks, options, commands.
//! - [`apart`]: debug information in a file apart.
//! - [`locks`]: programs that hold every lock a look could run into. [`c_allocator`]: who calls C's.
//! - [`old_libc`]: what a program demands of the C library.
//! - [`limits`]: little memory, few addresses, a strange home.
//! - [`streams`]: other standard streams, no terminal, other builds.
//! - [`rules`]: who imports whom, what may stand where, and what the documents promise.

mod apart;
mod c_allocator;
mod commands;
mod forgotten;
mod graph;
mod growth;
mod handlers;
mod holds;
mod inputs;
mod jobs;
mod lasting;
mod leaks;
mod leave;
mod limits;
mod locks;
mod modes;
mod old_libc;
mod own_commands;
mod process;
mod prompt;
mod pty;
mod rules;
mod screen;
mod show;
mod stopping;
mod streams;
mod terminals;
mod threads;
mod worst;
