//! `tasks`: the tasks of tokio: what each is, where it waits, and what it keeps.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::rc::Rc;

use super::pattern::Pattern;
use super::rows::{self, ALL, N, left_out};
use super::types::{Types, legend, type_value};
use super::view::age;
use super::{Argument, Command, Error, Example, Kind, Need, Typed, View};
use crate::heap::{Block, Confidence, Content, Gap, Host, TypeName};
use crate::report::{Column, Line, Object, Report, Row, Value, count};
use crate::walk::{Await, Task, TaskState, Waits};

pub(crate) static COMMAND: Command = Command {
    name: "tasks",
    aliases: &[],
    summary: "tokio's tasks, where they wait, and what they keep",
    help: "One row for each function or block that was spawned, the one that retains most first: how many tasks of it live, \
           their state, the bytes that would be freed with them, and the age of the oldest. Below it where they wait: the file \
           and line of each `.await`, from the one that was spawned down to what is not ready, with the number of tasks that \
           stand so. Idle is who waits for something; notified, who was woken and waits for a worker; running, who was being \
           polled; complete, who is done while somebody holds its handle.\n\
           With a PATTERN a row for each of those tasks, with an address or a row's number what one task awaits, step by step.",
    more: &[
        "Tasks of every runtime are found, of `spawn_local`, `JoinSet` and `spawn_blocking`, too: each is one block. What is \
         polled in place (`block_on`, a future in a `select!`) is no task.",
    ],
    arguments: &[
        Argument {
            name: "PATTERN",
            kind: Kind::Pattern,
            optional: true,
            help: "which tasks: a function's name, an address, or a numbered row",
        },
        N,
    ],
    flags: &[ALL],
    examples: &[
        Example {
            line: "tasks",
            says: "by what was spawned",
        },
        Example {
            line: "tasks --all --json",
            says: "all of them, for a program",
        },
    ],
    from: "tokio-console, asyncio's all_tasks",
    needs: &[Need::Every],
    run,
    ..Command::PLAIN
};

/// A task.
struct One {
    block: u32,
    name: TypeName,
    task: Task,
    retained: u64,
    /// What it awaits, in a line.
    chain: String,
}

fn run(view: &mut View<'_>, typed: &Typed, _: &mut dyn Host) -> Result<Report, Error> {
    let (most, words) = typed.split_number();
    let most = rows::rows(view, most, typed);
    let types = view.types();
    let mut tasks = tasks(view, &types, typed.full());
    let gaps = gaps(view, &tasks);
    if let [word] = words {
        if let Some(Object::Type(full)) = view.row(word)? {
            tasks.retain(|one| one.name.full == full);
            return Ok(each(view, tasks, most, typed.full(), gaps));
        }
        if let Some(block) = view.block(word)? {
            let number = view.number_of(block);
            let one = tasks.into_iter().find(|one| one.block == number);
            let one = one.ok_or_else(|| typed.wrong(format!("`{word}` is no task")))?;
            return Ok(detail(view, &one, typed.full(), gaps));
        }
    }
    if words.is_empty() {
        return Ok(by_function(view, tasks, most, typed.full(), gaps));
    }
    let pattern = Pattern::read(&words.join(" "));
    tasks.retain(|one| pattern.matches(&one.name));
    if tasks.is_empty() {
        return Err(Error::NoMatch {
            pattern: words.join(" "),
            near: Vec::new(),
        });
    }
    Ok(each(view, tasks, most, typed.full(), gaps))
}

/// The tasks, in order of address.
fn tasks(view: &mut View<'_>, types: &Types, full: bool) -> Vec<One> {
    let holders = view.holders();
    let mut known: HashMap<usize, Option<Content>> = HashMap::new();
    let mut tasks = Vec::new();
    let all = view.snapshot.blocks.len();
    for (number, block) in (0..).zip(&view.snapshot.blocks) {
        if !view.goes_on("following tasks", number as usize, all) {
            break;
        }
        let Some(group) = types.index.of(block) else {
            continue;
        };
        let content = *known
            .entry(group)
            .or_insert_with(|| content(view, types, block));
        let Some(content) = content else {
            continue;
        };
        let task = match content {
            Content::One(of) => view.walker().task(block.address, of),
            _ => Task {
                state: TaskState::Unknown,
                is_cancelled: false,
                id: None,
                future: None,
            },
        };
        tasks.push(One {
            block: number,
            name: types.name_of(block),
            retained: holders.graph.retained(number),
            chain: chain(view, &task, full),
            task,
        });
    }
    view.knows_statics = !view.waiting.has_stopped();
    tasks
}

