//! The checks of a location in a bucket.
//!
//! Invariant: all objects that are written here have keys below `_etl/doctor/` and are removed, unless the call is
//! stopped.

use std::time::Instant;

use bytes::Bytes;

use crate::config::Config;
use crate::doctor::{Diagnostics, Finding, failed};
use crate::error::{Error, ErrorKind, Result};
use crate::location::ObjectPath;
use crate::runtime::context::Context;
use crate::s3::bucket::Bucket;
use crate::s3::conditions;
use crate::s3::object::{Object, Put, Tag, Written};
use crate::s3::stores::Stores;

/// A larger difference of the clocks is a warning.
const MAX_UNNOTICED_SKEW_SECONDS: u64 = 60;

/// S3 rejects requests with a larger difference of the clocks.
const MAX_ALLOWED_SKEW_SECONDS: u64 = 900;

/// The size of the object that measures the throughput.
const THROUGHPUT_BYTES: usize = 8 << 20;

/// The number of reads that measure the latency.
const LATENCY_READS: usize = 10;

/// The checks after `put`, which need write access.
const WRITE_CHECKS: [&str; 9] = [
    "tags",
    "conditional create",
    "conditional replace",
    "conditional delete",
    "concurrent writes",
    "create again",
    "multipart",
    "throughput",
    "delete",
];

/// Rounds of competing writes.
const RACES: usize = 16;

/// The hint for a store without conditional requests.
const UNSAFE: &str = "make sure that only one run at a time writes here: concurrent runs could damage the lake";

/// The hint for a store without conditional deletes.
const UNSAFE_DELETE: &str =
    "no setting is needed: a paused run could remove a file of a newer version, which the next run writes again";

/// Checks `place`.
pub fn examine(checks: &mut Diagnostics, config: &Config, place: &ObjectPath, context: &Context<'_>) -> Result<()> {
    let stores = Stores::new(&config.store, &context.cancel);
    let mut opened = None;
    checks.check("credentials", || {
        opened = Some(stores.open(&place.bucket)?);
        Ok(Finding::Passed(stores.credentials().unwrap_or_default()))
    })?;
    let Some(bucket) = opened else {
        checks.skip(&["reach", "region", "clock", "list", "put", "get", "latency"], "the bucket cannot be opened");
        checks.skip(&WRITE_CHECKS, "the bucket cannot be opened");
        return Ok(());
    };
    BucketChecks::new(bucket, place)?.examine(checks)
}

struct BucketChecks {
    bucket: Bucket,
    place: ObjectPath,
    /// The folder of the test objects.
    folder: ObjectPath,
}

impl BucketChecks {
    fn new(bucket: Bucket, place: &ObjectPath) -> Result<Self> {
        let name = format!("_etl/doctor/{}", conditions::random_name()?);
        Ok(Self { bucket, folder: place.join(&name), place: place.clone() })
    }

    fn key(&self, name: &str) -> String {
        self.folder.join(name).key
    }

    fn examine(&self, checks: &mut Diagnostics) -> Result<()> {
        let bucket = &self.bucket;
        let prefix = if self.place.key.is_empty() { String::new() } else { format!("{}/", self.place.key) };
        let started = Instant::now();
        let page = bucket.wait(bucket.list(&prefix, false, None, None));
        let seconds = started.elapsed();
        let reached = checks.check("reach", || match &page {
            Err(error) if error.kind() == ErrorKind::Interrupted => Err(copied(error)),
            Err(error) if !bucket.has_responded() => Err(copied(error)),
            _ => Ok(Finding::Passed(format!("{} answers ({} ms)", bucket.host(), seconds.as_millis()))),
        })?;
        if !reached {
            checks.skip(&["region", "clock", "list", "put", "get", "latency"], "the store does not answer");
            checks.skip(&WRITE_CHECKS, "the store does not answer");
            return Ok(());
        }
        checks.check("region", || match &page {
            Err(error) if error.kind() == ErrorKind::Configuration => Ok(Finding::Skipped("see the check list")),
            _ => Ok(Finding::Passed(format!("requests are signed for {}", bucket.region()))),
        })?;
        checks.check("clock", || clock(bucket.clock_ahead()))?;
        let listed = checks.check("list", || match &page {
            Err(error) => Err(copied(error)),
            Ok(page) if page.next.is_some() => Ok(Finding::Passed(format!("{} objects or more", page.objects.len()))),
            Ok(page) => Ok(Finding::Passed(format!("{} objects", page.objects.len()))),
        })?;
        if !listed {
            checks.skip(&["put", "get", "latency"], "the location cannot be listed");
            checks.skip(&WRITE_CHECKS, "the location cannot be listed");
            return Ok(());
        }
        let objects = page.map(|page| page.objects).unwrap_or_default();
        let created = self.create(checks)?;
        self.read(checks, &objects, created.as_ref())?;
        let Some(tag) = created else {
            checks.skip(&WRITE_CHECKS, "no object can be written");
            return Ok(());
        };
        let written = self.write(checks, &tag);
        if !matches!(&written, Err(error) if error.kind() == ErrorKind::Interrupted) {
            self.clean();
        }
        written
    }

