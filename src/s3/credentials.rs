//! Whose name requests are signed in.
//!
//! What the user gave comes first; otherwise the places where AWS's own tools look, in their order. The first place that
//! has credentials is kept, its name is reported, and only it is asked again before they expire.
//!
//! Invariant: a secret is in no error, no report and no `Debug` of this module.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_config::ecs::EcsCredentialsProvider;
use aws_config::environment::{EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider};
use aws_config::imds;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::web_identity_token::WebIdentityTokenCredentialsProvider;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use object_store::CredentialProvider;
use object_store::aws::AwsCredential;
use tokio::sync::Mutex;

use crate::error::{Error, ErrorKind, Result};
use crate::s3::failure::RequestFailure;
use crate::s3::settings::{Keys, Secret, StoreSettings};

/// How long before they expire credentials are replaced, unless that is most of their life.
const AHEAD: Duration = Duration::from_secs(5 * 60);
/// The last place, which every machine may ask.
const METADATA: &str = "instance metadata";
/// How long one place may take to answer.
const LOOKING: Duration = Duration::from_secs(30);

/// Credentials that stay fresh.
pub struct Provider {
    origin: String,
    source: Source,
    cached: Mutex<Option<Cached>>,
    /// How often credentials were fetched anew.
    fetched: AtomicU64,
}

enum Source {
    Given,
    Found(SharedCredentialsProvider),
}

struct Cached {
    credential: Arc<AwsCredential>,
    renew: Option<SystemTime>,
    end: Option<SystemTime>,
}

impl fmt::Debug for Provider {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Provider").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl Provider {
    /// Finds credentials.
    ///
    /// # Errors
    /// [`ErrorKind::Access`] when there are none, or a place that should have some fails.
    pub async fn find(settings: &StoreSettings) -> Result<Self> {
        if let Some(keys) = &settings.keys {
            return given(keys);
        }
        let mut failed = None;
        let mut metadata = None;
        for (origin, provider) in places(settings).await {
            match fetch(&provider).await {
                Ok(found) => {
                    let cached =
                        Mutex::new(Some(cached(&found, SystemTime::now()).map_err(|words| unusable(&words, &origin))?));
                    return Ok(Self { origin, source: Source::Found(provider), cached, fetched: AtomicU64::new(0) });
                }
                Err(CredentialsError::CredentialsNotLoaded(_)) => {}
                // Every machine may ask; that this one gets nothing is no fault of anybody's.
                Err(error) if origin == METADATA => metadata = Some(chain(&error)),
                Err(error) => {
                    failed = Some(unusable(&chain(&error), &origin));
                    break;
                }
            }
            if settings.profile.is_some() && origin.starts_with("profile") {
                failed = Some(unusable("there is no such profile, or it holds no credentials", &origin));
                break;
            }
        }
        Err(failed.unwrap_or_else(|| {
            let error = Error::new(ErrorKind::Access, "there are no credentials for S3");
            let error = if let Some(words) = metadata { error.cause(format!("{METADATA}: {words}")) } else { error };
            error.hint(
                "put KEY and SECRET into dl.cfg, set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or choose a --profile; \
                 --anonymous reads public buckets",
            )
        }))
    }

    /// Where the credentials come from, in people's words.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Which credentials are in use; another number, other credentials.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.fetched.load(Ordering::Relaxed)
    }

    /// Forgets the credentials of `generation`, so that the next request has fresh ones, unless somebody else has done so;
    /// `false` where there is nothing fresher.
    pub async fn renew(&self, generation: u64) -> bool {
        let mut slot = self.cached.lock().await;
        if self.generation() == generation && matches!(self.source, Source::Found(_)) {
            *slot = None;
        }
        matches!(self.source, Source::Found(_))
    }

    async fn current(&self) -> std::result::Result<Arc<AwsCredential>, RequestFailure> {
        let mut slot = self.cached.lock().await;
        let now = SystemTime::now();
        if let Some(Cached { credential, .. }) = slot.as_ref().filter(|cached| cached.renew.is_none_or(|at| now < at)) {
            return Ok(Arc::clone(credential));
        }
        let Source::Found(provider) = &self.source else {
            return Err(RequestFailure::Credentials("the credentials are gone".to_owned()));
        };
        let fresh = match fetch(provider).await {
            Ok(found) => cached(&found, now).map_err(RequestFailure::Credentials),
            Err(error) => {
                Err(RequestFailure::Credentials(format!("the credentials could not be renewed: {}", chain(&error))))
            }
        };
        match (fresh, slot.as_ref()) {
            (Ok(fresh), _) => {
                self.fetched.fetch_add(1, Ordering::Relaxed);
                Ok(Arc::clone(&slot.insert(fresh).credential))
            }
            // The old ones still hold; the next request tries again.
            (Err(_), Some(old)) if old.end.is_none_or(|end| now < end) => Ok(Arc::clone(&old.credential)),
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

/// The region that environment or profile name.
pub async fn ambient_region(profile: Option<&str>) -> Option<String> {
    let mut file = ProfileFileRegionProvider::builder();
    if let Some(profile) = profile {
        file = file.profile_name(profile);
    }
    let chain = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new()).or_else(file.build());
    chain.region().await.map(|region| region.as_ref().to_owned())
}

fn given(keys: &Keys) -> Result<Provider> {
    let Keys { access_key_id, secret_access_key, session_token, origin } = keys;
    let token = session_token.as_ref().map(Secret::reveal);
    let credential = credential(access_key_id.reveal(), secret_access_key.reveal(), token);
    let credential = credential.map_err(|words| unusable(&words, origin))?;
    let cached = Cached { credential, renew: None, end: None };
    Ok(Provider {
        origin: origin.clone(),
        source: Source::Given,
        cached: Mutex::new(Some(cached)),
        fetched: AtomicU64::new(0),
    })
}

/// The places where credentials may be, in order, with their names.
async fn places(settings: &StoreSettings) -> Vec<(String, SharedCredentialsProvider)> {
    let profile = settings.profile.as_deref();
    let region = match &settings.region {
        Some(region) => Some(region.clone()),
        None => ambient_region(profile).await,
    };
    let region = aws_config::Region::new(region.unwrap_or_else(|| "us-east-1".to_owned()));
    let world = ProviderConfig::without_region().with_region(Some(region));
    let mut file = ProfileFileCredentialsProvider::builder().configure(&world);
    if let Some(profile) = profile {
        file = file.profile_name(profile);
    }
    let file = SharedCredentialsProvider::new(file.build());
    if let Some(profile) = profile {
        // Who names a profile means it, whatever else the environment holds.
        return vec![(format!("profile {profile} (~/.aws)"), file)];
    }
    let metadata = imds::Client::builder()
        .configure(&world)
        .connect_timeout(Duration::from_secs(1))
        .read_timeout(Duration::from_secs(1))
        .max_attempts(2)
        .build();
    let metadata =
        imds::credentials::ImdsCredentialsProvider::builder().configure(&world).imds_client(metadata).build();
    let web = WebIdentityTokenCredentialsProvider::builder().configure(&world).build();
    let container = EcsCredentialsProvider::builder().configure(&world).build();
    vec![
        (
            "environment variables".to_owned(),
            SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new()),
        ),
        ("profile (~/.aws)".to_owned(), file),
        ("web identity".to_owned(), SharedCredentialsProvider::new(web)),
        ("container".to_owned(), SharedCredentialsProvider::new(container)),
        (METADATA.to_owned(), SharedCredentialsProvider::new(metadata)),
    ]
}

