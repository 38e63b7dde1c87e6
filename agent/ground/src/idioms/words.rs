//! Texts on their way from one owner to another, and names of files.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::ffi::{CStr, CString, OsStr, OsString};
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use crate::case::{Case, at, case, others, rest};

pub(crate) fn all(out: &mut Vec<Case>) {
    made(out);
    changed(out);
    passed_on(out);
    files(out);
    kept(out);
}

fn word() -> &'static str {
    black_box("The quick brown fox, äöü")
}

struct Shown(u32);

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "<{:04}>", self.0)
    }
}

fn made(out: &mut Vec<Case>) {
    let string = || rest("String");
    case!(
        out,
        "Display to_string",
        string(),
        Shown(black_box(7)).to_string()
    );
    case!(out, "format! of format_args!", string(), {
        format!(
            "{} {:?} {}",
            Shown(1),
            word(),
            format_args!("{:x}", black_box(77))
        )
    });
    case!(
        out,
        "f64 to_string",
        string(),
        black_box(1.5f64).to_string()
    );
    case!(out, "char to_string", string(), black_box('ä').to_string());
    case!(out, "collect of &str", string(), {
        word().split(' ').collect::<String>()
    });
    case!(out, "collect of String", string(), {
        word().split(' ').map(str::to_string).collect::<String>()
    });
    case!(out, "extend chars", string(), {
        let mut text = String::new();
        text.extend(word().chars().filter(|c| c.is_alphabetic()));
        text
    });
    case!(out, "flat_map to_uppercase", string(), {
        word()
            .chars()
            .flat_map(char::to_uppercase)
            .collect::<String>()
    });
    case!(out, "from_utf16", string(), {
        let units: Vec<u16> = word().encode_utf16().collect();
        String::from_utf16(&units).unwrap()
    });
    // Blocks that change hands are what they were born as: no allocator hears of the change.
    case!(out, "from_utf8", rest("Vec<u8>"), {
        String::from_utf8(word().as_bytes().to_vec()).unwrap()
    });
    case!(out, "lossy", string(), {
        String::from_utf8_lossy(black_box(b"ab\xffcd")).into_owned()
    });
    case!(
        out,
        "escape_debug",
        string(),
        word().escape_debug().to_string()
    );
    case!(out, "read_to_string", string(), {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut word().as_bytes(), &mut text).unwrap();
        text
    });
    case!(out, "read_line", string(), {
        let mut text = String::new();
        std::io::BufRead::read_line(&mut word().as_bytes(), &mut text).unwrap();
        text
    });
    case!(out, "concat of Strings", string(), {
        [word().to_string(), "x".to_string()].concat()
    });
    case!(out, "join of Strings", string(), {
        vec![word().to_string(), "x".to_string()].join("\n")
    });
}

fn changed(out: &mut Vec<Case>) {
    let string = || rest("String");
    case!(out, "insert_str", string(), {
        let mut text = word().to_string();
        text.insert_str(3, word());
        text
    });
    case!(out, "insert", string(), {
        let mut text = word().to_string();
        text.insert(3, 'ä');
        text
    });
    case!(
        out,
        "replacen",
        string(),
        word().replacen("quick", "slow", 1)
    );
    case!(out, "replace_range", string(), {
        let mut text = word().to_string();
        text.replace_range(4..9, "very, very quick");
        text
    });
    case!(
        out,
        "to_ascii_uppercase",
        string(),
        word().to_ascii_uppercase()
    );
    case!(out, "to_lowercase", string(), word().to_lowercase());
    case!(out, "split_off", string(), {
        let mut text = word().to_string();
        (text.split_off(9), text)
    });
    case!(out, "+=", string(), {
        let mut text = String::new();
        for _ in 0..black_box(4) {
            text += word();
        }
        text
    });
    case!(out, "shrink_to_fit", string(), {
        let mut text = String::with_capacity(black_box(200));
        text.push_str(word());
        text.shrink_to_fit();
        text
    });
    case!(out, "reserve_exact", string(), {
        let mut text = String::new();
        text.reserve_exact(black_box(200));
        text
    });
    case!(out, "drain", string(), {
        let mut text = word().to_string();
        let front = text.drain(..9).collect::<String>();
        (front, text)
    });
    case!(out, "Cow to_mut", string(), {
        let mut text = Cow::Borrowed(word());
        text.to_mut().push('!');
        text
    });
    case!(out, "Cow add", string(), Cow::Borrowed(word()) + "more");
    case!(out, "clone_from", string(), {
        let mut text = String::new();
        text.clone_from(&word().to_string());
        text
    });
}

