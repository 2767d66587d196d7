//! Which tables of a lake exist, with small requests. Of tables in a table format also the files.
//!
//! No file of a table is read and no folder is listed in full. The files of Delta and Iceberg tables are in the commit log.
//!
//! Invariant: nothing is changed. A bucket gets one request for each table and one for all Iceberg tables; only if a table
//! has a log, a few more follow.

use std::collections::BTreeMap;

use futures_util::future::{try_join, try_join_all};
use serde::Serialize;

use crate::config::Config;
use crate::error::Result;
use crate::lake::check::open_newest;
use crate::lake::commit_log::{self, Head};
use crate::lake::{delta_log, iceberg};
use crate::location::{Location, ObjectPath};
use crate::runtime::context::Context;
use crate::s3::stores::Stores;
use crate::schema::Table;

/// The folder of each table below `output`: a path, or an `s3://` URL.
///
/// # Errors
/// [`ErrorKind::Configuration`](crate::error::ErrorKind::Configuration) when `output` is not a valid location.
pub fn folders(config: &Config) -> Result<BTreeMap<&'static str, String>> {
    Ok(locations(config)?
        .into_iter()
        .map(|(table, location)| {
            let shown = match location {
                Location::Local(path) => path.to_string_lossy().into_owned(),
                Location::Object(path) => path.to_string(),
            };
            (table.name(), shown)
        })
        .collect())
}

/// The tables of a lake that exist.
#[derive(Clone, Debug, Serialize)]
pub struct TablePresence {
    /// Whether each table's folder exists. In a bucket, which has no folders, it exists if any key has its prefix.
    pub tables: BTreeMap<&'static str, bool>,
    /// The files of the tables that have a Delta log or Iceberg metadata, as paths below their folders.
    pub files: BTreeMap<&'static str, Vec<String>>,
    /// The bucket's region; `None` for a local lake.
    pub region: Option<String>,
    /// The bucket's URL; `None` for a local lake.
    pub url: Option<String>,
}

/// Finds the tables of the lake in the configuration.
///
/// # Errors
/// Any error of the store.
pub fn find_tables(config: &Config, context: &Context<'_>) -> Result<TablePresence> {
    let stores = Stores::new(&config.store, &context.cancel);
    let mut presence = TablePresence { tables: BTreeMap::new(), files: BTreeMap::new(), region: None, url: None };
    let root = Location::parse("output", config.output.as_deref().unwrap_or_default())?;
    let (mut remote, mut with_logs) = (Vec::new(), Vec::new());
    for (table, location) in locations(config)? {
        match location {
            Location::Local(path) => {
                presence.tables.insert(table.name(), path.is_dir());
                let has_log = path.join(delta_log::FOLDER).is_dir() || has_iceberg(&root, table);
                with_logs.extend(has_log.then_some(table));
            }
            Location::Object(path) => remote.push((table, path)),
        }
    }
    if let Some((_, ObjectPath { bucket, .. })) = remote.first() {
        let bucket = stores.open(bucket)?;
        let requests = remote.iter().map(|(table, path)| {
            let (bucket, prefix) = (&bucket, format!("{}/", path.key));
            async move {
                // With a delimiter, a page lists partitions instead of files, so it is small for a table of any size.
                let page = bucket.list(&prefix, true, None, None).await?;
                let has_log = page.prefixes.contains(&format!("{prefix}{}", delta_log::FOLDER));
                Ok((*table, !page.objects.is_empty() || !page.prefixes.is_empty(), has_log))
            }
        });
        let iceberg_folder = match &root {
            Location::Object(root) => format!("{}/", root.join(iceberg::FOLDER).key),
            Location::Local(_) => String::new(),
        };
        let iceberg = bucket.list(&iceberg_folder, true, None, None);
        let (found, iceberg) = bucket.wait(try_join(try_join_all(requests), iceberg))?;
        for (table, is_there, has_log) in found {
            presence.tables.insert(table.name(), is_there);
            let has_iceberg = iceberg.prefixes.contains(&format!("{iceberg_folder}{}/", table.name()));
            with_logs.extend((has_log || has_iceberg).then_some(table));
        }
        presence.region = Some(bucket.region().to_owned());
        presence.url = Some(bucket.url().to_owned());
    }
    if !with_logs.is_empty() {
        presence.files = files_of_logs(config, &with_logs, &stores)?;
    }
    Ok(presence)
}

/// Whether a table of a local lake is published as an Iceberg table.
fn has_iceberg(root: &Location, table: Table) -> bool {
    root.local().is_some_and(|root| iceberg::is_published(root, table))
}

/// The files of tables in a table format, as of their newest commits.
fn files_of_logs(config: &Config, tables: &[Table], stores: &Stores) -> Result<BTreeMap<&'static str, Vec<String>>> {
    let root = Location::parse("output", config.output.as_deref().unwrap_or_default())?;
    let (storage, Head { record, is_published }) = open_newest(&root, stores)?;
    let mut before = None;
    let mut found = BTreeMap::new();
    for table in tables {
        let Some(folder) = config.folders.get(table) else { continue };
        let Some(newest) = record.tables.get(folder) else { continue };
        let Some(changed_at) = newest.delta.as_ref().map(|log| log.lake_version).or(newest.iceberg) else { continue };
        let is_committed = is_published
            || changed_at < record.version
            || match &newest.delta {
                Some(log) => storage.read_optional(&delta_log::commit_path(folder, log.version))?.is_some(),
                None => false,
            };
        let current = if is_committed {
            Some(newest)
        } else {
            if before.is_none() {
                before = commit_log::record(&*storage, record.version.saturating_sub(1))?;
            }
            before.as_ref().and_then(|record| record.tables.get(folder))
        };
        let files = current.map(|table| table.files.keys().cloned().collect());
        found.insert(table.name(), files.unwrap_or_default());
    }
    Ok(found)
}

fn locations(config: &Config) -> Result<Vec<(Table, Location)>> {
    let root = Location::parse("output", config.output.as_deref().unwrap_or_default())?;
    let below = |folder: &String| match &root {
        Location::Local(path) => Location::Local(path.join(folder)),
        Location::Object(path) => Location::Object(path.join(folder)),
    };
    Ok(config.folders.iter().map(|(table, folder)| (*table, below(folder))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;

    fn config(output: &str) -> Config {
        Config::from_settings(&Settings::from([("output".to_owned(), output.to_owned())])).unwrap()
    }

    #[test]
    fn folders_are_below_the_output() {
        assert_eq!(folders(&config("/a//b/")).unwrap()["songs"], "/a/b/songs_table");
        assert_eq!(folders(&config("s3a://b/x//")).unwrap()["users"], "s3://b/x/user_table");
        assert_eq!(folders(&config("s3://b")).unwrap()["time"], "s3://b/time_table");
        assert!(folders(&config("arn:aws:s3:::b")).is_err());
        assert!(folders(&config("")).is_err(), "no output");
    }

    #[test]
    fn a_local_table_is_a_folder() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("songs_table")).unwrap();
        std::fs::write(root.path().join("user_table"), "a file").unwrap();
        let TablePresence { tables, region, .. } =
            find_tables(&config(root.path().to_str().unwrap()), &Context::default()).unwrap();
        assert_eq!(tables.into_iter().filter(|(_, there)| *there).collect::<Vec<_>>(), [("songs", true)]);
        assert_eq!(region, None);
    }
}
