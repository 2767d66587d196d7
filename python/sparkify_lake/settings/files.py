"""`dl.cfg` and `lake.cfg`, line by line: what they say, where, and what is odd about them.

Lenient, because the files in use are; `configparser` refuses keys before any section, a section or key that
comes twice, and `%` in a secret. Which of two files wins is not decided here, nor what a value may look
like.

Invariant: no text of a file is in an error, a warning, or a local variable of a frame that raises: values
are `Secret` from the line they stand on, and the reader hands a refusal back instead of raising it.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from sparkify_lake.errors import AccessDeniedError, ConfigurationError, SparkifyLakeError
from sparkify_lake.secret import Secret
from sparkify_lake.settings.options import BY_NAME, OPTIONS, suggestion

SECRET_FILE = "dl.cfg"
LAKE_FILE = "lake.cfg"

# Spellings in use, besides the documented KEY and SECRET.
CREDENTIAL_KEYS: Mapping[str, tuple[str, ...]] = {
    "access_key_id": ("KEY", "AWS_ACCESS_KEY_ID", "ACCESS_KEY_ID", "ACCESS_KEY", "AWS_ACCESS_KEY", "AWS_KEY"),
    "secret_access_key": (
        "SECRET",
        "AWS_SECRET_ACCESS_KEY",
        "SECRET_ACCESS_KEY",
        "SECRET_KEY",
        "AWS_SECRET_KEY",
        "AWS_SECRET",
    ),
    "session_token": ("AWS_SESSION_TOKEN", "SESSION_TOKEN", "TOKEN"),
}
OPTION_KEYS: Mapping[str, tuple[str, ...]] = {
    option.name: (option.key, *option.older_keys) for option in OPTIONS if "file" in option.sources
}
_NAME_OF_KEY = {
    key: name
    for spellings in (CREDENTIAL_KEYS, OPTION_KEYS)
    for name, keys in spellings.items()
    for key in keys
}

_MOST_BYTES = 1 << 20
_SECTION = re.compile(r"\[([^\]]*)\]\s*(?:[#;].*)?")
_PAIR = re.compile(r"([^=:\[]+?)\s*[=:]\s*(.*)")
# A key may be a mistake, such as the second half of a secret: only what looks like a name is ever repeated.
_NAMELIKE = re.compile(r"[A-Za-z0-9]{1,15}(?:[_.-][A-Za-z0-9]{1,15})*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One `KEY = value` line.

    Attributes:
        file: The file, as the user would open it.
        line: Counted from 1.
        section: The section it stands in, empty before the first.
        key: The key as written.
        name: The option or credential it sets.
        value: What it says, masked because any line may hold a secret.
    """

    file: str
    line: int
    section: str
    key: str
    name: str
    value: Secret

    @property
    def origin(self) -> str:
        """Where it stands, as `dl.cfg:3`."""
        return f"{self.file}:{self.line}"

    @property
    def place(self) -> str:
        """Where it stands in words, as `KEY in [AWS] on line 3`."""
        return (
            f"{self.key} in [{self.section}] on line {self.line}"
            if self.section
            else f"{self.key} on line {self.line}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFile:
    """What one file says, and what is odd about it; with a refusal it says nothing."""

    entries: tuple[Entry, ...] = ()
    warnings: tuple[str, ...] = ()
    refusal: SparkifyLakeError | None = None


def read_file(path: Path) -> ConfigFile:
    """Reads one file; complaints come back as warnings and refusal, never as an exception.

    Args:
        path: A `dl.cfg`, a `lake.cfg`, or a file that plays the part of both.

    Returns:
        The lines that set something (an empty value means "not set"), and what the reader noticed.
    """
    shown = str(path)
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            content = file.read(_MOST_BYTES + 1)
    except PermissionError:
        denied = AccessDeniedError(
            f"{shown} cannot be read",
            cause="permission denied",
            hint="check its owner and its mode",
            context={"path": shown},
        )
        return ConfigFile(refusal=denied)
    except OSError as error:
        return _refused(shown, f"{shown} cannot be read", cause=error.strerror)
    if len(content) > _MOST_BYTES:
        return _refused(shown, f"{shown} is too large for a configuration file")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return _refused(shown, f"{shown} is not UTF-8 text", hint="save it as UTF-8")
    read = _read_text(shown, text, secrets_allowed=path.name != LAKE_FILE)
    holds_secrets = any(entry.name in CREDENTIAL_KEYS for entry in read.entries)
    if holds_secrets and os.name == "posix" and mode & 0o077:
        careless = (
            f"{shown} holds credentials and other users of this machine can read it; run: chmod 600 {shown}"
        )
        return replace(read, warnings=(*read.warnings, careless))
    return read


def _read_text(shown: str, text: str, *, secrets_allowed: bool) -> ConfigFile:
    section = ""
    entries: list[Entry] = []
    warnings: list[str] = []
    unknown: list[str] = []
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
        line = line.strip()
        place = f"{shown}:{number}"
        if not line or line[0] in "#;":
            continue
        if heading := _SECTION.fullmatch(line):
            section = heading[1].strip()
            continue
        pair = _PAIR.fullmatch(line)
        if pair is None:
            return _refused(
                shown,
                f"{place} is neither a [section], a comment nor KEY = value",
                hint="the line is not repeated here, because it may hold a secret",
            )
        key, value = pair[1], pair[2]
        name = _NAME_OF_KEY.get(key.upper().replace("-", "_"))
        if name is None:
            unknown.append(_unknown(key, number))
            continue
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1].strip()
            warnings.append(
                f"{place}: the quotes around the value of {key} are no part of it and were stripped"
            )
        if not value:
            continue
        if name in CREDENTIAL_KEYS and not secrets_allowed:
            return _refused(
                shown,
                f"{place}: {key} is a secret and does not belong in {LAKE_FILE}",
                hint=f"move it to {SECRET_FILE}, which is never committed",
            )
        if name in CREDENTIAL_KEYS and len(value.split()) > 1:
            warnings.append(f"{place}: {key} has a blank in its value; a comment needs a line of its own")
        entry = Entry(file=shown, line=number, section=section, key=key, name=name, value=Secret(value))
        earlier = next(
            (other for other in entries if other.name == name and other.value == entry.value), None
        )
        if earlier is not None:
            warnings.append(f"{place}: {key} says again what {earlier.key} says on line {earlier.line}")
        entries.append(entry)
    if unknown:
        subject = "an unknown key is" if len(unknown) == 1 else "unknown keys are"
        warnings.append(f"{shown}: {subject} ignored: {', '.join(unknown)}")
    return ConfigFile(entries=tuple(entries), warnings=tuple(warnings))


