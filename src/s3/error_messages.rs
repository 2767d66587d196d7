//! Errors for a failed operation on a bucket: the kind, the cause, and a hint that says what to do.
//!
//! Invariant: an error names the operation that failed, and contains nothing that a request was signed with.

use std::time::Duration;

use crate::error::{Error, ErrorKind};
use crate::s3::failure::{ErrorResponse, NetworkFailure, Remedy, RequestFailure};

/// The facts that an error message may mention.
#[derive(Clone, Debug)]
pub struct FailureContext<'s> {
    /// The message, such as `cannot read s3://bucket/key`.
    pub message: String,
    /// The name of the bucket.
    pub bucket: &'s str,
    /// The host of the store.
    pub host: &'s str,
    /// The region that the requests were signed for.
    pub region: &'s str,
    /// The source of the credentials.
    pub credentials_source: &'s str,
    /// Whether the store has responded to any request of this call.
    pub is_reachable: bool,
    /// The number of attempts.
    pub attempts: u32,
    /// The time since the first attempt.
    pub elapsed: Duration,
}

impl FailureContext<'_> {
    /// The error for a failure.
    #[must_use]
    pub fn explain(&self, failure: &RequestFailure) -> Error {
        let Self { bucket, host, region, .. } = self;
        let error = match failure {
            RequestFailure::Response(response) => self.explain_response(failure, response),
            RequestFailure::Network(NetworkFailure::Tls, message) => {
                let (cause, hint) = explain_tls(message);
                self.error(ErrorKind::Configuration, format!("no encrypted connection to {host}: {cause}")).hint(hint)
            }
            RequestFailure::Network(_, message) if failure.is_unreachable() && !self.is_reachable => self
                .error(ErrorKind::Configuration, format!("no server responds at {host}: {message}"))
                .hint("check --endpoint-url, and whether the network allows connections to this host"),
            RequestFailure::Network(_, message) => self
                .error(ErrorKind::Retry, format!("{host}: {message}{}", self.retry_note()))
                .hint("try again; if the error persists, check the network and the store"),
            RequestFailure::InvalidResponse(message) => self
                .error(ErrorKind::Retry, format!("{host} sent an invalid response: {message}{}", self.retry_note()))
                .hint("try again; if the error persists, check the store and any proxy between it and this machine"),
            RequestFailure::Credentials(message) => {
                self.error(ErrorKind::Access, message.clone()).hint(self.correct_credentials())
            }
            RequestFailure::Fenced(_) => {
                self.error(ErrorKind::Retry, failure.to_string()).hint("run again: another run has overtaken this one")
            }
            RequestFailure::UnsupportedKey(message) => self
                .error(ErrorKind::Configuration, message.clone())
                .hint("rename the object: a key must not contain control characters, or parts that are empty, . or .."),
        };
        let error = error.context("bucket", *bucket).context("host", *host).context("region", *region);
        match failure {
            RequestFailure::Response(response) => error.context("status", response.status.to_string()),
            _ => error,
        }
    }

    fn explain_response(&self, failure: &RequestFailure, response: &ErrorResponse) -> Error {
        let Self { bucket, host, region, credentials_source, .. } = self;
        let code = response.code.as_str();
        let is_other_region = response.region.as_deref().is_none_or(|actual| actual != *region);
        match (response.status, code) {
            (_, "InvalidAccessKeyId") => self
                .error(ErrorKind::Access, format!("{host} does not know the access key ID ({code})"))
                .hint(self.correct_credentials()),
            (_, "SignatureDoesNotMatch") => self
                .error(ErrorKind::Access, format!("the secret access key is wrong ({code})"))
                .hint(self.correct_credentials()),
            (_, "InvalidToken" | "InvalidClientTokenId" | "InvalidSecurity") => self
                .error(ErrorKind::Access, format!("the session token is not valid ({code})"))
                .hint(self.correct_credentials()),
            (_, "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired") => self
                .error(ErrorKind::Access, format!("the credentials have expired ({code})"))
                .hint(format!("renew the credentials, which come from: {credentials_source}")),
            (_, "RequestTimeTooSkewed" | "RequestExpired") => self
                .error(ErrorKind::Configuration, format!("{} ({code})", clock_difference(response.clock_ahead)))
                .hint("set this machine's clock, because signatures contain the time"),
            (_, "NoSuchBucket") => self
                .error(ErrorKind::Configuration, format!("{host} has no bucket {bucket}"))
                .hint("check the name of the bucket, or create the bucket"),
            (301, _)
            | (_, "AuthorizationHeaderMalformed" | "PermanentRedirect" | "IllegalLocationConstraintException")
                if is_other_region =>
            {
                self.explain_region(response.region.as_deref())
            }
            (_, "InvalidObjectState") => self
                .error(ErrorKind::Access, failure.to_string())
                .hint("the object is archived: restore it, or remove it from the input"),
            (_, code) if code.starts_with("KMS") => self.error(ErrorKind::Access, failure.to_string()).hint(format!(
                "grant the credentials access to the bucket's KMS key; they come from: {credentials_source}"
            )),
            (507, _) | (_, "XMinioStorageFull" | "QuotaExceeded") => self
                .error(ErrorKind::Storage, failure.to_string())
                .hint("free some space in the store, or raise its quota"),
            (401 | 403, _) if !response.is_foreign => self.error(ErrorKind::Access, failure.to_string()).hint(format!(
                "check what the bucket's policy allows; the credentials come from: {credentials_source}"
            )),
            (_, "NoSuchUpload") => self
                .error(ErrorKind::Retry, failure.to_string())
                .hint("another program ended the multipart upload of this object; try again"),
            (400..=499, _) if response.is_foreign => self
                .error(ErrorKind::Configuration, failure.to_string())
                .hint(format!("{host} may not be an S3 server: check --endpoint-url and any proxy")),
            (404, _) => self.error(ErrorKind::NoInput, failure.to_string()).hint("check the spelling of the key"),
            (416, _) => self
                .error(ErrorKind::Retry, "the object is shorter than it was when it was listed".to_owned())
                .hint("run again when no other program writes to it"),
            (501, _) => self
                .error(ErrorKind::Protocol, failure.to_string())
                .hint("use another store: this one does not support the request"),
            _ if failure.remedy() != Remedy::None => self
                .error(ErrorKind::Retry, format!("{failure}{}", self.retry_note()))
                .hint("try again later; the store is overloaded or has a failure"),
            _ => self
                .error(ErrorKind::Protocol, failure.to_string())
                .hint("check that the store is compatible with S3: it rejected the request as invalid"),
        }
    }

    fn explain_region(&self, actual: Option<&str>) -> Error {
        let Self { bucket, region, .. } = self;
        match actual {
            Some(actual) => self
                .error(
                    ErrorKind::Configuration,
                    format!("bucket {bucket} is in region {actual}, but the request was signed for {region}"),
                )
                .hint(format!("set --region {actual}")),
            None => self
                .error(ErrorKind::Configuration, format!("bucket {bucket} is not in region {region}"))
                .hint("set --region to the region of the bucket"),
        }
    }

    fn error(&self, kind: ErrorKind, cause: String) -> Error {
        Error::new(kind, self.message.clone()).cause(cause)
    }

    fn correct_credentials(&self) -> String {
        format!("correct the credentials, which come from: {}", self.credentials_source)
    }

    /// The number of attempts and their time, if there was more than one.
    fn retry_note(&self) -> String {
        if self.attempts < 2 {
            return String::new();
        }
        format!(" ({} attempts in {:.1} s)", self.attempts, self.elapsed.as_secs_f64())
    }
}

