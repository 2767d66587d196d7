//! S3 in memory, for load tests: list, get, put, delete and multipart uploads, with the conditions of S3. If keys are
//! given, signatures are checked.
//!
//! It simulates neither faults nor permissions; the tests have other servers for these.
//!
//! Invariant: an ETag is the MD5 of the bytes (for multipart uploads, of the MD5s of the parts, with the number of
//! parts), and a condition is checked under the same lock as the change that it guards.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use md5::{Digest, Md5};
use s3s::auth::SimpleAuth;
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CommonPrefix, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CreateBucketInput, CreateBucketOutput, CreateMultipartUploadInput,
    CreateMultipartUploadOutput, DeleteObjectInput, DeleteObjectOutput, ETag, ETagCondition, EncodingType,
    GetObjectInput, GetObjectOutput, HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput,
    ListObjectsV2Input, ListObjectsV2Output, Object, PutObjectInput, PutObjectOutput, StreamingBlob, Timestamp,
    UploadPartInput, UploadPartOutput,
};
use s3s::service::S3ServiceBuilder;
use s3s::{Body, S3, S3Request, S3Response, S3Result, s3_error};
use tokio::net::TcpListener;

const MAX_PAGE_KEYS: usize = 1_000;

/// Answers requests until the process ends, each after `delay`.
pub async fn serve(listener: TcpListener, bucket: Option<String>, delay: Duration) -> io::Result<()> {
    let memory = Memory::default();
    if let Some(name) = bucket {
        memory.buckets.write().unwrap_or_else(PoisonError::into_inner).insert(name, Arc::default());
    }
    let mut builder = S3ServiceBuilder::new(memory);
    if let (Ok(id), Ok(secret)) = (std::env::var("AWS_ACCESS_KEY_ID"), std::env::var("AWS_SECRET_ACCESS_KEY")) {
        builder.set_auth(SimpleAuth::from_single(id, secret));
    }
    let service = Arc::new(builder.build());
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = Arc::clone(&service);
        tokio::spawn(async move {
            let answer = service_fn(|request: hyper::Request<Incoming>| {
                let answered = Service::call(service.as_ref(), request);
                async move {
                    if !delay.is_zero() {
                        tokio::time::sleep(delay).await;
                    }
                    answered.await
                }
            });
            // A client that disconnects is not an error.
            drop(http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await);
        });
    }
}

/// An object.
struct Stored {
    bytes: Bytes,
    tag: String,
    modified: SystemTime,
}

impl Stored {
    fn new(bytes: Bytes, tag: String) -> Arc<Self> {
        Arc::new(Self { bytes, tag, modified: SystemTime::now() })
    }

    fn tag(&self) -> ETag {
        ETag::Strong(self.tag.clone())
    }
}

type Bucket = RwLock<BTreeMap<String, Arc<Stored>>>;

/// The parts of an incomplete multipart upload.
type Parts = BTreeMap<i32, (Bytes, [u8; 16])>;

#[derive(Default)]
struct Memory {
    buckets: RwLock<HashMap<String, Arc<Bucket>>>,
    uploads: Mutex<HashMap<String, Parts>>,
}

impl Memory {
    fn bucket(&self, name: &str) -> S3Result<Arc<Bucket>> {
        let buckets = self.buckets.read().unwrap_or_else(PoisonError::into_inner);
        buckets.get(name).cloned().ok_or_else(|| s3_error!(NoSuchBucket, "the bucket does not exist"))
    }

    fn object(&self, bucket: &str, key: &str) -> S3Result<Arc<Stored>> {
        let found = reading(self.bucket(bucket)?.as_ref()).get(key).cloned();
        found.ok_or_else(|| s3_error!(NoSuchKey, "the key does not exist"))
    }

    fn store(
        &self,
        bucket: &str,
        key: String,
        object: Arc<Stored>,
        only_if: Option<&ETagCondition>,
        not_if: Option<&ETagCondition>,
    ) -> S3Result<()> {
        let bucket = self.bucket(bucket)?;
        let mut objects = writing(&bucket);
        check_conditions(objects.get(&key), only_if, not_if)?;
        objects.insert(key, object);
        Ok(())
    }
}

fn reading(bucket: &Bucket) -> RwLockReadGuard<'_, BTreeMap<String, Arc<Stored>>> {
    bucket.read().unwrap_or_else(PoisonError::into_inner)
}

fn writing(bucket: &Bucket) -> RwLockWriteGuard<'_, BTreeMap<String, Arc<Stored>>> {
    bucket.write().unwrap_or_else(PoisonError::into_inner)
}

