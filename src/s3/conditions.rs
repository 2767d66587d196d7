//! Determines which conditions of requests a store honors, by trying them on new objects.
//!
//! A run that makes the first version of a lake and `doctor` use the same probe, so they have the same answer. Some
//! stores check a condition and write in two steps; a few requests at the same time detect most of them.
//!
//! Invariant: only objects below the given prefix are written, and all are removed unless a request fails.

use aws_lc_rs::rand;
use bytes::Bytes;
use futures_util::future::{join_all, try_join, try_join_all};

use crate::error::{Error, ErrorKind, Result};
use crate::s3::bucket::Bucket;
use crate::s3::object::{Put, Tag, Written};

/// Requests that compete for one object. More of them would take too long on stores that let each wait a second for the
/// lock of the object. All rounds run at the same time.
const RACING_REQUESTS: u8 = 2;

/// The GET requests of a probe with one round on a store that honors all conditions.
pub const PROBE_GETS: u64 = 2;

/// The DELETE requests of such a probe.
pub const PROBE_DELETES: u64 = 4;

/// The conditions that a store honors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each condition is honored or not, independently of the others")]
pub struct Conditions {
    /// An object that exists is not created again (`If-None-Match: *` on PUT).
    pub create: bool,
    /// An object of another version is not replaced (`If-Match` on PUT).
    pub replace: bool,
    /// An object of another version is not deleted (`If-Match` on DELETE).
    pub delete: bool,
    /// An object that was deleted can be created again. If not, the bucket has versioning, and the store takes the
    /// marker of the deletion for an object.
    pub create_again: bool,
    /// Of several creates or replaces at the same time, exactly one succeeds.
    pub atomic: bool,
}

/// A random name for the objects of a probe.
///
/// # Errors
/// [`ErrorKind::Internal`] when the operating system returns no random bytes.
pub fn random_name() -> Result<String> {
    let mut random = [0; 8];
    rand::fill(&mut random)
        .map_err(|_| Error::new(ErrorKind::Internal, "the operating system returns no random bytes"))?;
    Ok(format!("{:016x}", u64::from_le_bytes(random)))
}

/// Tries every condition on objects below `prefix`, and makes `rounds` of competing requests.
///
/// # Errors
/// Any error of the store, except that it does not support a condition.
pub async fn probe(bucket: &Bucket, prefix: &str, rounds: usize) -> Result<Conditions> {
    let (mut found, atomic) =
        try_join(one_at_a_time(bucket, &format!("{prefix}/probe")), racing(bucket, prefix, rounds)).await?;
    found.atomic = atomic || !found.create || !found.replace;
    Ok(found)
}

/// Tries the conditions one after another.
async fn one_at_a_time(bucket: &Bucket, key: &str) -> Result<Conditions> {
    let other = Tag::spelled("00000000000000000000000000000000");
    let body = |text: &'static str| Bytes::from_static(text.as_bytes());
    let Some(_) = honored(bucket.put(key, body("first"), Put::Create).await)? else {
        // The store does not know the condition at all.
        bucket.put(key, body("first"), Put::Always).await?;
        return the_rest(bucket, key, &other, false).await;
    };
    let create = is_refused(bucket.put(key, body("second"), Put::Create).await)?;
    the_rest(bucket, key, &other, create).await
}

async fn the_rest(bucket: &Bucket, key: &str, other: &Tag, create: bool) -> Result<Conditions> {
    let body = |text: &'static str| Bytes::from_static(text.as_bytes());
    let replace = is_refused(bucket.put(key, body("third"), Put::Replace(other)).await)?;
    let delete = honored(bucket.delete(key, Some(other)).await)? == Some(false);
    bucket.delete(key, None).await?;
    let create_again = !create || bucket.put(key, body("fourth"), Put::Create).await? != Written::Refused;
    bucket.delete(key, None).await?;
    Ok(Conditions { create, replace, delete, create_again, atomic: true })
}

/// Returns false if more than one of the competing requests succeeded.
async fn racing(bucket: &Bucket, prefix: &str, rounds: usize) -> Result<bool> {
    let rounds = (0..rounds).map(|round| race(bucket, format!("{prefix}/race-{round}")));
    Ok(try_join_all(rounds).await?.into_iter().all(|is_atomic| is_atomic))
}

async fn race(bucket: &Bucket, key: String) -> Result<bool> {
    let created = compete(bucket, &key, Put::Create).await?;
    let current = bucket.get_optional(&key).await?.map(|(_, tag)| tag);
    let replaced = match &current {
        Some(tag) => compete(bucket, &key, Put::Replace(tag)).await?,
        None => 0,
    };
    bucket.delete(&key, None).await?;
    Ok(created <= 1 && replaced <= 1)
}

/// Sends writes of different bodies at the same time; returns how many succeeded. A body that the object already has
/// would not change its version, so that another condition would hold too.
async fn compete(bucket: &Bucket, key: &str, put: Put<'_>) -> Result<usize> {
    let kind = u8::from(matches!(put, Put::Create));
    let writes = (0..RACING_REQUESTS).map(|number| bucket.put(key, Bytes::copy_from_slice(&[kind, number]), put));
    let ended = join_all(writes).await.into_iter().map(honored).collect::<Result<Vec<_>>>()?;
    Ok(ended.iter().filter(|written| matches!(written, Some(Written::Done(_)))).count())
}

fn is_refused(written: Result<Written>) -> Result<bool> {
    Ok(honored(written)? == Some(Written::Refused))
}

/// The answer to a request with a condition; `None` if the store does not support the condition.
fn honored<T>(answer: Result<T>) -> Result<Option<T>> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if is_not_supported(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns true if the store rejected a request with a condition as not implemented or as invalid.
#[must_use]
pub fn is_not_supported(error: &Error) -> bool {
    let status = error.context_values().iter().find(|(name, _)| *name == "status").map(|(_, status)| status.as_str());
    error.kind() == ErrorKind::Protocol && matches!(status, Some("400" | "501"))
}
