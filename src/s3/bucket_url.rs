//! The URL of a bucket.
//!
//! Invariant: the URLs are those of boto3 (`tests/python/config/bucket_urls.json`, which a test compares with boto3),
//! except that buckets in us-east-1 have a regional URL.

use crate::s3::settings::{AddressingStyle, StoreSettings};

/// The domains of AWS by the beginning of the region; all other regions have [`DEFAULT_DOMAIN`].
const DOMAINS: [(&str, &str); 6] = [
    ("cn-", "amazonaws.com.cn"),
    ("eusc-", "amazonaws.eu"),
    ("us-iso-", "c2s.ic.gov"),
    ("us-isob-", "sc2s.sgov.gov"),
    ("us-isof-", "csp.hci.ic.gov"),
    ("eu-isoe-", "cloud.adc-e.uk"),
];
const DEFAULT_DOMAIN: &str = "amazonaws.com";

/// The URL of a bucket without a trailing slash, at AWS or at the endpoint of the settings.
#[must_use]
pub fn bucket_url(settings: &StoreSettings, bucket: &str, region: &str) -> String {
    let custom = settings.endpoint_url.as_deref().map(|endpoint| endpoint.trim_end_matches('/'));
    let endpoint = custom.map_or_else(|| aws_endpoint(settings, region), str::to_owned);
    // The certificate of AWS is valid for one label before its domain.
    let allows_dots = endpoint.starts_with("http://");
    let in_host = match settings.addressing_style {
        AddressingStyle::Virtual => true,
        AddressingStyle::Path => false,
        AddressingStyle::Auto => custom.is_none(),
    };
    match endpoint.split_once("://") {
        Some((scheme, host)) if in_host && is_host_name(bucket, allows_dots) => format!("{scheme}://{bucket}.{host}"),
        _ => format!("{endpoint}/{bucket}"),
    }
}

/// The endpoint of S3 in a region of AWS.
#[must_use]
pub fn aws_endpoint(settings: &StoreSettings, region: &str) -> String {
    let domain = DOMAINS.iter().find(|(prefix, _)| region.starts_with(prefix)).map_or(DEFAULT_DOMAIN, |found| found.1);
    let fips = if settings.use_fips_endpoint { "-fips" } else { "" };
    let dualstack = if settings.use_dualstack_endpoint { ".dualstack" } else { "" };
    format!("https://s3{fips}{dualstack}.{region}.{domain}")
}

/// Whether the name of a bucket can be a part of a host name.
fn is_host_name(bucket: &str, allows_dots: bool) -> bool {
    let is_label = |label: &str| {
        let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !label.is_empty() && label.bytes().all(is_allowed) && !label.starts_with('-') && !label.ends_with('-')
    };
    (3..=63).contains(&bucket.len()) && bucket.split('.').all(is_label) && (allows_dots || !bucket.contains('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_those_of_boto3() {
        let cases: Vec<serde_json::Value> =
            serde_json::from_str(include_str!("../../tests/python/config/bucket_urls.json")).unwrap();
        assert!(cases.len() > 50);
        for case in cases {
            let text = |name: &str| case[name].as_str();
            let is_set = |name: &str| case[name].as_bool().unwrap_or(false);
            let settings = StoreSettings {
                endpoint_url: text("endpoint_url").map(str::to_owned),
                addressing_style: AddressingStyle::from_name(text("addressing_style").unwrap()).unwrap(),
                use_fips_endpoint: is_set("use_fips_endpoint"),
                use_dualstack_endpoint: is_set("use_dualstack_endpoint"),
                ..StoreSettings::default()
            };
            let url = bucket_url(&settings, text("bucket").unwrap(), text("region").unwrap());
            assert_eq!(Some(url.as_str()), text("url"), "{case}");
        }
    }
}
