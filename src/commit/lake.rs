//! The root of a lake, locked for one run.
//!
//! Invariant: while a [`Lake`] lives, no other run of this program on this machine writes to the same output, so what
//! lies in `_etl/stage` belongs to nobody else.

use std::fs::File;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use crate::error::{Error, ErrorKind, Result, shown};

/// The format of what lies in `_etl`; a newer one is not touched.
const FORMAT: u64 = 1;

/// An output folder that this run alone writes to.
#[derive(Debug)]
pub struct Lake {
    root: PathBuf,
    is_ours: bool,
    /// Holds the lock until the run ends, however it ends.
    _lock: File,
}

impl Lake {
    /// Creates the folder where needed, proves that it can be written to, and locks it.
    ///
    /// # Errors
    /// [`ErrorKind::Output`] or [`ErrorKind::Access`] when it cannot be created or written to, [`ErrorKind::Retry`]
    /// when another run holds it, [`ErrorKind::Protocol`] when a newer version of this program wrote it.
    pub fn lock(root: &Path) -> Result<Self> {
        let control = root.join("_etl");
        std::fs::create_dir_all(&control).map_err(|error| Error::io(ErrorKind::Output, "create", &control, &error))?;
        let path = control.join("lock");
        let lock = File::options()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(|error| Error::io(ErrorKind::Output, "write to", &path, &error))?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                return Err(Error::new(ErrorKind::Retry, format!("another run is writing to {}", shown(root)))
                    .hint("try again when it has ended; nothing was changed by this one")
                    .context("path", shown(root)));
            }
            Err(error) => return Err(Error::io(ErrorKind::Output, "lock", &path, &error.into())),
        }
        let is_ours = read_format(&control)?;
        let lake = Self { root: root.to_owned(), is_ours, _lock: lock };
        lake.remove_abandoned()?;
        Ok(lake)
    }

    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether an earlier run of this program published here.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.is_ours
    }

    /// Where runs stage.
    #[must_use]
    pub fn stages(&self) -> PathBuf {
        self.root.join("_etl").join("stage")
    }

    /// Records that this program published here. In one step: half a record would lock the lake's owner out.
    pub(super) fn claim(&self) -> Result<()> {
        if self.is_ours {
            return Ok(());
        }
        let control = self.root.join("_etl");
        let (new, path) = (control.join("FORMAT.new"), control.join("FORMAT"));
        std::fs::write(&new, format!("{{\"format\":{FORMAT}}}\n"))
            .and_then(|()| std::fs::rename(&new, &path))
            .map_err(|error| Error::io(ErrorKind::Storage, "write", &path, &error))
    }

    /// What an earlier run left behind when it was killed. Under the lock nobody else can be using it.
    fn remove_abandoned(&self) -> Result<()> {
        let stages = self.stages();
        match std::fs::remove_dir_all(&stages) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Error::io(ErrorKind::Storage, "remove", &stages, &error)),
        }
    }
}

fn read_format(control: &Path) -> Result<bool> {
    let path = control.join("FORMAT");
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(Error::io(ErrorKind::Storage, "read", &path, &error)),
    };
    let format = serde_json::from_str::<serde_json::Value>(&text)
        .ok()
        .and_then(|value| value.get("format").and_then(serde_json::Value::as_u64));
    match format {
        Some(format) if format <= FORMAT => Ok(true),
        _ => {
            Err(Error::new(ErrorKind::Protocol, format!("{} is not of a format that this version knows", shown(&path)))
                .hint("a newer sparkify-lake wrote this lake: upgrade, or choose another output")
                .context("path", shown(&path)))
        }
    }
}
