//! The scripts, one for each verb, and how they are called.

use std::sync::LazyLock;

use ::redis::{Cmd, Script as Source};

use super::keys::Key;

/// A script and the name by which the server finds it again.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) source: &'static str,
    hash: String,
}

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident = $file:literal;)*) => {
        $(
            $(#[$doc])*
            pub(super) static $name: LazyLock<Script> = LazyLock::new(|| {
                Script::new(concat!(include_str!("common.lua"), include_str!($file)))
            });
        )*
    };
}

scripts! {
    CREATE = "create.lua";
    UPDATE = "update.lua";
    TOUCH = "touch.lua";
    DELETE = "delete.lua";
    EXPIRE = "expire.lua";
    RAISE = "raise.lua";
    ADMIT = "admit.lua";
    CONFIRM = "confirm.lua";
    FORGET = "forget.lua";
    SEEN = "seen.lua";
    PUT = "put.lua";
    ENTRY = "entry.lua";
    ENTRIES = "entries.lua";
    CLEAR = "clear.lua";
    REASSERT = "reassert.lua";
}

impl Script {
    fn new(source: &'static str) -> Self {
        let hash = Source::new(source).get_hash().to_owned();
        Self { source, hash }
    }

    /// A call of it; arguments are added by the caller, the clock's offset first.
    pub(super) fn call(&self, keys: &[Key], offset: i64) -> Cmd {
        self.command("EVALSHA", &self.hash, keys, offset)
    }

    fn command(&self, verb: &str, script: &str, keys: &[Key], offset: i64) -> Cmd {
        let mut cmd = Cmd::new();
        cmd.arg(verb).arg(script).arg(keys.len());
        for key in keys {
            cmd.arg(key.as_slice());
        }
        cmd.arg(offset);
        cmd
    }

    /// The same call for a server that does not know the script: it learns it by this.
    pub(super) fn in_full(&self, call: &Cmd) -> Cmd {
        let mut cmd = Cmd::new();
        cmd.arg("EVAL").arg(self.source);
        for arg in call.args_iter().skip(2) {
            if let ::redis::Arg::Simple(bytes) = arg {
                cmd.arg(bytes);
            }
        }
        cmd
    }
}