    /// Writes the first test object.
    fn create(&self, checks: &mut Diagnostics) -> Result<Option<Tag>> {
        let mut created = None;
        checks.check("put", || {
            match self.put("probe", Bytes::from_static(b"doctor"), Put::Always) {
                Ok(Written::Done(tag)) => created = Some(tag),
                Ok(Written::Refused) => {
                    return Err(failed(
                        ErrorKind::Protocol,
                        "the store rejected a write because of a condition that it did not have".to_owned(),
                        "check for a proxy or cache between this machine and the store",
                    ));
                }
                Err(error) if error.kind() == ErrorKind::Access => {
                    return Ok(Finding::Warning(
                        error.to_string(),
                        "use this location only as an input, or grant write access",
                    ));
                }
                Err(error) => return Err(error),
            }
            Ok(Finding::Passed("an object can be created".to_owned()))
        })?;
        Ok(created)
    }

    fn read(&self, checks: &mut Diagnostics, objects: &[Object], created: Option<&Tag>) -> Result<()> {
        let small = objects.iter().filter(|object| object.size > 0).min_by_key(|object| object.size);
        let own = created.map(|tag| (self.key("probe"), tag.clone(), 6));
        let Some((key, tag, size)) = small.map(|object| (object.key.clone(), object.tag.clone(), object.size)).or(own)
        else {
            checks.skip(&["get", "latency"], "the location contains no object to read");
            return Ok(());
        };
        let bucket = &self.bucket;
        let get = || {
            let started = Instant::now();
            bucket.wait(bucket.get(&key, None, Some(&tag))).map(|bytes| (bytes.len(), started.elapsed()))
        };
        if checks.check("get", || get().map(|(length, _)| Finding::Passed(format!("{length} bytes of an object"))))? {
            checks.check("latency", || {
                let times = (0..LATENCY_READS).map(|_| get().map(|(_, time)| time)).collect::<Result<Vec<_>>>();
                let mut times = times?;
                times.sort_unstable();
                let median = times.get(LATENCY_READS / 2).copied().unwrap_or_default();
                let millis = median.as_secs_f64() * 1e3;
                Ok(Finding::Passed(format!("{millis:.1} ms, the median of {LATENCY_READS} reads of {size} bytes")))
            })?;
        } else {
            checks.skip(&["latency"], "no object can be read");
        }
        Ok(())
    }

    fn write(&self, checks: &mut Diagnostics, created: &Tag) -> Result<()> {
        let body = || Bytes::from_static(b"another");
        checks.check("tags", || self.tags(created))?;
        self.conditions(checks)?;
        checks.check("multipart", || {
            if self.put_in_parts("parts", body())? == Written::Refused {
                return Err(failed(
                    ErrorKind::Protocol,
                    "the store rejected a multipart upload to a new key".to_owned(),
                    "use another store: objects above 64 MiB need multipart uploads",
                ));
            }
            Ok(match self.put_in_parts("parts", body())? {
                Written::Refused => Finding::Passed("multipart uploads work and check conditions".to_owned()),
                Written::Done(_) => Finding::Warning("multipart uploads ignore conditions".to_owned(), UNSAFE),
            })
        })?;
        checks.check("throughput", || {
            let load: Bytes =
                (0..THROUGHPUT_BYTES).map(|index| u8::try_from(index % 251).unwrap_or_default()).collect();
            let started = Instant::now();
            self.put("load", load.clone(), Put::Always)?;
            let up = rate(started);
            let started = Instant::now();
            let key = self.key("load");
            let back = self.bucket.wait(self.bucket.get(&key, None, None))?;
            let down = rate(started);
            if back != load {
                return Err(failed(
                    ErrorKind::Protocol,
                    "the object differs from the bytes that were written".to_owned(),
                    "check the store, and any proxy or cache before it",
                ));
            }
            Ok(Finding::Passed(format!("{up:.0} MiB/s up, {down:.0} MiB/s down, one object of 8 MiB")))
        })?;
        checks.check("delete", || {
            let key = self.key("load");
            self.bucket.wait(self.bucket.delete(&key, None))?;
            match self.bucket.wait(self.bucket.get_optional(&key))? {
                None => Ok(Finding::Passed("an object can be deleted".to_owned())),
                Some(_) => Err(failed(
                    ErrorKind::Protocol,
                    "a deleted object still exists".to_owned(),
                    "use a store with strong consistency",
                )),
            }
        })?;
        Ok(())
    }

