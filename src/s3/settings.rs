//! The settings for object stores: region, endpoint, credentials.
//!
//! Each value is checked on its own; nothing is looked up here.
//!
//! Invariant: only [`Secret::reveal`] returns the text of a [`Secret`]; its `Debug` output is `***`.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::s3::object_settings::{ObjectSettings, when_set};

/// Settings that are not options: the credentials and their source. Errors and reports do not contain the credentials.
pub const SECRETS: [&str; 4] = ["access_key_id", "secret_access_key", "session_token", "keys_origin"];

/// How long to keep retrying an operation by default.
const DEFAULT_PATIENCE: Duration = Duration::from_secs(60);

/// A text that must not be displayed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// Wraps `text`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The text, for signing.
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

/// Credentials that the user specified; otherwise they are looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// `AWS_ACCESS_KEY_ID`.
    pub access_key_id: Secret,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret_access_key: Secret,
    /// `AWS_SESSION_TOKEN`, for temporary credentials.
    pub session_token: Option<Secret>,
    /// Their source, such as `dl.cfg`.
    pub origin: String,
}

/// Where a URL has the name of the bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AddressingStyle {
    /// In the host at AWS, and in the path at another endpoint.
    #[default]
    Auto,
    /// In the host, unless the name is not allowed there.
    Virtual,
    /// In the path.
    Path,
}

impl AddressingStyle {
    const ALL: [Self; 3] = [Self::Auto, Self::Virtual, Self::Path];

    /// The style with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|style| style.name() == name)
    }

    /// The name of the style.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Virtual => "virtual",
            Self::Path => "path",
        }
    }
}

/// The settings for object stores.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a separate flag of the command line")]
pub struct StoreSettings {
    /// The bucket's region; by default the bucket is asked for it.
    pub region: Option<String>,
    /// The URL of a server other than AWS, such as MinIO.
    pub endpoint_url: Option<String>,
    /// Where a URL has the name of the bucket.
    pub addressing_style: AddressingStyle,
    /// Whether AWS is reached at its FIPS endpoints.
    pub use_fips_endpoint: bool,
    /// Whether AWS is reached at its endpoints for IPv4 and IPv6.
    pub use_dualstack_endpoint: bool,
    /// A profile of `~/.aws/config` and `~/.aws/credentials`.
    pub profile: Option<String>,
    /// Whether `endpoint_url` may be `http://`.
    pub allow_http: bool,
    /// Whether requests are sent without a signature, for public buckets.
    pub anonymous: bool,
    /// A PEM file with certificates to trust in addition to the system's.
    pub ca_file: Option<PathBuf>,
    /// How long to keep retrying an operation.
    pub patience: Duration,
    /// The settings for requests and for the objects that a run writes.
    pub objects: ObjectSettings,
    /// Credentials that the user specified.
    pub keys: Option<Keys>,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            region: None,
            endpoint_url: None,
            addressing_style: AddressingStyle::Auto,
            use_fips_endpoint: false,
            use_dualstack_endpoint: false,
            profile: None,
            allow_http: false,
            anonymous: false,
            ca_file: None,
            patience: DEFAULT_PATIENCE,
            objects: ObjectSettings::default(),
            keys: None,
        }
    }
}

impl StoreSettings {
    /// Reads the settings: `text` returns the value of a name, `flag` the value of a Boolean option.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] for an invalid value.
    pub fn read<'t>(
        text: impl Fn(&str) -> Option<&'t str>,
        flag: impl Fn(&'static str) -> Result<bool>,
    ) -> Result<Self> {
        let secret = |name: &str| text(name).map(Secret::new);
        let keys = match (secret("access_key_id"), secret("secret_access_key")) {
            (Some(access_key_id), Some(secret_access_key)) => Some(Keys {
                access_key_id,
                secret_access_key,
                session_token: secret("session_token"),
                origin: text("keys_origin").unwrap_or("arguments").to_owned(),
            }),
            (None, None) => None,
            (id, _) => {
                let (present, missing) = if id.is_some() { (SECRETS[0], SECRETS[1]) } else { (SECRETS[1], SECRETS[0]) };
                return Err(Error::new(ErrorKind::Configuration, format!("{present} is set, but {missing} is not"))
                    .hint("set both, or neither to look up the credentials")
                    .context("option", missing));
            }
        };
        Ok(Self {
            region: text("region").map(region).transpose()?,
            endpoint_url: text("endpoint_url").map(endpoint).transpose()?,
            addressing_style: text("addressing_style").map_or(Ok(AddressingStyle::Auto), addressing_style)?,
            use_fips_endpoint: flag("use_fips_endpoint")?,
            use_dualstack_endpoint: flag("use_dualstack_endpoint")?,
            profile: text("profile").map(str::to_owned),
            allow_http: flag("allow_http")?,
            anonymous: flag("anonymous")?,
            ca_file: text("ca_file").map(PathBuf::from),
            patience: text("store_patience").map_or(Ok(DEFAULT_PATIENCE), patience)?,
            objects: ObjectSettings::read(&text, &flag)?,
            keys,
        })
    }

