"""What the user said, from everywhere, with where each value was said.

Arguments win over the environment (`SPARKIFY_*`), that over `lake.cfg`, that over `dl.cfg`; defaults are
Rust's. What a value may look like is not decided here, nor how a file is read (`files.py`).

Invariant: the environment is read here and nowhere else, and never written; every value knows its origin.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sparkify_lake.errors import ConfigurationError, SparkifyLakeError, UsageError
from sparkify_lake.secret import MASK, Secret
from sparkify_lake.settings.files import (
    CREDENTIAL_KEYS,
    LAKE_FILE,
    OPTION_KEYS,
    SECRET_FILE,
    ConfigFile,
    Entry,
    only,
    read_file,
)
from sparkify_lake.settings.options import (
    BY_NAME,
    CREDENTIALS,
    ENVIRONMENT_PREFIX,
    OPTIONS,
    Call,
    Option,
    Source,
    check_names,
    is_remote,
    plain_value,
    suggestion,
    truth,
    without_userinfo,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One option's value and where it was set."""

    name: str
    value: str | int | bool
    origin: str
    source: Source
    rank: int
    entry: Entry | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A part of the credentials that were given.

    Attributes:
        value: The text itself, masked.
        origin: Where it was said, as `dl.cfg:3`.
        place: What a report names as the source: `arguments`, or the file's name.
    """

    value: Secret
    origin: str
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The merged settings of one call; without credentials, the standard places of AWS are searched."""

    call: Call
    settings: Mapping[str, Setting]
    credentials: Mapping[str, Credential] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    executor: object = None  # where an object was passed, such as a SparkSession

    def value(self, name: str) -> str | int | bool | None:
        """Returns an option's value, None when nobody set it."""
        setting = self.settings.get(name)
        return setting.value if setting else None

    def is_on(self, name: str) -> bool:
        """Returns whether a flag of the front is set."""
        return bool(self.value(name))

    def said(self, name: str) -> str | None:
        """Returns an option's value when it was an argument of this very call."""
        setting = self.settings.get(name)
        return str(setting.value) if setting and setting.source == "argument" else None

    def native_options(self) -> dict[str, object]:
        """Returns what the engine is given: the options that are set and that the call takes.

        Credentials are among them only when something lies in a store, and masked even then: the engine
        itself opens them.
        """
        options: dict[str, object] = {
            name: setting.value
            for name, setting in self.settings.items()
            if BY_NAME[name].native and self.call in BY_NAME[name].calls
        }
        if self.credentials and self.is_remote():
            options |= {name: one.value for name, one in self.credentials.items()}
            options["keys_origin"] = next(iter(self.credentials.values())).place
        return options

    def is_remote(self) -> bool:
        """Returns whether any location lies in an object store."""
        return any(
            is_remote(str(setting.value))
            for name, setting in self.settings.items()
            if BY_NAME[name].kind == "location"
        )

    def with_values(self, origin: str, **values: str | bool) -> Config:
        """Returns the same settings with some replaced."""
        settings = dict(self.settings)
        for name, value in values.items():
            settings[name] = Setting(name=name, value=value, origin=origin, source="argument", rank=0)
        return replace(self, settings=settings)

    def without(self, *names: str) -> Config:
        """Returns the same settings with some not set."""
        return replace(self, settings={name: one for name, one in self.settings.items() if name not in names})

    def detached(self) -> Config:
        """Returns the same settings without the lines of files they stand on, which hold secrets."""
        return replace(self, settings={n: replace(one, entry=None) for n, one in self.settings.items()})

    def explain(self, error: SparkifyLakeError) -> SparkifyLakeError:
        """Says where a refused value was set.

        The engine knows the option but not its origin. A bad argument is a usage error; what stands in a
        file or in the environment is a configuration error that names the place and does not repeat the
        value.
        """
        setting = self.settings.get(error.context.get("option", ""))
        if setting is None or not isinstance(error, ConfigurationError):
            return error
        located = BY_NAME[setting.name].kind == "location"
        context = {**error.context, "origin": setting.origin}
        hint = _with_guess(error.hint, BY_NAME[setting.name], setting)
        if setting.source == "argument":
            kind = ConfigurationError if located else UsageError
            return kind(error.message, cause=error.cause, hint=hint, context=context)
        if located:
            origin = f"{setting.name} is set by {setting.origin}"
            cause = f"{error.cause}; {origin}" if error.cause else origin
            return ConfigurationError(error.message, cause=cause, hint=hint, context=context)
        place = setting.origin
        if setting.entry is not None:
            section = f" in [{setting.entry.section}]" if setting.entry.section else ""
            place = f"{setting.entry.key}{section}, {setting.origin},"
        message = f"{place} has a value that {setting.name} does not take"
        return ConfigurationError(message, hint=hint, context=context)


