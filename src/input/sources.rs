//! The sources and the output of a job: options resolved to existing locations, before anything is read or written.
//!
//! It checks that folders exist and do not overlap. It neither lists nor opens input files; that is
//! [`crate::input::list`].
//!
//! Invariant: in a [`JobSpec`], the output is outside every input and every input is outside the output, with symlinks
//! resolved, so no run can overwrite its own input.

use std::path::{Path, PathBuf};

use futures_util::future::try_join_all;

use crate::config::Config;
use crate::error::{Error, ErrorKind, Result, shown};
use crate::location::{Location, ObjectPath, resolved};
use crate::s3::stores::Stores;
use crate::schema::Table;

/// A location with one of these characters is a glob.
const WILDCARDS: [char; 4] = ['*', '?', '[', '{'];

/// The content of an input file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Content {
    /// Song metadata.
    Songs,
    /// Event logs.
    Logs,
}

impl Content {
    /// Both contents.
    pub const ALL: [Self; 2] = [Self::Songs, Self::Logs];

    /// The name in reports and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Songs => "songs",
            Self::Logs => "logs",
        }
    }

    /// The possible names of the folder below the input root, the preferred one first.
    const fn folders(self) -> [&'static str; 2] {
        match self {
            Self::Songs => ["song_data", "song-data"],
            Self::Logs => ["log_data", "log-data"],
        }
    }

    /// The common prefix of the folder names.
    const fn folder_prefix(self) -> &'static str {
        match self {
            Self::Songs => "song",
            Self::Logs => "log",
        }
    }

    /// The location that is set for this content.
    const fn explicit(self, config: &Config) -> Option<&String> {
        match self {
            Self::Songs => config.song_data.as_ref(),
            Self::Logs => config.log_data.as_ref(),
        }
    }

    /// The option that sets its location.
    #[must_use]
    pub const fn option(self) -> &'static str {
        match self {
            Self::Songs => "song_data",
            Self::Logs => "log_data",
        }
    }
}

/// A location to read: a folder with everything below it, a single file, or a glob below a folder.
#[derive(Clone, Debug)]
pub struct Source {
    /// The content of its files.
    pub content: Content,
    /// The folder or file where listing begins.
    pub root: Location,
    /// The pattern that a whole path (in a bucket: a whole key) must match, if the location is a glob.
    pub glob: Option<String>,
    /// The location for messages and reports.
    pub shown: String,
}

/// A job with all locations resolved.
#[derive(Clone, Debug)]
pub struct JobSpec {
    /// The checked options.
    pub config: Config,
    /// The song files; absent if no selected table needs them.
    pub songs: Option<Source>,
    /// The log files; absent if no selected table needs them.
    pub logs: Option<Source>,
    /// The root of the lake; absent if nothing is written.
    pub output: Option<Location>,
    /// Warnings for the report.
    pub warnings: Vec<String>,
}

impl JobSpec {
    /// Resolves the configuration; a job that `writes` needs an output.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] if input or output are missing or overlap, [`ErrorKind::NoInput`] if a location
    /// does not exist, and any storage error.
    pub fn new(config: Config, writes: bool, stores: &Stores) -> Result<Self> {
        let is_needed = |content: &Content| config.tables.iter().any(|table| table.is_made_from(content.name()));
        let root = config.input.as_ref().map(|input| Location::parse("input", input)).transpose()?;
        let (mut sources, mut missing) = (Vec::new(), Vec::new());
        for content in Content::ALL.into_iter().filter(is_needed) {
            match content.explicit(&config) {
                Some(value) => sources.push(explicit_source(content, value)?),
                None => missing.push(content),
            }
        }
        if root.is_none() && !missing.is_empty() {
            return Err(Error::new(ErrorKind::Configuration, "no input is set")
                .hint("set --input, SPARKIFY_INPUT, or INPUT in lake.cfg; or try --sample"));
        }
        // A lake next to song_data below the input root would not overlap the sources, but sooner or later its tables
        // would be read as input, so it is rejected. This check is before any request, so it needs no credentials.
        if let (Some(root), Some(output), true) = (&root, &config.output, writes) {
            refuse_overlap(root, &Location::parse("output", output)?)?;
        }
        let mut warnings = Vec::new();
        match &root {
            None => {}
            Some(Location::Local(root)) => {
                for content in missing {
                    sources.push(local_source(content, root, &mut warnings)?);
                }
            }
            Some(Location::Object(root)) => sources.extend(remote_sources(&missing, root, stores, &mut warnings)?),
        }
        let output = writes.then(|| Self::output_root(&config)).transpose()?;
        if let Some(output) = &output {
            sources.iter().try_for_each(|source| refuse_overlap(&source.root, output))?;
        }
        let mut take = |content| {
            let position = sources.iter().position(|source| source.content == content);
            position.map(|position| sources.swap_remove(position))
        };
        let (songs, logs) = (take(Content::Songs), take(Content::Logs));
        Ok(Self { config, songs, logs, output, warnings })
    }

