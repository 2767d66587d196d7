//! What went wrong with one attempt, and what that means: try again, give up, and which words to say.
//!
//! A [`RequestFailure`] travels inside the libraries' errors and is found again by its type, so nothing here matches the text of
//! an error of another crate, with one exception: nobody types a failed look-up of a name.
//!
//! Invariant: a failure holds the store's code and message and never a URL, a header that was sent, or a key.

use std::error::Error as StdError;
use std::time::SystemTime;
use std::{fmt, io};

use chrono::DateTime;
use http::HeaderMap;
use object_store::client::HttpError;
use serde::Deserialize;

/// The codes with which stores ask to slow down, whatever the status.
const THROTTLING: [&str; 7] = [
    "SlowDown",
    "SlowDownRead",
    "SlowDownWrite",
    "TooManyRequests",
    "RequestLimitExceeded",
    "Throttling",
    "ThrottlingException",
];

/// Why nothing answered, or not to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The host's name is not known.
    Name,
    /// Nobody listens there, or no way leads there.
    Refused,
    /// No encrypted connection comes about.
    Tls,
    /// Silence for too long.
    Silence,
    /// Whatever else a network does.
    Broken,
}

/// What the store said instead of doing as it was asked.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The store's code, such as `AccessDenied`; empty when it gave none.
    pub code: String,
    /// Its words.
    pub message: String,
    /// The region that the bucket is in, where the store tells.
    pub region: Option<String>,
    /// Whether the body was something else than S3's.
    pub foreign: bool,
    /// Seconds by which this machine's clock is ahead of the store's.
    pub ahead: Option<i64>,
}

/// What went wrong with one attempt.
#[derive(Clone, Debug)]
pub enum RequestFailure {
    /// The store answered with an error.
    Answer(Box<Answer>),
    /// Nothing answered.
    Network(Trouble, String),
    /// An answer that is cut short or makes no sense.
    Garbled(String),
    /// No credentials to sign with.
    Credentials(String),
    /// The library cannot express such a key.
    Key(String),
}

/// What to do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Nothing helps.
    None,
    /// The same again, a little later.
    Again,
    /// The same again, and fewer at once.
    Slower,
    /// The same again with fresh credentials.
    Renew,
}

impl fmt::Display for RequestFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(answer) => {
                let Answer { status, code, message, .. } = &**answer;
                match (code.is_empty(), message.is_empty()) {
                    (true, true) => write!(formatter, "the store answered with status {status}"),
                    (true, false) => write!(formatter, "the store answered {message} (status {status})"),
                    (false, true) => write!(formatter, "the store answered {code} (status {status})"),
                    (false, false) => write!(formatter, "the store answered {code}: {message} (status {status})"),
                }
            }
            Self::Network(_, words) | Self::Garbled(words) | Self::Credentials(words) | Self::Key(words) => {
                formatter.write_str(words)
            }
        }
    }
}

impl StdError for RequestFailure {}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Body {
    code: String,
    message: String,
    region: Option<String>,
}

impl RequestFailure {
    /// The failure that an answer with this status is; `body` is S3's XML, if anything.
    #[must_use]
    pub fn answer(status: u16, headers: &HeaderMap, body: &[u8]) -> Self {
        let parsed: Body = quick_xml::de::from_reader(body).unwrap_or_default();
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let foreign = parsed.code.is_empty() && !body.is_empty();
        let message = if foreign { "something that is not S3's".to_owned() } else { tidy(&parsed.message) };
        let region = header("x-amz-bucket-region").map(str::to_owned).or(parsed.region);
        Self::Answer(Box::new(Answer {
            status,
            code: tidy(&parsed.code),
            message,
            foreign,
            region,
            ahead: ahead(headers),
        }))
    }

    /// The failure inside an error of the library: ours where it carries one.
    #[must_use]
    pub fn of(error: &object_store::Error) -> Self {
        find::<Self>(error).cloned().unwrap_or_else(|| Self::Garbled(innermost(error)))
    }

    /// The failure of an HTTP exchange: ours where it carries one.
    #[must_use]
    pub fn of_http(error: &HttpError) -> Self {
        if let Some(failure) = find::<Self>(error) {
            return failure.clone();
        }
        let words = innermost(error);
        let cause = find::<io::Error>(error).map(|error| nested(error).kind());
        let timed_out = find::<reqwest::Error>(error).is_some_and(reqwest::Error::is_timeout);
        let connecting = find::<reqwest::Error>(error).is_some_and(reqwest::Error::is_connect);
        let trouble = match cause {
            Some(
                io::ErrorKind::ConnectionRefused | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable,
            ) => Trouble::Refused,
            Some(io::ErrorKind::InvalidData) => Trouble::Tls,
            _ if connecting && timed_out => Trouble::Refused,
            Some(io::ErrorKind::TimedOut) => Trouble::Silence,
            _ if timed_out => Trouble::Silence,
            _ if connecting && words.contains("lookup") => Trouble::Name,
            _ => Trouble::Broken,
        };
        Self::Network(trouble, tidy(&words))
    }

