//! The credentials that requests are signed with.
//!
//! Credentials in the settings come first. Otherwise the sources of AWS's own tools are tried in the order of those
//! tools. The first source that has credentials is used for the entire call: its name is in the report, and it renews
//! the credentials before they expire.
//!
//! Invariant: no error, report or `Debug` output of this module contains a secret.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_config::ecs::EcsCredentialsProvider;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::imds;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::web_identity_token::WebIdentityTokenCredentialsProvider;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use object_store::CredentialProvider;
use object_store::aws::AwsCredential;
use tokio::sync::Mutex;

use crate::error::{Error, ErrorKind, Result};
use crate::s3::aws_settings::AwsEnvironment;
use crate::s3::failure::RequestFailure;
use crate::s3::settings::{Keys, Secret, StoreSettings};

/// Credentials are renewed this long before they expire, or after half of their lifetime if that is later.
const RENEWAL_LEAD_TIME: Duration = Duration::from_secs(5 * 60);
/// The name of the last source, which is tried on every machine.
const INSTANCE_METADATA: &str = "instance metadata";
/// The name of the profile if it is not set as an option.
const DEFAULT_PROFILE: &str = "profile (~/.aws)";
/// The time limit for one source.
const SOURCE_TIMEOUT: Duration = Duration::from_secs(30);

/// Credentials that are renewed before they expire.
pub struct Provider {
    source_name: String,
    source: Source,
    cached: Mutex<Option<Cached>>,
    /// The number of renewals.
    generation: AtomicU64,
}

enum Source {
    Static,
    Refreshable(SharedCredentialsProvider),
}

struct Cached {
    credential: Arc<AwsCredential>,
    renew_at: Option<SystemTime>,
    expires_at: Option<SystemTime>,
}

impl fmt::Debug for Provider {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Provider").field("source", &self.source_name).finish_non_exhaustive()
    }
}

impl Provider {
    /// Looks up the credentials.
    ///
    /// # Errors
    /// [`ErrorKind::Access`] if no source has credentials, or if a source that is set up fails.
    pub async fn look_up(settings: &StoreSettings) -> Result<Self> {
        if let Some(keys) = &settings.keys {
            return from_keys(keys);
        }
        let mut failed = None;
        let mut metadata_error = None;
        let aws = AwsEnvironment::load(settings.profile.as_deref()).await;
        for (source_name, provider) in sources(settings, &aws) {
            match fetch(&provider).await {
                Ok(found) => {
                    let cached = cached(&found, SystemTime::now()).map_err(|cause| unusable(&cause, &source_name))?;
                    return Ok(Self::new(source_name, Source::Refreshable(provider), cached));
                }
                Err(CredentialsError::CredentialsNotLoaded(_)) => {}
                // This source is also tried on machines outside of AWS, where it always fails.
                Err(error) if source_name == INSTANCE_METADATA => metadata_error = Some(message_chain(&error)),
                Err(error) => {
                    let error = unusable(&message_chain(&error), &source_name);
                    // `aws login` stays in the default profile of machines that also have other credentials.
                    if source_name == DEFAULT_PROFILE && aws.profile.is_none() && aws.has_login_session() {
                        failed = Some(error.hint("run aws login again, or set other credentials"));
                    } else {
                        failed = Some(error);
                        break;
                    }
                }
            }
            if settings.profile.is_some() && source_name.starts_with("profile") {
                failed = Some(unusable("the profile does not exist, or has no credentials", &source_name));
                break;
            }
        }
        Err(failed.unwrap_or_else(|| {
            let error = Error::new(ErrorKind::Access, "there are no credentials for S3");
            let cause = "there are none in the environment variables, in ~/.aws, for a web identity or for a container";
            let cause = match metadata_error {
                Some(message) => format!("{cause}; {INSTANCE_METADATA}: {message}"),
                None => cause.to_owned(),
            };
            error.cause(cause).hint(
                "put KEY and SECRET in dl.cfg, set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or set --profile; for \
                 public buckets set --anonymous",
            )
        }))
    }

    fn new(source_name: String, source: Source, cached: Cached) -> Self {
        Self { source_name, source, cached: Mutex::new(Some(cached)), generation: AtomicU64::new(0) }
    }