fn passed_on(out: &mut Vec<Case>) {
    case!(out, "into_boxed_str", rest("Box<str>"), {
        let mut text = String::with_capacity(black_box(99));
        text.push_str(word());
        text.into_boxed_str()
    });
    case!(out, "Box<str> clone", rest("Box<str>"), {
        let text: Box<str> = word().into();
        (text.clone(), text)
    });
    case!(out, "Box<str> collect", rest("Box<str>"), {
        word().chars().rev().collect::<Box<str>>()
    });
    case!(out, "Arc<str> from String", rest("Arc<str>"), {
        Arc::<str>::from(word().to_string())
    });
    case!(out, "Rc<str> from Cow", rest("Rc<str>"), {
        Rc::<str>::from(Cow::Borrowed(word()))
    });
    case!(out, "Rc<str> from Box", rest("Rc<str>"), {
        Rc::<str>::from(Box::<str>::from(word()))
    });
    case!(out, "Arc<str> from format!", rest("Arc<str>"), {
        Arc::<str>::from(format!("{}", Shown(black_box(3))))
    });
    case!(
        out,
        "Arc<String>",
        |made: &Arc<String>| { vec![at(made.as_ptr(), "String"), others("Arc<String>")] },
        Arc::new(word().to_string())
    );
    case!(
        out,
        "Box<String>",
        |made: &Box<String>| { vec![at(made.as_ptr(), "String"), others("Box<String>")] },
        Box::new(word().to_string())
    );
    case!(
        out,
        "into_bytes",
        rest("String"),
        word().to_string().into_bytes()
    );
    case!(out, "write_all to Vec", rest("Vec<u8>"), {
        let mut bytes = Vec::new();
        std::io::Write::write_all(&mut bytes, word().as_bytes()).unwrap();
        bytes
    });
    case!(out, "write! to Vec", rest("Vec<u8>"), {
        let mut bytes = Vec::new();
        std::io::Write::write_fmt(&mut bytes, format_args!("{}", Shown(black_box(5)))).unwrap();
        bytes
    });
    case!(out, "read_to_end", rest("Vec<u8>"), {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut word().as_bytes(), &mut bytes).unwrap();
        bytes
    });
    case!(
        out,
        "Arc<[u8]>",
        rest("Arc<[u8]>"),
        Arc::<[u8]>::from(word().as_bytes())
    );
    case!(out, "Box<[u8]> of Vec", rest("Box<[u8]>"), {
        let mut bytes = Vec::with_capacity(black_box(99));
        bytes.extend_from_slice(word().as_bytes());
        bytes.into_boxed_slice()
    });
    case!(
        out,
        "Vec<char>",
        rest("Vec<char>"),
        word().chars().collect::<Vec<_>>()
    );
    case!(out, "VecDeque<u8>", rest("VecDeque<u8>"), {
        word().bytes().collect::<VecDeque<_>>()
    });
}

fn files(out: &mut Vec<Case>) {
    let path = || rest("PathBuf");
    case!(
        out,
        "path collect",
        path(),
        ["a", word(), "b"].iter().collect::<PathBuf>()
    );
    case!(
        out,
        "with_extension",
        path(),
        Path::new(word()).with_extension("tar.gz")
    );
    case!(
        out,
        "with_file_name",
        path(),
        Path::new("/x/y").with_file_name(word())
    );
    case!(out, "to_path_buf", path(), Path::new(word()).to_path_buf());
    case!(out, "push of parts", path(), {
        let mut path = PathBuf::new();
        for _ in 0..black_box(4) {
            path.push(word());
        }
        path
    });
    case!(out, "PathBuf clone", path(), {
        let path = PathBuf::from(word());
        (path.clone(), path)
    });
    case!(
        out,
        "PathBuf from String",
        rest("String"),
        PathBuf::from(word().to_string())
    );
    case!(
        out,
        "Arc<Path>",
        rest("Arc<std::path::Path>"),
        Arc::<Path>::from(Path::new(word()))
    );
    case!(
        out,
        "Box<Path>",
        rest("Box<std::path::Path>"),
        Box::<Path>::from(Path::new(word()))
    );
    let os = || rest("OsString");
    case!(out, "OsString from", os(), OsString::from(word()));
    case!(out, "to_os_string", os(), OsStr::new(word()).to_os_string());
    case!(out, "OsString collect", os(), {
        word().split(' ').map(OsString::from).collect::<OsString>()
    });
    let c = || rest("CString");
    case!(
        out,
        "CString of Vec",
        c(),
        CString::new(word().as_bytes().to_vec()).unwrap()
    );
    case!(
        out,
        "CString of String",
        c(),
        CString::new(word().to_string()).unwrap()
    );
    case!(
        out,
        "CStr to_owned",
        c(),
        black_box(c"some text").to_owned()
    );
    case!(out, "Arc<CStr>", rest("Arc<core::ffi::c_str::CStr>"), {
        Arc::<CStr>::from(black_box(c"some text"))
    });
}