    /// The root of the lake.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] if no output is set.
    pub fn output_root(config: &Config) -> Result<Location> {
        let Some(output) = &config.output else {
            return Err(Error::new(ErrorKind::Configuration, "no output is set")
                .hint("set --output, SPARKIFY_OUTPUT, or OUTPUT in lake.cfg; or try --sample"));
        };
        Location::parse("output", output)
    }

    /// The source of a content; `None` if no selected table needs it.
    #[must_use]
    pub fn source(&self, content: Content) -> Option<&Source> {
        match content {
            Content::Songs => self.songs.as_ref(),
            Content::Logs => self.logs.as_ref(),
        }
    }

    /// All sources of the job.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.songs.iter().chain(&self.logs)
    }

    /// The folder of a table.
    #[must_use]
    pub fn table_root(&self, table: Table) -> Option<Location> {
        let folder = self.config.folders.get(&table)?;
        Some(self.output.as_ref()?.join(folder))
    }
}

fn local_source(content: Content, root: &Path, warnings: &mut Vec<String>) -> Result<Source> {
    must_exist("input", root)?;
    source_below(content, &Location::Local(root.to_owned()), |name| root.join(name).is_dir(), warnings)
}

/// Finds the folders of songs and logs in a bucket, with one concurrent listing for each content.
fn remote_sources(
    contents: &[Content],
    root: &ObjectPath,
    stores: &Stores,
    warnings: &mut Vec<String>,
) -> Result<Vec<Source>> {
    if contents.is_empty() {
        return Ok(Vec::new());
    }
    let bucket = stores.open(&root.bucket)?;
    let list = |content: &Content| {
        // Both folder names begin with this prefix, and few other names do.
        let prefix = root.join(content.folder_prefix()).key;
        let bucket = &bucket;
        async move {
            let mut page = bucket.list(&prefix, true, None, None).await?;
            let mut folders = page.prefixes;
            while let Some(next) = page.next {
                page = bucket.list(&prefix, true, None, Some(&next)).await?;
                folders.append(&mut page.prefixes);
            }
            Ok(folders)
        }
    };
    let found: Vec<Vec<String>> = bucket.wait(try_join_all(contents.iter().map(list)))?;
    let source = |(content, folders): (&Content, Vec<String>)| {
        let exists = |name: &str| folders.iter().any(|folder| folder.strip_suffix('/') == Some(&root.join(name).key));
        source_below(*content, &Location::Object(root.clone()), exists, warnings)
    };
    contents.iter().zip(found).map(source).collect()
}

/// The folder of a content below the input root.
fn source_below(
    content: Content,
    root: &Location,
    exists: impl Fn(&str) -> bool,
    warnings: &mut Vec<String>,
) -> Result<Source> {
    let [preferred, other] = content.folders();
    let name = match (exists(preferred), exists(other)) {
        (false, false) => {
            return Err(Error::new(ErrorKind::NoInput, format!("there is no {preferred} in {root}"))
                .hint(format!(
                    "set --input to the folder that contains {preferred}, or set --{}",
                    content.option().replace('_', "-")
                ))
                .context("path", root.to_string()));
        }
        (false, true) => other,
        (true, false) => preferred,
        (true, true) => {
            warnings.push(format!("{root} contains both {preferred} and {other}; only {preferred} is read"));
            preferred
        }
    };
    let root = root.join(name);
    Ok(Source { content, shown: root.to_string(), root, glob: None })
}

