//! Argon2 whose memory goes back to the system after every hash.
//!
//! Freed in the ordinary way it would stay with the process: glibc keeps blocks of up to 32 MiB in the arena of whichever
//! thread had them: four logins at 19 MiB a hash left 76 MiB of it resident.

use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::{
        CustomizedPasswordHasher, Error, PasswordHasher, Result,
        phc::{Output, ParamsString, PasswordHash, Salt},
    },
};

/// Blocks of 1 KiB from which on an allocation is pages of its own: more than glibc's largest `M_MMAP_THRESHOLD`, 32 MiB
/// (`mallopt(3)`). What is not touched of them is never resident.
const PAGES_OF_THEIR_OWN: usize = 33 * 1024;

/// Argon2 with these parameters. Verifying follows from hashing (`password_hash`), by those of the kept hash.
#[derive(Clone, Debug)]
pub(super) struct Frugal {
    algorithm: Algorithm,
    version: Version,
    params: Params,
}

impl Frugal {
    pub(super) fn new(params: Params) -> Self {
        Self {
            algorithm: Algorithm::Argon2id,
            version: Version::V0x13,
            params,
        }
    }

    pub(super) fn params(&self) -> &Params {
        &self.params
    }
}

fn memory(blocks: usize) -> Vec<Block> {
    let mut memory = Vec::with_capacity(blocks.max(PAGES_OF_THEIR_OWN));
    memory.resize(blocks, Block::new());
    memory
}

impl PasswordHasher<PasswordHash> for Frugal {
    fn hash_password_with_salt(&self, password: &[u8], salt: &[u8]) -> Result<PasswordHash> {
        let salt = Salt::new(salt)?;
        let length = self.params.output_len();
        let mut buffer = [0; Output::MAX_LENGTH];
        let out = buffer
            .get_mut(..length.unwrap_or(Params::DEFAULT_OUTPUT_LEN))
            .ok_or(Error::OutputSize)?;
        Argon2::new(self.algorithm, self.version, self.params.clone())
            .hash_password_into_with_memory(
                password,
                &salt,
                out,
                memory(self.params.block_count()),
            )?;
        Ok(PasswordHash {
            algorithm: self.algorithm.ident(),
            version: Some(self.version.into()),
            params: ParamsString::try_from(&self.params)?,
            salt: Some(salt),
            hash: Some(Output::new(out)?),
        })
    }
}

impl CustomizedPasswordHasher<PasswordHash> for Frugal {
    type Params = Params;

    fn hash_password_customized(
        &self,
        password: &[u8],
        salt: &[u8],
        algorithm: Option<&str>,
        version: Option<u32>,
        params: Params,
    ) -> Result<PasswordHash> {
        let asked = Self {
            algorithm: algorithm
                .map(Algorithm::try_from)
                .transpose()?
                .unwrap_or(self.algorithm),
            version: version
                .map(Version::try_from)
                .transpose()?
                .unwrap_or(self.version),
            params,
        };
        asked.hash_password_with_salt(password, salt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use argon2::password_hash::PasswordVerifier;

    /// What is kept is what the library itself writes and reads.
    #[test]
    fn it_hashes_as_the_library_does() {
        for (m, t, p) in [(64, 1, 1), (256, 3, 2)] {
            let params = Params::new(m, t, p, None).unwrap();
            let ours = Frugal::new(params.clone());
            let library = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
            let salt = b"sixteen bytes 16";
            let kept = ours.hash_password_with_salt(b"a password", salt).unwrap();
            let theirs = library
                .hash_password_with_salt(b"a password", salt)
                .unwrap();
            assert_eq!(kept.to_string(), theirs.to_string());
            // Whatever the parameters in force are, those of the kept hash count.
            let other = Frugal::new(Params::new(32, 1, 1, None).unwrap());
            assert!(other.verify_password(b"a password", &kept).is_ok());
            assert!(other.verify_password(b"a passwore", &kept).is_err());
        }
    }

    /// RFC 9106 section 5.3 has a secret and associated data, which a PHC string does not; this is of the reference
    /// implementation's test.c (version 0x13, Argon2id, t=2, m=2^16 KiB, p=1).
    #[test]
    fn a_hash_of_the_reference_implementation_is_right() {
        let kept = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        let hasher = Frugal::new(Params::DEFAULT);
        let kept = PasswordHash::new(kept).unwrap();
        assert!(hasher.verify_password(b"password", &kept).is_ok());
        assert!(hasher.verify_password(b"passwore", &kept).is_err());
    }
}
