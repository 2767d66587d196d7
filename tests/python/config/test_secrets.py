"""Secrets: the type that hides them, and a search for a secret in all visible output."""

from __future__ import annotations

import copy
import io
import json
import logging
import os
import pickle
import secrets
import traceback
import types
from collections.abc import Callable, Iterator
from functools import partial

import pytest

import sparkify_lake
from sparkify_lake import cli, etl, jobs
from sparkify_lake.errors import ConfigurationError, SparkifyLakeError
from sparkify_lake.secret import Secret
from support.config_files import read_config, write_config

pytestmark = pytest.mark.usefixtures("isolated")


def test_secret_is_not_shown_and_not_serialized() -> None:
    secret = Secret("hunter2")
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret:>9}",
        f"{secret!r}",
        repr([secret]),
        "%s" % secret,  # noqa: UP031  # one more way to format it
    ]
    assert not any("hunter2" in text for text in shown)
    assert shown[3] == "      ***"
    assert secret == Secret("hunter2") != Secret("hunter3")
    assert secret != "hunter2"
    assert secret.reveal() == "hunter2"
    assert secret and not Secret("")
    assert copy.deepcopy([secret])[0] is secret
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError):
            pickle.dumps(secret, protocol)
    with pytest.raises(TypeError):
        json.dumps(secret)
    with pytest.raises(TypeError):
        hash(secret)


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """Everything that is logged, at any level."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    root.addHandler(handler)
    level = root.level
    root.setLevel(logging.DEBUG)
    yield stream
    root.setLevel(level)
    root.removeHandler(handler)


CANARY_FILES = [
    "[AWS]\nKEY={}\nSECRET='{}'\nOUTPUT_DATA=o\nINPUT_DATA=i\n",
    # With S3 locations, the engine gets the credentials.
    "[AWS]\nKEY={}\nSECRET={}\nOUTPUT_DATA=s3a://b/o\nINPUT_DATA=s3a://b/i\n",
    "[AWS]\nKEY=AKIAX\nSECRET={}\nAWS_SECRET_ACCESS_KEY={}2\n",
    "[AWS]\nSECRET=x\n{}\n{}\n",
    "[AWS]\nSECRET=x\n{}={}\n",
    "[AWS]\nSECRET={}\nTOKEN={} # mine\n",
    "\xff{}{}",
]


@pytest.mark.parametrize("failure", [None, ConfigurationError, KeyError])
@pytest.mark.parametrize("template", CANARY_FILES)
def test_no_secret_of_a_file_is_shown(
    template: str,
    failure: type[Exception] | None,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    logged: io.StringIO,
) -> None:
    canary = "wJalrXUtnFEMI" + secrets.token_hex(12)
    write_config(template.format(canary, canary).encode("latin-1"), mode=0o644)
    native_arguments: list[object] = []

    def run(options: dict[str, object], on_tick: object, binding: object) -> dict[str, object]:
        native_arguments.append(options)
        if failure is not None:
            raise failure("refused")
        raise SparkifyLakeError("enough")

    engine = types.SimpleNamespace(run=run, defaults=dict, build_info=dict)
    monkeypatch.setattr("sparkify_lake._engine.native", lambda: engine)
    seen = []
    for words in (["--verbose"], ["config"], ["config", "--json"], ["--json"], ["--dry-run"]):
        cli.main(words)
    try:
        jobs.run(sample=None)
    except Exception as error:
        assert error.__traceback__ is not None
        inner = error.__traceback__.tb_next  # the frame of this test holds the secret
        trace = traceback.TracebackException(type(error), error, inner, capture_locals=True)
        seen += [repr(error), str(error), "".join(trace.format())]
        seen += [repr(vars(error)), repr(error.__context__), repr(error.__cause__)]
        if isinstance(error, SparkifyLakeError):
            seen.append(repr(pickle.dumps(error)))
    try:
        config = read_config()
    except SparkifyLakeError:
        pass
    else:
        seen += [repr(config.credentials), str(config.credentials), repr(config.warnings)]
        with pytest.raises(TypeError):
            pickle.dumps(config)
    captured = capfd.readouterr()
    seen += [captured.out, captured.err, logged.getvalue(), repr(os.environ), repr(native_arguments)]
    assert captured.err and len(seen) > 9, "there was output to search"
    assert [text for text in seen if canary[:16] in text] == []


CALLS: dict[str, Callable[..., object]] = {
    "run": sparkify_lake.run,
    "plan": sparkify_lake.plan,
    "build": sparkify_lake.build,
    "open_lake": sparkify_lake.open_lake,
    "doctor": sparkify_lake.doctor,
    "check": sparkify_lake.check,
    "recover": sparkify_lake.recover,
    "etl.main": etl.main,
    "etl.process_song_data": partial(etl.process_song_data, None),
    "etl.process_log_data": partial(etl.process_log_data, None),
}


@pytest.mark.parametrize("mistake", [{}, {"region": " "}, {"color": "red"}, {"session_token": ""}])
@pytest.mark.parametrize("call", CALLS)
def test_no_secret_of_an_argument_is_shown(
    call: str,
    mistake: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    logged: io.StringIO,
) -> None:
    canary = "wJalrXUtnFEMI" + secrets.token_hex(12)
    native_arguments: list[object] = []

    def fail(*arguments: object) -> None:
        native_arguments.extend(arguments)
        raise ConfigurationError("refused")

    names = ("run", "plan", "build", "lake_layout", "look", "doctor", "check", "recover")
    monkeypatch.setattr(
        "sparkify_lake._engine.native", lambda: types.SimpleNamespace(**dict.fromkeys(names, fail))
    )
    keys = {"access_key_id": canary, "secret_access_key": canary} | mistake
    places = ["s3://b/i", "s3://b/o"] if call.startswith(("run", "plan", "etl")) else ["s3://b/x"]
    with pytest.raises(SparkifyLakeError) as caught:
        CALLS[call](*places, **keys)
    error = caught.value
    # From the first frame of the package on: the frame above it is the caller's and holds the secret.
    assert error.__traceback__ is not None
    trace = traceback.TracebackException(type(error), error, error.__traceback__.tb_next, capture_locals=True)
    text = "".join(trace.format())
    assert text.count("sparkify_lake") > 2, "the traceback has frames of the package"
    assert mistake or ("refused" in text and native_arguments), "the engine was called"
    captured = capfd.readouterr()
    seen = [
        text,
        repr(pickle.dumps(error)),
        captured.out,
        captured.err,
        logged.getvalue(),
        repr(native_arguments),
    ]
    assert [one for one in seen if canary[:16] in one] == []
