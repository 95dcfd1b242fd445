//! A hash table of small numbers that is never far from full: entries in the order of their hashes.
//!
//! It is what finds slots by session id and sessions by subject, so its bytes count. An entry is 32 bits of a hash and 32
//! bits of value, and stands at or behind its home, which is in proportion to the hash (linear probing, kept sorted). So
//! a table may have any length: it grows by a sixteenth, where it stands, and is 85 to 90% full. It is cut in segments by
//! the first bits of the hash, each of which grows by itself, so that no growth holds the lock for long. A scan can stop
//! anywhere and go on later, whatever came and went meanwhile.

use super::account::{Account, block};

/// Places of one block; all blocks have one size, so what one segment gives back serves another.
const BLOCK: usize = 256;
const BLOCK_BYTES: usize = block(BLOCK * size_of::<u64>());

type Block = Box<[u64; BLOCK]>;

/// Entries by the first of 32 bits of a hash; several may have the same.
pub(super) struct Ordered {
    segments: Box<[Segment]>,
    bits: u32,
    #[cfg(test)]
    len: usize,
}

/// The part of the table under some first bits.
#[derive(Default)]
struct Segment {
    /// Homes, and some places behind the last of them. An entry is hash and value plus one; 0 is a free place.
    blocks: Vec<Block>,
    homes: usize,
    len: usize,
}

/// How a segment is to be laid out.
#[derive(Clone, Copy)]
struct Layout {
    homes: usize,
    blocks: usize,
}

const fn hash_of(entry: u64) -> u32 {
    (entry >> 32) as u32
}

const fn value_of(entry: u64) -> u32 {
    (entry as u32).wrapping_sub(1)
}

const fn entry(hash: u32, value: u32) -> u64 {
    (hash as u64) << 32 | value.wrapping_add(1) as u64
}

const fn home(hash: u32, bits: u32, homes: usize) -> usize {
    (((hash << bits) as u64 * homes as u64) >> 32) as usize
}

impl Segment {
    fn list(capacity: usize) -> usize {
        block(capacity * size_of::<Block>())
    }

    fn size(&self) -> usize {
        self.blocks.len() * BLOCK_BYTES + Self::list(self.blocks.capacity())
    }

    fn places(&self) -> usize {
        self.blocks.len() * BLOCK
    }

    fn get(&self, at: usize) -> u64 {
        self.blocks[at / BLOCK][at % BLOCK]
    }

    fn set(&mut self, at: usize, entry: u64) {
        self.blocks[at / BLOCK][at % BLOCK] = entry;
    }

    /// Places from `start` on, free ones included.
    fn from(&self, start: usize) -> impl Iterator<Item = u64> {
        let (first, rest) = match self.blocks.get(start / BLOCK..) {
            Some([first, rest @ ..]) => (&first[start % BLOCK..], rest),
            _ => (&[][..], &[][..]),
        };
        let rest = rest.iter().flat_map(|block| block.iter());
        first.iter().chain(rest).copied()
    }

    /// The first place at or behind the home of `hash` that is free or has no smaller hash.
    fn start(&self, hash: u32, bits: u32) -> usize {
        // One less, so that a free place is like one with the largest hash.
        let wanted = (u64::from(hash) << 32).saturating_sub(1);
        let home = home(hash, bits, self.homes);
        let mut offset = home % BLOCK;
        for (number, block) in self.blocks.iter().enumerate().skip(home / BLOCK) {
            let found = block[offset..].iter();
            let mut found = found.map(|entry| entry.wrapping_sub(1) >= wanted);
            if let Some(at) = found.position(|found| found) {
                return number * BLOCK + offset + at;
            }
            offset = 0;
        }
        self.places()
    }

    /// Entries with this hash, from its [`Segment::start`] on.
    fn same(&self, hash: u32, start: usize) -> impl Iterator<Item = u64> {
        let same = move |entry: &u64| *entry != 0 && hash_of(*entry) == hash;
        self.from(start).take_while(same)
    }

