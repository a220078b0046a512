# SPDX-License-Identifier: Apache-2.0
"""The forecaster by full rolling origin: every day of the last quarter of each recorded file. Prints the rows of
docs/results.md. Run by `make soak`, never by CI.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from harness.forecast import recorded_gb, recorded_price, recorded_weather, recorded_zone, simulate

pytestmark = pytest.mark.timeout(3600)


def show(name: str, report: dict[str, Any], published: list[float] | None = None) -> None:
    for i, day in enumerate(report["days"]):
        print(f"{name} day {day['day']} issues={report['issues']} mae={day['mae']:.2f} mape={day['mape']:.2f} "
              f"previous_day={day['previous_day']['mae']:.2f} previous_week={day['previous_week']['mae']:.2f} "
              f"coverage={day['coverage']:.1f}" + (f" published={published[i]:.2f}" if published else ""))  # fmt: skip


def check(report: dict[str, Any], low: float = 70, high: float = 90) -> None:
    """Better than the previous day, and a coverage near 80 %."""
    for day in report["days"]:
        assert day["mae"] < day["previous_day"]["mae"]
        assert low <= day["coverage"] <= high, day


@pytest.mark.parametrize("zone", ["DE", "ES", "NL"])
def test_carbon(shared: Path, tmp_path: Path, zone: str) -> None:
    """The published foundation model: below over all four days, and at most 2 % above on any."""
    recorded = recorded_zone(shared, tmp_path, zone)
    issues = recorded.last_quarter("24h")
    report = simulate(recorded.history, "ci", issues, horizon=96)
    published = recorded.published_mae(issues)
    show(f"carbonx {zone}", report, published)
    check(report)
    ours = [day["mae"] for day in report["days"]]
    assert sum(ours) < sum(published)
    assert all(a < 1.02 * b for a, b in zip(ours, published, strict=True))


@pytest.mark.parametrize("zone", ["DE", "NL"])
def test_weather(shared: Path, tmp_path: Path, zone: str) -> None:
    recorded = recorded_weather(shared, tmp_path, zone)
    issues = recorded.last_quarter("24h")
    without = simulate(recorded.history, "ci", issues, horizon=96)
    report = simulate(recorded.history, "ci", issues, horizon=96, exog=recorded.exog)
    show(f"ensembleci {zone}", without)
    show(f"ensembleci {zone} with weather", report)
    check(report, high=95)
    assert all(a["mae"] < b["mae"] for a, b in zip(report["days"], without["days"], strict=True))


def test_gb(shared: Path, tmp_path: Path) -> None:
    recorded = recorded_gb(shared, tmp_path)
    issues = (datetime(2021, 10, 1, tzinfo=UTC), datetime(2021, 12, 28, tzinfo=UTC), "24h")
    without = simulate(recorded.history, "ci", issues, horizon=96)
    report = simulate(recorded.history, "ci", issues, horizon=96, exog=recorded.exog)
    show("GB", without)
    show("GB with day-ahead demand, wind, solar", report)
    check(report)
    assert report["days"][0]["mae"] < 0.8 * without["days"][0]["mae"]


def test_gb_year(shared: Path, tmp_path: Path) -> None:
    recorded = recorded_gb(shared, tmp_path)
    issues = (datetime(2021, 1, 1, tzinfo=UTC), datetime(2021, 12, 28, tzinfo=UTC), "24h")
    report = simulate(recorded.history, "ci", issues, horizon=96)
    show("GB 2021", report)
    check(report)


def test_price(shared: Path, tmp_path: Path) -> None:
    """A third under the previous week."""
    recorded = recorded_price(shared, tmp_path, "FR")
    report = simulate(recorded.history, "price", recorded.last_quarter("24h"), horizon=24)
    show("EPF FR", report)
    check(report)
    assert report["days"][0]["mae"] < 2 / 3 * report["days"][0]["previous_week"]["mae"]
