//! The users table: one row a user, as the user's latest event has it.
//!
//! The rule (PRODUCT, rule 4): the latest event by (ts, sessionId, itemInSession), then the bytewise greatest level;
//! what is still tied is decided by the greatest (`first_name`, `last_name`, gender). NULL sorts before every value.
//!
//! Invariant: the result depends on the set of events alone: each profile keeps the greatest key of its events, and
//! the greatest profile of a user wins.

use hashbrown::HashMap;

use super::columns::{Column, Columns};
use super::plays::{Key, People};
use crate::schema::Table;

/// A row of the users table, with what decides between two. Fields in the order in which they decide.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UserRow {
    latest: Key,
    /// Subscription.
    pub level: Option<Box<str>>,
    /// First name.
    pub first_name: Option<Box<str>>,
    /// Last name.
    pub last_name: Option<Box<str>>,
    /// Gender.
    pub gender: Option<Box<str>>,
}

/// The users of all parts, sorted by key.
#[must_use]
pub fn finish(parts: &[People]) -> Vec<(Box<str>, UserRow)> {
    let mut users: HashMap<Box<str>, UserRow> = HashMap::new();
    let mut scratch = String::new();
    for people in parts {
        for (profile, latest) in (0_u32..).zip(&people.latest) {
            let mut text = |field| people.profiles.text(profile, field, &mut scratch).map(Box::<str>::from);
            let Some(user_id) = text(0) else { continue };
            if users.get(&user_id).is_some_and(|kept| kept.latest > *latest) {
                continue;
            }
            let row =
                UserRow { latest: *latest, level: text(1), first_name: text(4), last_name: text(5), gender: text(6) };
            match users.get_mut(&user_id) {
                None => {
                    users.insert(user_id, row);
                }
                Some(kept) if row > *kept => *kept = row,
                Some(_) => {}
            }
        }
    }
    let mut rows: Vec<(Box<str>, UserRow)> = users.into_iter().collect();
    rows.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    rows
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
