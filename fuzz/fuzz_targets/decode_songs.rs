//! Song files: every way to decode a file has the same outcome.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sparkify_lake_fuzz::{Kind, check_decoding};

fuzz_target!(|file: &[u8]| check_decoding(Kind::Songs, file));
