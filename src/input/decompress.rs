//! Decompression of files. The format follows from the first bytes, not from the name.
//!
//! gzip and bzip2 (all members) and zstd (all frames), one layer: a compressed file inside a compressed file is
//! rejected.
//!
//! Invariant: a file that is truncated, or whose checksum is wrong, is never accepted as complete.

use std::io::{BufRead, BufReader, Read};

use bzip2::bufread::BzDecoder;
use flate2::bufread::GzDecoder;

use crate::error::Error;

/// A format that is recognized by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// gzip, RFC 1952.
    Gzip,
    /// bzip2.
    Bzip2,
    /// Zstandard, RFC 8878.
    Zstd,
    /// A format that is not supported, with its reason code.
    Unsupported(&'static str),
}

const MAGIC: &[(&[u8], Format)] = &[
    (b"\x1f\x8b", Format::Gzip),
    (b"\x28\xb5\x2f\xfd", Format::Zstd),
    (b"BZh", Format::Bzip2),
    (b"\xfd7zXZ\0", Format::Unsupported("unsupported_compression:xz")),
    (b"\x04\x22\x4d\x18", Format::Unsupported("unsupported_compression:lz4")),
    (b"\xff\x06\0\0sNaPpY", Format::Unsupported("unsupported_compression:snappy")),
    (b"\x1f\x9d", Format::Unsupported("unsupported_compression:compress")),
];

/// The format of a compressed file, from its first bytes; `None` for any other file.
#[must_use]
pub fn format(head: &[u8]) -> Option<Format> {
    let format = MAGIC.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, format)| *format);
    // Plain text may begin with these three letters too. In bzip2, a digit follows: the block size.
    format.filter(|format| *format != Format::Bzip2 || matches!(head.get(3), Some(b'1'..=b'9')))
}

/// The reason why a file cannot be read completely.
#[derive(Debug)]
pub enum UnpackFailure {
    /// The file is damaged or not supported; a reason code of `docs/bad_input.md`.
    Broken(&'static str),
    /// Reading failed.
    Io(std::io::Error),
}

/// Reads the decompressed bytes of a file.
pub struct Unpacker<'f> {
    source: Box<dyn Read + 'f>,
    format: Option<Format>,
    is_first: bool,
}

impl<'f> Unpacker<'f> {
    /// Detects the format from the first bytes.
    ///
    /// # Errors
    /// Any error of reading `file`.
    pub fn new(file: impl Read + 'f) -> std::io::Result<Self> {
        let mut source = BufReader::with_capacity(1 << 17, file);
        let format = format(source.fill_buf()?);
        let source: Box<dyn Read + 'f> = match format {
            Some(Format::Gzip) => Box::new(Members::<_, GzDecoder<_>>::new(source)),
            Some(Format::Bzip2) => Box::new(Members::<_, BzDecoder<_>>::new(source)),
            Some(Format::Zstd) => Box::new(zstd::Decoder::with_buffer(source)?),
            None | Some(Format::Unsupported(_)) => Box::new(source),
        };
        Ok(Self { source, format, is_first: true })
    }

    /// Returns true if the file is compressed.
    #[must_use]
    pub const fn is_packed(&self) -> bool {
        self.format.is_some()
    }

    /// Fills `room` from its start. If the result is less than its length, the file has ended.
    ///
    /// # Errors
    /// [`UnpackFailure::Broken`] if the file cannot be decompressed completely.
    pub fn fill(&mut self, room: &mut [u8]) -> Result<usize, UnpackFailure> {
        if let Some(Format::Unsupported(code)) = self.format {
            return Err(UnpackFailure::Broken(code));
        }
        let mut filled = 0;
        while let Some(rest) = room.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.source.read(rest) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failure(error)),
            }
        }
        if std::mem::take(&mut self.is_first)
            && self.format.is_some()
            && format(room.get(..filled).unwrap_or_default()).is_some()
        {
            return Err(UnpackFailure::Broken("nested_compression"));
        }
        Ok(filled)
    }

    fn failure(&self, error: std::io::Error) -> UnpackFailure {
        // An `Error` comes from a bucket, and an error with an error code from the operating system. All others come
        // from the decoder: the file is damaged.
        if error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<Error>) {
            return UnpackFailure::Io(error);
        }
        match (self.format, error.raw_os_error(), error.kind()) {
            (None | Some(Format::Unsupported(_)), _, _) | (_, Some(_), _) => UnpackFailure::Io(error),
            (Some(Format::Gzip), None, std::io::ErrorKind::UnexpectedEof) => UnpackFailure::Broken("gzip_truncated"),
            (Some(Format::Gzip), None, std::io::ErrorKind::InvalidData) => UnpackFailure::Broken("gzip_trailing_bytes"),
            (Some(Format::Gzip), None, _) => UnpackFailure::Broken("gzip_crc"),
            (Some(Format::Bzip2), None, std::io::ErrorKind::UnexpectedEof) => UnpackFailure::Broken("bzip2_truncated"),
            (Some(Format::Bzip2), None, std::io::ErrorKind::InvalidData) => {
                UnpackFailure::Broken("bzip2_trailing_bytes")
            }
            (Some(Format::Bzip2), None, _) if is_no_member(&error) => UnpackFailure::Broken("bzip2_trailing_bytes"),
            (Some(Format::Bzip2), None, _) => UnpackFailure::Broken("bzip2_crc"),
            (Some(Format::Zstd), None, std::io::ErrorKind::UnexpectedEof) => UnpackFailure::Broken("zstd_truncated"),
            (Some(Format::Zstd), None, _) => UnpackFailure::Broken("zstd_broken"),
        }
    }
}

