//! What to measure, how long, and where the programs are.

use std::path::PathBuf;

use crate::Result;
use crate::groups::Group;

/// The command line, parsed.
pub(crate) struct Options {
    /// The root of our workspace.
    pub(crate) root: PathBuf,
    /// Where our own programs are built: `target/release`.
    pub(crate) ours: PathBuf,
    /// Fewer rounds, shorter ones, and nothing that takes minutes.
    pub(crate) quick: bool,
    /// This alone; with `page`, nothing is measured.
    only: Option<Only>,
}

#[derive(PartialEq)]
enum Only {
    Page,
    Group(Group),
}

impl Options {
    /// Whether this group is to be measured.
    pub(crate) fn wants(&self, group: Group) -> bool {
        match &self.only {
            None => !(self.quick && group.is_long()),
            Some(only) => *only == Only::Group(group),
        }
    }

    /// One of two numbers: for a quick run, for a full one.
    pub(crate) fn of<T>(&self, quick: T, full: T) -> T {
        if self.quick { quick } else { full }
    }
}

/// Reads the arguments after the program's name.
pub(crate) fn parse(words: &[String]) -> Result<Options> {
    let mut options = Options {
        root: PathBuf::from("."),
        ours: PathBuf::from("target/release"),
        quick: false,
        only: None,
    };
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} takes a value"));
        match word {
            "--quick" => options.quick = true,
            "--root" => options.root = value()?.into(),
            "--ours" => options.ours = value()?.into(),
            "--only" => options.only = Some(only(value()?)?),
            _ => return Err(format!("`{word}` is not understood").into()),
        }
    }
    Ok(options)
}

fn only(name: &str) -> Result<Only> {
    if name == "page" {
        return Ok(Only::Page);
    }
    let group = Group::ALL.into_iter().find(|group| group.name() == name);
    let known: Vec<&str> = Group::ALL.iter().map(|group| group.name()).collect();
    let wrong = || format!("no group `{name}`; there are {}, page", known.join(", "));
    Ok(Only::Group(group.ok_or_else(wrong)?))
}
