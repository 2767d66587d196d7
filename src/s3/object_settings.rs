//! The settings for requests and for the objects that a run writes: encryption, storage class, access control, payer.
//!
//! Names and values are those of the AWS CLI.
//!
//! Invariant: every combination that is accepted is one that S3 accepts, and its objects can be read back at once.

use crate::error::{Error, ErrorKind, Result};

const SSE: [&str; 3] = ["AES256", "aws:kms", "aws:kms:dsse"];
const STORAGE_CLASSES: [&str; 6] =
    ["STANDARD", "INTELLIGENT_TIERING", "STANDARD_IA", "ONEZONE_IA", "GLACIER_IR", "REDUCED_REDUNDANCY"];
const ACLS: [&str; 7] = [
    "private",
    "bucket-owner-full-control",
    "bucket-owner-read",
    "authenticated-read",
    "aws-exec-read",
    "public-read",
    "public-read-write",
];

/// The settings for requests and for the objects that a run writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectSettings {
    /// The encryption in the bucket; by default the bucket's own.
    pub sse: Option<&'static str>,
    /// The key of AWS KMS, as ID, ARN or alias.
    pub sse_kms_key_id: Option<String>,
    /// Whether S3 uses a bucket key, which saves requests to AWS KMS.
    pub bucket_key_enabled: bool,
    /// The storage class; by default that of the bucket.
    pub storage_class: Option<&'static str>,
    /// The canned access control list.
    pub acl: Option<&'static str>,
    /// Whether the owner of the credentials pays for requests to the buckets of others.
    pub requester_pays: bool,
}

impl ObjectSettings {
    /// Reads the settings: `text` returns the value of a name, `flag` the value of a Boolean option.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] for an invalid value, or for values that exclude each other.
    pub fn read<'t>(
        text: impl Fn(&str) -> Option<&'t str>,
        flag: impl Fn(&'static str) -> Result<bool>,
    ) -> Result<Self> {
        let choice = |option, choices: &[&'static str]| text(option).map(|value| one_of(option, value, choices));
        let sse_kms_key_id = text("sse_kms_key_id").map(kms_key).transpose()?;
        let sse = choice("sse", &SSE).transpose()?.or(sse_kms_key_id.is_some().then_some("aws:kms"));
        let bucket_key_enabled = flag("bucket_key_enabled")?;
        if sse == Some("AES256") && sse_kms_key_id.is_some() {
            return Err(conflict("sse_kms_key_id", "sse is AES256, which has no key of AWS KMS", "set sse to aws:kms"));
        }
        if bucket_key_enabled && sse.is_some_and(|sse| sse != "aws:kms") {
            return Err(conflict("bucket_key_enabled", "only sse aws:kms has bucket keys", "set sse to aws:kms"));
        }
        Ok(Self {
            sse,
            sse_kms_key_id,
            bucket_key_enabled,
            storage_class: choice("storage_class", &STORAGE_CLASSES).transpose()?,
            acl: choice("acl", &ACLS).transpose()?,
            requester_pays: flag("requester_pays")?,
        })
    }

    /// The options as text in the form that [`Self::read`] takes. An option that is not set is empty.
    #[must_use]
    pub fn texts(&self) -> [(&'static str, String); 6] {
        [
            ("sse", self.sse.unwrap_or_default().to_owned()),
            ("sse_kms_key_id", self.sse_kms_key_id.clone().unwrap_or_default()),
            ("bucket_key_enabled", when_set(self.bucket_key_enabled)),
            ("storage_class", self.storage_class.unwrap_or_default().to_owned()),
            ("acl", self.acl.unwrap_or_default().to_owned()),
            ("requester_pays", when_set(self.requester_pays)),
        ]
    }

    /// The headers of a request that creates an object.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("x-amz-server-side-encryption", self.sse),
            ("x-amz-server-side-encryption-aws-kms-key-id", self.sse_kms_key_id.as_deref()),
            ("x-amz-server-side-encryption-bucket-key-enabled", self.bucket_key_enabled.then_some("true")),
            ("x-amz-storage-class", self.storage_class),
            ("x-amz-acl", self.acl),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
    }
}

/// A flag that few users set, as text: empty if it is not set.
pub(super) fn when_set(flag: bool) -> String {
    if flag { "true".to_owned() } else { String::new() }
}

fn one_of(option: &'static str, value: &str, choices: &[&'static str]) -> Result<&'static str> {
    choices.iter().find(|choice| **choice == value).copied().ok_or_else(|| {
        let hint = match (option, value) {
            ("storage_class", "GLACIER" | "DEEP_ARCHIVE") => {
                "the next run reads the objects, and S3 would have to restore them first; set GLACIER_IR, or archive \
                 old objects with a lifecycle rule outside of the lake"
                    .to_owned()
            }
            _ => format!("it takes one of {}", choices.join(", ")),
        };
        Error::new(ErrorKind::Configuration, format!("{option} cannot be {value:?}"))
            .hint(hint)
            .context("option", option)
    })
}

fn kms_key(value: &str) -> Result<String> {
    if value.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(value.to_owned());
    }
    Err(Error::new(ErrorKind::Configuration, "sse_kms_key_id contains a space or another invalid character")
        .hint("it takes the ID, the ARN or the alias of a key of AWS KMS")
        .context("option", "sse_kms_key_id"))
}

fn conflict(option: &'static str, cause: &str, remedy: &str) -> Error {
    Error::new(ErrorKind::Configuration, format!("{option} cannot be set here"))
        .cause(cause)
        .hint(format!("{remedy}, or leave {option} out"))
        .context("option", option)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(settings: &[(&str, &'static str)]) -> Result<ObjectSettings> {
        let text = |name: &str| settings.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        ObjectSettings::read(text, |name| Ok(text(name) == Some("true")))
    }

    #[test]
    fn a_kms_key_implies_its_encryption_and_settings_survive_a_round_trip() {
        let settings = read(&[("sse_kms_key_id", "alias/x"), ("bucket_key_enabled", "true"), ("acl", "private")]);
        let settings = settings.unwrap();
        let headers: Vec<_> = settings.headers().map(|(name, value)| format!("{name}: {value}")).collect();
        assert_eq!(
            headers,
            [
                "x-amz-server-side-encryption: aws:kms",
                "x-amz-server-side-encryption-aws-kms-key-id: alias/x",
                "x-amz-server-side-encryption-bucket-key-enabled: true",
                "x-amz-acl: private",
            ]
        );
        let texts: std::collections::BTreeMap<_, _> = settings.texts().into_iter().collect();
        let text = |name: &str| texts.get(name).map(String::as_str).filter(|value| !value.is_empty());
        assert_eq!(ObjectSettings::read(text, |name| Ok(texts[name] == "true")).unwrap(), settings);
        assert_eq!(read(&[]).unwrap().headers().count(), 0);
    }

    #[test]
    fn values_that_s3_rejects_or_that_cannot_be_read_back_are_refused() {
        for settings in [
            &[("sse", "AES256"), ("sse_kms_key_id", "k")][..],
            &[("sse", "aws:kms:dsse"), ("bucket_key_enabled", "true")],
            &[("sse", "SSE-KMS")],
            &[("sse_kms_key_id", "a b")],
            &[("storage_class", "GLACIER")],
            &[("storage_class", "standard")],
            &[("acl", "everybody")],
        ] {
            assert_eq!(read(settings).unwrap_err().kind(), ErrorKind::Configuration, "{settings:?}");
        }
    }
}