/// What a block holds if that is a task; unknown where its name alone says so.
fn content(view: &View<'_>, types: &Types, block: &Block) -> Option<Content> {
    let layouts = view.names.layouts();
    let content = view
        .site(block.site)
        .map(|site| layouts.content(site, block.size, block.align()));
    match content {
        Some(Content::One(of)) if view.walker().is_task(of) => content,
        _ => types
            .name_of(block)
            .full
            .starts_with("task ")
            .then_some(Content::Unknown),
    }
}

/// The tasks by what was spawned.
fn by_function(
    view: &View<'_>,
    tasks: Vec<One>,
    most: usize,
    full: bool,
    gaps: Vec<Gap>,
) -> Report {
    let mut groups: HashMap<Rc<str>, Vec<One>> = HashMap::new();
    let (all, bytes): (usize, u64) = (
        tasks.len(),
        tasks.iter().map(|one| view.numbered(one.block).size).sum(),
    );
    for one in tasks {
        let key = Rc::clone(&one.name.full);
        groups.entry(key).or_default().push(one);
    }
    let mut groups: Vec<Vec<One>> = groups.into_values().collect();
    groups.sort_by_key(|group| (Reverse(retained(group)), Rc::clone(&group[0].name.full)));
    let kinds = groups.len();
    groups.truncate(most);
    let head = match all {
        0 => "No task of tokio's is there.".to_owned(),
        _ => format!(
            "{} of {}:",
            count(all as u64, "task"),
            count(kinds as u64, "function")
        ),
    };
    Report {
        command: COMMAND.name,
        head: vec![head],
        columns: COLUMNS.to_vec(),
        rows: groups.iter().map(|group| row(view, group, full)).collect(),
        objects: groups
            .iter()
            .map(|group| Object::Type(Rc::clone(&group[0].name.full)))
            .collect(),
        total: vec![
            ("count", Value::Count(all as u64)),
            ("bytes", Value::Bytes(bytes)),
        ],
        notes: left_out((kinds - groups.len()) as u64, "row")
            .into_iter()
            .chain(legend(groups.iter().map(|group| &group[0].name)))
            .chain((kinds > 0).then(|| "Next: `tasks #1` lists them one by one.".to_owned()))
            .collect(),
        gaps,
        ..Report::default()
    }
}

static COLUMNS: [Column; 9] = [
    Column::flexible("type", "type"),
    Column::new("confidence", "~"),
    Column::new("count", "count"),
    Column::new("state", "state"),
    Column::new("retained", "retains"),
    Column::new("bytes", "bytes").spare(),
    Column::new("age_s", "oldest"),
    Column::new("states", ""),
    Column::new("waits", ""),
];

fn retained(group: &[One]) -> u64 {
    group.iter().map(|one| one.retained).sum()
}

/// The ways in which tasks stand that have a line below their row.
const WAYS: usize = 3;

