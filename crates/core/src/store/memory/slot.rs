//! What is in a slot: links, session id, packed record.
//!
//! 0 wheel (two links) · 8 kind, and how many bytes at the end are unused · 10 id · for an anonymous session its place among
//! those by use: 26 queue (two links) · 34 stamp · then, where there are pieces, the first of them · then the packed record.
//! A piece: 0 the piece or slot before, 4 the next piece, 8 bytes of the record.

use std::borrow::Cow;

use super::account::{Account, Room};
use super::arena::{Arena, NONE, PIECE, PIECE_DATA, Shape, class};
use super::packed::{self, Head};
use crate::record::{Activity, DecodeError, Record};
use crate::time::Timestamp;
use crate::token::SessionId;

pub(super) const PREV: usize = 0;
pub(super) const NEXT: usize = 4;
const KIND: usize = 8;
const ID: usize = 10;
pub(super) const QUEUE_PREV: usize = 26;
pub(super) const QUEUE_NEXT: usize = 30;
const STAMP: usize = 34;
/// Bytes of the link to the first piece.
pub(super) const MORE: usize = 4;

const ANONYMOUS: u16 = 1 << 15;
const LONG: u16 = 1 << 14;
/// The bits of the kind that count unused bytes.
const UNUSED: u16 = LONG - 1;

/// Bytes in front of the record, the link to pieces apart.
pub(super) const fn header(anonymous: bool) -> usize {
    if anonymous { 38 } else { 26 }
}

/// What is to stand in a slot.
pub(super) struct Content<'a> {
    pub(super) id: SessionId,
    pub(super) anonymous: bool,
    /// When it was last used, counted in uses of the whole store.
    pub(super) stamp: u32,
    pub(super) packed: &'a [u8],
}

impl Content<'_> {
    pub(super) const fn shape(&self) -> Shape {
        Shape::of(self.packed.len(), self.anonymous)
    }
}

/// One session, or one replay key.
#[derive(Clone, Copy)]
pub(super) struct Slot<'a> {
    arena: &'a Arena,
    at: u32,
    bytes: &'a [u8],
}

impl<'a> Slot<'a> {
    pub(super) fn id(&self) -> SessionId {
        let id = self.bytes[ID..].first_chunk();
        SessionId::from_bytes(id.copied().unwrap_or_default())
    }

    fn kind(&self) -> u16 {
        u16::from_le_bytes([self.bytes[KIND], self.bytes[KIND + 1]])
    }

    pub(super) fn is_anonymous(&self) -> bool {
        self.kind() & ANONYMOUS != 0
    }

    pub(super) fn stamp(&self) -> u32 {
        self.arena.link(self.at, STAMP)
    }

    fn is_long(&self) -> bool {
        self.kind() & LONG != 0
    }

    fn start(&self) -> usize {
        header(self.is_anonymous()) + if self.is_long() { MORE } else { 0 }
    }

    fn pieces(&self) -> impl Iterator<Item = u32> + use<'a> {
        self.arena.pieces_from(self.arena.first_piece(self.at))
    }

    pub(super) fn shape(&self) -> Shape {
        Shape {
            class: class(self.at),
            pieces: self.pieces().count(),
        }
    }

    /// The packed record, or as much of it as stands in the slot itself; the head is always in it.
    fn packed(&self) -> &'a [u8] {
        let end = self.bytes.len() - usize::from(self.kind() & UNUSED);
        &self.bytes[self.start()..end]
    }

    fn whole(&self) -> Cow<'a, [u8]> {
        if !self.is_long() {
            return Cow::Borrowed(self.packed());
        }
        let mut whole = self.packed().to_vec();
        for piece in self.pieces() {
            whole.extend_from_slice(&self.arena.get(piece)[8..]);
        }
        Cow::Owned(whole)
    }

    /// The first moment at which it is over.
    pub(super) fn deadline(&self) -> Timestamp {
        packed::deadline(self.packed())
    }

    pub(super) fn head(&self) -> Result<Head<'a>, DecodeError> {
        packed::head(self.packed())
    }

    pub(super) fn record(&self) -> Result<Record, DecodeError> {
        packed::unpack(self.id(), &self.whole())
    }
}

