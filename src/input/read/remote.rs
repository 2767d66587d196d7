//! Objects of a bucket: fetched ahead on the store's runtime, read by the workers as they arrive.
//!
//! Small objects are fetched whole, many concurrently, within a limit of memory; a large object is streamed by the
//! worker that takes it. No result depends on the order of arrival.
//!
//! Invariant: every object goes to exactly one worker; the objects in flight and the waiting ones together stay within
//! [`Reading::ahead`] bytes, or are a single object.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use crate::error::{Error, ErrorKind, Result};
use crate::input::decompress;
use crate::input::decompress::Unpacker;
use crate::input::list::{InputFile, Listing, Selection, Version};
use crate::input::read::chunks::{verify, visit_whole};
use crate::input::read::ranges::{RANGE_BYTES, Ranges, key};
use crate::input::read::{Fetched, Listed, Reader, Reading, Visit};
use crate::runtime::cancel::Cancel;
use crate::s3::bucket::Bucket;

/// Objects up to this size are fetched whole.
const MAX_WHOLE_BYTES: u64 = 16 << 20;

/// Objects in flight at the same time. The bucket limits the number of concurrent requests further.
const MAX_IN_FLIGHT: usize = 512;

/// Ranges of one large object in flight at the same time, if memory allows.
const MAX_RANGES_IN_FLIGHT: u64 = 4;

/// The memory of one semaphore permit; the number of permits is limited to 32 bits.
const PERMIT_BYTES: u64 = 1 << 10;

/// How often a waiting worker checks for cancellation.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// After an access failure, how long to wait for requests in flight, to name the other objects that cannot be read.
const FAILURE_COLLECTION_TIMEOUT: Duration = Duration::from_secs(1);

/// How many of those objects are named.
const MAX_NAMED_KEYS: usize = 10;

/// The number of GET requests to read an object of `size` bytes: none for an empty object, one up to
/// [`MAX_WHOLE_BYTES`], and one per [`RANGE_BYTES`] of a larger one. (With `--on-bad-file quarantine`, a large
/// compressed object is read twice.)
#[must_use]
pub const fn requests(size: u64) -> u64 {
    match size {
        0 => 0,
        1..=MAX_WHOLE_BYTES => 1,
        _ => size.div_ceil(RANGE_BYTES),
    }
}

/// Objects that are fetched ahead for the workers.
#[derive(Debug)]
pub(super) struct Prefetch {
    inbox: Arc<Inbox>,
    bucket: Bucket,
    /// Ranges of one large object in flight at the same time.
    ranges_in_flight: usize,
}

/// An object that a worker may read now.
#[derive(Debug)]
pub(super) struct Arrived<'p> {
    prefetch: &'p Prefetch,
    object: Object,
}

#[derive(Debug)]
struct Object {
    file: usize,
    /// The whole object; `None` if the worker streams it.
    body: Option<Bytes>,
    /// The memory of the object, released when the worker has read it.
    _memory: Option<OwnedSemaphorePermit>,
}

/// The queue between the store's runtime and the workers.
#[derive(Debug)]
struct Inbox {
    state: Mutex<State>,
    changed: Condvar,
    memory: Arc<Semaphore>,
    /// Notified when no further requests must be started.
    stopping: Notify,
}

#[derive(Debug, Default)]
struct State {
    arrived: VecDeque<Object>,
    /// The number of waiting workers.
    waiting: usize,
    /// Objects that could not be fetched, by their number.
    failures: Vec<(usize, Error)>,
    /// Whether all requests have ended.
    is_over: bool,
    /// Whether the workers have stopped.
    is_stopped: bool,
}

impl Inbox {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, file: usize, body: Option<Bytes>, memory: Option<OwnedSemaphorePermit>) {
        let mut state = self.state();
        state.arrived.push_back(Object { file, body, _memory: memory });
        let has_waiting = state.waiting > 0;
        drop(state);
        if has_waiting {
            self.changed.notify_one();
        }
    }

    fn fail(&self, file: usize, error: Error) {
        self.state().failures.push((file, error));
        self.stopping.notify_one();
    }
}

/// Notifies the workers when all requests have ended, for any reason.
struct EndGuard(Arc<Inbox>);