fn row(view: &View<'_>, group: &[One], full: bool) -> Row {
    let mut ways: HashMap<(TaskState, &str), u64> = HashMap::new();
    let mut states: HashMap<TaskState, u64> = HashMap::new();
    for one in group {
        *ways.entry((one.task.state, &*one.chain)).or_default() += 1;
        *states.entry(one.task.state).or_default() += 1;
    }
    let mut ways: Vec<_> = ways.into_iter().collect();
    ways.sort_by_key(|((state, chain), n)| (Reverse(*n), *state, chain.to_owned()));
    let mut states: Vec<_> = states.into_iter().collect();
    states.sort_by_key(|(state, n)| (Reverse(*n), *state));
    let shown = if full { usize::MAX } else { WAYS };
    let mut below: Vec<Line> = ways
        .iter()
        .take(shown)
        .map(|((state, chain), n)| line(format!("{}: {}", of_state(*n, *state), of_chain(chain))))
        .collect();
    if ways.len() > shown {
        below.push(line(format!("{} more ways: `--full`", ways.len() - shown)));
    }
    let oldest = group.iter().map(|one| view.numbered(one.block));
    let oldest = oldest.min_by_key(|block| (block.birth, block.address));
    let ways = ways.iter().map(|((state, chain), n)| {
        Value::Map(vec![
            ("state", Value::text(state.to_string())),
            ("count", Value::Count(*n)),
            ("waits", Value::text(*chain)),
        ])
    });
    let most = states.first().map(|(state, _)| state.to_string());
    let mixed = if states.len() > 1 { ", …" } else { "" };
    Row {
        below,
        ..Row::new([
            type_value(&group[0].name, full),
            Value::Confidence(group[0].name.confidence),
            Value::Count(group.len() as u64),
            Value::text(most.unwrap_or_default() + mixed),
            Value::Bytes(retained(group)),
            Value::Bytes(group.iter().map(|one| view.numbered(one.block).size).sum()),
            oldest.map_or(Value::None, |block| age(view.snapshot, block)),
            Value::List(
                states
                    .iter()
                    .map(|(state, n)| {
                        Value::Map(vec![
                            ("state", Value::text(state.to_string())),
                            ("count", Value::Count(*n)),
                        ])
                    })
                    .collect(),
            ),
            Value::List(ways.collect()),
        ])
    }
}

fn of_state(n: u64, state: TaskState) -> String {
    format!("{} {state}", Value::Count(n))
}

fn of_chain(chain: &str) -> &str {
    match chain {
        "" => "where is not known",
        chain => chain,
    }
}

fn line(text: String) -> Line {
    Line { text, dim: false }
}

/// A row for each task, the one that retains most first.
fn each(view: &View<'_>, mut tasks: Vec<One>, most: usize, full: bool, gaps: Vec<Gap>) -> Report {
    tasks.sort_by_key(|one| (Reverse(one.retained), one.block));
    let all = tasks.len();
    tasks.truncate(most);
    let row = |one: &One| {
        let block = view.numbered(one.block);
        Row {
            below: vec![line(of_chain(&one.chain).to_owned())],
            ..Row::new([
                Value::Address(block.address),
                Value::text(state_text(&one.task)),
                Value::Bytes(one.retained),
                Value::Bytes(block.size),
                age(view.snapshot, block),
                type_value(&one.name, full),
                Value::Confidence(one.name.confidence),
                one.task.id.map_or(Value::None, Value::Count),
                Value::text(one.chain.clone()),
            ])
        }
    };
    Report {
        command: COMMAND.name,
        columns: EACH.to_vec(),
        rows: tasks.iter().map(row).collect(),
        objects: tasks
            .iter()
            .map(|one| Object::Block(view.numbered(one.block).address))
            .collect(),
        total: vec![("count", Value::Count(all as u64))],
        notes: left_out((all - tasks.len()) as u64, "task")
            .into_iter()
            .chain(legend(tasks.iter().map(|one| &one.name)))
            .chain([
                "Next: `tasks #1` what it awaits step by step, `path #1` who holds it.".to_owned(),
            ])
            .collect(),
        gaps,
        ..Report::default()
    }
}

static EACH: [Column; 9] = [
    Column::new("address", "address"),
    Column::new("state", "state"),
    Column::new("retained", "retains"),
    Column::new("bytes", "bytes").spare(),
    Column::new("age_s", "age"),
    Column::flexible("type", "type"),
    Column::new("confidence", "~"),
    Column::new("id", ""),
    Column::new("waits", ""),
];

fn state_text(task: &Task) -> String {
    match task.is_cancelled {
        true => format!("{}, cancelled", task.state),
        false => task.state.to_string(),
    }
}

