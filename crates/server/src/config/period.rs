//! Lengths of time as people write them: `30m`, `12h`, `1h30m`, `500ms`, or whole seconds.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, str::FromStr, time::Duration};

/// A length of time from the configuration. Written as `90s`, `30m`, `12h`, `7d`, `1h30m`, `250ms`, or as a
/// whole number of seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(Duration);

/// The units, longest first, so that printing picks the largest that fits without a rest.
const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

impl Period {
    /// A period of so many whole seconds.
    #[must_use]
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// The same length as the standard library's type.
    #[must_use]
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is no length of time: write 90s, 30m, 12h, 7d or whole seconds");
        if let Ok(seconds) = parse_digits(text) {
            return Ok(Self::seconds(seconds));
        }
        let (mut rest, mut millis, mut last_unit) = (text, 0_u64, u64::MAX);
        while !rest.is_empty() {
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let count = parse_digits(&rest[..digits]).map_err(|()| wrong())?;
            rest = &rest[digits..];
            let letters = rest.len()
                - rest
                    .trim_start_matches(|c: char| c.is_ascii_alphabetic())
                    .len();
            let unit = UNITS
                .iter()
                .find(|(name, _)| *name == &rest[..letters])
                .ok_or_else(wrong)?
                .1;
            rest = &rest[letters..];
            // Falling units only: `30m1h` is more likely a slip than a wish.
            if unit >= last_unit {
                return Err(wrong());
            }
            last_unit = unit;
            millis = count
                .checked_mul(unit)
                .and_then(|part| millis.checked_add(part))
                .ok_or_else(wrong)?;
        }
        if text.is_empty() {
            Err(wrong())
        } else {
            Ok(Self(Duration::from_millis(millis)))
        }
    }
}

/// Digits only: `u64::from_str` would also take a `+`.
fn parse_digits(text: &str) -> Result<u64, ()> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(());
    }
    text.parse().map_err(|_| ())
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if rest == 0 {
            return f.write_str("0s");
        }
        for (name, unit) in UNITS {
            if rest >= unit {
                write!(f, "{}{name}", rest / unit)?;
                rest %= unit;
            }
        }
        Ok(())
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PeriodVisitor)
    }
}

struct PeriodVisitor;

impl de::Visitor<'_> for PeriodVisitor {
    type Value = Period;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a length of time such as \"30m\", or whole seconds")
    }

    fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Period, E> {
        u64::try_from(seconds)
            .map(Period::seconds)
            .map_err(|_| E::custom("a length of time cannot be negative"))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Period, E> {
        text.parse().map_err(E::custom)
    }
}

/// A value, or the word `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffOr<T> {
    /// Switched off.
    Off,
    /// Switched on, with this value.
    On(T),
}

impl<T> OffOr<T> {
    /// The value, where there is one.
    pub fn on(self) -> Option<T> {
        match self {
            Self::Off => None,
            Self::On(value) => Some(value),
        }
    }
}

impl Serialize for OffOr<Period> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Off => serializer.serialize_str("off"),
            Self::On(period) => period.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for OffOr<Period> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl de::Visitor<'_> for V {
            type Value = OffOr<Period>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"off\", a length of time such as \"30m\", or whole seconds")
            }
            fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Self::Value, E> {
                PeriodVisitor.visit_i64(seconds).map(OffOr::On)
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                if text == "off" {
                    Ok(OffOr::Off)
                } else {
                    PeriodVisitor.visit_str(text).map(OffOr::On)
                }
            }
        }
        deserializer.deserialize_any(V)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_people_write() {
        for (text, millis) in [
            ("30m", 1_800_000),
            ("90s", 90_000),
            ("12h", 43_200_000),
            ("1h30m", 5_400_000),
            ("45", 45_000),
            ("250ms", 250),
            ("0", 0),
        ] {
            assert_eq!(
                text.parse::<Period>().unwrap().get().as_millis(),
                millis,
                "{text}"
            );
        }
    }

    #[test]
    fn refuses_what_is_no_length_of_time() {
        for text in [
            "",
            "m",
            "-5",
            "+5",
            "1.5h",
            "30 m",
            "30m1h",
            "1h1h",
            "5y",
            "99999999999999999999s",
            "１m",
        ] {
            assert!(text.parse::<Period>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back(millis in 0_u64..1_000_000_000_000) {
            let period = Period(Duration::from_millis(millis));
            prop_assert_eq!(period.to_string().parse::<Period>().unwrap(), period);
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC*") {
            let _ = text.parse::<Period>();
        }
    }
}
