"""The input, the output, and the folders of the tables below it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from sparkify_lake.migrate.recording import Note, Read, Recording, part_of, without_userinfo
from sparkify_lake.migrate.tables import OldTable
from sparkify_lake.migrate.values import CHOICE, Piece, Span, Text, symbol, text
from sparkify_lake.settings.files import LAKE_FILE, OPTION_KEYS, SECRET_FILE

OUTPUT_NAME = re.compile(r"out|dest|target|lake|result", re.I)
_INPUT_NAME = re.compile(r"in|src|source|raw|data|root|base", re.I)
DATA_FOLDER = re.compile(r"(song|log)[_-]data")
_GLOB = re.compile(r"[*?\[{]")
_FOLDER = re.compile(r"[A-Za-z0-9_\-.]+(/[A-Za-z0-9_\-.]+)*")
_FOREIGN = re.compile(r"(?!s3[an]?:|file:)([a-z][a-z0-9+.-]*):/", re.I)


@dataclass(frozen=True, slots=True)
class Setting:
    """A line of `lake.cfg`, with the comments above it.

    Attributes:
        key: The key.
        value: The value; None if it must be filled in, or comes from `dl.cfg`.
        comments: What was found, with lines of the script.
    """

    key: str
    value: str | None
    comments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Root:
    """A root of locations: its text, the variable that holds it, and what follows for each location."""

    path: Text
    rests: tuple[Text, ...]
    span: Span | None = None


def root_of(paths: Sequence[Text], names: re.Pattern[str]) -> Root | None:
    """Returns the root of paths: what a variable holds that they all begin with, or their common folder."""
    best: tuple[tuple[bool, bool, int], Span] | None = None
    for candidate in paths[0].spans if paths else ():
        shared = str(paths[0].prefix(candidate))
        is_root = all(_span_with(path, shared) is not None for path in paths)
        if not is_root or not all(str(path)[len(shared) :].strip("/") for path in paths):
            continue
        rank = (candidate.is_parameter, bool(names.search(candidate.name)), candidate.pieces)
        if best is None or rank > best[0]:
            best = (rank, candidate)
    if best is not None:
        shared = str(paths[0].prefix(best[1]))
        spans = [span for path in paths if (span := _span_with(path, shared)) is not None]
        rests = tuple(path.rest(span) for path, span in zip(paths, spans, strict=True))
        first = _span_with(paths[0], shared)  # where the value was assigned, and not where it was passed on
        return Root(paths[0].prefix(best[1]), rests, first)
    constants = [path.constant for path in paths]
    known = [constant.rstrip("/") for constant in constants if constant is not None]
    if not paths or len(known) != len(paths):
        return None
    return _common_folder(known)


def _span_with(path: Text, shared: str) -> Span | None:
    return next((span for span in path.spans if str(path.prefix(span)) == shared), None)


def _common_folder(paths: Sequence[str]) -> Root | None:
    parents = [path.split("/")[:-1] for path in paths]
    shared: list[str] = []
    for words in zip(*parents, strict=False):
        if len(set(words)) > 1:
            break
        shared.append(words[0])
    root = "/".join(shared)
    if "://" in paths[0] and len(shared) < 3:
        return None  # different buckets
    rests = tuple(text(path[len(root) + 1 :] if root else path) for path in paths)
    return Root(text(root or "."), rests)


def settings_of_output(tables: Mapping[str, OldTable], recording: Recording) -> list[Setting]:
    """Returns the settings OUTPUT and TABLE_NAMES."""
    root = root_of([table.write.path for table in tables.values()], OUTPUT_NAME)
    lines = ", ".join(str(table.write.line) for table in tables.values())
    if root is None:
        reason = "sparkify-lake writes all tables below one folder; set OUTPUT and TABLE_NAMES in lake.cfg"
        first = min((table.write.line for table in tables.values()), default=0)
        recording.not_understood(first, "the common folder of the tables", reason)
        return [Setting("OUTPUT", None, (f"the root of the lake; the tables are written in lines {lines}",))]
    path, folders = _folders(root, tables, recording)
    if not str(path) and str(root.rests[0]).startswith("/"):
        path = symbol("an empty text, so that the tables are at the root of the disk", "unknown")
    shared = "" if root.span is not None else f"the folder that the paths in lines {lines} share"
    settings = [_location("OUTPUT", "output", path, root.span, recording, shared)]
    names, comments = [], []
    for table, folder in zip(tables.values(), folders, strict=True):
        shown = folder or str(table.write.path)
        partitions = ", ".join(table.write.partitions)
        comment = f"{table.name}: line {table.write.line} writes {shown}"
        comments.append(comment + (f", partitioned by {partitions}" if partitions else ""))
        is_outer = any(one != folder and f"{one}/".startswith(f"{folder}/") for one in folders)
        if folder is not None and (is_outer or folders.count(folder) > 1):
            reason = "sparkify-lake needs a folder for each table; set it in TABLE_NAMES"
            recording.not_understood(table.write.line, f"{folder} also contains another table", reason)
        elif folder is None:
            recording.not_understood(table.write.line, f"the folder of {table.name}", "set it in TABLE_NAMES")
        else:
            names.append(f"{table.name}={folder}")
    if names:
        settings.append(Setting("TABLE_NAMES", ",".join(names), tuple(comments)))
    return settings


def _folders(
    root: Root, tables: Mapping[str, OldTable], recording: Recording
) -> tuple[Text, list[str | None]]:
    """Returns the root and the folder of each table below it."""
    folders: list[str | None] = []
    path = root.path
    constant = path.constant
    is_closed = all(part.endswith("/") for part in path.alternatives or (str(path),))
    has_slash = is_closed or all(str(rest).startswith("/") for rest in root.rests)
    beginning = ""
    if not has_slash and constant is not None and root.span is not None:
        # "s3a://bucket/lake" + "songs" is s3a://bucket/lakesongs
        parent, separator, last = constant.rpartition("/")
        line = next(iter(tables.values())).write.line
        if separator and not parent.endswith(("/", ":")):
            path, beginning = text(parent), last
            reason = "the path has no slash after it; the folders keep these names"
            recording.differs.append(Note(line, f"the names of the folders begin with {last}", reason))
        elif constant:
            reason = "sparkify-lake writes folders below it"
            recording.differs.append(
                Note(line, f"the path {constant} has no slash before the folders", reason)
            )
    elif not has_slash and constant is None:
        reason = "the old job appends the names of the folders to it"
        line = next(iter(tables.values())).write.line
        recording.differs.append(Note(line, f"{path} must end with a slash", reason))
    for rest in root.rests:
        found = rest.constant
        folder = (
            re.sub("/+", "/", beginning + found).strip("/").removeprefix("./") if found is not None else None
        )
        is_name = folder is not None and _FOLDER.fullmatch(folder) and not folder.startswith((".", "_"))
        folders.append(folder if is_name and folder and ".." not in folder else None)
    return path, folders


def settings_of_input(recording: Recording) -> list[Setting]:
    """Returns the settings INPUT, SONG_DATA and LOG_DATA."""
    songs = [read for read in recording.reads if part_of(read.path) == "song"]
    logs = [read for read in recording.reads if part_of(read.path) == "log"]
    for read in recording.reads:
        if read not in songs and read not in logs:
            recording.not_understood(read.line, f"what {_shown(read.path)} contains", "set INPUT in lake.cfg")
    chosen = [reads[0] for reads in (songs, logs) if reads]
    for part, reads in (("songs", songs), ("logs", logs)):
        if not reads:
            recording.not_understood(0, f"no read of the {part} was found", "set INPUT in lake.cfg")
        for read in reads[1:]:
            if _folder_of(read.path) != _folder_of(reads[0].path):
                reason = f"only the files of line {reads[0].line} are read; set the other ones in lake.cfg"
                recording.not_understood(read.line, f"{part} are also read from {_shown(read.path)}", reason)
    if not chosen:
        return [Setting("INPUT", None, ("the folder that contains song_data and log_data",))]
    root = root_of([read.path for read in chosen], _INPUT_NAME)
    if root is None or not _is_root(root):
        root = _before_data_folder(chosen) or root
    lines = " and ".join(f"line {read.line} reads {_shown(read.path)}" for read in chosen)
    if root is None:
        parts = [_data_setting(read, recording) for read in chosen]
        return [part for part in parts if part is not None]
    settings = [_location("INPUT", "input", root.path, root.span, recording, lines)]
    for read, rest in zip(chosen, root.rests, strict=True):
        selection = _selection(rest)
        if selection is None:
            continue
        reason, part = selection, part_of(read.path)
        setting = _data_setting(read, recording, reason)
        if setting is not None:
            settings.append(setting)
            if setting.value is not None:
                note = f"{setting.key} in lake.cfg names the same files; delete the line to read all files"
                recording.differs.append(
                    Note(read.line, f"only a part of the {part} files is read: {reason}", note)
                )
    return settings


def _folder_of(path: Text) -> str:
    """Returns a path without the globs at its end that select everything."""
    return re.sub(r"(/+\*+(\.json)?)*/*$", "", str(path)).replace("-data", "_data")


def _shown(path: Text) -> str:
    return re.sub(r"^(\w+://)[^/]*[@:][^/]*", r"\1***", str(path))


def _is_root(root: Root) -> bool:
    """Returns whether the data folders are directly below a root."""
    return all(DATA_FOLDER.fullmatch(str(rest).lstrip("/").partition("/")[0]) for rest in root.rests)


def _before_data_folder(reads: Iterable[Read]) -> Root | None:
    """Returns the folder before `song_data` and `log_data`, if it is the same for both."""
    roots, rests = set(), []
    for read in reads:
        words = str(read.path).split("/")
        number = next((place for place, word in enumerate(words) if DATA_FOLDER.fullmatch(word)), None)
        if number is None or read.path.constant is None:
            return None
        roots.add("/".join(words[:number]))
        rests.append(text("/".join(words[number:])))
    return Root(text(roots.pop() or "."), tuple(rests)) if len(roots) == 1 else None


def _selection(rest: Text) -> str | None:
    """Returns the part of a data folder that a path selects; None if that is everything below it."""
    constant = rest.constant
    if rest.alternatives:
        parts = [_selection(text(part)) for part in rest.alternatives]
        return next((part for part in parts if part), None)
    if constant is None:
        return str(rest)
    words = [word for word in constant.split("/") if word]
    if not words or not DATA_FOLDER.fullmatch(words[0]):
        return constant
    below = words[1:]
    is_everything = all(set(word) <= set("*") or re.fullmatch(r"\*+(\.json)?", word) for word in below)
    return None if is_everything else "/".join(words)


def _data_setting(read: Read, recording: Recording, selected: str = "") -> Setting | None:
    key = "SONG_DATA" if part_of(read.path) == "song" else "LOG_DATA"
    constant = read.path.constant
    comments = [f"line {read.line} reads {_shown(read.path)}"]
    if constant is None:
        piece = read.path.pieces[0]
        place = f"{piece.text} in [{piece.section}]" if piece.section else piece.text
        where = f"{place} of {_file_of(piece)}"
        is_setting = len(read.path.pieces) == 1 and piece.kind == "setting"
        if is_setting and piece.text.upper() == key and _is_read(piece):
            comments.append(f"it comes from {where}, which sparkify-lake reads too")
        else:
            reason = f"copy it from {where}" if is_setting else f"set {key} in lake.cfg"
            recording.not_understood(read.line, f"the files of {key}", reason)
    return Setting(key, constant, tuple(comments))


def _file_of(piece: Piece) -> str:
    """Returns the file of a setting, for a message."""
    return f"the old {LAKE_FILE}" if piece.file == LAKE_FILE else piece.file or SECRET_FILE


def _is_read(piece: Piece) -> bool:
    """Returns whether sparkify-lake reads the file of a setting too."""
    return not piece.file or PurePosixPath(piece.file).name == SECRET_FILE


def _location(
    key: str, option: str, path: Text, span: Span | None, recording: Recording, comment: str = ""
) -> Setting:
    """Returns the setting of a root: its value, or where the value comes from."""
    line = span.line if span is not None else 0
    found = [f"line {line}: {span.name}"] if span is not None else []
    found += [comment] if comment else []
    constant = path.constant
    if constant is not None:
        constant = without_userinfo(constant)[0]  # of keys in variables
        foreign = _FOREIGN.match(constant)
        if foreign:
            reason = "use a folder, or s3://bucket/folder"
            recording.not_understood(line, f"{key}: {foreign[1]}:// is not supported", reason)
            return Setting(key, None, (*found, f"the old job has {constant}"))
        stripped = constant.rstrip("/") if constant.strip("/") else constant
        return Setting(key, stripped.removeprefix("./") or ".", tuple(found))
    if len(path.pieces) == 1 and path.pieces[0].kind == "setting":
        piece = path.pieces[0]
        keys = OPTION_KEYS[option]
        where = f"{piece.text} in [{piece.section}]" if piece.section else piece.text
        file = _file_of(piece)
        if piece.text.upper() in keys and _is_read(piece):
            return Setting(
                key, None, (*found, f"it comes from {where} of dl.cfg, which sparkify-lake reads too")
            )
        recording.not_understood(line, f"the value of {key}", f"copy it from {where} of {file} into lake.cfg")
        return Setting(key, None, (*found, f"copy the value of {where} of {file}"))
    alternatives = path.alternatives
    if alternatives:
        parts = [part.rstrip("/") or part for part in alternatives]
        recording.not_understood(line, f"which {key} to use: {CHOICE.join(parts)}", f"set {key} in lake.cfg")
        return Setting(key, None, (*found, *(f"{key} = {part}" for part in parts)))
    reason = f"set {key} in lake.cfg, or run python etl.py INPUT OUTPUT"
    recording.not_understood(line, f"the value of {key}, which is {_shown(path)}", reason)
    return Setting(key, None, (*found, f"the old job has {_shown(path)}"))


_SETTINGS = {
    "AWS_DEFAULT_REGION": "REGION", "AWS_REGION": "REGION", "AWS_PROFILE": "PROFILE",
    "AWS_ENDPOINT_URL": "ENDPOINT_URL", "fs.s3a.endpoint": "ENDPOINT_URL", "fs.s3a.endpoint.region": "REGION",
}  # fmt: skip
_CODECS = {"snappy": "snappy", "zstd": "zstd", "none": "none", "uncompressed": "none"}
_AWS_HOST = re.compile(r"(?:https?://)?s3[.-](?:([a-z0-9-]+)\.)?amazonaws\.com(?:\.cn)?/?")


def settings_of_store(recording: Recording) -> list[Setting]:
    """Returns the settings of the object store and of the files that the script sets."""
    settings: dict[str, Setting] = {}

    def add(key: str, value: str, line: int, name: str) -> None:
        settings.setdefault(key, Setting(key, value, (f"line {line}: {name}",)))

    for name, (value, line) in recording.settings.items():
        constant = value.constant
        if constant is None:
            if name in _SETTINGS:
                reason = f"set {_SETTINGS[name]} in lake.cfg"
                recording.not_understood(line, f"the value of {name}, which is {value}", reason)
                settings.setdefault(
                    _SETTINGS[name], Setting(_SETTINGS[name], None, (f"line {line}: {name}",))
                )
        elif name == "fs.s3a.endpoint" and (host := _AWS_HOST.fullmatch(constant)):
            if host[1]:
                add("REGION", host[1], line, name)
        elif name in _SETTINGS:
            add(_SETTINGS[name], constant, line, name)
            if constant.startswith("http://"):
                add("ALLOW_HTTP", "true", line, name)
        elif name == "fs.s3a.path.style.access":
            add("ADDRESSING_STYLE", "path" if constant.lower() == "true" else "auto", line, name)
        elif name == "fs.s3a.aws.credentials.provider" and "Anonymous" in constant:
            add("ANONYMOUS", "true", line, name)
        elif name == "spark.sql.parquet.compression.codec":
            _add_codec(constant, line, add, recording)
        elif name == "spark.sql.session.timeZone" and constant not in ("UTC", "GMT", "Etc/UTC"):
            reason = "sparkify-lake writes times in UTC"
            recording.differs.append(Note(line, f"the time zone of the session was {constant}", reason))
    return list(settings.values())


def _add_codec(
    codec: str, line: int, add: Callable[[str, str, int, str], None], recording: Recording
) -> None:
    if codec.lower() in _CODECS:
        add("COMPRESSION", _CODECS[codec.lower()], line, "compression")
    else:
        reason = "sparkify-lake has snappy, zstd and none; snappy is used"
        recording.differs.append(Note(line, f"the files were compressed with {codec}", reason))


def setting_of_codec(tables: Mapping[str, OldTable], recording: Recording) -> list[Setting]:
    """Returns COMPRESSION, if the writers set it."""
    found: list[Setting] = []
    for table in tables.values():
        codec, line = table.write.compression, table.write.line
        if codec and not found:

            def add(key: str, value: str, line: int, name: str) -> None:
                found.append(Setting(key, value, (f"line {line}: {name}",)))

            _add_codec(codec, line, add, recording)
    return found
