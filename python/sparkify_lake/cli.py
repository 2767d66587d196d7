"""The program. `python etl.py`, `sparkify-lake` and `python -m sparkify_lake` all call it.

Results go to stdout, messages to stderr.

Invariant: a mistake of the user ends with `error:`, `cause:` and `hint:` lines and an exit code of
sysexits.h, never with a traceback.
"""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from sparkify_lake import _engine, jobs
from sparkify_lake.cli_arguments import (
    FILE_COMMANDS,
    OWN_FLAGS,
    POSITIONALS,
    SAMPLE_SIZES,
    Command,
    command_of,
    parser_for,
)
from sparkify_lake.cli_help import help_text
from sparkify_lake.errors import InternalError, SparkifyLakeError, Terminated, UsageError
from sparkify_lake.render.standard_output import discard_stdout, open_missing_streams, print_result
from sparkify_lake.render.text_table import TextTable, as_text, printable
from sparkify_lake.settings.config import Config, describe
from sparkify_lake.settings.environment import wants_plain_text
from sparkify_lake.settings.locations import writable_file
from sparkify_lake.settings.resolve import resolve

if TYPE_CHECKING:
    from sparkify_lake.migrate.project import NewProject
    from sparkify_lake.migrate.report import Migration

EXIT_INTERRUPTED = 130
EXIT_IO_ERROR = 74


def entry() -> NoReturn:
    """Runs the program and exits with its exit code; the console script calls this."""
    sys.exit(main())


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program.

    Args:
        arguments: The arguments after the program's name; `sys.argv` by default.

    Returns:
        The exit code.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    open_missing_streams()
    _escape_unencodable(sys.stdout, sys.stderr)
    try:
        with _sigterm_raises():
            code = _run_and_report(words)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of our output has closed the pipe.
        discard_stdout()
        return 0
    return code


def _run_and_report(words: Sequence[str]) -> int:
    """Runs a command; turns exceptions into messages and exit codes."""
    try:
        return _run_command(words)
    except SparkifyLakeError as error:
        _print_error(error)
        return error.exit_code
    except Terminated as stopped:
        _print_message("terminated")
        return stopped.exit_code
    except KeyboardInterrupt:
        _print_message("interrupted")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        raise
    except OSError as error:
        _print_error(SparkifyLakeError(error.strerror or type(error).__name__, cause=error.filename))
        return EXIT_IO_ERROR
    except Exception as error:
        bug = InternalError(
            f"sparkify-lake has a bug: {type(error).__name__}",
            cause=str(error) or None,
            hint="report it with the output of --version and of the same command with --verbose",
        )
        if "--verbose" in words:
            import traceback

            traceback.print_exc()
        _print_error(bug)
        return bug.exit_code


def _run_command(words: Sequence[str]) -> int:
    command = command_of(words)
    parser = parser_for(command)
    given = parser.parse(words[1:] if command != "run" else words)
    if given.pop("help"):
        print_result(help_text(parser.prog, command))
        return 0
    if given.get("version"):
        print_result(_version())
        return 0
    if command == "sample":
        return _sample(given)
    if command == "doctor":
        return _doctor(given)
    if command == "ddl":
        return _ddl(given)
    if command in ("history", "watch"):
        return _history(given) if command == "history" else _watch(given)
    if command in FILE_COMMANDS:
        return _write_files(command, given)
    for positional in POSITIONALS[command]:
        _merge_positional(positional, given)
    if command in ("check", "recover", "status"):
        from sparkify_lake import diagnostics

        config = resolve(command, given, as_flags=True)
        with _log_on_stderr(config):
            if command == "status":
                return _print_result(diagnostics.status_with(config), config)
            return _print_result(diagnostics.check_with(config), config)
    if given["dry_run"] and given["report"]:
        raise UsageError("a dry run has no HTML report", hint="leave out --report or --dry-run")
    if given["dry_run"] and given["metrics"]:
        raise UsageError("a dry run has no metrics", hint="leave out --metrics or --dry-run")
    config = resolve("plan" if given["dry_run"] else "run", given, as_flags=True)
    with _log_on_stderr(config):
        if command == "config":
            _print_config(config)
            return 0
        return _print_result(
            jobs.plan_with(config) if config.is_on("dry_run") else jobs.run_with(config), config
        )


def _merge_positional(positional: str, given: dict[str, Any]) -> None:
    """Puts a positional argument in the place of the flag with the same meaning."""
    value, name = given.pop(positional), positional.lower()
    if value is not None and given[name] is not None:
        raise UsageError(f"{name} is given twice, as an argument and as --{name}", hint="keep one of them")
    given[name] = value if value is not None else given[name]


def _doctor(given: dict[str, Any]) -> int:
    from sparkify_lake import diagnostics

    location = given.pop("LOCATION")
    config = resolve("doctor", given, as_flags=True)
    with _log_on_stderr(config):
        return _print_result(diagnostics.doctor_with(location, config), config)


