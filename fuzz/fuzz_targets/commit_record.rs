//! Commit records: no bytes are read as a record that leads out of the lake, and a record that is read can be written.
//!
//! The input is the JSON of a record. The target adds the checksum, which a fuzzer cannot guess.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sparkify_lake::lake::commit_record::{CommitRecord, sha256};

const VERSION: u64 = 1;

fuzz_target!(|body: &[u8]| {
    let _ = CommitRecord::from_bytes(body, VERSION, "a file without a checksum");
    let head = format!(r#"{{"sha256":"{}","record":"#, sha256(body));
    let file = [head.as_bytes(), body, b"}\n"].concat();
    let Ok(record) = CommitRecord::from_bytes(&file, VERSION, "a file with a checksum") else { return };
    for path in record.staged() {
        assert!(path.starts_with("_etl/stage/"), "{path:?} is not in the stage");
        assert!(path.split('/').all(|part| !matches!(part, "" | "." | "..")), "{path:?} leads elsewhere");
    }
    for (folder, table) in &record.tables {
        assert!(!folder.contains('/') && !folder.starts_with(['.', '_']), "{folder:?} is not a folder of a table");
        for path in table.files.keys().chain(table.removed.keys()) {
            assert!(path.split('/').all(|part| !matches!(part, "" | "." | "..")), "{path:?} leads elsewhere");
        }
    }
    let written = record.to_bytes().expect("a record that was read can be written");
    assert_eq!(CommitRecord::from_bytes(&written, VERSION, "the same record").expect("it can be read again"), record);
});
