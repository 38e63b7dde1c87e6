//! Terminals that are not as one expects: a dumb one, raw, in its alternate screen, closed at the prompt; and who else has
//! it: scripts, make, pipelines, children in the program's own group.

use std::fs;
use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::process::state;
use crate::prompt::{INTERRUPT, PROMPT, QUIT};
use crate::pty::{Launch, Program};
use crate::screen::eventually;

const PROGRAMS: &str = env!("CARGO_BIN_EXE_programs");

/// A shell that runs this and becomes its last command.
fn shell(script: &str) -> Launch {
    Launch::of(Path::new("sh")).with(["-c", script, PROGRAMS])
}

/// A person's shell.
fn interactive() -> Program {
    let shell = Launch::of(Path::new("sh")).with(["-c", "PS1='shell> ' exec sh -i"]);
    let shell = shell.start();
    shell.expect_after(0, "shell> ");
    shell
}

impl Program {
    /// Waits until it has said once more that it lives.
    #[track_caller]
    fn goes_on(&self) {
        self.expect_after(self.written(), "alive ");
    }

    /// The process of this name in its session.
    #[track_caller]
    fn process_named(&self, name: &str) -> Pid {
        let mut found = None;
        eventually(&format!("a process called {name}"), || {
            found = named(name, self.pid);
            found.is_some()
        });
        found.expect("it was just found")
    }
}

/// The process of this name in a session.
fn named(name: &str, session: Pid) -> Option<Pid> {
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    let mut numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    numbers.find_map(|pid| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (begin, fields) = stat.rsplit_once(") ")?;
        let of_session = fields.split(' ').nth(3) == Some(&session.to_string());
        (begin.ends_with(&format!("({name}")) && of_session).then_some(Pid::from_raw(pid))
    })
}

#[test]
fn a_dumb_terminal_has_a_plain_prompt() {
    let server = Launch::demo().set("TERM", "dumb").start();
    let before = server.is_serving();
    server.press_ctrl_backslash();
    assert!(server.command("top 1").contains("total"));
    let from = server.written();
    let reads = format!("/proc/{}/syscall", server.look());
    // The line is given up where one is read; a key that comes sooner interrupts nothing.
    eventually("a line being read", || {
        fs::read_to_string(&reads).is_ok_and(|call| call.starts_with("0 "))
    });
    server.send("half a line");
    server.send(INTERRUPT);
    let given_up = server.expect_after(from, PROMPT);
    server.send("top 1\r");
    server.expect_after(given_up, "total");
    server.resume("c\r");
    before.is_as_before(&server);
    server.press_ctrl_backslash();
    server.resume("\x04");
    before.is_as_before(&server);
}