    /// The name of the source, for display.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source_name
    }

    /// The generation of the credentials: a renewal changes it.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }

    /// Discards the credentials of `generation`, so that the next request renews them. If another task has already
    /// renewed them, the new ones are kept. Returns false if the source has no other credentials.
    pub async fn renew(&self, generation: u64) -> bool {
        let mut slot = self.cached.lock().await;
        if self.generation() == generation && matches!(self.source, Source::Refreshable(_)) {
            *slot = None;
        }
        matches!(self.source, Source::Refreshable(_))
    }

    async fn current(&self) -> std::result::Result<Arc<AwsCredential>, RequestFailure> {
        let mut slot = self.cached.lock().await;
        let now = SystemTime::now();
        if let Some(Cached { credential, .. }) =
            slot.as_ref().filter(|cached| cached.renew_at.is_none_or(|at| now < at))
        {
            return Ok(Arc::clone(credential));
        }
        let Source::Refreshable(provider) = &self.source else {
            return Err(RequestFailure::Credentials("the credentials are missing".to_owned()));
        };
        let fresh = match fetch(provider).await {
            Ok(found) => cached(&found, now).map_err(RequestFailure::Credentials),
            Err(error) => Err(RequestFailure::Credentials(format!(
                "the credentials cannot be renewed: {}",
                message_chain(&error)
            ))),
        };
        match (fresh, slot.as_ref()) {
            (Ok(fresh), _) => {
                self.generation.fetch_add(1, Ordering::Relaxed);
                Ok(Arc::clone(&slot.insert(fresh).credential))
            }
            // The old credentials are still valid; the next request retries the renewal.
            (Err(_), Some(old)) if old.expires_at.is_none_or(|end| now < end) => Ok(Arc::clone(&old.credential)),
            (Err(failure), _) => Err(failure),
        }
    }
}

#[async_trait]
impl CredentialProvider for Provider {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        self.current().await.map_err(|failure| object_store::Error::Generic { store: "S3", source: Box::new(failure) })
    }
}

fn from_keys(keys: &Keys) -> Result<Provider> {
    let Keys { access_key_id, secret_access_key, session_token, origin } = keys;
    let token = session_token.as_ref().map(Secret::reveal);
    let credential = credential(access_key_id.reveal(), secret_access_key.reveal(), token);
    let credential = credential.map_err(|cause| unusable(&cause, origin))?;
    let cached = Cached { credential, renew_at: None, expires_at: None };
    Ok(Provider::new(origin.clone(), Source::Static, cached))
}

/// The sources of credentials in the order of AWS's tools, with their names.
fn sources(settings: &StoreSettings, aws: &AwsEnvironment) -> Vec<(String, SharedCredentialsProvider)> {
    let region = settings.region.clone().or_else(|| aws.region());
    let region = aws_config::Region::new(region.unwrap_or_else(|| "us-east-1".to_owned()));
    let config = ProviderConfig::without_region().with_region(Some(region));
    let mut file = ProfileFileCredentialsProvider::builder().configure(&config);
    if let Some(profile) = &aws.profile {
        file = file.profile_name(profile);
    }
    let file = SharedCredentialsProvider::new(file.build());
    if let Some(profile) = &settings.profile {
        // A profile in the settings takes precedence over all other sources.
        return vec![(format!("profile {profile} (~/.aws)"), file)];
    }
    let metadata = imds::Client::builder()
        .configure(&config)
        .connect_timeout(Duration::from_secs(1))
        .read_timeout(Duration::from_secs(1))
        .max_attempts(2)
        .build();
    let metadata =
        imds::credentials::ImdsCredentialsProvider::builder().configure(&config).imds_client(metadata).build();
    let web = WebIdentityTokenCredentialsProvider::builder().configure(&config).build();
    let container = EcsCredentialsProvider::builder().configure(&config).build();
    vec![
        (
            "environment variables".to_owned(),
            SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new()),
        ),
        (DEFAULT_PROFILE.to_owned(), file),
        ("web identity".to_owned(), SharedCredentialsProvider::new(web)),
        ("container".to_owned(), SharedCredentialsProvider::new(container)),
        (INSTANCE_METADATA.to_owned(), SharedCredentialsProvider::new(metadata)),
    ]
}

async fn fetch(provider: &SharedCredentialsProvider) -> std::result::Result<Credentials, CredentialsError> {
    let answer = tokio::time::timeout(SOURCE_TIMEOUT, provider.provide_credentials()).await;
    answer.unwrap_or_else(|_| Err(CredentialsError::provider_timed_out(SOURCE_TIMEOUT)))
}

