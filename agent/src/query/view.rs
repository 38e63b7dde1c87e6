//! What a command sees: the frozen heap, who names it, the look before, and the rows of the last answer.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use super::holders::Holders;
use super::holders::contents::Contents;
use super::near::nearest;
use super::pattern::{bare, whole_or_payload};
use super::types::{Kind, Past, Types, Unread};
use super::{Error, unrecorded};
use crate::heap::{
    Address, Block, Confidence, Gap, Host, Memory, Mode, Names, Patient, Settings, Site, SiteId,
    Snapshot, Step, Unit, Untold, Waiting,
};
use crate::report::{Capture, Object, Value, count};
use crate::trend::{Counts, Ledger, Peaks};
use crate::walk::Walker;

/// The heap as the commands see it, for as long as the look lasts.
pub(crate) struct View<'a> {
    /// The frozen heap.
    pub(crate) snapshot: &'a Snapshot,
    /// Who names types and frames.
    pub(crate) names: &'a mut dyn Names,
    /// Its bytes.
    pub(crate) memory: &'a dyn Memory,
    /// Who waits for an answer.
    pub(crate) waiting: &'a dyn Waiting,
    /// How long the program has been paused; whoever has a clock keeps it up to date.
    pub(crate) paused: Duration,
    /// Whether the program stands still.
    pub(crate) frozen: bool,
    /// What the tracker was switched to in this look.
    pub(crate) switched: Option<Mode>,
    /// What the user has set at the prompt.
    pub(crate) settings: Settings,
    /// Lines of the screen on which the next answer is shown; none where it is written elsewhere.
    pub(crate) screen: Option<usize>,
    /// Whether a command has read which statics there are.
    pub(super) knows_statics: bool,
    /// Whether the program ran since the prompt opened: rows that were numbered before are void.
    renewed: bool,
    /// What the look before counted: the last one before the program was let go.
    past: Option<Rc<Counts>>,
    /// The highest counts of the looks before.
    peaks: Peaks,
    /// What the next look is told.
    pub(crate) ledger: Ledger,
    /// Bytes there are for it.
    pub(crate) room: usize,
    /// What the numbered rows of the last answer stand for.
    objects: Vec<Object>,
    counts: Option<Rc<Counts>>,
    types: Option<Rc<Types>>,
    past_types: Option<Rc<Past>>,
    /// Who holds whom, once it was asked for.
    pub(super) holders: Option<Rc<Holders>>,
    /// What the blocks hold, once that was asked for.
    pub(super) contents: Option<Rc<Contents>>,
    /// Says when there is no time left to name types; none where there is all of it.
    late: Option<Box<dyn Fn() -> bool>>,
}

impl<'a> View<'a> {
    /// A look at a frozen heap. `ledger` is what the looks before hand on, and there is `room` in bytes to hand on.
    pub(crate) fn open(
        snapshot: &'a Snapshot,
        names: &'a mut dyn Names,
        memory: &'a dyn Memory,
        mut ledger: Ledger,
        room: usize,
    ) -> Self {
        View {
            snapshot,
            names,
            memory,
            waiting: &Patient,
            paused: Duration::ZERO,
            frozen: true,
            switched: None,
            settings: Settings::default(),
            screen: None,
            knows_statics: false,
            renewed: false,
            past: ledger.last.take(),
            peaks: ledger.peaks.clone(),
            ledger,
            room,
            objects: Vec::new(),
            counts: None,
            types: None,
            past_types: None,
            holders: None,
            contents: None,
            late: None,
        }
    }

    /// From now on types are named, the heaviest first, only until it is late; what has no name then is a gap.
    pub(crate) fn hurry(&mut self, late: impl Fn() -> bool + 'static) {
        self.late = Some(Box::new(late));
    }

    /// From now on every answer waits for all names.
    pub(crate) fn take_time(&mut self) {
        self.late = None;
        if self.unread().is_some() {
            (self.types, self.past_types) = (None, None);
        }
    }

    /// Throws away what was made for an answer that was given up: it is not whole.
    pub(crate) fn drop_parts(&mut self) {
        if self.holders.is_none() {
            self.contents = None;
        }
    }

