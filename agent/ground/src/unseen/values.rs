//! Texts, bytes and sequences as they pass through a program: read, cut, put together, sorted, handed on.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, LinkedList, VecDeque};
use std::fmt::Write as _;
use std::hint::black_box;
use std::io::{BufRead, BufWriter, Cursor, Read, Write as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, OnceLock};

use crate::case::{Case, at, case, others, rest};

const TEXT: &str =
    "GET /a/path?of=three HTTP/1.1\r\nHost: example.org\r\nAccept: */*\r\n\r\nbody of it";

fn texts(all: &[String]) -> Vec<(usize, String)> {
    let each = all.iter().map(|one| at(one.as_ptr(), "String"));
    std::iter::once(at(all.as_ptr(), "Vec<String>"))
        .chain(each)
        .collect()
}

fn text(out: &mut Vec<Case>) {
    let text = black_box(TEXT);
    case!(out, "lines", |made: &Vec<String>| texts(made), {
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    });
    case!(out, "read lines", |made: &Vec<String>| texts(made), {
        Cursor::new(text)
            .lines()
            .map_while(Result::ok)
            .collect::<Vec<_>>()
    });
    case!(
        out,
        "headers",
        |made: &HashMap<String, String>| {
            let each = |(key, value): (&String, &String)| {
                [at(key.as_ptr(), "String"), at(value.as_ptr(), "String")]
            };
            let mut known: Vec<_> = made.iter().flat_map(each).collect();
            known.push(others("HashMap<String, String>"));
            known
        },
        {
            text.lines()
                .filter_map(|line| line.split_once(": "))
                .map(|(key, value)| (key.to_ascii_lowercase(), value.trim().to_string()))
                .collect::<HashMap<_, _>>()
        }
    );
    case!(out, "query", rest("Vec<(&str, &str)>"), {
        let query = text
            .split([' ', '?'])
            .find(|part| part.contains('='))
            .unwrap();
        query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .collect::<Vec<_>>()
    });
    case!(out, "hex", rest("String"), {
        let mut all = String::new();
        for byte in text.bytes().take(9) {
            write!(all, "{byte:02x}").unwrap();
        }
        all
    });
    case!(out, "title case", rest("String"), {
        text.chars()
            .map(|c| {
                if c.is_alphabetic() {
                    c.to_ascii_uppercase()
                } else {
                    '_'
                }
            })
            .collect::<String>()
    });
    case!(
        out,
        "joined",
        rest("String"),
        text.lines().collect::<Vec<_>>().join(" | ")
    );
    case!(out, "replaced", rest("String"), text.replace("\r\n", "\n"));
    case!(
        out,
        "escaped",
        rest("String"),
        text.escape_debug().to_string()
    );
    case!(out, "folded", rest("String"), {
        text.lines()
            .fold(String::new(), |all, line| all + line + "; ")
    });
    case!(
        out,
        "padded",
        rest("String"),
        format!("{:>40}|{:<5}", &text[..9], black_box(3))
    );
    case!(
        out,
        "debug of a vector",
        rest("String"),
        format!("{:?}", black_box([1, 2, 3]))
    );
    case!(out, "clipped", rest("String"), {
        let mut all = text.to_string();
        all.truncate(12);
        all.shrink_to_fit();
        all
    });
    case!(out, "lossy", rest("String"), {
        let bytes = [text.as_bytes(), &[0xff, 0xfe]].concat();
        String::from_utf8_lossy(&bytes).into_owned()
    });
    case!(
        out,
        "utf16",
        rest("Vec<u16>"),
        text.encode_utf16().collect::<Vec<u16>>()
    );
    case!(out, "from utf16", rest("String"), {
        let units: Vec<u16> = text.encode_utf16().collect();
        String::from_utf16(&units).unwrap()
    });
    case!(
        out,
        "chars",
        rest("Vec<char>"),
        text.chars().rev().collect::<Vec<char>>()
    );
    case!(
        out,
        "shared name",
        rest("Arc<str>"),
        text.lines().next().map(Arc::<str>::from)
    );
    case!(out, "Rc of a String", rest("Rc<str>"), {
        let name: Rc<str> = text.to_lowercase().into();
        name
    });
    case!(out, "Cow made own", rest("String"), {
        let mut name = Cow::Borrowed(text);
        if name.contains(' ') {
            name = Cow::Owned(name.replace(' ', "-"));
        }
        name
    });
    case!(out, "Cow to_mut", rest("String"), {
        let mut name = Cow::Borrowed(text);
        name.to_mut().push('!');
        name
    });
    case!(out, "error of a text", rest("String"), {
        let failed = black_box("12x")
            .parse::<u8>()
            .map_err(|error| format!("a port: {error}"));
        failed.err()
    });
}