/// Returns true if bzip2 found other bytes where a member was expected. (The first member has begun correctly.)
fn is_no_member(error: &std::io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<bzip2::Error>());
    matches!(inner, Some(bzip2::Error::DataMagic))
}

/// A format whose files are sequences of members, each a complete compressed stream.
trait Member<R>: Read {
    /// The first byte of a member.
    const FIRST: u8;

    fn begin(source: R) -> Self;

    /// The source after the member.
    fn end(self) -> R;
}

impl<R: BufRead> Member<R> for GzDecoder<R> {
    const FIRST: u8 = 0x1f;

    fn begin(source: R) -> Self {
        Self::new(source)
    }

    fn end(self) -> R {
        self.into_inner()
    }
}

impl<R: BufRead> Member<R> for BzDecoder<R> {
    const FIRST: u8 = b'B';

    fn begin(source: R) -> Self {
        Self::new(source)
    }

    fn end(self) -> R {
        self.into_inner()
    }
}

/// Reads all members of a file in sequence. Zeros after the last one are padding.
struct Members<R, M> {
    /// Absent only between two members, and after the last one.
    member: Option<M>,
    source: std::marker::PhantomData<R>,
}

impl<R: BufRead, M: Member<R>> Members<R, M> {
    fn new(source: R) -> Self {
        Self { member: Some(M::begin(source)), source: std::marker::PhantomData }
    }
}

impl<R: BufRead, M: Member<R>> Read for Members<R, M> {
    fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
        while let Some(member) = &mut self.member {
            let read = member.read(room)?;
            if read > 0 || room.is_empty() {
                return Ok(read);
            }
            let Some(mut source) = self.member.take().map(M::end) else { break };
            let mut rest = source.fill_buf()?;
            while rest.first() == Some(&0) {
                let zeros = rest.iter().take_while(|byte| **byte == 0).count();
                source.consume(zeros);
                rest = source.fill_buf()?;
            }
            match rest.first() {
                None => break,
                Some(first) if *first == M::FIRST => self.member = Some(M::begin(source)),
                Some(_) => return Err(std::io::ErrorKind::InvalidData.into()),
            }
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn unpack(bytes: &[u8]) -> Result<Vec<u8>, &'static str> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        let mut room = vec![0; 1 << 20];
        match Unpacker::new(&file).unwrap().fill(&mut room) {
            Ok(read) => Ok(room[..read].to_vec()),
            Err(UnpackFailure::Broken(code)) => Err(code),
            Err(UnpackFailure::Io(error)) => panic!("{error}"),
        }
    }

    fn bzip2(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn all_members_and_frames_are_read() {
        let text = b"{\"page\":\"Home\"}\n";
        let twice = [&text[..], text].concat();
        assert_eq!(unpack(&[gzip(text), gzip(text)].concat()), Ok(twice.clone()));
        assert_eq!(unpack(&[bzip2(text), bzip2(text)].concat()), Ok(twice.clone()));
        let frame = zstd::encode_all(&text[..], 1).unwrap();
        assert_eq!(unpack(&[frame.clone(), frame].concat()), Ok(twice));
        assert_eq!(unpack(text), Ok(text.to_vec()));
        assert_eq!(unpack(b""), Ok(Vec::new()));
        assert_eq!(unpack(&[gzip(text), vec![0; 1000]].concat()), Ok(text.to_vec()), "zeros are padding");
        assert_eq!(unpack(&[bzip2(text), vec![0; 1000]].concat()), Ok(text.to_vec()), "zeros are padding");
        assert_eq!(unpack(b"BZhang"), Ok(b"BZhang".to_vec()), "a text that begins like bzip2");
    }

    #[test]
    fn broken_files_have_their_own_reasons() {
        let whole = gzip(b"{\"page\":\"Home\"}\n");
        let mut wrong = whole.clone();
        let crc = wrong.len() - 5;
        wrong[crc] ^= 1;
        assert_eq!(unpack(&whole[..whole.len() - 3]), Err("gzip_truncated"));
        assert_eq!(unpack(&wrong), Err("gzip_crc"));
        assert_eq!(unpack(&[&whole[..], b"garbage"].concat()), Err("gzip_trailing_bytes"));
        assert_eq!(unpack(&gzip(&whole)), Err("nested_compression"));
        assert_eq!(unpack(b"\xfd7zXZ\0"), Err("unsupported_compression:xz"));
        let whole = bzip2(b"{\"page\":\"Home\"}\n");
        let mut wrong = whole.clone();
        wrong[20] ^= 1;
        assert_eq!(unpack(&whole[..whole.len() - 3]), Err("bzip2_truncated"));
        assert_eq!(unpack(&wrong), Err("bzip2_crc"));
        assert_eq!(unpack(&[&whole[..], b"garbage"].concat()), Err("bzip2_trailing_bytes"));
        assert_eq!(unpack(&[&whole[..], b"Bad"].concat()), Err("bzip2_trailing_bytes"));
        assert_eq!(unpack(&bzip2(&whole)), Err("nested_compression"));
        let frame = zstd::encode_all(&b"hello"[..], 1).unwrap();
        assert_eq!(unpack(&frame[..frame.len() - 2]), Err("zstd_truncated"));
    }
}
