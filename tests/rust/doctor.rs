//! The checks of `doctor` on a good location, on a store that ignores conditions, and on a missing bucket.

use std::collections::HashMap;
use std::fs;
use std::sync::Mutex;

use sparkify_lake::config::{Config, Settings};
use sparkify_lake::doctor::{CheckStatus, Diagnostics, examine};
use sparkify_lake::runtime::context::Context;

use crate::scripted_server::{Reply, Request, ScriptedServer, error, page, tagged, tagged_page};

fn names(diagnostics: &Diagnostics, outcome: CheckStatus) -> Vec<&str> {
    diagnostics.checks.iter().filter(|check| check.outcome == outcome).map(|check| check.name).collect()
}

fn examine_bucket(server: &ScriptedServer) -> Diagnostics {
    let endpoint = server.settings().endpoint_url.unwrap();
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

/// A store in memory, which honors conditions only if it is `strict`.
fn store(strict: bool) -> impl Fn(usize, &Request) -> Reply + Send + Sync {
    let objects: Mutex<HashMap<String, (usize, Vec<u8>)>> = Mutex::default();
    move |number, request| {
        let key = request.target.split('?').next().unwrap().to_owned();
        let mut objects = objects.lock().unwrap();
        let current = objects.get(&key).map(|(version, _)| format!("\"{version}\""));
        let holds = request.header("if-match").is_none_or(|tag| current.as_deref() == Some(tag))
            && (request.header("if-none-match").is_none() || current.is_none());
        if strict && !holds {
            return error(412, "PreconditionFailed");
        }
        match request.method.as_str() {
            "GET" if request.target.contains("list-type") => {
                let target = request.target.replace("%2F", "/");
                let listed = objects.iter().filter_map(|(key, (version, _))| {
                    let key = key.strip_prefix("/b/")?;
                    target.contains(&format!("prefix={key}")).then(|| (key.to_owned(), version.to_string()))
                });
                let listed: Vec<_> = listed.collect();
                let page = tagged_page(listed.iter().map(|(key, tag)| (key.as_str(), tag.as_str())));
                Reply::Answer(200, String::new(), page)
            }
            "GET" => match objects.get(&key) {
                Some((version, body)) => tagged(&version.to_string(), body),
                None => error(404, "NoSuchKey"),
            },
            "POST" if request.target.contains("uploads") => {
                Reply::Answer(200, String::new(), b"<Upload><UploadId>u</UploadId></Upload>".to_vec())
            }
            "POST" => {
                objects.insert(key, (number, b"another".to_vec()));
                Reply::Answer(200, String::new(), format!("<End><ETag>&quot;{number}&quot;</ETag></End>").into_bytes())
            }
            "PUT" if request.target.contains("partNumber") => tagged("part", b""),
            "PUT" => {
                objects.insert(key, (number, request.body.clone()));
                tagged(&number.to_string(), b"")
            }
            _ => {
                objects.remove(&key);
                Reply::Answer(204, String::new(), Vec::new())
            }
        }
    }
}

#[test]
fn a_good_store_passes_all_checks_and_is_left_clean() {
    let server = ScriptedServer::start(store(true));
    let diagnostics = examine_bucket(&server);
    assert_eq!(names(&diagnostics, CheckStatus::Ok).len(), 18, "{diagnostics:#?}");
    assert_eq!((diagnostics.checks.len(), diagnostics.exit_code), (18, 0));
    let requests = server.requests();
    let puts: Vec<&Request> = requests.iter().filter(|request| request.method == "PUT").collect();
    assert!(puts.iter().all(|request| request.target.starts_with("/b/lake/_etl/doctor/")));
    let last: Vec<&str> = requests[requests.len() - 3..].iter().map(|request| request.method.as_str()).collect();
    assert_eq!(last, ["DELETE"; 3]);
}

#[test]
fn a_store_that_ignores_conditions_is_detected() {
    let diagnostics = examine_bucket(&ScriptedServer::start(store(false)));
    let warnings = names(&diagnostics, CheckStatus::Warning);
    assert_eq!(warnings, ["conditional create", "conditional replace", "conditional delete", "multipart"]);
    assert_eq!(diagnostics.exit_code, 0);
}

#[test]
fn a_read_only_bucket_is_accepted_as_input() {
    let diagnostics = examine_bucket(&ScriptedServer::start(|_, request| match request.method.as_str() {
        "GET" if request.target.contains("list-type") => Reply::Answer(200, String::new(), page(&["lake/x"])),
        "GET" => tagged("0f", b"x"),
        _ => error(403, "AccessDenied"),
    }));
    assert_eq!(names(&diagnostics, CheckStatus::Warning), ["put"]);
    assert_eq!(names(&diagnostics, CheckStatus::Skipped).len(), 9);
    assert_eq!(diagnostics.exit_code, 0);
}

#[test]
fn the_first_failure_decides_the_exit_code() {
    let server = ScriptedServer::start(|_, _| error(404, "NoSuchBucket"));
    let diagnostics = examine_bucket(&server);
    assert_eq!(names(&diagnostics, CheckStatus::Failed), ["list"]);
    assert_eq!(diagnostics.exit_code, 78);
    assert_eq!(server.methods(), ["GET"], "if the location cannot be listed, nothing is written");
}

#[test]
fn checking_a_folder_leaves_no_files() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::from_settings(&Settings::new()).unwrap();
    let examine_folder = |path: &str| {
        let path = folder.path().join(path);
        examine(&config, path.to_str().unwrap(), &Context::default()).unwrap()
    };
    for path in ["", "not/yet"] {
        let diagnostics = examine_folder(path);
        assert_eq!((diagnostics.checks.len(), diagnostics.exit_code), (7, 0), "{diagnostics:#?}");
        assert!(names(&diagnostics, CheckStatus::Failed).is_empty());
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    fs::write(folder.path().join("file"), "").unwrap();
    assert_eq!(examine_folder("file").exit_code, 73);
}
