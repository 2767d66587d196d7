//! Copies of the input files, which the lake retains when the files are deleted (`--keep-gone`).
//!
//! Before anything else, each file that the lake has no copy of is read once and packed into the state. A missing file
//! is added to the listing again, with its copy in place of the file, so all later steps treat it as an unchanged file.
//! If another file has the same bytes, the file was only moved and does not count as missing.
//!
//! Invariant: with `--keep-gone`, every file of the manifest that has records has a copy of exactly the bytes that were
//! read. A file counts as missing only if the lake has a copy of it.

mod pack;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::File;
use std::io::Write;
use std::path::Path;

use pack::{MAX_PACK_BYTES, NewPacks, PackReader, PackWriter};

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

/// A pack is rewritten when less than one part in this many of its bytes is still needed.
const MIN_NEEDED_FRACTION: u64 = 2;

/// The copies of a run's input files.
#[derive(Debug, Default)]
pub(crate) struct RetainedFiles {
    songs: BTreeMap<String, FileCopy>,
    logs: BTreeMap<String, FileCopy>,
    /// The packs that contain the copies.
    pub(crate) packs: BTreeMap<u32, StateFile>,
    /// Whether this run made any copy or rewrote a pack.
    pub(crate) has_changed: bool,
}

impl RetainedFiles {
    /// Returns the copies of one content, by the names that the manifest uses.
    pub(crate) const fn of(&self, content: Content) -> &BTreeMap<String, FileCopy> {
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

/// The newest checkpoint with the manifest of a content.
#[derive(Clone, Copy)]
struct Known<'l> {
    checkpoint: &'l Checkpoint,
    manifest: &'l Manifest,
}

impl<'l> Known<'l> {
    /// Finds the newest manifest of a source; `None` if that manifest belongs to another location.
    fn newest(head: Option<&'l CommitRecord>, content: Content, source: &Source) -> Option<Self> {
        let mut checkpoints = head?.checkpoints.iter().rev();
        checkpoints
            .find_map(|checkpoint| Some(Self { checkpoint, manifest: checkpoint.input.get(content.name())? }))
            .filter(|known| known.manifest.location == file_identity::location(source))
    }
}

/// A file of the manifest that has records and is no longer listed.
struct MissingFile<'l> {
    name: &'l str,
    entry: &'l ManifestEntry,
    copy: &'l FileCopy,
}

/// Copies the files that the lake has no copy of, and adds missing files to the listings.
///
/// # Errors
/// [`ErrorKind::DataRefused`] when the rows of a missing file cannot be kept, or would be removed without
/// `--allow-shrink`; those of [`crate::input::read`], and storage errors.
pub(crate) fn retain(
    spec: &JobSpec,
    inputs: &mut InputFiles,
    stage: &Stage,
    context: &Context<'_>,
) -> Result<RetainedFiles> {
    let head = stage.lake().record();
    if !spec.config.keep_gone {
        return must_allow_shrink(spec, inputs, head).map(|()| RetainedFiles::default());
    }
    let mut old_packs: BTreeMap<u32, StateFile> =
        head.iter().flat_map(|head| &head.checkpoints).flat_map(|checkpoint| checkpoint.state.packs.clone()).collect();
    let new_packs = NewPacks::new(stage, old_packs.last_key_value().map_or(0, |(last, _)| last + 1));
    if spec.config.rebuild {
        // A rebuild copies input files again if their copies are damaged.
        for (number, pack) in old_packs.clone() {
            context.cancel.check()?;
            if !stage.lake().has_state(&pack)? {
                old_packs.remove(&number);
            }
        }
    }
    let mut retained = RetainedFiles::default();
    for content in Content::ALL {
        let Some(source) = spec.source(content) else { continue };
        let known = Known::newest(head, content, source);
        let is_usable = |copy: &FileCopy| copy.parts.iter().all(|part| old_packs.contains_key(&part.0));
        let (mut copies, to_copy) = find_copies(source, inputs.listing(content), known, is_usable);
        retained.has_changed |= !to_copy.is_empty();
        context.note(Level::Info, || format!("{}: {} files to copy", content.name(), to_copy.len()));
        let listing = inputs.listing(content);
        for (index, copy) in copy_files(listing, &to_copy, &new_packs, &spec.config, context)? {
            copies.extend(listing.files.get(index).map(|file| (file_identity::name(source, file), copy)));
        }
        let present: HashSet<String> = copies.values().map(|copy| copy.sha256.clone()).collect();
        let mut missing = Vec::new();
        for MissingFile { name, entry, copy } in missing_files(source, listing, known)? {
            if !present.contains(&copy.sha256) {
                if !is_usable(copy) {
                    return Err(lost_copy(source, name));
                }
                missing.extend(input_file(source, name, entry));
                copies.insert(name.to_owned(), copy.clone());
            }
        }
        inputs.listing_mut(content).add_missing(missing);
        *retained.of_mut(content) = copies;
    }
    compact(&mut retained, &old_packs, &new_packs)?;
    let needed: BTreeSet<u32> = retained.all().flat_map(|copy| &copy.parts).map(|part| part.0).collect();
    let packs = old_packs.into_iter().chain(new_packs.into_written());
    retained.packs = packs.filter(|(number, _)| needed.contains(number)).collect();
    Ok(retained)
}

