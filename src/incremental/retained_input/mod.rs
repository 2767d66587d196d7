//! Copies of the input files, which the lake retains when the files are deleted (`--keep-gone`).
//!
//! Before anything else, each file that the lake has no copy of is read once and packed into the state. A missing file
//! is added to the listing again, with its copy in place of the file, so all later steps treat it as an unchanged file.
//! A file whose content is in the input, under any path, name or compression, was only moved: it is not missing. Neither
//! is a file whose content is the beginning of another file, because it grew before it was moved.
//!
//! Invariant: with `--keep-gone`, every file of the manifest that has records has a copy of exactly the bytes that were
//! read. A file counts as missing only if the lake has a copy of it.

mod missing;
mod pack;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write;
use std::path::Path;

pub(crate) use missing::RetainedFile;
use missing::{
    Listed, content_of, has_no_copy, input_file, lost_copy, missing_files, replaced_warning, unlisted_files,
};
use pack::{MAX_PACK_BYTES, NewPacks, PackReader, PackWriter};

use crate::error::{Error, ErrorKind, Result};
use crate::incremental::known_input::{self, KnownContents, KnownInput};
use crate::input::file_identity;
use crate::input::fingerprint::{ContentReader, FileContent};
use crate::input::input_files::InputFiles;
use crate::input::list::{InputFile, Listing, SelectedFiles, Selection, Version, modified};
use crate::input::read::{Fetched, FileFeed, Reader};
use crate::input::sources::{Content, JobSpec, Source};
use crate::lake::checkpoint::{FileCopy, StateFile};
use crate::lake::commit_record::CommitRecord;
use crate::lake::{Stage, StateReader};
use crate::runtime::context::Context;
use crate::runtime::progress::Level;
use crate::runtime::threads::for_tasks;

/// A pack is rewritten when less than one part in this many of its bytes is still needed.
const MIN_NEEDED_FRACTION: u64 = 2;

/// The copies of a run's input files.
#[derive(Debug, Default)]
pub(crate) struct RetainedFiles {
    songs: BTreeMap<String, RetainedFile>,
    logs: BTreeMap<String, RetainedFile>,
    /// The packs that contain the copies.
    pub(crate) packs: BTreeMap<u32, StateFile>,
    /// Whether this run made any copy or rewrote a pack.
    pub(crate) has_changed: bool,
}

impl RetainedFiles {
    /// Returns the copies of one content, by the names that the manifest uses.
    pub(crate) const fn of(&self, content: Content) -> &BTreeMap<String, RetainedFile> {
        match content {
            Content::Songs => &self.songs,
            Content::Logs => &self.logs,
        }
    }

    const fn of_mut(&mut self, content: Content) -> &mut BTreeMap<String, RetainedFile> {
        match content {
            Content::Songs => &mut self.songs,
            Content::Logs => &mut self.logs,
        }
    }

