//! RetainedFiles of the input files that stay when the files go: what `--keep-gone` builds upon.
//!
//! Each file that the lake has no copy of is read once more, before anything else, and packed into the state. A file
//! that is gone enters the listing again with its copy in its place, so everything behind treats it like a file that has
//! not changed. One whose bytes are there under another name was moved and is not missed.
//!
//! Invariant: with `--keep-gone` every file of the ledger that has records has a copy, of exactly the bytes that were
//! read; a file is only taken for gone when its copy is there.

mod pack;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::File;
use std::io::Write;
use std::path::Path;

use pack::{Loaded, Packer, Packs};

use crate::config::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::input::file_identity;
use crate::input::input_files::InputFiles;
use crate::input::list::{InputFile, Listing, SelectedFiles, Selection, Version, modified};
use crate::input::read::{Fetched, FileFeed, Reader, Reading};
use crate::input::sources::{Content, JobSpec, Source};
use crate::lake::checkpoint::{Checkpoint, FileCopy, Manifest, ManifestEntry, StateFile};
use crate::lake::commit_record::CommitRecord;
use crate::lake::{Lake, Stage};
use crate::location::Location;
use crate::runtime::context::Context;
use crate::runtime::progress::Level;
use crate::runtime::threads::for_tasks;
use crate::s3::object::Tag;
use crate::transform::extract;

/// A pack of which less than one part in so many is still needed is written anew.
const WORTH: u64 = 2;

/// The copies of a run's files.
#[derive(Debug, Default)]
pub struct RetainedFiles {
    songs: BTreeMap<String, FileCopy>,
    logs: BTreeMap<String, FileCopy>,
    /// The packs that they lie in.
    pub packs: BTreeMap<u32, StateFile>,
    /// Whether any was made.
    pub is_news: bool,
}

impl RetainedFiles {
    /// The copies of one content, by the names of the ledger.
    #[must_use]
    pub const fn of(&self, content: Content) -> &BTreeMap<String, FileCopy> {
        match content {
            Content::Songs => &self.songs,
            Content::Logs => &self.logs,
        }
    }

    const fn of_mut(&mut self, content: Content) -> &mut BTreeMap<String, FileCopy> {
        match content {
            Content::Songs => &mut self.songs,
            Content::Logs => &mut self.logs,
        }
    }

    fn all(&self) -> impl Iterator<Item = &FileCopy> {
        self.songs.values().chain(self.logs.values())
    }
}

/// Makes the copies that are missing, and enters files that are gone into the listings.
///
/// # Errors
/// [`ErrorKind::DataRefused`] when the rows of a file that is gone cannot be kept, or would leave unsaid; those of
/// [`crate::input::read`] and the place's.
pub fn retain(spec: &JobSpec, inputs: &mut InputFiles, stage: &Stage, context: &Context<'_>) -> Result<RetainedFiles> {
    let head = stage.lake().record();
    if !spec.config.keep_gone {
        return must_not_leave_unsaid(spec, inputs, head).map(|()| RetainedFiles::default());
    }
    let known_packs: BTreeMap<u32, StateFile> =
        head.iter().flat_map(|head| &head.checkpoints).flat_map(|base| base.state.packs.clone()).collect();
    let packs = Packs::new(stage, known_packs.last_key_value().map_or(0, |(last, _)| last + 1));
    let mut copies = RetainedFiles::default();
    for content in Content::ALL {
        let Some(source) = spec.source(content) else { continue };
        let known = known(head, content, source);
        let (mut found, missing) = sort_out(source, inputs.listing(content), known);
        copies.is_news |= !missing.is_empty();
        context.note(Level::Info, || format!("{}: {} files to copy", content.name(), missing.len()));
        let listing = inputs.listing(content);
        for (index, copy) in make(listing, &missing, &packs, &spec.config, context)? {
            found.extend(listing.files.get(index).map(|file| (file_identity::name(source, file), copy)));
        }
        let present: HashSet<String> = found.values().map(|copy| copy.sha256.clone()).collect();
        let mut gone = Vec::new();
        for (name, file, copy) in gone_files(source, listing, known)? {
            if !present.contains(&copy.sha256) {
                gone.extend(input_file(source, name, file));
                found.insert(name.to_owned(), copy.clone());
            }
        }
        inputs.listing_mut(content).add_missing(gone);
        *copies.of_mut(content) = found;
    }
    compact(&mut copies, &known_packs, &packs)?;
    let needed: BTreeSet<u32> = copies.all().flat_map(|copy| &copy.parts).map(|part| part.0).collect();
    copies.packs = known_packs.into_iter().chain(packs.made()).filter(|(number, _)| needed.contains(number)).collect();
    Ok(copies)
}

