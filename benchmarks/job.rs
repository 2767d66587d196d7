//! The whole job as a program for profilers, without an interpreter and with function names.
//!
//! `make profile` runs it. Its arguments are options and values: `input FOLDER output FOLDER threads 1`. Without
//! arguments, as in `cargo bench`, it does nothing.

#![expect(clippy::expect_used, clippy::print_stderr, reason = "a program for developers may end with a panic")]
#![expect(clippy::disallowed_methods, reason = "the program reads its own arguments")]

use std::collections::BTreeMap;

use sparkify_lake::config::Config;
use sparkify_lake::job::run::run;
use sparkify_lake::runtime::context::Context;

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
    let report = run(config, &Context::default()).expect("a run");
    for stage in &report.stages {
        eprintln!("{:>9} {:.3} s", stage.name, stage.seconds);
    }
}