    fn find(&self, hash: u32, value: u32, bits: u32) -> Option<usize> {
        let start = self.start(hash, bits);
        let wanted = entry(hash, value);
        let found = self.same(hash, start).position(|found| found == wanted);
        found.map(|at| start + at)
    }

    /// Whether one more fits: nine tenths may be taken, and the last place must be free.
    fn is_full(&self) -> bool {
        self.is_dense() || self.places() == 0 || self.get(self.places() - 1) != 0
    }

    const fn is_dense(&self) -> bool {
        (self.len + 1) * 10 > self.homes * 9
    }

    /// The layout in which one more fits.
    fn grown(&self, bits: u32) -> Layout {
        let more = |blocks: usize| blocks + (blocks / 16).max(1);
        if self.is_dense() {
            let layout = self.layout(more(self.homes.div_ceil(BLOCK)), bits);
            let blocks = layout.blocks.max(self.blocks.len());
            return Layout { blocks, ..layout };
        }
        // Many entries with one hash are all behind one home; more homes do not spread them.
        Layout {
            homes: self.homes,
            blocks: more(self.blocks.len()),
        }
    }

    /// The layout with `blocks`, and more where entries are pushed beyond them.
    fn layout(&self, blocks: usize, bits: u32) -> Layout {
        let homes = blocks * BLOCK - (blocks * 4).min(32);
        let entries = self.from(0).filter(|entry| *entry != 0);
        let end = entries.fold(0, |next, entry| {
            home(hash_of(entry), bits, homes).max(next) + 1
        });
        Layout {
            homes,
            blocks: blocks.max((end + 1).div_ceil(BLOCK)),
        }
    }

    /// What must be there for that layout, beside what is there.
    fn needs(&self, layout: Layout) -> usize {
        let blocks = layout.blocks.saturating_sub(self.blocks.len());
        let list = match self.list_for(layout.blocks) {
            Some(capacity) => Self::list(capacity),
            None => 0,
        };
        blocks * BLOCK_BYTES + list
    }

    fn list_for(&self, blocks: usize) -> Option<usize> {
        let capacity = self.blocks.capacity();
        (blocks > capacity).then(|| blocks.max(capacity + capacity / 2))
    }

    /// Lays it out anew where it stands: everything goes to the end, and from there to its place.
    fn lay_out(&mut self, layout: Layout, bits: u32) {
        if let Some(capacity) = self.list_for(layout.blocks) {
            let more = capacity - self.blocks.len();
            self.blocks.reserve_exact(more);
        }
        while self.blocks.len() < layout.blocks {
            self.blocks.push(Box::new([0; BLOCK]));
        }
        let mut first = self.places();
        for at in (0..self.places()).rev() {
            let entry = self.get(at);
            if entry != 0 {
                first -= 1;
                self.set(at, 0);
                self.set(first, entry);
            }
        }
        let mut next = 0;
        for at in first..self.places() {
            let entry = self.get(at);
            next = home(hash_of(entry), bits, layout.homes).max(next);
            self.set(at, 0);
            self.set(next, entry);
            next += 1;
        }
        self.homes = layout.homes;
        self.blocks.truncate(layout.blocks);
        if self.blocks.len() < self.blocks.capacity() / 2 {
            self.blocks.shrink_to_fit();
        }
    }

    fn insert(&mut self, new: u64, bits: u32) {
        let start = self.start(hash_of(new), bits);
        let (mut carried, mut offset) = (new, start % BLOCK);
        for block in &mut self.blocks[start / BLOCK..] {
            let free = block[offset..].iter().position(|entry| *entry == 0);
            let end = free.map_or(BLOCK - 1, |free| offset + free);
            let last = block[end];
            block.copy_within(offset..end, offset + 1);
            block[offset] = carried;
            if free.is_some() {
                break;
            }
            (carried, offset) = (last, 0);
        }
        self.len += 1;
    }

