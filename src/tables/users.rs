//! The users table: one row a user, as the user's latest event has it.
//!
//! The rule (PRODUCT, rule 4): the latest event by (ts, sessionId, itemInSession), then the bytewise greatest level;
//! what is still tied is decided by the greatest (`first_name`, `last_name`, gender). NULL sorts before every value.
//!
//! Invariant: the result depends on the set of events alone: each profile keeps the greatest key of its events, and
//! the greatest profile of a user wins.

use hashbrown::HashMap;

use crate::schema::Table;
use crate::tables::columns::{Column, Columns};
use crate::tables::plays::{Key, LocalDictionary};

/// A row of the users table, with what decides between two. Fields in the order in which they decide.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UserRow {
    /// The user's latest event.
    pub latest: Key,
    /// Subscription.
    pub level: Option<Box<str>>,
    /// First name.
    pub first_name: Option<Box<str>>,
    /// Last name.
    pub last_name: Option<Box<str>>,
    /// Gender.
    pub gender: Option<Box<str>>,
}

/// A user with its key.
pub type User = (Box<str>, UserRow);

/// Users of parts that are taken in one after the other.
#[derive(Clone, Debug, Default)]
pub struct UsersPartial {
    rows: HashMap<Box<str>, UserRow>,
}

impl UsersPartial {
    /// Takes in a user.
    pub fn add(&mut self, user_id: Box<str>, row: UserRow) {
        match self.rows.get_mut(&user_id) {
            None => {
                self.rows.insert(user_id, row);
            }
            Some(kept) if row > *kept => *kept = row,
            Some(_) => {}
        }
    }

    /// The users, sorted by key.
    #[must_use]
    pub fn finish(self) -> Vec<(Box<str>, UserRow)> {
        let mut rows: Vec<(Box<str>, UserRow)> = self.rows.into_iter().collect();
        rows.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        rows
    }
}

/// The users of all parts, sorted by key.
#[must_use]
pub fn finish(parts: &[LocalDictionary]) -> Vec<(Box<str>, UserRow)> {
    let mut users = UsersPartial::default();
    let mut scratch = String::new();
    for people in parts {
        for (profile, latest) in (0_u32..).zip(&people.latest) {
            let mut text = |field| people.profiles.text(profile, field, &mut scratch).map(Box::<str>::from);
            let Some(user_id) = text(0) else { continue };
            if users.rows.get(&user_id).is_some_and(|kept| kept.latest > *latest) {
                continue;
            }
            let row =
                UserRow { latest: *latest, level: text(1), first_name: text(4), last_name: text(5), gender: text(6) };
            users.add(user_id, row);
        }
    }
    users.finish()
}

/// Rows as columns, in the table's order.
#[must_use]
pub fn columns(rows: &[(Box<str>, UserRow)]) -> Columns {
    let columns = vec![
        Column::text(rows.iter().map(|(user_id, _)| Some(&**user_id))),
        Column::text(rows.iter().map(|(_, row)| row.first_name.as_deref())),
        Column::text(rows.iter().map(|(_, row)| row.last_name.as_deref())),
        Column::text(rows.iter().map(|(_, row)| row.gender.as_deref())),
        Column::text(rows.iter().map(|(_, row)| row.level.as_deref())),
    ];
    Columns { table: Table::Users, columns }
}
