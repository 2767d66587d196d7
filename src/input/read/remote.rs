//! Objects of a bucket: fetched ahead on the store's runtime, taken by workers as they arrive.
//!
//! Small objects are fetched whole, many at once, as far as memory allows; a large one is streamed by the worker that
//! takes it. The order of arrival tells nothing, and nothing depends on it.
//!
//! Invariant: every object is handed to one worker, once; what is on its way or waiting stays within the bytes allowed
//! (or is one object).

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
use crate::input::read::chunks::{broken, whole};
use crate::input::read::ranges::{RANGE, Ranges, key};
use crate::input::read::{Fetched, Listed, Reader, Reading, Visit};
use crate::runtime::cancel::Cancel;
use crate::s3::bucket::Bucket;

/// Objects up to this size are fetched whole.
const WHOLE: u64 = 16 << 20;

/// Objects on their way at the same time; how many requests that makes, the bucket decides.
const IN_FLIGHT: usize = 512;

/// Ranges of one large object on their way at the same time, where memory allows.
const DEPTH: u64 = 4;

/// What memory is counted in: a semaphore's permits are 32 bits.
const UNIT: u64 = 1 << 10;

/// How often a worker that waits looks whether it should stop.
const LOOK: Duration = Duration::from_millis(50);

/// How long requests under way may take to tell which other objects may not be read.
const GATHERING: Duration = Duration::from_secs(1);

/// How many of those are named.
const NAMED: usize = 10;

/// GET requests that it takes to read an object of `size` bytes: none for an empty one, one up to [`WHOLE`], and one for
/// each [`RANGE`] of a larger one. (A large compressed object is read twice where bad files are left out.)
#[must_use]
pub const fn requests(size: u64) -> u64 {
    match size {
        0 => 0,
        1..=WHOLE => 1,
        _ => size.div_ceil(RANGE),
    }
}

/// Objects on their way to the workers.
#[derive(Debug)]
pub(super) struct Prefetch {
    inbox: Arc<Inbox>,
    bucket: Bucket,
    /// Ranges of one object on their way at the same time.
    depth: usize,
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
    /// All of it; `None` for what the worker itself fetches.
    body: Option<Bytes>,
    /// The memory that it takes, given back when the worker has read it.
    _room: Option<OwnedSemaphorePermit>,
}

/// Between the runtime and the workers.
#[derive(Debug)]
struct Inbox {
    state: Mutex<State>,
    changed: Condvar,
    room: Arc<Semaphore>,
    /// ShardResult when no more requests are to be started.
    stopping: Notify,
}

#[derive(Debug, Default)]
struct State {
    arrived: VecDeque<Object>,
    /// Workers that wait.
    waiting: usize,
    /// Objects that could not be fetched.
    failures: Vec<(usize, Error)>,
    /// Whether nothing more will arrive.
    is_over: bool,
    /// Whether nobody wants any more.
    is_stopped: bool,
}

impl Inbox {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, file: usize, body: Option<Bytes>, room: Option<OwnedSemaphorePermit>) {
        let mut state = self.state();
        state.arrived.push_back(Object { file, body, _room: room });
        let somebody_waits = state.waiting > 0;
        drop(state);
        if somebody_waits {
            self.changed.notify_one();
        }
    }

    fn fail(&self, file: usize, error: Error) {
        self.state().failures.push((file, error));
        self.stopping.notify_one();
    }
}

/// Tells the workers that nothing more will arrive, however the feeding ended.
struct Ending(Arc<Inbox>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.state().is_over = true;
        self.0.changed.notify_all();
    }
}

impl Prefetch {
    /// Begins to fetch.
    pub(super) fn start(bucket: &Bucket, files: &Arc<[InputFile]>, selection: &Selection, reading: Reading) -> Self {
        let ahead = (reading.ahead / UNIT).clamp(1, u64::from(u32::MAX));
        let threads = reading.threads.max(1) as u64;
        let depth = (reading.ahead / threads / RANGE).clamp(1, DEPTH);
        let mut state = State::default();
        // The large ones first: whoever takes one is busy with it for long.
        for file in selection.iter().copied() {
            let body = match files.get(file).map_or(1, |input| input.size) {
                0 => Some(Bytes::new()),
                1..=WHOLE => continue,
                _ => None,
            };
            state.arrived.push_back(Object { file, body, _room: None });
        }
        let room = Arc::new(Semaphore::new(usize::try_from(ahead).unwrap_or(Semaphore::MAX_PERMITS)));
        let inbox =
            Arc::new(Inbox { state: Mutex::new(state), changed: Condvar::new(), room, stopping: Notify::new() });
        let feeding = feed(bucket.clone(), Arc::clone(files), Arc::clone(selection), Arc::clone(&inbox), ahead);
        drop(bucket.spawn(feeding));
        Self { inbox, bucket: bucket.clone(), depth: usize::try_from(depth).unwrap_or(1) }
    }

