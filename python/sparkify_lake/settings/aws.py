"""The settings that AWS's own tools read: environment variables and the profiles in `~/.aws`.

The engine reads them, as it also finds the credentials there. They have the lowest precedence, after
`dl.cfg`.
"""

from __future__ import annotations

from dataclasses import replace

from sparkify_lake.settings.config import Config, Setting

_RANK = 9  # after all files, which `resolve.py` counts


def with_aws_settings(config: Config) -> Config:
    """Adds the settings of AWS's tools to those of a call.

    Only a call with a location in an object store needs them. A setting that is set otherwise is kept.
    """
    if not config.is_remote():
        return config
    try:
        from sparkify_lake._native import aws_settings
    except ImportError:
        return config  # the call itself reports that the engine is missing
    profile = config.value("profile")
    found, failure = aws_settings(None if profile is None else str(profile))
    settings = dict(config.settings)
    for name, value, origin in found:
        if name not in settings:
            settings[name] = Setting(name=name, value=value, origin=origin, source="aws", rank=_RANK)
    endpoint, certificates = settings.get("endpoint_url"), settings.get("ca_file")
    if endpoint and str(endpoint.value).startswith("http:") and certificates and certificates.source == "aws":
        del settings["ca_file"]  # no connection is encrypted
    warnings = config.warnings
    if failure is not None:
        warnings += (f"the profiles in ~/.aws cannot be used: {failure}",)
    return replace(config, settings=settings, warnings=warnings)