async fn fetch(provider: &SharedCredentialsProvider) -> std::result::Result<Credentials, CredentialsError> {
    let answer = tokio::time::timeout(LOOKING, provider.provide_credentials()).await;
    answer.unwrap_or_else(|_| Err(CredentialsError::provider_timed_out(LOOKING)))
}

fn cached(found: &Credentials, now: SystemTime) -> std::result::Result<Cached, String> {
    let credential = credential(found.access_key_id(), found.secret_access_key(), found.session_token())?;
    let end = found.expiry();
    let renew = end.map(|end| {
        let life = end.duration_since(now).unwrap_or_default();
        now + life.saturating_sub(AHEAD).max(life / 2)
    });
    Ok(Cached { credential, renew, end })
}

/// What signing takes; anything that cannot stand in a header is refused here, because the signer would panic.
fn credential(id: &str, secret: &str, token: Option<&str>) -> std::result::Result<Arc<AwsCredential>, String> {
    let printable = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    for (name, text) in [("access key id", Some(id)), ("secret access key", Some(secret)), ("session token", token)] {
        if text.is_some_and(|text| !printable(text)) {
            return Err(format!("the {name} is empty or holds a space or a character that no key has"));
        }
    }
    Ok(Arc::new(AwsCredential {
        key_id: id.to_owned(),
        secret_key: secret.to_owned(),
        token: token.map(str::to_owned),
    }))
}

fn unusable(words: &str, origin: &str) -> Error {
    Error::new(ErrorKind::Access, format!("the credentials cannot be used: {origin}"))
        .cause(words)
        .hint("correct them there, or choose others with dl.cfg, the environment or --profile")
}

/// An error of the SDK with what caused it: the outermost says nothing, at times twice.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let words = std::iter::successors(Some(error), |error| (*error).source()).map(ToString::to_string);
    let words: Vec<String> = words.filter(|words| words != "an error occurred while loading credentials").collect();
    words.join(": ").chars().map(|c| if c.is_control() { ' ' } else { c }).take(400).collect()
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
    async fn given_keys_come_first_and_stay_secret() {
        let provider = Provider::find(&keys("s3cr3t/+=")).await.unwrap();
        assert_eq!(provider.origin(), "dl.cfg");
        assert_eq!(provider.get_credential().await.unwrap().secret_key, "s3cr3t/+=");
        assert!(!format!("{provider:?}").contains("s3cr3t"));
        assert!(!provider.renew(0).await, "there is nothing fresher");
    }

    #[tokio::test]
    async fn what_would_break_the_signer_is_refused() {
        for secret in ["", "with space", "line\nfeed", "ümlaut"] {
            let error = Provider::find(&keys(secret)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Access, "{secret:?}");
            assert!(secret.is_empty() || !format!("{error:?}").contains(secret), "{secret:?}");
        }
    }

    #[tokio::test]
    async fn many_who_find_them_expired_fetch_them_once() {
        let credentials = Credentials::new("a", "b", None, None, "test");
        let provider = Provider {
            origin: "test".to_owned(),
            source: Source::Found(SharedCredentialsProvider::new(credentials)),
            cached: Mutex::default(),
            fetched: AtomicU64::new(0),
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
    fn renewed_ahead_of_the_end_but_not_all_the_time() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        for (life, expected) in [(3600, 3300), (400, 200), (60, 30), (0, 0)] {
            let end = now + Duration::from_secs(life);
            let found = Credentials::new("a", "b", None, Some(end), "test");
            assert_eq!(cached(&found, now).unwrap().renew, Some(now + Duration::from_secs(expected)), "{life}");
        }
    }
}
