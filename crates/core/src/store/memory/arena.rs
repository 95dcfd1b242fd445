//! Slots of several sizes in pages, without holes: the last slot of a size moves into a freed place.
//!
//! A slot is named by where it stands, in 31 bits: size class, page, place in the page. What does not fit in the largest
//! class has the rest of it in *pieces*, slots of a class of their own, so that no record needs more than the pages that
//! all others use. Slots do not know what is in them; [`super::slot`] does.

use super::account::{Account, Needs, Room, block};
use super::packed::HEAD_MAX;
use super::pages::Page;
use super::slot::{MORE, header};

/// No slot.
pub(super) const NONE: u32 = u32::MAX;

pub(super) const CLASSES: usize = 63;
/// The class of pieces.
pub(super) const PIECE: usize = CLASSES - 1;
const PIECE_SIZE: usize = 368;
/// Bytes that a piece holds: all but the two links.
pub(super) const PIECE_DATA: usize = PIECE_SIZE - 8;
pub(super) const LARGEST: usize = 1008;
// A slot with pieces keeps the head of its record itself.
const _: () = assert!(LARGEST - PIECE_DATA >= header(true) + MORE + HEAD_MAX);

const PLACES: u32 = 8;
const PAGES: u32 = 17;

/// Bytes of a slot: steps of 8 where sessions are, so that rounding costs four bytes on average; 64 for a replay key.
const fn size_of_class(class: usize) -> usize {
    match class {
        0 => 64,
        1 => 96,
        2..=52 => 88 + 8 * class,
        PIECE => PIECE_SIZE,
        _ => 504 + 56 * (class - 52),
    }
}

const SIZES: [usize; CLASSES] = {
    let mut sizes = [0; CLASSES];
    let mut class = 0;
    while class < CLASSES {
        sizes[class] = size_of_class(class);
        class += 1;
    }
    sizes
};

/// The smallest class for `bytes`, at most [`LARGEST`].
const fn class_of(bytes: usize) -> usize {
    match bytes {
        0..=64 => 0,
        65..=96 => 1,
        97..=104 => 2,
        105..=504 => (bytes - 88).div_ceil(8),
        _ => 52 + (bytes - 504).div_ceil(56),
    }
}

/// The slots that a record takes: one of a class, and pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) class: usize,
    pub(super) pieces: usize,
}

impl Shape {
    /// For `content` bytes behind the header of one that is anonymous or not.
    pub(super) const fn of(content: usize, anonymous: bool) -> Self {
        let whole = header(anonymous) + content;
        if whole <= LARGEST {
            return Self {
                class: class_of(whole),
                pieces: 0,
            };
        }
        let whole = whole + MORE;
        let pieces = (whole - LARGEST).div_ceil(PIECE_DATA);
        Self {
            class: class_of(whole - pieces * PIECE_DATA),
            pieces,
        }
    }

    /// Bytes of all its slots.
    pub(super) const fn size(self) -> usize {
        SIZES[self.class] + self.pieces * PIECE_SIZE
    }

    /// How `content` fits in the slots that are there, should there be no room for better ones.
    pub(super) const fn within(self, content: usize, anonymous: bool) -> Option<Self> {
        let (head, most) = (header(anonymous), SIZES[self.class]);
        if head + content <= most {
            return Some(Self { pieces: 0, ..self });
        }
        let pieces = (head + MORE + content)
            .saturating_sub(most)
            .div_ceil(PIECE_DATA);
        let kept = content.saturating_sub(pieces * PIECE_DATA);
        if pieces > self.pieces || kept < HEAD_MAX {
            return None;
        }
        Some(Self { pieces, ..self })
    }

    /// How many slots of `class` it has.
    const fn slots(self, class: usize) -> usize {
        let own = if class == self.class { 1 } else { 0 };
        own + if class == PIECE { self.pieces } else { 0 }
    }
}

struct Class {
    pages: Vec<Page>,
    /// Slots of a page.
    per: usize,
    len: usize,
    /// Those of anonymous sessions.
    anonymous: usize,
}

/// A slot that stands elsewhere now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moved {
    pub(super) from: u32,
    pub(super) to: u32,
}

impl Moved {
    /// Where `at` stands now.
    pub(super) const fn of(self, at: u32) -> u32 {
        if at == self.from { self.to } else { at }
    }
}

pub(super) struct Arena {
    classes: [Class; CLASSES],
}

impl Class {
    fn list(capacity: usize) -> usize {
        block(capacity * size_of::<Page>())
    }

    /// The list of pages for `more` of them: its next capacity, and what must be there for it.
    fn grown(&self, more: usize) -> Option<usize> {
        let wanted = self.pages.len() + more;
        let capacity = self.pages.capacity();
        (wanted > capacity).then(|| (capacity + capacity / 2).max(wanted).max(4))
    }
}

pub(super) const fn class(at: u32) -> usize {
    (at >> (PLACES + PAGES)) as usize
}

impl Arena {
    pub(super) fn new(page: usize) -> Self {
        Self {
            classes: SIZES.map(|size| Class {
                pages: Vec::new(),
                per: (page / size).min((1 << PLACES) - 1),
                len: 0,
                anonymous: 0,
            }),
        }
    }

    fn name(&self, class: usize, index: usize) -> u32 {
        let per = self.classes[class].per;
        ((class << (PLACES + PAGES)) | ((index / per) << PLACES) | (index % per)) as u32
    }