/// Adds missing files to the listings for a dry run, without reading: moved files count as missing too. Returns the
/// files that a run would copy, by content.
///
/// # Errors
/// As [`retain`], except those of reading.
pub(crate) fn estimate(
    spec: &JobSpec,
    inputs: &mut InputFiles,
    head: Option<&CommitRecord>,
) -> Result<Vec<(Content, Selection)>> {
    if !spec.config.keep_gone {
        return must_allow_shrink(spec, inputs, head).map(|()| Vec::new());
    }
    let mut to_copy = Vec::new();
    for content in Content::ALL {
        let Some(source) = spec.source(content) else { continue };
        let known = Known::newest(head, content, source);
        let missing = missing_files(source, inputs.listing(content), known)?;
        let missing = missing.iter().filter_map(|file| input_file(source, file.name, file.entry)).collect();
        inputs.listing_mut(content).add_missing(missing);
        let (_, without_copy) = find_copies(source, inputs.listing(content), known, |_| true);
        to_copy.push((content, without_copy));
    }
    Ok(to_copy)
}

/// Writes the copies of missing files to the folder `scratch`. Returns the listing with these files in place of the
/// missing ones.
///
/// # Errors
/// [`ErrorKind::Protocol`] when a pack does not match the newest version, and storage errors.
pub(crate) fn restore(
    retained: &RetainedFiles,
    (source, listing): (&Source, &Listing),
    missing: &Selection,
    lake: &Lake,
    scratch: &Path,
) -> Result<Listing> {
    let mut files = listing.files.to_vec();
    let mut packs = PackReader::new(lake, &retained.packs);
    for index in missing.iter() {
        let Some(file) = files.get_mut(*index) else { continue };
        let path = scratch.join(format!("{}-{index}", source.content.name()));
        let failed = |error: std::io::Error| Error::io(ErrorKind::Storage, "write", &path, &error);
        let mut scratch_file = File::create(&path).map_err(failed)?;
        let copy = retained.of(source.content).get(&file_identity::name(source, file));
        for part in copy.into_iter().flat_map(|copy| &copy.parts) {
            scratch_file.write_all(&packs.frames(*part)?).map_err(failed)?;
        }
        let metadata = scratch_file.metadata().map_err(failed)?;
        let (size, version) = (metadata.len(), Version::Modified(modified(&metadata)));
        *file = InputFile { path, size, version, is_missing: true };
    }
    Ok(Listing { files: files.into(), ..Listing::default() })
}

/// Returns an upper bound for the number of packs that the copies of files need, if these files can be compressed.
pub(crate) fn max_packs(bytes: u64, threads: usize) -> u64 {
    threads as u64 + bytes / MAX_PACK_BYTES as u64
}

/// Finds the copies that the lake has of listed files and that are usable; also returns the files without such a copy.
fn find_copies(
    source: &Source,
    listing: &Listing,
    known: Option<Known<'_>>,
    is_usable: impl Fn(&FileCopy) -> bool,
) -> (BTreeMap<String, FileCopy>, Selection) {
    let listed_at =
        known.and_then(|known| file_identity::nanoseconds(&known.checkpoint.listed_at)).unwrap_or(i128::MIN);
    let (mut copies, mut to_copy) = (BTreeMap::new(), Vec::new());
    for (index, file) in listing.files.iter().enumerate().filter(|(_, file)| !file.is_missing) {
        let name = file_identity::name(source, file);
        let entry = known.and_then(|known| known.manifest.files.get(&name));
        match entry.filter(|entry| file_identity::is_unchanged(file, (entry.size, &entry.version), listed_at)) {
            Some(ManifestEntry { copy: Some(copy), .. }) if is_usable(copy) => drop(copies.insert(name, copy.clone())),
            // It has no records, so there is nothing to retain.
            Some(entry) if entry.read() == 0 => {}
            _ => to_copy.push(index),
        }
    }
    (copies, to_copy.into())
}

/// Returns the files of the manifest that have records and are no longer listed.
fn missing_files<'l>(source: &Source, listing: &Listing, known: Option<Known<'l>>) -> Result<Vec<MissingFile<'l>>> {
    let listed: HashSet<String> = listing.files.iter().map(|file| file_identity::name(source, file)).collect();
    let entries = known.into_iter().flat_map(|known| &known.manifest.files);
    let missing = entries.filter(|(name, entry)| !listed.contains(*name) && entry.read() > 0);
    missing
        .map(|(name, entry)| {
            let copy = entry.copy.as_ref().ok_or_else(|| {
                Error::new(
                    ErrorKind::DataRefused,
                    format!("{name} is missing from {}, and the lake has no copy of it", source.shown),
                )
                .cause("it was read by a run without --keep-gone, and such a run makes no copies")
                .hint("restore the file and run once with --keep-gone; or run without --keep-gone to remove its rows")
                .context("path", name.clone())
            })?;
            Ok(MissingFile { name, entry, copy })
        })
        .collect()
}

