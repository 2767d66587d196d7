//! The S3 client, built on `object_store`: buckets, credentials, retries, concurrency limits, and request counters.
//!
//! [`stores::Stores`] opens the buckets of a call; [`bucket::Bucket`] lists, gets, puts and deletes objects.

mod adaptive_concurrency;
pub mod aws_settings;
pub mod bucket;
mod bucket_url;
mod client;
pub mod conditions;
mod connection;
mod credentials;
mod error_messages;
mod failure;
pub mod fence;
mod http_transport;
pub mod list_parallel;
mod list_xml;
mod multipart;
pub mod object;
mod object_settings;
pub mod request_metrics;
mod retry;
pub mod settings;
mod signed_request;
pub mod stores;
