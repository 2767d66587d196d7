//! Objects of a bucket, as they are listed and written.

/// The `ETag` as the store spells it, quotes included.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub Box<str>);

impl Tag {
    /// A tag in the one spelling that conditions take: some stores leave the quotes away in listings.
    #[must_use]
    pub fn spelled(text: &str) -> Self {
        let bare = text.is_empty() || text.contains('"');
        Self(if bare { text.into() } else { format!("\"{text}\"").into() })
    }
}

/// An object as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// The whole key.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// The version that was listed.
    pub tag: Tag,
    /// Milliseconds since 1970.
    pub modified: i64,
}

/// A page of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Objects, by key.
    pub objects: Vec<Object>,
    /// What lies one level below, when a delimiter was asked for; each ends in `/`.
    pub prefixes: Vec<String>,
    /// Where the next page begins.
    pub next: Option<String>,
}

/// On which condition an object is written.
#[derive(Clone, Copy, Debug)]
pub enum Put<'t> {
    /// Whatever is there.
    Always,
    /// Only where nothing is.
    Create,
    /// Only over this version.
    Replace(&'t Tag),
}

/// What became of a conditional write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// It happened; the version it made.
    Done(Tag),
    /// The condition did not hold.
    Refused,
}
