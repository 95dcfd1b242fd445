//! Opening the folder: what it is, and making it one.

use std::sync::atomic::AtomicBool;
use std::time::{SystemTime, UNIX_EPOCH};

use cloakroom_core::store::StoreError;
use parking_lot::Mutex;

use super::epochs::{Known, start};
use super::error::{During as _, denied, unavailable};
use super::format::Marker;
use super::io::{Io, absent, taken};
use super::object::nonce;
use super::paths::{CLOCK, FLOOR, FOLDERS, FORMAT, WORK};
use super::{Files, Options};

const HEAD: &str = "cloakroom files 1\n";
/// Seconds that the file server's clock may differ from ours before we say so.
const SKEW: i64 = 5;

pub(super) fn open(options: &Options) -> Result<Files, StoreError> {
    const WHAT: &str = "opening the folder of the store";
    if options.create {
        use std::os::unix::fs::DirBuilderExt as _;
        let mut folder = std::fs::DirBuilder::new();
        folder.recursive(true).mode(0o700);
        folder.create(&options.path).during(WHAT)?;
    }
    let io = Io::open(options.path.clone(), options.hook.clone()).during(WHAT)?;
    let files = Files {
        io,
        known: Mutex::new(Known::default()),
        unsynced: AtomicBool::new(false),
        bells: Default::default(),
    };
    let format = match files.io.read(FORMAT) {
        Err(error) if absent(&error) && options.create => files.make()?,
        Err(error) if absent(&error) => {
            return Err(unavailable("the folder holds no store; is it mounted?").because(error));
        }
        format => format.during(WHAT)?,
    };
    if !format.starts_with(HEAD.as_bytes()) {
        return Err(denied(
            "the folder holds something that another release wrote",
        ));
    }
    files.io.identify(format);
    files.clock()?;
    files.compare_clocks();
    Ok(files)
}

impl Files {
    /// Makes the folder a store. Nodes that start together do so together: `FORMAT` comes last.
    fn make(&self) -> Result<Vec<u8>, StoreError> {
        const WHAT: &str = "making the store";
        let there = self.io.names(".").during(WHAT)?;
        let ours = |name: &String| {
            FOLDERS.contains(&&**name) || [CLOCK, FLOOR, FORMAT, "lost+found"].contains(&&**name)
        };
        if !there.iter().all(ours) {
            return Err(denied("the folder is neither empty nor a store"));
        }
        for folder in FOLDERS {
            self.io.make_folder(folder)?;
        }
        let floor = Marker {
            ended: false,
            version: 0,
            nonce: nonce(),
            fields: [0; 4],
        };
        for (path, marker) in [(CLOCK, start()), (FLOOR, floor)] {
            let new = self.io.prepare(path, marker, None)?;
            self.io.place(path, &new)?;
        }
        let format = format!("{HEAD}{:016x}{:016x}\n", nonce(), nonce());
        let temp = format!("{WORK}/{:016x}", nonce());
        self.io.write(&temp, format.as_bytes()).during(WHAT)?;
        let linked = self.io.link(&temp, FORMAT);
        self.io.tidy(&temp);
        match linked {
            Err(error) if taken(&error) => {}
            linked => linked.during(WHAT)?,
        }
        self.io.sync(".").during(WHAT)?;
        // The one that was first.
        self.io.read(FORMAT).during(WHAT)
    }

    /// Deadlines are judged by each machine's own clock; the file server's tells whether ours is off.
    fn compare_clocks(&self) {
        let probe = format!("{WORK}/{:016x}", nonce());
        if self.io.create(&probe).is_err() {
            return;
        }
        let server = self.io.modified(&probe);
        self.io.tidy(&probe);
        let ours = SystemTime::now().duration_since(UNIX_EPOCH);
        if let (Ok(server), Ok(ours)) = (server, ours) {
            let ours = i64::try_from(ours.as_secs()).unwrap_or(i64::MAX);
            if (ours - server).abs() > SKEW {
                tracing::warn!(
                    seconds = ours - server,
                    "this machine's clock differs from the file server's; sessions end too early or too late by that"
                );
            }
        }
    }
}