impl Drop for EndGuard {
    fn drop(&mut self) {
        self.0.state().is_over = true;
        self.0.changed.notify_all();
    }
}

impl Prefetch {
    /// Starts to fetch the selected files.
    pub(super) fn start(bucket: &Bucket, files: &Arc<[InputFile]>, selection: &Selection, reading: Reading) -> Self {
        let permits = (reading.ahead / PERMIT_BYTES).clamp(1, u64::from(u32::MAX));
        let threads = reading.threads.max(1) as u64;
        let ranges_in_flight = (reading.ahead / threads / RANGE_BYTES).clamp(1, MAX_RANGES_IN_FLIGHT);
        let mut state = State::default();
        // Large objects come first, because they keep a worker busy for a long time.
        for file in selection.iter().copied() {
            let body = match files.get(file).map_or(1, |input| input.size) {
                0 => Some(Bytes::new()),
                1..=MAX_WHOLE_BYTES => continue,
                _ => None,
            };
            state.arrived.push_back(Object { file, body, _memory: None });
        }
        let memory = Arc::new(Semaphore::new(usize::try_from(permits).unwrap_or(Semaphore::MAX_PERMITS)));
        let inbox =
            Arc::new(Inbox { state: Mutex::new(state), changed: Condvar::new(), memory, stopping: Notify::new() });
        let feed = Feed {
            bucket: bucket.clone(),
            files: Arc::clone(files),
            selection: Arc::clone(selection),
            inbox: Arc::clone(&inbox),
            permits,
        };
        drop(bucket.spawn(feed.run()));
        Self { inbox, bucket: bucket.clone(), ranges_in_flight: usize::try_from(ranges_in_flight).unwrap_or(1) }
    }

    /// Waits for the next object; `None` after [`Self::stop`].
    pub(super) fn next(&self, cancel: &Cancel) -> Result<Option<Arrived<'_>>> {
        let mut state = self.inbox.state();
        loop {
            cancel.check()?;
            if state.is_over && !state.failures.is_empty() {
                return Err(failure(&self.bucket, &mut state.failures));
            }
            if state.is_stopped {
                return Ok(None);
            }
            if state.failures.is_empty()
                && let Some(object) = state.arrived.pop_front()
            {
                return Ok(Some(Arrived { prefetch: self, object }));
            }
            if state.is_over {
                return Err(Error::new(ErrorKind::Internal, "an object was neither fetched nor reported as failed"));
            }
            state.waiting += 1;
            (state, _) = self.inbox.changed.wait_timeout(state, POLL_INTERVAL).unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
    }

    /// Stops all workers and requests, after one worker has failed.
    pub(super) fn stop(&self) {
        self.inbox.state().is_stopped = true;
        self.inbox.stopping.notify_one();
        self.inbox.changed.notify_all();
    }
}

impl Drop for Prefetch {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Fetches the small objects.
struct Feed {
    bucket: Bucket,
    files: Arc<[InputFile]>,
    selection: Selection,
    inbox: Arc<Inbox>,
    /// All permits of the memory.
    permits: u64,
}

impl Feed {
    /// Fetches the small objects, until all have arrived or the workers stop.
    async fn run(self) {
        let _guard = EndGuard(Arc::clone(&self.inbox));
        let mut in_flight = JoinSet::new();
        let is_stopped = {
            let filling = pin!(self.fill(&mut in_flight));
            matches!(select(filling, pin!(self.inbox.stopping.notified())).await, Either::Right(_))
        };
        if is_stopped && self.inbox.state().failures.iter().any(|(_, error)| error.kind() == ErrorKind::Access) {
            // Requests in flight may name further objects that cannot be read; the user needs all of them to grant
            // access.
            let all = async { while in_flight.join_next().await.is_some() {} };
            drop(tokio::time::timeout(FAILURE_COLLECTION_TIMEOUT, all).await);
        }
    }

