//! Made-up stacks: found if and only if they were added.

use super::path::REGISTER;
use super::*;
use crate::os::object;
use crate::track::model::{self, Moment, explore};
use std::collections::HashMap;
use std::sync::Mutex;

/// A made-up stack: its words, and the way of a walk over it.
struct Made {
    words: Vec<u64>,
    path: Path,
    frames: Vec<u64>,
}

const CODE: u64 = 0x5555_0000_0000;
const BP: u64 = 0x1234_5678;

/// Draws a stack of calls among a few functions, each with a few places it calls from and a frame of its own size;
/// some count from rbp. What lies between the return addresses is left over from calls before.
fn draw(dice: &mut u64) -> Made {
    let mut roll = |sides: u64| {
        *dice = dice.wrapping_mul(SPREAD).wrapping_add(0x1357_9bdf);
        (*dice >> 33) % sides
    };
    let mut words: Vec<u64> = (0..400).map(|_| CODE + roll(6) * 256 + roll(3)).collect();
    words.resize(2000, 0);
    let sp = words.as_ptr() as u64;
    let at = Registers { pc: 1, sp, bp: BP };
    let (mut path, mut frames, mut word) = (Path::from(at), Vec::new(), 3);
    for _ in 0..=roll(12) {
        let function = roll(6);
        let return_address = CODE + function * 256 + roll(3);
        words[word] = return_address;
        path.found(sp + word as u64 * 8, return_address);
        frames.push(return_address);
        if function == 4 {
            words[word - 1] = sp + word as u64 * 8 + 64;
            path.based(Some(sp + (word as u64 - 1) * 8), words[word - 1]);
        }
        word += 2 + function as usize * 3;
    }
    words[word] = CODE - 1;
    path.found(sp + word as u64 * 8, CODE - 1);
    frames.push(CODE - 1);
    Made {
        words,
        path,
        frames,
    }
}

impl Made {
    fn find(&self, memo: &Memo) -> Result<u32, End> {
        let sp = self.words.as_ptr() as u64;
        let at = Registers { pc: 1, sp, bp: BP };
        let key = Key {
            branch: at.pc,
            value: self.words[3],
        };
        let stack = Stack::between(sp, sp + self.words.len() as u64 * 8);
        let find = || memo.find_from(key, at, stack);
        let before = find().ok();
        let short = match memo.glance_at(key, at, stack) {
            Ok(site) => Some(site),
            Err(Glanced::NOTHING) => return find(),
            Err(glanced) => memo.follow(glanced, at, stack),
        };
        let found = find();
        // The short ways find what the long one finds, and nothing else. Another thread may have added it just now.
        if before == found.as_ref().ok().copied() {
            assert_eq!(before, short);
        }
        found
    }

    /// The words that decide how it is walked.
    fn deciding(&self) -> Vec<usize> {
        let frames = self.path.frames().iter().map(|frame| frame.word.into());
        let bases = self
            .path
            .bases()
            .iter()
            .map(|base| (base & REGISTER) as usize);
        frames.chain(bases).collect()
    }
}

/// As often as this; under Miri, which is some hundred times slower, as often as that.
fn few<N>(often: N, under_miri: N) -> N {
    if cfg!(miri) { under_miri } else { often }
}

#[test]
fn a_stack_is_found_if_and_only_if_it_was_added() {
    static MEMO: Memo = Memo::new();
    let mut sites = HashMap::new();
    let (mut dice, mut again) = (1, 0);
    for _ in 0..few(20_000, 40) {
        let made = draw(&mut dice);
        let known = sites.get(&made.frames).copied();
        match made.find(&MEMO) {
            Ok(site) => assert_eq!(Some(site), known),
            Err(end) => {
                assert_eq!(known, None, "was added");
                let site = sites.len() as u32 + 1;
                MEMO.append(end, &made.path, site).unwrap();
                sites.insert(made.frames.clone(), site);
                assert_eq!(made.find(&MEMO).ok(), Some(site));
            }
        }
        again += usize::from(known.is_some());
    }
    assert!(
        sites.len() > few(5000, 20) && again >= few(1000, 0),
        "{} {again}",
        sites.len()
    );
}

#[test]
fn each_word_that_decides_is_compared_and_no_other() {
    static MEMO: Memo = Memo::new();
    let mut dice = 7;
    for site in 1..few(200, 2) {
        let mut made = draw(&mut dice);
        if let Err(end) = made.find(&MEMO) {
            MEMO.append(end, &made.path, site).unwrap();
        }
        let found = made.find(&MEMO).ok();
        assert!(found.is_some());
        let deciding = made.deciding();
        for word in 0..few(made.words.len(), 60) {
            made.words[word] ^= 1 << 46;
            let now = made.find(&MEMO).ok();
            made.words[word] ^= 1 << 46;
            assert_eq!(now == found, !deciding.contains(&word), "word {word}");
        }
    }
}