    fn said(&self) -> Option<&Answer> {
        if let Self::Answer(answer) = self { Some(answer) } else { None }
    }

    /// Whether the object is not there; a missing bucket is something else.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        self.said().is_some_and(|answer| answer.status == 404 && answer.code != "NoSuchBucket" && !answer.foreign)
    }

    /// Whether a condition of the request did not hold.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.said().is_some_and(|answer| matches!(answer.status, 304 | 412))
    }

    /// Whether another operation on the same object got in the way; `true` also where a store says so of one that exists.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.said().is_some_and(|answer| answer.status == 409)
    }

    /// Whether the multipart upload is over, one way or the other.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.said().is_some_and(|answer| answer.code == "NoSuchUpload")
    }

    /// The failure of a store that sends the part of a range that there is.
    #[must_use]
    pub fn out_of_range() -> Self {
        Self::Answer(Box::new(Answer { status: 416, ..Answer::default() }))
    }

    /// Whether the object ends before the range does.
    #[must_use]
    pub fn is_out_of_range(&self) -> bool {
        self.said().is_some_and(|answer| answer.status == 416)
    }

    /// Whether the attempt may have had its effect all the same.
    #[must_use]
    pub fn is_unclear(&self) -> bool {
        match self {
            Self::Answer(answer) => answer.status >= 500 || answer.status < 300 || self.is_timeout(),
            Self::Network(trouble, _) => matches!(trouble, Trouble::Silence | Trouble::Broken),
            Self::Garbled(_) => true,
            Self::Credentials(_) | Self::Key(_) => false,
        }
    }

    /// The bucket's region, where the store tells.
    #[must_use]
    pub fn region(&self) -> Option<String> {
        self.said().and_then(|answer| answer.region.clone())
    }

    fn is_timeout(&self) -> bool {
        self.said().is_some_and(|answer| answer.code == "RequestTimeout" || answer.status == 408)
    }

    /// What may help.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Answer(answer) => match (answer.status, answer.code.as_str()) {
                (_, "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" | "RequestExpired") => {
                    Remedy::Renew
                }
                (507, _) | (_, "XMinioStorageFull") => Remedy::None,
                (429 | 503, _) => Remedy::Slower,
                (_, code) if THROTTLING.contains(&code) => Remedy::Slower,
                (200..=299 | 307 | 408 | 409 | 500 | 502 | 504, _) | (_, "RequestTimeout" | "InternalError") => {
                    Remedy::Again
                }
                _ => Remedy::None,
            },
            Self::Network(Trouble::Tls, _) | Self::Credentials(_) | Self::Key(_) => Remedy::None,
            Self::Network(..) | Self::Garbled(_) => Remedy::Again,
        }
    }

    /// Whether nothing was there to answer, as with a wrong endpoint.
    #[must_use]
    pub fn is_nobody(&self) -> bool {
        matches!(self, Self::Network(Trouble::Name | Trouble::Refused, _))
    }
}

/// Seconds by which this machine's clock is ahead of the one that dated an answer.
#[must_use]
pub fn ahead(headers: &HeaderMap) -> Option<i64> {
    let date = DateTime::parse_from_rfc2822(headers.get("date")?.to_str().ok()?).ok()?;
    let here = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(i64::try_from(here.as_secs()).ok()? - date.timestamp())
}

/// The store's words on one line of bearable length, with nothing that moves a cursor.
fn tidy(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
    line.trim().to_owned()
}

/// The first error of type `E` in the chain.
fn find<'e, E: StdError + 'static>(error: &'e (dyn StdError + 'static)) -> Option<&'e E> {
    std::iter::successors(Some(error), |error| (*error).source()).find_map(|error| error.downcast_ref())
}

/// The I/O error inside I/O errors: `source` steps over it.
fn nested(error: &io::Error) -> &io::Error {
    error.get_ref().and_then(|inner| inner.downcast_ref()).map_or(error, nested)
}

/// The words of the error that caused all others.
fn innermost(error: &(dyn StdError + 'static)) -> String {
    std::iter::successors(Some(error), |error| (*error).source()).last().map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, code: &str, rest: &str) -> RequestFailure {
        let body =
            format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>so\nit is</Message>{rest}</Error>");
        let mut headers = HeaderMap::new();
        headers.insert("date", "Wed, 01 Jan 2020 00:00:00 GMT".parse().unwrap());
        RequestFailure::answer(status, &headers, body.as_bytes())
    }

    #[test]
    fn remedies() {
        for (status, code, remedy) in [
            (503, "", Remedy::Slower),
            (429, "", Remedy::Slower),
            (400, "RequestTimeout", Remedy::Again),
            (200, "InternalError", Remedy::Again),
            (409, "ConditionalRequestConflict", Remedy::Again),
            (400, "ExpiredToken", Remedy::Renew),
            (403, "AccessDenied", Remedy::None),
            (412, "PreconditionFailed", Remedy::None),
        ] {
            assert_eq!(answer(status, code, "").remedy(), remedy, "{status} {code}");
        }
    }
}