    fn place(&self, at: u32) -> (usize, usize, std::ops::Range<usize>) {
        let class = class(at);
        let page = (at >> PLACES) as usize & ((1 << PAGES) - 1);
        let start = (at as usize & ((1 << PLACES) - 1)) * SIZES[class];
        (class, page, start..start + SIZES[class])
    }

    pub(super) fn get(&self, at: u32) -> &[u8] {
        let (class, page, place) = self.place(at);
        &self.classes[class].pages[page][place]
    }

    pub(super) fn get_mut(&mut self, at: u32) -> &mut [u8] {
        let (class, page, place) = self.place(at);
        &mut self.classes[class].pages[page][place]
    }

    /// What the lists of pages take, and the pages.
    #[cfg(test)]
    pub(super) fn size(&self, page: usize) -> usize {
        let classes = self.classes.iter();
        classes
            .map(|class| Class::list(class.pages.capacity()) + class.pages.len() * page)
            .sum()
    }

    /// What must be there for the slots of `shape`.
    pub(super) fn needs(&self, shape: Shape) -> Needs {
        let (own, pieces) = (self.more(shape, shape.class), self.more(shape, PIECE));
        [(shape.class, own), (PIECE, pieces)].into_iter().fold(
            Needs::default(),
            |needs, (class, pages)| {
                let class = &self.classes[class];
                // A list that is as long as a slot's name can say is full for good.
                let bytes = match class.grown(pages) {
                    _ if class.pages.len() + pages > 1 << PAGES => usize::MAX,
                    Some(capacity) => Class::list(capacity),
                    None => 0,
                };
                needs.and(Needs { bytes, pages })
            },
        )
    }

    fn more(&self, shape: Shape, of: usize) -> usize {
        let class = &self.classes[of];
        let free = class.pages.len() * class.per - class.len;
        let missing = shape.slots(of).saturating_sub(free);
        // Mostly 0, and a division is not free.
        if missing == 0 {
            0
        } else {
            missing.div_ceil(class.per)
        }
    }

    /// Makes the lists of pages long enough for the slots of `shape`; answers what they take more.
    pub(super) fn prepare(&mut self, shape: Shape) -> usize {
        let mut taken = 0;
        for of in [shape.class, PIECE] {
            let pages = self.more(shape, of);
            let class = &mut self.classes[of];
            if let Some(capacity) = class.grown(pages) {
                let before = Class::list(class.pages.capacity());
                let more = capacity - class.pages.len();
                class.pages.reserve_exact(more);
                taken += Class::list(class.pages.capacity()) - before;
            }
        }
        taken
    }

    /// A place of `class`, whatever it contains; its page, where it needs one, is among those of `room`.
    pub(super) fn push(&mut self, room: &mut Room, class: usize, anonymous: bool) -> u32 {
        let at = self.name(class, self.classes[class].len);
        let class = &mut self.classes[class];
        if class.len == class.pages.len() * class.per {
            debug_assert!(!room.pages.is_empty(), "a page was charged");
            class.pages.extend(room.pages.pop());
        }
        class.len += 1;
        class.anonymous += usize::from(anonymous);
        at
    }

    /// Frees a place; the last slot of its class, if it was another, now stands in it.
    pub(super) fn free(&mut self, account: &Account, at: u32, anonymous: bool) -> Option<Moved> {
        let of = class(at);
        let last = self.name(of, self.classes[of].len - 1);
        if last != at {
            let mut bytes = [0; LARGEST];
            let bytes = &mut bytes[..SIZES[of]];
            bytes.copy_from_slice(self.get(last));
            self.get_mut(at).copy_from_slice(bytes);
        }
        let class = &mut self.classes[of];
        class.len -= 1;
        class.anonymous -= usize::from(anonymous);
        if class.len <= (class.pages.len() - 1) * class.per {
            class
                .pages
                .pop()
                .into_iter()
                .for_each(|page| account.give(page));
            let before = class.pages.capacity();
            if class.pages.len() < before / 4 {
                class.pages.shrink_to(class.pages.len() * 2);
                account.refund(Class::list(before) - Class::list(class.pages.capacity()));
            }
        }
        (last != at).then_some(Moved { from: last, to: at })
    }

    /// The slots of `from` are now of anonymous sessions, or no longer.
    pub(super) fn recount(&mut self, class: usize, was: bool, is: bool) {
        let count = &mut self.classes[class].anonymous;
        *count = *count + usize::from(is) - usize::from(was);
    }

    /// Pages that would come free if all slots of anonymous sessions went but those of `spared`, and then those of
    /// `wanted` came.
    pub(super) fn evictable(&self, spared: Option<Shape>, wanted: Option<Shape>) -> isize {
        let slots = |shape: Option<Shape>, class| shape.map_or(0, |shape| shape.slots(class));
        let classes = self.classes.iter().enumerate();
        classes
            .map(|(of, class)| {
                let kept = class.len - class.anonymous + slots(spared, of) + slots(wanted, of);
                class.pages.len().cast_signed() - kept.div_ceil(class.per).cast_signed()
            })
            .sum()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        let sessions = self.classes[..PIECE].iter();
        sessions.map(|class| class.len).sum()
    }

    #[cfg(test)]
    pub(super) fn counts(&self) -> (usize, usize) {
        let classes = self.classes.iter();
        classes.fold((0, 0), |(pieces, anonymous), class| {
            let last = std::ptr::eq(class, &self.classes[PIECE]);
            (
                if last { class.len } else { pieces },
                anonymous + class.anonymous,
            )
        })
    }
}
