//! What will be done: the locations resolved against the world, before anything is read or written.
//!
//! It looks at folders (do they exist, do they overlap) but lists and opens no input file; see [`crate::discover`].
//!
//! Invariant: in a [`Plan`] the output lies outside every input and every input outside the output, symlinks included,
//! so no run can eat its own input.

use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::error::{Error, ErrorKind, Result, shown};
use crate::schema::Table;
use crate::store::{Location, resolved};

/// What an input file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Content {
    /// Song metadata.
    Songs,
    /// App activity logs.
    Logs,
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
    pub root: PathBuf,
    /// The pattern that the whole path must match, where the user gave a glob.
    pub glob: Option<String>,
    /// As the user wrote it.
    pub shown: String,
}

/// The whole job, resolved.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What the user said.
    pub config: Config,
    /// Song files; absent when no chosen table needs them.
    pub songs: Option<Source>,
    /// Log files, likewise.
    pub logs: Option<Source>,
    /// The root of the lake; absent when nothing is written.
    pub output: Option<PathBuf>,
    /// Things worth saying that stop nothing.
    pub warnings: Vec<String>,
}

impl Plan {
    /// Resolves the configuration; `writes` says whether an output is needed.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] when input or output are missing or overlap, [`ErrorKind::NoInput`] when a
    /// location does not exist.
    pub fn new(config: Config, writes: bool) -> Result<Self> {
        let mut warnings = Vec::new();
        let wants_songs = config.tables.iter().any(|table| table.is_made_from_songs() || *table == Table::Songplays);
        let wants_logs = config.tables.iter().any(|table| !table.is_made_from_songs());
        let songs = wants_songs.then(|| source(&config, Content::Songs, &mut warnings)).transpose()?;
        let logs = wants_logs.then(|| source(&config, Content::Logs, &mut warnings)).transpose()?;
        let output = writes.then(|| Self::output_root(&config)).transpose()?;
        let plan = Self { config, songs, logs, output, warnings };
        if let Some(output) = &plan.output {
            for source in plan.sources() {
                refuse_overlap(source, output)?;
            }
            // The input root may hold the lake's folder beside song_data: that is only safe while nothing overlaps,
            // and people then read their own tables as input. One root, one purpose.
            if let Some(input) = &plan.config.input {
                let root = Location::parse("input", input)?;
                if let Some(source) = plan.sources().next() {
                    let whole = Source { root: local("input", &root)?.to_owned(), ..source.clone() };
                    refuse_overlap(&whole, output)?;
                }
            }
        }
        Ok(plan)
    }

    /// The root of the lake that the configuration names.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] when it names none.
    pub fn output_root(config: &Config) -> Result<PathBuf> {
        let Some(output) = &config.output else {
            return Err(Error::new(ErrorKind::Configuration, "no output is set")
                .hint("set --output, SPARKIFY_OUTPUT, or OUTPUT in lake.cfg; or try --sample"));
        };
        Ok(local("output", &Location::parse("output", output)?)?.to_owned())
    }

    /// The sources that will be read.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.songs.iter().chain(&self.logs)
    }

    /// Where a table lies.
    #[must_use]
    pub fn table_root(&self, table: Table) -> Option<PathBuf> {
        let folder = self.config.folders.get(&table)?;
        Some(self.output.as_ref()?.join(folder))
    }
}

fn source(config: &Config, content: Content, warnings: &mut Vec<String>) -> Result<Source> {
    let explicit = match content {
        Content::Songs => &config.song_data,
        Content::Logs => &config.log_data,
    };
    if let Some(value) = explicit {
        return explicit_source(content, value);
    }
    let Some(input) = &config.input else {
        return Err(Error::new(ErrorKind::Configuration, "no input is set")
            .hint("set --input, SPARKIFY_INPUT, or INPUT in lake.cfg; or try --sample"));
    };
    let root = Location::parse("input", input)?;
    let root = local("input", &root)?;
    must_exist("input", root)?;
    let [classic, dashed] = content.folders();
    let found: Vec<PathBuf> =
        [classic, dashed].iter().map(|name| root.join(name)).filter(|path| path.is_dir()).collect();
    match found.as_slice() {
        [] => Err(Error::new(ErrorKind::NoInput, format!("there is no {classic} in {}", shown(root)))
            .hint(format!(
                "the input is the folder that holds {classic}; or name the place with --{}",
                content.option().replace('_', "-")
            ))
            .context("path", shown(root))),
        [path, rest @ ..] => {
            if !rest.is_empty() {
                warnings.push(format!("both {classic} and {dashed} lie in {}; {classic} is read", shown(root)));
            }
            Ok(Source { content, root: path.clone(), glob: None, shown: shown(path) })
        }
    }
}

/// A folder, a file, or a glob whose folder part up to the first wildcard is where listing begins.
fn explicit_source(content: Content, value: &str) -> Result<Source> {
    let location = Location::parse(content.option(), value)?;
    let path = local(content.option(), &location)?;
    let is_glob = value.contains(['*', '?', '[', '{']) && !path.exists();
    if !is_glob {
        must_exist(content.option(), path)?;
        return Ok(Source { content, root: path.to_owned(), glob: None, shown: shown(path) });
    }
    let root: PathBuf = path
        .components()
        .take_while(|part| !part.as_os_str().to_string_lossy().contains(['*', '?', '[', '{']))
        .collect();
    let root = if root.as_os_str().is_empty() { PathBuf::from(".") } else { root };
    must_exist(content.option(), &root)?;
    let glob = path.to_string_lossy().into_owned();
    Ok(Source { content, root, glob: Some(glob), shown: shown(path) })
}

fn local<'l>(option: &'static str, location: &'l Location) -> Result<&'l Path> {
    location.local().ok_or_else(|| {
        Error::new(ErrorKind::Configuration, format!("{option} lies on S3, which this version cannot reach"))
            .hint("name a local path")
            .context("option", option)
    })
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

fn refuse_overlap(source: &Source, output: &Path) -> Result<()> {
    let (input, output) = (resolved(&source.root), resolved(output));
    let message = if input == output {
        "input and output are the same folder"
    } else if output.starts_with(&input) {
        "the output lies inside the input"
    } else if input.starts_with(&output) {
        "the input lies inside the output"
    } else {
        return Ok(());
    };
    Err(Error::new(ErrorKind::Configuration, format!("{message}: {} and {}", shown(&input), shown(&output)))
        .hint("choose an output beside the input, not within it")
        .context("path", shown(&output)))
}
