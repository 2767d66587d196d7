//! Tests that a sample has the unusual values of the real data: shares, variants, changes of level, numbers for text.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::sample::SampleSpec;
use crate::sample::catalog::{Catalog, Copy, Song};
use crate::sample::tests::{Sample, share, small, text};
use crate::sample::words::Words;

/// The song files of a large catalog, made in memory.
fn catalog_of(songs: u64) -> Vec<Value> {
    let words = Words::new();
    let catalog = Catalog::new(&words, 42, songs);
    let (mut song, mut out, mut records) = (Song::default(), Vec::new(), Vec::new());
    for number in 0..songs {
        for copy in [Copy::First, Copy::Repeat] {
            if copy == Copy::First || catalog.is_repeated(number) {
                out.clear();
                catalog.write_song(number, copy, &mut song, &mut out);
                records.push(serde_json::from_slice(&out).unwrap());
            }
        }
    }
    records
}

#[test]
fn songs_are_as_odd_as_the_real_ones() {
    let songs = catalog_of(15_000);
    let count = |wanted: &dyn Fn(&Value) -> bool| share(songs.iter().filter(|song| wanted(song)).count(), songs.len());
    let distinct = |key: &str| songs.iter().map(|song| text(&song[key])).collect::<HashSet<_>>().len();
    assert_eq!(distinct("song_id"), 15_000);
    assert!((15_100..15_250).contains(&songs.len()), "{}", songs.len());
    assert!((10_000..12_000).contains(&distinct("artist_id")), "{}", distinct("artist_id"));
    assert!((0.4..0.6).contains(&count(&|song| song["year"] == 0)));
    assert!((0.4..0.7).contains(&count(&|song| song["artist_latitude"].is_null())));
    assert!((0.3..0.5).contains(&count(&|song| song["artist_location"] == "")));
    assert!(songs.iter().all(|song| song["artist_latitude"].is_null() == song["artist_longitude"].is_null()));
    assert!((0.001..0.01).contains(&count(&|song| song["artist_name"].is_u64())));
    assert!((0.001..0.01).contains(&count(&|song| song["title"].is_u64())));
    assert!(
        (0.03..0.15)
            .contains(&count(&|song| !text(&song["title"]).is_ascii() || !text(&song["artist_name"]).is_ascii()))
    );
    for odd in ["\"", "'", "/", "\u{1f3b8}", "\u{591c}", "\u{f1}"] {
        assert!(count(&|song| text(&song["title"]).contains(odd)) > 0.0, "{odd}");
    }

    let partitions: HashSet<_> = songs.iter().map(|song| (song["year"].as_u64(), text(&song["artist_id"]))).collect();
    assert!(partitions.len() > 13_000, "{}", partitions.len());
    for key in ["artist_name", "artist_location"] {
        let mut variants: HashMap<String, HashSet<String>> = HashMap::new();
        for song in &songs {
            variants.entry(text(&song["artist_id"])).or_default().insert(text(&song[key]));
        }
        assert!(variants.values().filter(|variants| variants.len() > 1).count() > 100, "{key}");
    }
}

#[test]
fn events_are_as_odd_as_the_real_ones() {
    let sample = Sample::new(&SampleSpec { events: 60_000, ..small() }, 2);
    let events = sample.events();
    let plays: Vec<&Value> = events.iter().filter(|event| event["page"] == "NextSong").collect();
    assert!((0.82..0.88).contains(&share(plays.len(), events.len())), "{}", share(plays.len(), events.len()));
    let key = |record: &Value, title: &str, artist: &str, length: &str| {
        (text(&record[title]), text(&record[artist]), record[length].to_string())
    };
    let known: HashSet<_> = sample.songs().iter().map(|song| key(song, "title", "artist_name", "duration")).collect();
    let matched = plays.iter().filter(|play| known.contains(&key(play, "song", "artist", "length"))).count();
    assert!((0.28..0.32).contains(&share(matched, plays.len())), "{matched}");
    for page in ["Submit Upgrade", "Submit Downgrade", "Save Settings", "Add to Playlist", "Error", "Roll Advert"] {
        assert!(events.iter().any(|event| event["page"] == page), "{page}");
    }
    for event in &events {
        let played = event["page"] == "NextSong";
        for key in ["artist", "song", "length"] {
            assert_eq!(event[key].is_null(), !played);
        }
        let inside = event["auth"] == "Logged In";
        assert_eq!(event["userId"] != "", inside);
        for key in ["firstName", "lastName", "gender", "location", "registration", "userAgent"] {
            assert_eq!(event[key].is_null(), !inside);
        }
        assert!(inside || !played);
        assert_eq!(event["registration"].is_f64(), inside);
    }
    assert!(plays.iter().any(|play| play["song"].is_u64()) && plays.iter().any(|play| play["artist"].is_u64()));
    assert!(events.iter().any(|event| event["userId"].is_u64()));
    let pairs = events.windows(2).filter(|pair| pair[0]["ts"] == pair[1]["ts"]);
    assert!((100..600).contains(&pairs.clone().count()), "{}", pairs.count());
    for pair in pairs {
        assert_ne!(pair[0]["sessionId"], pair[1]["sessionId"]);
    }
}

#[test]
fn sessions_count_up_and_levels_change_by_submitting() {
    let events = Sample::new(&SampleSpec { events: 40_000, days: 20, ..small() }, 2).events();
    let mut sessions: HashMap<u64, (u64, u64)> = HashMap::new();
    let mut levels: HashMap<String, &Value> = HashMap::new();
    let mut submitted: HashSet<String> = HashSet::new();
    let (mut last, mut changes, mut shown) = (0, 0, 0);
    for event in &events {
        let number = |key: &str| event[key].as_u64().unwrap();
        assert!(number("ts") >= last);
        last = number("ts");
        let expected = sessions.get(&number("sessionId")).map_or((0, 0), |(item, time)| (item + 1, time + 1));
        assert_eq!(number("itemInSession"), expected.0);
        assert!(number("ts") >= expected.1);
        sessions.insert(number("sessionId"), (number("itemInSession"), number("ts")));
        let user = text(&event["userId"]);
        if user.is_empty() {
            continue;
        }
        if let Some(before) = levels.insert(user.clone(), &event["level"])
            && before != &event["level"]
        {
            changes += 1;
            shown += u32::from(submitted.contains(&user));
        }
        if event["page"].as_str().is_some_and(|page| page.starts_with("Submit ")) {
            submitted.insert(user);
        } else {
            submitted.remove(&user);
        }
    }
    // A user without events on the day of the change has no Submit event, as in the real data.
    assert!(changes >= 5 && shown * 2 > changes, "{shown} of {changes}");
}
