//! What the user said about object stores: region, endpoint, credentials.
//!
//! Values only; nothing is looked up here.
//!
//! Invariant: a secret leaves a [`Secret`] only through [`Secret::reveal`]; it prints as stars.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// A text that is shown to nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// Hides `text`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one who signs with it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

/// Credentials that the user gave, rather than left to be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// `AWS_ACCESS_KEY_ID`.
    pub access_key_id: Secret,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret_access_key: Secret,
    /// `AWS_SESSION_TOKEN`, with temporary credentials.
    pub session_token: Option<Secret>,
    /// Where they were given, such as `dl.cfg`.
    pub origin: String,
}

/// How object stores are reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreSettings {
    /// The bucket's region; found out when absent.
    pub region: Option<String>,
    /// Another server than AWS, such as MinIO; addressed path style.
    pub endpoint_url: Option<String>,
    /// A profile of `~/.aws/config` and `~/.aws/credentials`.
    pub profile: Option<String>,
    /// Whether plain HTTP is acceptable.
    pub allow_http: bool,
    /// Whether requests go unsigned, for public buckets.
    pub anonymous: bool,
    /// A PEM file with certificates to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// How long one operation on a failing store is tried again.
    pub patience: Duration,
    /// Credentials that were given.
    pub keys: Option<Keys>,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            region: None,
            endpoint_url: None,
            profile: None,
            allow_http: false,
            anonymous: false,
            ca_file: None,
            patience: Duration::from_secs(60),
            keys: None,
        }
    }
}