    /// Names what has no name yet, as far as that goes before somebody waits.
    pub(crate) fn read_on(&mut self, awaited: &dyn Fn() -> bool) {
        if self.types.is_none() {
            let types = Types::of(self.counts(), self.snapshot, self.names, awaited);
            self.types = (types.unread == Unread::default()).then(|| Rc::new(types));
        }
    }

    /// Whether all types have been named.
    pub(crate) fn knows_types(&self) -> bool {
        self.types.is_some() && self.unread().is_none()
    }

    /// What there was no time to name, if anything.
    fn unread(&self) -> Option<Unread> {
        let unread = self.types.as_ref().map(|types| types.unread);
        unread.filter(|unread| *unread != Unread::default())
    }

    /// Whether there was a look before.
    pub(crate) fn has_past(&self) -> bool {
        self.past.is_some()
    }

    /// Says that the program ran a command of its own since the prompt opened. What the prompt compared with before, it
    /// goes on comparing with; where that was nothing, with the look at which it opened.
    pub(crate) fn renew(&mut self) {
        self.renewed = true;
        self.past = self.ledger.base.take().or(self.past.take());
    }

    /// What every answer of this look has in common.
    pub(crate) fn capture(&self) -> Capture {
        Capture {
            time: self.snapshot.taken,
            frozen: self.frozen,
            pid: self.snapshot.pid,
        }
    }

    /// The blocks counted; also what the next look compares itself with. Counted once a look.
    pub(crate) fn counts(&mut self) -> Rc<Counts> {
        let snapshot = self.snapshot;
        let counts = self
            .counts
            .get_or_insert_with(|| Rc::new(Counts::of(snapshot)));
        Rc::clone(counts)
    }

    /// The live blocks by type. Named once a look.
    pub(crate) fn types(&mut self) -> Rc<Types> {
        if let Some(types) = &self.types {
            return Rc::clone(types);
        }
        let counts = self.counts();
        let (waiting, total) = (self.waiting, counts.groups.len() as u64);
        let named = Cell::new(0);
        let late = || {
            let done = named.replace(named.get() + 1);
            let what = "naming types";
            let unit = Unit::Of("kinds of blocks");
            self.late.as_ref().is_some_and(|late| late())
                || !waiting.goes_on(Step {
                    what,
                    done,
                    total,
                    unit,
                })
        };
        let types = Rc::new(Types::of(counts, self.snapshot, self.names, &late));
        if !waiting.has_stopped() {
            self.types = Some(Rc::clone(&types));
        }
        types
    }

    /// What the look before counted, by type; none at the first look.
    pub(crate) fn past(&mut self) -> Option<Rc<Past>> {
        let counts = Rc::clone(self.past.as_ref()?);
        if self.past_types.is_none() {
            self.past_types = Some(Rc::new(self.name(&counts)));
        }
        self.past_types.clone()
    }

    /// What a mark counted, by type.
    ///
    /// # Errors
    /// [`Error::NoMark`].
    pub(crate) fn marked(&mut self, name: &str) -> Result<Past, Error> {
        let mark = self.ledger.mark(name);
        let counts = mark.map(|mark| Rc::clone(&mark.counts));
        counts
            .map(|counts| self.name(&counts))
            .ok_or_else(|| self.no_mark(name))
    }

    /// The highest counts of the looks before this one; none at the first look.
    pub(crate) fn peaks(&mut self) -> Option<Peaks> {
        let mut peaks = self.peaks.clone();
        let marks = self.ledger.marks.iter().map(|mark| &mark.counts);
        // Of looks that ended before they handed their peaks on, and marks that the program made itself.
        let unseen =
            |counts: &&Rc<Counts>| counts.look > peaks.through && counts.look < self.snapshot.look;
        let unseen: Vec<_> = self
            .past
            .iter()
            .chain(marks)
            .filter(unseen)
            .cloned()
            .collect();
        for counts in unseen {
            let past = self.name(&counts);
            peaks.raise(counts.look, figures(past.kinds.values()));
        }
        (peaks.through > 0).then_some(peaks)
    }

    /// That there is no mark of that name.
    pub(crate) fn no_mark(&self, name: &str) -> Error {
        let names = || self.ledger.marks.iter().map(|mark| mark.name.as_str());
        Error::NoMark {
            name: name.to_owned(),
            near: nearest(name, names()),
            marks: names().count(),
        }
    }