/// Enters files that are gone into the listings, as far as names tell: for `plan`. Returns the files that would be
/// copied, by content.
///
/// # Errors
/// As [`take`], but for reading.
pub fn estimate(
    spec: &JobSpec,
    inputs: &mut InputFiles,
    head: Option<&CommitRecord>,
) -> Result<Vec<(Content, Selection)>> {
    if !spec.config.keep_gone {
        return must_not_leave_unsaid(spec, inputs, head).map(|()| Vec::new());
    }
    let mut copied = Vec::new();
    for content in Content::ALL {
        let Some(source) = spec.source(content) else { continue };
        let (listing, known) = (inputs.listing(content), known(head, content, source));
        let gone = gone_files(source, listing, known)?;
        let gone = gone.into_iter().filter_map(|(name, file, _)| input_file(source, name, file)).collect();
        inputs.listing_mut(content).add_missing(gone);
        let (_, missing) = sort_out(source, inputs.listing(content), known);
        copied.push((content, missing));
    }
    Ok(copied)
}

/// Files that are gone, where their copies lie now; the others stay as they are.
///
/// # Errors
/// [`ErrorKind::Protocol`] when a copy is not what the newest version says, and the place's.
pub fn restore(
    copies: &RetainedFiles,
    (source, listing): (&Source, &Listing),
    gone: &Selection,
    lake: &Lake,
    scratch: &Path,
) -> Result<Listing> {
    let mut files = listing.files.to_vec();
    let mut loaded = Loaded::new(lake, &copies.packs);
    for index in gone.iter() {
        let Some(file) = files.get_mut(*index) else { continue };
        let path = scratch.join(format!("{}-{index}", source.content.name()));
        let failed = |error: std::io::Error| Error::io(ErrorKind::Storage, "write", &path, &error);
        let mut scratch_file = File::create(&path).map_err(failed)?;
        for part in
            copies.of(source.content).get(&file_identity::name(source, file)).into_iter().flat_map(|copy| &copy.parts)
        {
            scratch_file.write_all(&loaded.part(*part)?).map_err(failed)?;
        }
        let metadata = scratch_file.metadata().map_err(failed)?;
        let (size, version) = (metadata.len(), Version::Modified(modified(&metadata)));
        *file = InputFile { path, size, version, is_missing: true };
    }
    Ok(Listing { files: files.into(), ..Listing::default() })
}

/// The packs that copies of so many bytes come to, unless they are of the kind that does not get smaller.
#[must_use]
pub fn packs_at_most(bytes: u64, threads: usize) -> u64 {
    threads as u64 + bytes / pack::FULL as u64
}

/// What the newest version knows of a source.
fn known<'l>(
    head: Option<&'l CommitRecord>,
    content: Content,
    source: &Source,
) -> Option<(&'l Checkpoint, &'l Manifest)> {
    let bases = head?.checkpoints.iter().rev();
    let mut known = bases.filter_map(|base| Some((base, base.input.get(content.name())?)));
    known.next().filter(|(_, ledger)| ledger.location == file_identity::location(source))
}

/// The copies that there are of listed files, and the files without one.
fn sort_out(
    source: &Source,
    listing: &Listing,
    known: Option<(&Checkpoint, &Manifest)>,
) -> (BTreeMap<String, FileCopy>, Selection) {
    let listed_at = known.and_then(|(base, _)| file_identity::nanoseconds(&base.listed_at)).unwrap_or(i128::MIN);
    let (mut found, mut missing) = (BTreeMap::new(), Vec::new());
    for (index, file) in listing.files.iter().enumerate().filter(|(_, file)| !file.is_missing) {
        let name = file_identity::name(source, file);
        let entry = known.and_then(|(_, ledger)| ledger.files.get(&name));
        match entry.filter(|entry| file_identity::is_unchanged(file, (entry.size, &entry.version), listed_at)) {
            Some(ManifestEntry { copy: Some(copy), .. }) => drop(found.insert(name, copy.clone())),
            // There is nothing to keep of it.
            Some(entry) if entry.read() == 0 => {}
            _ => missing.push(index),
        }
    }
    (found, missing.into())
}

