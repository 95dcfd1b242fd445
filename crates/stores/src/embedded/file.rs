//! Opening the database file: where it lies, who may read it, and whether it is one of ours.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use cloakroom_core::store::{ErrorKind, StoreError};
use redb::backends::FileBackend;
use redb::{
    Builder, Database, ReadableDatabase, ReadableTableMetadata as _, StorageBackend, TableError,
};

use super::batch::open_tables;
use super::error::{Fault, guarded, of_io, of_open};
use super::regions::Regions;
use super::tables::{FORMAT, META, RECORDS, REGISTRY, REPLAY, seal, take_u64, unseal};

const FILE: &str = "sessions.redb";
const UNFINISHED: &str = ".new";

/// Smaller files are not worth the work.
const SHRINK_FROM: u64 = 1024 * 1024;
/// Bytes of file for each row that are too many; in use they are 1 to 2 thousand.
const SPACIOUS: u64 = 16 * 1024;
/// More rows than this would make the start wait.
const SHRINK_MAX: u64 = 100_000;

type OpenDatabase = Box<dyn Fn(&Builder) -> Result<Database, StoreError> + Send>;

/// Opens the database, also again after a failure.
pub(super) struct Opener {
    open: OpenDatabase,
    path: Option<PathBuf>,
    cache_bytes: usize,
}

/// An error and the path it is about.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
struct AtPath {
    path: PathBuf,
    source: StoreError,
}

/// A format of the tables that this release does not read.
#[derive(Debug, thiserror::Error)]
#[error("the tables have format {found}, this release reads format {FORMAT}")]
struct WrongFormat {
    found: u64,
}

impl Opener {
    /// On the file in the directory `path`, which is made where it is missing.
    pub(super) fn at(path: &Path, cache_bytes: usize) -> Self {
        let folder = path.to_owned();
        Self {
            open: Box::new(move |builder| open_in(&folder, builder)),
            path: Some(path.join(FILE)),
            cache_bytes,
        }
    }

    /// On whatever `make` gives.
    pub(super) fn on<B: StorageBackend>(
        make: impl Fn() -> io::Result<B> + Send + 'static,
        cache_bytes: usize,
    ) -> Self {
        Self {
            open: Box::new(move |builder| {
                let backend =
                    make().map_err(|error| of_io(error, "opening the database's backend"))?;
                open_on(backend, builder)
            }),
            path: None,
            cache_bytes,
        }
    }

    /// Opens the database and makes its tables where it is new.
    pub(super) fn open(&self) -> Result<Database, StoreError> {
        self.open_here().map_err(|source| match &self.path {
            None => source,
            Some(path) => {
                StoreError::new(source.kind(), "opening the embedded store").because(AtPath {
                    path: path.clone(),
                    source,
                })
            }
        })
    }

    fn open_here(&self) -> Result<Database, StoreError> {
        let mut builder = Builder::new();
        builder.set_cache_size(self.cache_bytes);
        let opened = guarded(|| {
            let mut database = (self.open)(&builder).map_err(Fault::Whole)?;
            prepare(&database)?;
            shrink(&mut database, self.len())?;
            Ok(database)
        });
        opened.map_err(Fault::into_error)
    }

    /// Bytes of the file; zero where there is none.
    pub(super) fn len(&self) -> u64 {
        let path = self.path.as_ref();
        path.and_then(|path| path.metadata().ok())
            .map_or(0, |metadata| metadata.len())
    }
}

/// Opens the database in `folder`, and makes both where they are missing.
fn open_in(folder: &Path, builder: &Builder) -> Result<Database, StoreError> {
    let path = folder.join(FILE);
    if !path.exists() {
        make(folder, &path, builder)?;
    }
    let opened = open_file(&path, OpenOptions::new().read(true).write(true), builder)?;
    remove_left_over(folder);
    Ok(opened)
}

fn open_file(
    path: &Path,
    options: &OpenOptions,
    builder: &Builder,
) -> Result<Database, StoreError> {
    let file = options
        .open(path)
        .map_err(|error| of_io(error, "opening the database file"))?;
    open_on(FileBackend::new(file).map_err(of_open)?, builder)
}

