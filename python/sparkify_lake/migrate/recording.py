"""The record of a script: its reads, writes and settings, and everything that could not be understood."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from sparkify_lake.migrate.frames import Frame
from sparkify_lake.migrate.values import CHOICE, Piece, Text, symbol
from sparkify_lake.settings.files import CREDENTIAL_KEYS, SECRET_FILE

_SECRET_NAME = re.compile(r"secret|passw|token(?!i)|(?:access|aws|s3)[._-]?(?:access[._-]?)?key", re.I)
_KEY_NAME = re.compile(r"(?:^|[._-])key$", re.I)
_SECRET_VALUE = re.compile(
    r".*(?:AKIA|ASIA)[0-9A-Z]{12,}.*|(?=.*[a-z])(?=.*[A-Z])(?=.*[0-9])[A-Za-z0-9/+]{40}", re.S
)
_USERINFO = re.compile(r"(\w+://)([^@\s]*[^@\s/]@)(?=[\w.-]+(?:/|$))")
# Values that are no secrets under any name.
_WORDS = {"", "true", "false", "True", "False", "None"}
_KEY = re.compile(r"(?:AKIA|ASIA)[0-9A-Z]{12,}")


@dataclass(frozen=True, slots=True)
class Read:
    """A read of files."""

    path: Text
    line: int
    functions: tuple[str, ...]


def part_of(path: Text) -> str:
    """Returns whether a path contains songs or logs, by its last names: `song`, `log` or an empty text."""
    names = "/".join(str(path).lower().split("/")[-6:])
    if re.search(r"(?<![a-z])logs?(?![a-z])|logs?data|event", names):
        return "log"
    return "song" if "song" in names else ""


@dataclass(frozen=True, slots=True)
class Write:
    """A write of a frame."""

    path: Text
    line: int
    functions: tuple[str, ...]
    calls: tuple[int, ...]
    frame: Frame | None
    mode: str
    partitions: tuple[str, ...]
    format: str
    compression: str


@dataclass(frozen=True, slots=True, order=True)
class Note:
    """A remark on the script.

    Attributes:
        line: The line of the script; 0 for the script as a whole.
        text: The remark.
        reason: The reason, or what to do.
    """

    line: int
    text: str
    reason: str = ""


@dataclass(slots=True)
class Recording:
    """Everything that the script does, in the order of its statements."""

    reads: list[Read] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    settings: dict[str, tuple[Text, int]] = field(default_factory=dict)
    credentials: list[Note] = field(default_factory=list)
    secrets: list[Note] = field(default_factory=list)
    unclear: list[Note] = field(default_factory=list)
    differs: list[Note] = field(default_factory=list)
    constants: dict[str, tuple[Text, int]] = field(default_factory=dict)
    session_functions: list[str] = field(default_factory=list)
    session_parameters: dict[str, str] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)

    def set(self, name: str, value: Text, line: int) -> None:
        """Records a setting of the session or of the environment. With two values, it is not known."""
        known = self.settings[name][0] if name in self.settings else value
        values = dict.fromkeys((*(known.alternatives or (str(known),)), str(value)))
        self.settings[name] = (value if len(values) == 1 else symbol(CHOICE.join(values), "choice"), line)

    def credential(self, line: int, name: str, piece: Piece) -> None:
        """Records where the script takes a credential from; whether sparkify-lake finds it there too."""
        path = PurePosixPath(piece.file or SECRET_FILE)
        where = "" if path.name == SECRET_FILE else f" of {path}"
        what = f"the credentials: {name} from {piece}{where}"
        if path.parts[-2:] == (".aws", "credentials"):
            profile = "" if piece.section == "default" else f"; set PROFILE = {piece.section} in lake.cfg"
            self.credentials.append(Note(line, what, f"sparkify-lake reads this file too{profile}"))
        elif path.name != SECRET_FILE:
            self.not_understood(line, what, f"copy it to {SECRET_FILE}")
        elif not any(piece.text.upper() in keys for keys in CREDENTIAL_KEYS.values()):
            self.not_understood(line, what, f"rename it in {SECRET_FILE}, to KEY and SECRET in [AWS]")
        else:
            self.credentials.append(Note(line, what, f"{SECRET_FILE} stays unchanged"))

    def not_understood(self, line: int, what: str, reason: str = "") -> None:
        """Records something that could not be understood, once."""
        note = Note(line, what, reason)
        if note not in self.unclear:
            self.unclear.append(note)

    def secret(self, line: int, what: str, value: str) -> None:
        """Records that the script contains a secret. The value is kept only to remove it from all output."""
        self.hidden.add(value)
        self.hidden.update(_KEY.findall(value))
        note = Note(
            line, f"a secret ({what})", "put it into dl.cfg, as KEY and SECRET in [AWS], and never commit it"
        )
        if note not in self.secrets:
            self.secrets.append(note)


def is_secret(name: str, value: str) -> bool:
    """Returns whether a constant is a secret, because of its name or its form.

    Example:
        >>> is_secret("AWS_SECRET_ACCESS_KEY", "x"), is_secret("fs.s3a.access.key", "x")
        (True, True)
        >>> is_secret("partition_key", "artist_id"), is_secret("key", "0123456789abcdef0123")
        (False, True)
    """
    if looks_secret(value) or (_SECRET_NAME.search(name) and value not in _WORDS):
        return True
    # A key may also be that of a table or of a dictionary.
    return bool(_KEY_NAME.search(name)) and len(value) >= 16 and any(map(str.isdigit, value))


def looks_secret(value: str) -> bool:
    """Returns whether a text has the form of a key of AWS. A path has more slashes than a key."""
    return bool(_SECRET_VALUE.fullmatch(value.strip())) and (
        value.count("/") <= 4 or bool(_KEY.search(value))
    )


def without_userinfo(value: str) -> tuple[str, str]:
    """Returns a URL without its keys, and the keys.

    Example:
        >>> without_userinfo("s3a://AKIAX:se/cret@bucket/lake")
        ('s3a://bucket/lake', 'AKIAX:se/cret@')
        >>> without_userinfo("s3a://bucket/a@b")
        ('s3a://bucket/a@b', '')
    """
    found = _USERINFO.match(value)
    if found is None or ":" not in found[2]:
        return value, ""
    return value.replace(found[2], "", 1), found[2]
