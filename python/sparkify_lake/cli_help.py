"""The text of `--help` for each command."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from sparkify_lake import _engine
from sparkify_lake.cli_arguments import FILE_COMMANDS, OWN_FLAGS, SAMPLE_SIZES, Command, options_of
from sparkify_lake.errors import SparkifyLakeError
from sparkify_lake.settings.config import default_of
from sparkify_lake.settings.environment import wants_plain_text
from sparkify_lake.settings.options import GROUPS, Option

TITLES: Mapping[Command, str] = {
    "run": "sparkify-lake: convert Sparkify's JSON to a star schema of partitioned Parquet, without Spark",
    "sample": "sparkify-lake sample: create a sample data set; the same options give the same bytes",
    "config": "sparkify-lake config: show all settings and their origins, with secrets masked",
    "doctor": "sparkify-lake doctor: examine a location to read or write, such as s3://bucket/lake",
    "check": "sparkify-lake check: compare the files of a lake with its commit log; changes nothing",
    "status": "sparkify-lake status: show the newest version of a lake, and new input files",
    "history": "sparkify-lake history: show the last versions of a lake",
    "watch": "sparkify-lake watch: look for new input again and again, and run when something is new",
    "recover": "sparkify-lake recover: publish the version that a stopped run committed",
    "ddl": "sparkify-lake ddl: print statements with which another engine reads the tables of a lake",
    "migrate": "sparkify-lake migrate: write lake.cfg and a new etl.py that replace an etl.py for Spark",
    "init": "sparkify-lake init: create the files of a new project",
}
USAGES: Mapping[Command, tuple[str, ...]] = {
    "run": (
        "  {program} [INPUT [OUTPUT]] [options]    read INPUT and write the five tables to OUTPUT",
        "  {program} --sample                      create a small data set and run on it",
        "  {program} config [options]              show all settings and their origins",
        "  {program} doctor LOCATION               examine a bucket or a folder: access, speed",
        "  {program} check OUTPUT                  compare the files of a lake with its commit log",
        "  {program} status OUTPUT [INPUT]         show the newest version of a lake, and new input files",
        "  {program} history OUTPUT                show the last versions of a lake; --html writes a page",
        "  {program} watch INPUT OUTPUT            run whenever there is new input",
        "  {program} recover OUTPUT                publish the version that a stopped run committed",
        "  {program} ddl ENGINE OUTPUT             print CREATE TABLE statements for Athena, Trino, ...",
        "  {program} sample DIR [options]          only create a sample data set",
        "  {program} migrate OLD_ETL.py            write lake.cfg and etl.py that replace a Spark job",
        "  {program} init [DIR]                    create etl.py, dl.cfg and lake.cfg for a new project",
    ),
    "sample": ("  {program} sample DIR [options]    create song_data and log_data in DIR",),
    "config": ("  {program} config [INPUT [OUTPUT]] [options]    accepts the options of a run",),
    "doctor": ("  {program} doctor [LOCATION] [options]    by default, examine the configured output",),
    "check": (
        "  {program} check [OUTPUT] [options]",
        "",
        "  Exits with 0 if all files match, 75 if the version is not completely published, 76 otherwise.",
    ),
    "status": (
        "  {program} status [OUTPUT [INPUT]] [options]",
        "",
        "  Exits with 0 if the version is completely published, otherwise with 75.",
    ),
    "history": ("  {program} history [OUTPUT] [options]    reads the commit log: the last 16 versions",),
    "watch": (
        "  {program} watch [INPUT [OUTPUT]] [options]    accepts the options of a run",
        "",
        "  Prints one line per run, or with --json one report per line. After temporary failures, the",
        "  pauses become longer. SIGTERM or SIGINT between two runs ends the program with 0.",
    ),
    "recover": (
        "  {program} recover [OUTPUT] [options]    then check the lake, with the exit codes of check",
    ),
    "ddl": (
        "  {program} ddl ENGINE [OUTPUT] [options]",
        "",
        "  ENGINE is athena (and AWS Glue), redshift, trino, spark (also for Databricks), snowflake,",
        "  bigquery, clickhouse, duckdb, or dbt, which gets a sources.yml with tests.",
        "  Only prints: it runs no statement, contacts no engine, and writes nothing.",
    ),
    "migrate": (
        "  {program} migrate OLD_ETL.py [options]    read the script, but do not run it",
        "",
        "  Prints what stays, what differs, and what was not understood, with the lines of the script.",
    ),
    "init": ("  {program} init [DIR] [options]    by default, in the current folder",),
}
SETTINGS = (
    "Options can also be set as SPARKIFY_<NAME> in the environment, or as <NAME> in lake.cfg or dl.cfg.",
    "Flags take precedence over the environment, then lake.cfg, then dl.cfg. Secrets belong in dl.cfg.",
)
EXIT_CODES = (
    "0 success, 64 invalid usage, 65 input rejected, 66 no input, 70 bug, 73 output cannot be created,",
    "74 read or write failed, 75 temporary failure (try again), 76 foreign or damaged files,",
    "77 permission denied, 78 invalid configuration, 130 or 143 stopped by a signal",
)


def help_text(program: str, command: Command) -> str:
    """Returns the help of a command.

    Args:
        program: The name by which the program was called.
        command: The command.
    """
    bold, normal = ("\x1b[1m", "\x1b[0m") if sys.stdout.isatty() and not wants_plain_text() else ("", "")
    options = options_of(command)
    defaults = _defaults()
    flags = {option.name: f"{option.flag} {option.metavar}".rstrip() for option in options}
    if command == "sample":
        flags |= {size: f"--{size} N" for size in SAMPLE_SIZES}
    own = OWN_FLAGS.get(command, {})
    flags |= {name: f"--{name.replace('_', '-')} {metavar}".rstrip() for name, (metavar, _) in own.items()}
    width = max(map(len, flags.values()))

    def line(name: str, text: str, default: str = "") -> str:
        return f"  {flags[name]:<{width}}  {text}" + (f" [{default}]" if default else "")

    def heading(text: str) -> str:
        return f"\n{bold}{text}{normal}"

    lines = [f"{bold}{TITLES[command]}{normal}", ""]
    lines += [usage.format(program=program) for usage in USAGES[command]]
    if command == "sample":
        lines += [heading("Size")]
        lines += [line(size, text, defaults.get(size, "")) for size, text in SAMPLE_SIZES.items()]
    if own:
        lines += [heading("Options")]
        lines += [line(name, text) for name, (_, text) in own.items()]
    for group, title in GROUPS.items():
        members = [option for option in options if option.group == group]
        if members:
            lines.append(heading(title))
            lines += [line(option.name, option.help, _default(option, defaults)) for option in members]
    if command not in ("sample", *FILE_COMMANDS):
        lines.append(heading("Settings"))
        lines += [f"  {text}" for text in SETTINGS]
    if command != "sample":
        lines.append(heading("Exit codes"))
        lines += [f"  {text}" for text in EXIT_CODES]
    return "\n".join(lines)


def _defaults() -> Mapping[str, str]:
    try:
        return _engine.defaults()
    except SparkifyLakeError:  # help must work even if the native module cannot be loaded
        return {}


def _default(option: Option, defaults: Mapping[str, str]) -> str:
    return "" if option.kind == "flag" else default_of(option, defaults)
