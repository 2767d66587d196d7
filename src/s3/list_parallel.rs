//! Lists all keys with a common prefix, in parallel.
//!
//! A store lists 1,000 keys per request, one page at a time. If there is more than one page, a few requests find
//! folders, and the ranges of keys between these folders are listed at the same time.
//!
//! Requests: 1 for up to 1,000 keys. For more keys at most one per page, one per range ([`MAX_RANGES`]), and the search
//! for folders: at most [`MAX_LEVELS`] times [`ENOUGH_FOLDERS`], usually 2 to 4. If a store does not list keys in
//! order, every page is requested once more.
//!
//! Invariant: every key with the prefix is returned exactly once, with any characters.

use futures_util::future::try_join_all;

use crate::error::Result;
use crate::s3::bucket::Bucket;
use crate::s3::object::Object;

/// The limit of ranges that are listed at the same time.
const MAX_RANGES: usize = 32;

/// The search for folders ends when a level has this many.
const ENOUGH_FOLDERS: usize = 16;

/// The depth of the search for folders.
const MAX_LEVELS: usize = 6;

/// All objects whose key begins with `prefix`, in no particular order.
///
/// # Errors
/// Any error of the store.
pub async fn objects(bucket: &Bucket, prefix: &str) -> Result<Vec<Object>> {
    let mut first = bucket.list(prefix, false, None, None).await?;
    let Some(token) = first.next.take() else { return Ok(first.objects) };
    let Some(last) = first.objects.last().map(|object| object.key.clone()) else {
        return rest(bucket, prefix, token).await;
    };
    let mut starts = folders(bucket, prefix).await?;
    starts.retain(|start| *start > last);
    let ranges = divide(last, &starts);
    let parts = try_join_all(ranges.iter().map(|(after, end)| range(bucket, prefix, after, end.as_deref()))).await?;
    let parts: Option<Vec<Vec<Object>>> =
        if is_ascending("", &first.objects) { parts.into_iter().collect() } else { None };
    match parts {
        Some(parts) => first.objects.extend(parts.into_iter().flatten()),
        // Ranges do not work if keys have another order; the tokens of the store do.
        None => first.objects.extend(rest(bucket, prefix, token).await?),
    }
    Ok(first.objects)
}

/// The objects of all pages from a token on.
async fn rest(bucket: &Bucket, prefix: &str, token: String) -> Result<Vec<Object>> {
    let mut objects = Vec::new();
    let mut next = Some(token);
    while let Some(token) = next {
        let page = bucket.list(prefix, false, None, Some(&token)).await?;
        objects.extend(page.objects);
        next = page.next;
    }
    Ok(objects)
}

/// The sorted folders of the first level below `prefix` that has enough of them, or of the deepest level.
async fn folders(bucket: &Bucket, prefix: &str) -> Result<Vec<String>> {
    let mut level = vec![prefix.to_owned()];
    for _ in 0..MAX_LEVELS {
        let pages = try_join_all(level.iter().map(|folder| bucket.list(folder, true, None, None))).await?;
        let mut below: Vec<String> = pages.into_iter().flat_map(|page| page.prefixes).collect();
        if below.is_empty() {
            break;
        }
        below.sort_unstable();
        level = below;
        if level.len() >= ENOUGH_FOLDERS {
            break;
        }
    }
    Ok(level)
}

/// The ranges of keys after `last`. A range begins after a key and ends before the beginning of the next range.
fn divide(last: String, starts: &[String]) -> Vec<(String, Option<String>)> {
    let ranges = MAX_RANGES.min(starts.len() + 1);
    // The first range begins after the keys that are already known, the others at evenly spread folders.
    let chosen = (1..ranges).filter_map(|range| starts.get(range * (starts.len() + 1) / ranges - 1));
    let mut begins = vec![last];
    begins.extend(chosen.cloned());
    let ends: Vec<Option<String>> = begins.iter().skip(1).cloned().map(Some).chain([None]).collect();
    begins.into_iter().zip(ends).collect()
}

/// The keys after `after` and before `end`; `None` if the store does not list keys in order. The key `after` itself is
/// already known, or is the placeholder object of a folder.
async fn range(bucket: &Bucket, prefix: &str, after: &str, end: Option<&str>) -> Result<Option<Vec<Object>>> {
    let mut objects: Vec<Object> = Vec::new();
    let mut token: Option<String> = None;
    loop {
        let page = match &token {
            None => bucket.list(prefix, false, Some(after), None).await?,
            Some(token) => bucket.list(prefix, false, None, Some(token)).await?,
        };
        if !is_ascending(objects.last().map_or(after, |object| &object.key), &page.objects) {
            return Ok(None);
        }
        let is_past = |object: &Object| end.is_some_and(|end| *object.key >= *end);
        let ends_here = page.next.is_none() || page.objects.last().is_some_and(is_past);
        objects.extend(page.objects.into_iter().filter(|object| !is_past(object)));
        if ends_here {
            return Ok(Some(objects));
        }
        token = page.next;
    }
}

/// Whether the keys are in ascending order and greater than `after`.
fn is_ascending(after: &str, objects: &[Object]) -> bool {
    let keys = objects.iter().map(|object| object.key.as_str());
    std::iter::once(after).chain(keys.clone()).zip(keys).all(|(before, key)| before < key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_follow_each_other() {
        let starts: Vec<String> = (0..100).map(|number| format!("x/{number:03}/")).collect();
        for folders in [0, 1, 2, 16, 31, 32, 33, 100] {
            let ranges = divide("x/".to_owned(), &starts[..folders]);
            assert_eq!(ranges.len(), MAX_RANGES.min(folders + 1), "{folders}");
            assert_eq!(ranges[0].0, "x/");
            for pair in ranges.windows(2) {
                assert_eq!(pair[0].1.as_ref(), Some(&pair[1].0), "{folders}");
                assert!(pair[0].0 < pair[1].0, "{folders}");
            }
            assert_eq!(ranges[ranges.len() - 1].1, None);
        }
    }
}
