//! The hints for an input without a single usable record.
//!
//! Invariant: the hint fits the most frequent reason. It suspects the wrong folder only if the records are those of the
//! other content, or if there are none.

use crate::input::sources::Content;
use crate::quality::read_stats::ReadStats;

/// The hint for an input of which no record is usable.
pub fn nothing_usable(content: Content, read: &ReadStats) -> String {
    let most_frequent = read.reasons.iter().max_by_key(|(_, count)| **count);
    let Some((reason, _)) = most_frequent.filter(|_| read.counts.quarantined >= read.counts.filtered) else {
        return match content {
            _ if read.counts.read == 0 => wrong_folder(content),
            Content::Logs => "check that these are event logs of the app with the page NextSong".to_owned(),
            Content::Songs => wrong_folder(content),
        };
    };
    let (reason, key) = reason.split_once(':').unwrap_or((reason, ""));
    let key = key.split(' ').next().unwrap_or_default();
    match (reason, key) {
        ("missing_required", _) if has_other_content(content, read) => wrong_folder(content),
        ("missing_required", _) => format!(
            "each record needs the key {key} at its top level; if the records are inside another object, extract them \
             first"
        ),
        ("type" | "ts_implausible" | "non_integral" | "out_of_range", "ts") => {
            "convert ts to a number of milliseconds since 1970 (UTC), as in 1541106106796".to_owned()
        }
        ("syntax" | "trailing_bytes" | "not_an_object", _) => {
            "write each record as a JSON object; NaN, Infinity, single quotes and None are not JSON".to_owned()
        }
        _ => format!("repair the records: the reason {reason} is explained in the documentation under Bad records"),
    }
}

fn wrong_folder(content: Content) -> String {
    let expected = match content {
        Content::Songs => "song metadata",
        Content::Logs => "event logs",
    };
    format!("check that this is the folder of the {expected}")
}

/// Whether the records have keys that only the other content has.
fn has_other_content(content: Content, read: &ReadStats) -> bool {
    let keys: &[&str] = match content {
        Content::Songs => &["page", "sessionId", "userId"],
        Content::Logs => &["song_id", "artist_id", "num_songs"],
    };
    read.counts.unknown_keys.iter().any(|(key, _)| keys.contains(&key))
}