    fn all(&self) -> impl Iterator<Item = &FileCopy> {
        self.songs.values().chain(self.logs.values()).map(|file| &file.copy)
    }
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
    let mut old_packs = packs_of(head);
    let next_pack = old_packs.last_key_value().map_or(0, |(last, _)| last + 1);
    if spec.config.keep_gone && spec.config.rebuild {
        // A rebuild copies input files again if their copies are damaged.
        for (number, pack) in old_packs.clone() {
            context.cancel.check()?;
            if !stage.lake().has_state(&pack)? {
                old_packs.remove(&number);
            }
        }
    }
    let old_packs = old_packs;
    let mut reader = PackReader::new(stage.lake().state(), &old_packs);
    if !spec.config.keep_gone {
        return must_allow_shrink(spec, inputs, head, &mut reader, context).map(|()| RetainedFiles::default());
    }
    let new_packs = NewPacks::new(stage, next_pack);
    let mut retained = RetainedFiles::default();
    for content in Content::ALL {
        let Some(source) = spec.source(content) else { continue };
        let is_usable = |copy: &FileCopy| copy.parts.iter().all(|part| old_packs.contains_key(&part.0));
        let known = KnownInput::all(spec, head, content);
        let listing = inputs.listing(content);
        let unlisted = unlisted_files(source, listing, &known, &mut reader)?;
        let Listed { mut files, to_copy, outdated } = Listed::new(source, listing, &known, is_usable);
        retained.has_changed |= !to_copy.is_empty();
        context.note(Level::Info, || format!("{}: {} files to copy", content.name(), to_copy.len()));
        let lengths = known_input::lengths(unlisted.iter().map(|file| file.content).chain(outdated.values().copied()));
        let mut contents = KnownContents::default();
        for file in files.values() {
            contents.add(file.content);
        }
        let mut others = BTreeMap::new();
        for (copy, content) in copy_files(listing, &to_copy, &lengths, (spec, &new_packs, context))? {
            contents.add_read(&content);
            let name = listing.files.get(content.file).map(|file| file_identity::name(source, file));
            others.extend(name.map(|name| (name, RetainedFile { copy, content: content.content })));
        }
        let warning = replaced_warning(source, &outdated, &contents);
        let mut missing = Vec::new();
        let read = (&files, &mut reader);
        for (name, file) in missing_files((spec, source, listing), &known, &unlisted, read, contents)? {
            let copy = file.entry.copy.clone().ok_or_else(|| has_no_copy(source, file.name))?;
            if !is_usable(&copy) {
                return Err(lost_copy(source, file.name));
            }
            missing.push(input_file(source, &name, file.entry));
            others.insert(name, RetainedFile { copy, content: file.content });
        }
        files.extend(others);
        let listing = inputs.listing_mut(content);
        listing.add_missing(missing);
        listing.warnings.extend(warning);
        *retained.of_mut(content) = files;
    }
    compact(&mut retained, &old_packs, &new_packs)?;
    let needed: BTreeSet<u32> = retained.all().flat_map(|copy| &copy.parts).map(|part| part.0).collect();
    let packs = old_packs.iter().map(|(number, pack)| (*number, pack.clone())).chain(new_packs.into_written());
    retained.packs = packs.filter(|(number, _)| needed.contains(number)).collect();
    Ok(retained)
}

fn packs_of(head: Option<&CommitRecord>) -> BTreeMap<u32, StateFile> {
    head.iter().flat_map(|head| &head.checkpoints).flat_map(|checkpoint| checkpoint.state.packs.clone()).collect()
}

