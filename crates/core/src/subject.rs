//! Who a session belongs to: the subject, and the application it was created for.

use std::fmt;

/// Bytes that a subject or an application name may have at most.
pub const NAME_MAX: usize = 255;

/// A subject or application name that cannot be one: empty, too long, or with control characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// No character at all.
    #[error("a {0} is empty")]
    Empty(&'static str),
    /// More than [`NAME_MAX`] bytes of UTF-8.
    #[error("a {0} is longer than 255 bytes")]
    TooLong(&'static str),
    /// A control character, which would let a name forge log lines and headers.
    #[error("a {0} has a control character")]
    Control(&'static str),
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $word:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// Checks the rules: 1 to 255 bytes, no control characters.
            ///
            /// # Errors
            /// [`InvalidName`] says which rule was broken.
            pub fn new(text: impl Into<Box<str>>) -> Result<Self, InvalidName> {
                let text = text.into();
                if text.is_empty() {
                    Err(InvalidName::Empty($word))
                } else if text.len() > NAME_MAX {
                    Err(InvalidName::TooLong($word))
                } else if text.chars().any(char::is_control) {
                    Err(InvalidName::Control($word))
                } else {
                    Ok(Self(text))
                }
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:?})"), &*self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<&str> for $name {
            type Error = InvalidName;

            fn try_from(text: &str) -> Result<Self, InvalidName> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, InvalidName> {
                Self::new(text)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::new(text).map_err(serde::de::Error::custom)
            }
        }
    };
}

name_type! {
    /// Who a session belongs to (`sub`): compared byte for byte, meaning is the application's.
    Subject, "subject"
}

name_type! {
    /// The application that a session was created for; a key made for one application sees only its sessions.
    App, "app"
}
