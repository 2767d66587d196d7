//! Which tables of a lake are there: one small look at each table's folder.
//!
//! Nothing is read and nothing is listed to its end, so a lake of any size takes the same time.
//!
//! Invariant: looking changes nothing, and costs at most one request a table.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use serde::Serialize;

use crate::config::Config;
use crate::error::Result;
use crate::location::{Location, ObjectPath};
use crate::runtime::context::Context;
use crate::s3::stores::Stores;
use crate::schema::Table;

/// The folder of each table below `output`: a path, or a URL of S3.
///
/// # Errors
/// [`ErrorKind::Configuration`](crate::error::ErrorKind::Configuration) when `output` is no location.
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

/// What a look at a lake shows.
#[derive(Clone, Debug, Serialize)]
pub struct TablePresence {
    /// Whether each table's folder is there. In a bucket, where there are no folders, it is there when any key is.
    pub tables: BTreeMap<&'static str, bool>,
    /// The bucket's region; `None` for a local lake.
    pub region: Option<String>,
}

/// Looks at the lake that the configuration names.
///
/// # Errors
/// The store's.
pub fn find_tables(config: &Config, context: &Context<'_>) -> Result<TablePresence> {
    let stores = Stores::new(&config.store, &context.cancel);
    let mut sight = TablePresence { tables: BTreeMap::new(), region: None };
    let mut remote = Vec::new();
    for (table, location) in locations(config)? {
        match location {
            Location::Local(path) => {
                sight.tables.insert(table.name(), path.is_dir());
            }
            Location::Object(path) => remote.push((table, path)),
        }
    }
    if let Some((_, ObjectPath { bucket, .. })) = remote.first() {
        let bucket = stores.open(bucket)?;
        let looks = remote.iter().map(|(table, path)| {
            let (bucket, prefix) = (&bucket, format!("{}/", path.key));
            async move {
                // With a delimiter a page names partitions instead of files: it is small, however large the table.
                let page = bucket.list(&prefix, true, None, None).await?;
                Ok((table.name(), !page.objects.is_empty() || !page.prefixes.is_empty()))
            }
        });
        sight.tables.extend(bucket.wait(try_join_all(looks))?);
        sight.region = Some(bucket.region().to_owned());
    }
    Ok(sight)
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
    fn folders_lie_below_the_output() {
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
        let TablePresence { tables, region } =
            find_tables(&config(root.path().to_str().unwrap()), &Context::default()).unwrap();
        assert_eq!(tables.into_iter().filter(|(_, there)| *there).collect::<Vec<_>>(), [("songs", true)]);
        assert_eq!(region, None);
    }
}
