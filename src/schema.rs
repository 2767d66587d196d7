//! The star schema as data: tables, columns, types, partitions, folder names.
//!
//! How the rows are computed is in [`crate::tables`].
//!
//! Invariant: the order here is the order everywhere: of columns in files and frames, and of tables when they are
//! published (dimensions before facts). Partition columns come last in frames; files do not contain them.

use std::collections::BTreeMap;

/// One of the tables, in the order in which they are published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// One row per song.
    Songs,
    /// One row per artist.
    Artists,
    /// One row per user, as of the user's latest event.
    Users,
    /// One row per user and period with the same level; only written if it is selected.
    UsersHistory,
    /// One row per distinct start time.
    Time,
    /// One row per play.
    Songplays,
}

/// The type of a column: one that Parquet and Arrow both have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// 32-bit signed integer.
    Int32,
    /// 64-bit signed integer.
    Int64,
    /// IEEE 754 double.
    Float64,
    /// True or false.
    Boolean,
    /// UTF-8 text.
    Text,
    /// Microseconds since 1970-01-01T00:00:00Z, adjusted to UTC.
    Timestamp,
}

impl Type {
    /// The name by which Python knows the type.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Float64 => "float64",
            Self::Boolean => "boolean",
            Self::Text => "text",
            Self::Timestamp => "timestamp",
        }
    }
}

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The column's name in the schema; in files and frames, [`ColumnNames`] may have another one.
    pub name: &'static str,
    /// The column's type. Every column may hold NULL, as in Spark's files.
    pub kind: Type,
}

const fn field(name: &'static str, kind: Type) -> Field {
    Field { name, kind }
}

const SONGS: &[Field] = &[
    field("song_id", Type::Text),
    field("title", Type::Text),
    field("artist_id", Type::Text),
    field("year", Type::Int32),
    field("duration", Type::Float64),
];
const ARTISTS: &[Field] = &[
    field("artist_id", Type::Text),
    field("name", Type::Text),
    field("location", Type::Text),
    field("latitude", Type::Float64),
    field("longitude", Type::Float64),
];
const USERS: &[Field] = &[
    field("user_id", Type::Text),
    field("first_name", Type::Text),
    field("last_name", Type::Text),
    field("gender", Type::Text),
    field("level", Type::Text),
];
const USERS_HISTORY: &[Field] = &[
    field("user_id", Type::Text),
    field("level", Type::Text),
    field("first_name", Type::Text),
    field("last_name", Type::Text),
    field("gender", Type::Text),
    field("valid_from", Type::Timestamp),
    field("valid_to", Type::Timestamp),
    field("is_current", Type::Boolean),
];
const TIME: &[Field] = &[
    field("start_time", Type::Timestamp),
    field("hour", Type::Int32),
    field("day", Type::Int32),
    field("week", Type::Int32),
    field("month", Type::Int32),
    field("year", Type::Int32),
    field("weekday", Type::Int32),
];
const SONGPLAYS: &[Field] = &[
    field("songplay_id", Type::Int64),
    field("start_time", Type::Timestamp),
    field("user_id", Type::Text),
    field("level", Type::Text),
    field("song_id", Type::Text),
    field("artist_id", Type::Text),
    field("session_id", Type::Int64),
    field("location", Type::Text),
    field("user_agent", Type::Text),
    field("year", Type::Int32),
    field("month", Type::Int32),
];

impl Table {
    /// All tables, dimensions before facts.
    pub const ALL: [Self; 6] =
        [Self::Songs, Self::Artists, Self::Users, Self::UsersHistory, Self::Time, Self::Songplays];

    /// The tables that a run writes unless others are selected.
    pub const DEFAULT: [Self; 5] = [Self::Songs, Self::Artists, Self::Users, Self::Time, Self::Songplays];

    /// The table's name in options, report keys and `plain` folder names.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Songs => "songs",
            Self::Artists => "artists",
            Self::Users => "users",
            Self::UsersHistory => "users_history",
            Self::Time => "time",
            Self::Songplays => "songplays",
        }
    }

    /// The folder's name in the layout of the Spark job (`classic`).
    #[must_use]
    pub const fn classic_folder(self) -> &'static str {
        match self {
            Self::Songs => "songs_table",
            Self::Artists => "artists_table",
            Self::Users => "user_table",
            Self::UsersHistory => "users_history_table",
            Self::Time => "time_table",
            Self::Songplays => "songplays_table",
        }
    }

    /// The table with this [`Self::name`].
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.name() == name)
    }

    /// All columns, in order.
    #[must_use]
    pub const fn fields(self) -> &'static [Field] {
        match self {
            Self::Songs => SONGS,
            Self::Artists => ARTISTS,
            Self::Users => USERS,
            Self::UsersHistory => USERS_HISTORY,
            Self::Time => TIME,
            Self::Songplays => SONGPLAYS,
        }
    }

    /// The columns whose values are in the path, outermost folder first.
    #[must_use]
    pub const fn partition_columns(self) -> &'static [&'static str] {
        match self {
            Self::Songs => &["year", "artist_id"],
            Self::Artists | Self::Users | Self::UsersHistory => &[],
            Self::Time | Self::Songplays => &["year", "month"],
        }
    }

    /// The columns that the files contain, in order.
    pub fn file_fields(self) -> impl Iterator<Item = &'static Field> {
        self.fields().iter().filter(move |field| !self.partition_columns().contains(&field.name))
    }

    /// Whether the table is made from song files only.
    #[must_use]
    pub const fn is_made_from_songs(self) -> bool {
        matches!(self, Self::Songs | Self::Artists)
    }

    /// Whether the table has one folder per month of the plays. These tables are published after the dimensions.
    #[must_use]
    pub const fn is_partitioned_by_month(self) -> bool {
        matches!(self, Self::Time | Self::Songplays)
    }

    /// Whether the table is made from files with this content, "songs" or "logs".
    #[must_use]
    pub fn is_made_from(self, content: &str) -> bool {
        match content {
            "songs" => self.is_made_from_songs() || self == Self::Songplays,
            _ => !self.is_made_from_songs(),
        }
    }
}

/// The names of columns in files, paths and frames: those of the schema, unless they are renamed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColumnNames(BTreeMap<(Table, &'static str), String>);

impl ColumnNames {
    /// Gives a column another name. Returns false if the table has no such column.
    pub fn set(&mut self, table: Table, column: &str, name: String) -> bool {
        let field = table.fields().iter().find(|field| field.name == column);
        if let Some(field) = field {
            self.0.insert((table, field.name), name);
        }
        field.is_some()
    }

    /// The name of a column of the schema.
    #[must_use]
    pub fn get<'n>(&'n self, table: Table, column: &'static str) -> &'n str {
        self.0.get(&(table, column)).map_or(column, String::as_str)
    }

    /// The renamed columns: table, name in the schema, name.
    pub fn renamed(&self) -> impl Iterator<Item = (Table, &'static str, &str)> {
        self.0.iter().map(|((table, column), name)| (*table, *column, name.as_str()))
    }
}