/// A source that is set explicitly: a folder, a file, or a glob. The listing of a glob begins at the last folder before
/// the first wildcard. In a bucket, a missing location is detected by the listing.
fn explicit_source(content: Content, value: &str) -> Result<Source> {
    let location = Location::parse(content.option(), value)?;
    let shown = location.to_string();
    let is_plain = |part: &str| !part.contains(WILDCARDS);
    let (root, glob) = match location {
        Location::Local(path) if is_plain(value) || path.exists() => {
            must_exist(content.option(), &path)?;
            (Location::Local(path), None)
        }
        Location::Local(path) => {
            let root: PathBuf =
                path.components().take_while(|part| is_plain(&part.as_os_str().to_string_lossy())).collect();
            let root = if root.as_os_str().is_empty() { PathBuf::from(".") } else { root };
            must_exist(content.option(), &root)?;
            (Location::Local(root), Some(path.to_string_lossy().into_owned()))
        }
        Location::Object(path) if is_plain(&path.key) => (Location::Object(path), None),
        Location::Object(ObjectPath { bucket, key }) => {
            let parts: Vec<&str> = key.split('/').take_while(|part| is_plain(part)).collect();
            (Location::Object(ObjectPath { bucket, key: parts.join("/") }), Some(key))
        }
    };
    Ok(Source { content, root, glob, shown })
}

fn must_exist(option: &'static str, path: &Path) -> Result<()> {
    match std::fs::metadata(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(Error::new(ErrorKind::NoInput, format!("{option} does not exist: {}", shown(path)))
                .hint("check the spelling; relative paths begin at the current folder")
                .context("path", shown(path)))
        }
        Err(error) => Err(Error::io(ErrorKind::Storage, "access", path, &error)),
    }
}

/// Refuses locations that are the same or contain each other. A local folder and a bucket never overlap.
///
/// # Errors
/// [`ErrorKind::Configuration`] if they overlap.
pub fn refuse_overlap(input: &Location, output: &Location) -> Result<()> {
    let paths = match (input, output) {
        (Location::Local(input), Location::Local(output)) => [resolved(input), resolved(output)],
        // Keys contain neither `..` nor symlinks, so they can be compared as paths.
        (Location::Object(input), Location::Object(output)) if input.bucket == output.bucket => {
            [input, output].map(|path| PathBuf::from("s3://").join(&path.bucket).join(&path.key))
        }
        _ => return Ok(()),
    };
    let [input, output] = &paths;
    let [input_shown, output_shown] = [shown(input), shown(output)];
    let message = if input == output {
        format!("the input and the output are the same folder: {output_shown}")
    } else if output.starts_with(input) {
        format!("the output {output_shown} is inside the input {input_shown}")
    } else if input.starts_with(output) {
        format!("the input {input_shown} is inside the output {output_shown}")
    } else {
        return Ok(());
    };
    Err(Error::new(ErrorKind::Configuration, message)
        .hint("choose an output next to the input, not inside it or above it")
        .context("path", output_shown))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(text: &str) -> Location {
        Location::parse("input", text).unwrap()
    }

    #[test]
    fn locations_in_a_bucket_overlap_at_slashes() {
        for (input, output, overlaps) in [
            ("s3://b/x", "s3a://b/x/", true),
            ("s3://b/x", "s3://b/x/lake", true),
            ("s3://b/x/y", "s3n://b/x", true),
            ("s3://b", "s3://b/lake", true),
            ("s3://b/x", "s3://b/xy", false),
            ("s3://b/x", "s3://c/x", false),
            ("/b/x", "s3://b/x", false),
            ("s3://b/x", "/b/x", false),
        ] {
            let refused = refuse_overlap(&location(input), &location(output));
            assert_eq!(refused.is_err(), overlaps, "{input} {output}");
            if let Err(error) = refused {
                assert_eq!(error.kind(), ErrorKind::Configuration);
                assert!(error.message().contains("s3://b"), "{error}");
            }
        }
    }

    #[test]
    fn a_glob_in_a_bucket_begins_at_its_last_plain_folder() {
        for (value, root, glob) in [
            ("s3://b/logs/2018/*/*.json", "s3://b/logs/2018", Some("logs/2018/*/*.json")),
            ("s3a://b/logs/2018-1?.json", "s3://b/logs", Some("logs/2018-1?.json")),
            ("s3://b/*.json", "s3://b", Some("*.json")),
            ("s3://b/logs/", "s3://b/logs", None),
        ] {
            let source = explicit_source(Content::Logs, value).unwrap();
            assert_eq!((source.root.to_string().as_str(), source.glob.as_deref()), (root, glob), "{value}");
        }
    }
}
