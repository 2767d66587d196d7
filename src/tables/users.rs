//! The users table: one row per user, with the values of the user's latest play.
//!
//! Rule 4 of `docs/tables.md`, which row of a user is kept: the one of the latest play by (`ts`, `sessionId`,
//! `itemInSession`); then the one with the greatest level; then the greatest (`first_name`, `last_name`, gender). NULL
//! sorts before every value.
//!
//! Invariant: the result depends on the set of events alone: each profile keeps the greatest key of its events, and
//! the greatest row of a user wins.

use hashbrown::HashMap;

use crate::schema::Table;
use crate::tables::columns::{Column, Columns};
use crate::tables::plays::{Key, LocalDictionary, NEVER, profile};

/// A row of the users table without its key. The order of the fields is the order in which they decide (rule 4): the
/// greatest row is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UserRow {
    /// The time of the latest play with these values.
    pub latest: Key,
    /// The subscription, `free` or `paid`.
    pub level: Option<Box<str>>,
    /// Given name.
    pub first_name: Option<Box<str>>,
    /// Family name.
    pub last_name: Option<Box<str>>,
    /// As in the event log.
    pub gender: Option<Box<str>>,
}

impl UserRow {
    /// The row of a profile; `text` returns a field of it.
    pub(super) fn of_profile(latest: Key, mut text: impl FnMut(usize) -> Option<Box<str>>) -> Self {
        Self {
            latest,
            level: text(profile::LEVEL),
            first_name: text(profile::FIRST_NAME),
            last_name: text(profile::LAST_NAME),
            gender: text(profile::GENDER),
        }
    }
}

/// A `user_id` with its row.
pub type User = (Box<str>, UserRow);

/// The users of one or several parts of the input.
#[derive(Clone, Debug, Default)]
pub struct UsersPartial {
    rows: HashMap<Box<str>, UserRow>,
}

impl UsersPartial {
    /// Adds a row of a user.
    pub fn add(&mut self, user_id: Box<str>, row: UserRow) {
        match self.rows.get_mut(&user_id) {
            None => {
                self.rows.insert(user_id, row);
            }
            Some(kept) if row > *kept => *kept = row,
            Some(_) => {}
        }
    }

    /// The users, sorted by `user_id`.
    #[must_use]
    pub fn finish(self) -> Vec<User> {
        let mut rows: Vec<User> = self.rows.into_iter().collect();
        rows.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        rows
    }
}

/// The users of all parts, sorted by `user_id`.
#[must_use]
pub fn finish(parts: &[LocalDictionary]) -> Vec<User> {
    let mut users = UsersPartial::default();
    let mut scratch = String::new();
    for part in parts {
        for (id, latest) in (0_u32..).zip(&part.latest) {
            let mut text = |field| part.profiles.text(id, field, &mut scratch).map(Box::<str>::from);
            let Some(user_id) = text(profile::USER_ID).filter(|_| *latest != NEVER) else { continue };
            if users.rows.get(&user_id).is_some_and(|kept| kept.latest > *latest) {
                continue;
            }
            users.add(user_id, UserRow::of_profile(*latest, text));
        }
    }
    users.finish()
}

/// Rows as columns, in the table's order.
#[must_use]
pub fn columns(rows: &[User]) -> Columns {
    let columns = vec![
        Column::text(rows.iter().map(|(user_id, _)| Some(&**user_id))),
        Column::text(rows.iter().map(|(_, row)| row.first_name.as_deref())),
        Column::text(rows.iter().map(|(_, row)| row.last_name.as_deref())),
        Column::text(rows.iter().map(|(_, row)| row.gender.as_deref())),
        Column::text(rows.iter().map(|(_, row)| row.level.as_deref())),
    ];
    Columns { table: Table::Users, columns }
}
