//! What a login under a limit is about to do, as it stands in the gate: exact enough that anybody can finish it.

use cloakroom_core::SessionId;

use super::format::{Marker, take};
use super::paths::WORK;

/// How a session begins, or gets its subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// A prepared folder moves to its place.
    Create { temp: String, marker: Marker },
    /// A marker moves to a content that was offered.
    Update {
        from: Marker,
        to: Marker,
        /// Whether the activity stays as it is by then.
        keep_activity: bool,
    },
}

/// What a gate holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Intent {
    pub(super) id: SessionId,
    pub(super) step: Step,
    /// Who ends for it.
    pub(super) ending: Vec<SessionId>,
}

const CREATE: u8 = 1;
const UPDATE: u8 = 2;

impl Intent {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match &self.step {
            Step::Create { temp, marker } => {
                out.push(CREATE);
                out.push(u8::try_from(temp.len()).unwrap_or(0));
                out.extend_from_slice(temp.as_bytes());
                put_marker(&mut out, marker);
            }
            Step::Update {
                from,
                to,
                keep_activity,
            } => {
                out.push(UPDATE);
                put_marker(&mut out, from);
                put_marker(&mut out, to);
                out.push(u8::from(*keep_activity));
            }
        }
        for id in [self.id].iter().chain(&self.ending) {
            out.extend_from_slice(id.as_bytes());
        }
        out
    }

    pub(super) fn decode(mut bytes: &[u8]) -> Option<Self> {
        let step = match take::<1>(&mut bytes)?[0] {
            CREATE => {
                let len = take::<1>(&mut bytes)?[0];
                let (temp, rest) = bytes.split_at_checked(usize::from(len))?;
                bytes = rest;
                Step::Create {
                    temp: std::str::from_utf8(temp)
                        .ok()
                        .filter(|temp| is_work(temp))?
                        .to_owned(),
                    marker: take_marker(&mut bytes)?,
                }
            }
            UPDATE => Step::Update {
                from: take_marker(&mut bytes)?,
                to: take_marker(&mut bytes)?,
                keep_activity: take::<1>(&mut bytes)?[0] == 1,
            },
            _ => return None,
        };
        let (ids, []) = bytes.as_chunks::<16>() else {
            return None;
        };
        let mut ids = ids.iter().map(|id| SessionId::from_bytes(*id));
        Some(Self {
            id: ids.next()?,
            step,
            ending: ids.collect(),
        })
    }
}

/// Whether a path from a file is one of what is being made.
fn is_work(path: &str) -> bool {
    let name = path
        .strip_prefix(WORK)
        .and_then(|name| name.strip_prefix('/'));
    name.is_some_and(|name| name.len() == 16 && name.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn put_marker(out: &mut Vec<u8>, marker: &Marker) {
    out.extend_from_slice(&marker.version.to_be_bytes());
    out.extend_from_slice(&marker.nonce.to_be_bytes());
    for field in marker.fields {
        out.extend_from_slice(&field.to_be_bytes());
    }
}

fn take_marker(bytes: &mut &[u8]) -> Option<Marker> {
    let version = u64::from_be_bytes(take(bytes)?);
    let nonce = u64::from_be_bytes(take(bytes)?);
    let mut fields = [0; 4];
    for field in &mut fields {
        *field = i64::from_be_bytes(take(bytes)?);
    }
    Some(Marker {
        ended: false,
        version,
        nonce,
        fields,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marker(version: u64) -> Marker {
        Marker {
            ended: false,
            version,
            nonce: version * 7,
            fields: [-1, 0, 1, i64::MAX],
        }
    }

    #[test]
    fn intents_come_back_or_are_none() {
        let id = |byte| SessionId::from_bytes([byte; 16]);
        let create = |temp: &str| Intent {
            id: id(1),
            step: Step::Create {
                temp: temp.into(),
                marker: marker(1),
            },
            ending: vec![id(2), id(3)],
        };
        let update = Intent {
            id: id(1),
            step: Step::Update {
                from: marker(1),
                to: marker(2),
                keep_activity: true,
            },
            ending: Vec::new(),
        };
        for intent in [create("t/0123456789abcdef"), update] {
            let bytes = intent.encode();
            assert_eq!(Intent::decode(&bytes), Some(intent));
            for len in 0..bytes.len() {
                let cut = Intent::decode(&bytes[..len]);
                assert!(cut.is_none_or(|cut| cut.encode() == bytes[..len]));
            }
        }
        for foreign in [
            "",
            "t/",
            "t/../s/00/00000000",
            "/etc/cron.d/xxxx",
            "t/0123456789abcdeg",
        ] {
            assert_eq!(Intent::decode(&create(foreign).encode()), None, "{foreign}");
        }
    }
}
