//! A page of a listing, as XML and as a [`Page`].
//!
//! Keys come percent-encoded (`encoding-type=url`), because XML cannot hold all that a key can.
//!
//! Invariant: a page is whole or an error; half a page is never taken for the end of a bucket.

use chrono::DateTime;
use percent_encoding::percent_decode_str;
use serde::Deserialize;

use crate::s3::failure::RequestFailure;
use crate::s3::object::{Object, Page, Tag};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listing {
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

/// Reads a page.
///
/// # Errors
/// [`RequestFailure::Garbled`] when it is cut short or says what no store says.
pub fn parse(xml: &[u8]) -> Result<Page, RequestFailure> {
    let garbled = |what: &str| RequestFailure::Garbled(format!("a page of a listing {what}"));
    if !xml.trim_ascii_end().ends_with(b"</ListBucketResult>") {
        return Err(garbled("has no end"));
    }
    let listing: Listing = quick_xml::de::from_reader(xml).map_err(|_| garbled("is no listing"))?;
    let encoded = listing.encoding_type.is_some_and(|kind| kind == "url");
    let raw = |text: String| {
        if !encoded {
            return Ok(text);
        }
        // Form encoding: a plus is a space, a plus itself is %2B.
        let spaced = text.replace('+', " ");
        let decoded = percent_decode_str(&spaced).decode_utf8().map_err(|_| garbled("holds a key that is no text"))?;
        Ok(decoded.into_owned())
    };
    let objects = listing.contents.into_iter().map(|entry| {
        let modified = DateTime::parse_from_rfc3339(&entry.last_modified).map_err(|_| garbled("holds no time"))?;
        Ok(Object {
            key: raw(entry.key)?,
            size: entry.size,
            tag: Tag::spelled(&entry.tag),
            modified: modified.timestamp_millis(),
        })
    });
    let objects = objects.collect::<Result<_, RequestFailure>>()?;
    let prefixes =
        listing.common_prefixes.into_iter().map(|found| raw(found.prefix)).collect::<Result<_, RequestFailure>>()?;
    let next = listing.next_continuation_token.filter(|_| listing.is_truncated);
    if listing.is_truncated && next.as_deref().is_none_or(str::is_empty) {
        return Err(garbled("goes on, but does not say where"));
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
    fn odd_keys_survive() {
        let page = parse(PAGE.as_bytes()).unwrap();
        let object = &page.objects[0];
        assert_eq!((object.key.as_str(), object.size), ("a//b +\tü", 7));
        assert_eq!(*object.tag.0, *"\"0f\"");
        assert_eq!(object.modified, 1_541_030_401_500);
        assert_eq!((page.prefixes, page.next.as_deref()), (vec!["x\n/".to_owned()], Some("a+b/c=")));
    }

    #[test]
    fn a_store_that_does_not_encode_is_taken_at_its_word() {
        let plain = PAGE.replace("<EncodingType>url</EncodingType>", "").replace("a%2F%2Fb+%2B%09%C3%BC", "a%2F+");
        assert_eq!(parse(plain.as_bytes()).unwrap().objects[0].key, "a%2F+");
    }

    #[test]
    fn a_cut_page_is_no_page() {
        for end in 0..PAGE.len() {
            assert!(parse(&PAGE.as_bytes()[..end]).is_err(), "{end}");
        }
        assert!(parse(PAGE.replace("<NextContinuationToken>a+b/c=</NextContinuationToken>", "").as_bytes()).is_err());
        assert!(parse(b"<html></html>").is_err());
    }
}