fn paths(out: &mut Vec<Case>) {
    let (root, name) = (black_box(Path::new("/srv/data")), black_box("log.txt"));
    case!(out, "path joined", rest("PathBuf"), root.join(name));
    case!(out, "path pushed", rest("PathBuf"), {
        let mut all = PathBuf::new();
        for part in root.components() {
            all.push(part);
        }
        all
    });
    case!(
        out,
        "other extension",
        rest("PathBuf"),
        root.join(name).with_extension("old")
    );
    case!(out, "path to own", rest("PathBuf"), root.to_path_buf());
    case!(
        out,
        "paths",
        |made: &Vec<PathBuf>| {
            let each = made
                .iter()
                .map(|one| at(one.as_os_str().as_encoded_bytes().as_ptr(), "PathBuf"));
            std::iter::once(at(made.as_ptr(), "Vec<PathBuf>"))
                .chain(each)
                .collect()
        },
        {
            (0..black_box(5))
                .map(|number| root.join(number.to_string()))
                .collect::<Vec<_>>()
        }
    );
    case!(
        out,
        "shown path",
        rest("String"),
        root.display().to_string()
    );
    case!(
        out,
        "shared path",
        rest("Arc<std::path::Path>"),
        Arc::<Path>::from(root)
    );
    case!(
        out,
        "file name",
        rest("OsString"),
        root.file_name().map(|name| name.to_os_string())
    );
}

fn bytes(out: &mut Vec<Case>) {
    let text = black_box(TEXT);
    case!(out, "read_to_end", rest("Vec<u8>"), {
        let mut all = Vec::new();
        Cursor::new(text).read_to_end(&mut all).unwrap();
        all
    });
    case!(
        out,
        "read_to_string",
        rest("String"),
        std::io::read_to_string(Cursor::new(text)).unwrap()
    );
    case!(out, "read_until", rest("Vec<u8>"), {
        let mut all = Vec::new();
        Cursor::new(text).read_until(b'\n', &mut all).unwrap();
        all
    });
    case!(out, "read_line", rest("String"), {
        let mut all = String::new();
        Cursor::new(text).read_line(&mut all).unwrap();
        all
    });
    case!(out, "written", rest("Vec<u8>"), {
        let mut all = Vec::new();
        write!(all, "{} {}", text.len(), black_box(3.5)).unwrap();
        all
    });
    case!(out, "BufWriter", rest("Vec<u8>"), {
        let mut all = BufWriter::new(Vec::new());
        all.write_all(text.as_bytes()).unwrap();
        all
    });
    case!(out, "frame", rest("Vec<u8>"), {
        let mut all = (text.len() as u32).to_be_bytes().to_vec();
        all.extend_from_slice(text.as_bytes());
        all
    });
    case!(
        out,
        "chunks",
        |made: &Vec<Vec<u8>>| {
            let each = made.iter().map(|one| at(one.as_ptr(), "Vec<u8>"));
            std::iter::once(at(made.as_ptr(), "Vec<Vec<u8>>"))
                .chain(each)
                .collect()
        },
        text.as_bytes()
            .chunks(20)
            .map(<[u8]>::to_vec)
            .collect::<Vec<_>>()
    );
    case!(
        out,
        "buffers",
        |made: &Vec<Option<Box<[u8; 64]>>>| {
            let mut known = vec![others("Vec<Option<Box<[u8; 64]>>>")];
            known.extend(
                made.iter()
                    .flatten()
                    .map(|one| at(&raw const **one, "Box<[u8; 64]>")),
            );
            known
        },
        (0..black_box(5))
            .map(|at| (at > 1).then(|| Box::new([0; 64])))
            .collect::<Vec<_>>()
    );
    case!(out, "bits", rest("Vec<u64>"), {
        let mut bits: Vec<u64> = Vec::new();
        for at in [3, 99, 400] {
            let word = black_box(at) / 64;
            if bits.len() <= word {
                bits.resize(word + 1, 0);
            }
            bits[word] |= 1 << (at % 64);
        }
        bits
    });
}

#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
struct Point {
    x: f32,
    y: f32,
}

#[derive(Clone, Debug)]
struct Shape {
    name: &'static str,
    points: Vec<Point>,
}

fn point(number: u16) -> Point {
    Point {
        x: f32::from(number),
        y: 1.0,
    }
}

fn points() -> Vec<Point> {
    (0..black_box(24)).map(point).collect()
}

fn own(name: &str) -> String {
    format!("{}::{name}", module_path!())
}

