"""Configuration files for tests: written, read, and what they said."""

from __future__ import annotations

from pathlib import Path

from sparkify_lake.settings.resolve import Config, resolve


def write(text: str | bytes, name: str = "dl.cfg", mode: int = 0o600) -> Path:
    path = Path(name)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return path


def read(call: str = "run", /, **arguments: object) -> Config:
    return resolve(call, arguments)  # type: ignore[arg-type]


def said(config: Config) -> dict[str, str]:
    """What dl.cfg said: credentials and locations, revealed."""
    found = {name: one.value.reveal() for name, one in config.credentials.items()}
    return found | {name: str(setting.value) for name, setting in config.settings.items()}
