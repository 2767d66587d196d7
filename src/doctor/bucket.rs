//! The checks of a place in a bucket.
//!
//! Invariant: keys that are made here lie below `_etl/doctor/` and are removed, unless the call is stopped.

use std::time::Instant;

use aws_lc_rs::rand;
use bytes::Bytes;

use crate::config::Config;
use crate::doctor::{Diagnostics, Finding, failed};
use crate::error::{Error, ErrorKind, Result};
use crate::location::ObjectPath;
use crate::runtime::context::Context;
use crate::s3::bucket::Bucket;
use crate::s3::object::{Object, Put, Tag, Written};
use crate::s3::stores::Stores;

/// Seconds by which clocks may differ unnoticed, and by which S3 lets them.
const NOTICED: u64 = 60;
const ALLOWED: u64 = 900;
/// Bytes for measuring the throughput.
const LOAD: usize = 8 << 20;
/// Reads for measuring the latency.
const READS: usize = 10;
/// What every write check needs.
const WRITES: [&str; 6] =
    ["conditional create", "conditional replace", "multipart", "throughput", "conditional delete", "delete"];

const UNSAFE: &str = "two runs at once could harm each other: let a scheduler run one at a time";

/// Examines `place`.
pub fn examine(sheet: &mut Diagnostics, config: &Config, place: &ObjectPath, context: &Context<'_>) -> Result<()> {
    let stores = Stores::new(&config.store, &context.cancel);
    let mut opened = None;
    sheet.check("credentials", || {
        opened = Some(stores.open(&place.bucket)?);
        Ok(Finding::Fine(stores.credentials().unwrap_or_default()))
    })?;
    let Some(bucket) = opened else {
        sheet.skip(&["reach", "region", "clock", "list", "put", "get", "latency"], "the bucket could not be opened");
        sheet.skip(&WRITES, "the bucket could not be opened");
        return Ok(());
    };
    Patient::new(bucket, place)?.examine(sheet)
}

struct Patient {
    bucket: Bucket,
    place: ObjectPath,
    /// Where the probes lie.
    folder: ObjectPath,
}

impl Patient {
    fn new(bucket: Bucket, place: &ObjectPath) -> Result<Self> {
        let mut chance = [0; 8];
        rand::fill(&mut chance).map_err(|_| Error::new(ErrorKind::Internal, "the system gives no random bytes"))?;
        let name = format!("_etl/doctor/{:016x}", u64::from_le_bytes(chance));
        Ok(Self { bucket, folder: place.join(&name), place: place.clone() })
    }

    fn key(&self, name: &str) -> String {
        self.folder.join(name).key
    }

    fn examine(&self, sheet: &mut Diagnostics) -> Result<()> {
        let bucket = &self.bucket;
        let prefix = if self.place.key.is_empty() { String::new() } else { format!("{}/", self.place.key) };
        let begun = Instant::now();
        let page = bucket.wait(bucket.list(&prefix, false, None, None));
        let seconds = begun.elapsed();
        let reached = sheet.check("reach", || match &page {
            Err(error) if error.kind() == ErrorKind::Interrupted => Err(copied(error)),
            Err(error) if !bucket.has_responded() => Err(copied(error)),
            _ => Ok(Finding::Fine(format!("{} answers ({} ms)", bucket.host(), seconds.as_millis()))),
        })?;
        if !reached {
            sheet.skip(&["region", "clock", "list", "put", "get", "latency"], "nothing answers");
            sheet.skip(&WRITES, "nothing answers");
            return Ok(());
        }
        sheet.check("region", || match &page {
            Err(error) if error.kind() == ErrorKind::Configuration => Ok(Finding::Untried("see list")),
            _ => Ok(Finding::Fine(format!("requests are signed for {}", bucket.region()))),
        })?;
        sheet.check("clock", || clock(bucket.clock_ahead()))?;
        let listed = sheet.check("list", || match &page {
            Err(error) => Err(copied(error)),
            Ok(page) if page.next.is_some() => Ok(Finding::Fine(format!("{} objects and more", page.objects.len()))),
            Ok(page) => Ok(Finding::Fine(format!("{} objects", page.objects.len()))),
        })?;
        if !listed {
            sheet.skip(&["put", "get", "latency"], "the place cannot even be listed");
            sheet.skip(&WRITES, "the place cannot even be listed");
            return Ok(());
        }
        let objects = page.map(|page| page.objects).unwrap_or_default();
        let made = self.create(sheet)?;
        self.read(sheet, &objects, made.as_ref())?;
        let Some(tag) = made else {
            sheet.skip(&WRITES, "nothing can be written");
            return Ok(());
        };
        let written = self.write(sheet, &tag);
        if !matches!(&written, Err(error) if error.kind() == ErrorKind::Interrupted) {
            self.clean();
        }
        written
    }

