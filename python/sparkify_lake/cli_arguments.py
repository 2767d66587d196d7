"""The commands of the program and their arguments; the flags come from the table of options."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal, NoReturn

from sparkify_lake.errors import UsageError
from sparkify_lake.settings.options import OPTIONS, Option, suggestion

Command = Literal[
    "run", "config", "sample", "doctor", "check", "recover", "status", "history", "watch", "ddl", "migrate",
    "init",
]  # fmt: skip

# The positional arguments of each command.
POSITIONALS: Mapping[Command, tuple[str, ...]] = {
    "run": ("INPUT", "OUTPUT"),
    "config": ("INPUT", "OUTPUT"),
    "sample": ("DIR",),
    "doctor": ("LOCATION",),
    "check": ("OUTPUT",),
    "recover": ("OUTPUT",),
    "status": ("OUTPUT", "INPUT"),
    "history": ("OUTPUT",),
    "watch": ("INPUT", "OUTPUT"),
    "ddl": ("ENGINE", "OUTPUT"),
    "migrate": ("OLD_ETL",),
    "init": ("DIR",),
}
# `run` has no name on the command line.
NAMED_COMMANDS: tuple[Command, ...] = (
    "config", "sample", "doctor", "check", "recover", "status", "history", "watch", "ddl", "migrate", "init",
)  # fmt: skip
COMMON_FLAGS = ("json", "quiet", "verbose")
SAMPLE_SIZES = {
    "songs": "number of songs",
    "events": "number of log events",
    "days": "number of days with events",
    "users": "number of users",
    "seed": "another seed gives other data",
}
# Commands that write files instead of tables, and read no settings.
FILE_COMMANDS: tuple[Command, ...] = ("migrate", "init")
# The flags that are not options, with the placeholder of the value and the help.
OWN_FLAGS: Mapping[Command, Mapping[str, tuple[str, str]]] = {
    "ddl": {
        "format": ("FORMAT", "format of the tables: parquet, delta or iceberg [parquet]"),
        "database": ("NAME", "database, schema or data set of the engine for the tables [sparkify]"),
    },
    "history": {"html": ("FILE", "also write a page with charts of versions, plays and levels")},
    "watch": {"interval": ("TIME", "time between two looks at the input: 30s, 5m, 1h [60s]")},
    "migrate": {
        "output_dir": ("DIR", "folder for the new files; by default migrated/ next to the script"),
        "dry_run": ("", "print the report, but write no files"),
        "force": ("", "replace existing files"),
    },
    "init": {
        "airflow": ("", "also create an example DAG"),
        "force": ("", "replace existing files, except dl.cfg"),
    },
}


class ArgumentParser(argparse.ArgumentParser):
    """An argument parser that raises `UsageError`, and suggests the most similar flag."""

    def error(self, message: str) -> NoReturn:
        """Raises a `UsageError`; argparse itself would print the usage and exit."""
        hint = f"{self.prog} --help lists the options"
        raise UsageError(message.removeprefix("argument "), hint=hint)

    def parse(self, words: Sequence[str]) -> dict[str, Any]:
        """Parses arguments, and rejects unknown ones."""
        parsed, unknown = self.parse_known_args(words)
        if unknown:
            flag = unknown[0].partition("=")[0]
            if not flag.startswith("-"):
                raise UsageError(
                    f"unexpected argument {unknown[0]!r}", hint=f"{self.prog} --help shows the usage"
                )
            similar = suggestion(flag, self._option_string_actions)
            hint = f"did you mean {similar}?" if similar else f"{self.prog} --help lists the options"
            raise UsageError(f"unknown option {flag}", hint=hint)
        return vars(parsed)


def command_of(words: Sequence[str]) -> Command:
    """Returns the command that the arguments name."""
    return next((name for name in NAMED_COMMANDS if name in words[:1]), "run")


def parser_for(command: Command) -> ArgumentParser:
    """Returns the parser of a command."""
    started_as = os.path.basename(sys.argv[0] or "sparkify-lake")
    program = {"etl.py": "python etl.py", "__main__.py": "python -m sparkify_lake"}.get(
        started_as, "sparkify-lake"
    )
    # Without a width, argparse asks for the size of the terminal at each argument, and imports shutil for it.
    formatter = partial(argparse.HelpFormatter, width=100)
    parser = ArgumentParser(prog=program, add_help=False, allow_abbrev=False, formatter_class=formatter)
    parser.add_argument("-h", "--help", action="store_true")
    for positional in POSITIONALS[command]:
        parser.add_argument(positional, nargs="?")
    if command == "sample":
        for size in SAMPLE_SIZES:
            parser.add_argument(f"--{size}", type=int)
    for name, (metavar, _) in OWN_FLAGS.get(command, {}).items():
        flag = "--" + name.replace("_", "-")
        if metavar:
            parser.add_argument(flag, dest=name)
        else:
            parser.add_argument(flag, dest=name, action="store_const", const=True)
    for option in options_of(command):
        if option.repeatable:
            parser.add_argument(option.flag, dest=option.name, action="append")
        elif option.kind != "flag":
            parser.add_argument(option.flag, dest=option.name)
        elif "file" in option.sources and not option.name.startswith("no_"):
            # An argument can turn off what a file turned on.
            parser.add_argument(option.flag, dest=option.name, action=argparse.BooleanOptionalAction)
        else:
            parser.add_argument(option.flag, dest=option.name, action="store_const", const=True)
    return parser


def options_of(command: Command) -> list[Option]:
    """Returns the options that a command accepts."""
    if command in ("run", "config"):
        return list(OPTIONS)
    if command == "watch":
        return [option for option in OPTIONS if option.name not in ("dry_run", "report", "sample")]
    if command in FILE_COMMANDS:
        return [option for option in OPTIONS if option.name == "json"]
    common = (*COMMON_FLAGS, "no_progress") if command == "sample" else COMMON_FLAGS
    return [option for option in OPTIONS if option.name in common or command in option.calls]
