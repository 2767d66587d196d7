//! The input that the lake knows: the manifests that the tables of a run were made from, and which of their files are in
//! the input of this run under any path, name or compression.
//!
//! A listed file with the path and the stamp of an entry has not changed. Any other entry is searched by its content: in a
//! file with the same content, or in a file that begins with it, because a log grew before it was moved.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::config::Config;
use crate::error::Result;
use crate::input::file_identity;
use crate::input::fingerprint::{ContentReader, FileContent, Fingerprint};
use crate::input::list::{InputFile, Listing, SelectedFiles, Selection};
use crate::input::read::{Fetched, FileFeed, Reader, Reading};
use crate::input::sources::{Content, JobSpec, Source};
use crate::lake::checkpoint::{Manifest, ManifestEntry};
use crate::lake::commit_record::CommitRecord;
use crate::runtime::context::Context;
use crate::runtime::threads::for_tasks;
use crate::transform::extract;

/// A manifest of the newest version, with the time when its files were listed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KnownInput<'l> {
    pub(crate) manifest: &'l Manifest,
    listed_at: i128,
    /// Whether the manifest belongs to the location that this run reads, so that paths below it mean the same files.
    is_same_location: bool,
}

impl<'l> KnownInput<'l> {
    /// The manifests of a content that the tables of the run were made from, the newest first; also those of other tables
    /// that were made from the same location.
    pub(crate) fn all(spec: &JobSpec, head: Option<&'l CommitRecord>, content: Content) -> Vec<Self> {
        let Some((head, source)) = head.zip(spec.source(content)) else { return Vec::new() };
        let location = file_identity::location(source);
        let mut known: Vec<Self> = Vec::new();
        let folders = spec.config.table_folders();
        for checkpoint in head.checkpoints.iter().rev() {
            let Some(manifest) = checkpoint.input.get(content.name()) else { continue };
            if !checkpoint.is_input_of(&folders) && manifest.location != location {
                continue;
            }
            if known.iter().all(|other| other.manifest != manifest) {
                let listed_at = file_identity::nanoseconds(&checkpoint.listed_at).unwrap_or(i128::MIN);
                known.push(Self { manifest, listed_at, is_same_location: manifest.location == location });
            }
        }
        known
    }

    /// The entry of a listed file with this name; also of a changed one.
    pub(crate) fn entry(&self, name: &str) -> Option<&'l ManifestEntry> {
        self.manifest.files.get(name).filter(|_| self.is_same_location)
    }

    /// The entry of a listed file that has not changed since.
    pub(crate) fn unchanged(&self, name: &str, file: &InputFile) -> Option<&'l ManifestEntry> {
        self.entry(name).filter(|entry| file_identity::is_unchanged(file, (entry.size, &entry.version), self.listed_at))
    }

    /// The entries with records that no listed file has the path of, by name.
    pub(crate) fn unlisted(&self, source: &Source, listing: &Listing) -> Vec<(&'l str, &'l ManifestEntry)> {
        let listed: HashSet<String> = listing.files.iter().map(|file| file_identity::name(source, file)).collect();
        let is_listed = |name: &str| self.is_same_location && listed.contains(name);
        let entries = self.manifest.files.iter().map(|(name, entry)| (name.as_str(), entry));
        entries.filter(|(name, entry)| entry.read() > 0 && !is_listed(name)).collect()
    }
}

/// The contents of listed files.
#[derive(Clone, Debug, Default)]
pub(crate) struct KnownContents {
    /// The number of files by content.
    files: HashMap<Fingerprint, usize>,
    /// The beginnings of files that have the length of a wanted content.
    beginnings: HashSet<Fingerprint>,
}

impl KnownContents {
    /// Adds a file.
    pub(crate) fn add(&mut self, content: Fingerprint) {
        *self.files.entry(content).or_default() += 1;
    }

    /// Adds a file that was read, with its beginnings.
    pub(crate) fn add_read(&mut self, file: &FileContent) {
        self.add(file.content);
        self.add_beginnings(file.beginnings.iter().copied());
    }

    /// Adds beginnings of files.
    pub(crate) fn add_beginnings(&mut self, beginnings: impl IntoIterator<Item = Fingerprint>) {
        self.beginnings.extend(beginnings);
    }

    /// Returns true if a file has the content or begins with it.
    pub(crate) fn contain(&self, content: &Fingerprint) -> bool {
        self.files.contains_key(content) || self.beginnings.contains(content)
    }

    /// Like [`Self::contain`], but each file stands for only one entry: with `--allow-duplicates`, two files with the
    /// same content are two files.
    pub(crate) fn take(&mut self, content: &Fingerprint) -> bool {
        match self.files.get_mut(content) {
            Some(count) if *count > 0 => {
                *count -= 1;
                true
            }
            _ => self.beginnings.contains(content),
        }
    }
}

/// The lengths of contents, in ascending order, to find files that begin with them.
pub(crate) fn lengths(contents: impl Iterator<Item = Fingerprint>) -> Vec<u64> {
    contents.map(|content| content.bytes).collect::<BTreeSet<u64>>().into_iter().collect()
}

/// The way in which files are read whole, each by one worker.
pub(crate) fn whole_files(config: &Config) -> Reading {
    Reading { verify_first: true, in_order: true, ..extract::reading(config) }
}

/// Reads files to know their contents, and their beginnings of the given lengths. Files that are not JSON are left out.
///
/// # Errors
/// Those of [`crate::input::read`].
pub(crate) fn read_contents(
    files: SelectedFiles<'_>,
    lengths: &[u64],
    config: &Config,
    context: &Context<'_>,
) -> Result<Vec<FileContent>> {
    let feed = FileFeed::new(files, whole_files(config))?;
    let readers = for_tasks(
        config.threads,
        feed.tasks(),
        &context.cancel,
        |_| (ContentReader::new(lengths), Reader::default()),
        |(contents, reader), task| {
            feed.read(reader, task, &context.cancel, &mut |fetched| {
                if let Fetched::Chunk(chunk) = fetched {
                    context.cancel.check()?;
                    contents.add(&chunk);
                }
                Ok(())
            })
        },
        |_| Ok(()),
    )?;
    Ok(readers.into_iter().flat_map(|(contents, _)| contents.finish()).collect())
}

/// The contents of all listed files of a source: from the manifest for unchanged files, and by reading the others.
///
/// # Errors
/// Those of [`read_contents`].
pub(crate) fn contents_of_listing(
    source: &Source,
    listing: &Listing,
    known: &[KnownInput<'_>],
    lengths: &[u64],
    (config, context): (&Config, &Context<'_>),
) -> Result<KnownContents> {
    let (mut contents, mut to_read) = (KnownContents::default(), Vec::new());
    for (index, file) in listing.files.iter().enumerate() {
        let name = file_identity::name(source, file);
        match known.iter().find_map(|known| known.unchanged(&name, file)?.content) {
            Some(fingerprint) => contents.add(fingerprint),
            None => to_read.push(index),
        }
    }
    let selection: Selection = to_read.into();
    let read = read_contents(SelectedFiles { listing, selection: &selection }, lengths, config, context)?;
    for file in &read {
        contents.add_read(file);
    }
    Ok(contents)
}
