//! What will be done: the locations resolved against the world, before anything is read or written.
//!
//! It looks at folders (do they exist, do they overlap) but lists and opens no input file; see [`crate::input::list`].
//!
//! Invariant: in a [`JobSpec`] the output lies outside every input and every input outside the output, symlinks included,
//! so no run can eat its own input.

use std::path::{Path, PathBuf};

use futures_util::future::try_join_all;

use crate::config::Config;
use crate::error::{Error, ErrorKind, Result, shown};
use crate::location::{Location, ObjectPath, resolved};
use crate::s3::stores::Stores;
use crate::schema::Table;

/// What makes a location a glob.
const WILDCARDS: [char; 4] = ['*', '?', '[', '{'];

/// What an input file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Content {
    /// Song metadata.
    Songs,
    /// App activity logs.
    Logs,
}

impl Content {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Songs, Self::Logs];
}

impl Content {
    /// The name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Songs => "songs",
            Self::Logs => "logs",
        }
    }

    /// The folder's names below the input root, the commoner first.
    const fn folders(self) -> [&'static str; 2] {
        match self {
            Self::Songs => ["song_data", "song-data"],
            Self::Logs => ["log_data", "log-data"],
        }
    }

    /// What both names begin with.
    const fn beginning(self) -> &'static str {
        match self {
            Self::Songs => "song",
            Self::Logs => "log",
        }
    }

    /// The place that was named for it.
    const fn explicit(self, config: &Config) -> Option<&String> {
        match self {
            Self::Songs => config.song_data.as_ref(),
            Self::Logs => config.log_data.as_ref(),
        }
    }

    const fn option(self) -> &'static str {
        match self {
            Self::Songs => "song_data",
            Self::Logs => "log_data",
        }
    }
}

/// A place to read: a folder (with everything below it), a single file, or a glob below a folder.
#[derive(Clone, Debug)]
pub struct Source {
    /// What its files hold.
    pub content: Content,
    /// The folder or file where listing begins.
    pub root: Location,
    /// The pattern that the whole path (in a bucket: the whole key) must match, where the user gave a glob.
    pub glob: Option<String>,
    /// As the user wrote it.
    pub shown: String,
}

/// The whole job, resolved.
#[derive(Clone, Debug)]
pub struct JobSpec {
    /// What the user said.
    pub config: Config,
    /// Song files; absent when no chosen table needs them.
    pub songs: Option<Source>,
    /// Log files, likewise.
    pub logs: Option<Source>,
    /// The root of the lake; absent when nothing is written.
    pub output: Option<Location>,
    /// Things worth saying that stop nothing.
    pub warnings: Vec<String>,
}

impl JobSpec {
    /// Resolves the configuration; `writes` says whether an output is needed.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] when input or output are missing or overlap, [`ErrorKind::NoInput`] when a
    /// location does not exist, and the store's.
    pub fn new(config: Config, writes: bool, stores: &Stores) -> Result<Self> {
        let wants_songs = config.tables.iter().any(|table| table.is_made_from_songs() || *table == Table::Songplays);
        let wants_logs = config.tables.iter().any(|table| !table.is_made_from_songs());
        let wanted = [(Content::Songs, wants_songs), (Content::Logs, wants_logs)];
        let root = config.input.as_ref().map(|input| Location::parse("input", input)).transpose()?;
        let (mut sources, mut missing) = (Vec::new(), Vec::new());
        for (content, _) in wanted.into_iter().filter(|(_, is_wanted)| *is_wanted) {
            match content.explicit(&config) {
                Some(value) => sources.push(explicit_source(content, value)?),
                None => missing.push(content),
            }
        }
        if root.is_none() && !missing.is_empty() {
            return Err(Error::new(ErrorKind::Configuration, "no input is set")
                .hint("set --input, SPARKIFY_INPUT, or INPUT in lake.cfg; or try --sample"));
        }
        // The input root may hold the lake's folder beside song_data: that is only safe while nothing overlaps, and
        // people then read their own tables as input. One root, one purpose. Asked before any bucket is: what cannot
        // be done needs no credentials.
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
        let mut of = |content| {
            let position = sources.iter().position(|source| source.content == content);
            position.map(|position| sources.swap_remove(position))
        };
        let (songs, logs) = (of(Content::Songs), of(Content::Logs));
        Ok(Self { config, songs, logs, output, warnings })
    }