    fn remove(&mut self, at: usize, bits: u32) {
        let mut free = at;
        while free + 1 < self.places() {
            let entry = self.get(free + 1);
            if entry == 0 || home(hash_of(entry), bits, self.homes) > free {
                break;
            }
            self.set(free, entry);
            free += 1;
        }
        self.set(free, 0);
        self.len -= 1;
    }

    /// Gives memory back after many removals.
    fn shrink(&mut self, bits: u32) {
        let blocks = (self.len * 5 / 4).div_ceil(BLOCK);
        if self.len == 0 {
            *self = Self::default();
        } else if blocks * 4 < self.blocks.len() * 3 {
            let layout = self.layout(blocks, bits);
            if layout.blocks < self.blocks.len() {
                self.lay_out(layout, bits);
            }
        }
    }
}

impl Ordered {
    /// In `segments` parts, a power of two.
    pub(super) fn new(segments: usize) -> Self {
        Self {
            segments: (0..segments).map(|_| Segment::default()).collect(),
            bits: segments.trailing_zeros(),
            #[cfg(test)]
            len: 0,
        }
    }

    /// What it takes with nothing in it.
    pub(super) const fn fixed(segments: usize) -> usize {
        block(segments * size_of::<Segment>())
    }

    const fn segment(&self, hash: u32) -> usize {
        ((hash as u64) << self.bits >> 32) as usize
    }

    /// What must be there for one more entry.
    pub(super) fn needs(&self, hash: u32) -> usize {
        let segment = &self.segments[self.segment(hash)];
        if segment.is_full() {
            segment.needs(segment.grown(self.bits))
        } else {
            0
        }
    }

    /// Adds an entry, whose hash is not 0 or whose value is not [`u32::MAX`]; room for [`Ordered::needs`] was charged.
    /// Answers how much it takes more.
    pub(super) fn insert(&mut self, hash: u32, value: u32) -> usize {
        let bits = self.bits;
        let at = self.segment(hash);
        let segment = &mut self.segments[at];
        let before = segment.size();
        if segment.is_full() {
            segment.lay_out(segment.grown(bits), bits);
        }
        segment.insert(entry(hash, value), bits);
        #[cfg(test)]
        {
            self.len += 1;
        }
        segment.size() - before
    }

    /// Gives the entry another value.
    pub(super) fn set(&mut self, hash: u32, from: u32, to: u32) {
        let at = self.segment(hash);
        let segment = &mut self.segments[at];
        if let Some(at) = segment.find(hash, from, self.bits) {
            segment.set(at, entry(hash, to));
        }
    }

    /// Takes an entry out.
    pub(super) fn remove(&mut self, account: &Account, hash: u32, value: u32) -> bool {
        let (at, bits) = (self.segment(hash), self.bits);
        let segment = &mut self.segments[at];
        let Some(at) = segment.find(hash, value, bits) else {
            return false;
        };
        segment.remove(at, bits);
        #[cfg(test)]
        {
            self.len -= 1;
        }
        let before = segment.size();
        segment.shrink(bits);
        account.refund(before - segment.size());
        true
    }

    /// Values of the entries with this hash.
    pub(super) fn values(&self, hash: u32) -> impl Iterator<Item = u32> {
        let segment = &self.segments[self.segment(hash)];
        let start = segment.start(hash, self.bits);
        segment.same(hash, start).map(value_of)
    }

    /// Hashes and values from `hash` on, ascending by hash.
    pub(super) fn from(&self, hash: u32) -> impl Iterator<Item = (u32, u32)> {
        let at = self.segment(hash);
        let first = self.segments[at].from(self.segments[at].start(hash, self.bits));
        let rest = self.segments[at + 1..].iter();
        let entries = first.chain(rest.flat_map(|segment| segment.from(0)));
        entries
            .filter(|entry| *entry != 0)
            .map(|entry| (hash_of(entry), value_of(entry)))
    }
}

#[cfg(test)]
impl Ordered {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// What its segments take.
    pub(super) fn size(&self) -> usize {
        self.segments.iter().map(Segment::size).sum()
    }
}
