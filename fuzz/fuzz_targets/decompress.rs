//! Input files, compressed or not: the result does not depend on the size of the reads, and plain files are unchanged.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sparkify_lake::input::decompress::{UnpackFailure, Unpacker};

/// The output after which reading ends, because a few bytes can decompress to gigabytes.
const MAX_OUTPUT: usize = 1 << 22;

fuzz_target!(|file: &[u8]| {
    let result = decompress(file, 1 << 16);
    // Only whether a file is bad is compared: of a file with two faults, the size of the reads decides which comes first.
    assert_eq!(decompress(file, 1 << 12).ok(), result.clone().ok(), "with small reads");
    let is_plain = !Unpacker::new(file).expect("reading from memory does not fail").is_packed();
    if is_plain && file.len() < MAX_OUTPUT {
        assert_eq!(result.as_deref(), Ok(file), "a plain file changed");
    }
});

/// The decompressed bytes, or the reason why the file is bad.
fn decompress(file: &[u8], size: usize) -> Result<Vec<u8>, &'static str> {
    let mut unpacker = Unpacker::new(file).expect("reading from memory does not fail");
    let (mut bytes, mut room) = (Vec::new(), vec![0; size]);
    while bytes.len() < MAX_OUTPUT {
        let filled = match unpacker.fill(&mut room) {
            Ok(filled) => filled,
            Err(UnpackFailure::Broken(reason)) => return Err(reason),
            Err(UnpackFailure::Io(error)) => panic!("reading from memory failed: {error}"),
        };
        bytes.extend_from_slice(&room[..filled]);
        if filled < size {
            break;
        }
    }
    Ok(bytes)
}