    /// The root of the lake that the configuration names.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] when it names none.
    pub fn output_root(config: &Config) -> Result<Location> {
        let Some(output) = &config.output else {
            return Err(Error::new(ErrorKind::Configuration, "no output is set")
                .hint("set --output, SPARKIFY_OUTPUT, or OUTPUT in lake.cfg; or try --sample"));
        };
        Location::parse("output", output)
    }

    /// The source of a content, if it is read.
    #[must_use]
    pub fn source(&self, content: Content) -> Option<&Source> {
        match content {
            Content::Songs => self.songs.as_ref(),
            Content::Logs => self.logs.as_ref(),
        }
    }

    /// The sources that will be read.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.songs.iter().chain(&self.logs)
    }

    /// Where a table lies.
    #[must_use]
    pub fn table_root(&self, table: Table) -> Option<Location> {
        let folder = self.config.folders.get(&table)?;
        Some(self.output.as_ref()?.join(folder))
    }
}

fn local_source(content: Content, root: &Path, warnings: &mut Vec<String>) -> Result<Source> {
    must_exist("input", root)?;
    chosen(content, &Location::Local(root.to_owned()), |name| root.join(name).is_dir(), warnings)
}

/// What `song_data` and `log_data` are called in a bucket: one listing each, both at once.
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
        // Both names of a content begin alike, and little else does.
        let prefix = root.join(content.beginning()).key;
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
        chosen(*content, &Location::Object(root.clone()), exists, warnings)
    };
    contents.iter().zip(found).map(source).collect()
}

/// The folder of a content below the input root, by its names.
fn chosen(
    content: Content,
    root: &Location,
    exists: impl Fn(&str) -> bool,
    warnings: &mut Vec<String>,
) -> Result<Source> {
    let [classic, dashed] = content.folders();
    let name = match (exists(classic), exists(dashed)) {
        (false, false) => {
            return Err(Error::new(ErrorKind::NoInput, format!("there is no {classic} in {root}"))
                .hint(format!(
                    "the input is the folder that holds {classic}; or name the place with --{}",
                    content.option().replace('_', "-")
                ))
                .context("path", root.to_string()));
        }
        (false, true) => dashed,
        (true, false) => classic,
        (true, true) => {
            warnings.push(format!("both {classic} and {dashed} lie in {root}; {classic} is read"));
            classic
        }
    };
    let root = root.join(name);
    Ok(Source { content, shown: root.to_string(), root, glob: None })
}

/// A folder, a file, or a glob whose folder part up to the first wildcard is where listing begins. Whether there is
/// anything in a bucket, listing it tells.
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
                .hint("check the spelling; relative paths start at the current folder")
                .context("path", shown(path)))
        }
        Err(error) => Err(Error::io(ErrorKind::Storage, "look at", path, &error)),
    }
}

/// What lies on a disk and what lies in a bucket never overlap.
fn refuse_overlap(input: &Location, output: &Location) -> Result<()> {
    let places = match (input, output) {
        (Location::Local(input), Location::Local(output)) => [resolved(input), resolved(output)],
        // Keys have no `..` and no symlinks: as paths they compare at slashes.
        (Location::Object(input), Location::Object(output)) if input.bucket == output.bucket => {
            [input, output].map(|path| PathBuf::from("s3://").join(&path.bucket).join(&path.key))
        }
        _ => return Ok(()),
    };
    let [input, output] = &places;
    let message = if input == output {
        "input and output are the same folder"
    } else if output.starts_with(input) {
        "the output lies inside the input"
    } else if input.starts_with(output) {
        "the input lies inside the output"
    } else {
        return Ok(());
    };
    Err(Error::new(ErrorKind::Configuration, format!("{message}: {} and {}", shown(input), shown(output)))
        .hint("choose an output beside the input, not within it")
        .context("path", shown(output)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Location {
        Location::parse("input", text).unwrap()
    }

    #[test]
    fn places_in_a_bucket_overlap_at_slashes() {
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
            let refused = refuse_overlap(&place(input), &place(output));
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
