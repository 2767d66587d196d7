//! The values of rows, the locations of rejects, and the counts.

use crate::decode::tests::Kind;
use crate::decode::{ChunkCounts, Decoded, Decoder, Event, Framing, Limits, Reason, Song, Text};

fn event(record: &str, check: impl FnOnce(&Event<'_>)) -> ChunkCounts {
    let mut check = Some(check);
    let counts = Decoder::new(Limits::default()).events(record.as_bytes(), Framing::Values, &mut |decoded| {
        let Decoded::Row(event) = decoded else { panic!("{decoded:?}") };
        check.take().unwrap()(event);
    });
    assert!(check.is_none());
    counts
}

fn song(record: &str, check: impl FnOnce(&Song<'_>)) -> ChunkCounts {
    let mut check = Some(check);
    let counts = Decoder::new(Limits::default()).songs(record.as_bytes(), Framing::Values, &mut |decoded| {
        let Decoded::Row(song) = decoded else { panic!("{decoded:?}") };
        check.take().unwrap()(song);
    });
    assert!(check.is_none());
    counts
}

#[test]
fn an_event_in_the_form_of_the_app() {
    let record = r#"{"artist":"Beyonc\u00e9","auth":"Logged In","firstName":"Kaylee","gender":"F","itemInSession":3,"lastName":"Summers","length":182.85669,"level":"free","location":"Phoenix-Mesa-Scottsdale, AZ","method":"PUT","page":"NextSong","registration":1540344794796.0,"sessionId":139,"song":"D\u00e9j\u00e0 \"Vu\"","status":200,"ts":1541106106796,"userAgent":"\"Mozilla\/5.0\"","userId":"8"}"#;
    let counts = event(record, |event| {
        assert_eq!((event.ts, event.session_id, event.item_in_session), (1_541_106_106_796, Some(139), Some(3)));
        assert_eq!((event.user_id.raw(), event.length), ("8", Some(182.85669)));
        assert_eq!(event.first_name, Some(Text::plain("Kaylee")));
        assert_eq!(event.last_name, Some(Text::plain("Summers")));
        assert_eq!((event.gender, event.level), (Some(Text::plain("F")), Some(Text::plain("free"))));
        assert_eq!(event.location, Some(Text::plain("Phoenix-Mesa-Scottsdale, AZ")));
        assert_eq!(event.song, Some(Text::plain("Déjà \"Vu\"")));
        assert_eq!(event.artist, Some(Text::plain("Beyoncé")));
        let user_agent = event.user_agent.unwrap();
        assert_eq!((user_agent.raw(), user_agent.is_escaped()), (r#"\"Mozilla\/5.0\""#, true));
        assert_eq!(user_agent.resolve(&mut String::new()), "\"Mozilla/5.0\"");
    });
    assert_eq!((counts.read, counts.rows, counts.coerced), (1, 1, 0));
}

#[test]
fn a_song_in_the_form_of_the_data_set() {
    let record = r#"{"num_songs": 1, "artist_id": "ARGCY1Y1187B9A4FA5", "artist_latitude": 36.16778, "artist_longitude": -86.77836, "artist_location": "", "artist_name": 112, "song_id": "SOQ", "title": "Clementina Santaf\u00e8", "duration": 153, "year": 0}"#;
    let counts = song(record, |song| {
        assert_eq!((song.song_id.raw(), song.year, song.duration), ("SOQ", Some(0), Some(153.0)));
        assert_eq!((song.artist_latitude, song.artist_longitude), (Some(36.16778), Some(-86.77836)));
        assert_eq!((song.artist_name, song.artist_location), (Some(Text::plain("112")), Some(Text::plain(""))));
        assert_eq!(song.title, Some(Text::plain("Clementina Santafè")));
    });
    assert_eq!(counts.coerced, 1, "the numeric name; a whole number in a double column is not coerced");
}

/// Rule 16: with all pages, an event that could be a play is a row without the columns of a play.
#[test]
fn events_of_other_pages_are_rows_on_demand_and_count_as_filtered() {
    let user = r#""ts":1541106106796,"userId":26,"level":"paid","location":"x","song":"y","length":1.5"#;
    let records = [
        format!("{{\"page\":\"Home\",{user}}}"),
        format!("{{\"page\":\"NextSong\",{user}}}"),
        r#"{"page":"Home","ts":1541106106796,"userId":""}"#.to_owned(),
        r#"{"page":"Home","ts":1,"userId":"26"}"#.to_owned(),
        r#"{"page":"Home","ts":1541106106796,"userId":"26","sessionId":9.7}"#.to_owned(),
        r#"{"page":"Home"}"#.to_owned(),
    ];
    for all_pages in [false, true] {
        let mut rows = Vec::new();
        let mut decoder = Decoder::new(Limits { all_pages, ..Limits::default() });
        let counts = decoder.events(records.concat().as_bytes(), Framing::Values, &mut |decoded| {
            let Decoded::Row(event) = decoded else { panic!("{decoded:?}") };
            let texts = [event.location, event.song].map(|text| text.is_some());
            rows.push((event.is_play, event.user_id.raw().to_owned(), event.level.is_some(), texts));
        });
        let counts = (counts.read, counts.rows, counts.filtered, counts.quarantined, counts.coerced);
        assert_eq!(counts, (6, 1, 5, 0, 1), "the same counts, with and without all pages");
        let mut expected = vec![(true, "26".to_owned(), true, [true, true])];
        if all_pages {
            expected.insert(0, (false, "26".to_owned(), true, [false, false]));
        }
        assert_eq!(rows, expected);
    }
}

#[test]
fn missing_keys_are_null() {
    event(r#"{"page":"NextSong","ts":1541106106796,"userId":26.0}"#, |event| {
        assert_eq!(event.user_id, Text::plain("26"));
        assert_eq!((event.session_id, event.length, event.song), (None, None, None));
    });
    song(r#"{"song_id":"S"}"#, |song| {
        assert_eq!((song.artist_id, song.year, song.artist_latitude), (None, None, None));
    });
}

#[test]
fn several_numbers_of_one_record_become_text() {
    let record = r#"{"page":"NextSong","ts":"1541106106796","userId":1e2,"song":4.50,"artist":-0.0,"level":112}"#;
    for _ in 0..2 {
        let counts = event(record, |event| {
            assert_eq!(event.user_id, Text::plain("100"));
            assert_eq!(event.song, Some(Text::plain("4.5")));
            assert_eq!(event.artist, Some(Text::plain("0")));
            assert_eq!(event.level, Some(Text::plain("112")));
        });
        assert_eq!(counts.coerced, 5);
    }
}

#[test]
fn rejects_have_their_location() {
    let play = r#"{"page":"NextSong","ts":1541121934796,"userId":"26"}"#;
    let chunk = format!("{play}\n\n  junk \r\n{play} {{\"page\":null}}\n{{\n\"page\": 5\n}}\n{{\"page\":\"Ne");
    let mut rejects = Vec::new();
    let counts = Decoder::new(Limits::default()).events(chunk.as_bytes(), Framing::Values, &mut |decoded| {
        if let Decoded::Reject(reject) = decoded {
            let text = str::from_utf8(reject.bytes).unwrap().to_owned();
            assert!(chunk[usize::try_from(reject.offset).unwrap()..].starts_with(&text));
            rejects.push((reject.reason, reject.line, text));
        }
    });
    assert_eq!(
        rejects,
        [
            (Reason::Syntax, 2, "junk".to_owned()),
            (Reason::NullRequired, 3, "{\"page\":null}".to_owned()),
            (Reason::Type, 4, "{\n\"page\": 5\n}".to_owned()),
            (Reason::TruncatedTail, 7, "{\"page\":\"Ne".to_owned()),
        ]
    );
    assert_eq!((counts.read, counts.rows, counts.quarantined, counts.several_on_a_line), (6, 2, 4, 1));
    assert_eq!(counts.newlines, 7);
}

#[test]
fn unusual_records_are_counted() {
    let play = r#"{"page":"NextSong","ts":1541121934796,"userId":"26","TS":1,"zip":2,"caf\u00e9":3}"#;
    let home = r#"{"page":"Home","zip":2,"auth":3}"#;
    let chunk = format!("\u{feff}{play}\n[{home},{home}]\n\u{feff}{play}{home}\n[{home}");
    let counts = Decoder::new(Limits::default()).events(chunk.as_bytes(), Framing::Values, &mut |_| {});
    assert_eq!((counts.read, counts.rows, counts.filtered, counts.quarantined), (7, 2, 4, 1));
    assert_eq!((counts.bom, counts.arrays, counts.arrays_closed, counts.several_on_a_line), (2, 2, 1, 1));
    assert_eq!(counts.case_variants, 2);
    assert_eq!(counts.unknown_keys.iter().collect::<Vec<_>>(), [("TS", 2), ("café", 2), ("zip", 6)]);
}

#[test]
fn limits_are_applied() {
    let record = r#"{"page":"NextSong","ts":5,"userId":"26","song":"abcdef"}"#;
    let reason = |limits: Limits| {
        let mut reason = None;
        Decoder::new(limits).events(record.as_bytes(), Framing::Values, &mut |decoded| {
            if let Decoded::Reject(reject) = decoded {
                reason = Some(reject.reason);
            }
        });
        reason
    };
    let wide = Limits { ts_window: 0..10, ..Limits::default() };
    assert_eq!(reason(wide.clone()), None);
    assert_eq!(reason(Limits { ts_window: 0..5, ..wide.clone() }), Some(Reason::TsImplausible));
    assert_eq!(reason(Limits { max_record: record.len(), ..wide.clone() }), None);
    assert_eq!(reason(Limits { max_record: record.len() - 1, ..wide.clone() }), Some(Reason::LineTooLong));
    assert_eq!(reason(Limits { max_string: 5, ..wide.clone() }), Some(Reason::StringTooLong));
    assert_eq!(reason(Limits { max_keys: 3, ..wide }), Some(Reason::TooManyKeys));
}

#[test]
fn one_decoder_decodes_songs_and_events() {
    assert_ne!(Kind::Events, Kind::Songs);
    let mut decoder = Decoder::new(Limits::default());
    let chunk = br#"{"song_id":"S","page":"Home"}"#;
    assert_eq!(decoder.songs(chunk, Framing::Values, &mut |_| {}).rows, 1);
    assert_eq!(decoder.events(chunk, Framing::Values, &mut |_| {}).filtered, 1);
}