/// One task: what it awaits, as a tree.
fn detail(view: &View<'_>, one: &One, full: bool, gaps: Vec<Gap>) -> Report {
    let block = view.numbered(one.block);
    let id = one
        .task
        .id
        .map(|id| format!(", id {id}"))
        .unwrap_or_default();
    let head = format!(
        "{} {} ({}), {}{id}, {}, retains {}.",
        block.address,
        type_value(&one.name, full),
        one.name.confidence,
        state_text(&one.task),
        Value::Bytes(block.size),
        Value::Bytes(one.retained),
    );
    let rows = one.task.future.iter();
    Report {
        command: COMMAND.name,
        head: vec![head],
        columns: vec![
            Column::flexible("type", "future"),
            Column::flexible("waits", "waits at"),
            Column::new("size", "size"),
            Column::new("address", ""),
        ],
        rows: rows.map(|one| await_row(view, one, full)).collect(),
        notes: vec![match &one.task.future {
            Some(_) => format!(
                "Next: `show {}` its values, `path {0}` who holds it.",
                block.address
            ),
            None => "Its future is not there any more, or not described.".to_owned(),
        }],
        gaps,
        ..Report::default()
    }
}

fn await_row(view: &View<'_>, one: &Await, full: bool) -> Row {
    let layouts = view.names.layouts();
    let name = layouts.written(one.of);
    let size = layouts.layout(one.of).map_or(0, |layout| layout.size);
    Row {
        children: one
            .below
            .iter()
            .map(|below| await_row(view, below, full))
            .collect(),
        ..Row::new([
            super::instances::name_value(&name, full),
            Value::text(match &one.waits {
                Waits::At(place) => place.to_string(),
                Waits::NotStarted => "not started".to_owned(),
                Waits::Done => "done".to_owned(),
                Waits::Panicked => "panicked".to_owned(),
                Waits::Itself => String::new(),
            }),
            Value::Bytes(size),
            Value::Address(one.at),
        ])
    }
}

/// What a task awaits, in a line: `src/a.rs:12 > src/b.rs:7 > Sleep`.
fn chain(view: &View<'_>, task: &Task, full: bool) -> String {
    match (&task.future, task.state) {
        (Some(future), _) => steps(view, future, full),
        (None, TaskState::Complete) => "done".to_owned(),
        (None, _) => String::new(),
    }
}

fn steps(view: &View<'_>, one: &Await, full: bool) -> String {
    let own = match &one.waits {
        Waits::At(place) if full => place.to_string(),
        Waits::At(place) => near_end(place),
        Waits::NotStarted => "not started".to_owned(),
        Waits::Done => "done".to_owned(),
        Waits::Panicked => "panicked".to_owned(),
        Waits::Itself => {
            let written = view.names.layouts().written(one.of);
            if full { &written.full } else { &written.short }.to_string()
        }
    };
    let below: Vec<String> = one.below.iter().map(|one| steps(view, one, full)).collect();
    match &below[..] {
        [] => own,
        [only] if one.waits == Waits::Itself => only.clone(),
        [only] => format!("{own} > {only}"),
        several => format!("{own} > any of ({})", several.join(" | ")),
    }
}

/// The last parts of a path: `src/net.rs:42`.
fn near_end(place: &str) -> String {
    let parts: Vec<&str> = place.rsplitn(3, '/').collect();
    match parts[..] {
        [file, directory, _] => format!("{directory}/{file}"),
        _ => place.to_owned(),
    }
}

/// What could not be told of tasks.
fn gaps(view: &View<'_>, tasks: &[One]) -> Vec<Gap> {
    let mut gaps = view.gaps();
    let unknown = tasks
        .iter()
        .filter(|one| one.task.state == TaskState::Unknown)
        .count();
    if unknown > 0 {
        gaps.push(Gap::new(
            format!("the state of {}", count(unknown as u64, "task")),
            "their type is not described (debug = 2 does), or their header does not hold together",
        ));
    }
    let likely = tasks
        .iter()
        .filter(|one| one.name.confidence < Confidence::Exact)
        .count();
    if likely > 0 {
        gaps.push(Gap::new(
            format!("for sure the function of {}", count(likely as u64, "task")),
            "equal code may have been merged: a state that makes no sense is one of another function",
        ));
    }
    gaps
}
