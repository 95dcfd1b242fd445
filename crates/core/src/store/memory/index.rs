//! Which sessions a subject has, as ids by the hash of his name.
//!
//! Two subjects may share a hash, so whoever asks compares the name in the record.

use super::account::Account;
use super::table::Table;
use crate::token::SessionId;

#[derive(Clone, Copy)]
struct Member {
    id: SessionId,
    owner: u32,
}

/// A shard of the index.
pub(super) struct Index {
    members: Table<Member>,
}

fn spread(owner: u32) -> u64 {
    u64::from(owner).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Index {
    pub(super) const fn new() -> Self {
        Self {
            members: Table::new(),
        }
    }

    pub(super) fn size(&self) -> usize {
        self.members.size()
    }

    pub(super) fn needs(&self) -> usize {
        self.members.needs()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// Sessions of subjects with this hash.
    pub(super) fn of(&self, owner: u32) -> impl Iterator<Item = SessionId> {
        self.members
            .iter_hash(spread(owner))
            .filter(move |member| member.owner == owner)
            .map(|member| member.id)
    }

    /// Adds a session. `charged` covers [`Index::needs`]; what is over goes back.
    pub(super) fn add(&mut self, account: &Account, charged: usize, owner: u32, id: SessionId) {
        let before = self.size();
        let member = Member { id, owner };
        self.members
            .insert(spread(owner), member, |member| spread(member.owner));
        let taken = self.size() - before;
        debug_assert!(taken <= charged, "{taken} bytes taken, {charged} charged");
        account.refund(charged - taken);
    }

    pub(super) fn remove(&mut self, account: &Account, owner: u32, id: SessionId) {
        self.members.remove(spread(owner), |member| member.id == id);
        let freed = self.members.shrink(account, |member| spread(member.owner));
        account.refund(freed);
    }
}