fn shapes(out: &mut Vec<Case>) {
    let (point_of, shape_of) = (own("Point"), own("Shape"));
    let vec = || rest(format!("Vec<{point_of}>"));
    let known = |all: &Vec<Shape>| {
        let each = all.iter().map(|one| {
            black_box(one.name);
            at(one.points.as_ptr(), format!("Vec<{}>", own("Point")))
        });
        std::iter::once(at(all.as_ptr(), format!("Vec<{}>", own("Shape"))))
            .chain(each)
            .collect()
    };
    let shape = |name| Shape {
        name,
        points: points(),
    };
    case!(
        out,
        "shapes",
        known,
        ["one", "two", "three"].map(shape).to_vec()
    );
    let all: Vec<Shape> = ["one", "two"].map(shape).to_vec();
    case!(out, "shapes cloned", known, all.clone());
    case!(out, "shapes cloned and sorted", known, {
        let mut all = all.clone();
        all.sort_by_key(|shape| std::cmp::Reverse(shape.name));
        all
    });
    case!(
        out,
        "flat",
        vec(),
        all.iter()
            .flat_map(|shape| &shape.points)
            .copied()
            .collect::<Vec<_>>()
    );
    case!(out, "partition", vec(), {
        points()
            .into_iter()
            .partition::<Vec<Point>, _>(|point| point.x > 9.0)
    });
    case!(
        out,
        "unzip",
        |made: &(Vec<f32>, Vec<Point>)| {
            vec![
                at(made.0.as_ptr(), "Vec<f32>"),
                at(made.1.as_ptr(), format!("Vec<{}>", own("Point"))),
            ]
        },
        points()
            .into_iter()
            .map(|point| (point.x, point))
            .unzip::<f32, Point, Vec<_>, Vec<_>>()
    );
    case!(
        out,
        "zipped",
        rest(format!("Vec<({point_of}, {point_of})>")),
        {
            let all = points();
            all.iter()
                .copied()
                .zip(all.iter().skip(1).copied())
                .collect::<Vec<_>>()
        }
    );
    case!(out, "windows", rest("Vec<f32>"), {
        points()
            .windows(2)
            .map(|two| two[1].x - two[0].x)
            .collect::<Vec<_>>()
    });
    case!(out, "split_off", vec(), points().split_off(7));
    case!(out, "drained", vec(), {
        let mut all = points();
        let some: Vec<Point> = all.drain(3..9).collect();
        some
    });
    case!(out, "results", vec(), {
        let parsed: Result<Vec<Point>, std::num::ParseIntError> = ["1", "2", "30"]
            .iter()
            .map(|text| black_box(text).parse().map(point))
            .collect();
        parsed
    });
    case!(out, "options", vec(), {
        (0..black_box(9u16))
            .map(|number| number.checked_add(1).map(point))
            .collect::<Option<Vec<_>>>()
    });
    case!(out, "dedup and shrink", vec(), {
        let mut all = [points(), points()].concat();
        all.sort_by(|one, other| one.x.total_cmp(&other.x));
        all.dedup();
        all.shrink_to_fit();
        all
    });
    case!(out, "extended", vec(), {
        let mut all = Vec::from([point(1)]);
        all.extend(points().iter().filter(|point| point.x > 3.0));
        all
    });
    case!(out, "resized", vec(), {
        let mut all = Vec::new();
        all.resize_with(black_box(9), Point::default);
        all
    });
    case!(
        out,
        "shared slice",
        rest(format!("Arc<[{point_of}]>")),
        Arc::<[Point]>::from(points())
    );
    case!(
        out,
        "shared by collect",
        rest(format!("Rc<[{point_of}]>")),
        (0..black_box(5)).map(point).collect::<Rc<[Point]>>()
    );
    case!(
        out,
        "boxed by collect",
        rest(format!("Box<[{point_of}]>")),
        {
            points()
                .into_iter()
                .filter(|point| point.x > 20.0)
                .collect::<Box<[Point]>>()
        }
    );
    case!(
        out,
        "window of the last",
        rest(format!("VecDeque<{point_of}>")),
        {
            let mut last = VecDeque::with_capacity(4);
            for point in points() {
                if last.len() == 4 {
                    last.pop_front();
                }
                last.push_back(point);
            }
            last
        }
    );
    case!(
        out,
        "list",
        rest(format!("LinkedList<{point_of}>")),
        points().into_iter().collect::<LinkedList<_>>()
    );
    case!(
        out,
        "by name",
        |made: &BTreeMap<String, Point>| {
            let mut known: Vec<_> = made.keys().map(|key| at(key.as_ptr(), "String")).collect();
            known.push(others(format!("BTreeMap<String, {}>", own("Point"))));
            known
        },
        (0..black_box(9))
            .map(|number| (format!("point {number}"), point(number)))
            .collect::<BTreeMap<_, _>>()
    );
    case!(
        out,
        "grown map",
        rest(format!("HashMap<u16, {point_of}>")),
        {
            let mut all = HashMap::new();
            all.extend((0..black_box(50)).map(|number| (number, point(number))));
            all
        }
    );
    let held = Arc::new(Shape {
        name: "one",
        points: Vec::new(),
    });
    let mut other = held.clone();
    case!(out, "Arc make_mut", rest(format!("Arc<{shape_of}>")), {
        Arc::make_mut(&mut other).name = "other";
    });
    std::mem::forget((held, other));
    static ONCE: OnceLock<Vec<Point>> = OnceLock::new();
    case!(out, "OnceLock", vec(), ONCE.get_or_init(points));
    case!(
        out,
        "Box of a fn's result",
        rest(format!("Box<{shape_of}>")),
        {
            let make = black_box(|| Shape {
                name: "late",
                points: Vec::new(),
            });
            Box::new(make())
        }
    );
    case!(
        out,
        "map of a box",
        rest(format!("Box<{point_of}>")),
        Box::new(black_box(point(1)))
    );
}

pub(crate) fn all(out: &mut Vec<Case>) {
    text(out);
    paths(out);
    bytes(out);
    shapes(out);
}
