//! The objects of a bucket: listing entries, versions, and conditions for writing.

/// The `ETag` of an object, with its quotes. It identifies a version of the object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub Box<str>);

impl Tag {
    /// The tag with quotes, as conditions need it. Some stores omit the quotes in listings.
    #[must_use]
    pub fn spelled(text: &str) -> Self {
        let is_complete = text.is_empty() || text.contains('"');
        Self(if is_complete { text.into() } else { format!("\"{text}\"").into() })
    }
}

/// An object in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// The full key.
    pub key: String,
    /// The size in bytes.
    pub size: u64,
    /// The listed version.
    pub tag: Tag,
    /// The time of the last modification, in milliseconds since 1970 (UTC).
    pub modified: i64,
}

/// A page of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The objects, in the order of the store.
    pub objects: Vec<Object>,
    /// The prefixes one level below, each with a trailing `/`; empty without a delimiter.
    pub prefixes: Vec<String>,
    /// The token of the next page; `None` for the last page.
    pub next: Option<String>,
}

/// The condition for writing an object.
#[derive(Clone, Copy, Debug)]
pub enum Put<'t> {
    /// None: replaces any object.
    Always,
    /// The object does not exist.
    Create,
    /// The object has this version.
    Replace(&'t Tag),
}

/// The result of a conditional write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// The object was written; its new version.
    Done(Tag),
    /// The condition was not met.
    Refused,
}
