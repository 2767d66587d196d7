"""Reads `dl.cfg` and `lake.cfg` line by line.

The reader is lenient, because existing files need it: `configparser` rejects keys before the first section,
duplicate sections and keys, and `%` in a secret. Precedence between files is decided in `resolve.py`, and
values are checked by the engine.

Invariant: no text of a file appears in an error, in a warning, or in a local variable of a frame that raises:
a value is a `Secret` as soon as its line is read, and the reader returns an error instead of raising it.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from sparkify_lake.errors import AccessDeniedError, ConfigurationError, SparkifyLakeError
from sparkify_lake.secret import Secret
from sparkify_lake.settings.options import BY_NAME, OPTIONS, Option, suggestion

SECRET_FILE = "dl.cfg"
CREDENTIAL_SECTION = "AWS"
LAKE_FILE = "lake.cfg"

# The documented keys are KEY and SECRET; existing files use the others.
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
# Sections with one value per line, instead of `KEY = value`.
LIST_SECTIONS: Mapping[str, Option] = {option.section: option for option in OPTIONS if option.section}
_NAME_BY_KEY = {
    key: name
    for spellings in (CREDENTIAL_KEYS, OPTION_KEYS)
    for name, keys in spellings.items()
    for key in keys
}

_MAX_FILE_BYTES = 1 << 20
_SECTION = re.compile(r"\[([^\]]*)\]\s*(?:[#;].*)?")
_KEY_VALUE = re.compile(r"([^=:\[]+?)\s*[=:]\s*(.*)")
# An unknown key may be part of a secret by mistake: only keys that look like names are displayed.
_HARMLESS_KEY = re.compile(r"[A-Za-z0-9]{1,15}(?:[_.-][A-Za-z0-9]{1,15})*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One `KEY = value` line.

    Attributes:
        file: The file, as the user would open it.
        line: Line number; the first line is 1.
        section: The section of the line; empty before the first section.
        key: The key as written.
        name: The option or credential that the line sets.
        value: The value; masked, because any line may contain a secret.
    """

    file: str
    line: int
    section: str
    key: str
    name: str
    value: Secret

    @property
    def origin(self) -> str:
        """The file and the line, as `dl.cfg:3`."""
        return f"{self.file}:{self.line}"

    @property
    def place(self) -> str:
        """The key and its place in words, as `KEY in [AWS] on line 3`."""
        return (
            f"{self.key} in [{self.section}] on line {self.line}"
            if self.section
            else f"{self.key} on line {self.line}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFile:
    """The contents of one file; a file with an error has no entries."""

    entries: tuple[Entry, ...] = ()
    warnings: tuple[str, ...] = ()
    error: SparkifyLakeError | None = None


def read_file(path: Path) -> ConfigFile:
    """Reads one file. Problems are returned as warnings or as an error, never raised.

    Args:
        path: A `dl.cfg`, a `lake.cfg`, or another file that replaces both.

    Returns:
        The lines that set a value (an empty value means "not set"), the warnings and the error.
    """
    name = str(path)
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            content = file.read(_MAX_FILE_BYTES + 1)
    except PermissionError:
        denied = AccessDeniedError(
            f"{name} cannot be read",
            cause="permission denied",
            hint="check the owner and the permissions of the file",
            context={"path": name},
        )
        return ConfigFile(error=denied)
    except OSError as error:
        return _invalid(name, f"{name} cannot be read", cause=error.strerror)
    if len(content) > _MAX_FILE_BYTES:
        return _invalid(
            name, f"{name} is too large for a configuration file", hint="the maximum size is 1 MiB"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return _invalid(name, f"{name} is not UTF-8 text", hint="save it as UTF-8")
    read = _parse(name, text, secrets_allowed=path.name != LAKE_FILE)
    holds_secrets = any(entry.name in CREDENTIAL_KEYS for entry in read.entries)
    if holds_secrets and os.name == "posix" and mode & 0o077:
        readable = f"{name} contains credentials and other users can read it; run: chmod 600 {name}"
        return replace(read, warnings=(*read.warnings, readable))
    return read


def _parse(file: str, text: str, *, secrets_allowed: bool) -> ConfigFile:
    section = ""
    entries: list[Entry] = []
    warnings: list[str] = []
    unknown: list[str] = []
    lists: dict[str, Entry] = {}
    for number, line in _logical_lines(text):
        place = f"{file}:{number}"
        if not line or line[0] in "#;":
            continue
        if heading := _SECTION.fullmatch(line):
            section = heading[1].strip()
            continue
        if listed := LIST_SECTIONS.get(section.upper()):
            _add_to_list(
                lists,
                listed,
                Entry(
                    file=file,
                    line=number,
                    section=section,
                    key=listed.key,
                    name=listed.name,
                    value=Secret(line),
                ),
            )
            continue
        pair = _KEY_VALUE.fullmatch(line)
        if pair is None:
            return _invalid(
                file,
                f"{place} is not a [section], a comment or KEY = value",
                hint="correct the line; it is not displayed here, because it may contain a secret",
            )
        key, value = pair[1], pair[2]
        name = _name_of(key)
        if name is None:
            unknown.append(_describe_unknown(key, number))
            continue
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1].strip()
            warnings.append(f"{place}: the quotes around the value of {key} were removed")
        if not value:
            continue
        if name in CREDENTIAL_KEYS and not secrets_allowed:
            return _invalid(
                file,
                f"{place}: {key} is a secret and is not allowed in {LAKE_FILE}",
                hint=f"move it to {SECRET_FILE}, and never commit that file",
            )
        if name in CREDENTIAL_KEYS and len(value.split()) > 1:
            warnings.append(f"{place}: the value of {key} contains spaces; put comments on their own line")
        entry = Entry(file=file, line=number, section=section, key=key, name=name, value=Secret(value))
        earlier = next(
            (other for other in entries if other.name == name and other.value == entry.value), None
        )
        if earlier is not None:
            warnings.append(f"{place}: {key} repeats {earlier.key} on line {earlier.line}")
        entries.append(entry)
    entries.extend(lists.values())
    entries, ignored = _of_one_section(entries)
    warnings.extend(
        f"{entry.origin}: {entry.place} is ignored, because [{CREDENTIAL_SECTION}] has the credentials"
        for entry in ignored
    )
    if unknown:
        subject = "an unknown key is" if len(unknown) == 1 else "unknown keys are"
        warnings.append(f"{file}: {subject} ignored: {', '.join(unknown)}")
    return ConfigFile(entries=tuple(entries), warnings=tuple(warnings))


def _add_to_list(lists: dict[str, Entry], option: Option, entry: Entry) -> None:
    """Appends a line of a section with one value per line to the value of its option."""
    first = lists.get(option.name)
    value = Secret(f"{first.value.reveal()}, {entry.value.reveal()}") if first else entry.value
    lists[option.name] = replace(first or entry, value=value)


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yields each line without indentation, and its number.

    As in `configparser`, a line that is indented deeper than the key above it continues the value of the key,
    unless it is a section, a comment or a known key. A value that is not empty is not continued by another
    `KEY = value`, unless its option takes a list of conditions, and a credential not at all: it contains no
    spaces, so the line is a mistake.
    """
    logical, first, depth = "", 0, 0
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
        stripped = line.strip()
        indent = len(line) - len(line.lstrip())
        if indent > depth and _continues(stripped, above=logical):
            logical = f"{logical} {stripped}"
            continue
        if first:
            yield first, logical
        logical, first, depth = stripped, number, indent
    if first:
        yield first, logical


def _continues(line: str, *, above: str) -> bool:
    """Returns whether an indented line continues the value of the `KEY = value` above it."""
    key = _KEY_VALUE.fullmatch(above)
    if key is None or not line or line[0] in "#;[":
        return False
    pair = _KEY_VALUE.fullmatch(line)
    option = BY_NAME.get(_name_of(key[1]) or "")
    if not key[2] or (option is not None and option.repeatable):
        return pair is None or _name_of(pair[1]) is None  # a secret may end with =
    return pair is None and _name_of(key[1]) not in CREDENTIAL_KEYS


def _name_of(key: str) -> str | None:
    """Returns the option or credential that a key sets."""
    return _NAME_BY_KEY.get(key.upper().replace("-", "_"))


def _of_one_section(entries: list[Entry]) -> tuple[list[Entry], list[Entry]]:
    """Separates credentials of other services: if [AWS] has a complete key, only its credentials count.

    A `dl.cfg` may also have, for example, `TOKEN` in [GITHUB] or `KEY` in [KMS].

    Returns:
        The entries that count, and the credentials of other sections.
    """
    in_aws = [entry for entry in entries if entry.section.upper() == CREDENTIAL_SECTION]
    if not {"access_key_id", "secret_access_key"} <= {entry.name for entry in in_aws}:
        return entries, []
    is_foreign = [
        entry.name in CREDENTIAL_KEYS and entry.section.upper() != CREDENTIAL_SECTION for entry in entries
    ]
    counted = [entry for entry, foreign in zip(entries, is_foreign, strict=True) if not foreign]
    return counted, [entry for entry, foreign in zip(entries, is_foreign, strict=True) if foreign]


def _describe_unknown(key: str, number: int) -> str:
    if not _HARMLESS_KEY.fullmatch(key):
        return f"the key on line {number}"
    similar = suggestion(key.upper(), _NAME_BY_KEY, cutoff=0.75)
    return f"{key} on line {number}" + (f" (did you mean {similar}?)" if similar else "")


def _invalid(file: str, message: str, *, cause: str | None = None, hint: str | None = None) -> ConfigFile:
    return ConfigFile(error=ConfigurationError(message, cause=cause, hint=hint, context={"path": file}))


def single_entry(entries: Iterable[Entry], name: str) -> Entry | None:
    """Returns the entry that sets an option or a credential.

    Args:
        entries: The lines of one file.
        name: The option or credential.

    Returns:
        The first such line; None if there is none.

    Raises:
        ConfigurationError: If two lines set different values.
    """
    found = [entry for entry in entries if entry.name == name]
    if any(entry.value != found[0].value for entry in found[1:]):
        option = BY_NAME.get(name)
        raise ConfigurationError(
            f"{found[0].file} sets {name} to more than one value",
            cause=" and ".join(entry.place for entry in found),
            hint="keep one of these lines" + (f", or pass {option.flag}" if option else ""),
            context={"path": found[0].file},
        )
    return found[0] if found else None