fn clock_difference(seconds_ahead: Option<i64>) -> String {
    match seconds_ahead {
        Some(seconds @ 1..) => format!("this machine's clock is {seconds} s ahead of the store's"),
        Some(seconds) => format!("the store's clock is {} s ahead of this machine's", seconds.unsigned_abs()),
        None => "this machine's clock and the store's differ".to_owned(),
    }
}

/// The cause and the hint for an error message of the TLS library.
fn explain_tls(message: &str) -> (&str, &'static str) {
    if message.contains("UnknownIssuer") || message.contains("BadSignature") {
        return (
            "its certificate is signed by an unknown authority",
            "pass the certificate of the authority with --ca-file",
        );
    }
    if message.contains("CaUsedAsEndEntity") {
        return (
            "its certificate is that of an authority (CA:TRUE), which a server must not use",
            "create a server certificate with CA:FALSE, and pass it or the certificate of its authority with --ca-file",
        );
    }
    if message.contains("InvalidContentType") {
        return (
            "it does not respond with TLS",
            "for a server without encryption, begin --endpoint-url with http:// and set --allow-http",
        );
    }
    (message, "check the server's certificate, or pass one to trust with --ca-file")
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    fn context() -> FailureContext<'static> {
        FailureContext {
            message: "cannot read s3://b/k".to_owned(),
            bucket: "b",
            host: "store.example",
            region: "us-east-1",
            credentials_source: "dl.cfg",
            is_reachable: false,
            attempts: 3,
            elapsed: Duration::from_secs(2),
        }
    }

    fn response(status: u16, code: &str, rest: &str) -> RequestFailure {
        let body =
            format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>so\nit is</Message>{rest}</Error>");
        let mut headers = HeaderMap::new();
        headers.insert("date", "Wed, 01 Jan 2020 00:00:00 GMT".parse().unwrap());
        RequestFailure::from_response(status, &headers, body.as_bytes())
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
            let error = context().explain(&response(status, code, ""));
            assert_eq!(error.kind(), kind, "{code}");
            assert_eq!(error.message(), "cannot read s3://b/k");
            assert!(error.hint_text().is_some(), "{code}");
        }
    }

    #[test]
    fn both_regions_and_the_clock_are_named() {
        let moved = context().explain(&response(301, "PermanentRedirect", "<Region>eu-west-1</Region>"));
        assert_eq!(moved.kind(), ErrorKind::Configuration);
        assert_eq!(moved.hint_text(), Some("set --region eu-west-1"));
        assert!(moved.cause_text().unwrap().contains("us-east-1"));
        let skewed = context().explain(&response(403, "RequestTimeTooSkewed", ""));
        assert!(skewed.cause_text().unwrap().contains("s ahead of the store's"), "{skewed}");
    }

    #[test]
    fn an_unreachable_server_is_a_wrong_endpoint_only_before_its_first_response() {
        let refused = RequestFailure::Network(NetworkFailure::Unreachable, "connection refused".to_owned());
        assert_eq!(context().explain(&refused).kind(), ErrorKind::Configuration);
        assert_eq!(FailureContext { is_reachable: true, ..context() }.explain(&refused).kind(), ErrorKind::Retry);
    }

    #[test]
    fn responses_of_other_servers_are_not_repeated() {
        let page = RequestFailure::from_response(400, &HeaderMap::new(), b"<html>\x1b[31m secret");
        let error = context().explain(&page);
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(!error.to_string().contains("secret"));
        assert!(response(500, "InternalError", "").to_string().contains("so it is"), "one line");
    }
}
