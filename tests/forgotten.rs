//! Strong counts that no pointer explains: those of a program that knows which it forgot.

use crate::pty::Launch;

/// What is forgotten: the type, how many of its strong counts, of how many blocks.
const FORGOTTEN: &[(&str, u64, u64)] = &[
    ("Arc<programs::forgets::ForgottenClones>", 40, 1),
    ("Arc<programs::forgets::ForgottenWhole>", 20, 20),
    ("Rc<programs::forgets::ForgottenRc>", 40, 1),
];

#[test]
fn each_forgotten_count_is_told_and_no_other() {
    let program = Launch::program(["forgets"]).start();
    program.expect_after(0, "forgets all");
    program.press_ctrl_backslash();
    let report = program.json("forgotten --all");
    let rows = report["rows"].as_array().expect("there are rows");
    // In release, where loops are unrolled, one type has rows of several call stacks.
    let sum = |name: &str, key: &str| -> u64 {
        let of = rows.iter().filter(|row| row["type"] == *name);
        of.filter_map(|row| row[key].as_u64()).sum()
    };
    for (name, unexplained, blocks) in FORGOTTEN {
        let (told, count) = (sum(name, "unexplained"), sum(name, "count"));
        // The last of them may still stand on a stack.
        assert!(
            told <= *unexplained && told + 3 >= *unexplained,
            "{name}: {report}"
        );
        assert!(count <= *blocks && count + 3 >= *blocks, "{name}: {report}");
    }
    for row in rows {
        let name = row["type"].as_str().unwrap_or_default();
        let is_known = FORGOTTEN.iter().any(|(known, _, _)| *known == name);
        assert!(
            is_known || !name.contains("programs::forgets::"),
            "an innocent one: {row}"
        );
    }
    // What is held is found: each of these is a counted pointer in a block.
    let kept = program.json("forgotten InStatic");
    assert_eq!(kept["rows"].as_array().map(Vec::len), Some(0), "{kept}");
    let one = program.json("forgotten ForgottenClones");
    assert_eq!(one["rows"][0]["strong"], 41, "{one}");
    assert_eq!(one["rows"][0]["found"], 1, "{one}");
    let text = program.command("forgotten");
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
}