fn open_on(backend: impl StorageBackend, builder: &Builder) -> Result<Database, StoreError> {
    let backend =
        Regions::of(backend).map_err(|error| of_io(error, "opening the database file"))?;
    builder.create_with_backend(backend).map_err(of_open)
}

/// Makes a database under another name and moves it into place when it is whole, so that a crash on the first start does
/// not leave half a file; it is for its owner alone.
fn make(folder: &Path, path: &Path, builder: &Builder) -> Result<(), StoreError> {
    let of = |error| of_io(error, "making the database file");
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(of)?;
    let unfinished = folder.join(format!("{FILE}.{}{UNFINISHED}", std::process::id()));
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(true);
    let database = open_file(&unfinished, options.mode(0o600), builder)?;
    prepare(&database).map_err(Fault::into_error)?;
    drop(database);
    // A link, because it fails where another process was faster, whose file must not be replaced.
    let placed = match fs::hard_link(&unfinished, path) {
        Ok(()) => fs::remove_file(&unfinished),
        Err(_) if path.exists() => Ok(()),
        // A file system without links.
        Err(_) => fs::rename(&unfinished, path),
    };
    placed.map_err(of)?;
    // The names stay after a power cut too.
    let folders = [Some(folder), folder.parent()];
    for folder in folders.into_iter().flatten().filter(|it| it.is_dir()) {
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(of)?;
    }
    Ok(())
}

/// What first starts that were killed have left.
fn remove_left_over(folder: &Path) {
    let names = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in names {
        let name = entry.file_name();
        let ours = name
            .to_str()
            .is_some_and(|name| name.starts_with(FILE) && name.ends_with(UNFINISHED));
        if ours {
            // Of no consequence: it takes a few kilobytes.
            drop(fs::remove_file(entry.path()));
        }
    }
}

/// Checks the format of the tables, or makes them in a new file.
fn prepare(database: &Database) -> Result<(), Fault> {
    const NAME: &str = "format";
    let found = match database.begin_read()?.open_table(META) {
        Ok(meta) => meta.get(NAME)?,
        Err(TableError::TableDoesNotExist(_)) => None,
        Err(other) => return Err(other.into()),
    };
    if let Some(row) = found {
        let mut payload = unseal(NAME.as_bytes(), row.value(), "reading the format")?;
        return match take_u64(&mut payload, "reading the format")? {
            FORMAT => Ok(()),
            found => Err(Fault::Own(
                StoreError::new(ErrorKind::Denied, "a store of another release")
                    .because(WrongFormat { found }),
            )),
        };
    }
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    {
        let mut tables = open_tables(&transaction)?;
        let row = seal(NAME.as_bytes(), &[&FORMAT.to_be_bytes()]);
        tables.meta.insert(NAME, &row[..])?;
    }
    transaction.commit()?;
    Ok(())
}

/// Gives back what a file of `len` bytes took in busier days, where so little is left that it takes no time.
fn shrink(database: &mut Database, len: u64) -> Result<(), Fault> {
    if len < SHRINK_FROM {
        return Ok(());
    }
    let rows = rows(database)?;
    if rows > SHRINK_MAX || rows.saturating_mul(SPACIOUS) >= len {
        return Ok(());
    }
    match database.compact() {
        Ok(_) => tracing::info!(bytes = len, rows, "made the database file smaller"),
        Err(error) => tracing::warn!(%error, "the database file could not be made smaller"),
    }
    Ok(())
}

/// Rows with a value of their own; the tables know how many they have.
fn rows(database: &Database) -> Result<u64, Fault> {
    let transaction = database.begin_read()?;
    let sessions = transaction.open_table(RECORDS)?.len()?;
    let entries = transaction.open_table(REGISTRY)?.len()?;
    let seen = transaction.open_table(REPLAY)?.len()?;
    Ok(sessions + entries + seen)
}