fn kept(out: &mut Vec<Case>) {
    let ends = |all: &mut dyn Iterator<Item = &String>, holder: &str| {
        let mut known: Vec<_> = all.map(|text| at(text.as_ptr(), "String")).collect();
        known.push(others(holder));
        known
    };
    case!(
        out,
        "lines to Strings",
        |made: &Vec<String>| { ends(&mut made.iter(), "Vec<String>") },
        word().split(' ').map(str::to_owned).collect::<Vec<_>>()
    );
    case!(
        out,
        "Vec<&str>",
        rest("Vec<&str>"),
        word().split(' ').collect::<Vec<_>>()
    );
    case!(
        out,
        "Strings push",
        |made: &Vec<String>| { ends(&mut made.iter(), "Vec<String>") },
        {
            let mut all = Vec::new();
            for part in word().split(' ') {
                all.push(format!("{part}!"));
            }
            all
        }
    );
    case!(
        out,
        "HashSet<String>",
        |made: &HashSet<String>| { ends(&mut made.iter(), "HashSet<String>") },
        word().split(' ').map(String::from).collect::<HashSet<_>>()
    );
    case!(
        out,
        "BTreeSet<String>",
        |made: &BTreeSet<String>| { ends(&mut made.iter(), "BTreeSet<String>") },
        word().split(' ').map(String::from).collect::<BTreeSet<_>>()
    );
    case!(
        out,
        "VecDeque<String>",
        |made: &VecDeque<String>| { ends(&mut made.iter(), "VecDeque<String>") },
        word().split(' ').map(String::from).collect::<VecDeque<_>>()
    );
    case!(
        out,
        "counts of words",
        |made: &HashMap<String, usize>| { ends(&mut made.keys(), "HashMap<String, usize>") },
        {
            let mut all = HashMap::new();
            for part in word().split(' ') {
                *all.entry(part.to_string()).or_default() += 1;
            }
            all
        }
    );
    case!(
        out,
        "words by length",
        |made: &BTreeMap<usize, Vec<String>>| {
            let mut known: Vec<_> = made
                .values()
                .flat_map(|all| {
                    let texts = all.iter().map(|text| at(text.as_ptr(), "String"));
                    texts.chain([at(all.as_ptr(), "Vec<String>")])
                })
                .collect();
            known.push(others("BTreeMap<usize, Vec<String>>"));
            known
        },
        {
            let mut all: BTreeMap<usize, Vec<String>> = BTreeMap::new();
            for part in word().split(' ') {
                all.entry(part.len()).or_default().push(part.to_owned());
            }
            all
        }
    );
    case!(
        out,
        "HashMap<Arc<str>, Box<str>>",
        |made: &HashMap<Arc<str>, Box<str>>| {
            let mut known: Vec<_> = made
                .iter()
                .flat_map(|(key, value)| {
                    [
                        // The text follows the two counts.
                        (key.as_ptr() as usize - 16, "Arc<str>".to_string()),
                        at(value.as_ptr(), "Box<str>"),
                    ]
                })
                .collect();
            known.push(others("HashMap<Arc<str>, Box<str>>"));
            known
        },
        {
            word()
                .split(' ')
                .map(|part| (Arc::from(part), Box::from(part)))
                .collect::<HashMap<Arc<str>, Box<str>>>()
        }
    );
}
