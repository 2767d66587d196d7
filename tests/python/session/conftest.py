"""Fixtures: the hand-made data, and the session in the place of pyspark."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from session.handmade import write_handmade
from sparkify_lake import session
from sparkify_lake.etl import create_spark_session


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, isolated_module: Path, run: Callable[..., Any]) -> Path:
    """The hand-made data set, with a lake made of it next to it."""
    place = tmp_path_factory.mktemp("handmade")
    folder = write_handmade(place / "data")
    run(folder, place / "lake", ts_window="2018-01-01..2019-01-01")
    return folder


@pytest.fixture
def without_spark() -> Iterator[Any]:
    """The session, as `SparkSession.builder.getOrCreate()` returns it."""
    if importlib.util.find_spec("pysail") is None:
        pytest.fail("Sail is missing: it is one of the extras that the tests need")
    session.activate()
    try:
        yield create_spark_session().session
    finally:
        session.deactivate()
