"""An empty time window is refused; the hint explains Airflow's empty data intervals."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest

import sparkify_lake
from sparkify_lake.errors import ConfigurationError, UsageError

pytestmark = pytest.mark.usefixtures("isolated_module")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source") / "in"
    sparkify_lake.sample(folder, songs=5, events=50, days=2, quiet=True)
    return folder


@pytest.mark.parametrize("window", ["2018-11-01..2018-11-01", ("2018-11-01", "2018-11-01 ")])
@pytest.mark.parametrize("call", ["run", "plan"])
def test_an_empty_window_is_refused(
    source: Path, tmp_path: Path, window: str | tuple[str, str], call: str
) -> None:
    with pytest.raises(UsageError) as caught:
        getattr(sparkify_lake, call)(source, tmp_path / "lake", ts_window=window)
    assert caught.value.message == "the time range ts_window is empty: it starts and ends at 2018-11-01"
    assert "the next day" in str(caught.value.hint)
    assert not (tmp_path / "lake").exists()


def test_the_hint_for_an_empty_window_in_airflow(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "airflow.models", types.ModuleType("models"))
    (tmp_path / "lake.cfg").write_text("[LAKE]\nTS_WINDOW = 2018-11-01..2018-11-01\n")
    with pytest.raises(ConfigurationError) as caught:
        sparkify_lake.run(source, tmp_path / "lake", config=tmp_path)
    assert "lake.cfg:2" in caught.value.message
    assert "CronDataIntervalTimetable" in str(caught.value.hint)