#[test]
fn another_rbp_is_another_stack() {
    static MEMO: Memo = Memo::new();
    let mut words = [0u64; 16];
    words[3] = CODE;
    let sp = words.as_ptr() as u64;
    let stack = Stack::between(sp, sp + 128);
    let at = |bp| Registers { pc: 1, sp, bp };
    let key = Key {
        branch: 1,
        value: CODE,
    };
    let mut path = Path::from(at(sp + 48));
    path.based(None, sp + 48);
    path.found(sp + 24, CODE);
    let end = MEMO.find_from(key, at(sp + 48), stack).unwrap_err();
    MEMO.append(end, &path, 9).unwrap();
    assert_eq!(MEMO.find_from(key, at(sp + 48), stack).ok(), Some(9));
    assert!(MEMO.find_from(key, at(sp + 56), stack).is_err());
    // What does not fit is found nowhere.
    assert!(
        MEMO.find_from(key, at(sp + 48), Stack::between(sp, sp + 24))
            .is_err()
    );
}

/// What is left over from calls before may look like the frames of a node, and lead a stack to where it does not belong.
#[test]
fn a_stack_is_added_only_where_its_own_frames_lead() {
    static MEMO: Memo = Memo::new();
    let mut words = vec![0u64; 32];
    let sp = words.as_ptr() as u64;
    let at = Registers { pc: 1, sp, bp: BP };
    let path = |frames: &[(u64, u64)]| {
        let mut path = Path::from(at);
        for &(word, return_address) in frames {
            path.found(sp + word * 8, return_address);
        }
        path
    };
    let key = Key {
        branch: 1,
        value: CODE,
    };
    let find = || MEMO.find_from(key, at, Stack::between(sp, sp + 256));
    (words[3], words[5], words[7]) = (CODE, CODE + 1, CODE + 2);
    let small = path(&[(3, CODE), (5, CODE + 1), (7, CODE + 2)]);
    MEMO.append(find().unwrap_err(), &small, 1).unwrap();
    // The second function's frame is larger now; what was below is still there.
    (words[6], words[7], words[9]) = (CODE + 3, CODE + 4, CODE + 4);
    let mut large = path(&[(3, CODE), (6, CODE + 3), (9, CODE + 4)]);
    large.based(Some(sp + 32), sp + 80);
    words[4] = sp + 80;
    let end = find().unwrap_err();
    assert_eq!((end.depth, end.key.value), (2, CODE + 4));
    assert_eq!(MEMO.append(end, &large, 2), None);
    // Another caller of the large frame is another stack.
    words[6] = CODE + 5;
    assert!(find().is_err());
    words[7] = CODE + 2;
    assert_eq!(find().ok(), Some(1));
}

/// Two keys may have one hash.
#[test]
fn an_entry_of_another_key_is_not_believed() {
    static MEMO: Memo = Memo::new();
    let made = draw(&mut 5);
    let end = made.find(&MEMO).unwrap_err();
    MEMO.append(end, &made.path, 1).unwrap();
    let number = MEMO.node(end.key).unwrap().onwards(0, 0).branch as u32;
    for key in [
        Key {
            branch: 2,
            ..end.key
        },
        Key {
            value: CODE - 2,
            ..end.key
        },
    ] {
        let hash = key.hash();
        let entry = u64::from(number) | hash >> 32 << 32;
        MEMO.line(hash)[0].store(entry, Ordering::Relaxed);
        assert!(MEMO.node(key).is_none());
        let (sp, bp) = (made.words.as_ptr() as u64, BP);
        let (at, stack) = (Registers { pc: 1, sp, bp }, Stack::between(sp, sp + 16_000));
        assert!(MEMO.glance_at(key, at, stack).is_err());
    }
    assert_eq!(made.find(&MEMO).ok(), Some(1));
}

