//! Parameters of store URLs, read alike by all stores.

use std::time::Duration;

/// What is wrong with a store URL. It names the part, never its value, which may be a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// The part before the parameters cannot be read.
    #[error("the store URL must be of the form {0}")]
    Form(&'static str),
    /// A parameter that this store does not have, or has twice.
    #[error("the store URL has an unknown or repeated parameter {0:?}")]
    Parameter(String),
    /// A parameter whose value cannot be read.
    #[error("the value of {parameter} must be {wanted}")]
    Value {
        /// Which.
        parameter: &'static str,
        /// What it must be.
        wanted: &'static str,
    },
}

/// The parameters behind the `?` of a store URL; each is taken once, and none may be left.
#[derive(Debug)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// Reads what stands behind the `?`, percent-decoded.
    ///
    /// # Errors
    /// [`UrlError::Parameter`] where one stands there twice.
    pub fn of(query: &str) -> Result<Self, UrlError> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if pairs.iter().any(|(known, _)| *known == name) {
                return Err(UrlError::Parameter(name.into_owned()));
            }
            pairs.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self(pairs))
    }

    /// The value of `name`, if it is there.
    pub fn take(&mut self, name: &str) -> Option<String> {
        let place = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.swap_remove(place).1)
    }

    /// The value of `name` as `read` understands it.
    ///
    /// # Errors
    /// [`UrlError::Value`] where `read` does not.
    pub fn read<T>(
        &mut self,
        name: &'static str,
        wanted: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, UrlError> {
        let value = self.take(name);
        let wrong = UrlError::Value {
            parameter: name,
            wanted,
        };
        value.map(|value| read(&value).ok_or(wrong)).transpose()
    }

    /// A length of time such as `250ms` or `5s`, above zero.
    ///
    /// # Errors
    /// [`UrlError::Value`] where it is none.
    pub fn duration(&mut self, name: &'static str) -> Result<Option<Duration>, UrlError> {
        self.read(name, "a length of time such as 250ms or 5s", |text| {
            duration(text).filter(|length| !length.is_zero())
        })
    }

    /// A number of at least 1.
    ///
    /// # Errors
    /// [`UrlError::Value`] where it is none.
    pub fn count(&mut self, name: &'static str) -> Result<Option<usize>, UrlError> {
        self.read(name, "a number from 1 on", |text| {
            text.parse().ok().filter(|count| *count > 0)
        })
    }

    /// That nothing is left.
    ///
    /// # Errors
    /// [`UrlError::Parameter`] with the first that nobody took.
    pub fn finish(self) -> Result<(), UrlError> {
        match self.0.into_iter().next() {
            None => Ok(()),
            Some((name, _)) => Err(UrlError::Parameter(name)),
        }
    }
}

fn duration(text: &str) -> Option<Duration> {
    let digits = text
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => number.checked_mul(60).map(Duration::from_secs),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_taken_once_and_none_is_left() {
        let mut params = Params::of("deadline=250ms&prefix=a%3A&pool=4").unwrap();
        assert_eq!(
            params.duration("deadline"),
            Ok(Some(Duration::from_millis(250)))
        );
        assert_eq!(params.take("prefix").as_deref(), Some("a:"));
        assert_eq!(params.take("prefix"), None);
        assert_eq!(params.finish(), Err(UrlError::Parameter("pool".into())));
        let twice = Params::of("a=1&a=2").map(|_| ());
        assert_eq!(twice, Err(UrlError::Parameter("a".into())));
    }

    #[test]
    fn lengths_of_time() {
        assert_eq!(duration("5s"), Some(Duration::from_secs(5)));
        assert_eq!(duration("2m"), Some(Duration::from_secs(120)));
        for wrong in ["", "5", "s", "-1s", "1.5s", "99999999999999999999s", "1h"] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
        let zero = Params::of("deadline=0s").unwrap().duration("deadline");
        assert!(zero.is_err());
    }
}
