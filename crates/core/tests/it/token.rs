//! Tokens: one spelling, and nothing secret in what is printed (OW-8).

use cloakroom_core::token::{ID_LEN, RenewalKey, TOKEN_LEN};
use cloakroom_core::{Secret, SessionId, SessionToken};
use proptest::prelude::*;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn token(id: [u8; 16], secret: [u8; 16]) -> SessionToken {
    SessionToken::new(SessionId::from_bytes(id), Secret::from_bytes(secret))
}

proptest! {
    #![proptest_config(crate::arbitrary::config())]

    #[test]
    fn a_token_is_read_back(id in any::<[u8; 16]>(), secret in any::<[u8; 16]>()) {
        let text = token(id, secret).expose();
        prop_assert_eq!(text.len(), TOKEN_LEN);
        let read: SessionToken = text.parse().unwrap();
        prop_assert_eq!(read.id(), SessionId::from_bytes(id));
        prop_assert_eq!(read.secret().hash(), Secret::from_bytes(secret).hash());
        prop_assert_eq!(read.expose(), text);
    }

    #[test]
    fn an_id_is_read_back(id in any::<[u8; 16]>()) {
        let id = SessionId::from_bytes(id);
        let text = id.to_string();
        prop_assert_eq!(text.len(), ID_LEN);
        prop_assert_eq!(text.parse(), Ok(id));
    }

    /// Of all texts that read as a token, only the one that is written does: no second spelling of a secret.
    #[test]
    fn every_other_spelling_is_refused(
        id in any::<[u8; 16]>(),
        secret in any::<[u8; 16]>(),
        at in 0..TOKEN_LEN,
        to in any::<char>(),
    ) {
        let text = token(id, secret).expose();
        let mut other: Vec<char> = text.chars().collect();
        other[at] = to;
        let other: String = other.into_iter().collect();
        crate::hostile::token(&other);
    }

    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,60}") {
        crate::hostile::token(&text);
    }

    #[test]
    fn nothing_printed_shows_a_secret(id in any::<[u8; 16]>(), secret in any::<[u8; 16]>()) {
        let token = token(id, secret);
        let exposed = token.expose();
        let printed = format!(
            "{token:?} {:?} {:?} {:?}",
            token.secret(),
            token.secret().hash(),
            RenewalKey::from_bytes([secret, secret].concat().try_into().unwrap()),
        );
        let wanted = format!(
            "SessionToken({}, ..) Secret(..) SecretHash(..) RenewalKey(..)",
            token.id()
        );
        prop_assert_eq!(printed, wanted);
        let wrong = exposed[1..].parse::<SessionToken>().unwrap_err().to_string();
        prop_assert_eq!(wrong, "not shaped like a session token");
    }
}

#[test]
fn the_last_character_has_one_spelling() {
    for last in 0..=u8::MAX {
        let mut secret = [0xa5; 16];
        secret[15] = last;
        let text = token([1; 16], secret).expose();
        let accepted: Vec<u8> = ALPHABET
            .iter()
            .copied()
            .filter(|character| {
                let mut other = text.clone();
                other.pop();
                other.push(char::from(*character));
                let read = other.parse::<SessionToken>();
                read.is_ok_and(|read| read.secret().hash() == Secret::from_bytes(secret).hash())
            })
            .collect();
        assert_eq!(accepted, [text.as_bytes()[TOKEN_LEN - 1]]);
    }
}

#[test]
fn padding_other_alphabets_and_lengths_are_refused() {
    let text = token([0xfb; 16], [0xff; 16]).expose();
    let standard = text.replace('-', "+").replace('_', "/");
    assert_ne!(text, standard);
    let others = [
        format!("{text}="),
        format!("{text} "),
        format!(" {}", &text[1..]),
        format!("{}\n", &text[..42]),
        format!("{}=", &text[..42]),
        text[..42].to_owned(),
        format!("{text}A"),
        standard,
        String::new(),
        "é".repeat(21) + "a",
    ];
    for other in others {
        assert!(
            other.parse::<SessionToken>().is_err(),
            "{other:?} is a token"
        );
    }
}

/// A renewal's secret depends on key, session, number and nonce, and on nothing else.
#[test]
fn a_derived_secret_is_the_same_for_the_same_renewal_alone() {
    let key = RenewalKey::from_bytes([1; 32]);
    let other_key = RenewalKey::from_bytes([2; 32]);
    let (id, other_id) = (
        SessionId::from_bytes([3; 16]),
        SessionId::from_bytes([4; 16]),
    );
    let derive = |key, id, number, nonce| Secret::derive(key, id, number, &[nonce; 16]).hash();
    let first = derive(&key, id, 1, 5);
    assert_eq!(derive(&key, id, 1, 5), first);
    assert_ne!(derive(&other_key, id, 1, 5), first);
    assert_ne!(derive(&key, other_id, 1, 5), first);
    assert_ne!(derive(&key, id, 2, 5), first);
    assert_ne!(derive(&key, id, 1, 6), first);
}
