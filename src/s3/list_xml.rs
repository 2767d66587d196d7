//! Parses the XML of a listing into a [`Page`].
//!
//! Keys are percent-encoded (`encoding-type=url`), because XML cannot represent every character of a key.
//!
//! Invariant: an incomplete page is an error; it never counts as the end of a bucket.

use chrono::DateTime;
use percent_encoding::percent_decode_str;
use serde::Deserialize;

use crate::s3::failure::RequestFailure;
use crate::s3::object::{Object, Page, Tag};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListResult {
    #[serde(default)]
    encoding_type: Option<String>,
    #[serde(default)]
    is_truncated: bool,
    #[serde(default)]
    next_continuation_token: Option<String>,
    #[serde(default)]
    contents: Vec<Entry>,
    #[serde(default)]
    common_prefixes: Vec<Prefix>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    key: String,
    size: u64,
    last_modified: String,
    #[serde(default, rename = "ETag")]
    tag: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Prefix {
    prefix: String,
}

/// Parses a page.
///
/// # Errors
/// [`RequestFailure::InvalidResponse`] if the page is incomplete or not a listing.
pub fn parse(xml: &[u8]) -> Result<Page, RequestFailure> {
    let invalid = |what: &str| RequestFailure::InvalidResponse(format!("a page of a listing {what}"));
    if !xml.trim_ascii_end().ends_with(b"</ListBucketResult>") {
        return Err(invalid("has no end"));
    }
    let listing: ListResult = quick_xml::de::from_reader(xml).map_err(|_| invalid("is not a listing"))?;
    let is_encoded = listing.encoding_type.is_some_and(|kind| kind == "url");
    let decode = |text: String| {
        if !is_encoded {
            return Ok(text);
        }
        // Form encoding: `+` is a space, and a plus sign is `%2B`.
        let spaced = text.replace('+', " ");
        let decoded =
            percent_decode_str(&spaced).decode_utf8().map_err(|_| invalid("contains a key that is not UTF-8"))?;
        Ok(decoded.into_owned())
    };
    let objects = listing.contents.into_iter().map(|entry| {
        let modified =
            DateTime::parse_from_rfc3339(&entry.last_modified).map_err(|_| invalid("contains an invalid time"))?;
        Ok(Object {
            key: decode(entry.key)?,
            size: entry.size,
            tag: Tag::spelled(&entry.tag),
            modified: modified.timestamp_millis(),
        })
    });
    let objects = objects.collect::<Result<_, RequestFailure>>()?;
    let prefixes =
        listing.common_prefixes.into_iter().map(|found| decode(found.prefix)).collect::<Result<_, RequestFailure>>()?;
    let next = listing.next_continuation_token.filter(|_| listing.is_truncated);
    if listing.is_truncated && next.as_deref().is_none_or(str::is_empty) {
        return Err(invalid("has no token for the next page"));
    }
    Ok(Page { objects, prefixes, next })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
        <Name>b</Name><Prefix></Prefix><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>\
        <NextContinuationToken>a+b/c=</NextContinuationToken><Contents><Key>a%2F%2Fb+%2B%09%C3%BC</Key>\
        <LastModified>2018-11-01T00:00:01.500Z</LastModified><ETag>&quot;0f&quot;</ETag><Size>7</Size></Contents>\
        <CommonPrefixes><Prefix>x%0A/</Prefix></CommonPrefixes></ListBucketResult>";

    #[test]
    fn unusual_keys_are_decoded() {
        let page = parse(PAGE.as_bytes()).unwrap();
        let object = &page.objects[0];
        assert_eq!((object.key.as_str(), object.size), ("a//b +\tü", 7));
        assert_eq!(*object.tag.0, *"\"0f\"");
        assert_eq!(object.modified, 1_541_030_401_500);
        assert_eq!((page.prefixes, page.next.as_deref()), (vec!["x\n/".to_owned()], Some("a+b/c=")));
    }

    #[test]
    fn keys_without_encoding_are_not_decoded() {
        let plain = PAGE.replace("<EncodingType>url</EncodingType>", "").replace("a%2F%2Fb+%2B%09%C3%BC", "a%2F+");
        assert_eq!(parse(plain.as_bytes()).unwrap().objects[0].key, "a%2F+");
    }

    #[test]
    fn an_incomplete_page_is_an_error() {
        for end in 0..PAGE.len() {
            assert!(parse(&PAGE.as_bytes()[..end]).is_err(), "{end}");
        }
        assert!(parse(PAGE.replace("<NextContinuationToken>a+b/c=</NextContinuationToken>", "").as_bytes()).is_err());
        assert!(parse(b"<html></html>").is_err());
    }
}