/// Fails unless If-Match and If-None-Match hold for the current object.
fn check_conditions(
    current: Option<&Arc<Stored>>,
    only_if: Option<&ETagCondition>,
    not_if: Option<&ETagCondition>,
) -> S3Result<()> {
    let is = |condition: &ETagCondition, object: &Stored| match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(tag) => tag.value() == object.tag,
    };
    match (current, only_if, not_if) {
        (None, Some(_), _) => Err(s3_error!(NoSuchKey, "the key does not exist")),
        (Some(object), Some(condition), _) if !is(condition, object) => {
            Err(s3_error!(PreconditionFailed, "If-Match does not hold"))
        }
        (Some(object), _, Some(condition)) if is(condition, object) => {
            Err(s3_error!(PreconditionFailed, "If-None-Match does not hold"))
        }
        _ => Ok(()),
    }
}

/// The complete body.
async fn read_body(body: Option<StreamingBlob>) -> S3Result<Bytes> {
    let Some(mut body) = body else { return Ok(Bytes::new()) };
    let cut = |fault| s3_error!(IncompleteBody, "the body ended early: {fault}");
    let Some(first) = body.try_next().await.map_err(cut)? else { return Ok(Bytes::new()) };
    let Some(second) = body.try_next().await.map_err(cut)? else { return Ok(first) };
    let mut all = BytesMut::from(first);
    all.extend_from_slice(&second);
    while let Some(next) = body.try_next().await.map_err(cut)? {
        all.extend_from_slice(&next);
    }
    Ok(all.freeze())
}

