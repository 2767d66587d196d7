//! What people and schedulers are told about a failure: the kind, the cause, what to do.
//!
//! Invariant: an explanation names what could not be done, and nothing that a request was signed with.

use std::time::Duration;

use crate::error::{Error, ErrorKind};
use crate::s3::failure::{Answer, Remedy, RequestFailure, Trouble};

/// What an explanation may refer to.
#[derive(Clone, Debug)]
pub struct FailureContext<'s> {
    /// What cannot be done, such as `cannot read s3://bucket/key`.
    pub doing: String,
    /// The bucket.
    pub bucket: &'s str,
    /// The host that was asked.
    pub host: &'s str,
    /// The region that requests were signed for.
    pub region: &'s str,
    /// Where the credentials came from.
    pub origin: &'s str,
    /// Whether anything has answered in this call.
    pub reached: bool,
    /// Attempts that were made.
    pub tries: u32,
    /// The time they took.
    pub elapsed: Duration,
}

impl FailureContext<'_> {
    /// The error for people and schedulers.
    #[must_use]
    pub fn explain(&self, failure: &RequestFailure) -> Error {
        let Self { doing, bucket, host, region, origin, .. } = self;
        let error = |kind, cause: String| Error::new(kind, doing.clone()).cause(cause);
        let credentials = format!("the credentials are those of: {origin}");
        match failure {
            RequestFailure::Answer(answer) => self.explain_answer(failure, answer, &credentials),
            RequestFailure::Network(Trouble::Tls, words) => {
                let (why, hint) = encryption(words);
                error(ErrorKind::Configuration, format!("no encrypted connection to {host}: {why}")).hint(hint)
            }
            RequestFailure::Network(_, words) if failure.is_nobody() && !self.reached => {
                error(ErrorKind::Configuration, format!("nothing answers at {host}: {words}"))
                    .hint("check --endpoint-url, and that the network lets this machine through")
            }
            RequestFailure::Network(_, words) => error(ErrorKind::Retry, format!("{host}: {words}{}", self.effort()))
                .hint("try again; if it persists, check the network and the store"),
            RequestFailure::Garbled(words) => {
                error(ErrorKind::Retry, format!("{host} answered, but not whole: {words}{}", self.effort()))
                    .hint("try again; if it persists, check the store and any proxy before it")
            }
            RequestFailure::Credentials(words) => error(ErrorKind::Access, words.clone()).hint(credentials),
            RequestFailure::Key(words) => error(ErrorKind::Configuration, words.clone())
                .hint("keys have no empty, . or .. parts and no control characters here; rename the object"),
        }
        .context("bucket", *bucket)
        .context("host", *host)
        .context("region", *region)
    }

    fn explain_answer(&self, failure: &RequestFailure, answer: &Answer, credentials: &str) -> Error {
        let Self { doing, bucket, host, region, .. } = self;
        let error = |kind, cause: String| Error::new(kind, doing.clone()).cause(cause);
        let code = answer.code.as_str();
        match (answer.status, code) {
            (_, "InvalidAccessKeyId") => {
                error(ErrorKind::Access, format!("{host} does not know this access key id ({code})")).hint(credentials)
            }
            (_, "SignatureDoesNotMatch") => {
                error(ErrorKind::Access, format!("the secret access key is wrong ({code})")).hint(credentials)
            }
            (_, "InvalidToken" | "InvalidClientTokenId" | "InvalidSecurity") => {
                error(ErrorKind::Access, format!("the session token is not valid ({code})")).hint(credentials)
            }
            (_, "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired") => {
                error(ErrorKind::Access, format!("the credentials have expired ({code})"))
                    .hint(format!("get new ones; {credentials}"))
            }
            (_, "RequestTimeTooSkewed" | "RequestExpired") => {
                let clock = match answer.ahead {
                    Some(seconds @ 1..) => format!("this machine's clock is {seconds} s ahead of the store's"),
                    Some(seconds) => format!("this machine's clock is {} s behind the store's", seconds.unsigned_abs()),
                    None => "this machine's clock and the store's differ".to_owned(),
                };
                error(ErrorKind::Configuration, format!("{clock} ({code})"))
                    .hint("set the clock; requests are signed with the time")
            }
            (_, "NoSuchBucket") => error(ErrorKind::Configuration, format!("{host} has no bucket {bucket}"))
                .hint("check the bucket's name; this program creates none"),
            (301, _)
            | (_, "AuthorizationHeaderMalformed" | "PermanentRedirect" | "IllegalLocationConstraintException")
                if answer.region.as_deref().is_none_or(|real| real != *region) =>
            {
                match &answer.region {
                    Some(real) => error(
                        ErrorKind::Configuration,
                        format!("bucket {bucket} is in region {real}, the request was for {region}"),
                    )
                    .hint(format!("set --region {real}")),
                    None => error(ErrorKind::Configuration, format!("bucket {bucket} is not in region {region}"))
                        .hint("set --region to the bucket's own"),
                }
            }
            (_, "InvalidObjectState") => error(ErrorKind::Access, failure.to_string())
                .hint("the object is archived: restore it, or leave it out of the input"),
            (_, code) if code.starts_with("KMS") => error(ErrorKind::Access, failure.to_string())
                .hint(format!("the credentials need the right to use the bucket's key in KMS; {credentials}")),
            (507, _) | (_, "XMinioStorageFull" | "QuotaExceeded") => {
                error(ErrorKind::Storage, failure.to_string()).hint("the store has no room left")
            }
            (401 | 403, _) if !answer.foreign => error(ErrorKind::Access, failure.to_string())
                .hint(format!("check what the bucket's policy allows; {credentials}")),
            (_, "NoSuchUpload") => error(ErrorKind::Retry, failure.to_string())
                .hint("somebody else ended the upload of this object; try again"),
            (400..=499, _) if answer.foreign => error(ErrorKind::Configuration, failure.to_string())
                .hint(format!("what answers at {host} may not be S3: check --endpoint-url and proxies")),
            (404, _) => error(ErrorKind::NoInput, failure.to_string()).hint("check the spelling of the key"),
            (416, _) => error(ErrorKind::Retry, "the object is shorter than it was when it was listed".to_owned())
                .hint("run again once nothing writes there"),
            (501, _) => error(ErrorKind::Protocol, failure.to_string()).hint("this store lacks what is needed here"),
            _ if failure.remedy() != Remedy::None => error(ErrorKind::Retry, format!("{failure}{}", self.effort()))
                .hint("try again later; the store is overloaded or out of order"),
            _ => error(ErrorKind::Protocol, failure.to_string()).hint("the store did not understand the request"),
        }
    }

    /// How long it was tried, where more than once.
    fn effort(&self) -> String {
        if self.tries < 2 {
            return String::new();
        }
        format!(" (tried {} times in {:.1} s)", self.tries, self.elapsed.as_secs_f64())
    }
}

