//! The whole job as a program of its own, for a profiler: no interpreter, and the names of our own functions.
//!
//! `make profile` runs it. Its words are options and values: `input FOLDER output FOLDER threads 1`. Without words, as
//! `cargo bench` runs it, it does nothing.

#![expect(clippy::expect_used, clippy::print_stderr, reason = "a program for developers ends with what went wrong")]
#![expect(clippy::disallowed_methods, reason = "it is its own front")]

use std::collections::BTreeMap;

use sparkify_lake::config::Config;
use sparkify_lake::ingest::Control;
use sparkify_lake::run::run;

fn main() {
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    let mut settings = BTreeMap::new();
    while let (Some(option), Some(value)) = (words.next(), words.next()) {
        settings.insert(option, value);
    }
    if settings.is_empty() {
        return;
    }
    let config = Config::from_settings(&settings).expect("options");
    let report = run(config, &Control::default()).expect("a run");
    for stage in &report.stages {
        eprintln!("{:>9} {:.3} s", stage.name, stage.seconds);
    }
}