/// The files of the ledger that are no longer listed and have records, each with its copy.
fn gone_files<'l>(
    source: &Source,
    listing: &Listing,
    known: Option<(&Checkpoint, &'l Manifest)>,
) -> Result<Vec<(&'l str, &'l ManifestEntry, &'l FileCopy)>> {
    let listed: HashSet<String> = listing.files.iter().map(|file| file_identity::name(source, file)).collect();
    let entries = known.into_iter().flat_map(|(_, ledger)| &ledger.files);
    let gone = entries.filter(|(name, file)| !listed.contains(*name) && file.read() > 0);
    gone.map(|(name, file)| {
        let copy = file.copy.as_ref().ok_or_else(|| {
            Error::new(ErrorKind::DataRefused, format!("{name} is gone from {} and has no copy", source.shown))
                .cause("it was read by a run without --keep-gone, and those make no copies")
                .hint("put it back for one run with --keep-gone; or leave that away, and its rows go with it")
                .context("path", name.clone())
        })?;
        Ok((name.as_str(), file, copy))
    })
    .collect()
}

/// Without `--keep-gone` rows that it has kept leave only when that is said.
fn must_not_leave_unsaid(spec: &JobSpec, inputs: &InputFiles, head: Option<&CommitRecord>) -> Result<()> {
    if spec.config.allow_shrink {
        return Ok(());
    }
    for content in Content::ALL {
        let Some(source) = spec.source(content) else { continue };
        let Some((_, known)) = known(head, content, source) else { continue };
        if known.files.values().all(|file| file.copy.is_none()) {
            continue;
        }
        let listed: HashSet<String> =
            inputs.listing(content).files.iter().map(|file| file_identity::name(source, file)).collect();
        let mut gone = known.files.iter().filter(|(name, file)| file.copy.is_some() && !listed.contains(*name));
        if let Some((first, _)) = gone.next() {
            let files = 1 + gone.count();
            return Err(Error::new(
                ErrorKind::DataRefused,
                format!("the lake holds the rows of {files} files that are gone from {}", source.shown),
            )
            .cause(format!("a run with --keep-gone kept them; the first is {first}"))
            .hint("say --keep-gone again; or --allow-shrink, and they leave for good")
            .context("path", source.shown.clone()));
        }
    }
    Ok(())
}

/// A file of the ledger, as it was when it was listed.
fn input_file(source: &Source, name: &str, known: &ManifestEntry) -> Option<InputFile> {
    let (path, version) = match &source.root {
        Location::Local(root) => (root.join(name), Version::Modified(known.version.parse().ok()?)),
        Location::Object(root) => (Path::new(&root.key).join(name), Version::Tag(Tag(known.version.as_str().into()))),
    };
    Some(InputFile { path, size: known.size, version, is_missing: true })
}

/// Reads files from their beginning to their end and packs what they hold. Files that cannot be read as JSON have none.
fn make(
    listing: &Listing,
    selection: &Selection,
    packs: &Packs<'_>,
    config: &Config,
    context: &Context<'_>,
) -> Result<Vec<(usize, FileCopy)>> {
    let reading = Reading { verify_first: true, in_order: true, ..extract::reading(config) };
    let feed = FileFeed::new(SelectedFiles { listing, selection }, reading)?;
    let packers = for_tasks(
        config.threads,
        feed.tasks(),
        &context.cancel,
        |_| (Packer::new(packs), Reader::default()),
        |(packer, reader), task| {
            feed.read(reader, task, &context.cancel, &mut |fetched| match fetched {
                Fetched::Chunk(chunk) => context.cancel.check().and_then(|()| packer.add(chunk.file, chunk.bytes)),
                Fetched::Bad { .. } => Ok(()),
            })
        },
        |(packer, _)| packer.finish(),
    )?;
    Ok(packers.into_iter().flat_map(|(packer, _)| packer.into_copies()).collect())
}

/// Writes what is left of packs that are mostly unneeded into new ones.
fn compact(copies: &mut RetainedFiles, known: &BTreeMap<u32, StateFile>, packs: &Packs<'_>) -> Result<()> {
    let mut needed: BTreeMap<u32, u64> = BTreeMap::new();
    for part in copies.all().flat_map(|copy| &copy.parts) {
        *needed.entry(part.0).or_default() += part.2;
    }
    let wasted: BTreeSet<u32> = known
        .iter()
        .filter(|(number, pack)| needed.get(number).is_some_and(|bytes| bytes.saturating_mul(WORTH) < pack.size))
        .map(|(number, _)| *number)
        .collect();
    if wasted.is_empty() {
        return Ok(());
    }
    copies.is_news = true;
    let mut packer = Packer::new(packs);
    let mut loaded = Loaded::new(packs.lake(), known);
    let RetainedFiles { songs, logs, .. } = copies;
    for copy in songs.values_mut().chain(logs.values_mut()) {
        if copy.parts.iter().any(|part| wasted.contains(&part.0)) {
            for part in &mut copy.parts {
                if wasted.contains(&part.0) {
                    *part = packer.take_over(&loaded.part(*part)?)?;
                }
            }
        }
    }
    packer.finish()
}