fn md5_of(bytes: &[u8]) -> [u8; 16] {
    Md5::digest(bytes).into()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A key, encoded if `encoding-type=url` is requested.
fn encoded(text: &str, how: Option<&EncodingType>) -> String {
    if how.is_none() {
        return text.to_owned();
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// One page of a listing, after the key `after`: its objects, its common prefixes, and the start of the next page.
fn page(
    objects: &BTreeMap<String, Arc<Stored>>,
    prefix: &str,
    delimiter: Option<&str>,
    after: &str,
    size: usize,
) -> (Vec<(String, Arc<Stored>)>, Vec<String>, Option<String>) {
    let (mut found, mut prefixes) = (Vec::new(), Vec::new());
    // All keys below a common prefix are skipped in one step: they sort before `prefix` + U+10FFFF.
    let beyond = |common: &str| Bound::Excluded(format!("{common}\u{10ffff}"));
    let mut last = after.to_owned();
    let mut from = match delimiter {
        Some(end) if after.ends_with(end) && after.len() > prefix.len() => beyond(after),
        _ if after >= prefix && !after.is_empty() => Bound::Excluded(after.to_owned()),
        _ => Bound::Included(prefix.to_owned()),
    };
    loop {
        let mut skipped = None;
        for (key, object) in objects.range((from.clone(), Bound::Unbounded)) {
            let Some(rest) = key.strip_prefix(prefix) else { return (found, prefixes, None) };
            if found.len() + prefixes.len() == size {
                return (found, prefixes, Some(last));
            }
            if let Some(at) = delimiter.and_then(|end| rest.find(end).map(|at| at + end.len())) {
                let common = key.get(..prefix.len() + at).unwrap_or(key).to_owned();
                last.clone_from(&common);
                skipped = Some(beyond(&common));
                prefixes.push(common);
                break;
            }
            last.clone_from(key);
            found.push((key.clone(), Arc::clone(object)));
        }
        match skipped {
            Some(next) => from = next,
            None => return (found, prefixes, None),
        }
    }
}

#[async_trait::async_trait]
impl S3 for Memory {
    async fn create_bucket(&self, request: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
        let mut buckets = self.buckets.write().unwrap_or_else(PoisonError::into_inner);
        buckets.entry(request.input.bucket).or_default();
        Ok(S3Response::new(CreateBucketOutput::default()))
    }

    async fn head_bucket(&self, request: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        self.bucket(&request.input.bucket)?;
        Ok(S3Response::new(HeadBucketOutput::default()))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        let prefix = input.prefix.unwrap_or_default();
        let after = input.continuation_token.clone().or(input.start_after).unwrap_or_default();
        let size =
            input.max_keys.and_then(|keys| usize::try_from(keys).ok()).unwrap_or(MAX_PAGE_KEYS).clamp(1, MAX_PAGE_KEYS);
        let how = input.encoding_type.as_ref();
        let delimiter = input.delimiter.as_deref().filter(|text| !text.is_empty());
        let (found, prefixes, next) =
            page(&reading(self.bucket(&input.bucket)?.as_ref()), &prefix, delimiter, &after, size);
        let objects = found.into_iter().map(|(key, object)| Object {
            key: Some(encoded(&key, how)),
            size: i64::try_from(object.bytes.len()).ok(),
            e_tag: Some(object.tag()),
            last_modified: Some(Timestamp::from(object.modified)),
            ..Object::default()
        });
        let contents: Vec<_> = objects.collect();
        let common = prefixes.iter().map(|one| CommonPrefix { prefix: Some(encoded(one, how)) });
        Ok(S3Response::new(ListObjectsV2Output {
            key_count: i32::try_from(contents.len() + prefixes.len()).ok(),
            contents: Some(contents),
            common_prefixes: Some(common.collect()),
            is_truncated: Some(next.is_some()),
            next_continuation_token: next,
            continuation_token: input.continuation_token,
            max_keys: i32::try_from(size).ok(),
            delimiter: input.delimiter,
            encoding_type: input.encoding_type,
            prefix: Some(prefix),
            name: Some(input.bucket),
            ..ListObjectsV2Output::default()
        }))
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = request.input;
        let object = self.object(&input.bucket, &input.key)?;
        check_conditions(Some(&object), input.if_match.as_ref(), input.if_none_match.as_ref())?;
        let size = object.bytes.len();
        let (bytes, range) = match input.range {
            None => (object.bytes.clone(), None),
            Some(range) => {
                let part = range.check(size as u64)?;
                let header = format!("bytes {}-{}/{size}", part.start, part.end.saturating_sub(1));
                let place = |at: u64| usize::try_from(at).unwrap_or(size).min(size);
                (object.bytes.slice(place(part.start)..place(part.end)), Some(header))
            }
        };
        Ok(S3Response::new(GetObjectOutput {
            content_length: i64::try_from(bytes.len()).ok(),
            content_range: range,
            e_tag: Some(object.tag()),
            last_modified: Some(Timestamp::from(object.modified)),
            body: Some(StreamingBlob::from(Body::from(bytes))),
            ..GetObjectOutput::default()
        }))
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = request.input;
        let object = self.object(&input.bucket, &input.key)?;
        check_conditions(Some(&object), input.if_match.as_ref(), input.if_none_match.as_ref())?;
        Ok(S3Response::new(HeadObjectOutput {
            content_length: i64::try_from(object.bytes.len()).ok(),
            e_tag: Some(object.tag()),
            last_modified: Some(Timestamp::from(object.modified)),
            ..HeadObjectOutput::default()
        }))
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let input = request.input;
        let bytes = read_body(input.body).await?;
        let object = Stored::new(bytes.clone(), hexadecimal(&md5_of(&bytes)));
        let tag = object.tag();
        self.store(&input.bucket, input.key, object, input.if_match.as_ref(), input.if_none_match.as_ref())?;
        Ok(S3Response::new(PutObjectOutput { e_tag: Some(tag), ..PutObjectOutput::default() }))
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        let input = request.input;
        let bucket = self.bucket(&input.bucket)?;
        let mut objects = writing(&bucket);
        check_conditions(objects.get(&input.key), input.if_match.as_ref(), None)?;
        objects.remove(&input.key);
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let input = request.input;
        self.bucket(&input.bucket)?;
        let mut uploads = self.uploads.lock().unwrap_or_else(PoisonError::into_inner);
        let id = format!("{:x}-{:x}", uploads.len(), SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos());
        uploads.insert(id.clone(), Parts::new());
        Ok(S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(id),
            ..CreateMultipartUploadOutput::default()
        }))
    }

    async fn upload_part(&self, request: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        let input = request.input;
        let bytes = read_body(input.body).await?;
        let sum = md5_of(&bytes);
        let mut uploads = self.uploads.lock().unwrap_or_else(PoisonError::into_inner);
        let parts = uploads.get_mut(&input.upload_id).ok_or_else(no_upload)?;
        parts.insert(input.part_number, (bytes, sum));
        let tag = ETag::Strong(hexadecimal(&sum));
        Ok(S3Response::new(UploadPartOutput { e_tag: Some(tag), ..UploadPartOutput::default() }))
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = request.input;
        let mut uploads = self.uploads.lock().unwrap_or_else(PoisonError::into_inner);
        let parts = uploads.get(&input.upload_id).ok_or_else(no_upload)?;
        let (mut bytes, mut digests, mut count) = (BytesMut::new(), Vec::new(), 0);
        for part in input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default() {
            let known = part.part_number.and_then(|number| parts.get(&number));
            let (piece, sum) = known.ok_or_else(|| s3_error!(InvalidPart, "a part is missing"))?;
            bytes.extend_from_slice(piece);
            digests.extend_from_slice(sum);
            count += 1;
        }
        let tag = format!("{}-{count}", hexadecimal(&md5_of(&digests)));
        let object = Stored::new(bytes.freeze(), tag);
        let tag = object.tag();
        let key = input.key.clone();
        self.store(&input.bucket, key, object, input.if_match.as_ref(), input.if_none_match.as_ref())?;
        uploads.remove(&input.upload_id);
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            e_tag: Some(tag),
            ..CompleteMultipartUploadOutput::default()
        }))
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let mut uploads = self.uploads.lock().unwrap_or_else(PoisonError::into_inner);
        uploads.remove(&request.input.upload_id).ok_or_else(no_upload)?;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }
}

fn no_upload() -> s3s::S3Error {
    s3_error!(NoSuchUpload, "the upload does not exist")
}
