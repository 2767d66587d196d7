//! S3 through `object_store`: buckets, credentials, retries, limits on concurrency, and the count of requests.
//!
//! [`stores::Stores`] opens the buckets of one call; [`bucket::Bucket`] lists, gets, puts and deletes.

pub mod adaptive_concurrency;
pub mod bucket;
pub mod client;
pub mod connection;
pub mod credentials;
pub mod error_messages;
pub mod failure;
pub mod http_transport;
pub mod list_parallel;
pub mod list_xml;
pub mod multipart;
pub mod object;
pub mod request_metrics;
pub mod retry;
pub mod settings;
pub mod signed_request;
pub mod stores;