def _with_guess(hint: str | None, option: Option, setting: Setting) -> str | None:
    meant = suggestion(str(setting.value), option.choices) if setting.source == "argument" else None
    return "; ".join(part for part in (hint, f"did you mean {meant}?" if meant else None) if part) or None


def resolve(
    call: Call,
    arguments: Mapping[str, object],
    *,
    as_flags: bool = False,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> Config:
    """Merges arguments, environment and files by precedence.

    Args:
        call: The function the settings are for.
        arguments: What was passed, by option name; None means not set.
        as_flags: Whether the arguments were flags, for the origins.
        environment: The process environment, unless given.
        directory: Where the files are looked up, unless `config` names them; the current directory, unless
            given.

    Returns:
        The settings, each with its origin.

    Raises:
        UsageError: For a keyword that the call does not take.
        ConfigurationError: For a file that cannot be read, or that says two things at once.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    check_names("program" if as_flags else call, given)
    executor = given.pop("executor", None) if not isinstance(given.get("executor"), str) else None
    said = _said_in(os.environ if environment is None else environment)
    settings: dict[str, Setting] = {}
    keys = {name: given.pop(name) for name in CREDENTIALS if name in given}
    for name, value in given.items():
        option = BY_NAME[name]
        if isinstance(value, str) and not value.strip():
            # In a file, empty means "not set"; an argument was meant to say something, as "$OUTPUT" is.
            kind = ConfigurationError if option.kind == "location" else UsageError
            raise kind(f"{name} is empty", hint="give it a value, or leave it out", context={"option": name})
        origin = option.flag if as_flags else f"argument {name}"
        _add(settings, name, plain_value(option, value), origin, "argument", 0)
    warnings = _from_environment(said, settings)

    files = _files(settings.get("config"), directory)
    for file in files:
        if file.refusal is not None:
            raise file.refusal
        warnings.extend(file.warnings)
    for rank, file in enumerate(files, start=2):
        for name in OPTION_KEYS:
            if name not in settings and (entry := only(file.entries, name)) is not None:
                value = plain_value(BY_NAME[name], entry.value.reveal())
                _add(settings, name, value, entry.origin, "file", rank, entry)
    _drop_overruled(settings, warnings)
    credentials = _given_credentials(keys) if keys else _credentials(files, settings.get("profile"), warnings)
    return Config(
        call=call, settings=settings, credentials=credentials, warnings=tuple(warnings), executor=executor
    )


def _add(
    settings: dict[str, Setting],
    name: str,
    value: str | int | bool,
    origin: str,
    source: Source,
    rank: int,
    entry: Entry | None = None,
) -> None:
    option = BY_NAME[name]
    if option.kind == "flag" and not option.native:
        switch = truth(value)
        if switch is None:
            kind = UsageError if source == "argument" else ConfigurationError
            raise kind(f"{origin} has a value that {name} does not take", hint="it takes true or false")
        value = switch
    settings[name] = Setting(name=name, value=value, origin=origin, source=source, rank=rank, entry=entry)


def _said_in(environment: Mapping[str, str]) -> dict[str, str]:
    """Returns our own variables; the rest may hold credentials and stays out of every frame."""
    return {name: value for name, value in environment.items() if name.startswith(ENVIRONMENT_PREFIX)}


def _from_environment(environment: Mapping[str, str], settings: dict[str, Setting]) -> list[str]:
    known = {option.environment: option for option in OPTIONS if "environment" in option.sources}
    for variable, option in known.items():
        value = environment.get(variable, "").strip()
        if value and option.name not in settings:
            _add(settings, option.name, plain_value(option, value), variable, "environment", 1)
    warnings = []
    for variable in environment:
        # Other programs may use the prefix: only a near miss is worth a word.
        if variable not in known and (meant := suggestion(variable, known, cutoff=0.85)):
            warnings.append(f"the environment variable {variable} is ignored; did you mean {meant}?")
    return warnings


def _given_credentials(keys: Mapping[str, object]) -> dict[str, Credential]:
    """Takes credentials from arguments; a part in a file does not complete them."""
    found = {}
    for name, value in keys.items():
        secret = Secret(value.strip()) if isinstance(value, str) else value
        if not isinstance(secret, Secret):
            raise UsageError(f"{name} cannot be of type {type(value).__name__}", hint="it takes a text")
        if not secret:
            raise UsageError(f"{name} is empty", hint="give it a value, or leave it out")
        found[name] = Credential(value=secret, origin=f"argument {name}", place="arguments")
    missing = [name for name in CREDENTIALS[:2] if name not in found]
    if missing:
        raise UsageError(f"{next(iter(found))} stands alone", hint=f"pass {' and '.join(missing)}, too")
    return found


def _credentials(
    files: Sequence[ConfigFile], profile: Setting | None, warnings: list[str]
) -> dict[str, Credential]:
    found: dict[str, Entry] = {}
    for rank, file in enumerate(files, start=2):
        for name in CREDENTIAL_KEYS:
            if name not in found and (entry := only(file.entries, name)) is not None:
                found[name] = entry
        if found and profile is not None and profile.rank < rank:
            # Said louder than the file: a profile is other credentials.
            origin = next(iter(found.values())).origin
            warnings.append(
                f"the credentials of {origin} are ignored, because {profile.origin} names a profile"
            )
            return {}
    if found and any(name not in found for name in CREDENTIALS[:2]):
        alone = next(iter(found.values()))
        warnings.append(f"{alone.origin}: {alone.key} stands alone; credentials are a key and a secret")
    return {
        name: Credential(value=entry.value, origin=entry.origin, place=Path(entry.file).name)
        for name, entry in found.items()
    }


def _drop_overruled(settings: dict[str, Setting], warnings: list[str]) -> None:
    """An `input` said louder than `song_data` or `log_data` means its own folders, not theirs."""
    root = settings.get("input")
    for name in ("song_data", "log_data"):
        part = settings.get(name)
        if root is not None and part is not None and root.rank < part.rank:
            del settings[name]
            warnings.append(f"{name} of {part.origin} is ignored, because {root.origin} names the input")


def _files(config: Setting | None, directory: Path | None) -> list[ConfigFile]:
    """Reads `lake.cfg` and `dl.cfg`, in order of precedence; those that are not there say nothing."""
    if config is None:
        folder = directory or Path()
        return [read_file(folder / name) for name in (LAKE_FILE, SECRET_FILE) if (folder / name).is_file()]
    named = Path(str(config.value))
    if named.is_dir():
        found = [named / name for name in (LAKE_FILE, SECRET_FILE) if (named / name).is_file()]
        if not found:
            raise ConfigurationError(
                f"there is neither {LAKE_FILE} nor {SECRET_FILE} in {named}",
                hint=f"{config.origin} names the folder",
                context={"option": "config", "path": str(named)},
            )
        return [read_file(path) for path in found]
    if not named.exists():
        raise ConfigurationError(
            f"there is no configuration file {named}",
            hint=f"check {config.origin}; it takes a file, or a folder with {LAKE_FILE} and {SECRET_FILE}",
            context={"option": "config", "path": str(named)},
        )
    if named.name not in (LAKE_FILE, SECRET_FILE):
        return [read_file(named)]
    # The two are a pair: naming one finds the other beside it.
    return [
        read_file(path)
        for path in (named.with_name(LAKE_FILE), named.with_name(SECRET_FILE))
        if path.is_file()
    ]


def is_plain(environment: Mapping[str, str] | None = None) -> bool:
    """Returns whether the user or the terminal wants text without colour (`NO_COLOR`, `TERM=dumb`)."""
    environment = os.environ if environment is None else environment
    return bool(environment.get("NO_COLOR")) or environment.get("TERM") == "dumb"


def trusts_more(environment: Mapping[str, str] | None = None) -> bool:
    """Returns whether `SSL_CERT_FILE` names certificates: what libraries read that take no such option."""
    environment = os.environ if environment is None else environment
    return bool(environment.get("SSL_CERT_FILE"))


def describe(config: Config, defaults: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Lists every setting as (name, value, origin), secrets masked.

    Args:
        config: The merged settings.
        defaults: The engine's defaults, by option name.

    Returns:
        A row for each option that can be configured, and for each credential.
    """
    rows = []
    for option in OPTIONS:
        if "file" not in option.sources:
            continue
        setting = config.settings.get(option.name)
        if setting is not None:
            shown = str(setting.value).lower() if isinstance(setting.value, bool) else str(setting.value)
            rows.append((option.name, without_userinfo(shown), setting.origin))
        else:
            default = default_of(option, defaults)
            rows.append((option.name, default, "default" if default else "not set"))
    for name in CREDENTIALS:
        one = config.credentials.get(name)
        rows.append((name, MASK, one.origin) if one else (name, "", "not set"))
    return rows


def default_of(option: Option, defaults: Mapping[str, str]) -> str:
    """Returns the default as text: the engine's, and false for the front's own flags."""
    return defaults.get(option.name, "false" if option.kind == "flag" else "")
