//! `[[access]]` rules: who may reach what behind the proxies.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

/// One rule. A field that is left out matches everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessRule {
    /// A host as it stands in `Host`, in lower case, or `*.example.com` for every host below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// A path and all below it: `/admin` matches `/admin` and `/admin/x`, not `/administrator`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Methods, in capitals.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// Who may.
    pub allow: Allow,
}

/// Who is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allow {
    /// Everybody, signed in or not.
    Public,
    /// Every signed-in person.
    SignedIn,
    /// Persons who have one of these roles or are one of these subjects.
    AnyOf(Vec<String>),
}

impl Serialize for Allow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Public => serializer.serialize_str("public"),
            Self::SignedIn => serializer.serialize_str("signed-in"),
            Self::AnyOf(names) => names.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Allow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> de::Visitor<'de> for V {
            type Value = Allow;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"public\", \"signed-in\" or a list of roles and subjects")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Allow, E> {
                match text {
                    "public" => Ok(Allow::Public),
                    "signed-in" => Ok(Allow::SignedIn),
                    _ => Err(E::custom(format!(
                        "`{text}` is neither \"public\" nor \"signed-in\"; roles and subjects stand in a list, as in [\"{text}\"]"
                    ))),
                }
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Allow, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = list.next_element::<String>()? {
                    names.push(name);
                }
                if names.is_empty() {
                    Err(de::Error::custom("an empty list allows nobody"))
                } else {
                    Ok(Allow::AnyOf(names))
                }
            }
        }
        deserializer.deserialize_any(V)
    }
}

impl AccessRule {
    /// What is wrong with the rule: the field and why.
    pub(super) fn fault(&self) -> Option<(&'static str, String)> {
        if let Some(host) = &self.host {
            let name = host.strip_prefix("*.").unwrap_or(host);
            if name.is_empty()
                || name.contains(['/', '*', '@', '?', '#'])
                || name.contains(char::is_whitespace)
            {
                return Some((
                    "host",
                    format!("`{host}` is no host: write app.example.com or *.example.com"),
                ));
            }
            if name.chars().any(char::is_uppercase) {
                return Some((
                    "host",
                    format!("`{host}` is compared in lower case: write it so"),
                ));
            }
        }
        if let Some(path) = self.path.as_ref().filter(|path| !path.starts_with('/')) {
            return Some(("path", format!("`{path}` does not begin with a slash")));
        }
        // A segment that a proxy or upstream resolves away would let a request slip past the rule.
        if let Some(path) = self
            .path
            .as_ref()
            .filter(|p| p.contains(['?', '#', '*']) || p.split('/').any(|s| s == "." || s == ".."))
        {
            return Some((
                "path",
                format!("`{path}` is compared as it is: no query, `*`, `.` or `..`"),
            ));
        }
        let strange = self
            .methods
            .iter()
            .find(|m| m.is_empty() || !m.bytes().all(|b| b.is_ascii_uppercase() || b == b'-'));
        strange.map(|method| {
            (
                "methods",
                format!("`{method}` is no method: write GET, in capitals"),
            )
        })
    }
}