/// A full-screen program: it reads every key itself, and what it shows is on the alternate screen.
#[test]
fn a_raw_terminal_is_set_for_the_prompt_and_raw_again_after_it() {
    let program = shell(r#"stty raw -echo; printf '\033[?1049h'; exec "$0" plain"#).start();
    program.goes_on();
    let (before, is_alternate) = (program.settings(), || {
        let seen = program.watch.seen();
        seen.terminal.screen().alternate_screen()
    });
    assert!(is_alternate());
    for _ in 0..2 {
        let from = program.written();
        // The key is a byte to such a program.
        program.signal(Signal::SIGQUIT);
        program.expect_after(from, PROMPT);
        assert_ne!(program.settings(), before);
        assert!(program.command("top 1").contains("total"));
        program.send("c\r");
        program.goes_on();
        assert_eq!(program.settings(), before);
        assert!(is_alternate());
    }
    assert_eq!(program.foreground(), program.pid);
}

/// Without keys that signal, without echo, with lines that are not edited: any one of them.
#[test]
fn every_mode_of_a_terminal_comes_back() {
    for mode in [
        "-isig",
        "-echo",
        "-icanon min 0 time 1",
        "-opost",
        "-icrnl",
        "tostop",
    ] {
        let program = shell(&format!(r#"stty {mode}; exec "$0" plain"#)).start();
        program.goes_on();
        let before = program.settings();
        let from = program.written();
        program.signal(Signal::SIGQUIT);
        program.expect_after(from, PROMPT);
        let answer = program.command("top 1");
        assert!(answer.contains("total"), "{mode}: {answer}");
        program.send("c\r");
        program.goes_on();
        assert_eq!(program.settings(), before, "{mode}");
    }
}

/// `script` gives the program a terminal that goes when it does, as a terminal's window.
#[test]
fn a_terminal_closed_at_the_prompt_ends_the_look() {
    // The program leads its session; its shell does (one that the key does not end), and dies of the
    // hangup, or does not.
    for (script, is_shells, lives) in [
        (format!("exec {PROGRAMS} quiet"), false, false),
        (format!("trap '' HUP; exec {PROGRAMS} quiet"), false, true),
        (
            format!("exec bash -c '{PROGRAMS} quiet; true'"),
            true,
            false,
        ),
        (
            format!("exec bash -c 'trap true HUP; {PROGRAMS} quiet; true'"),
            true,
            true,
        ),
    ] {
        let window = Launch::of(Path::new("script"))
            .with(["-qfc", &script, "/dev/null"])
            .start();
        window.expect_after(0, "active: true");
        let [mut program] = window.children()[..] else {
            panic!("script runs one program");
        };
        if is_shells {
            program = child_of(program);
        }
        window.press_ctrl_backslash();
        let look = child_of(program);
        window.signal(Signal::SIGKILL);
        window.ended();
        let is_gone = |pid| state(pid).is_none_or(|state| "ZX".contains(state));
        eventually("the look's end", || is_gone(look));
        if lives {
            // It says so in a file, since it has no terminal any more.
            let file = window.folder().join("lives");
            fs::remove_file(&file).expect("it said so before");
            eventually("its life", || file.exists());
            kill(program, Signal::SIGKILL).expect("it lives");
        }
        eventually("the program's end", || is_gone(program));
    }
}

/// The one child of a process.
#[track_caller]
fn child_of(parent: Pid) -> Pid {
    let threads = fs::read_dir(format!("/proc/{parent}/task")).expect("its threads");
    let children = threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let all: String = children.collect();
    let mut numbers = all.split_whitespace().filter_map(|word| word.parse().ok());
    Pid::from_raw(numbers.next().expect("a child"))
}

/// dash dies of the key, and the shell that ran it takes the terminal back.
#[test]
fn where_the_key_kills_who_started_the_program_the_shell_keeps_its_keys() {
    let shell = interactive();
    shell.send(&format!("export P={PROGRAMS}; sh -c '$P plain; true'\r"));
    shell.expect_after(0, "active: true");
    let program = shell.process_named("programs");
    shell.goes_on();
    let from = shell.written();
    shell.send(QUIT);
    let from = shell.expect_after(from, "shell> ");
    shell.send("echo $((6 * 7)) keys\r");
    let from = shell.expect_after(from, "42 keys");
    shell.expect_after(from, "alive ");
    assert_eq!(shell.foreground(), shell.pid);
    kill(program, Signal::SIGKILL).expect("it lives on");
}

/// make waits for its children when the key comes, and so does bash.
#[test]
fn the_key_opens_the_prompt_under_make_and_bash() {
    for starts in ["make -f rules", "bash -c '$P plain; true'"] {
        let shell = interactive();
        write_rules(&shell);
        shell.send(&format!("export P={PROGRAMS}; {starts}\r"));
        shell.expect_after(0, "active: true");
        shell.goes_on();
        let (before, group) = (shell.settings(), shell.foreground());
        shell.press_ctrl_backslash();
        assert!(shell.command("top 1").contains("total"));
        shell.send("c\r");
        shell.goes_on();
        assert_eq!((shell.settings(), shell.foreground()), (before, group));
    }
}

/// A file of rules for make that starts the program.
fn write_rules(shell: &Program) {
    let rules = format!("all:\n\t{PROGRAMS} plain\n");
    fs::write(shell.folder().join("rules"), rules).expect("a file of rules");
}

/// By a signal to the program alone nobody else dies, and the prompt opens under make as well.
#[test]
fn a_signal_to_the_program_alone_opens_the_prompt_under_a_script_and_make() {
    for starts in [
        "sh -c '$P plain; true'",
        "make -f rules",
        "bash -c '$P plain; true'",
    ] {
        let shell = interactive();
        write_rules(&shell);
        shell.send(&format!("export P={PROGRAMS}; {starts}\r"));
        shell.expect_after(0, "active: true");
        let program = shell.process_named("programs");
        shell.goes_on();
        let (before, group) = (shell.settings(), shell.foreground());
        let from = shell.written();
        kill(program, Signal::SIGQUIT).expect("it runs");
        shell.expect_after(from, PROMPT);
        assert!(shell.command("top 1").contains("total"));
        shell.send("c\r");
        shell.goes_on();
        assert_eq!((shell.settings(), shell.foreground()), (before, group));
        let from = shell.written();
        shell.send(INTERRUPT);
        shell.expect_after(from, "shell> ");
    }
}

/// The key would end `tee`; a signal to the program alone does not, and the first screen says so.
#[test]
fn a_pipelines_neighbours_are_spared_by_a_signal_to_the_program_alone() {
    let shell = interactive();
    shell.send(&format!("{PROGRAMS} plain | tee log\r"));
    shell.expect_after(0, "active: true");
    let program = shell.process_named("programs");
    shell.goes_on();
    let before = shell.settings();
    let from = shell.written();
    kill(program, Signal::SIGQUIT).expect("it runs");
    let open = shell.expect_after(from, PROMPT);
    let screen = shell.watch.seen().text[from..open].to_owned();
    assert!(screen.contains("kill -QUIT"), "{screen}");
    shell.send("c\r");
    shell.goes_on();
    assert_eq!(shell.settings(), before);
    let log = fs::read_to_string(shell.folder().join("log")).expect("tee's file");
    assert!(!log.contains(PROMPT), "the prompt is the terminal's: {log}");
}

/// A child of the program in its own process group has the key as well.
#[test]
fn a_child_in_the_programs_group_dies_of_the_key_and_the_program_goes_on() {
    let program = Launch::program(["with-child"]).start();
    program.goes_on();
    let before = program.settings();
    let from = program.written();
    program.press_ctrl_backslash();
    program.send("c\r");
    // The program may have seen it before it was stopped.
    program.expect_after(from, "the child died of signal 3");
    program.goes_on();
    assert_eq!(program.settings(), before);
    assert_eq!(program.foreground(), program.pid);
}

/// What others of the program write meanwhile comes through, also where the terminal stops who writes in the background.
#[test]
fn others_may_write_to_the_terminal_while_the_prompt_is_open() {
    let chatter = r#"(trap "" QUIT; while echo chatter; do sleep 0.1; done) & "#;
    let program = shell(&format!(r#"stty tostop; {chatter} exec "$0" plain"#)).start();
    program.goes_on();
    let before = program.settings();
    let from = program.written();
    program.signal(Signal::SIGQUIT);
    let open = program.expect_after(from, PROMPT);
    let said = program.expect_after(open, "chatter");
    program.send("top 1\r");
    let answered = program.expect_after(said, "total");
    program.expect_after(answered, "chatter");
    program.send("c\r");
    program.goes_on();
    assert_eq!(program.settings(), before);
}
