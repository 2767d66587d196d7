"""The settings of one call: each value with its origin, and the credentials.

Invariant: every value knows its origin.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sparkify_lake.errors import ConfigurationError, SparkifyLakeError, UsageError
from sparkify_lake.secret import MASK, Secret
from sparkify_lake.settings.files import Entry
from sparkify_lake.settings.locations import as_unicode, is_remote, without_userinfo
from sparkify_lake.settings.options import BY_NAME, CREDENTIALS, OPTIONS, Call, Option, Source, suggestion


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """The value of one option and where it was set.

    Attributes:
        name: The option.
        value: Its value.
        origin: Where it was set, as `dl.cfg:3`, `--output` or `SPARKIFY_OUTPUT`.
        source: The kind of origin.
        rank: Its precedence; a lower rank wins.
        entry: The line of a file that sets it.
    """

    name: str
    value: str | int | bool
    origin: str
    source: Source
    rank: int
    entry: Entry | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """One part of the given credentials.

    Attributes:
        value: The text, masked.
        origin: Where it was set, as `dl.cfg:3`.
        place: The source in reports: `arguments`, or the name of the file.
    """

    value: Secret
    origin: str
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The settings of one call.

    Attributes:
        call: The function they are for.
        settings: The options that are set.
        credentials: The given credentials; without any, the engine searches the standard places of AWS.
        warnings: Warnings about the settings.
        executor: The executor or session, if the option `executor` is an object.
    """

    call: Call
    settings: Mapping[str, Setting]
    credentials: Mapping[str, Credential] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    executor: object = None

    def value(self, name: str) -> str | int | bool | None:
        """Returns the value of an option; None if it is not set."""
        setting = self.settings.get(name)
        return setting.value if setting else None

    def is_on(self, name: str) -> bool:
        """Returns whether a flag of the Python part is set."""
        return bool(self.value(name))

    def explicit(self, name: str) -> str | None:
        """Returns the value of an option if it is an argument of this call."""
        setting = self.settings.get(name)
        return str(setting.value) if setting and setting.source == "argument" else None

    def native_options(self) -> dict[str, object]:
        """Returns the options for the engine: those that are set and that the call accepts.

        Credentials are included only if a location is in an object store. They stay masked; the engine
        reveals them.
        """
        options: dict[str, object] = {
            name: as_unicode(name, setting.value) if isinstance(setting.value, str) else setting.value
            for name, setting in self.settings.items()
            if BY_NAME[name].native and self.call in BY_NAME[name].calls
        }
        if self.credentials and self.is_remote():
            options |= {name: credential.value for name, credential in self.credentials.items()}
            options["keys_origin"] = next(iter(self.credentials.values())).place
        return options

    def is_remote(self) -> bool:
        """Returns whether any location is in an object store."""
        return any(
            is_remote(str(setting.value))
            for name, setting in self.settings.items()
            if BY_NAME[name].kind == "location"
        )

    def with_values(self, origin: str, **values: str | bool) -> Config:
        """Returns the settings with some values replaced."""
        settings = dict(self.settings)
        for name, value in values.items():
            settings[name] = Setting(name=name, value=value, origin=origin, source="argument", rank=0)
        return replace(self, settings=settings)

    def without(self, *names: str) -> Config:
        """Returns the settings without some options."""
        kept = {name: setting for name, setting in self.settings.items() if name not in names}
        return replace(self, settings=kept)

    def without_entries(self) -> Config:
        """Returns the settings without the lines of files, which contain secrets."""
        detached = {name: replace(setting, entry=None) for name, setting in self.settings.items()}
        return replace(self, settings=detached)

    def with_origin(self, error: SparkifyLakeError) -> SparkifyLakeError:
        """Adds to an error about the value of an option where the option was set.

        The engine knows the option but not its origin. An invalid argument is a usage error. An invalid value
        in a file or in the environment is a configuration error that names the place, but not the value.
        """
        setting = self.settings.get(error.context.get("option", ""))
        if setting is None or not isinstance(error, ConfigurationError):
            return error
        is_location = BY_NAME[setting.name].kind == "location"
        context = {**error.context, "origin": setting.origin}
        hint = _with_suggestion(error.hint, BY_NAME[setting.name], setting)
        if setting.source == "argument":
            kind = ConfigurationError if is_location else UsageError
            return kind(error.message, cause=error.cause, hint=hint, context=context)
        if is_location:
            origin = f"{setting.name} is set by {setting.origin}"
            cause = f"{error.cause}; {origin}" if error.cause else origin
            return ConfigurationError(error.message, cause=cause, hint=hint, context=context)
        place = setting.origin
        if setting.entry is not None:
            section = f" in [{setting.entry.section}]" if setting.entry.section else ""
            place = f"{setting.entry.key}{section} ({setting.origin})"
        message = f"{place} has an invalid value for {setting.name}"
        return ConfigurationError(message, hint=hint, context=context)


def _with_suggestion(hint: str | None, option: Option, setting: Setting) -> str | None:
    similar = suggestion(str(setting.value), option.choices) if setting.source == "argument" else None
    return "; ".join(part for part in (hint, f"did you mean {similar}?" if similar else None) if part) or None


def describe(config: Config, defaults: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Lists all settings as (name, value, origin), with secrets masked.

    Args:
        config: The resolved settings.
        defaults: The defaults of the engine, by option name.

    Returns:
        One row for each option that can be configured, and for each credential.
    """
    rows = []
    for option in OPTIONS:
        if "file" not in option.sources:
            continue
        setting = config.settings.get(option.name)
        if setting is not None:
            value = str(setting.value).lower() if isinstance(setting.value, bool) else str(setting.value)
            rows.append((option.name, without_userinfo(value), setting.origin))
        else:
            default = default_of(option, defaults)
            rows.append((option.name, default, "default" if default else "not set"))
    for name in CREDENTIALS:
        credential = config.credentials.get(name)
        rows.append((name, MASK, credential.origin) if credential else (name, "", "not set"))
    return rows


def default_of(option: Option, defaults: Mapping[str, str]) -> str:
    """Returns the default of an option as text; flags of the Python part are false by default."""
    return defaults.get(option.name, "false" if option.kind == "flag" else "")
