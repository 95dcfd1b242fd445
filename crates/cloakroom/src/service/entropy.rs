//! Chance: a generator seeded and reseeded from the operating system.

use cloakroom_core::lifecycle::Randomness;
use rand::Rng as _;

/// Draws from the thread's ChaCha generator, which reseeds itself from the operating system; a system call for every
/// token would cost more than the rest of a request.
#[derive(Debug, Default)]
pub(crate) struct Entropy;

impl Entropy {
    pub(crate) fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        rand::rng().fill_bytes(&mut bytes);
        bytes
    }

    pub(crate) fn randomness(&self) -> Randomness {
        Randomness(self.bytes())
    }
}
