//! `resolve`: the known forms: which functions allocate what, as one table, and whether a type fits a layout. Pure.

use super::function::Function;
use super::paths::is_within;
use super::types::Type;

/// How a block is made up of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// One value: `Box<T>`.
    One,
    /// Values one after the other: a vector's buffer, a boxed slice.
    Items,
    /// Values of the kind that an array is made up of: the buffer that a `SmallVec<[T; 3]>` spills into.
    ArrayItems,
    /// Two counts, then one value: `Rc<T>`, `Arc<T>`.
    Counted,
    /// Two counts, then values: `Rc<[T]>`, `Arc<[T]>`.
    CountedItems,
    /// hashbrown's table: values below, one control byte each and a group more above.
    Table,
    /// Bytes of a text: nothing in the signature says more.
    Text,
}

/// What functions of a module allocate.
#[derive(Debug)]
pub(super) struct Form {
    /// The module, or the path, that the function lies in.
    within: &'static str,
    /// Words one of which its path must contain, if there are any.
    only: &'static [&'static str],
    /// Words that its path must not contain.
    except: &'static [&'static str],
    /// The generic parameter that names the type.
    pub(super) parameter: &'static str,
    /// The shapes to try, first the likeliest.
    pub(super) shapes: &'static [Shape],
}

use Shape::{ArrayItems, Counted, CountedItems, Items, One, Table, Text};

/// Functions that make a counted slice have it in their name.
const SLICES: &[&str] = &["slice", "Slice", "iter", "Iter"];

/// The first that a function matches counts.
const FORMS: &[Form] = &[
    form("alloc::raw_vec", "T", &[Items]).except(&["RawVecInner"]),
    form("hashbrown::raw", "T", &[Table]).except(&["RawTableInner"]),
    form("alloc::rc", "T", &[CountedItems]).only(SLICES),
    form("alloc::sync", "T", &[CountedItems]).only(SLICES),
    form("alloc::rc", "T", &[Counted, CountedItems]),
    form("alloc::sync", "T", &[Counted, CountedItems]),
    form("alloc::boxed", "T", &[One, Items]),
    form("alloc::vec", "T", &[Items]),
    form("alloc::slice", "T", &[Items]),
    form("alloc::collections::vec_deque", "T", &[Items]),
    form("alloc::collections::binary_heap", "T", &[Items]),
    form("smallvec", "A", &[ArrayItems]),
    form("smallvec", "T", &[Items]),
    form("alloc::string", "", &[Text]),
    form("alloc::str", "", &[Text]),
    form("alloc::fmt", "", &[Text]),
    form("alloc::ffi::c_str", "", &[Text]),
    form("std::path", "", &[Text]),
    form("std::ffi", "", &[Text]),
    form("std::sys::os_str", "", &[Text]),
];

const fn form(within: &'static str, parameter: &'static str, shapes: &'static [Shape]) -> Form {
    Form {
        within,
        only: &[],
        except: &[],
        parameter,
        shapes,
    }
}

impl Form {
    const fn only(self, only: &'static [&'static str]) -> Self {
        Form { only, ..self }
    }

    const fn except(self, except: &'static [&'static str]) -> Self {
        Form { except, ..self }
    }

    /// The forms that a function may have.
    pub(super) fn of(function: &Function) -> impl Iterator<Item = &'static Form> {
        FORMS.iter().filter(|form| form.matches(function))
    }

    fn matches(&self, function: &Function) -> bool {
        let has = |word: &&str| function.path.contains(*word);
        let named = self.parameter.is_empty() || function.parameter(self.parameter).is_some();
        named
            && is_within(&function.path, self.within)
            && (self.only.is_empty() || self.only.iter().any(has))
            && !self.except.iter().any(has)
    }
}

/// The two counts before the value of an `Rc` or `Arc`, in bytes.
const COUNTS: u64 = 16;
/// The control bytes that hashbrown looks at together.
const GROUP: u64 = 16;

impl Shape {
    /// Whether a block of this size and alignment (bytes) can be that of a type. `None`: the type's size is not known.
    pub(super) fn fits(self, of: &Type, size: u64, align: u64) -> Option<bool> {
        if self == Text {
            return Some(align == 1);
        }
        let own = of.align.unwrap_or(1);
        let aligned = match self {
            Counted | CountedItems => align == own.max(8),
            Table => align == own.max(GROUP),
            _ => of.align.is_none_or(|own| own == align),
        };
        let one = match self {
            ArrayItems => element_size(of)?,
            _ => of.size?,
        };
        Some(aligned && self.holds(one, size, align))
    }

