//! `resolve`: an entry for a type -> how its values lie in memory. Reads bytes, nothing else; what is damaged is left out.

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::rc::Rc;

use gimli::{AttributeValue, DwTag, Reader, constants as dw};

use crate::heap::{Beside, Choice, Field, Layout, Shape, TypeId, Variant};
use crate::resolve::dwarf::{Debug, Die, Entry, Value, file_number};
use crate::resolve::types::Types;

/// Reads the layouts of one file.
pub(in crate::resolve) struct Read<'r> {
    pub(in crate::resolve) debug: &'r Debug<'r>,
    pub(in crate::resolve) types: &'r Types,
    /// Numbers the types that a layout refers to.
    pub(in crate::resolve) number: &'r dyn Fn(Die) -> TypeId,
}

/// The size of a pointer.
const WORD: u64 = 8;
/// More parts than any type that somebody wrote.
const MANY: usize = 4096;

impl Read<'_> {
    /// How the values of the type that an entry describes lie in memory.
    pub(in crate::resolve) fn layout(&self, die: Die) -> Option<Layout> {
        let entry = self.debug.entry(die)?;
        let described = self.types.read(self.debug, die);
        let (name, size, align) = match &described {
            Some(of) => (of.name.as_str(), of.size, of.align),
            None => ("", number(&entry, dw::DW_AT_byte_size), None),
        };
        if entry.attr_value(dw::DW_AT_declaration).is_some() {
            return None;
        }
        Some(Layout {
            shape: self.shape(die, &entry, name),
            name: name.into(),
            size: size.unwrap_or(0),
            align: align.filter(|align| *align > 0).unwrap_or(1),
            over: self.over(die),
        })
    }

    fn shape(&self, die: Die, entry: &Entry, name: &str) -> Shape {
        match entry.tag() {
            dw::DW_TAG_base_type => scalar(entry),
            dw::DW_TAG_subroutine_type => Shape::Function,
            dw::DW_TAG_pointer_type if is_function(name) => Shape::Function,
            dw::DW_TAG_pointer_type => Shape::Pointer(self.target(die, entry), Beside::Nothing),
            dw::DW_TAG_enumeration_type => Shape::Names(self.names(die)),
            dw::DW_TAG_array_type => self.array(die, entry).unwrap_or(Shape::Opaque),
            dw::DW_TAG_union_type => Shape::Union(self.fields(die)),
            dw::DW_TAG_structure_type => match self.choice(die) {
                Some(choice) => Shape::Enum(choice),
                None => self.wide(self.fields(die)),
            },
            _ => Shape::Opaque,
        }
    }

    /// The fields of a struct, or the pointer of two words that they are.
    fn wide(&self, fields: Vec<Field>) -> Shape {
        let beside = match &fields[..] {
            [at, beside] if at.offset == 0 && beside.offset == WORD => {
                match (&*at.name, &*beside.name) {
                    ("data_ptr", "length") => Some(Beside::Length),
                    ("pointer", "vtable") => Some(Beside::Vtable),
                    _ => None,
                }
            }
            _ => None,
        };
        match beside {
            Some(beside) => Shape::Pointer(Some(fields[0].of), beside),
            None => Shape::Struct(fields),
        }
    }

    fn fields(&self, die: Die) -> Vec<Field> {
        let members = self.debug.children(die, dw::DW_TAG_member);
        let field = |member: &Entry| {
            Some(Field {
                name: self.name(die, member),
                offset: number(member, dw::DW_AT_data_member_location)?,
                of: self.target(die, member)?,
            })
        };
        once(members.iter().take(MANY).filter_map(field).collect())
    }

    fn choice(&self, die: Die) -> Option<Choice> {
        let parts = self.children(die, dw::DW_TAG_variant_part);
        let (part, entry) = parts.first()?;
        let tag = entry.attr_value(dw::DW_AT_discr).and_then(|value| {
            let member = self.debug.target(die, value)?;
            let entry = self.debug.entry(member)?;
            let of = self
                .debug
                .target(member, entry.attr_value(dw::DW_AT_type)?)?;
            let size = self.types.read(self.debug, of)?.size?;
            Some((number(&entry, dw::DW_AT_data_member_location)?, size))
        });
        let variants = self.children(*part, dw::DW_TAG_variant);
        let variants = variants.iter().take(MANY);
        Some(Choice {
            tag,
            variants: variants
                .filter_map(|(die, entry)| self.variant(*die, entry, tag))
                .collect(),
        })
    }

    fn variant(&self, die: Die, entry: &Entry, tag: Option<(u64, u64)>) -> Option<Variant> {
        let members = self.debug.children(die, dw::DW_TAG_member);
        let member = members.first()?;
        let tags = tag.map_or_else(Vec::new, |(_, size)| tags(entry, size));
        let of = self.debug.target(die, member.attr_value(dw::DW_AT_type)?)?;
        let own = self.name(die, member);
        // A future's variants are numbered, their types have names.
        let is_numbered = own.bytes().all(|byte| byte.is_ascii_digit());
        let named = self.debug.entry(of).map(|entry| self.name(of, &entry));
        Some(Variant {
            name: named.filter(|_| is_numbered).unwrap_or(own),
            tags,
            of: (self.number)(of),
            place: self.place(die, member).filter(|_| is_numbered),
        })
    }

    fn place(&self, die: Die, member: &Entry) -> Option<Rc<str>> {
        let file = file_number(member.attr_value(dw::DW_AT_decl_file)?);
        let line = number(member, dw::DW_AT_decl_line)?;
        let file = self.debug.lines(die.unit)?.file(file)?;
        Some(format!("{}:{line}", file.path).into())
    }

    fn names(&self, die: Die) -> Vec<(u128, Rc<str>)> {
        let named = self.debug.children(die, dw::DW_TAG_enumerator);
        let size = self.debug.entry(die);
        let size = size.and_then(|entry| number(&entry, dw::DW_AT_byte_size));
        let name = |entry: &Entry| {
            let value = constant(entry.attr_value(dw::DW_AT_const_value)?, size?)?;
            Some((value, self.name(die, entry)))
        };
        named.iter().take(MANY).filter_map(name).collect()
    }

    fn array(&self, die: Die, entry: &Entry) -> Option<Shape> {
        let element = self.debug.target(die, entry.attr_value(dw::DW_AT_type)?)?;
        let size = self.types.read(self.debug, element)?.size?;
        let whole = self.types.read(self.debug, die)?;
        let count = match whole.size?.checked_div(size) {
            Some(count) => count,
            // Of values without a size only the name tells how many.
            None => {
                let (_, count) = whole.name.strip_suffix(']')?.rsplit_once("; ")?;
                count.parse().ok()?
            }
        };
        Some(Shape::Array((self.number)(element), count))
    }

    fn over(&self, die: Die) -> Vec<(Rc<str>, TypeId)> {
        let parameters = self.debug.children(die, dw::DW_TAG_template_type_parameter);
        let over = |entry: &Entry| Some((self.name(die, entry), self.target(die, entry)?));
        parameters.iter().filter_map(over).collect()
    }

    fn children(&self, die: Die, tag: DwTag) -> Vec<(Die, Entry)> {
        let at = |entry: Entry| {
            let offset = entry.offset().0;
            (Die { offset, ..die }, entry)
        };
        self.debug.children(die, tag).into_iter().map(at).collect()
    }

    fn target(&self, die: Die, entry: &Entry) -> Option<TypeId> {
        let of = self.debug.target(die, entry.attr_value(dw::DW_AT_type)?)?;
        Some((self.number)(of))
    }

    fn name(&self, die: Die, entry: &Entry) -> Rc<str> {
        self.debug.name(die.unit, entry).unwrap_or_default().into()
    }
}

