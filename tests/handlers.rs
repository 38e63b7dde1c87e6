//! Programs with handlers of their own, programs that fork, options from outside: who gets SIGQUIT, and who goes on.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::process::{Held, state, thread_named};
use crate::prompt::{PROMPT, QUIT};
use crate::pty::{Launch, Program, Setting, died_of};
use crate::screen::eventually;

/// The stop signal's number, and what the mask of caught signals has for it.
const STOP: i32 = 40;

impl Program {
    /// Waits until it has said twice more that it lives.
    #[track_caller]
    fn lives(&self) -> usize {
        let first = self.expect_after(self.written(), "alive ");
        self.expect_after(first, "alive ")
    }

    /// The number behind `child ` that it has written.
    #[track_caller]
    fn child(&self) -> Pid {
        let at = self.expect_after(0, "child ");
        self.expect_after(at, " .");
        let text = &self.watch.seen().text[at..];
        let number = text.split(' ').next().and_then(|word| word.parse().ok());
        Pid::from_raw(number.expect("a pid"))
    }

    fn proc(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.pid)).unwrap_or_default()
    }

    /// Whether it has a handler for this signal.
    fn catches(&self, signal: i32) -> bool {
        let status = self.proc("status");
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let mask = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        mask.expect("a mask") >> (signal - 1) & 1 == 1
    }

    fn threads(&self) -> Vec<String> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid)).expect("its threads");
        let name = |task: fs::DirEntry| fs::read_to_string(task.path().join("comm"));
        tasks.flatten().filter_map(|task| name(task).ok()).collect()
    }
}

#[test]
fn an_earlier_handler_is_left_alone() {
    let program = Launch::program(["handler-before", "plain"]).start();
    program.expect_after(0, "has a handler for SIGQUIT already");
    program.expect_after(0, "active: false");
    let from = program.lives();
    program.send(QUIT);
    program.expect_after(from, "the earlier handler ran");
    program.lives();
    assert!(!program.watch.seen().text.contains(PROMPT));
}

#[test]
fn a_chained_handler_runs_beside_the_prompt() {
    for launch in [
        Launch::program(["handler-before", "chain"]),
        Launch::program(["handler-before", "plain"]).set("SIGHEAP", "chain"),
    ] {
        let program = launch.start();
        program.expect_after(0, "active: true");
        let from = program.lives();
        program.press_ctrl_backslash();
        program.send("c\r");
        // It may have been frozen before it came to write.
        program.expect_after(from, "the earlier handler ran");
        program.lives();
    }
}

#[test]
fn a_signal_that_comes_during_the_look_reaches_the_chained_handler_after_it() {
    let program = Launch::program(["handler-before", "chain"]).start();
    program.lives();
    program.press_ctrl_backslash();
    let from = program.written();
    program.signal(Signal::SIGQUIT);
    program.command("top 1");
    program.send("c\r");
    program.expect_after(from, "the earlier handler ran");
}

#[test]
fn tokio_hears_the_signal_in_both_orders() {
    for order in ["tokio-before", "tokio-after"] {
        let program = Launch::program([order]).start();
        program.expect_after(0, "active: true");
        let from = program.lives();
        program.press_ctrl_backslash();
        program.send("c\r");
        program.expect_after(from, "tokio heard SIGQUIT");
        program.lives();
    }
}

#[test]
fn a_later_handler_is_noticed_once_and_left_alone() {
    let program = Launch::program(["handler-after"]).start();
    program.expect_after(0, "another handler for SIGQUIT came after the agent's");
    let from = program.lives();
    program.send(QUIT);
    program.expect_after(from, "the later handler ran");
    program.lives();
    let text = program.watch.seen().text.clone();
    assert!(!text.contains(PROMPT));
    assert_eq!(text.matches("another handler for SIGQUIT").count(), 1);
}

/// It told of Ctrl-\\, which then kills it.
#[test]
fn the_server_says_which_signal_opens_the_prompt() {
    let server = Launch::demo().set("SIGHEAP", "signal=USR2").start();
    let said = format!("run `kill -USR2 {}` to open the heap", server.pid);
    server.expect_after(0, &said);
    assert!(!server.watch.seen().text.contains("Ctrl-"));
    server.signal(Signal::SIGUSR2);
    server.expect_after(0, PROMPT);
}

