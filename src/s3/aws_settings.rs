//! The settings that AWS's own tools read: environment variables and the profile in `~/.aws`.
//!
//! The order is that of boto3, which `tests/python/config/test_aws_settings.py` compares with this module. Only the
//! options that are not set otherwise take these values.
//!
//! Invariant: an empty value means "not set", and no value is checked here.

use aws_config::profile::ProfileSet;
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_runtime::env_config::property::PropertiesKey;
use aws_types::os_shim_internal::{Env, Fs};

use crate::error::{Error, ErrorKind, Result};

/// The value of an option, and where it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsSetting {
    /// The name of the option.
    pub option: &'static str,
    /// Its value as text.
    pub value: String,
    /// The environment variable, or the key and the profile.
    pub origin: String,
}

/// The environment and the profile that is in use.
#[derive(Debug)]
pub struct AwsEnvironment {
    env: Env,
    /// The name of the profile, if it is set.
    pub profile: Option<String>,
    profiles: Option<ProfileSet>,
    /// Why the files of the profiles cannot be used.
    pub failure: Option<String>,
}

/// Reads the environment and the files of the profiles; `profile` is the one that is set as an option.
///
/// # Errors
/// [`ErrorKind::Storage`] if a runtime cannot be started.
pub fn read_environment(profile: Option<&str>) -> Result<AwsEnvironment> {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.map_err(|error| Error::io_unnamed(ErrorKind::Storage, "read the profiles of AWS", &error))?;
    Ok(runtime.block_on(AwsEnvironment::load(profile)))
}

impl AwsEnvironment {
    /// Reads the files of the profiles. Without `profile`, the environment names the profile.
    pub async fn load(profile: Option<&str>) -> Self {
        Self::read(&Fs::real(), Env::real(), profile).await
    }

    async fn read(fs: &Fs, env: Env, profile: Option<&str>) -> Self {
        let variable = |name| env.get(name).ok().filter(|value| !value.is_empty());
        let named = || ["AWS_DEFAULT_PROFILE", "AWS_PROFILE"].into_iter().find_map(variable);
        let profile = profile.map(str::to_owned).or_else(named);
        let selected = profile.clone().map(Into::into);
        let read = aws_config::profile::load(fs, &env, &EnvConfigFiles::default(), selected).await;
        let (profiles, failure) = match read {
            Ok(profiles) => (Some(profiles), None),
            Err(error) => (None, Some(error.to_string())),
        };
        Self { env, profile, profiles, failure }
    }

    /// The region that is configured.
    #[must_use]
    pub fn region(&self) -> Option<String> {
        let found = self.first(&["AWS_REGION", "AWS_DEFAULT_REGION"], &[], &["region"]);
        found.map(|(value, _)| value)
    }

    /// Whether the profile takes its credentials from a session of `aws login`.
    #[must_use]
    pub fn has_login_session(&self) -> bool {
        self.key("login_session").is_some()
    }

    /// The options that have a value.
    #[must_use]
    pub fn settings(&self) -> Vec<AwsSetting> {
        let endpoint_url = || match self.endpoint_of_s3() {
            Some(found) => Some(found),
            None => self.first(&[], &[], &["endpoint_url"]),
        };
        let ignore = ["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"];
        let ignored = self.first(&ignore, &[], &["ignore_configured_endpoint_urls"]);
        let is_ignored = ignored.is_some_and(|(value, _)| is_true(&value));
        let found = [
            ("endpoint_url", if is_ignored { None } else { endpoint_url() }),
            (
                "ca_file",
                self.first(&["AWS_CA_BUNDLE"], &[], &["ca_bundle"])
                    .or_else(|| self.first(&["REQUESTS_CA_BUNDLE"], &[], &[])),
            ),
            ("addressing_style", self.first(&[], &["addressing_style"], &[])),
            ("use_fips_endpoint", self.boolean("AWS_USE_FIPS_ENDPOINT", &[], "use_fips_endpoint")),
            (
                "use_dualstack_endpoint",
                self.boolean("AWS_USE_DUALSTACK_ENDPOINT", &["use_dualstack_endpoint"], "use_dualstack_endpoint"),
            ),
        ];
        let setting = |(option, found): (_, Option<(String, String)>)| {
            let (value, origin) = found?;
            Some(AwsSetting { option, value, origin })
        };
        found.into_iter().filter_map(setting).collect()
    }