/// Adds missing files to the listings for a dry run: reads the files that a run would copy, but writes nothing. Returns
/// these files, by content.
///
/// # Errors
/// As [`retain`].
pub(crate) fn estimate(
    spec: &JobSpec,
    inputs: &mut InputFiles,
    (head, state): (Option<&CommitRecord>, StateReader<'_>),
    context: &Context<'_>,
) -> Result<Vec<(Content, Selection)>> {
    let packs = packs_of(head);
    let mut packs = PackReader::new(state, &packs);
    if !spec.config.keep_gone {
        return must_allow_shrink(spec, inputs, head, &mut packs, context).map(|()| Vec::new());
    }
    let mut all_to_copy = Vec::new();
    for content in Content::ALL {
        let Some(source) = spec.source(content) else { continue };
        let known = KnownInput::all(spec, head, content);
        let listing = inputs.listing(content);
        let unlisted = unlisted_files(source, listing, &known, &mut packs)?;
        let Listed { files, to_copy, .. } = Listed::new(source, listing, &known, |_| true);
        let mut contents = KnownContents::default();
        for file in files.values() {
            contents.add(file.content);
        }
        if !unlisted.is_empty() {
            let lengths = known_input::lengths(unlisted.iter().map(|file| file.content));
            let selected = SelectedFiles { listing, selection: &to_copy };
            let read = known_input::read_contents(selected, &lengths, &spec.config, context)?;
            for file in &read {
                contents.add_read(file);
            }
        }
        let mut missing = Vec::new();
        let read = (&files, &mut packs);
        for (name, file) in missing_files((spec, source, listing), &known, &unlisted, read, contents)? {
            if file.entry.copy.is_none() {
                return Err(has_no_copy(source, file.name));
            }
            missing.push(input_file(source, &name, file.entry));
        }
        inputs.listing_mut(content).add_missing(missing);
        all_to_copy.push((content, to_copy));
    }
    Ok(all_to_copy)
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
    state: StateReader<'_>,
    scratch: &Path,
) -> Result<Listing> {
    let mut files = listing.files.to_vec();
    let mut packs = PackReader::new(state, &retained.packs);
    for index in missing.iter() {
        let Some(file) = files.get_mut(*index) else { continue };
        let path = scratch.join(format!("{}-{index}", source.content.name()));
        let failed = |error: std::io::Error| Error::io(ErrorKind::Storage, "write", &path, &error);
        let mut scratch_file = File::create(&path).map_err(failed)?;
        let name = file_identity::name(source, file);
        let retained_file = retained.of(source.content).get(&name).ok_or_else(|| has_no_copy(source, &name))?;
        for part in &retained_file.copy.parts {
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

/// Refuses a run without `--keep-gone` that would remove rows of missing files which an earlier run retained, unless
/// `--allow-shrink` is set.
fn must_allow_shrink(
    spec: &JobSpec,
    inputs: &InputFiles,
    head: Option<&CommitRecord>,
    packs: &mut PackReader<'_>,
    context: &Context<'_>,
) -> Result<()> {
    if spec.config.allow_shrink {
        return Ok(());
    }
    for content in Content::ALL {
        let Some(source) = spec.source(content) else { continue };
        let known: Vec<KnownInput<'_>> = KnownInput::all(spec, head, content);
        let with_copies: Vec<KnownInput<'_>> = known
            .iter()
            .filter(|known| known.manifest.files.values().any(|entry| entry.copy.is_some()))
            .copied()
            .collect();
        let listing = inputs.listing(content);
        let mut unlisted = Vec::new();
        for known in &with_copies {
            for (name, entry) in known.unlisted(source, listing) {
                let Some(copy) = &entry.copy else { continue };
                unlisted.push((name, entry.content.map_or_else(|| content_of(copy, packs), Ok)?));
            }
        }
        if unlisted.is_empty() {
            continue;
        }
        let lengths = known_input::lengths(unlisted.iter().map(|(_, content)| *content));
        let contents = known_input::contents_of_listing(source, listing, &known, &lengths, (&spec.config, context))?;
        let mut missing = unlisted.iter().filter(|(_, content)| !contents.contain(content));
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

/// Reads files completely and packs their content; returns their copies, and their contents with the beginnings of the
/// given lengths. Files that cannot be read as JSON get no copy.
fn copy_files(
    listing: &Listing,
    selection: &Selection,
    lengths: &[u64],
    (spec, packs, context): (&JobSpec, &NewPacks<'_>, &Context<'_>),
) -> Result<Vec<(FileCopy, FileContent)>> {
    let feed = FileFeed::new(SelectedFiles { listing, selection }, known_input::whole_files(&spec.config))?;
    let workers = for_tasks(
        spec.config.threads,
        feed.tasks(),
        &context.cancel,
        |_| (PackWriter::new(packs), ContentReader::new(lengths), Reader::default()),
        |(writer, contents, reader), task| {
            feed.read(reader, task, &context.cancel, &mut |fetched| match fetched {
                Fetched::Chunk(chunk) => {
                    context.cancel.check()?;
                    contents.add(&chunk);
                    writer.add(chunk.file, chunk.bytes)
                }
                Fetched::Bad { .. } => Ok(()),
            })
        },
        |(writer, ..)| writer.finish(),
    )?;
    // A worker has copied and fingerprinted its files in the same order.
    let pairs = |(writer, contents, _): (PackWriter<'_>, ContentReader<'_>, Reader)| {
        writer.into_copies().into_iter().map(|(_, copy)| copy).zip(contents.finish())
    };
    Ok(workers.into_iter().flat_map(pairs).collect())
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
    let mut reader = PackReader::new(new_packs.state(), old_packs);
    let RetainedFiles { songs, logs, .. } = retained;
    let parts = songs.values_mut().chain(logs.values_mut()).flat_map(|file| &mut file.copy.parts);
    for part in parts.filter(|part| mostly_unused.contains(&part.0)) {
        *part = writer.add_frames(&reader.frames(*part)?)?;
    }
    writer.finish()
}
