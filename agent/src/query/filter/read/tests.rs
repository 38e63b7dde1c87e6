//! Conditions that are read, and those that are not.

use super::*;
use proptest::prelude::*;

#[test]
fn errors_say_where() {
    for (text, at, what) in [
        ("", 0, "a field was expected: size, "),
        ("siz > 1", 0, "did you mean `size`?"),
        ("size", 4, "a comparison was expected"),
        ("size > ", 7, "a value was expected"),
        ("size > big", 7, "a number of bytes"),
        ("size > -1", 7, "a number of bytes"),
        ("age > 5 parsecs", 6, "a span of time"),
        ("age > 5", 6, "a span of time"),
        ("size ~ 3", 5, "`size` is compared by <"),
        ("type < a", 5, "`type` is compared by ="),
        ("(size > 1", 0, "not closed"),
        ("size > 1)", 8, "no parenthesis is open"),
        ("size > 1 size", 9, "`&&` or `||`"),
        ("size > 1 &&", 11, "a field was expected"),
        ("type = 'a", 7, "quotation mark"),
        ("confidence > sure", 13, "unknown, guess"),
        ("address = 12", 10, "an address"),
    ] {
        let wrong = text.parse::<Filter>().expect_err(text);
        assert_eq!(wrong.at, at, "{text}: {wrong:?}");
        assert!(wrong.what.contains(what), "{text}: {wrong:?}");
    }
}

#[test]
fn a_condition_ends_where_it_is_complete() {
    for (text, extent_of) in [
        ("size > 1k > out.txt", "size > 1k"),
        ("size > 1k && age > 60s --by age", "size > 1k && age > 60s"),
        ("moving >> f", "moving"),
        (
            "type = HashMap<String, a::B> 5",
            "type = HashMap<String, a::B>",
        ),
        ("(size > 1) 5", "(size > 1)"),
        ("size > > f", "size > > f"),
    ] {
        assert_eq!(&text[..extent(text)], extent_of);
    }
}

#[test]
fn numbers_have_units() {
    for (text, n) in [
        ("0", 0),
        ("1k", 1024),
        ("1.5K", 1536),
        ("2MiB", 2 << 20),
        ("10b", 10),
    ] {
        assert_eq!(in_units(text, &BYTES), Some(n), "{text}");
    }
    for text in [
        "",
        "k",
        ".5k",
        "1..5",
        "1.5.5",
        "1e3",
        "99999999999999999999",
        "1ki",
        "é",
    ] {
        assert_eq!(in_units(text, &BYTES), None, "{text}");
    }
    assert_eq!(span("2m"), span("120s"));
}

fn operand(field: Field) -> BoxedStrategy<Operand> {
    match field {
        Field::Size | Field::Align => any::<u64>().prop_map(Operand::Bytes).boxed(),
        Field::Age => any::<u64>()
            .prop_map(|nanos| Operand::Span(Duration::from_nanos(nanos)))
            .boxed(),
        Field::Address => any::<u64>()
            .prop_map(|n| Operand::Address(Address(n)))
            .boxed(),
        Field::Confidence => prop_oneof![
            Just(Confidence::Unknown),
            Just(Confidence::Guess),
            Just(Confidence::Likely),
            Just(Confidence::Exact)
        ]
        .prop_map(Operand::Confidence)
        .boxed(),
        Field::Type | Field::Site | Field::Stack => {
            prop_oneof![".{0,12}", "[a<>()\\[\\] '\"\\\\*:&|=-]{0,12}"]
                .prop_map(Operand::Text)
                .boxed()
        }
    }
}

fn comparison() -> impl Strategy<Value = Filter> {
    let fields: Vec<Field> = FIELDS.iter().filter_map(|named| named.field).collect();
    (proptest::sample::select(fields), 0..Op::ALL.len()).prop_flat_map(|(field, i)| {
        let is_text = matches!(field, Field::Type | Field::Site | Field::Stack);
        let op = match Op::ALL[i].0 {
            op @ (Op::Equal | Op::NotEqual) => op,
            op if op.is_like() == is_text => op,
            _ => Op::Equal,
        };
        operand(field).prop_map(move |value| Filter::Is(field, op, value))
    })
}

fn filters() -> impl Strategy<Value = Filter> {
    prop_oneof![4 => comparison(), 1 => Just(Filter::Moving)].prop_recursive(4, 24, 3, |inner| {
        let several = proptest::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            several.clone().prop_map(Filter::Any),
            several.prop_map(Filter::All),
            inner.prop_map(|one| Filter::Not(Box::new(one))),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_printed_is_read(filter in filters()) {
        let text = filter.to_string();
        prop_assert_eq!(text.parse::<Filter>(), Ok(filter), "{}", text);
        prop_assert_eq!(extent(&text), text.len());
    }

    #[test]
    fn no_text_panics(text: String) {
        _ = text.parse::<Filter>();
        prop_assert!(text.is_char_boundary(extent(&text)));
    }

    #[test]
    fn no_text_of_its_own_words_panics(words in proptest::collection::vec(
        proptest::sample::select(vec!["size", "type", "moving", ">", "=", "(", ")", "!", "&&", "||", "1k", "'", "a<b", " "]), 0..20
    )) {
        let text = words.concat();
        if let Err(wrong) = text.parse::<Filter>() {
            prop_assert!(text.is_char_boundary(wrong.at), "{} at {}", text, wrong.at);
        }
    }

    #[test]
    fn depth_has_a_bound(depth in 0usize..5000) {
        _ = format!("{}moving", "(".repeat(depth)).parse::<Filter>();
        _ = format!("{}moving", "!".repeat(depth)).parse::<Filter>();
    }
}
