"""Resolves the settings of one call from arguments, environment and files.

Precedence: arguments, then the environment (`SPARKIFY_*`), then `lake.cfg`, then `dl.cfg`, then the settings
of AWS's tools, then the defaults of the engine. Files are read in `files.py`, the settings of AWS's tools in
`aws.py`; the engine checks the values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from sparkify_lake.errors import AccessDeniedError, ConfigurationError, UsageError
from sparkify_lake.secret import Secret
from sparkify_lake.settings.aws import with_aws_settings
from sparkify_lake.settings.config import Config, Credential, Setting
from sparkify_lake.settings.environment import own_variables
from sparkify_lake.settings.files import (
    CREDENTIAL_KEYS,
    LAKE_FILE,
    OPTION_KEYS,
    SECRET_FILE,
    ConfigFile,
    Entry,
    read_file,
    single_entry,
)
from sparkify_lake.settings.options import (
    BY_NAME,
    CREDENTIALS,
    OPTIONS,
    Call,
    Source,
    as_bool,
    check_names,
    plain_value,
    suggestion,
)


def resolve(
    call: Call,
    arguments: Mapping[str, object],
    *,
    as_flags: bool = False,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> Config:
    """Resolves arguments, environment and files by precedence.

    Args:
        call: The function that the settings are for.
        arguments: The arguments by option name; None means not set.
        as_flags: Whether the arguments were flags of the program.
        environment: The environment; that of the process by default.
        directory: The folder with the files, unless `config` names them; the current folder by default.

    Returns:
        The settings, each with its origin.

    Raises:
        UsageError: If the call does not accept a keyword.
        ConfigurationError: If a file cannot be read, or sets an option to two values.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    check_names("program" if as_flags else call, given)
    executor = given.pop("executor", None) if not isinstance(given.get("executor"), str) else None
    variables = own_variables(environment)
    settings: dict[str, Setting] = {}
    keys = {name: given.pop(name) for name in CREDENTIALS if name in given}
    for name, value in given.items():
        option = BY_NAME[name]
        if isinstance(value, str) and not value.strip():
            # In a file, an empty value means "not set". An empty argument is a mistake, such as "$OUTPUT".
            kind = ConfigurationError if option.kind == "location" else UsageError
            raise kind(f"{name} is empty", hint="give it a value, or leave it out", context={"option": name})
        origin = option.flag if as_flags else f"argument {name}"
        _add(settings, name, plain_value(option, value), origin, "argument", 0)
    warnings = _add_variables(settings, variables)

    files = _read_files(settings.get("config"), directory)
    for file in files:
        if file.error is not None:
            raise file.error
        warnings.extend(file.warnings)
    for rank, file in enumerate(files, start=2):
        for name in OPTION_KEYS:
            if name not in settings and (entry := single_entry(file.entries, name)) is not None:
                value = plain_value(BY_NAME[name], entry.value.reveal())
                _add(settings, name, value, entry.origin, "file", rank, entry)
    _drop_overridden(settings, warnings)
    credentials = (
        _credentials_from_arguments(keys)
        if keys
        else _credentials_from_files(files, settings.get("profile"), warnings)
    )
    config = Config(
        call=call, settings=settings, credentials=credentials, warnings=tuple(warnings), executor=executor
    )
    return with_aws_settings(config)


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
        switch = as_bool(value)
        if switch is None:
            kind = UsageError if source == "argument" else ConfigurationError
            raise kind(f"{origin} has an invalid value for {name}", hint="use true or false")
        value = switch
    settings[name] = Setting(name=name, value=value, origin=origin, source=source, rank=rank, entry=entry)


def _add_variables(settings: dict[str, Setting], variables: Mapping[str, str]) -> list[str]:
    """Adds the options that environment variables set; returns the warnings."""
    known = {option.environment: option for option in OPTIONS if "environment" in option.sources}
    for variable, option in known.items():
        value = variables.get(variable, "").strip()
        if value and option.name not in settings:
            _add(settings, option.name, plain_value(option, value), variable, "environment", 1)
    warnings = []
    for variable in variables:
        # Other programs may use the prefix: warn only about names that are very similar.
        if variable not in known and (similar := suggestion(variable, known, cutoff=0.85)):
            warnings.append(f"the environment variable {variable} is ignored; did you mean {similar}?")
    return warnings