fn cached(found: &Credentials, now: SystemTime) -> std::result::Result<Cached, String> {
    let credential = credential(found.access_key_id(), found.secret_access_key(), found.session_token())?;
    let expires_at = found.expiry();
    let renew_at = expires_at.map(|end| {
        let lifetime = end.duration_since(now).unwrap_or_default();
        now + lifetime.saturating_sub(RENEWAL_LEAD_TIME).max(lifetime / 2)
    });
    Ok(Cached { credential, renew_at, expires_at })
}

/// The credentials for signing. Text that is not allowed in a header is an error here, because the signer would panic.
fn credential(id: &str, secret: &str, token: Option<&str>) -> std::result::Result<Arc<AwsCredential>, String> {
    let printable = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    for (name, text) in [("access key ID", Some(id)), ("secret access key", Some(secret)), ("session token", token)] {
        if text.is_some_and(|text| !printable(text)) {
            return Err(format!("the {name} is empty, or contains a space or another invalid character"));
        }
    }
    Ok(Arc::new(AwsCredential {
        key_id: id.to_owned(),
        secret_key: secret.to_owned(),
        token: token.map(str::to_owned),
    }))
}

fn unusable(cause: &str, source_name: &str) -> Error {
    Error::new(ErrorKind::Access, format!("the credentials cannot be used: {source_name}"))
        .cause(cause)
        .hint("correct these credentials, or set others in dl.cfg, in the environment or with --profile")
}

/// The messages of an SDK error and its sources, without the outer message, which is generic and sometimes repeated.
fn message_chain(error: &(dyn std::error::Error + 'static)) -> String {
    let messages = std::iter::successors(Some(error), |error| (*error).source()).map(ToString::to_string);
    let messages: Vec<String> =
        messages.filter(|message| message != "an error occurred while loading credentials").collect();
    messages.join(": ").chars().map(|c| if c.is_control() { ' ' } else { c }).take(400).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(secret: &str) -> StoreSettings {
        let keys = Keys {
            access_key_id: Secret::new("AKID"),
            secret_access_key: Secret::new(secret),
            session_token: None,
            origin: "dl.cfg".to_owned(),
        };
        StoreSettings { keys: Some(keys), ..StoreSettings::default() }
    }

    #[tokio::test]
    async fn keys_in_the_settings_come_first_and_stay_secret() {
        let provider = Provider::look_up(&keys("s3cr3t/+=")).await.unwrap();
        assert_eq!(provider.source(), "dl.cfg");
        assert_eq!(provider.get_credential().await.unwrap().secret_key, "s3cr3t/+=");
        assert!(!format!("{provider:?}").contains("s3cr3t"));
        assert!(!provider.renew(0).await, "there are no other credentials");
    }

    #[tokio::test]
    async fn invalid_characters_are_rejected_before_signing() {
        for secret in ["", "with space", "line\nfeed", "ümlaut"] {
            let error = Provider::look_up(&keys(secret)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Access, "{secret:?}");
            assert!(secret.is_empty() || !format!("{error:?}").contains(secret), "{secret:?}");
        }
    }

    #[tokio::test]
    async fn concurrent_requests_renew_expired_credentials_once() {
        let credentials = Credentials::new("a", "b", None, None, "test");
        let provider = Provider {
            source_name: "test".to_owned(),
            source: Source::Refreshable(SharedCredentialsProvider::new(credentials)),
            cached: Mutex::default(),
            generation: AtomicU64::new(0),
        };
        provider.current().await.unwrap();
        let used = provider.generation();
        for _ in 0..10 {
            assert!(provider.renew(used).await);
            provider.current().await.unwrap();
        }
        assert_eq!(provider.generation(), used + 1);
    }

    #[test]
    fn credentials_are_renewed_before_they_expire_but_not_on_every_request() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        for (life, expected) in [(3600, 3300), (400, 200), (60, 30), (0, 0)] {
            let end = now + Duration::from_secs(life);
            let found = Credentials::new("a", "b", None, Some(end), "test");
            assert_eq!(cached(&found, now).unwrap().renew_at, Some(now + Duration::from_secs(expected)), "{life}");
        }
    }
}