    /// Waits for an object; `None` once nobody wants any.
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
                return Err(Error::new(ErrorKind::Internal, "an object was neither fetched nor refused"));
            }
            state.waiting += 1;
            (state, _) = self.inbox.changed.wait_timeout(state, LOOK).unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
    }

    /// Lets everybody go: a worker has failed.
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

/// Fetches what is small enough, until all has arrived or nobody wants more.
async fn feed(bucket: Bucket, files: Arc<[InputFile]>, selection: Selection, inbox: Arc<Inbox>, ahead: u64) {
    let ending = Ending(inbox);
    let inbox = &ending.0;
    let mut under_way = JoinSet::new();
    let is_stopped = {
        let filling = pin!(fill(&bucket, (&files, &selection), inbox, ahead, &mut under_way));
        matches!(select(filling, pin!(inbox.stopping.notified())).await, Either::Right(_))
    };
    if is_stopped && inbox.state().failures.iter().any(|(_, error)| error.kind() == ErrorKind::Access) {
        // Which others may not be read: whoever grants the rights wants to know.
        let all = async { while under_way.join_next().await.is_some() {} };
        drop(tokio::time::timeout(GATHERING, all).await);
    }
}

/// Starts requests in the order of the listing, as memory allows, and waits for all of them.
async fn fill(
    bucket: &Bucket,
    (files, selection): (&Arc<[InputFile]>, &Selection),
    inbox: &Arc<Inbox>,
    ahead: u64,
    under_way: &mut JoinSet<()>,
) {
    let selected = selection.iter().filter_map(|file| Some((*file, files.get(*file)?)));
    for (file, input) in selected.filter(|(_, input)| (1..=WHOLE).contains(&input.size)) {
        let units = u32::try_from(input.size.div_ceil(UNIT).min(ahead)).unwrap_or(u32::MAX);
        let Ok(room) = Arc::clone(&inbox.room).acquire_many_owned(units).await else { break };
        while under_way.len() >= IN_FLIGHT {
            under_way.join_next().await;
        }
        let (bucket, files, inbox) = (bucket.clone(), Arc::clone(files), Arc::clone(inbox));
        under_way.spawn(async move {
            let Some(input) = files.get(file) else { return };
            match fetch(&bucket, input).await {
                Ok(body) => inbox.put(file, Some(body), Some(room)),
                Err(error) => inbox.fail(file, error),
            }
        });
    }
    while under_way.join_next().await.is_some() {}
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
    Err(Error::new(ErrorKind::Retry, format!("{} is not as long as it was listed", bucket.shown(key)))
        .hint("run again when the input is complete; no table was changed")
        .context("path", bucket.shown(key)))
}

/// The first failure in the order of the listing; where objects may not be read, with the names of the first of them.
fn failure(bucket: &Bucket, failures: &mut [(usize, Error)]) -> Error {
    failures.sort_by_key(|(file, _)| *file);
    let Some((_, first)) = failures.first() else { return Error::new(ErrorKind::Internal, "no failure") };
    let denied: Vec<&Error> =
        failures.iter().map(|(_, error)| error).filter(|error| error.kind() == first.kind()).collect();
    if first.kind() != ErrorKind::Access || denied.len() < 2 {
        return first.clone();
    }
    let value = |error: &&Error| {
        error.context_values().iter().find(|(name, _)| *name == "key").map(|(_, key)| bucket.shown(key))
    };
    let keys: Vec<String> = denied.iter().take(NAMED).filter_map(value).collect();
    let more = if denied.len() > NAMED { " and more" } else { "" };
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
    /// Reads an object, chunk by chunk.
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
            let open = || Unpacker::new(Ranges::new(&prefetch.bucket, listed.file, prefetch.depth));
            return self.unpack(listed, open, reading, visit);
        };
        if decompress::format(body).is_some() {
            return self.unpack(listed, || Unpacker::new(&**body), reading, visit);
        }
        whole(object.file, body, visit)
    }

    /// Streams what `open` opens.
    fn unpack<'b>(
        &mut self,
        listed: Listed<'_>,
        open: impl Fn() -> std::io::Result<Unpacker<'b>>,
        reading: Reading,
        visit: &mut Visit<'_>,
    ) -> Result<()> {
        let mut unpacker = open().map_err(|error| listed.failed(error))?;
        if reading.verify_first && unpacker.is_packed() {
            if let Some(code) = broken(listed, &mut unpacker)? {
                return visit(Fetched::Bad { file: listed.index, code });
            }
            unpacker = open().map_err(|error| listed.failed(error))?;
        }
        self.stream(listed, &mut unpacker, reading, visit)
    }
}
