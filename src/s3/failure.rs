//! The failure of one attempt, and its remedy: retry, slow down, renew the credentials, or give up.
//!
//! A [`RequestFailure`] is wrapped by the errors of `object_store` and is found by its type. The text of another
//! crate's error is matched only for a failed DNS lookup, which has no type.
//!
//! Invariant: a failure contains the store's code and message, and never a URL, a header of the request, or a key.

use std::error::Error as StdError;
use std::time::SystemTime;
use std::{fmt, io};

use chrono::DateTime;
use http::HeaderMap;
use object_store::client::HttpError;
use serde::Deserialize;

/// The error codes that ask to slow down, with any status.
const THROTTLING_CODES: [&str; 7] = [
    "SlowDown",
    "SlowDownRead",
    "SlowDownWrite",
    "TooManyRequests",
    "RequestLimitExceeded",
    "Throttling",
    "ThrottlingException",
];

/// The reason why there was no complete response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkFailure {
    /// DNS does not know the host.
    UnknownHost,
    /// The connection was refused, or there is no route to the host.
    Unreachable,
    /// The TLS handshake failed.
    Tls,
    /// No byte arrived in time.
    Timeout,
    /// The connection broke.
    Broken,
}

/// A response that reports an error.
#[derive(Clone, Debug, Default)]
pub struct ErrorResponse {
    /// The HTTP status.
    pub status: u16,
    /// The error code of the store, such as `AccessDenied`; empty if there is none.
    pub code: String,
    /// The error message of the store.
    pub message: String,
    /// The region of the bucket, if the store reports it.
    pub region: Option<String>,
    /// Whether the body is not an error document of S3.
    pub is_foreign: bool,
    /// Seconds by which this machine's clock is ahead of that of the store.
    pub clock_ahead: Option<i64>,
}

/// The failure of one attempt.
#[derive(Clone, Debug)]
pub enum RequestFailure {
    /// The store responded with an error.
    Response(Box<ErrorResponse>),
    /// There was no complete response.
    Network(NetworkFailure, String),
    /// The response is incomplete or cannot be parsed.
    InvalidResponse(String),
    /// There are no valid credentials.
    Credentials(String),
    /// `object_store` cannot represent the key.
    UnsupportedKey(String),
    /// The request was not sent, because this newer key exists; see [`crate::s3::fence`].
    Fenced(String),
}

/// The remedy for a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// There is none: give up.
    None,
    /// Retry after a pause.
    Retry,
    /// Retry after a pause, with fewer requests at the same time.
    SlowDown,
    /// Retry with new credentials.
    RenewCredentials,
}

impl fmt::Display for RequestFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Response(response) => {
                let ErrorResponse { status, code, message, .. } = &**response;
                match (code.is_empty(), message.is_empty()) {
                    (true, true) => write!(formatter, "the store responded with status {status}"),
                    (true, false) => write!(formatter, "the store responded with {message} (status {status})"),
                    (false, true) => write!(formatter, "the store responded with {code} (status {status})"),
                    (false, false) => write!(formatter, "the store responded with {code}: {message} (status {status})"),
                }
            }
            Self::Fenced(newer) => write!(formatter, "the newer object {newer} exists"),
            Self::Network(_, message)
            | Self::InvalidResponse(message)
            | Self::Credentials(message)
            | Self::UnsupportedKey(message) => formatter.write_str(message),
        }
    }
}

impl StdError for RequestFailure {}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct ErrorDocument {
    code: String,
    message: String,
    region: Option<String>,
}

impl RequestFailure {
    /// The failure for a response with this status; `body` is an XML document of S3, or empty.
    #[must_use]
    pub fn from_response(status: u16, headers: &HeaderMap, body: &[u8]) -> Self {
        let parsed: ErrorDocument = quick_xml::de::from_reader(body).unwrap_or_default();
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let is_foreign = parsed.code.is_empty() && !body.is_empty();
        let message = if is_foreign { "a document that is not from S3".to_owned() } else { one_line(&parsed.message) };
        let region = header("x-amz-bucket-region").map(str::to_owned).or(parsed.region);
        Self::Response(Box::new(ErrorResponse {
            status,
            code: one_line(&parsed.code),
            message,
            is_foreign,
            region,
            clock_ahead: clock_ahead(headers),
        }))
    }

    /// The failure that an error of `object_store` contains, or an invalid response if it contains none.
    #[must_use]
    pub fn from_object_store(error: &object_store::Error) -> Self {
        find_source::<Self>(error).cloned().unwrap_or_else(|| Self::InvalidResponse(root_cause(error)))
    }

    /// The failure that an HTTP error contains, or the network failure that it describes.
    #[must_use]
    pub fn from_http(error: &HttpError) -> Self {
        if let Some(failure) = find_source::<Self>(error) {
            return failure.clone();
        }
        let message = root_cause(error);
        let io_kind = find_source::<io::Error>(error).map(|error| innermost_io(error).kind());
        let is_timeout = find_source::<reqwest::Error>(error).is_some_and(reqwest::Error::is_timeout);
        let is_connecting = find_source::<reqwest::Error>(error).is_some_and(reqwest::Error::is_connect);
        let failure = match io_kind {
            Some(
                io::ErrorKind::ConnectionRefused | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable,
            ) => NetworkFailure::Unreachable,
            Some(io::ErrorKind::InvalidData) => NetworkFailure::Tls,
            _ if is_connecting && is_timeout => NetworkFailure::Unreachable,
            Some(io::ErrorKind::TimedOut) => NetworkFailure::Timeout,
            _ if is_timeout => NetworkFailure::Timeout,
            _ if is_connecting && message.contains("lookup") => NetworkFailure::UnknownHost,
            _ => NetworkFailure::Broken,
        };
        Self::Network(failure, one_line(&message))
    }