/// The error for a missing file whose only copy is missing or damaged.
fn lost_copy(source: &Source, name: &str) -> Error {
    Error::new(
        ErrorKind::Protocol,
        format!("{name} is missing from {}, and its copy in the lake is missing or damaged", source.shown),
    )
    .cause("the rows of this file cannot be rebuilt")
    .hint(
        "restore the file, or the packs that `sparkify-lake check` names; or run with --allow-shrink without \
         --keep-gone, which removes its rows permanently",
    )
    .context("path", name)
}

/// Refuses a run without `--keep-gone` that would remove rows of missing files which an earlier run retained, unless
/// `--allow-shrink` is set.
fn must_allow_shrink(spec: &JobSpec, inputs: &InputFiles, head: Option<&CommitRecord>) -> Result<()> {
    if spec.config.allow_shrink {
        return Ok(());
    }
    for content in Content::ALL {
        let Some(source) = spec.source(content) else { continue };
        let Some(Known { manifest, .. }) = Known::newest(head, content, source) else { continue };
        if manifest.files.values().all(|entry| entry.copy.is_none()) {
            continue;
        }
        let listed: HashSet<String> =
            inputs.listing(content).files.iter().map(|file| file_identity::name(source, file)).collect();
        let mut missing = manifest.files.iter().filter(|(name, entry)| entry.copy.is_some() && !listed.contains(*name));
        if let Some((first, _)) = missing.next() {
            let count = 1 + missing.count();
            return Err(Error::new(
                ErrorKind::DataRefused,
                format!("the lake has rows of {count} files that are missing from {}", source.shown),
            )
            .cause(format!("an earlier run with --keep-gone retained these rows; the first file is {first}"))
            .hint("set --keep-gone to retain the rows, or --allow-shrink to remove them permanently")
            .context("path", source.shown.clone()));
        }
    }
    Ok(())
}

/// Turns an entry of the manifest into a missing input file.
fn input_file(source: &Source, name: &str, entry: &ManifestEntry) -> Option<InputFile> {
    let (path, version) = match &source.root {
        Location::Local(root) => (root.join(name), Version::Modified(entry.version.parse().ok()?)),
        Location::Object(root) => (Path::new(&root.key).join(name), Version::Tag(Tag(entry.version.as_str().into()))),
    };
    Some(InputFile { path, size: entry.size, version, is_missing: true })
}

/// Reads files completely and packs their content. Files that cannot be read as JSON get no copy.
fn copy_files(
    listing: &Listing,
    selection: &Selection,
    packs: &NewPacks<'_>,
    config: &Config,
    context: &Context<'_>,
) -> Result<Vec<(usize, FileCopy)>> {
    let reading = Reading { verify_first: true, in_order: true, ..extract::reading(config) };
    let feed = FileFeed::new(SelectedFiles { listing, selection }, reading)?;
    let writers = for_tasks(
        config.threads,
        feed.tasks(),
        &context.cancel,
        |_| (PackWriter::new(packs), Reader::default()),
        |(writer, reader), task| {
            feed.read(reader, task, &context.cancel, &mut |fetched| match fetched {
                Fetched::Chunk(chunk) => context.cancel.check().and_then(|()| writer.add(chunk.file, chunk.bytes)),
                Fetched::Bad { .. } => Ok(()),
            })
        },
        |(writer, _)| writer.finish(),
    )?;
    Ok(writers.into_iter().flat_map(|(writer, _)| writer.into_copies()).collect())
}

/// Moves the needed parts of packs that are mostly unused to new packs.
fn compact(retained: &mut RetainedFiles, old_packs: &BTreeMap<u32, StateFile>, new_packs: &NewPacks<'_>) -> Result<()> {
    let mut needed_bytes: BTreeMap<u32, u64> = BTreeMap::new();
    for part in retained.all().flat_map(|copy| &copy.parts) {
        *needed_bytes.entry(part.0).or_default() += part.2;
    }
    let is_mostly_unused = |number: &u32, pack: &StateFile| {
        needed_bytes.get(number).is_some_and(|bytes| bytes.saturating_mul(MIN_NEEDED_FRACTION) < pack.size)
    };
    let mostly_unused: BTreeSet<u32> =
        old_packs.iter().filter(|(number, pack)| is_mostly_unused(number, pack)).map(|(number, _)| *number).collect();
    if mostly_unused.is_empty() {
        return Ok(());
    }
    retained.has_changed = true;
    let mut writer = PackWriter::new(new_packs);
    let mut reader = PackReader::new(new_packs.lake(), old_packs);
    let RetainedFiles { songs, logs, .. } = retained;
    let parts = songs.values_mut().chain(logs.values_mut()).flat_map(|copy| &mut copy.parts);
    for part in parts.filter(|part| mostly_unused.contains(&part.0)) {
        *part = writer.add_frames(&reader.frames(*part)?)?;
    }
    writer.finish()
}
