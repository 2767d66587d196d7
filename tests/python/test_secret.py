"""Secrets: a type that does not show them, and a search for one in everything that people see."""

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
from collections.abc import Iterator

import pytest

from config_files import read, write
from sparkify_lake import cli, job
from sparkify_lake.errors import ConfigurationError, SparkifyLakeError
from sparkify_lake.secret import Secret

pytestmark = pytest.mark.usefixtures("clean")


def test_secret() -> None:
    secret = Secret("hunter2")
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret:>9}",
        f"{secret!r}",
        repr([secret]),
        "%s" % secret,  # noqa: UP031  # one more way to show it
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
    """Everything that anybody logs, at any level."""
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
    "[AWS]\nKEY=AKIAX\nSECRET={}\nAWS_SECRET_ACCESS_KEY={}2\n",
    "[AWS]\nSECRET=x\n{}\n{}\n",
    "[AWS]\nSECRET=x\n{}={}\n",
    "[AWS]\nSECRET={}\nTOKEN={} # mine\n",
    "\xff{}{}",
]


@pytest.mark.parametrize("failure", [None, ConfigurationError, KeyError])
@pytest.mark.parametrize("template", CANARY_FILES)
def test_no_secret_is_ever_seen(
    template: str,
    failure: type[Exception] | None,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    logged: io.StringIO,
) -> None:
    canary = "wJalrXUtnFEMI" + secrets.token_hex(12)
    write(template.format(canary, canary).encode("latin-1"), mode=0o644)
    handed_over: list[object] = []

    def run(options: dict[str, object], on_tick: object) -> dict[str, object]:
        handed_over.append(options)
        if failure is not None:
            raise failure("refused")
        raise SparkifyLakeError("enough")

    engine = types.SimpleNamespace(run=run, defaults=dict, build_info=dict)
    monkeypatch.setattr(job, "_native", lambda: engine)
    seen = []
    for words in (["--verbose"], ["config"], ["config", "--json"], ["--json"], ["--dry-run"]):
        cli.main(words)
    try:
        job.run(sample=None)
    except Exception as error:
        assert error.__traceback__ is not None
        inner = error.__traceback__.tb_next  # this very frame knows the secret
        trace = traceback.TracebackException(type(error), error, inner, capture_locals=True)
        seen += [repr(error), str(error), "".join(trace.format())]
        seen += [repr(vars(error)), repr(error.__context__), repr(error.__cause__)]
        if isinstance(error, SparkifyLakeError):
            seen.append(repr(pickle.dumps(error)))
    try:
        config = read()
    except SparkifyLakeError:
        pass
    else:
        seen += [repr(config.credentials), str(config.credentials), repr(config.warnings)]
        with pytest.raises(TypeError):
            pickle.dumps(config)
    captured = capfd.readouterr()
    seen += [captured.out, captured.err, logged.getvalue(), repr(os.environ), repr(handed_over)]
    assert captured.err and len(seen) > 9, "something was said"
    assert [text for text in seen if canary[:16] in text] == []
