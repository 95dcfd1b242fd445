//! Which passwords are taken, and how one is made.
//!
//! The rule is that of NIST SP 800-63B-4 3.1.1.2: length counts, composition does not. A list of leaked passwords is not
//! part of the program: it would be larger than the rest of it.

use super::Error;
use rand::RngExt;
use zeroize::Zeroizing;

/// Bytes that a password must have which an operator sets.
const SHORTEST: usize = 8;

/// Characters that a password must have which a person chooses: it is the only factor (NIST SP 800-63B-4 3.1.1.2).
pub const SHORTEST_CHOSEN: usize = 15;

/// Bytes that a password may have: more would only make hashing slow.
pub(super) const LONGEST: usize = 1024;

/// Digits and letters that nobody mistakes for another (Crockford's base 32, in lower case).
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Checks a new password of `name`: 8 to 1024 bytes, not the name, not one character again and again.
pub(super) fn check(name: &str, password: &str) -> Result<(), Error> {
    if password.len() < SHORTEST {
        return Err(Error::Password("a password has at least 8 bytes"));
    }
    if password.len() > LONGEST {
        return Err(Error::Password("a password has at most 1024 bytes"));
    }
    if password.to_lowercase() == name.to_lowercase() {
        return Err(Error::Password("the password is the user's name"));
    }
    let mut characters = password.chars();
    let first = characters.next();
    if characters.all(|character| Some(character) == first) {
        return Err(Error::Password(
            "the password is one character again and again",
        ));
    }
    Ok(())
}

/// Checks a new password that `name` chooses: as any other, and at least [`SHORTEST_CHOSEN`] characters long.
///
/// # Errors
/// [`Error::Password`].
pub fn check_chosen(name: &str, password: &str) -> Result<(), Error> {
    check(name, password)?;
    if password.chars().count() < SHORTEST_CHOSEN {
        return Err(Error::Password("a password has at least 15 characters"));
    }
    Ok(())
}

/// A password of 100 random bits, in groups that can be read aloud.
pub(super) fn make() -> Zeroizing<String> {
    let mut random = rand::rng();
    let mut text = Zeroizing::new(String::with_capacity(23));
    for place in 0..20 {
        if place > 0 && place % 5 == 0 {
            text.push('-');
        }
        let index = random.random_range(0..ALPHABET.len());
        text.push(char::from(ALPHABET[index]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_counts_and_composition_does_not() {
        for good in ["correct horse", "ééééa", "12345678", &"ab".repeat(512)] {
            assert!(check("alice", good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "1234567",
            "aaaaaaaaaaaa",
            "Somebody.Else",
            &"ab".repeat(513),
        ] {
            assert!(check("somebody.else", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn whoever_chooses_needs_15_characters_of_any_kind() {
        for good in ["correct horse b", "àéééééééééééééé", "123456789012345"] {
            assert!(check_chosen("alice", good).is_ok(), "{good}");
        }
        for bad in [
            "correct horse ",
            "àééééééééééééé",
            "1234567",
            "aaaaaaaaaaaaaaa",
        ] {
            assert!(check_chosen("alice", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn made_passwords_differ_and_are_taken() {
        let (one, two) = (make(), make());
        assert_ne!(*one, *two);
        assert_eq!(one.len(), 23);
        check("admin", &one).unwrap();
    }
}