impl Arena {
    pub(super) fn slot(&self, at: u32) -> Slot<'_> {
        let bytes = self.get(at);
        Slot {
            arena: self,
            at,
            bytes,
        }
    }

    pub(super) fn link(&self, at: u32, place: usize) -> u32 {
        let link = self.get(at)[place..].first_chunk();
        link.copied().map_or(NONE, u32::from_le_bytes)
    }

    pub(super) fn set_link(&mut self, at: u32, place: usize, link: u32) {
        self.get_mut(at)[place..place + 4].copy_from_slice(&link.to_le_bytes());
    }

    pub(super) fn set_stamp(&mut self, at: u32, stamp: u32) {
        self.set_link(at, STAMP, stamp);
    }

    /// Notes a use where it stands.
    pub(super) fn touch(&mut self, at: u32, activity: Activity) {
        let start = self.slot(at).start();
        packed::touch(&mut self.get_mut(at)[start..], activity);
    }

    fn pieces_from(&self, first: u32) -> impl Iterator<Item = u32> {
        let next = |piece: u32| (piece != NONE).then_some(piece);
        std::iter::successors(next(first), move |piece| next(self.link(*piece, NEXT)))
    }

    fn first_piece(&self, at: u32) -> u32 {
        let slot = self.slot(at);
        if slot.is_long() {
            self.link(at, header(slot.is_anonymous()))
        } else {
            NONE
        }
    }

    /// New slots with `content`; no list knows them yet.
    pub(super) fn add(&mut self, room: &mut Room, content: &Content<'_>) -> u32 {
        let shape = content.shape();
        let at = self.push(room, shape.class, content.anonymous);
        let mut first = NONE;
        for _ in 0..shape.pieces {
            let piece = self.push(room, PIECE, content.anonymous);
            self.set_link(piece, PREV, at);
            self.set_link(piece, NEXT, first);
            if first != NONE {
                self.set_link(first, PREV, piece);
            }
            first = piece;
        }
        self.write(at, first, content);
        at
    }

    /// Puts other content into slots that are there, of which it needs no more than those of `shape`.
    pub(super) fn rewrite(
        &mut self,
        account: &Account,
        at: u32,
        shape: Shape,
        content: &Content<'_>,
    ) {
        let was = self.slot(at).is_anonymous();
        self.drop_pieces(account, at, shape.pieces);
        let first = self.first_piece(at);
        self.recount(shape.class, was, content.anonymous);
        for _ in 0..shape.pieces {
            self.recount(PIECE, was, content.anonymous);
        }
        self.write(at, first, content);
    }

    /// Writes everything but the links that lists keep.
    fn write(&mut self, at: u32, first: u32, content: &Content<'_>) {
        let long = first != NONE;
        let mut start = header(content.anonymous);
        let pieces = self.pieces_from(first).count();
        let (own, rest) = content
            .packed
            .split_at(content.packed.len() - pieces * PIECE_DATA);
        let slot = self.get_mut(at);
        slot[ID..ID + 16].copy_from_slice(content.id.as_bytes());
        if content.anonymous {
            slot[STAMP..STAMP + 4].copy_from_slice(&content.stamp.to_le_bytes());
        }
        if long {
            slot[start..start + MORE].copy_from_slice(&first.to_le_bytes());
            start += MORE;
        }
        slot[start..start + own.len()].copy_from_slice(own);
        let mut kind = (slot.len() - start - own.len()) as u16;
        kind |= if content.anonymous { ANONYMOUS } else { 0 };
        kind |= if long { LONG } else { 0 };
        slot[KIND..KIND + 2].copy_from_slice(&kind.to_le_bytes());
        let mut piece = first;
        for bytes in rest.chunks(PIECE_DATA) {
            self.get_mut(piece)[8..].copy_from_slice(bytes);
            piece = self.link(piece, NEXT);
        }
    }

    /// Frees all its pieces but the first `kept`.
    pub(super) fn drop_pieces(&mut self, account: &Account, at: u32, kept: usize) {
        let anonymous = self.slot(at).is_anonymous();
        let mut before = match kept {
            0 => at,
            kept => self.slot(at).pieces().nth(kept - 1).unwrap_or(at),
        };
        loop {
            let piece = self.piece_after(before);
            if piece == NONE {
                break;
            }
            let after = self.link(piece, NEXT);
            self.join_pieces(before, after);
            if let Some(moved) = self.free(account, piece, anonymous) {
                self.piece_moved(moved.to);
                before = moved.of(before);
            }
        }
    }

    fn piece_after(&self, before: u32) -> u32 {
        if class(before) == PIECE {
            self.link(before, NEXT)
        } else {
            self.first_piece(before)
        }
    }

    fn join_pieces(&mut self, before: u32, after: u32) {
        let place = if class(before) == PIECE {
            NEXT
        } else {
            header(self.slot(before).is_anonymous())
        };
        self.set_link(before, place, after);
        if after != NONE {
            self.set_link(after, PREV, before);
        }
    }

    fn piece_moved(&mut self, to: u32) {
        let (before, after) = (self.link(to, PREV), self.link(to, NEXT));
        self.join_pieces(before, to);
        self.join_pieces(to, after);
    }

    /// The slot that was elsewhere now stands at `to`: its pieces follow.
    pub(super) fn slot_moved(&mut self, to: u32) {
        let first = self.first_piece(to);
        if first != NONE {
            self.set_link(first, PREV, to);
        }
    }
}