    /// The endpoint of all services or of S3 in the environment, or that of S3 in the profile's section of services.
    fn endpoint_of_s3(&self) -> Option<(String, String)> {
        if let Some(found) = self.first(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"], &[], &[]) {
            return Some(found);
        }
        let section = self.key("services")?;
        let key = PropertiesKey::builder().section_key("services").section_name(section).property_name("s3");
        let key = key.sub_property_name("endpoint_url").build().ok()?;
        let value = self.profiles.as_ref()?.other_sections().get(&key).filter(|value| !value.is_empty())?;
        Some((value.clone(), format!("endpoint_url in [services {section}] (~/.aws)")))
    }

    /// A boolean: in the section `s3` of the profile, in the environment, or in the profile.
    fn boolean(&self, variable: &str, s3_keys: &[&str], key: &str) -> Option<(String, String)> {
        let found = self.first(&[], s3_keys, &[]).or_else(|| self.first(&[variable], &[], &[key]));
        found.map(|(value, origin)| (is_true(&value).to_string(), origin))
    }

    /// The first of these variables, keys in the section `s3` of the profile, and keys of the profile, with its origin.
    fn first(&self, variables: &[&str], s3_keys: &[&str], keys: &[&str]) -> Option<(String, String)> {
        let in_variable = |name: &&str| {
            let value = self.env.get(name).ok().filter(|value| !value.is_empty())?;
            Some((value, (*name).to_owned()))
        };
        let profile = self.profile.as_deref().unwrap_or("default");
        let in_s3 = |key: &&str| Some((self.key_of_s3(key)?, format!("s3.{key} in the profile {profile} (~/.aws)")));
        let in_profile =
            |key: &&str| Some((self.key(key)?.to_owned(), format!("{key} in the profile {profile} (~/.aws)")));
        let found = variables.iter().find_map(in_variable).or_else(|| s3_keys.iter().find_map(in_s3));
        found.or_else(|| keys.iter().find_map(in_profile))
    }

    fn key(&self, name: &str) -> Option<&str> {
        self.profiles.as_ref()?.get(name).filter(|value| !value.is_empty())
    }

    /// A key below `s3 =`, which the SDK leaves as text.
    fn key_of_s3(&self, name: &str) -> Option<String> {
        let pairs = self.key("s3")?.lines().filter_map(|line| line.split_once('='));
        let mut values = pairs.filter(|(key, _)| key.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim());
        values.rfind(|value| !value.is_empty()).map(str::to_owned)
    }
}

fn is_true(value: &str) -> bool {
    value.eq_ignore_ascii_case("true")
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn settings(variables: &[(&str, &str)], config: &str) -> Vec<(&'static str, String, String)> {
        let variables: Vec<_> = variables.iter().copied().chain([("AWS_CONFIG_FILE", "config")]).collect();
        let fs = Fs::from_slice(&[("config", config)]);
        let read = AwsEnvironment::read(&fs, Env::from_slice(&variables), None).await;
        read.settings().into_iter().map(|found| (found.option, found.value, found.origin)).collect()
    }

    #[tokio::test]
    async fn the_origin_of_a_setting_is_named() {
        let config = "[profile dev]\nservices = local\nca_bundle = b.pem\ns3 =\n  addressing_style = path\n\
                      [services local]\ns3 =\n  endpoint_url = http://s\n";
        let found = settings(&[("AWS_PROFILE", "dev"), ("AWS_USE_FIPS_ENDPOINT", "True")], config).await;
        let expected = [
            ("endpoint_url", "http://s", "endpoint_url in [services local] (~/.aws)"),
            ("ca_file", "b.pem", "ca_bundle in the profile dev (~/.aws)"),
            ("addressing_style", "path", "s3.addressing_style in the profile dev (~/.aws)"),
            ("use_fips_endpoint", "true", "AWS_USE_FIPS_ENDPOINT"),
        ];
        assert_eq!(found, expected.map(|(option, value, origin)| (option, value.to_owned(), origin.to_owned())));
    }

    #[tokio::test]
    async fn damaged_files_of_profiles_are_reported_and_the_environment_still_counts() {
        let fs = Fs::from_slice(&[("config", "[default\nregion = x\n")]);
        let env = Env::from_slice(&[("AWS_CONFIG_FILE", "config"), ("AWS_ENDPOINT_URL", "http://e")]);
        let read = AwsEnvironment::read(&fs, env, None).await;
        assert!(read.failure.is_some());
        assert_eq!(read.settings().len(), 1);
    }
}
