"""Configuration files: writing them, reading them, and the values that were read."""

from __future__ import annotations

from pathlib import Path

from sparkify_lake.settings.config import Config
from sparkify_lake.settings.resolve import resolve


def write_config(text: str | bytes, name: str = "dl.cfg", mode: int = 0o600) -> Path:
    path = Path(name)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return path


def read_config(call: str = "run", /, **arguments: object) -> Config:
    return resolve(call, arguments)  # type: ignore[arg-type]


def values_of(config: Config) -> dict[str, str]:
    """The values of a configuration, with credentials in plain text."""
    found = {name: one.value.reveal() for name, one in config.credentials.items()}
    return found | {name: str(setting.value) for name, setting in config.settings.items()}
