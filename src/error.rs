//! What can go wrong, said so that a person and a scheduler both know what to do.
//!
//! An [`Error`] is one sentence, its cause and a hint; its [`ErrorKind`] decides the exit code (sysexits) and whether
//! a retry can cure it. It is not a backtrace and never carries a record of the input or a secret.
//!
//! Invariant: every error that leaves the crate has a kind, and the kind alone decides the exit code.

use std::path::Path;
use std::{fmt, io};

/// The result of everything fallible in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The class of a failure: one exit code and one Python exception class each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The call itself is wrong (64).
    Usage,
    /// The input was read and refused (65).
    DataRefused,
    /// There is nothing to read (66).
    NoInput,
    /// A bug of ours (70).
    Internal,
    /// The output cannot be created (73).
    Output,
    /// Reading or writing failed: disk full, too many open files, a broken device (74).
    Storage,
    /// Temporary: the same call may succeed later (75).
    Retry,
    /// What lies at the output is not what this program wrote, or the store breaks its promises (76).
    Protocol,
    /// Permission or credentials (77).
    Access,
    /// Configuration (78).
    Configuration,
    /// Stopped by the caller; the signal decides the exit code (130 or 143).
    Interrupted,
}

impl ErrorKind {
    /// All of them.
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

    /// The exit code of sysexits.h; interruption counts as SIGINT here, the front knows the true signal.
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
}

#[derive(Clone, Debug)]
struct Details {
    kind: ErrorKind,
    message: String,
    cause: Option<String>,
    hint: Option<String>,
    context: Vec<(&'static str, String)>,
}

/// One failure. Boxed inside, so that `Result<T>` stays small on the hot paths.
#[derive(Clone, Debug)]
pub struct Error(Box<Details>);

impl Error {
    /// A failure of `kind`, described in one sentence without a full stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Details { kind, message: message.into(), cause: None, hint: None, context: Vec::new() }))
    }

    /// The failure of an operation on a file: the operating system's words become the cause, and its error code
    /// decides the kind (permission 77, read-only 73, everything else `otherwise`).
    #[must_use]
    pub fn io(otherwise: ErrorKind, action: &str, path: &Path, source: &io::Error) -> Self {
        let shown = shown(path);
        Self::io_unnamed(otherwise, &format!("{action} {shown}"), source).context("path", shown)
    }

    /// The same where the path is not known.
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
            (ErrorKind::Access, _) => error.hint("check the owner and the mode of the path, or run as a user who may"),
            (_, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
                error.hint("free some space or choose another output; the tables are as they were")
            }
            (ErrorKind::Output, _) => error.hint("choose an output that can be written to"),
            (_, io::ErrorKind::NotFound) => error.hint("check the spelling of the path"),
            _ => error,
        }
    }

    /// Adds why it happened.
    #[must_use]
    pub fn cause(mut self, cause: impl Into<String>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds a named value (a path, an option) that programs may want to read.
    #[must_use]
    pub fn context(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.0.context.push((name, value.into()));
        self
    }

    /// The class of this failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The sentence.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Why, where it is known.
    #[must_use]
    pub fn cause_text(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }

    /// What to do next, where there is something to do.
    #[must_use]
    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The named values.
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

/// A path for people: control characters (a file name may hold a line feed or an escape) are shown escaped.
#[must_use]
pub fn shown(path: &Path) -> String {
    let text = path.to_string_lossy();
    if text.chars().any(char::is_control) { text.escape_debug().to_string() } else { text.into_owned() }
}
