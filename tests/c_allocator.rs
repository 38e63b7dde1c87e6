//! C's allocator is not called by the agent's thread, nor in the copy: a thread that stands still may hold its locks.
//!
//! A library that is preloaded stands before C's allocator and notes in a file who called it.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Once;

use crate::locks::{LINES, others};
use crate::prompt::QUIT;
use crate::pty::{Launch, Program};
use crate::screen::eventually;

/// Notes the first call by the program, and every call in a process that it copied itself into, or by the thread called `sigheap`.
const WATCH: &str = r#"
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
void __libc_free(void *);

static pid_t program;
static int is_noted;

__attribute__((constructor)) static void begin(void) { program = getpid(); }

static void note(const char *function) {
    char line[64] = "the program: ";
    char thread[16] = "";
    int error = errno;
    if (!program)
        return;
    prctl(PR_GET_NAME, thread);
    if (getpid() != program)
        strcpy(line, "the copy: ");
    else if (!strcmp(thread, "sigheap"))
        strcpy(line, "the agent: ");
    else if (__atomic_exchange_n(&is_noted, 1, __ATOMIC_RELAXED))
        return;
    strcat(strcat(line, function), "\n");
    int file = open("calls", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (file >= 0 && write(file, line, strlen(line)) >= 0)
        close(file);
    errno = error;
}

void *malloc(size_t size) { note("malloc"); return __libc_malloc(size); }
void *calloc(size_t count, size_t size) { note("calloc"); return __libc_calloc(count, size); }
void *realloc(void *block, size_t size) { note("realloc"); return __libc_realloc(block, size); }
void free(void *block) { if (block) { note("free"); __libc_free(block); } }
void *memalign(size_t align, size_t size) { note("memalign"); return __libc_memalign(align, size); }
void *aligned_alloc(size_t align, size_t size) { note("aligned_alloc"); return __libc_memalign(align, size); }
int posix_memalign(void **block, size_t align, size_t size) {
    note("posix_memalign");
    *block = __libc_memalign(align, size);
    return *block ? 0 : ENOMEM;
}
"#;

/// The library, made once.
fn library() -> &'static str {
    static MADE: Once = Once::new();
    const LIBRARY: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/watch.so");
    MADE.call_once(|| {
        let source = Path::new(LIBRARY).with_extension("c");
        fs::write(&source, WATCH).expect("a folder for it");
        let made = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-fno-builtin", "-o", LIBRARY])
            .arg(&source)
            .status();
        assert!(made.is_ok_and(|status| status.success()), "cc is needed");
    });
    LIBRARY
}

/// What was noted so far.
fn calls(program: &Program) -> String {
    fs::read_to_string(program.folder().join("calls")).unwrap_or_default()
}

#[test]
fn no_command_calls_the_allocator_of_c() {
    let server = Launch::demo().set("LD_PRELOAD", library()).start();
    server.is_serving();
    // The agent's thread was born: with what that takes, it is done.
    let born = calls(&server);
    for _ in 0..2 {
        server.press_ctrl_backslash();
        let others = others(&server.json("help"));
        for line in LINES.into_iter().chain(others.iter().map(String::as_str)) {
            assert!(!server.command(line).is_empty(), "{line}");
        }
        server.resume("c\r");
    }
    assert!(born.contains("the program: "), "nobody watched");
    assert_eq!(calls(&server), born);
}

/// The negative control: without the arena, the copy does call it.
#[test]
fn a_copy_without_its_arena_is_caught_calling_the_allocator_of_c() {
    let program = Launch::program(["hostile-to-the-careless"])
        .set("LD_PRELOAD", library())
        .start();
    program.expect_after(0, "alive ");
    assert!(!calls(&program).contains("the copy: "));
    program.send(QUIT);
    eventually("a call in the copy", || {
        calls(&program).contains("the copy: ")
    });
}