#[test]
fn another_signal_opens_the_prompt_and_sigquit_means_what_it_did() {
    let program = Launch::program(["plain"])
        .set("SIGHEAP", "signal=USR2")
        .start();
    program.lives();
    let from = program.written();
    program.signal(Signal::SIGUSR2);
    program.expect_after(from, PROMPT);
    program.send("c\r");
    program.lives();
    program.send(QUIT);
    assert!(died_of(program.ended(), Signal::SIGQUIT));
}

#[test]
fn options_that_make_no_sense_are_named_in_the_log_and_at_the_prompt() {
    let program = Launch::program(["plain"])
        .set("SIGHEAP", "sginal=USR2,track=half")
        .start();
    program.expect_after(0, "SIGHEAP: `sginal=USR2` is not heeded");
    program.expect_after(0, "SIGHEAP: `track=half` is not heeded");
    program.lives();
    let screen = program.press_ctrl_backslash();
    assert!(
        in_a_line(&screen).contains("did you mean `signal`?"),
        "{screen}"
    );
    let info = program.command("info");
    assert!(
        in_a_line(&info).contains("`half` is no way of tracking"),
        "{info}"
    );
    program.send("c\r");
    program.lives();
}

#[test]
fn without_a_signal_there_is_no_prompt_and_the_log_says_so() {
    let program = Launch::program(["plain"])
        .set("SIGHEAP", "signal=none")
        .start();
    program.expect_after(0, "it was given no signal");
    program.expect_after(0, "active: false");
    program.lives();
    program.send(QUIT);
    assert!(died_of(program.ended(), Signal::SIGQUIT));
}

#[test]
fn off_leaves_nothing_behind() {
    let on = Launch::program(["plain"]).start();
    on.lives();
    assert!(on.catches(Signal::SIGQUIT as i32) && on.catches(STOP));
    assert!(on.threads().iter().any(|name| name.trim() == "sigheap"));
    for launch in [
        Launch::program(["plain"]).set("SIGHEAP", "off"),
        Launch::program(["built-off"]),
    ] {
        let off = launch.start();
        off.lives();
        assert!(!off.catches(Signal::SIGQUIT as i32) && !off.catches(STOP));
        assert_eq!(off.threads().len(), 1, "{:?}", off.threads());
        let sockets = |folder: &str| {
            let entries = fs::read_dir(folder).expect("its descriptors").flatten();
            let links = entries.filter_map(|entry| fs::read_link(entry.path()).ok());
            links
                .filter(|link| link.to_string_lossy().starts_with("socket:"))
                .count()
        };
        assert_eq!(sockets(&format!("/proc/{}/fd", off.pid)), 0);
        // What install reserves: the counts it shares with the looks, and the arena.
        let shared = |program: &Program| program.proc("maps").contains(" rw-s ");
        assert!(shared(&on) && !shared(&off));
        assert!(
            size(&on) > size(&off) + (1 << 30),
            "{} {}",
            size(&on),
            size(&off)
        );
        off.send(QUIT);
        assert!(died_of(off.ended(), Signal::SIGQUIT));
    }
}

/// A program that can never be looked at went on paying for it.
#[test]
fn nothing_is_recorded_where_nothing_will_ever_look() {
    let programs = env!("CARGO_BIN_EXE_programs");
    let plain = || Launch::program(["tracked", "plain"]);
    let ignored = Launch::of(Path::new("env")).with(["--ignore-signal=QUIT", programs]);
    let few = "ulimit -v 100000; exec \"$0\" tracked plain";
    for (launch, says, is_recorded) in [
        (plain(), "active: true", true),
        (
            plain().set("SIGHEAP", "signal=none"),
            "nothing is recorded any more",
            false,
        ),
        (
            Launch::program(["tracked", "handler-before"]),
            "nothing is recorded any more",
            false,
        ),
        (
            Launch::of(Path::new("sh")).with(["-c", few, programs]),
            "no addresses are left for its memory (ulimit -v); nothing is recorded any more",
            false,
        ),
        // Attaching may come later than the allocations of interest.
        (
            ignored.with(["tracked", "plain"]),
            "allocations are recorded all the same",
            true,
        ),
    ] {
        let program = launch.start();
        program.expect_after(0, says);
        program.expect_after(0, &format!("recorded: {is_recorded}"));
        program.lives();
    }
}