#[test]
#[cfg_attr(miri, ignore = "it goes over the whole table")]
fn full_room_takes_no_more_and_forgets_nothing() {
    static MEMO: Memo = Memo::new();
    MEMO.room.take(1, &SIZES).unwrap();
    MEMO.room.limit(2000);
    let mut dice = 3;
    let all: Vec<Made> = (0..500).map(|_| draw(&mut dice)).collect();
    let mut added = Vec::new();
    for (site, made) in all.iter().enumerate() {
        if let Err(end) = made.find(&MEMO)
            && MEMO.append(end, &made.path, site as u32 + 1).is_some()
        {
            added.push((made, site as u32 + 1));
        }
    }
    assert!(added.len() > 20 && added.len() < 400, "{}", added.len());
    assert!(
        added
            .iter()
            .all(|(made, site)| made.find(&MEMO).ok() == Some(*site))
    );
    MEMO.discard();
    assert!(added.iter().all(|(made, _)| made.find(&MEMO).is_err()));
}

#[test]
fn threads_that_add_the_same_stacks_agree() {
    static MEMO: Memo = Memo::new();
    let work = || {
        let mut dice = 11;
        for _ in 0..few(3000, 8) {
            let made = draw(&mut dice);
            // A site that the frames say, so that whoever adds it, it is right.
            let site = made.frames.iter().fold(7, |sum, frame| mix(sum, *frame));
            match made.find(&MEMO) {
                Ok(found) => assert_eq!(found, site),
                Err(end) => _ = MEMO.append(end, &made.path, site),
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(work);
        }
    });
}

/// A tree that two threads add the same stacks to, and when each began.
struct Grove {
    memo: Box<Memo>,
    stacks: [Made; 2],
    began: Mutex<[Option<Moment>; 2]>,
}

impl Grove {
    /// Two stacks that part after their first frames.
    fn new() -> Grove {
        let made = |dice| draw(&mut { dice });
        let one = made(1);
        let shares = |other: &Made| {
            let same = one
                .frames
                .iter()
                .zip(&other.frames)
                .take_while(|(a, b)| a == b);
            one.words[3] == other.words[3] && same.count() >= 2 && one.frames != other.frames
        };
        let other = (2..).map(made).find(shares).unwrap();
        Grove {
            memo: Box::new(Memo::new()),
            stacks: [one, other],
            began: Mutex::default(),
        }
    }

    /// A thread's part: looks for each stack, and adds it where it is not found. Begins with the one of its number.
    fn grow(&self, thread: usize) {
        self.began.lock().unwrap()[thread] = Some(model::moment());
        for number in [thread, 1 - thread] {
            let made = &self.stacks[number];
            match made.find(&self.memo) {
                Ok(site) => {
                    assert_eq!(site, number as u32 + 1);
                    let other = self.began.lock().unwrap()[1 - thread].unwrap();
                    assert!(model::knows(other), "what is found was written before");
                }
                Err(end) => _ = self.memo.append(end, &made.path, number as u32 + 1),
            }
        }
    }

    /// What was lost to another thread is added the next time.
    fn is_grown(&self) {
        for (made, site) in self.stacks.iter().zip(1..) {
            if let Err(end) = made.find(&self.memo) {
                self.memo.append(end, &made.path, site).unwrap();
            }
            assert_eq!(made.find(&self.memo).ok(), Some(site));
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "thousands of orders")]
fn in_every_order_a_stack_is_found_whole_or_not_at_all() {
    let grow = |turns| {
        let first = |grove: &Grove| grove.grow(0);
        let second = |grove: &Grove| grove.grow(1);
        explore(turns, Grove::new, &[&first, &second], Grove::is_grown)
    };
    assert!(grow(2) > 300);
    assert!(model::fails_without_its_orderings(|| _ = grow(1)));
}

fn mix(sum: u32, frame: u64) -> u32 {
    (u64::from(sum) ^ frame)
        .wrapping_mul(SPREAD)
        .rotate_left(31) as u32
        & 0xf_ffff
}

#[test]
#[cfg_attr(miri, ignore = "it has no loader")]
fn what_else_decided_is_not_added() {
    let at = Registers {
        pc: 1,
        sp: 4096,
        bp: 0,
    };
    // This function's code stays.
    let here = what_else_decided_is_not_added as *const () as u64;
    object::list_lasting();
    let path = |spoil: &dyn Fn(&mut Path)| {
        let mut path = Path::from(at);
        path.found(4096, here);
        spoil(&mut path);
        path.is_lasting()
    };
    assert!(path(&|_| {}));
    assert!(path(&|path| path.found(4104, 0)));
    assert!(!path(&Path::spoil));
    // No code, too high on the stack, rbp below it, more than there is room for.
    assert!(!path(&|path| path.found(4104, 8)));
    assert!(!path(&|path| path.found(4096 + (8 << 16), here)));
    assert!(!path(&|path| path.based(None, 8)));
    assert!(!path(
        &|path| (0..FRAMES).for_each(|_| path.found(4104, here))
    ));
}