    /// Writes the first probe.
    fn create(&self, sheet: &mut Diagnostics) -> Result<Option<Tag>> {
        let mut made = None;
        sheet.check("put", || {
            match self.put("probe", Bytes::from_static(b"doctor"), Put::Create) {
                Ok(Written::Done(tag)) => made = Some(tag),
                Ok(Written::Refused) => {
                    return Err(failed(
                        ErrorKind::Protocol,
                        "the store says that a key with a random name exists".to_owned(),
                        "look for what stands before the store",
                    ));
                }
                Err(error) if error.kind() == ErrorKind::Access => {
                    return Ok(Finding::Odd(error.to_string(), "it will do as an input; an output must be writable"));
                }
                Err(error) => return Err(error),
            }
            Ok(Finding::Fine("an object can be made".to_owned()))
        })?;
        Ok(made)
    }

    fn read(&self, sheet: &mut Diagnostics, objects: &[Object], made: Option<&Tag>) -> Result<()> {
        let small = objects.iter().filter(|object| object.size > 0).min_by_key(|object| object.size);
        let own = made.map(|tag| (self.key("probe"), tag.clone(), 6));
        let Some((key, tag, size)) = small.map(|object| (object.key.clone(), object.tag.clone(), object.size)).or(own)
        else {
            sheet.skip(&["get", "latency"], "there is no object to read");
            return Ok(());
        };
        let bucket = &self.bucket;
        let get = || {
            let begun = Instant::now();
            bucket.wait(bucket.get(&key, None, Some(&tag))).map(|bytes| (bytes.len(), begun.elapsed()))
        };
        if sheet.check("get", || get().map(|(length, _)| Finding::Fine(format!("{length} bytes of an object"))))? {
            sheet.check("latency", || {
                let times = (0..READS).map(|_| get().map(|(_, time)| time)).collect::<Result<Vec<_>>>();
                let mut times = times?;
                times.sort_unstable();
                let median = times.get(READS / 2).copied().unwrap_or_default();
                let millis = median.as_secs_f64() * 1e3;
                Ok(Finding::Fine(format!("{millis:.1} ms, the median of {READS} reads of {size} bytes")))
            })?;
        } else {
            sheet.skip(&["latency"], "nothing can be read");
        }
        Ok(())
    }