def _history(given: dict[str, Any]) -> int:
    from sparkify_lake import diagnostics
    from sparkify_lake.render.html_report import write_page

    file = given.pop("html")
    path = None if file is None else writable_file("html", file, "page")
    _merge_positional("OUTPUT", given)
    config = resolve("history", given, as_flags=True)
    with _log_on_stderr(config):
        found = diagnostics.history_with(config, trends=path is not None)
        if path is not None:
            write_page(
                found.to_html(), path, "the page of the history could not be written", "name another file"
            )
        return _print_result(found, config)


def _watch(given: dict[str, Any]) -> int:
    from sparkify_lake.watch import describe_run, interval_seconds, watch_with

    interval = interval_seconds(given.pop("interval") or "60s")
    for positional in POSITIONALS["watch"]:
        _merge_positional(positional, given)
    config = resolve("run", given, as_flags=True)
    with _log_on_stderr(config):
        watch_with(
            config,
            interval,
            lambda report: print_result(
                report.to_json(indent=None) if config.is_on("json") else describe_run(report)
            ),
        )
    return 0


def _ddl(given: dict[str, Any]) -> int:
    from sparkify_lake.ddl import ddl_with

    engine, format, database = (given.pop(name) for name in ("ENGINE", "format", "database"))
    _merge_positional("OUTPUT", given)
    config = resolve("ddl", given, as_flags=True)
    with _log_on_stderr(config):
        return _print_result(ddl_with(engine, format, database, config), config)


def _write_files(command: Command, given: dict[str, Any]) -> int:
    """Runs `migrate` or `init`, which read no settings."""
    flags = {name: value for name, value in given.items() if name in OWN_FLAGS[command] and value is not None}
    result: Migration | NewProject
    if command == "init":
        from sparkify_lake.migrate.project import create_project

        result = create_project(given["DIR"] or ".", **flags)
    else:
        if not given["OLD_ETL"]:
            raise UsageError(
                "the command migrate needs a script", hint="for example: migrate old/etl.py --dry-run"
            )
        from sparkify_lake.migrate.conclusions import migrate

        result = migrate(given["OLD_ETL"], **flags)
    print_result(result.to_json() if given["json"] else result)
    return 0


def _sample(given: dict[str, Any]) -> int:
    directory = given.pop("DIR")
    if not directory:
        raise UsageError(
            "the command sample needs a folder", hint="for example: sample sparkify-data --events 100000"
        )
    sizes = {name: size for name in SAMPLE_SIZES if isinstance(size := given.pop(name), int)}
    config = resolve("build", given, as_flags=True)
    with _log_on_stderr(config):
        return _print_result(jobs.make_sample(str(directory), sizes, config), config)


def _print_result(result: Any, config: Config) -> int:
    """Prints a result as text or JSON; returns its exit code."""
    print_result(result.to_json() if config.is_on("json") else result)
    return getattr(result, "exit_code", 0)


def _print_config(config: Config) -> None:
    rows = describe(config, _engine.defaults())
    if config.is_on("json"):
        from json import dumps

        settings = {name: {"value": value or None, "origin": origin} for name, value, origin in rows}
        print_result(dumps(settings, indent=2))
    else:
        head = ("setting", "value", "origin")
        print_result(
            as_text("settings and their origins", [TextTable(head=head, rows=rows, text_columns=head)])
        )
    for warning in config.warnings:
        _engine.logger().warning("%s", warning)


def _version() -> str:
    facts = _engine.build_info()
    rest = ", ".join(f"{name} {value}" for name, value in facts.items() if name != "version" and value)
    return f"sparkify-lake {facts.get('version', '')}" + (f" ({rest})" if rest else "")


def _print_error(error: SparkifyLakeError) -> None:
    for label, text in (("error", error.message), ("cause", error.cause), ("hint", error.hint)):
        if text:
            _print_message(_labeled(label, text))


def _print_message(text: str) -> None:
    with suppress(OSError):  # if stderr is closed, the exit code still reports the result
        print(text, file=sys.stderr)


def _labeled(label: str, text: str) -> str:
    shown = printable(text)
    if not sys.stderr.isatty() or wants_plain_text():
        return f"{label}: {shown}"
    color = {"error": "1;31", "warning": "1;33"}.get(label, "1")
    return f"\x1b[{color}m{label}:\x1b[0m {shown}"


class _MessageFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        return _labeled("warning", text) if record.levelno >= logging.WARNING else printable(text)


@contextmanager
def _log_on_stderr(config: Config) -> Iterator[None]:
    """Prints the log of the package to stderr. Only the program does this; a library must not."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_MessageFormatter())
    logger = _engine.logger()
    before = logger.level
    levels = {"quiet": logging.ERROR, "verbose": logging.DEBUG}
    logger.setLevel(next((level for name, level in levels.items() if config.is_on(name)), logging.INFO))
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


def _escape_unencodable(*streams: TextIO) -> None:
    """Escapes characters that the encoding of a terminal lacks, so that they cannot stop the program."""
    for stream in streams:
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


@contextmanager
def _sigterm_raises() -> Iterator[None]:
    """Turns SIGTERM into an exception, so that the engine stops in order; restores the handler afterwards."""

    def stop(number: int, frame: object) -> NoReturn:
        raise Terminated

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not the main thread, which alone may handle signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
