//! Licences of everything that a build contains, against the list in `deny.toml`.
//!
//! The same question that `cargo deny check licenses` answers, here so that every run of CI asks it.

use serde::Deserialize;

use crate::Result;
use crate::workspace::Package;

/// The parts of `deny.toml` that are read here; cargo-deny reads the rest.
#[derive(Deserialize)]
struct Deny {
    licenses: Rules,
}

#[derive(Deserialize)]
struct Rules {
    allow: Vec<String>,
    #[serde(default)]
    exceptions: Vec<ForOne>,
    #[serde(default)]
    clarify: Vec<Clarified>,
}

/// Further licences for one crate.
#[derive(Deserialize)]
struct ForOne {
    #[serde(rename = "crate")]
    name: String,
    allow: Vec<String>,
}

/// The expression for a crate whose manifest has none.
#[derive(Deserialize)]
struct Clarified {
    #[serde(rename = "crate")]
    name: String,
    expression: String,
}

/// Every package whose licence the list does not allow. An unreadable list is an `Err`.
pub(super) fn check(deny: &str, packages: &[Package]) -> Result<Vec<String>> {
    let Deny { licenses: rules } =
        toml::from_str(deny).map_err(|error| format!("deny.toml: {error}"))?;
    Ok(packages
        .iter()
        .filter_map(|package| wrong(&rules, package))
        .collect())
}

fn wrong(rules: &Rules, package: &Package) -> Option<String> {
    let Package { name, version, .. } = package;
    let clarified = rules
        .clarify
        .iter()
        .find(|clarified| clarified.name == *name);
    let expression = clarified
        .map(|clarified| clarified.expression.as_str())
        .or(package.license.as_deref());
    let Some(expression) = expression else {
        return Some(format!(
            "{name} {version} names no licence; see [[licenses.clarify]] of deny.toml"
        ));
    };
    let of_this_crate = rules
        .exceptions
        .iter()
        .filter(|one| one.name == *name)
        .flat_map(|one| &one.allow);
    let allowed: Vec<&str> = rules
        .allow
        .iter()
        .chain(of_this_crate)
        .map(String::as_str)
        .collect();
    match is_allowed(expression, &allowed) {
        Some(true) => None,
        Some(false) => Some(format!(
            "{name} {version}: licence `{expression}` is not in deny.toml"
        )),
        None => Some(format!(
            "{name} {version}: licence `{expression}` is not an SPDX expression"
        )),
    }
}

/// Judges an SPDX expression (annex D of SPDX 2.3), where a slash is the old way to write OR; `None` if it is
/// malformed.
fn is_allowed(expression: &str, allowed: &[&str]) -> Option<bool> {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut parser = Parser {
        words: &words,
        allowed,
    };
    let verdict = parser.any()?;
    parser.words.is_empty().then_some(verdict)
}

/// Recursive descent; AND binds tighter than OR.
struct Parser<'a> {
    words: &'a [&'a str],
    allowed: &'a [&'a str],
}

impl Parser<'_> {
    fn any(&mut self) -> Option<bool> {
        let mut verdict = self.all()?;
        while self.skip("OR") {
            verdict |= self.all()?;
        }
        Some(verdict)
    }

    fn all(&mut self) -> Option<bool> {
        let mut verdict = self.one()?;
        while self.skip("AND") {
            verdict &= self.one()?;
        }
        Some(verdict)
    }

    fn one(&mut self) -> Option<bool> {
        if self.skip("(") {
            let verdict = self.any()?;
            return self.skip(")").then_some(verdict);
        }
        let mut licence = self.name()?.to_owned();
        if self.skip("WITH") {
            licence = format!("{licence} WITH {}", self.name()?);
        }
        Some(self.allowed.contains(&licence.as_str()))
    }

    fn name(&mut self) -> Option<&str> {
        let (first, rest) = self.words.split_first()?;
        let is_operator = ["AND", "OR", "WITH", "(", ")"].contains(first);
        self.words = rest;
        (!is_operator).then_some(*first)
    }

    fn skip(&mut self, word: &str) -> bool {
        let found = self.words.first() == Some(&word);
        if found {
            self.words = &self.words[1..];
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = r#"
        [licenses]
        allow = ["MIT", "Apache-2.0", "Unicode-3.0"]
        exceptions = [{ crate = "foca", allow = ["MPL-2.0"] }]
        clarify = [{ crate = "bare", expression = "MIT", license-files = [] }]
    "#;

    fn errors(name: &str, license: Option<&str>) -> Vec<String> {
        let license = license.map(str::to_owned);
        let package = Package {
            name: name.into(),
            version: "1.0.0".into(),
            license,
            source: None,
            dependencies: vec![],
        };
        check(RULES, &[package]).unwrap()
    }

    #[test]
    fn allowed_licences_pass() {
        for expression in [
            "MIT",
            "MIT OR GPL-3.0",
            "GPL-3.0/Apache-2.0",
            "(MIT OR GPL-3.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR Apache-2.0",
        ] {
            assert!(errors("a", Some(expression)).is_empty(), "{expression}");
        }
    }

    #[test]
    fn others_fail() {
        for expression in [
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "Apache-2.0 WITH LLVM-exception",
            "GPL-3.0 OR MIT AND ISC",
        ] {
            assert!(
                errors("a", Some(expression))[0].contains("not in deny.toml"),
                "{expression}"
            );
        }
        for expression in ["", "MIT OR", "(MIT", "MIT Apache-2.0", "MIT WITH"] {
            assert!(
                errors("a", Some(expression))[0].contains("not an SPDX expression"),
                "{expression}"
            );
        }
        assert!(errors("a", None)[0].contains("names no licence"));
    }

    #[test]
    fn an_exception_holds_for_its_crate_only() {
        assert!(errors("foca", Some("MPL-2.0")).is_empty());
        assert!(errors("other", Some("MPL-2.0"))[0].contains("not in deny.toml"));
        assert!(errors("bare", None).is_empty());
    }

    #[test]
    fn an_unreadable_list_is_an_error() {
        assert!(
            check("[licenses]\nalow = []", &[])
                .unwrap_err()
                .to_string()
                .starts_with("deny.toml: ")
        );
    }
}
