//! Which files are missing: their rows are in the lake, and their content is in no listed file.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};
use crate::incremental::known_input::{self, KnownContents, KnownInput};
use crate::incremental::retained_input::pack::PackReader;
use crate::input::file_identity;
use crate::input::fingerprint::Fingerprint;
use crate::input::list::{InputFile, Listing, Selection, Version};
use crate::input::sources::{Content, JobSpec, Source};
use crate::lake::checkpoint::{FileCopy, ManifestEntry};
use crate::location::Location;
use crate::s3::object::Tag;

/// The copy of a file, and the content that it has.
#[derive(Clone, Debug)]
pub(crate) struct RetainedFile {
    pub(crate) copy: FileCopy,
    pub(crate) content: Fingerprint,
}

/// A file of a manifest that has records, and whose path is not in the input.
pub(super) struct UnlistedFile<'l> {
    known: KnownInput<'l>,
    pub(super) name: &'l str,
    pub(super) entry: &'l ManifestEntry,
    pub(super) content: Fingerprint,
}

/// Returns the files of the manifests whose paths are not in the input. A file without a fingerprint gets that of its
/// copy: older releases did not store fingerprints.
pub(super) fn unlisted_files<'l>(
    source: &Source,
    listing: &Listing,
    known: &[KnownInput<'l>],
    packs: &mut PackReader<'_>,
) -> Result<Vec<UnlistedFile<'l>>> {
    let mut files = Vec::new();
    let sizes: BTreeMap<String, u64> =
        listing.files.iter().map(|file| (file_identity::name(source, file), file.size)).collect();
    for known in known {
        for (name, entry) in known.unlisted(source, listing) {
            let content = match (&entry.content, &entry.copy) {
                (Some(content), _) => *content,
                (None, Some(copy)) => content_of(copy, packs)?,
                // The folder was renamed; nothing more is known about a file without a copy and a fingerprint.
                (None, None) if sizes.get(name) == Some(&entry.size) => continue,
                (None, None) => return Err(has_no_copy(source, name)),
            };
            files.push(UnlistedFile { known: *known, name, entry, content });
        }
    }
    Ok(files)
}

/// The beginnings of unchanged files that are not in the manifest, although another one has them: such a file may continue
/// an unlisted file. It is read from its copy.
fn beginnings_of_new(
    known: &KnownInput<'_>,
    lengths: &[u64],
    unchanged: &BTreeMap<String, RetainedFile>,
    packs: &mut PackReader<'_>,
) -> Result<Vec<Fingerprint>> {
    let mut found = Vec::new();
    let Some(shortest) = lengths.first() else { return Ok(found) };
    let is_new = |name: &str, content| known.entry(name).and_then(|entry| entry.content) != Some(content);
    let may_continue = |file: &RetainedFile| file.content.bytes > *shortest;
    for (_, file) in unchanged.iter().filter(|(name, file)| may_continue(file) && is_new(name, file.content)) {
        let bytes = unpacked(&file.copy, packs)?;
        let shorter = lengths.iter().filter(|length| **length < file.content.bytes);
        let beginnings = shorter.filter_map(|length| bytes.get(..usize::try_from(*length).ok()?));
        found.extend(beginnings.map(Fingerprint::of));
    }
    Ok(found)
}

/// The contents of all listed files.
pub(super) struct ListedContents<'f> {
    /// The unchanged files, by name.
    pub(super) unchanged: &'f BTreeMap<String, RetainedFile>,
    /// The names and contents of the files that this run reads.
    pub(super) read: &'f [(String, Fingerprint)],
    /// The contents of both.
    pub(super) contents: KnownContents,
}

/// Returns the unlisted files whose content is in no listed file, with their names in the new manifest.
pub(super) fn missing_files<'u, 'l>(
    (spec, source, listing): (&JobSpec, &Source, &Listing),
    known: &[KnownInput<'_>],
    unlisted: &'u [UnlistedFile<'l>],
    listed: ListedContents<'_>,
    packs: &mut PackReader<'_>,
) -> Result<Vec<(String, &'u UnlistedFile<'l>)>> {
    // Two logs with the same content are two files if --allow-duplicates is set.
    let counts_duplicates = spec.config.allow_duplicates && source.content == Content::Logs;
    let ListedContents { unchanged, read, mut contents } = listed;
    let mut names: BTreeSet<String> = listing.files.iter().map(|file| file_identity::name(source, file)).collect();
    let mut missing = Vec::new();
    for known in known {
        let mut available = contents.clone();
        if counts_duplicates {
            // A file that still has its content stands for its own entry, even if it has another time.
            let unchanged = unchanged.iter().map(|(name, file)| (name, file.content));
            let read = read.iter().map(|(name, content)| (name, *content));
            for (name, content) in unchanged.chain(read) {
                if known.entry(name).is_some_and(|entry| entry.content == Some(content)) {
                    available.take(&content);
                }
            }
        }
        let of_manifest = |file: &&UnlistedFile<'_>| std::ptr::eq(file.known.manifest, known.manifest);
        // Most files are found by their whole content, so their beginnings are not computed.
        let is_searched = |file: &&UnlistedFile<'_>| counts_duplicates || !contents.contain(&file.content);
        let searched = unlisted.iter().filter(of_manifest).filter(is_searched);
        let lengths = known_input::lengths(searched.map(|file| file.content));
        available.add_beginnings(beginnings_of_new(known, &lengths, unchanged, packs)?);
        for file in unlisted.iter().filter(of_manifest) {
            let is_moved =
                if counts_duplicates { available.take(&file.content) } else { available.contain(&file.content) };
            if is_moved {
                continue;
            }
            let name = file_identity::name_in(source, &known.manifest.location, file.name);
            if names.insert(name.clone()) {
                contents.add(file.content);
                missing.push((name, file));
            }
        }
    }
    Ok(missing)
}