    fn response(&self) -> Option<&ErrorResponse> {
        if let Self::Response(response) = self { Some(response) } else { None }
    }

    /// Whether the object does not exist. A missing bucket does not count.
    #[must_use]
    pub fn is_missing_object(&self) -> bool {
        self.response()
            .is_some_and(|response| response.status == 404 && response.code != "NoSuchBucket" && !response.is_foreign)
    }

    /// Whether a condition of the request was not met.
    #[must_use]
    pub fn is_failed_condition(&self) -> bool {
        self.response().is_some_and(|response| matches!(response.status, 304 | 412))
    }

    /// Whether the multipart upload does not exist anymore, because it was completed or aborted.
    #[must_use]
    pub fn is_missing_upload(&self) -> bool {
        self.response().is_some_and(|response| response.code == "NoSuchUpload")
    }

    /// The failure for a store that sends only the existing part of a range.
    #[must_use]
    pub fn out_of_range() -> Self {
        Self::Response(Box::new(ErrorResponse { status: 416, ..ErrorResponse::default() }))
    }

    /// Whether the object is shorter than the requested range.
    #[must_use]
    pub fn is_out_of_range(&self) -> bool {
        self.response().is_some_and(|response| response.status == 416)
    }

    /// Whether the store may have executed the request although the attempt failed.
    #[must_use]
    pub fn may_have_succeeded(&self) -> bool {
        match self {
            Self::Response(response) => response.status >= 500 || response.status < 300 || self.is_timeout(),
            Self::Network(failure, _) => matches!(failure, NetworkFailure::Timeout | NetworkFailure::Broken),
            Self::InvalidResponse(_) => true,
            Self::Credentials(_) | Self::UnsupportedKey(_) | Self::Fenced(_) => false,
        }
    }

    /// The region of the bucket, if the store reports it.
    #[must_use]
    pub fn region(&self) -> Option<String> {
        self.response().and_then(|response| response.region.clone())
    }

    fn is_timeout(&self) -> bool {
        self.response().is_some_and(|response| response.code == "RequestTimeout" || response.status == 408)
    }

    /// The remedy that may help.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Response(response) => match (response.status, response.code.as_str()) {
                (_, "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" | "RequestExpired") => {
                    Remedy::RenewCredentials
                }
                (507, _) | (_, "XMinioStorageFull") => Remedy::None,
                (429 | 503, _) => Remedy::SlowDown,
                (_, code) if THROTTLING_CODES.contains(&code) => Remedy::SlowDown,
                (200..=299 | 307 | 408 | 409 | 500 | 502 | 504, _) | (_, "RequestTimeout" | "InternalError") => {
                    Remedy::Retry
                }
                _ => Remedy::None,
            },
            Self::Network(NetworkFailure::Tls, _)
            | Self::Credentials(_)
            | Self::UnsupportedKey(_)
            | Self::Fenced(_) => Remedy::None,
            Self::Network(..) | Self::InvalidResponse(_) => Remedy::Retry,
        }
    }

    /// Whether no server was reached, as with a wrong endpoint.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Network(NetworkFailure::UnknownHost | NetworkFailure::Unreachable, _))
    }
}

/// Seconds by which this machine's clock is ahead of the `Date` header of a response.
#[must_use]
pub fn clock_ahead(headers: &HeaderMap) -> Option<i64> {
    let date = DateTime::parse_from_rfc2822(headers.get("date")?.to_str().ok()?).ok()?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(i64::try_from(now.as_secs()).ok()? - date.timestamp())
}

/// At most 300 characters of a message, without control characters.
fn one_line(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
    line.trim().to_owned()
}

/// The first error of type `E` in the chain of sources.
fn find_source<'e, E: StdError + 'static>(error: &'e (dyn StdError + 'static)) -> Option<&'e E> {
    std::iter::successors(Some(error), |error| (*error).source()).find_map(|error| error.downcast_ref())
}

/// The innermost of nested I/O errors: `source` skips them.
fn innermost_io(error: &io::Error) -> &io::Error {
    error.get_ref().and_then(|inner| inner.downcast_ref()).map_or(error, innermost_io)
}

/// The message of the last error in the chain of sources.
fn root_cause(error: &(dyn StdError + 'static)) -> String {
    std::iter::successors(Some(error), |error| (*error).source()).last().map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, code: &str, rest: &str) -> RequestFailure {
        let body =
            format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>so\nit is</Message>{rest}</Error>");
        let mut headers = HeaderMap::new();
        headers.insert("date", "Wed, 01 Jan 2020 00:00:00 GMT".parse().unwrap());
        RequestFailure::from_response(status, &headers, body.as_bytes())
    }

    #[test]
    fn remedies() {
        for (status, code, remedy) in [
            (503, "", Remedy::SlowDown),
            (429, "", Remedy::SlowDown),
            (400, "RequestTimeout", Remedy::Retry),
            (200, "InternalError", Remedy::Retry),
            (409, "ConditionalRequestConflict", Remedy::Retry),
            (400, "ExpiredToken", Remedy::RenewCredentials),
            (403, "AccessDenied", Remedy::None),
            (412, "PreconditionFailed", Remedy::None),
        ] {
            assert_eq!(response(status, code, "").remedy(), remedy, "{status} {code}");
        }
    }
}
