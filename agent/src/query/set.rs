//! `set`: how answers are shown, for this look and those to come.

use super::near::nearest;
use super::{Argument, Command, Error, Example, Kind, Typed, View};
use crate::heap::{Host, Request, SETTINGS, Setting};
use crate::report::{Column, Report, Row, Value};

pub(crate) static COMMAND: Command = Command {
    name: "set",
    aliases: &[],
    summary: "how answers are shown: width, colours, paging, rows",
    help: "Without arguments, every setting and how it stands; with a name, that one; with a value, it is changed from the \
           next answer on. Settings last until the program ends, from look to look.",
    arguments: &[
        Argument {
            name: "NAME",
            kind: Kind::Setting,
            optional: true,
            help: "which setting; all unless given",
        },
        Argument {
            name: "VALUE",
            kind: Kind::SettingValue,
            optional: true,
            help: "what to set it to",
        },
    ],
    examples: &[
        Example {
            line: "set",
            says: "how all stand",
        },
        Example {
            line: "set rows 50",
            says: "tables of 50 rows unless a number is given",
        },
        Example {
            line: "set colour off",
            says: "no colours",
        },
    ],
    from: "gdb",
    run,
    ..Command::PLAIN
};

fn run(view: &mut View<'_>, typed: &Typed, host: &mut dyn Host) -> Result<Report, Error> {
    let mut words = typed.words.iter();
    let meant = match words.next() {
        None => SETTINGS.to_vec(),
        Some(name) => vec![find(typed, name)?],
    };
    if let Some(value) = words.next() {
        let [setting] = meant[..] else {
            return Err(typed.wrong("which setting?"));
        };
        change(view, typed, setting, value)?;
        host.request(Request::Remember(view.settings))?;
    }
    Ok(Report {
        command: COMMAND.name,
        columns: vec![
            Column::new("name", "setting"),
            Column::new("value", "is"),
            Column::new("values", "takes"),
            Column::prose("help", "what it is"),
        ],
        rows: meant.iter().map(|setting| row(view, setting)).collect(),
        ..Report::default()
    })
}

fn find(typed: &Typed, name: &str) -> Result<Setting, Error> {
    let mut begins = SETTINGS.iter().filter(|one| one.name.starts_with(name));
    match (begins.next(), begins.next()) {
        (Some(one), None) => Ok(*one),
        _ => Err(typed.wrong(unknown(name))),
    }
}

fn unknown(name: &str) -> String {
    let near = nearest(name, SETTINGS.iter().map(|setting| setting.name));
    match near.first() {
        Some(near) => format!("there is no setting `{name}`; did you mean `{near}`?"),
        None => format!("there is no setting `{name}`; `set` lists them"),
    }
}

fn change(view: &mut View<'_>, typed: &Typed, setting: Setting, value: &str) -> Result<(), Error> {
    let changed = view.settings.set(setting.name, value);
    changed.ok_or_else(|| {
        let values = setting.values.join(" or ");
        let (name, help) = (setting.name, setting.help);
        typed.wrong(format!("`{name}` takes {values}, not `{value}` ({help})"))
    })
}

fn row(view: &View<'_>, setting: &Setting) -> Row {
    Row::new([
        Value::text(setting.name),
        view.settings
            .get(setting.name)
            .map_or(Value::None, Value::Text),
        Value::text(setting.values.join("|")),
        Value::text(setting.help),
    ])
}