def _credentials_from_arguments(keys: Mapping[str, object]) -> dict[str, Credential]:
    """Returns the credentials from arguments; a file does not complete them."""
    found = {}
    for name, value in keys.items():
        secret = Secret(value.strip()) if isinstance(value, str) else value
        if not isinstance(secret, Secret):
            raise UsageError(f"{name} cannot be of type {type(value).__name__}", hint="pass a string")
        if not secret:
            raise UsageError(f"{name} is empty", hint="give it a value, or leave it out")
        found[name] = Credential(value=secret, origin=f"argument {name}", place="arguments")
    missing = [name for name in CREDENTIALS[:2] if name not in found]
    if missing:
        raise UsageError(
            f"the credentials are incomplete: {' and '.join(missing)} missing",
            hint="pass both access_key_id and secret_access_key",
        )
    return found


def _credentials_from_files(
    files: Sequence[ConfigFile], profile: Setting | None, warnings: list[str]
) -> dict[str, Credential]:
    found: dict[str, Entry] = {}
    for rank, file in enumerate(files, start=2):
        for name in CREDENTIAL_KEYS:
            if name not in found and (entry := single_entry(file.entries, name)) is not None:
                found[name] = entry
        if found and profile is not None and profile.rank < rank:
            # A profile that takes precedence over the file means other credentials.
            origin = next(iter(found.values())).origin
            warnings.append(
                f"the credentials in {origin} are ignored, because {profile.origin} names a profile"
            )
            return {}
    if found and any(name not in found for name in CREDENTIALS[:2]):
        first = next(iter(found.values()))
        warnings.append(f"{first.origin}: the credentials are incomplete; they need both KEY and SECRET")
    return {
        name: Credential(value=entry.value, origin=entry.origin, place=Path(entry.file).name)
        for name, entry in found.items()
    }


def _drop_overridden(settings: dict[str, Setting], warnings: list[str]) -> None:
    """Drops `song_data` and `log_data` if an `input` takes precedence: it has its own folders."""
    root = settings.get("input")
    for name in ("song_data", "log_data"):
        part = settings.get(name)
        if root is not None and part is not None and root.rank < part.rank:
            del settings[name]
            warnings.append(f"{name} from {part.origin} is ignored, because {root.origin} sets the input")


def _read_files(config: Setting | None, directory: Path | None) -> list[ConfigFile]:
    """Reads the existing files `lake.cfg` and `dl.cfg`, in order of precedence."""
    if config is None:
        try:
            return _read_pair(directory or Path())
        except PermissionError:
            # Services and `sudo -u` often start in a folder that was not chosen for its files.
            why = "the current folder cannot be searched"
            return [ConfigFile(warnings=(f"{LAKE_FILE} and {SECRET_FILE} are not read, because {why}",))]
    try:
        return _read_named(config)
    except PermissionError as error:
        denied = str(error.filename)
    raise AccessDeniedError(
        f"{denied} cannot be read",
        cause="permission denied",
        hint=f"check {config.origin}, and the permissions of the folder",
        context={"option": "config", "path": denied},
    )


def _read_named(config: Setting) -> list[ConfigFile]:
    """Reads the file, or the two files, that the option `config` names."""
    named = Path(str(config.value))
    if named.is_dir():
        found = _read_pair(named)
        if not found:
            raise ConfigurationError(
                f"{named} contains neither {LAKE_FILE} nor {SECRET_FILE}",
                hint=f"check {config.origin}, which names the folder",
                context={"option": "config", "path": str(named)},
            )
        return found
    if not named.exists():
        raise ConfigurationError(
            f"the configuration file {named} does not exist",
            hint=f"check {config.origin}; use a file, or a folder with {LAKE_FILE} and {SECRET_FILE}",
            context={"option": "config", "path": str(named)},
        )
    if named.name in (LAKE_FILE, SECRET_FILE):
        return _read_pair(named.parent)  # the two files belong together
    return [read_file(named)]


def _read_pair(folder: Path) -> list[ConfigFile]:
    return [read_file(folder / name) for name in (LAKE_FILE, SECRET_FILE) if (folder / name).is_file()]
