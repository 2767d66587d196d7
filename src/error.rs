//! The error type: a message, its cause and a hint for the reader, and a kind for schedulers.
//!
//! The message is one sentence without a full stop. The [`ErrorKind`] decides the exit code (sysexits.h) and whether a
//! retry can succeed. An error contains no backtrace, no record of the input and no secret.
//!
//! Invariant: every error that leaves the crate has a kind, and the kind alone decides the exit code.

use std::path::Path;
use std::{fmt, io};

/// The result type of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The class of a failure. Each has its own exit code and its own Python exception class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The call itself is wrong (64).
    Usage,
    /// The input was read and rejected (65).
    DataRefused,
    /// There is nothing to read (66).
    NoInput,
    /// A bug in this program (70).
    Internal,
    /// The output cannot be created (73).
    Output,
    /// Reading or writing failed: disk full, too many open files, a broken device (74).
    Storage,
    /// Temporary: the same call may succeed later (75).
    Retry,
    /// This program did not write the files at the output, or the store does not behave as documented (76).
    Protocol,
    /// A permission is missing, or the credentials are not valid (77).
    Access,
    /// An option, or its combination with others, is wrong (78).
    Configuration,
    /// Stopped by the caller; the signal decides the exit code (130 or 143).
    Interrupted,
}

impl ErrorKind {
    /// All kinds.
    pub const ALL: [Self; 11] = [
        Self::Usage,
        Self::DataRefused,
        Self::NoInput,
        Self::Internal,
        Self::Output,
        Self::Storage,
        Self::Retry,
        Self::Protocol,
        Self::Access,
        Self::Configuration,
        Self::Interrupted,
    ];

    /// The exit code of sysexits.h. An interruption counts as SIGINT here; the Python package knows the actual signal.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Usage => 64,
            Self::DataRefused => 65,
            Self::NoInput => 66,
            Self::Internal => 70,
            Self::Output => 73,
            Self::Storage => 74,
            Self::Retry => 75,
            Self::Protocol => 76,
            Self::Access => 77,
            Self::Configuration => 78,
            Self::Interrupted => 130,
        }
    }

    /// The kind with this exit code.
    #[must_use]
    pub fn from_exit_code(exit_code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.exit_code() == exit_code)
    }
}

#[derive(Clone, Debug)]
struct Details {
    kind: ErrorKind,
    message: String,
    cause: Option<String>,
    hint: Option<String>,
    context: Vec<(&'static str, String)>,
}

/// One failure. The details are boxed, so that `Result<T>` stays small on the hot paths.
#[derive(Clone, Debug)]
pub struct Error(Box<Details>);

impl Error {
    /// A failure of `kind`; `message` is one sentence without a full stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Details { kind, message: message.into(), cause: None, hint: None, context: Vec::new() }))
    }

    /// The failure of an operation on a file. The message of the operating system becomes the cause, and its error
    /// code decides the kind: missing permission 77, read-only 73, disk full 74, everything else `otherwise`.
    #[must_use]
    pub fn io(otherwise: ErrorKind, action: &str, path: &Path, source: &io::Error) -> Self {
        let shown = shown(path);
        Self::io_unnamed(otherwise, &format!("{action} {shown}"), source).context("path", shown)
    }

    /// The same as [`Self::io`] for an operation without a known path.
    #[must_use]
    pub fn io_unnamed(otherwise: ErrorKind, action: &str, source: &io::Error) -> Self {
        let kind = match source.kind() {
            io::ErrorKind::PermissionDenied => ErrorKind::Access,
            io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Output,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                ErrorKind::Storage
            }
            _ => otherwise,
        };
        let error = Self::new(kind, format!("cannot {action}")).cause(source.to_string());
        match (kind, source.kind()) {
            (ErrorKind::Access, _) => {
                error.hint("check the owner and the mode of the path, or run as a user with access")
            }
            (_, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
                error.hint("free some space, or choose another output; no table was changed")
            }
            (ErrorKind::Output, _) => error.hint("choose a writable output"),
            (_, io::ErrorKind::NotFound) => error.hint("check the spelling of the path"),
            _ => error,
        }
    }

    /// Adds the cause.
    #[must_use]
    pub fn cause(mut self, cause: impl Into<String>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// Adds the hint: what the reader can do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds a named value for programs, such as a path or an option.
    #[must_use]
    pub fn context(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.0.context.push((name, value.into()));
        self
    }

    /// The kind.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The message: one sentence without a full stop.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The cause, if it is known.
    #[must_use]
    pub fn cause_text(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }

    /// The hint, if there is something to do.
    #[must_use]
    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The named values, in the order in which they were added.
    #[must_use]
    pub fn context_values(&self) -> &[(&'static str, String)] {
        &self.0.context
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.message)?;
        if let Some(cause) = &self.0.cause {
            write!(formatter, ": {cause}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// The path for display: control characters are escaped, because a file name may contain a line feed or an escape code.
#[must_use]
pub fn shown(path: &Path) -> String {
    let text = path.to_string_lossy();
    if text.chars().any(char::is_control) { text.escape_debug().to_string() } else { text.into_owned() }
}
