//! The doctor: what it finds in a good place, in a sloppy one, and in none.

use std::collections::HashMap;
use std::fs;
use std::sync::Mutex;

use sparkify_lake::config::{Config, Settings};
use sparkify_lake::doctor::{CheckStatus, Diagnostics, examine};
use sparkify_lake::runtime::context::Context;

use crate::shop::{Asked, Reply, Shop, error, page, tagged};

fn names(examination: &Diagnostics, outcome: CheckStatus) -> Vec<&str> {
    examination.checks.iter().filter(|check| check.outcome == outcome).map(|check| check.name).collect()
}

fn look(shop: &Shop) -> Diagnostics {
    let endpoint = shop.settings().endpoint_url.unwrap();
    let settings = [
        ("endpoint_url", endpoint.as_str()),
        ("allow_http", "true"),
        ("access_key_id", "AKID"),
        ("secret_access_key", "s3cr3t"),
        ("store_patience", "2s"),
    ];
    let settings: Settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let config = Config::from_settings(&settings).unwrap();
    examine(&config, "s3://b/lake", &Context::default()).unwrap()
}

/// A store in memory that heeds conditions only if it is `strict`.
fn store(strict: bool) -> impl Fn(usize, &Asked) -> Reply + Send + Sync {
    let objects: Mutex<HashMap<String, (usize, Vec<u8>)>> = Mutex::default();
    move |number, asked| {
        let key = asked.target.split('?').next().unwrap().to_owned();
        let mut objects = objects.lock().unwrap();
        let there = objects.get(&key).map(|(version, _)| format!("\"{version}\""));
        let held = asked.header("if-match").is_none_or(|tag| there.as_deref() == Some(tag))
            && (asked.header("if-none-match").is_none() || there.is_none());
        if strict && !held {
            return error(412, "PreconditionFailed");
        }
        match asked.method.as_str() {
            "GET" if asked.target.contains("list-type") => Reply::Say(200, String::new(), page(&[])),
            "GET" => match objects.get(&key) {
                Some((version, body)) => tagged(&version.to_string(), body),
                None => error(404, "NoSuchKey"),
            },
            "POST" if asked.target.contains("uploads") => {
                Reply::Say(200, String::new(), b"<Upload><UploadId>u</UploadId></Upload>".to_vec())
            }
            "POST" => {
                objects.insert(key, (number, b"another".to_vec()));
                Reply::Say(200, String::new(), format!("<End><ETag>&quot;{number}&quot;</ETag></End>").into_bytes())
            }
            "PUT" if asked.target.contains("partNumber") => tagged("part", b""),
            "PUT" => {
                objects.insert(key, (number, asked.body.clone()));
                tagged(&number.to_string(), b"")
            }
            _ => {
                objects.remove(&key);
                Reply::Say(204, String::new(), Vec::new())
            }
        }
    }
}

#[test]
fn a_good_store_passes_everything_and_is_left_clean() {
    let shop = Shop::open(store(true));
    let examination = look(&shop);
    assert_eq!(names(&examination, CheckStatus::Ok).len(), 14, "{examination:#?}");
    assert_eq!((examination.checks.len(), examination.exit_code), (14, 0));
    let asked = shop.asked();
    let made: Vec<&Asked> = asked.iter().filter(|asked| asked.method == "PUT").collect();
    assert!(made.iter().all(|asked| asked.target.starts_with("/b/lake/_etl/doctor/")));
    let last: Vec<&str> = asked[asked.len() - 3..].iter().map(|asked| asked.method.as_str()).collect();
    assert_eq!(last, ["DELETE"; 3]);
}

#[test]
fn a_store_that_ignores_conditions_is_found_out() {
    let examination = look(&Shop::open(store(false)));
    let odd = names(&examination, CheckStatus::Warning);
    assert_eq!(odd, ["conditional create", "conditional replace", "multipart", "conditional delete"]);
    assert_eq!(examination.exit_code, 0);
}

#[test]
fn what_may_only_be_read_is_an_input() {
    let examination = look(&Shop::open(|_, asked| match asked.method.as_str() {
        "GET" if asked.target.contains("list-type") => Reply::Say(200, String::new(), page(&["lake/x"])),
        "GET" => tagged("0f", b"x"),
        _ => error(403, "AccessDenied"),
    }));
    assert_eq!(names(&examination, CheckStatus::Warning), ["put"]);
    assert_eq!(names(&examination, CheckStatus::Skipped).len(), 6);
    assert_eq!(examination.exit_code, 0);
}

#[test]
fn the_first_failure_is_the_exit_code() {
    let shop = Shop::open(|_, _| error(404, "NoSuchBucket"));
    let examination = look(&shop);
    assert_eq!(names(&examination, CheckStatus::Failed), ["list"]);
    assert_eq!(examination.exit_code, 78);
    assert_eq!(shop.methods(), ["GET"], "nothing is written where nothing can be listed");
}

#[test]
fn a_folder_is_examined_without_a_trace() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::from_settings(&Settings::new()).unwrap();
    let look = |path: &str| {
        let path = folder.path().join(path);
        examine(&config, path.to_str().unwrap(), &Context::default()).unwrap()
    };
    for place in ["", "not/yet"] {
        let examination = look(place);
        assert_eq!((examination.checks.len(), examination.exit_code), (6, 0), "{examination:#?}");
        assert!(names(&examination, CheckStatus::Failed).is_empty());
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    fs::write(folder.path().join("file"), "").unwrap();
    assert_eq!(look("file").exit_code, 73);
}