/// The fingerprint of a copy.
pub(super) fn content_of(copy: &FileCopy, packs: &mut PackReader<'_>) -> Result<Fingerprint> {
    unpacked(copy, packs).map(|bytes| Fingerprint::of(&bytes))
}

/// The content of a copy.
fn unpacked(copy: &FileCopy, packs: &mut PackReader<'_>) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for part in &copy.parts {
        let frames = packs.frames(*part)?;
        let unpacked = zstd::Decoder::new(&*frames).and_then(|mut decoder| decoder.read_to_end(&mut bytes));
        unpacked.map_err(|error| {
            Error::new(ErrorKind::Protocol, "the copy of an input file cannot be decompressed")
                .cause(error.to_string())
                .hint("restore the lake's folder _etl/state, or the input file")
        })?;
    }
    Ok(bytes)
}

/// The listed files, by what the lake knows about them.
pub(super) struct Listed {
    /// The copies of unchanged files, by name.
    pub(super) files: BTreeMap<String, RetainedFile>,
    /// The files without a copy.
    pub(super) to_copy: Selection,
    /// The earlier contents of files that have changed, by name.
    pub(super) outdated: BTreeMap<String, Fingerprint>,
}

impl Listed {
    pub(super) fn new(
        source: &Source,
        listing: &Listing,
        known: &[KnownInput<'_>],
        is_usable: impl Fn(&FileCopy) -> bool,
    ) -> Self {
        let (mut files, mut to_copy, mut outdated) = (BTreeMap::new(), Vec::new(), BTreeMap::new());
        for (index, file) in listing.files.iter().enumerate().filter(|(_, file)| !file.is_missing) {
            let name = file_identity::name(source, file);
            match known.iter().find_map(|known| known.unchanged(&name, file)) {
                Some(ManifestEntry { copy: Some(copy), content: Some(content), .. }) if is_usable(copy) => {
                    drop(files.insert(name, RetainedFile { copy: copy.clone(), content: *content }));
                }
                // It has no records, so there is nothing to retain.
                Some(entry) if entry.read() == 0 => {}
                _ => {
                    let before = known.iter().find_map(|known| known.entry(&name)).filter(|entry| entry.read() > 0);
                    outdated.extend(before.and_then(|entry| entry.content).map(|content| (name, content)));
                    to_copy.push(index);
                }
            }
        }
        Self { files, to_copy: to_copy.into(), outdated }
    }
}

/// The warning that logs were replaced: their earlier content, by name in `outdated`, is in no listed file. A song file
/// with other content is a correction.
pub(super) fn replaced_warning(
    source: &Source,
    outdated: &BTreeMap<String, Fingerprint>,
    contents: &KnownContents,
) -> Option<String> {
    let is_replaced = |content: &Fingerprint| source.content == Content::Logs && !contents.contain(content);
    let mut replaced = outdated.iter().filter(|(_, content)| is_replaced(content)).map(|(name, _)| name);
    let first = replaced.next()?;
    let count = 1 + replaced.count();
    Some(format!(
        "{count} log files in {} have new content that does not begin with the earlier one, so their earlier rows are \
         removed, also with --keep-gone; the first file is {first}",
        source.shown
    ))
}

/// The error for a missing file whose only copy is missing or damaged.
pub(super) fn lost_copy(source: &Source, name: &str) -> Error {
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

pub(super) fn has_no_copy(source: &Source, name: &str) -> Error {
    Error::new(
        ErrorKind::DataRefused,
        format!("{name} is missing from {}, and the lake has no copy of it", source.shown),
    )
    .cause("it was read by a run without --keep-gone, and such a run makes no copies")
    .hint("restore the file and run once with --keep-gone; or run without --keep-gone to remove its rows")
    .context("path", name)
}

/// Turns an entry of the manifest into a missing input file.
pub(super) fn input_file(source: &Source, name: &str, entry: &ManifestEntry) -> InputFile {
    let path = match &source.root {
        Location::Local(root) => root.join(name),
        Location::Object(root) => Path::new(&root.key).join(name),
    };
    // The file may be from another location, on a disk or in a bucket.
    let version = match (&source.root, entry.version.parse()) {
        (Location::Local(_), Ok(time)) => Version::Modified(time),
        _ => Version::Tag(Tag(entry.version.as_str().into())),
    };
    InputFile { path, size: entry.size, version, is_missing: true }
}
