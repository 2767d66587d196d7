//! Following symlinks below a local folder: no loop, and no file twice.
//!
//! Invariant: a file that is reached both directly and through symlinks is listed directly; one that is reached only
//! through symlinks is listed once, under the first of its paths.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::input::list::InputFile;
use crate::input::list::listing::in_order;

/// The device and the inode of a file or a folder.
type Inode = (u64, u64);

fn inode(metadata: &Metadata) -> Inode {
    (metadata.dev(), metadata.ino())
}

/// A folder to read.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) path: PathBuf,
    /// Whether the path contains a symlink below the source.
    pub(super) is_linked: bool,
    /// The folder and those above it, if symlinks are followed.
    chain: Option<Arc<Chain>>,
}

#[derive(Debug)]
struct Chain {
    folder: Inode,
    above: Option<Arc<Self>>,
}

impl Folder {
    /// The folder of the source; with its `metadata`, symlinks below it are followed.
    pub(super) fn root(path: &Path, metadata: Option<&Metadata>) -> Self {
        let chain = metadata.map(|metadata| Arc::new(Chain { folder: inode(metadata), above: None }));
        Self { path: path.to_owned(), is_linked: false, chain }
    }

    /// A folder in this folder. `None` if a symlink leads back to a folder above, which is being read already.
    pub(super) fn child(&self, path: PathBuf, metadata: Option<&Metadata>, is_link: bool) -> Option<Self> {
        let is_linked = self.is_linked || is_link;
        let (Some(chain), Some(metadata)) = (&self.chain, metadata) else {
            return Some(Self { path, is_linked, chain: None });
        };
        let folder = inode(metadata);
        let mut above = Some(chain);
        while let Some(link) = above {
            if link.folder == folder {
                return None;
            }
            above = link.above.as_ref();
        }
        let chain = Some(Arc::new(Chain { folder, above: Some(Arc::clone(chain)) }));
        Some(Self { path, is_linked, chain })
    }

    /// Whether symlinks in this folder are followed.
    pub(super) const fn follows_symlinks(&self) -> bool {
        self.chain.is_some()
    }
}

/// The files of a listing by their paths, with their inodes.
#[derive(Debug, Default)]
pub(super) struct LinkedFiles(BTreeMap<PathBuf, (Inode, bool)>);

impl LinkedFiles {
    pub(super) fn add(&mut self, path: &Path, metadata: &Metadata, is_linked: bool) {
        self.0.insert(path.to_owned(), (inode(metadata), is_linked));
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Removes files that were reached through a symlink and are listed under another path.
    pub(super) fn remove_repeated(&self, files: &mut Vec<InputFile>) {
        if !self.0.values().any(|(_, is_linked)| *is_linked) {
            return;
        }
        let known = |file: &InputFile| self.0.get(&file.path).copied();
        let is_linked = |file: &InputFile| known(file).is_some_and(|(_, is_linked)| is_linked);
        files.sort_unstable_by(|left, right| is_linked(left).cmp(&is_linked(right)).then(in_order(left, right)));
        let mut seen = BTreeSet::new();
        files.retain(|file| known(file).is_none_or(|(inode, is_linked)| seen.insert(inode) || !is_linked));
    }
}
