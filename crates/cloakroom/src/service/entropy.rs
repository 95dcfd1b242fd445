//! Chance: a generator seeded and reseeded from the operating system.

use cloakroom_core::lifecycle::Randomness;
use rand::Rng as _;

/// The six bits that base64url writes as a hyphen (RFC 4648 section 5).
const HYPHEN: u8 = 62;

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

    /// Bytes of which the first 16 may become a session id. One whose text begins with a hyphen looks like an option on
    /// every command line, so it is drawn again; that costs 0.02 bits of 256.
    pub(crate) fn token_bytes(&self) -> [u8; 32] {
        loop {
            let bytes: [u8; 32] = self.bytes();
            if bytes[0] >> 2 != HYPHEN {
                return bytes;
            }
        }
    }

    pub(crate) fn randomness(&self) -> Randomness {
        Randomness(self.token_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cloakroom_core::SessionId;

    #[test]
    fn no_session_id_looks_like_an_option() {
        for _ in 0..2_000 {
            let mut id = [0; 16];
            id.copy_from_slice(&Entropy.token_bytes()[..16]);
            assert!(!SessionId::from_bytes(id).to_string().starts_with('-'));
        }
    }
}
