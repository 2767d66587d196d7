//! A fence: writes through it are sent only as long as no newer key exists in a log.
//!
//! The bucket is listed right before a request is sent, in every attempt of a retry, and with the permit of the request
//! in hand, so neither a queue nor a pause between two attempts makes a listing old. What remains is the time between
//! the comparison of the clock and the arrival of the request at the store.
//!
//! Invariant: a request that passes the fence is preceded by a listing that began less than [`Fence::max_age`] ago on
//! a clock that does not stop, or that the store took longer than that to answer [`MAX_LOOKS`] times.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::Method;

use crate::runtime::clock::Moment;
use crate::s3::connection::BucketConnection;
use crate::s3::failure::RequestFailure;
use crate::s3::list_xml;
use crate::s3::signed_request::Request;

/// The limit of listings in a row that are outdated when their response arrives, as in a store that is too slow.
const MAX_LOOKS: u32 = 3;

/// Forbids writes when a key after its own key exists.
#[derive(Debug)]
pub struct Fence {
    /// The prefix of the log's keys.
    prefix: String,
    /// The key of the own entry; every greater key with the prefix is a newer entry.
    own: String,
    max_age: Duration,
    /// The start of the last listing that found no newer key.
    looked: Mutex<Option<Moment>>,
    /// Held by the task that lists.
    looking: tokio::sync::Mutex<()>,
}

impl Fence {
    /// A fence for the writer of `own`, an entry of the log below `prefix`. `looked` is the start of an earlier listing
    /// that found no newer entry.
    #[must_use]
    pub fn new(prefix: String, own: String, max_age: Duration, looked: Option<Moment>) -> Self {
        Self { prefix, own, max_age, looked: Mutex::new(looked), looking: tokio::sync::Mutex::default() }
    }

    /// Returns when the last listing is young enough; lists again if necessary. A listing of half the allowed age is
    /// renewed by one of the tasks while the others continue.
    ///
    /// # Errors
    /// [`RequestFailure::Fenced`] if there is a newer entry; or the failure of the listing.
    pub(super) async fn pass(&self, connection: &BucketConnection) -> Result<(), RequestFailure> {
        for _ in 0..MAX_LOOKS {
            let age = self.age();
            if age < self.max_age / 2 {
                return Ok(());
            }
            let _held = if age < self.max_age {
                let Ok(held) = self.looking.try_lock() else { return Ok(()) };
                held
            } else {
                self.looking.lock().await
            };
            if self.age() < self.max_age / 2 {
                continue;
            }
            let now = Moment::now();
            if let Some(newer) = self.newer(connection).await? {
                return Err(RequestFailure::Fenced(newer));
            }
            *self.looked.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
        }
        Ok(())
    }

    fn age(&self) -> Duration {
        let looked = *self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        looked.map_or(Duration::MAX, Moment::elapsed)
    }

    /// A newer entry of the log.
    async fn newer(&self, connection: &BucketConnection) -> Result<Option<String>, RequestFailure> {
        let request = Request::new(Method::GET, "").query("list-type", "2").query("encoding-type", "url");
        let request = request.query("prefix", &self.prefix).query("start-after", &self.own);
        let page = list_xml::parse(&request.send(connection).await?.1)?;
        // A store may ignore `start-after`. Names of another length are no entries.
        Ok(page
            .objects
            .into_iter()
            .map(|object| object.key)
            .filter(|key| key.len() == self.own.len() && *key > self.own)
            .max())
    }
}