/// The second press counted for the report that was still being written, which told of the moment of the first.
#[test]
fn a_key_pressed_while_a_report_is_written_gets_one_of_its_own() {
    let mut program = Launch::program(["plain"])
        .in_setting(Setting::NoTerminal)
        .into_a_full_pipe()
        .start();
    eventually("the agent", || program.catches(Signal::SIGQUIT as i32));
    program.signal(Signal::SIGQUIT);
    eventually("a look that cannot write", || program.is_looked_at());
    // Longer than the key's own repetition.
    thread::sleep(Duration::from_millis(300));
    program.signal(Signal::SIGQUIT);
    eventually("the handler", || {
        !program.is_pending(Signal::SIGQUIT as i32)
    });
    assert!(
        program.is_looked_at(),
        "the first report waits for a reader"
    );
    program.read_on();
    let head = "sigheap: SIGQUIT; the program has no terminal";
    let first = program.expect_after(0, head);
    program.expect_after(first, head);
}

/// Nobody was woken by the second of two signals that follow each other at once, and the program's handler never heard of it.
#[test]
fn a_signal_to_the_agents_thread_that_is_no_press_reaches_the_programs_handler() {
    let mut program = Launch::program(["handler-owed"])
        .in_setting(Setting::NoTerminal)
        .start();
    program.expect_after(0, "active: true");
    program.expect_after(0, "the look is over");
    let mut input = program.input.take().expect("a pipe");
    for _ in 0..3 {
        let from = program.written();
        input.write_all(b"\n").expect("it reads");
        program.expect_after(from, "a handler ran for the agent's thread");
    }
}

/// It waited for the lock of a thread that it does not have.
#[test]
fn a_forked_child_adds_no_command_and_waits_for_nobody() {
    let program = Launch::program(["fork-registry"]).start();
    program.expect_after(0, "the child added a command");
    program.expect_after(0, "child left with 0");
}

/// What was broken into lines, in one.
fn in_a_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The bytes of its addresses.
fn size(program: &Program) -> u64 {
    let pages = program.proc("statm");
    let pages = pages
        .split(' ')
        .next()
        .and_then(|pages| pages.parse::<u64>().ok());
    pages.expect("a size") * 4096
}

#[test]
fn a_program_that_never_installs_dies_of_the_key() {
    let program = Launch::program(["no-install"]).start();
    program.lives();
    program.send(QUIT);
    assert!(died_of(program.ended(), Signal::SIGQUIT));
}

#[test]
fn without_the_allocator_the_prompt_says_what_is_missing() {
    let program = Launch::program(["plain"])
        .set("PLAIN_ALLOCATOR", "1")
        .start();
    program.lives();
    let screen = program.press_ctrl_backslash();
    assert!(screen.contains("global_allocator"), "{screen}");
    assert!(
        program
            .command("top")
            .contains("does not allocate through sigheap::Heap")
    );
    program.send("c\r");
    program.lives();
}

#[test]
fn installing_again_gives_the_same_agent() {
    let program = Launch::program(["twice"]).start();
    program.expect_after(0, "installed twice, with other options");
    program.lives();
    let agents = program
        .threads()
        .into_iter()
        .filter(|name| name.trim() == "sigheap");
    assert_eq!(agents.count(), 1);
    assert_eq!(program.watch.seen().text.matches("active: true").count(), 3);
    program.press_ctrl_backslash();
    program.send("c\r");
    program.lives();
}

#[test]
fn a_forked_child_dies_of_sigquit_as_before() {
    let program = Launch::program(["fork", "plain"]).start();
    let child = program.child();
    program.expect_after(0, "in the child, active: false");
    program.lives();
    kill(child, Signal::SIGQUIT).expect("the child is there");
    program.expect_after(0, "child died of signal 3");
    program.lives();
}

#[test]
fn a_forked_child_keeps_the_handler_that_was_there_before() {
    let program = Launch::program(["fork", "chain"]).start();
    let child = program.child();
    let from = program.lives();
    kill(child, Signal::SIGQUIT).expect("the child is there");
    let ran = program.expect_after(from, "the earlier handler ran");
    program.expect_after(ran, "alive ");
    assert!(!program.watch.seen().text.contains(PROMPT));
    kill(child, Signal::SIGKILL).expect("it lived on");
    program.expect_after(ran, "child died of signal 9");
}

