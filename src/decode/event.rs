//! Log events: one record per user action in the app. Only plays (`NextSong`) become rows (rule 3 of `docs/tables.md`),
//! unless the limits ask for all pages (rule 16).
//!
//! Invariant: the page decides first. An event of another page is filtered regardless of its other values, so the
//! outcome does not depend on the order of the keys.

use crate::decode::coercion::{Conversion, Fault, MemberReader, NumberTexts, RecordSchema};
use crate::decode::limits::Limits;
use crate::decode::reject_reason::Reason;
use crate::decode::text::Text;
use crate::decode::token::{Members, Token};

/// One play of a song, or what an event of another page contains about its user.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Event<'a> {
    /// Whether the page is that of a play.
    pub is_play: bool,
    /// Milliseconds since 1970, UTC.
    pub ts: i64,
    /// The user's id; never empty.
    pub user_id: Text<'a>,
    /// The number of the session.
    pub session_id: Option<i64>,
    /// The position of the event in its session.
    pub item_in_session: Option<i64>,
    /// The user's first name.
    pub first_name: Option<Text<'a>>,
    /// The user's last name.
    pub last_name: Option<Text<'a>>,
    /// The user's gender.
    pub gender: Option<Text<'a>>,
    /// The user's subscription at the time of the play.
    pub level: Option<Text<'a>>,
    /// The location of the user.
    pub location: Option<Text<'a>>,
    /// The user's browser.
    pub user_agent: Option<Text<'a>>,
    /// The title of the song.
    pub song: Option<Text<'a>>,
    /// The name of the artist.
    pub artist: Option<Text<'a>>,
    /// The duration of the song in seconds.
    pub length: Option<f64>,
}

/// The page of a play.
const PLAY: &str = "NextSong";

const PAGE: usize = 0;
const TS: usize = 1;
const USER_ID: usize = 2;
const SESSION_ID: usize = 3;
const ITEM_IN_SESSION: usize = 4;
const FIRST_NAME: usize = 5;
const LAST_NAME: usize = 6;
const GENDER: usize = 7;
const LEVEL: usize = 8;
const LOCATION: usize = 9;
const USER_AGENT: usize = 10;
const SONG: usize = 11;
const ARTIST: usize = 12;
const LENGTH: usize = 13;

/// The schema of log events.
pub struct EventSchema;

impl RecordSchema for EventSchema {
    type Row<'a> = Event<'a>;

    #[rustfmt::skip]
    const KEYS: &'static [&'static str] = &[
        "page", "ts", "userId", "sessionId", "itemInSession", "firstName", "lastName", "gender", "level",
        "location", "userAgent", "song", "artist", "length",
        "auth", "method", "registration", "status",
    ];
    const USED: usize = 14;
    const REQUIRED: usize = 3;

    #[inline]
    fn convert<'a>(members: &Members<'a>, limits: &Limits, number_texts: &'a NumberTexts) -> Conversion<Event<'a>> {
        let mut reader = MemberReader::new(members, limits, number_texts);
        match is_play(&mut reader) {
            Ok(true) => {}
            Ok(false) if limits.all_pages => return other_page(&mut reader, limits),
            Ok(false) => return Conversion::Filtered,
            Err(fault) => return Conversion::Fault(fault),
        }
        match play(&mut reader, limits) {
            Ok(row) => Conversion::Row { row, coerced: reader.coerced() },
            Err(fault) => Conversion::Fault(fault),
        }
    }
}

/// Returns true if the page is that of a play. A page that is not a string is a fault.
#[inline]
fn is_play(reader: &mut MemberReader<'_, '_>) -> Result<bool, Fault> {
    reader.check_conflict_at(PAGE)?;
    reader.check_required(PAGE)?;
    match reader.token(PAGE) {
        Token::Text { text, lone_surrogate: false } if !text.is_escaped() && text.raw().len() <= PLAY.len() => {
            Ok(text.raw() == PLAY)
        }
        Token::Text { .. } => Ok(reader.text(PAGE)?.is_some_and(|page| page == Text::plain(PLAY))),
        _ => Err(Fault { reason: Reason::Type, slot: PAGE }),
    }
}

/// An event of another page. One that would be rejected if it were a play is only filtered.
#[cold]
fn other_page<'a>(reader: &mut MemberReader<'_, 'a>, limits: &Limits) -> Conversion<Event<'a>> {
    match play(reader, limits) {
        Ok(event) => Conversion::FilteredRow(Event {
            is_play: false,
            location: None,
            user_agent: None,
            song: None,
            artist: None,
            length: None,
            ..event
        }),
        Err(_) => Conversion::Filtered,
    }
}

#[expect(clippy::inline_always, reason = "an event is large, and would be copied when it is returned")]
#[inline(always)]
fn play<'a>(reader: &mut MemberReader<'_, 'a>, limits: &Limits) -> Result<Event<'a>, Fault> {
    reader.check_conflicts()?;
    reader.check_required(TS)?;
    reader.check_required(USER_ID)?;
    let ts = reader.integer(TS)?.unwrap_or_default();
    if !limits.ts_window.contains(&ts) {
        return Err(Fault { reason: Reason::TsImplausible, slot: TS });
    }
    let user_id = match reader.text(USER_ID)? {
        Some(user_id) if !user_id.is_empty() => user_id,
        _ => {
            return Err(Fault { reason: Reason::EmptyUserId, slot: USER_ID });
        }
    };
    Ok(Event {
        is_play: true,
        ts,
        user_id,
        session_id: reader.integer(SESSION_ID)?,
        item_in_session: reader.integer(ITEM_IN_SESSION)?,
        first_name: reader.text(FIRST_NAME)?,
        last_name: reader.text(LAST_NAME)?,
        gender: reader.text(GENDER)?,
        level: reader.text(LEVEL)?,
        location: reader.text(LOCATION)?,
        user_agent: reader.text(USER_AGENT)?,
        song: reader.text(SONG)?,
        artist: reader.text(ARTIST)?,
        length: reader.float(LENGTH)?,
    })
}