/// Pointers to functions are written as such: `fn(u8) -> u8`, `unsafe extern "C" fn()`.
fn is_function(name: &str) -> bool {
    ["fn(", "unsafe ", "extern ", "for<"]
        .into_iter()
        .any(|word| name.starts_with(word))
}

fn scalar(entry: &Entry) -> Shape {
    match entry.attr_value(dw::DW_AT_encoding) {
        Some(AttributeValue::Encoding(encoding)) => match encoding {
            dw::DW_ATE_boolean => Shape::Bool,
            dw::DW_ATE_UTF => Shape::Char,
            dw::DW_ATE_float => Shape::Float,
            dw::DW_ATE_signed | dw::DW_ATE_signed_char => Shape::Signed,
            _ if number(entry, dw::DW_AT_byte_size) == Some(0) => Shape::Struct(Vec::new()),
            _ => Shape::Unsigned,
        },
        _ => Shape::Opaque,
    }
}

/// The tags that mean a variant.
fn tags(variant: &Entry, size: u64) -> Vec<RangeInclusive<u128>> {
    if let Some(value) = variant.attr_value(dw::DW_AT_discr_value) {
        // What cannot be read means nothing, not everything.
        let value = constant(value, size).unwrap_or(u128::MAX);
        return vec![value..=value];
    }
    match variant.attr_value(dw::DW_AT_discr_list) {
        Some(AttributeValue::Block(list)) => ranges(list, size).unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// A list of values and of ranges of them.
fn ranges(mut list: crate::resolve::dwarf::Slice, size: u64) -> Option<Vec<RangeInclusive<u128>>> {
    let mut found = Vec::new();
    while !list.is_empty() && found.len() < MANY {
        let is_range = list.read_u8().ok()? == dw::DW_DSC_range.0;
        let low = u128::from(list.read_uleb128().ok()?) & mask(size);
        let high = match is_range {
            true => u128::from(list.read_uleb128().ok()?) & mask(size),
            false => low,
        };
        found.push(low..=high);
    }
    Some(found)
}

/// A constant as the bits of a number of this size (bytes).
fn constant(value: Value, size: u64) -> Option<u128> {
    let wide = match value {
        AttributeValue::Block(bytes) => {
            let mut whole = [0; 16];
            let bytes = bytes.slice();
            whole.get_mut(..bytes.len())?.copy_from_slice(bytes);
            u128::from_le_bytes(whole)
        }
        AttributeValue::Sdata(value) => i128::from(value).cast_unsigned(),
        value => u128::from(value.udata_value()?),
    };
    Some(wide & mask(size))
}

fn mask(size: u64) -> u128 {
    match size {
        0..16 => (1 << (8 * size)) - 1,
        _ => u128::MAX,
    }
}

fn number(entry: &Entry, attribute: gimli::DwAt) -> Option<u64> {
    entry.attr_value(attribute)?.udata_value()
}

/// Without those that are listed again: rustc gives an argument that a future keeps across an `.await` twice.
fn once(mut fields: Vec<Field>) -> Vec<Field> {
    let mut seen = HashSet::new();
    fields.retain(|field| seen.insert((Rc::clone(&field.name), field.offset, field.of)));
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_is_listed_again_is_one() {
        let field = |name: &str, offset| Field {
            name: name.into(),
            offset,
            of: TypeId(1),
        };
        let fields = vec![
            field("visitor", 64),
            field("end", 112),
            field("visitor", 64),
        ];
        assert_eq!(once(fields), [field("visitor", 64), field("end", 112)]);
        let moved = vec![field("visitor", 0), field("visitor", 64)];
        assert_eq!(once(moved.clone()), moved);
    }
}