    fn holds(self, one: u64, size: u64, align: u64) -> bool {
        let header = COUNTS.next_multiple_of(align.max(1));
        match self {
            One => one == size,
            Items | ArrayItems => one != 0 && size.is_multiple_of(one),
            Counted => {
                header
                    .checked_add(one)
                    .and_then(|end| end.checked_next_multiple_of(align))
                    == Some(size)
            }
            CountedItems => counted_items(one, size, header, align),
            Table => is_table(one, size),
            Text => true,
        }
    }
}

/// The size of what an array is made up of, in bytes.
fn element_size(array: &Type) -> Option<u64> {
    let (_, count) = array.name.strip_suffix(']')?.rsplit_once("; ")?;
    array.size?.checked_div(count.parse().ok()?)
}

/// The size is rounded up to the alignment: the room for the last few bytes may be padding.
fn counted_items(one: u64, size: u64, header: u64, align: u64) -> bool {
    let Some(room) = size.checked_sub(header) else {
        return false;
    };
    match room.checked_rem(one) {
        Some(left) => left < align,
        None => room == 0,
    }
}

/// Buckets come in powers of two from 4 on; the control bytes begin aligned.
fn is_table(one: u64, size: u64) -> bool {
    let sizes = (2..48).map(|log| {
        let buckets = 1u64 << log;
        let values = one.checked_mul(buckets)?.checked_next_multiple_of(GROUP)?;
        values.checked_add(buckets + GROUP)
    });
    sizes
        .take_while(|table| table.is_some_and(|table| table <= size))
        .any(|table| table == Some(size))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ty(size: u64, align: u64) -> Type {
        Type {
            name: "T".into(),
            size: Some(size),
            align: Some(align),
        }
    }

    #[test]
    fn one_value_has_the_size_of_its_type() {
        assert_eq!(One.fits(&ty(24, 8), 24, 8), Some(true));
        assert_eq!(One.fits(&ty(24, 8), 48, 8), Some(false));
        assert_eq!(One.fits(&ty(24, 8), 24, 16), Some(false));
        assert_eq!(One.fits(&Type::default(), 24, 8), None);
    }

    #[test]
    fn items_fill_a_block() {
        assert_eq!(Items.fits(&ty(24, 8), 96, 8), Some(true));
        assert_eq!(Items.fits(&ty(24, 8), 100, 8), Some(false));
        assert_eq!(Items.fits(&ty(0, 1), 100, 1), Some(false));
    }

    #[test]
    fn a_small_vector_spills_any_number_of_items() {
        let array = Type {
            name: "[T; 3]".into(),
            ..ty(72, 8)
        };
        assert_eq!(ArrayItems.fits(&array, 4 * 24, 8), Some(true));
        assert_eq!(ArrayItems.fits(&array, 100, 8), Some(false));
    }

    #[test]
    fn counted_values_follow_their_counts() {
        assert_eq!(Counted.fits(&ty(24, 8), 40, 8), Some(true));
        assert_eq!(Counted.fits(&ty(3, 1), 24, 8), Some(true));
        assert_eq!(Counted.fits(&ty(64, 64), 128, 64), Some(true));
        assert_eq!(CountedItems.fits(&ty(1, 1), 32, 8), Some(true));
        assert_eq!(CountedItems.fits(&ty(24, 8), 64, 8), Some(true));
        assert_eq!(CountedItems.fits(&ty(24, 8), 72, 8), Some(false));
        assert_eq!(CountedItems.fits(&ty(24, 8), 8, 8), Some(false));
    }

    #[test]
    fn a_table_has_values_and_control_bytes() {
        // 4 buckets of 24 bytes, 4 control bytes and a group.
        assert_eq!(Table.fits(&ty(24, 8), 96 + 4 + 16, 16), Some(true));
        assert_eq!(Table.fits(&ty(12, 4), 48 + 4 + 16, 16), Some(true));
        assert_eq!(Table.fits(&ty(24, 8), 96, 16), Some(false));
    }

    #[test]
    fn absurd_sizes_overflow_nothing() {
        for shape in [One, Items, ArrayItems, Counted, CountedItems, Table, Text] {
            shape.fits(&ty(u64::MAX, u64::MAX), u64::MAX, u64::MAX);
            shape.fits(&ty(0, 0), 0, 0);
            shape.fits(&ty(u64::MAX, 1), u64::MAX, 0);
        }
    }

    #[test]
    fn helpers_without_a_type_have_no_form() {
        let inner = Function::from_texts(
            "alloc::raw_vec::RawVecInner::finish_grow".into(),
            &["alloc::alloc::Global"],
        );
        assert_eq!(Form::of(&inner).count(), 0);
        let outer = Function::from_texts(
            "alloc::raw_vec::RawVec::grow_one".into(),
            &["u8", "alloc::alloc::Global"],
        );
        assert_eq!(
            Form::of(&outer)
                .map(|form| form.shapes[0])
                .collect::<Vec<_>>(),
            [Items]
        );
    }
}