    /// The options as text in the form that [`Self::read`] takes, without credentials. An option that is not set is
    /// empty.
    pub fn texts(&self) -> impl Iterator<Item = (&'static str, String)> {
        let ca_file = self.ca_file.as_deref().map(crate::error::shown);
        let access = [
            ("region", self.region.clone().unwrap_or_default()),
            ("endpoint_url", self.endpoint_url.clone().unwrap_or_default()),
            ("addressing_style", self.addressing_style.name().to_owned()),
            ("use_fips_endpoint", when_set(self.use_fips_endpoint)),
            ("use_dualstack_endpoint", when_set(self.use_dualstack_endpoint)),
            ("profile", self.profile.clone().unwrap_or_default()),
            ("allow_http", self.allow_http.to_string()),
            ("anonymous", self.anonymous.to_string()),
            ("ca_file", ca_file.unwrap_or_default()),
            ("store_patience", patience_text(self.patience)),
        ];
        access.into_iter().chain(self.objects.texts())
    }
}

fn invalid(option: &'static str, message: String, hint: &str) -> Error {
    Error::new(ErrorKind::Configuration, message).hint(hint).context("option", option)
}

fn region(value: &str) -> Result<String> {
    if value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
        return Ok(value.to_owned());
    }
    Err(invalid("region", format!("region cannot be {value:?}"), "it takes a name such as eu-west-1"))
}

fn endpoint(value: &str) -> Result<String> {
    // The message does not repeat the value, because it may contain a secret.
    let wrong = |message: &str, hint: &str| Err(invalid("endpoint_url", format!("endpoint_url {message}"), hint));
    let url = match Url::parse(value) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => url,
        _ => return wrong("is not the URL of a server", "write a URL such as https://storage.example.com:9000"),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return wrong(
            "contains a user or a password",
            "remove them, and put credentials in dl.cfg or in the environment",
        );
    }
    if url.query().is_some() || url.fragment().is_some() {
        return wrong("contains a query or a fragment", "remove ? or #, and everything after it");
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn addressing_style(value: &str) -> Result<AddressingStyle> {
    AddressingStyle::from_name(value).ok_or_else(|| {
        let message = format!("addressing_style cannot be {value:?}");
        invalid("addressing_style", message, "it takes one of auto, virtual, path")
    })
}

fn patience(value: &str) -> Result<Duration> {
    let digits = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    let (number, unit) = value.split_at(digits);
    let factor = match unit.trim() {
        "ms" => Some(1),
        "" | "s" => Some(1_000),
        "m" | "min" => Some(60_000),
        _ => None,
    };
    let millis = factor.and_then(|factor| number.parse::<u64>().ok()?.checked_mul(factor));
    millis.filter(|millis| *millis <= 3_600_000).map(Duration::from_millis).ok_or_else(|| {
        let message = format!("store_patience cannot be {value:?}");
        invalid("store_patience", message, "it takes a time such as 60s or 5m, at most one hour")
    })
}

fn patience_text(patience: Duration) -> String {
    match patience.as_millis() {
        millis if millis.is_multiple_of(1_000) => format!("{}s", millis / 1_000),
        millis => format!("{millis}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(settings: &[(&str, &'static str)]) -> Result<StoreSettings> {
        let text = |name: &str| settings.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        StoreSettings::read(text, |name| Ok(text(name) == Some("true")))
    }

    #[test]
    fn settings_survive_a_round_trip_through_text() {
        let pairs = [("endpoint_url", "https://h:9000/"), ("addressing_style", "virtual"), ("store_patience", "2s")];
        let settings = read(&pairs).unwrap();
        assert_eq!(settings.endpoint_url.as_deref(), Some("https://h:9000"));
        let texts: std::collections::BTreeMap<_, _> = settings.texts().collect();
        let again = StoreSettings::read(
            |name| texts.get(name).map(String::as_str).filter(|value| !value.is_empty()),
            |name| Ok(texts[name] == "true"),
        );
        assert_eq!(again.unwrap(), settings);
        assert_eq!(read(&[]).unwrap(), StoreSettings::default());
    }

    #[test]
    fn keys_come_in_pairs_and_are_never_displayed() {
        let settings = read(&[("access_key_id", "AKID7"), ("secret_access_key", "s3cr3t"), ("session_token", "t0k3n")]);
        let settings = settings.unwrap();
        assert_eq!(settings.keys.as_ref().map(|keys| keys.origin.as_str()), Some("arguments"));
        let shown = format!("{settings:?} {:?}", settings.texts().collect::<Vec<_>>());
        assert!(["AKID7", "s3cr3t", "t0k3n"].iter().all(|secret| !shown.contains(secret)), "{shown}");
        for single in ["access_key_id", "secret_access_key"] {
            let error = read(&[(single, "s3cr3t")]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration);
            assert!(!format!("{error:?}").contains("s3cr3t"));
        }
    }

    #[test]
    fn wrong_values_are_refused_without_repeating_secrets() {
        for (name, value) in [
            ("endpoint_url", "localhost:9000"),
            ("endpoint_url", "ftp://h"),
            ("endpoint_url", "https://me:s3cr3t@h"),
            ("endpoint_url", "https://h?key=s3cr3t"),
            ("region", "eu west"),
            ("region", "a/b"),
            ("addressing_style", "host"),
            ("store_patience", "soon"),
            ("store_patience", "2h"),
            ("store_patience", "99999999999999999999s"),
        ] {
            let error = read(&[(name, value)]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{value}");
            assert!(!format!("{error:?}").contains("s3cr3t"), "{value}");
        }
    }
}
