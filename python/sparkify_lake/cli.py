"""The program: `python etl.py`, `sparkify-lake` and `python -m sparkify_lake` are the same.

Results go to stdout, everything for people to stderr. Flags come from the table of options; this module
only says how they are read and what the exit code is.

Invariant: a user's mistake ends in `error:`, `cause:` and `hint:` lines and an exit code of sysexits, never
in a traceback.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Literal, NoReturn, TextIO

from sparkify_lake import _engine, jobs
from sparkify_lake.errors import InternalError, SparkifyLakeError, Terminated, UsageError
from sparkify_lake.render.text_table import Grid, as_text, printable
from sparkify_lake.settings.options import OPTIONS, Option, suggestion
from sparkify_lake.settings.resolve import Config, default_of, describe, is_plain, resolve

INTERRUPTED = 130
STORAGE = 74

SAMPLE_NUMBERS = {
    "songs": "how many songs",
    "events": "how many log events",
    "days": "over how many days",
    "users": "of how many users",
    "seed": "another number gives other data",
}
# What the commands take by its place, and, but for `run` and `config`, which of the common flags.
Command = Literal["run", "config", "sample", "doctor", "check", "recover", "status"]
PLACES: Mapping[Command, tuple[str, ...]] = {
    "run": ("INPUT", "OUTPUT"),
    "config": ("INPUT", "OUTPUT"),
    "sample": ("DIR",),
    "doctor": ("LOCATION",),
    "check": ("OUTPUT",),
    "recover": ("OUTPUT",),
    "status": ("OUTPUT", "INPUT"),
}
COMMANDS: tuple[Command, ...] = ("config", "sample", "doctor", "check", "recover", "status")
COMMON_FLAGS = ("json", "quiet", "verbose")


def entry() -> NoReturn:
    """Runs the program and exits with its code; the console script calls this."""
    sys.exit(main())


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program.

    Args:
        arguments: What stands behind the program's name; `sys.argv`, unless given.

    Returns:
        The exit code.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    _show_anything(sys.stdout, sys.stderr)
    try:
        with _sigterm_raises():
            code = _guarded(words)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has read enough. The rest must not surface when the interpreter flushes at
        # its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _guarded(words: Sequence[str]) -> int:
    try:
        return _command(words)
    except SparkifyLakeError as error:
        _complain(error)
        return error.exit_code
    except Terminated as stopped:
        _say("terminated")
        return stopped.exit_code
    except KeyboardInterrupt:
        _say("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except OSError as error:
        _complain(SparkifyLakeError(error.strerror or type(error).__name__, cause=error.filename))
        return STORAGE
    except Exception as error:
        bug = InternalError(
            f"this is a bug in sparkify-lake: {type(error).__name__}",
            cause=str(error) or None,
            hint="please report it, with what --version and --verbose say",
        )
        if "--verbose" in words:
            import traceback

            traceback.print_exc()
        _complain(bug)
        return bug.exit_code


def _command(words: Sequence[str]) -> int:
    command: Command = next((name for name in COMMANDS if name in words[:1]), "run")
    rest = words[1:] if command != "run" else words
    parser = _parser(command)
    given = parser.read(rest)
    if given.pop("help"):
        print(_help(parser.prog, command))
        return 0
    if given.get("version"):
        print(_version())
        return 0
    if command == "sample":
        _sample(given)
        return 0
    if command == "doctor":
        return _doctor(given)
    for positional in PLACES[command]:
        value, name = given.pop(positional), positional.lower()
        if value is not None and given[name] is not None:
            raise UsageError(f"{name} is given twice", hint=f"as an argument and as --{name}; keep one")
        given[name] = value if value is not None else given[name]
    if command in ("check", "recover", "status"):
        from sparkify_lake import diagnostics

        config = resolve(command, given, as_flags=True)
        with _log_on_stderr(config):
            found = (diagnostics.status_with if command == "status" else diagnostics.check_with)(config)
            print(found.to_json() if config.is_on("json") else found)
        return found.exit_code
    if given["dry_run"] and given["report"]:
        raise UsageError("a plan has no page", hint="leave out --report, or --dry-run")
    config = resolve("plan" if given["dry_run"] else "run", given, as_flags=True)
    with _log_on_stderr(config):
        if command == "config":
            _print_config(config)
            return 0
        result = jobs.plan_with(config) if config.is_on("dry_run") else jobs.run_with(config)
        print(result.to_json() if config.is_on("json") else result)
    return 0


def _doctor(given: dict[str, Any]) -> int:
    from sparkify_lake.diagnostics import doctor_with

    location = given.pop("LOCATION")
    config = resolve("doctor", given, as_flags=True)
    with _log_on_stderr(config):
        examination = doctor_with(location, config)
        print(examination.to_json() if config.is_on("json") else examination)
    return examination.exit_code


def _sample(given: dict[str, Any]) -> None:
    directory = given.pop("DIR")
    if not directory:
        raise UsageError(
            "sample needs a folder to write to", hint="such as: sample sparkify-data --events 100000"
        )
    numbers = {name: number for name in SAMPLE_NUMBERS if isinstance(number := given.pop(name), int)}
    config = resolve("build", given, as_flags=True)
    with _log_on_stderr(config):
        made = jobs.make_sample(str(directory), numbers, config)
        print(made.to_json() if config.is_on("json") else made)


def _print_config(config: Config) -> None:
    rows = describe(config, _engine.defaults())
    if config.is_on("json"):
        from json import dumps

        print(
            dumps(
                {name: {"value": value or None, "origin": origin} for name, value, origin in rows}, indent=2
            )
        )
    else:
        head = ("setting", "value", "origin")
        print(as_text("settings, and where each comes from", [Grid(head=head, rows=rows, texts=head)]))
    for warning in config.warnings:
        logging.getLogger("sparkify_lake").warning("%s", warning)


def _version() -> str:
    facts = _engine.build_info()
    rest = ", ".join(f"{name} {value}" for name, value in facts.items() if name != "version" and value)
    return f"sparkify-lake {facts.get('version', '')}" + (f" ({rest})" if rest else "")


class _Parser(argparse.ArgumentParser):
    """Argparse with our own errors: exit code 64, and a guess at what was meant."""

    def error(self, message: str) -> NoReturn:
        hint = f"{self.prog} --help lists the options"
        raise UsageError(message.removeprefix("argument "), hint=hint)

    def read(self, words: Sequence[str]) -> dict[str, Any]:
        """Parses, and refuses what is left over."""
        found, left = self.parse_known_args(words)
        if left:
            flag = left[0].partition("=")[0]
            if not flag.startswith("-"):
                raise UsageError(
                    f"there is no place for {left[0]!r}", hint=f"{self.prog} --help shows the usage"
                )
            meant = suggestion(flag, self._option_string_actions)
            hint = f"did you mean {meant}?" if meant else f"{self.prog} --help lists the options"
            raise UsageError(f"there is no option {flag}", hint=hint)
        return vars(found)


def _parser(command: Command) -> _Parser:
    name = os.path.basename(sys.argv[0] or "sparkify-lake")
    program = {"etl.py": "python etl.py", "__main__.py": "python -m sparkify_lake"}.get(name, "sparkify-lake")
    parser = _Parser(prog=program, add_help=False, allow_abbrev=False)
    parser.add_argument("-h", "--help", action="store_true")
    for place in PLACES[command]:
        parser.add_argument(place, nargs="?")
    if command == "sample":
        for number in SAMPLE_NUMBERS:
            parser.add_argument(f"--{number}", type=int)
    for option in _flags(command):
        if option.kind != "flag":
            parser.add_argument(option.flag, dest=option.name)
        elif "file" in option.sources and not option.name.startswith("no_"):
            # What a file turns on, an argument can turn off again.
            parser.add_argument(option.flag, dest=option.name, action=argparse.BooleanOptionalAction)
        else:
            parser.add_argument(option.flag, dest=option.name, action="store_const", const=True)
    return parser


def _flags(command: Command) -> list[Option]:
    if command in ("run", "config"):
        return list(OPTIONS)
    taken = (*COMMON_FLAGS, "no_progress") if command == "sample" else COMMON_FLAGS
    return [option for option in OPTIONS if option.name in taken or command in option.calls]


def _help(program: str, command: Command) -> str:
    bold, normal = ("\x1b[1m", "\x1b[0m") if sys.stdout.isatty() and not is_plain() else ("", "")
    flags = _flags(command)
    defaults = _defaults()
    left = {option.name: f"{option.flag} {option.metavar}".rstrip() for option in flags}
    if command == "sample":
        left |= {number: f"--{number} N" for number in SAMPLE_NUMBERS}
    width = max(map(len, left.values()))

    def line(name: str, text: str, default: str = "") -> str:
        return f"  {left[name]:<{width}}  {text}" + (f" [{default}]" if default else "")

    def heading(text: str) -> str:
        return f"\n{bold}{text}{normal}"

    lines = [f"{bold}{_TITLES[command]}{normal}", ""]
    lines += [usage.format(program=program) for usage in _USAGES[command]]
    if command == "sample":
        lines += [heading("Size")]
        lines += [line(number, text, defaults.get(number, "")) for number, text in SAMPLE_NUMBERS.items()]
    for group, title in _HEADINGS.items():
        members = [option for option in flags if option.group == group]
        if members:
            lines.append(heading(title))
            lines += [line(option.name, option.help, _default(option, defaults)) for option in members]
    if command != "sample":
        lines.append(heading("Settings"))
        lines += [f"  {text}" for text in _SETTINGS]
        lines.append(heading("Exit codes"))
        lines += [f"  {text}" for text in _EXIT_CODES]
    return "\n".join(lines)


def _defaults() -> Mapping[str, str]:
    try:
        return _engine.defaults()
    except SparkifyLakeError:  # help must work where the engine does not
        return {}


def _default(option: Option, defaults: Mapping[str, str]) -> str:
    return "" if option.kind == "flag" else default_of(option, defaults)


_TITLES: Mapping[Command, str] = {
    "run": "sparkify-lake: Sparkify's JSON to a star schema of partitioned Parquet, without Spark",
    "sample": "sparkify-lake sample: make a data set to try things on; the same options give the same bytes",
    "config": "sparkify-lake config: show every setting and where it comes from, secrets masked",
    "doctor": "sparkify-lake doctor: examine a place to read or write, such as s3://bucket/lake",
    "check": "sparkify-lake check: compare a lake with its log, file by file; changes nothing",
    "status": "sparkify-lake status: tell the newest version of a lake, and what has arrived since",
    "recover": "sparkify-lake recover: publish what a stopped run has committed, as any later run does",
}
_USAGES: Mapping[Command, tuple[str, ...]] = {
    "run": (
        "  {program} [INPUT [OUTPUT]] [options]    read INPUT, write the five tables below OUTPUT",
        "  {program} --sample                      make a small data set and run on it",
        "  {program} config [options]              show every setting and where it comes from",
        "  {program} doctor LOCATION               examine a bucket or a folder: rights, promises, speed",
        "  {program} check OUTPUT                  compare a lake with its log",
        "  {program} status OUTPUT [INPUT]         tell the newest version of a lake, and what is new",
        "  {program} recover OUTPUT                publish what a stopped run has committed",
        "  {program} sample DIR [options]          make a data set, and no more",
    ),
    "sample": ("  {program} sample DIR [options]    write song_data and log_data below DIR",),
    "config": ("  {program} config [INPUT [OUTPUT]] [options]    with the options of a run",),
    "doctor": ("  {program} doctor [LOCATION] [options]    the configured output, unless named",),
    "check": ("  {program} check [OUTPUT] [options]    exits 0, 75 (not published) or 76 (not as logged)",),
    "status": ("  {program} status [OUTPUT [INPUT]] [options]    exits 0, or 75 while not published",),
    "recover": ("  {program} recover [OUTPUT] [options]    exits as check does then",),
}
_HEADINGS = {
    "Where": "Where to read and write",
    "Store": "How an object store is reached",
    "What": "What the tables hold",
    "Limits": "Limits",
    "Program": "This program",
}
_SETTINGS = (
    "Options can also be set as SPARKIFY_<NAME> in the environment, or as <NAME> in lake.cfg or dl.cfg.",
    "Flags win over the environment, that over lake.cfg, that over dl.cfg. Secrets belong in dl.cfg.",
)
_EXIT_CODES = (
    "0 done, 64 usage, 65 data refused, 66 no input, 70 a bug, 73 output, 74 read or write failed,",
    "75 temporary, try again, 76 foreign files, 77 permission, 78 configuration, 130/143 by a signal",
)


def _complain(error: SparkifyLakeError) -> None:
    for label, text in (("error", error.message), ("cause", error.cause), ("hint", error.hint)):
        if text:
            _say(_labelled(label, text))


def _say(text: str) -> None:
    with suppress(OSError):  # with nobody listening, the exit code still tells
        print(text, file=sys.stderr)


def _labelled(label: str, text: str) -> str:
    shown = printable(text)
    if not sys.stderr.isatty() or is_plain():
        return f"{label}: {shown}"
    colour = {"error": "1;31", "warning": "1;33"}.get(label, "1")
    return f"\x1b[{colour}m{label}:\x1b[0m {shown}"


class _ForPeople(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        return _labelled("warning", text) if record.levelno >= logging.WARNING else printable(text)


@contextmanager
def _log_on_stderr(config: Config) -> Iterator[None]:
    """Shows the library's log on stderr. Only the program does this, a library leaves it to its caller."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_ForPeople())
    logger = logging.getLogger("sparkify_lake")
    before = logger.level
    levels = {"quiet": logging.ERROR, "verbose": logging.DEBUG}
    logger.setLevel(next((level for name, level in levels.items() if config.is_on(name)), logging.INFO))
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


def _show_anything(*streams: TextIO) -> None:
    """A name that the terminal's encoding lacks is shown escaped; it must not end the program."""
    for stream in streams:
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


@contextmanager
def _sigterm_raises() -> Iterator[None]:
    """Turns SIGTERM into an exception, so that the engine stops in order; gives the old handler back."""

    def stop(number: int, frame: object) -> NoReturn:
        raise Terminated

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not the main thread: signals are someone else's
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
