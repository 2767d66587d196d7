"""Fixtures: the hand-made data, and this session in the place of pyspark."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from session.handmade import write_handmade
from sparkify_lake import session


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, isolated_module: Path, run: Callable[..., Any]) -> Path:
    """The hand-made data set; a lake made of it is in the folder above."""
    place = tmp_path_factory.mktemp("handmade")
    folder = write_handmade(place / "data")
    run(folder, place / "lake", ts_window="2018-01-01..2019-01-01")
    return folder


@pytest.fixture
def no_pyspark() -> Iterator[None]:
    """No pyspark is imported; what earlier tests imported is put back afterwards."""

    def taken() -> dict[str, Any]:
        names = [name for name in sys.modules if name.partition(".")[0] == "pyspark"]
        return {name: sys.modules.pop(name) for name in names}

    real = taken()
    yield
    taken()
    sys.modules.update(real)


@pytest.fixture
def without_spark(no_pyspark: None) -> Iterator[Any]:
    """The session in the place of pyspark."""
    if importlib.util.find_spec("sqlframe") is None:
        pytest.fail("SQLFrame is missing: it is one of the extras that the tests need")
    session.activate()
    try:
        yield session.SparklessSession()
    finally:
        session.SparklessSession().stop()
        session.deactivate()