    fn write(&self, sheet: &mut Diagnostics, made: &Tag) -> Result<()> {
        let other = Tag::spelled("00000000000000000000000000000000");
        let body = || Bytes::from_static(b"another");
        let held = |what: &str| Finding::Fine(format!("{what} is refused, as it should be"));
        let mut current = made.clone();
        sheet.check("conditional create", || match self.put("probe", body(), Put::Create)? {
            Written::Refused => Ok(held("making an object twice")),
            Written::Done(tag) => {
                current = tag;
                Ok(Finding::Odd("If-None-Match is ignored: an object can be made twice".to_owned(), UNSAFE))
            }
        })?;
        sheet.check("conditional replace", || match self.put("probe", body(), Put::Replace(&other))? {
            Written::Refused => Ok(held("replacing another version")),
            Written::Done(tag) => {
                current = tag;
                Ok(Finding::Odd("If-Match is ignored: any version can be replaced".to_owned(), UNSAFE))
            }
        })?;
        sheet.check("multipart", || {
            if self.put_in_parts("parts", body())? == Written::Refused {
                return Err(failed(
                    ErrorKind::Protocol,
                    "an upload in parts to a new key was refused".to_owned(),
                    "objects above 64 MiB cannot be written here",
                ));
            }
            Ok(match self.put_in_parts("parts", body())? {
                Written::Refused => Finding::Fine("uploads in parts work and heed conditions".to_owned()),
                Written::Done(_) => Finding::Odd("uploads in parts ignore conditions".to_owned(), UNSAFE),
            })
        })?;
        sheet.check("throughput", || {
            let load: Bytes = (0..LOAD).map(|index| u8::try_from(index % 251).unwrap_or_default()).collect();
            let begun = Instant::now();
            self.put("load", load.clone(), Put::Always)?;
            let up = rate(begun);
            let begun = Instant::now();
            let key = self.key("load");
            let back = self.bucket.wait(self.bucket.get(&key, None, None))?;
            let down = rate(begun);
            if back != load {
                return Err(failed(
                    ErrorKind::Protocol,
                    "what was read is not what was written".to_owned(),
                    "do not trust this store, or what stands before it",
                ));
            }
            Ok(Finding::Fine(format!("{up:.0} MiB/s up, {down:.0} MiB/s down, one object of 8 MiB")))
        })?;
        let delete = |tag: Option<&Tag>| {
            let key = self.key("probe");
            self.bucket.wait(self.bucket.delete(&key, tag))
        };
        sheet.check("conditional delete", || {
            let kept = !delete(Some(&other))?;
            Ok(if kept && delete(Some(&current))? {
                held("deleting another version")
            } else if kept {
                Finding::Odd("the version that is there cannot be deleted by its tag".to_owned(), UNSAFE)
            } else {
                Finding::Odd("If-Match is ignored: any version can be deleted".to_owned(), UNSAFE)
            })
        })?;
        sheet.check("delete", || {
            let key = self.key("load");
            self.bucket.wait(self.bucket.delete(&key, None))?;
            match self.bucket.wait(self.bucket.get_optional(&key))? {
                None => Ok(Finding::Fine("an object can be deleted".to_owned())),
                Some(_) => Err(failed(
                    ErrorKind::Protocol,
                    "a deleted object is still there".to_owned(),
                    "the store must show what was done last",
                )),
            }
        })?;
        Ok(())
    }

    fn put(&self, name: &str, body: Bytes, put: Put<'_>) -> Result<Written> {
        let key = self.key(name);
        self.bucket.wait(self.bucket.put(&key, body, put))
    }

    fn put_in_parts(&self, name: &str, body: Bytes) -> Result<Written> {
        let key = self.key(name);
        self.bucket.wait(self.bucket.put_in_parts(&key, body, Put::Create))
    }

    /// Removes the probes; what cannot be removed is a few bytes below `_etl`.
    fn clean(&self) {
        for name in ["probe", "parts", "load"] {
            let key = self.key(name);
            if self.bucket.wait(self.bucket.delete(&key, None)).is_err() {
                return;
            }
        }
    }
}

fn clock(ahead: Option<i64>) -> Result<Finding> {
    let Some(ahead) = ahead else { return Ok(Finding::Untried("the store does not tell the time")) };
    let detail = match ahead {
        0.. => format!("this machine's clock is {ahead} s ahead of the store's"),
        _ => format!("this machine's clock is {} s behind the store's", ahead.unsigned_abs()),
    };
    match ahead.unsigned_abs() {
        ALLOWED.. => Err(failed(ErrorKind::Configuration, detail, "set the clock: requests are signed with the time")),
        NOTICED.. => Ok(Finding::Odd(detail, "set the clock: at 15 minutes the store will refuse requests")),
        _ => Ok(Finding::Fine(detail)),
    }
}

/// MiB a second since `begun`, for the load.
fn rate(begun: Instant) -> f64 {
    8.0 / begun.elapsed().as_secs_f64().max(1e-6)
}

/// The same error once more: one failure can be what two checks have to tell.
fn copied(error: &Error) -> Error {
    let copy = Error::new(error.kind(), error.message());
    let copy = if let Some(cause) = error.cause_text() { copy.cause(cause) } else { copy };
    if let Some(hint) = error.hint_text() { copy.hint(hint) } else { copy }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_may_differ_a_little() {
        assert!(matches!(clock(Some(-3)).unwrap(), Finding::Fine(_)));
        assert!(matches!(clock(Some(100)).unwrap(), Finding::Odd(..)));
        assert_eq!(clock(Some(-4000)).err().map(|error| error.kind()), Some(ErrorKind::Configuration));
        assert!(matches!(clock(None).unwrap(), Finding::Untried(_)));
    }
}
