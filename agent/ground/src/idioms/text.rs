//! Strings and bytes, in all their owners.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{CString, OsString};
use std::fmt::Write;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use crate::case::{Case, at, case, rest};

fn word() -> &'static str {
    black_box("a word or two")
}

pub(crate) fn all(out: &mut Vec<Case>) {
    strings(out);
    bytes(out);
    others(out);
    nested(out);
}

fn strings(out: &mut Vec<Case>) {
    let string = || rest("String");
    case!(out, "to_string", string(), word().to_string());
    case!(out, "String::from", string(), String::from(word()));
    case!(out, "to_owned", string(), word().to_owned());
    case!(out, "format!", string(), format!("{}-{}", word(), 17));
    case!(
        out,
        "u64::to_string",
        string(),
        black_box(17u64).to_string()
    );
    case!(out, "push_str", string(), {
        let mut text = String::new();
        for _ in 0..black_box(9) {
            text.push_str(word());
            text.push('!');
        }
        text
    });
    case!(
        out,
        "with_capacity",
        string(),
        String::with_capacity(word().len())
    );
    case!(out, "clone", string(), {
        let text = word().to_string();
        (text.clone(), text)
    });
    case!(out, "to_uppercase", string(), word().to_uppercase());
    case!(out, "replace", string(), word().replace('o', "0"));
    case!(out, "repeat", string(), word().repeat(4));
    case!(out, "join", string(), ["a", word()].join(", "));
    case!(out, "concat", string(), ["a", word()].concat());
    case!(
        out,
        "from_utf8_lossy",
        string(),
        String::from_utf8_lossy(word().as_bytes()).into_owned()
    );
    case!(
        out,
        "chars().collect",
        string(),
        word().chars().rev().collect::<String>()
    );
    case!(out, "write!", string(), {
        let mut text = String::new();
        write!(text, "{:>20}", word()).unwrap();
        text
    });
    case!(
        out,
        "String + &str",
        string(),
        String::from(word()) + word()
    );
}

fn bytes(out: &mut Vec<Case>) {
    case!(out, "to_vec", rest("Vec<u8>"), word().as_bytes().to_vec());
    case!(out, "bytes push", rest("Vec<u8>"), {
        let mut bytes = Vec::new();
        for byte in word().bytes() {
            bytes.push(byte);
        }
        bytes
    });
    case!(out, "vec![0; n]", rest("Vec<u8>"), vec![0u8; word().len()]);
    case!(
        out,
        "Box<[u8]>",
        rest("Box<[u8]>"),
        Box::<[u8]>::from(word().as_bytes())
    );
    case!(
        out,
        "BufWriter",
        rest("Vec<u8>"),
        std::io::BufWriter::new(std::io::sink())
    );
    case!(
        out,
        "BufReader",
        rest("Box<[u8]>"),
        std::io::BufReader::new(std::io::empty())
    );
}

fn others(out: &mut Vec<Case>) {
    case!(out, "Box<str>", rest("Box<str>"), Box::<str>::from(word()));
    case!(out, "Arc<str>", rest("Arc<str>"), Arc::<str>::from(word()));
    case!(
        out,
        "Rc<str>",
        rest("Rc<str>"),
        Rc::<str>::from(word().to_string())
    );
    case!(out, "PathBuf::from", rest("PathBuf"), PathBuf::from(word()));
    case!(
        out,
        "Path::join",
        rest("PathBuf"),
        Path::new("/tmp").join(word())
    );
    case!(out, "OsString::push", rest("OsString"), {
        let mut text = OsString::new();
        text.push(word());
        text
    });
    case!(
        out,
        "CString::new",
        rest("CString"),
        CString::new(word()).unwrap()
    );
}

fn nested(out: &mut Vec<Case>) {
    let texts = |all: &[String]| vec![at(all.as_ptr(), "Vec<String>"), (0, "String".into())];
    case!(
        out,
        "Vec<String>",
        |made: &Vec<String>| texts(made),
        word().split(' ').map(str::to_string).collect::<Vec<_>>()
    );
    case!(
        out,
        "Vec<String>::clone",
        |made: &(Vec<String>, Vec<String>)| {
            let mut known = texts(&made.0);
            known.extend(texts(&made.1));
            known
        },
        {
            let all = vec![word().to_string(), word().to_string()];
            (all.clone(), all)
        }
    );
    case!(
        out,
        "HashMap<String, String>",
        |made: &HashMap<String, String>| {
            let ends = |(key, value): (&String, &String)| {
                [at(key.as_ptr(), "String"), at(value.as_ptr(), "String")]
            };
            let mut known: Vec<_> = made.iter().flat_map(ends).collect();
            known.push((0, "HashMap<String, String>".into()));
            known
        },
        (0..30)
            .map(|i| (i.to_string(), format!("v{i}")))
            .collect::<HashMap<_, _>>()
    );
    case!(
        out,
        "BTreeMap<String, Vec<u32>>",
        |made: &BTreeMap<String, Vec<u32>>| {
            let ends = |(key, value): (&String, &Vec<u32>)| {
                [at(key.as_ptr(), "String"), at(value.as_ptr(), "Vec<u32>")]
            };
            let mut known: Vec<_> = made.iter().flat_map(ends).collect();
            known.push((0, "BTreeMap<String, Vec<u32>>".into()));
            known
        },
        (0..30u32)
            .map(|i| (i.to_string(), vec![i; 3]))
            .collect::<BTreeMap<_, _>>()
    );
}