    /// Compares the `ETag` of an object in the responses to PUT, LIST and GET.
    fn tags(&self, created: &Tag) -> Result<Finding> {
        let (bucket, key) = (&self.bucket, self.key("probe"));
        let page = bucket.wait(bucket.list(&key, false, None, None))?;
        let listed = page.objects.into_iter().find(|object| object.key == key).map(|object| object.tag);
        let read = bucket.wait(bucket.get_optional(&key))?.map(|(_, tag)| tag);
        if listed.as_ref() == Some(created) && read.as_ref() == Some(created) {
            return Ok(Finding::Passed("PUT, LIST and GET return the same ETag".to_owned()));
        }
        let shown = |tag: &Option<Tag>| tag.as_ref().map_or("none".to_owned(), |tag| tag.0.to_string());
        Err(failed(
            ErrorKind::Protocol,
            format!("the ETag is {} after PUT, {} in LIST, {} in GET", created.0, shown(&listed), shown(&read)),
            "use another store: an ETag must identify the version of an object",
        ))
    }

    /// Tries the conditions of requests, with the probe that a run uses before its first version.
    fn conditions(&self, checks: &mut Diagnostics) -> Result<()> {
        let mut probed = None;
        let mut probe = || {
            let found = self.bucket.wait(conditions::probe(&self.bucket, &self.key("conditions"), RACES))?;
            probed = Some(found);
            Ok(found)
        };
        let verdict = |is_honored: bool, passed: &str, ignored: &str, hint: &'static str| {
            Ok(if is_honored { Finding::Passed(passed.to_owned()) } else { Finding::Warning(ignored.to_owned(), hint) })
        };
        checks.check("conditional create", || {
            verdict(
                probe()?.create,
                "creating an object twice is rejected, as required",
                "If-None-Match is ignored: an object can be created twice",
                UNSAFE,
            )
        })?;
        let Some(found) = probed else {
            let others = ["conditional replace", "conditional delete", "concurrent writes", "create again"];
            checks.skip(&others, "the conditions cannot be tried");
            return Ok(());
        };
        checks.check("conditional replace", || {
            verdict(
                found.replace,
                "replacing another version is rejected, as required",
                "If-Match is ignored: any version can be replaced",
                UNSAFE,
            )
        })?;
        checks.check("conditional delete", || {
            verdict(
                found.delete,
                "deleting another version is rejected, as required",
                "If-Match is ignored: any version can be deleted",
                UNSAFE_DELETE,
            )
        })?;
        checks.check("concurrent writes", || {
            if !(found.create && found.replace) {
                return Ok(Finding::Skipped("conditions are ignored"));
            }
            verdict(
                found.atomic,
                "of several conditional writes at the same time, one succeeds, as required",
                "conditions are not atomic: of several writes at the same time, more than one succeeds",
                UNSAFE,
            )
        })?;
        checks.check("create again", || {
            verdict(
                found.create_again,
                "an object that was deleted can be created again",
                "a deleted object cannot be created again with If-None-Match, as its deletion marker counts as an object",
                "if a lake was deleted here, choose another output, or remove the deletion markers of its keys",
            )
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

    /// Removes the test objects. A failure is ignored: the objects are below `_etl` and small.
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
    let Some(ahead) = ahead else { return Ok(Finding::Skipped("the store returns no time")) };
    let detail = match ahead {
        0.. => format!("this machine's clock is {ahead} s ahead of the store's"),
        _ => format!("the store's clock is {} s ahead of this machine's clock", ahead.unsigned_abs()),
    };
    match ahead.unsigned_abs() {
        MAX_ALLOWED_SKEW_SECONDS.. => Err(failed(
            ErrorKind::Configuration,
            detail,
            "set the clock: requests are signed with the time of this machine",
        )),
        MAX_UNNOTICED_SKEW_SECONDS.. => {
            Ok(Finding::Warning(detail, "set the clock: from 15 minutes on, the store rejects requests"))
        }
        _ => Ok(Finding::Passed(detail)),
    }
}

/// The throughput of the test object in MiB per second.
fn rate(started: Instant) -> f64 {
    8.0 / started.elapsed().as_secs_f64().max(1e-6)
}

/// A copy of an error, because one failure can be the result of two checks.
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
        assert!(matches!(clock(Some(-3)).unwrap(), Finding::Passed(_)));
        assert!(matches!(clock(Some(100)).unwrap(), Finding::Warning(..)));
        assert_eq!(clock(Some(-4000)).err().map(|error| error.kind()), Some(ErrorKind::Configuration));
        assert!(matches!(clock(None).unwrap(), Finding::Skipped(_)));
    }
}