/// It died of the signal that its own, later handler was for.
#[test]
fn a_forked_worker_may_listen_to_sigquit_itself() {
    let program = Launch::program(["fork-worker"]).start();
    let worker = program.child();
    program.expect_after(0, "the worker listens");
    for _ in 0..2 {
        let from = program.written();
        kill(worker, Signal::SIGQUIT).expect("the worker is there");
        program.expect_after(from, "the worker heard SIGQUIT");
    }
    kill(worker, Signal::SIGKILL).expect("it lived on");
    program.expect_after(0, "child died of signal 9");
}

/// A program that is pid 1 of a pid namespace, under the terminal, as in a container.
fn first_of_all() -> Option<Launch> {
    let new = ["--pid", "--fork", "--kill-child", "--mount-proc"];
    let works = Command::new("unshare").args(new).arg("true").output();
    if !works.is_ok_and(|output| output.status.success()) {
        return None;
    }
    let launch = Launch::of(Path::new("unshare")).with(new);
    let programs = env!("CARGO_BIN_EXE_programs");
    Some(launch.with(["setsid", "--ctty", programs, "plain"]))
}

#[test]
fn the_first_process_of_a_container_can_be_left_in_every_way() {
    for (line, code) in [("quit 5\r", 5), ("abort\r", 132)] {
        let Some(launch) = first_of_all() else {
            eprintln!("not checked: no pid namespaces here");
            return;
        };
        let program = launch.start();
        program.lives();
        program.press_ctrl_backslash();
        program.send("c\r");
        program.lives();
        program.press_ctrl_backslash();
        program.send(line);
        let status = program.ended();
        // `unshare` tells a child's death by a signal as it dies of the same, or as 128 and its number.
        let killed = died_of(status, Signal::SIGILL) && line == "abort\r";
        assert!(killed || status.code() == Some(code), "{line}: {status:?}");
    }
}

#[test]
fn three_presses_that_nobody_answers_end_the_first_process_of_a_container() {
    let Some(launch) = first_of_all() else {
        eprintln!("not checked: no pid namespaces here");
        return;
    };
    let program = launch.start();
    program.lives();
    let inner = program.look();
    let thread = thread_named(inner, "sigheap");
    let agent = Held::hold(thread);
    program.press_slowly();
    program.press_slowly();
    program.expect_after(0, "once more ends the program");
    program.press_slowly();
    // The first process of a container is gone only when all others are, and a traced thread only when its tracer knows.
    eventually("its death", || {
        state(thread).is_none_or(|state| "ZX".contains(state))
    });
    agent.let_go();
    let status = program.ended();
    // By the fault, or, where even that is dropped, by its own leave.
    let killed = died_of(status, Signal::SIGILL);
    let left = [Some(132), Some(131)].contains(&status.code());
    assert!(killed || left, "{status:?}");
}

#[test]
fn a_program_with_more_rights_than_its_user_has_no_prompt() {
    let Some((folder, copy)) = setuid_copy() else {
        eprintln!("not checked: it takes root and setpriv to make a setuid program");
        return;
    };
    let program = Launch::of(Path::new("setpriv"))
        .with(["--reuid=65534", "--clear-groups"])
        .with([copy.to_str().expect("a plain path"), "plain"])
        .in_setting(Setting::NoTerminal)
        .set("SIGHEAP", "on,nonsense")
        .start();
    program.expect_after(0, "not installed: the program has more rights");
    program.expect_after(0, "active: false");
    assert!(!program.watch.seen().text.contains("nonsense"));
    eventually("its removal", || fs::remove_dir_all(&folder).is_ok());
}

/// The test programs as a setuid program of root's, where everybody may run it.
fn setuid_copy() -> Option<(PathBuf, PathBuf)> {
    let here = Command::new("setpriv")
        .args(["--reuid=65534", "--clear-groups", "true"])
        .output();
    if !here.is_ok_and(|output| output.status.success()) {
        return None;
    }
    let folder = std::env::temp_dir().join(format!("sigheap-setuid-{}", std::process::id()));
    fs::create_dir_all(&folder).ok()?;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).ok()?;
    let copy = folder.join("programs");
    fs::copy(env!("CARGO_BIN_EXE_programs"), &copy).ok()?;
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o4755)).ok()?;
    Some((folder, copy))
}