/// The words of the TLS library in people's words, where they need it, and what to do.
fn encryption(words: &str) -> (&str, &'static str) {
    if words.contains("UnknownIssuer") || words.contains("BadSignature") {
        return (
            "nobody whom this machine trusts signed its certificate",
            "name the certificate of its signer with --ca-file",
        );
    }
    if words.contains("CaUsedAsEndEntity") {
        let why = "its certificate is an authority's own (CA:TRUE), and no server may use such a one";
        return (why, "make the server a certificate with CA:FALSE, and name that or its signer with --ca-file");
    }
    if words.contains("InvalidContentType") {
        return (
            "it does not answer in TLS",
            "an endpoint without encryption begins with http:// and wants --allow-http",
        );
    }
    (words, "check the server's certificate; --ca-file names one to trust")
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    fn scene() -> FailureContext<'static> {
        FailureContext {
            doing: "cannot read s3://b/k".to_owned(),
            bucket: "b",
            host: "store.example",
            region: "us-east-1",
            origin: "dl.cfg",
            reached: false,
            tries: 3,
            elapsed: Duration::from_secs(2),
        }
    }

    fn answer(status: u16, code: &str, rest: &str) -> RequestFailure {
        let body =
            format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>so\nit is</Message>{rest}</Error>");
        let mut headers = HeaderMap::new();
        headers.insert("date", "Wed, 01 Jan 2020 00:00:00 GMT".parse().unwrap());
        RequestFailure::answer(status, &headers, body.as_bytes())
    }

    #[test]
    fn every_cause_has_its_kind() {
        for (status, code, kind) in [
            (403, "InvalidAccessKeyId", ErrorKind::Access),
            (403, "SignatureDoesNotMatch", ErrorKind::Access),
            (400, "ExpiredToken", ErrorKind::Access),
            (403, "AccessDenied", ErrorKind::Access),
            (403, "InvalidObjectState", ErrorKind::Access),
            (400, "KMS.DisabledException", ErrorKind::Access),
            (404, "NoSuchBucket", ErrorKind::Configuration),
            (404, "NoSuchKey", ErrorKind::NoInput),
            (403, "RequestTimeTooSkewed", ErrorKind::Configuration),
            (503, "SlowDown", ErrorKind::Retry),
            (500, "InternalError", ErrorKind::Retry),
            (409, "OperationAborted", ErrorKind::Retry),
            (507, "XMinioStorageFull", ErrorKind::Storage),
            (501, "NotImplemented", ErrorKind::Protocol),
        ] {
            let error = scene().explain(&answer(status, code, ""));
            assert_eq!(error.kind(), kind, "{code}");
            assert_eq!(error.message(), "cannot read s3://b/k");
            assert!(error.hint_text().is_some(), "{code}");
        }
    }

    #[test]
    fn both_regions_and_the_clock_are_named() {
        let moved = scene().explain(&answer(301, "PermanentRedirect", "<Region>eu-west-1</Region>"));
        assert_eq!(moved.kind(), ErrorKind::Configuration);
        assert_eq!(moved.hint_text(), Some("set --region eu-west-1"));
        assert!(moved.cause_text().unwrap().contains("us-east-1"));
        let skewed = scene().explain(&answer(403, "RequestTimeTooSkewed", ""));
        assert!(skewed.cause_text().unwrap().contains("s ahead of the store's"), "{skewed}");
    }

    #[test]
    fn nobody_there_is_a_wrong_endpoint_until_somebody_was() {
        let refused = RequestFailure::Network(Trouble::Refused, "connection refused".to_owned());
        assert_eq!(scene().explain(&refused).kind(), ErrorKind::Configuration);
        assert_eq!(FailureContext { reached: true, ..scene() }.explain(&refused).kind(), ErrorKind::Retry);
    }

    #[test]
    fn answers_of_strangers_are_not_repeated() {
        let page = RequestFailure::answer(400, &HeaderMap::new(), b"<html>\x1b[31m secret");
        let error = scene().explain(&page);
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(!error.to_string().contains("secret"));
        assert!(answer(500, "InternalError", "").to_string().contains("so it is"), "one line");
    }
}