    /// Starts requests in the order of the listing, as memory allows, and waits for all of them.
    async fn fill(&self, in_flight: &mut JoinSet<()>) {
        let selected = self.selection.iter().filter_map(|file| Some((*file, self.files.get(*file)?)));
        for (file, input) in selected.filter(|(_, input)| (1..=MAX_WHOLE_BYTES).contains(&input.size)) {
            let permits = u32::try_from(input.size.div_ceil(PERMIT_BYTES).min(self.permits)).unwrap_or(u32::MAX);
            let Ok(memory) = Arc::clone(&self.inbox.memory).acquire_many_owned(permits).await else { break };
            while in_flight.len() >= MAX_IN_FLIGHT {
                in_flight.join_next().await;
            }
            let (bucket, files, inbox) = (self.bucket.clone(), Arc::clone(&self.files), Arc::clone(&self.inbox));
            in_flight.spawn(async move {
                let Some(input) = files.get(file) else { return };
                match fetch(&bucket, input).await {
                    Ok(body) => inbox.put(file, Some(body), Some(memory)),
                    Err(error) => inbox.fail(file, error),
                }
            });
        }
        while in_flight.join_next().await.is_some() {}
    }
}

async fn fetch(bucket: &Bucket, input: &InputFile) -> Result<Bytes> {
    let tag = match &input.version {
        Version::Tag(tag) => Some(tag),
        Version::Modified(_) => None,
    };
    let key = key(input)?;
    let body = bucket.get(key, None, tag).await?;
    if body.len() as u64 == input.size {
        return Ok(body);
    }
    Err(Error::new(ErrorKind::Retry, format!("{} has changed since it was listed", bucket.shown(key)))
        .cause(format!("it has {} bytes, and the listing has {}", body.len(), input.size))
        .hint("run again when the input is complete; no table was changed")
        .context("path", bucket.shown(key)))
}

/// The first failure in the order of the listing. If access to several objects is denied, it names the first of them.
fn failure(bucket: &Bucket, failures: &mut [(usize, Error)]) -> Error {
    failures.sort_by_key(|(file, _)| *file);
    let Some((_, first)) = failures.first() else {
        return Error::new(ErrorKind::Internal, "no failed request was recorded");
    };
    let denied: Vec<&Error> =
        failures.iter().map(|(_, error)| error).filter(|error| error.kind() == first.kind()).collect();
    if first.kind() != ErrorKind::Access || denied.len() < 2 {
        return first.clone();
    }
    let key = |error: &&Error| {
        error.context_values().iter().find(|(name, _)| *name == "key").map(|(_, key)| bucket.shown(key))
    };
    let keys: Vec<String> = denied.iter().take(MAX_NAMED_KEYS).filter_map(key).collect();
    let more = if denied.len() > MAX_NAMED_KEYS { " and more" } else { "" };
    let mut error = Error::new(ErrorKind::Access, format!("cannot read {}{more}", keys.join(", ")));
    if let Some(cause) = first.cause_text() {
        error = error.cause(cause);
    }
    if let Some(hint) = first.hint_text() {
        error = error.hint(hint);
    }
    error.context("path", keys.first().cloned().unwrap_or_default())
}

impl Reader {
    /// Reads an object that has arrived.
    pub(super) fn read_arrived(
        &mut self,
        listing: &Listing,
        arrived: Arrived<'_>,
        reading: Reading,
        visit: &mut Visit<'_>,
    ) -> Result<()> {
        let Arrived { prefetch, object } = arrived;
        let listed = Listed::new(listing, object.file)?;
        let Some(body) = &object.body else {
            let open = || Unpacker::new(Ranges::new(&prefetch.bucket, listed.file, prefetch.ranges_in_flight));
            return self.unpack(listed, open, reading, visit);
        };
        if decompress::format(body).is_some() {
            return self.unpack(listed, || Unpacker::new(&**body), reading, visit);
        }
        visit_whole(object.file, body, visit)
    }

    /// Reads a stream. `open` opens it, a second time after a verification.
    fn unpack<'b>(
        &mut self,
        listed: Listed<'_>,
        open: impl Fn() -> std::io::Result<Unpacker<'b>>,
        reading: Reading,
        visit: &mut Visit<'_>,
    ) -> Result<()> {
        let mut unpacker = open().map_err(|error| listed.failed(error))?;
        if reading.verify_first && unpacker.is_packed() {
            if let Some(code) = verify(listed, &mut unpacker)? {
                return visit(Fetched::Bad { file: listed.index, code });
            }
            unpacker = open().map_err(|error| listed.failed(error))?;
        }
        self.stream(listed, &mut unpacker, reading, &|_, bytes| Ok(bytes.len()), visit)
    }
}
