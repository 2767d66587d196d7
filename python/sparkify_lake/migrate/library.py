"""Functions of Python and of its libraries with which scripts build paths and read settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sparkify_lake.migrate.values import (
    Bound,
    Dotted,
    Environment,
    Settings,
    Text,
    Unknown,
    as_text,
    constant_of,
    symbol,
    text,
)

_STRING_METHODS = (
    "capitalize", "endswith", "join", "lower", "lstrip", "partition", "removeprefix", "removesuffix",
    "replace", "rpartition", "rstrip", "split", "startswith", "strip", "title", "upper", "zfill",
)  # fmt: skip
_SAME_PATH = (
    "os.path.abspath", "os.path.expanduser", "os.path.normpath", "os.path.realpath", "os.fspath", "str",
    "os.path.expandvars", "typing.cast",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class OpenFile:
    """An open file, with its path."""

    path: Text


@dataclass(slots=True)
class CommandLine:
    """An argument parser, with the defaults of its arguments."""

    defaults: dict[str, Any] = field(default_factory=dict)


def text_of(value: Any) -> Text:
    """Returns a value as a text; one that is not understood is a text with an unknown piece."""
    if isinstance(value, Settings) and value.section is not None:  # a key before the first section
        return symbol(value.section, "setting", file=value.file)
    if isinstance(value, Dotted) and value.name == "__file__":
        return symbol("the script", "variable")
    return as_text(value) or symbol("?", "unknown")


def call(name: str, arguments: Sequence[Any], keywords: Mapping[str, Any]) -> Any:
    """Returns the result of a function of Python or of a library, by its full name."""
    if name in (
        "os.path.join",
        "posixpath.join",
        "pathlib.Path",
        "pathlib.PurePosixPath",
        "pathlib.PurePath",
    ):
        return joined([text_of(one) for one in arguments])
    if name in _SAME_PATH and arguments:
        return arguments[-1] if name == "typing.cast" else text_of(arguments[0])
    if name == "os.path.dirname" and arguments:
        return folder_of(text_of(arguments[0]))
    if name in ("os.getenv", "os.environ.get"):
        return _variable(arguments)
    if name.endswith((".ConfigParser", ".RawConfigParser", ".SafeConfigParser")):
        return Settings()
    if name.endswith("ArgumentParser"):
        return CommandLine()
    if name in ("list", "tuple", "sorted", "set") and arguments and isinstance(arguments[0], list | tuple):
        return list(arguments[0])
    if name == "dict":
        return dict(keywords)
    if name in ("zip", "enumerate") and all(isinstance(one, list | tuple) for one in arguments):
        first = arguments[0] if arguments else []
        pairs = zip(*arguments, strict=False) if name == "zip" else enumerate(first)
        return [tuple(pair) for pair in pairs]
    if name in ("input", "getpass.getpass"):
        return symbol("input()", "variable")
    if name == "open" and arguments:
        return OpenFile(text_of(arguments[0]))
    return Unknown(name)


def folder_of(path: Text) -> Text:
    """Returns the folder of a path."""
    constant = path.constant
    if constant is not None:
        return text(constant.rpartition("/")[0])
    is_script = str(path) == "{the script}"
    return symbol("the folder of the script" if is_script else "?", "variable" if is_script else "unknown")


def joined(parts: Sequence[Text]) -> Text:
    """Joins paths as `os.path.join` does."""
    result = Text()
    for part in parts:
        start = part.pieces[0].text if part.pieces and part.pieces[0].kind == "text" else ""
        if start.startswith("/") or "://" in start or not result.pieces:
            result = part
            continue
        last = result.pieces[-1]
        needs_slash = not (last.kind == "text" and last.text.endswith("/")) and result.constant != ""
        result = (result + text("/") if needs_slash else result) + part
    return result


def _variable(arguments: Sequence[Any]) -> Any:
    name = constant_of(arguments[0]) if arguments else None
    if len(arguments) > 1 and isinstance(arguments[1], Text):
        return Text((*symbol(f"{name}, by default {arguments[1]}", "variable").pieces,))
    return symbol(name or "?", "variable")


def text_method(value: Text, name: str, arguments: Sequence[Any], keywords: Mapping[str, Any]) -> Any:
    """Returns the result of a method of a text."""
    if name == "format":
        return formatted(value, arguments, keywords)
    if name in ("as_posix", "as_uri", "resolve", "absolute", "expanduser", "__str__", "encode", "decode"):
        return value
    if name == "joinpath":
        return joined([value, *map(text_of, arguments)])
    constants = [constant_of(one) if isinstance(one, Text) else one for one in arguments]
    constant = value.constant
    if name == "join" and constant is not None and arguments and isinstance(arguments[0], list | tuple):
        result = Text()
        for number, one in enumerate(arguments[0]):
            result = (result + text(constant) if number else result) + text_of(one)
        return result
    if constant is not None and name in _STRING_METHODS and None not in constants:
        try:
            return plain(getattr(constant, name)(*constants))
        except (TypeError, ValueError):
            return Unknown(name)
    if name in ("strip", "rstrip", "lower", "lstrip"):
        return value
    if name == "replace" and constants[:1] in (["'"], ['"']):
        return value  # sparkify-lake ignores the quotes in a configuration file too
    if name in ("startswith", "endswith"):
        return Unknown("a comparison")
    return symbol("?", "unknown")


def plain(value: Any) -> Any:
    """Returns a value of Python as a value of the script."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value