    /// Hands on what this look counted, and the marks, to the next one.
    ///
    /// # Errors
    /// [`Untold`] where it cannot be kept.
    pub(crate) fn hand_on(&mut self, host: &mut dyn Host) -> Result<(), Untold> {
        self.ledger.base = self.past.clone();
        self.ledger.last = Some(self.counts());
        host.keep(&self.ledger.encode(self.room))
    }

    /// Hands on the highest counts, too. This takes the names of all types, which the first screen has asked for.
    ///
    /// # Errors
    /// As [`hand_on`](Self::hand_on).
    pub(crate) fn hand_on_peaks(&mut self, host: &mut dyn Host) -> Result<(), Untold> {
        let types = self.types();
        let mut peaks = self.peaks().unwrap_or_default();
        peaks.raise(self.snapshot.look, figures(&types.kinds));
        self.ledger.peaks = peaks;
        self.hand_on(host)
    }

    /// Hands on the types told. Where debug information is missing only those that are sure: it may be there next time.
    pub(crate) fn hand_on_names(&self, host: &mut dyn Host) {
        let mut told = self.names.told();
        if !self.names.gaps().is_empty() {
            told.retain(|one| one.name.confidence == Confidence::Exact);
        }
        host.keep_names(&told);
    }

    fn name(&mut self, counts: &Counts) -> Past {
        let types = self.types();
        Past::of(counts, &types, self.snapshot, self.names)
    }

    /// Tells whoever waits, now and then, how many of so many blocks are done: whether the answer is still wanted.
    pub(crate) fn goes_on(&self, what: &'static str, done: usize, total: usize) -> bool {
        let step = Step {
            what,
            done: done as u64,
            total: total as u64,
            unit: Unit::Of("blocks"),
        };
        !self.waiting.has_stopped() && (!done.is_multiple_of(TOLD) || self.waiting.goes_on(step))
    }