def _unknown(key: str, number: int) -> str:
    if not _NAMELIKE.fullmatch(key):
        return f"the key on line {number}"
    meant = suggestion(key.upper(), _NAME_OF_KEY, cutoff=0.75)
    return f"{key} on line {number}" + (f" (did you mean {meant}?)" if meant else "")


def _refused(shown: str, message: str, *, cause: str | None = None, hint: str | None = None) -> ConfigFile:
    return ConfigFile(refusal=ConfigurationError(message, cause=cause, hint=hint, context={"path": shown}))


def only(entries: Iterable[Entry], name: str) -> Entry | None:
    """Finds the entry that sets a name.

    Args:
        entries: The lines of one file, or of both.
        name: An option or a credential.

    Returns:
        The first of them; None when no line sets it.

    Raises:
        ConfigurationError: If two lines differ; names both, and how to say which.
    """
    found = [entry for entry in entries if entry.name == name]
    if any(entry.value != found[0].value for entry in found[1:]):
        option = BY_NAME.get(name)
        raise ConfigurationError(
            f"{found[0].file} gives {name} more than one value",
            cause=" and ".join(entry.place for entry in found),
            hint="keep one of them" + (f", or say which with {option.flag}" if option else ""),
            context={"path": found[0].file},
        )
    return found[0] if found else None