def formatted(value: Text, arguments: Sequence[Any], keywords: Mapping[str, Any]) -> Text:
    """Returns `text.format(...)`."""
    from string import Formatter

    constant = value.constant
    if constant is None:
        return symbol("?", "unknown")
    result, position = Text(), 0
    try:
        for literal, name, _, _ in Formatter().parse(constant):
            if literal:
                result += text(literal)
            if name is None:
                continue
            if name == "":
                name, position = str(position), position + 1
            found = (
                arguments[int(name)] if name.isdigit() and int(name) < len(arguments) else keywords.get(name)
            )
            result = text_of(found) if not result.pieces else result + text_of(found)
    except ValueError:
        return symbol("?", "unknown")
    return result


def percent(value: Text, argument: Any) -> Text:
    """Returns `text % argument`."""
    arguments = list(argument) if isinstance(argument, list | tuple) else [argument]
    constant = value.constant
    if constant is None or constant.count("%s") != len(arguments):
        return symbol("?", "unknown")
    result = Text()
    for number, part in enumerate(constant.split("%s")):
        if part:
            result += text(part)
        if number < len(arguments):
            found = text_of(arguments[number])
            result = found if not result.pieces else result + found
    return result


def method(receiver: Any, name: str, arguments: Sequence[Any], keywords: Mapping[str, Any]) -> Any:
    """Returns the result of a method of a list, a dictionary, a configuration or the environment."""
    if isinstance(receiver, Settings):
        return _settings_method(receiver, name, arguments, keywords)
    if isinstance(receiver, Environment):
        return _variable(arguments) if name in ("get", "setdefault") else None
    if isinstance(receiver, CommandLine):
        return _command_line(receiver, name, arguments, keywords)
    if isinstance(receiver, dict):
        key = constant_of(arguments[0]) if arguments else None
        if name == "get":
            return receiver.get(key, arguments[1] if len(arguments) > 1 else None)
        views: Mapping[str, Callable[[], list[Any]]] = {
            "items": lambda: [(plain(one), value) for one, value in receiver.items()],
            "keys": lambda: [plain(one) for one in receiver],
            "values": lambda: list(receiver.values()),
        }
        return views[name]() if name in views else Unknown(name)
    if isinstance(receiver, list):
        if name in ("append", "extend") and arguments:
            receiver.extend(
                arguments[0] if name == "extend" and isinstance(arguments[0], list) else arguments
            )
        return None if name in ("append", "extend", "sort") else Unknown(name)
    return Unknown(name)


def _settings_method(
    settings: Settings, name: str, arguments: Sequence[Any], keywords: Mapping[str, Any]
) -> Any:
    if name == "get":
        names = [constant_of(one) or "?" for one in arguments]
        if settings.section is not None:
            return symbol(names[0], "setting", settings.section, settings.file) if names else Unknown()
        if len(names) >= 2:
            return symbol(names[1], "setting", names[0], settings.file)
        return symbol("?", "unknown")
    if name in ("read", "read_file", "readfp"):
        for one in arguments[0] if arguments and isinstance(arguments[0], list) else arguments[:1]:
            path = text_of(one.path if isinstance(one, OpenFile) else one)
            if path.pieces and path.pieces[-1].kind == "text":
                settings.files.append(path.constant or path.pieces[-1].text.lstrip("/"))
    return None if name in ("read", "read_file", "read_string", "readfp") else Unknown(name)


def _command_line(
    parser: CommandLine, name: str, arguments: Sequence[Any], keywords: Mapping[str, Any]
) -> Any:
    if name == "add_argument":
        flags = [constant_of(one) or "" for one in arguments]
        longest = max(flags, key=len, default="")
        target = constant_of(keywords.get("dest")) or longest.lstrip("-").replace("-", "_")
        parser.defaults[target] = keywords.get("default")
        return None
    if name in ("parse_args", "parse_known_args"):
        return parser if name == "parse_args" else [parser, []]
    return parser if name.startswith("add_") else Unknown(name)


def attribute(value: Any, name: str) -> Any:
    """Returns an attribute of a value of Python or of a library."""
    if isinstance(value, Dotted):
        full = f"{value.name}.{name}"
        return Environment() if full == "os.environ" else Dotted(full)
    if isinstance(value, CommandLine):
        if name in value.defaults:
            given = value.defaults[name]
            shown = f"argument {name}" + (f", by default {given}" if isinstance(given, Text) else "")
            return symbol(shown, "variable")
        return Bound(value, name)
    if isinstance(value, Text) and name == "parent":
        return folder_of(value)
    if isinstance(value, Text | Settings | Environment | dict | list):
        return Bound(value, name)
    return Unknown(name)


def item(value: Any, key: Any) -> Any:
    """Returns `value[key]`."""
    name = constant_of(key)
    if isinstance(value, Settings):
        if value.section is None and name is not None:
            return Settings(name, value.files)
        return symbol(name or "?", "setting", value.section or "", value.file)
    if isinstance(value, Environment):
        return symbol(name or "?", "variable")
    if isinstance(value, dict):
        return value.get(name, Unknown("an item"))
    if isinstance(value, Dotted) and value.name == "sys.argv":
        return symbol(f"sys.argv[{key}]" if isinstance(key, int) else "sys.argv", "variable")
    if isinstance(value, list | tuple) and isinstance(key, int) and -len(value) <= key < len(value):
        return value[key]
    return Unknown("an item")