    /// Who reads values.
    pub(crate) fn walker(&self) -> Walker<'_> {
        Walker {
            memory: self.memory,
            layouts: self.names.layouts(),
        }
    }

    /// A site, if a stack was taken.
    pub(crate) fn site(&self, id: SiteId) -> Option<&'a Site> {
        self.snapshot.sites.get(&id)
    }

    /// Remembers what the numbered rows of an answer stand for; an answer without any changes nothing.
    pub(crate) fn number(&mut self, objects: &[Object]) {
        if !objects.is_empty() {
            self.objects = objects.to_vec();
        }
    }

    /// What could not be known, for the answers that depend on types and stacks.
    pub(crate) fn gaps(&self) -> Vec<Gap> {
        let mut gaps = self.snapshot.gaps.clone();
        gaps.extend(unrecorded::gaps(&self.snapshot.tracking));
        gaps.extend(self.names.gaps());
        gaps.extend(self.unread().map(|unread| {
            let (kinds, bytes) = (count(unread.groups, "kind"), Value::Bytes(unread.bytes));
            let why = "reading them would have kept this screen waiting; the next answer has them";
            Gap::new(format!("the types of {kinds} of blocks ({bytes})"), why)
        }));
        let mut seen = std::collections::HashSet::new();
        gaps.retain(|gap| seen.insert(gap.clone()));
        gaps
    }

    /// The names of the statics, for completion, the program's own first, without those that macros make for themselves (`__CALLSITE`), which are most of
    /// them. None before a command has read them: that takes longer than a key may.
    pub(crate) fn static_names(&self) -> Vec<String> {
        if !self.knows_statics {
            return Vec::new();
        }
        let statics = self.names.layouts().statics();
        let named = statics.iter().filter(|one| !one.name.contains("::__"));
        let own = format!("{}::", self.snapshot.program.replace('-', "_"));
        let (first, rest): (Vec<_>, Vec<_>) = named.partition(|one| one.name.starts_with(&own));
        unique(
            first
                .into_iter()
                .chain(rest)
                .map(|one| one.name.to_string()),
        )
    }

    /// The names of the threads, for completion.
    pub(crate) fn thread_names(&self) -> Vec<String> {
        let threads = self.snapshot.threads.iter();
        let mut names: Vec<String> = threads.map(|thread| thread.name.clone()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The names of the types in the heap and of what they own, for completion, heaviest first: without paths, and with
    /// them.
    pub(crate) fn type_names(&mut self) -> (Vec<String>, Vec<String>) {
        let types = self.types();
        let named = types.kinds.iter().filter(|kind| kind.is_known());
        let names: Vec<&str> = named
            .flat_map(|kind| whole_or_payload(&kind.name))
            .collect();
        let names = || names.iter().copied();
        let paths = names().filter(|name| name.contains("::"));
        (unique(names().map(bare)), unique(paths.map(str::to_owned)))
    }

    /// What the rows of the last answer stand for, in a few words each.
    pub(crate) fn rows_stand_for(&self) -> Vec<String> {
        let name = |object: &Object| match object {
            Object::Type(full) if full.is_empty() => "unknown".to_owned(),
            Object::Type(full) => bare(full),
            Object::Site(site) => format!("call stack {}", site.0),
            Object::Block(address) => format!("block {address}"),
            Object::Root(name) => name.to_string(),
            Object::Threads(tids) => match tids[..] {
                [tid] => format!("thread {tid}"),
                _ => count(tids.len() as u64, "thread"),
            },
        };
        self.objects.iter().map(name).collect()
    }

    /// The block that a word means: `0x…`, also inside a block, or a numbered row.
    ///
    /// # Errors
    /// [`Error::NoBlock`], [`Error::NoRow`], [`Error::WrongRow`]; none if it is no address at all.
    pub(crate) fn block(&self, word: &str) -> Result<Option<&'a Block>, Error> {
        let address = match self.row(word)? {
            Some(Object::Block(address)) => address,
            Some(other) => {
                return Err(Error::WrongRow {
                    word: word.to_owned(),
                    is: other.kind(),
                    wanted: "the row of a block: `list PATTERN` first",
                });
            }
            None => match read_address(word) {
                Some(address) => address,
                None => return Ok(None),
            },
        };
        let block = self.block_at(address);
        block.map(Some).ok_or_else(|| self.no_block(address))
    }

    /// The row that `#3` means; none if the word is not of that form.
    pub(crate) fn row(&self, word: &str) -> Result<Option<Object>, Error> {
        let Some(number) = word.strip_prefix('#') else {
            return Ok(None);
        };
        let place = number.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
        let object = place.and_then(|place| self.objects.get(place));
        object
            .cloned()
            .map(Some)
            .ok_or_else(|| match self.renewed && self.objects.is_empty() {
                true => Error::VoidRow {
                    word: word.to_owned(),
                },
                false => Error::NoRow {
                    word: word.to_owned(),
                    rows: self.objects.len(),
                },
            })
    }

    /// That no recorded block lies there.
    pub(crate) fn no_block(&self, address: Address) -> Error {
        Error::NoBlock {
            address,
            unknown: self.snapshot.tracking.unknown_blocks,
        }
    }

    /// The live block in which an address lies.
    pub(crate) fn block_at(&self, address: Address) -> Option<&'a Block> {
        let blocks = &self.snapshot.blocks;
        let after = blocks.partition_point(|block| block.address <= address);
        let block = blocks.get(after.checked_sub(1)?)?;
        // A block of no bytes has an address, too.
        let end = block.address.0.saturating_add(block.size.max(1));
        (address.0 < end).then_some(block)
    }
}

/// Blocks between two times that whoever waits is told.
const TOLD: usize = 256;

/// What peaks are made of.
fn figures<'k>(
    kinds: impl IntoIterator<Item = &'k Kind>,
) -> impl Iterator<Item = (&'k str, u64, u64)> {
    let kinds = kinds.into_iter();
    kinds.map(|kind| (&*kind.name.full, kind.count, kind.bytes))
}

/// The age of a block as a value.
pub(crate) fn age(snapshot: &Snapshot, block: &Block) -> Value {
    snapshot.age(block.birth).map_or(Value::None, Value::Span)
}

fn unique(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    names.filter(|name| seen.insert(name.clone())).collect()
}

/// An address as it is typed: `0x…`.
pub(crate) fn read_address(word: &str) -> Option<Address> {
    let digits = word
        .strip_prefix("0x")
        .or_else(|| word.strip_prefix("0X"))?;
    u64::from_str_radix(digits, 16).ok().map(Address)
}
