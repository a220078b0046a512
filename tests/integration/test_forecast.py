# SPDX-License-Identifier: Apache-2.0
"""`simulator forecast`: its contract on small made-up files, and the bars of docs/results.md on recorded ones.

The recorded files are used by a few issues of their last quarter only, so that this takes a minute or two;
tests/soak/test_forecast.py takes every day of it. docs/results.md says what was chosen after looking at it.
"""

from __future__ import annotations

import csv
import math
import random
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from harness.forecast import (
    Recorded,
    recorded_gb,
    recorded_price,
    recorded_weather,
    recorded_zone,
    simulate,
    stamp,
)
from harness.process import BUILD

SIMULATOR = BUILD / "simulator"
START = datetime(2021, 1, 1, tzinfo=UTC)


def write_history(path: Path, days: int, *, corrupt_from: int | None = None) -> None:
    """Hourly values with a day, a week and noise; from `corrupt_from` hours on something else altogether."""
    noise = random.Random(5)
    with path.open("w") as out:
        out.write("time_utc,ci\n")
        for hour in range(days * 24):
            value = 250 + 60 * math.sin(hour * math.pi / 12) - 40 * (hour // 24 % 7 > 4) + noise.gauss(0, 8)
            if corrupt_from is not None and hour >= corrupt_from:
                value = 5000 - value
            out.write(f"{stamp(START + timedelta(hours=hour))},{value:.2f}\n")


def write_wind(path: Path, days: int, *, corrupt_after: datetime | None = None) -> None:
    """Issued each midnight for two days; what was issued after `corrupt_after` is something else altogether."""
    noise = random.Random(6)
    wind = [noise.gauss(8, 3) for _ in range((days + 3) * 24)]
    with path.open("w") as out:
        out.write("issued_utc,target_utc,wind\n")
        for day in range(days):
            issued = START + timedelta(days=day)
            for hour in range(48):
                value = wind[day * 24 + hour]
                if corrupt_after is not None and issued > corrupt_after:
                    value = -1000.0
                out.write(f"{stamp(issued)},{stamp(issued + timedelta(hours=hour))},{value:.2f}\n")


def test_scores_and_rows_agree(tmp_path: Path) -> None:
    """The JSON's scores are those of the rows written, computed here; each issue has each of its targets once."""
    write_history(tmp_path / "h.csv", 100)
    issue = (START + timedelta(days=88), START + timedelta(days=97), "24h")
    report = simulate(tmp_path / "h.csv", "ci", issue, horizon=60, out=tmp_path / "f.csv")
    with (tmp_path / "h.csv").open() as file:
        actual = {row["time_utc"]: float(row["ci"]) for row in csv.DictReader(file)}
    errors: dict[int, list[tuple[float, float, float, float]]] = {}
    seen = set()
    with (tmp_path / "f.csv").open() as file:
        for row in csv.DictReader(file):
            issued, target = (datetime.fromisoformat(row[k]) for k in ("issued_utc", "target_utc"))
            assert (issued, target) not in seen
            seen.add((issued, target))
            p10, p50, p90 = (float(row[p]) for p in ("p10", "p50", "p90"))
            assert p10 <= p50 <= p90
            if (y := actual.get(stamp(target))) is not None:
                errors.setdefault((target - issued).days, []).append((y, p10, p50, p90))
    assert len(seen) == 10 * 60 and report["issues"] == 10 and report["exog"] == "none"
    for day in report["days"]:
        rows = errors[day["day"] - 1]
        n = len(rows)
        pinball = sum(
            max(q * (y - f), (q - 1) * (y - f)) / 3 for y, *fs in rows for q, f in zip((0.1, 0.5, 0.9), fs, strict=True)
        )
        assert day["n"] == n
        assert day["mae"] == pytest.approx(sum(abs(y - m) for y, _, m, _ in rows) / n, abs=0.01)
        assert day["rmse"] == pytest.approx(math.sqrt(sum((y - m) ** 2 for y, _, m, _ in rows) / n), abs=0.01)
        assert day["mape"] == pytest.approx(100 * sum(abs((y - m) / y) for y, _, m, _ in rows) / n, abs=0.01)
        assert day["coverage"] == pytest.approx(100 * sum(a <= y <= b for y, a, _, b in rows) / n, abs=1)
        assert day["pinball"] == pytest.approx(pinball / n, abs=0.01)
        assert day["mae"] < day["previous_day"]["mae"]


def test_the_future_is_not_read(tmp_path: Path) -> None:
    """With all values from the issue on, and all later vintages, replaced, not a byte of the forecast changes."""
    write_history(tmp_path / "h.csv", 100)
    write_history(tmp_path / "corrupt.csv", 100, corrupt_from=90 * 24)
    issue = START + timedelta(days=90)
    write_wind(tmp_path / "x.csv", 99)
    write_wind(tmp_path / "corrupt_x.csv", 99, corrupt_after=issue)
    outputs = []
    for history, exog in (("h.csv", "x.csv"), ("corrupt.csv", "corrupt_x.csv")):
        report = simulate(
            tmp_path / history, "ci", (issue, issue, "24h"), horizon=96, exog=tmp_path / exog, out=tmp_path / "f.csv"
        )
        assert report["exog"] == "issued"
        outputs.append((tmp_path / "f.csv").read_bytes())
    assert outputs[0] == outputs[1]


def test_perfect_foresight_is_labelled(tmp_path: Path) -> None:
    write_history(tmp_path / "h.csv", 80)
    (tmp_path / "x.csv").write_text(
        "time_utc,t\n" + "".join(f"{stamp(START + timedelta(hours=h))},{h % 7}\n" for h in range(80 * 24))
    )
    issue = START + timedelta(days=75)
    report = simulate(tmp_path / "h.csv", "ci", (issue, issue, "24h"), horizon=24, exog=tmp_path / "x.csv")
    assert report["exog"] == "perfect foresight"


@pytest.mark.parametrize(
    ("rows", "arguments", "says"),
    [
        ("2021-01-01T00:00Z,1\n2021-01-01T01:00Z,nan\n", {}, "h.csv:3: column 'ci'"),
        ("2021-01-01T00:00Z,1\n2021-01-01T01:00Z,1\n2021-01-01T01:00Z,1\n", {}, "h.csv:4: column 'time_utc'"),
        ("2021-01-01T00:00Z,1\n2021-01-01T01:00Z,1,\n", {}, "h.csv:3: 3 fields"),
        ("2021-01-01T00:00Z,1\n2021-01-01T01:00Z," + "1" * 70000 + "\n", {}, "h.csv:3: line is longer"),
        (None, {"--column": "x"}, "h.csv:1: no column 'x'"),
        (None, {"--issue": "2021-01-02T00:00Z,24h"}, "--issue must be FROM,TO,STEP"),
        (None, {"--issue": "2021-01-02T00:00Z,2021-01-01T12:00Z,24h"}, "TO must not be before FROM"),
        (None, {"--issue": "2021-01-02T00:30Z,2021-01-03T00:30Z,24h"}, "whole number of 3600 s"),
        (None, {"--issue": "2021-01-02T00:00Z,2021-01-03T00:00Z,90m"}, "multiple of the history's step"),
        (None, {"--issue": "2020-01-02T00:00Z,2021-01-03T00:00Z,24h"}, "must be after the history's first row"),
        (None, {"--issue": "2021-01-02T00:00Z,2026-01-03T00:00Z,24h"}, "days after the history's end"),
        (None, {"--horizon": "0"}, "horizon"),
        (None, {"--history": "none.csv"}, "none.csv"),
        (None, {"--out": "/nonexistent/f.csv"}, "/nonexistent/f.csv"),
    ],
)  # fmt: skip
def test_bad_input_is_refused(tmp_path: Path, rows: str | None, arguments: dict[str, str], says: str) -> None:
    """Exit status 2 (1 where a file cannot be written), one line that names the place, nothing written."""
    write_history(tmp_path / "h.csv", 5)
    if rows is not None:
        (tmp_path / "h.csv").write_text("time_utc,ci\n" + rows)
    given = {
        "--history": "h.csv",
        "--column": "ci",
        "--issue": "2021-01-03T00:00Z,2021-01-04T00:00Z,24h",
        "--horizon": "24",
        "--out": "f.csv",
    } | arguments
    command = [str(SIMULATOR), "forecast", *(word for pair in given.items() for word in pair), "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == (1 if "--out" in arguments else 2), done.stderr
    assert says in done.stderr and done.stdout == ""
    assert sorted(p.name for p in tmp_path.iterdir()) == ["h.csv"]


def test_killed_leaves_no_half_file(tmp_path: Path) -> None:
    write_history(tmp_path / "h.csv", 200)
    command = [str(SIMULATOR), "forecast", "--history", "h.csv", "--column", "ci", "--horizon", "96", "--out", "f.csv",
               "--issue", "2021-03-01T00:00Z,2021-07-15T00:00Z,1h"]  # fmt: skip
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        process.kill()
    assert not (tmp_path / "f.csv").exists()


def check_against_naive(report: dict[str, Any]) -> None:
    for day in report["days"]:
        assert day["mae"] < day["previous_day"]["mae"], day
        assert day["pinball"] < day["previous_day"]["pinball"], day


@pytest.mark.parametrize("zone", ["DE", "ES", "NL"])
def test_recorded_carbon(shared: Path, tmp_path: Path, zone: str) -> None:
    """Every ninth day of the last quarter: better than the previous day on each day of lead, and about as good as the
    published foundation model or better (few issues: within a tenth for each day, a twentieth over all four)."""
    recorded: Recorded = recorded_zone(shared, tmp_path, zone)
    report = simulate(recorded.history, "ci", recorded.last_quarter("216h"), horizon=96)
    check_against_naive(report)
    published = recorded.published_mae(recorded.last_quarter("216h"))
    ours = [day["mae"] for day in report["days"]]
    assert all(a < 1.1 * b for a, b in zip(ours, published, strict=True)), (ours, published)
    assert sum(ours) < 1.05 * sum(published), (ours, published)


@pytest.mark.parametrize("zone", ["DE", "NL"])
def test_recorded_weather_helps(shared: Path, tmp_path: Path, zone: str) -> None:
    """Forecast weather, though its issue times are not known: a third less on days 2 and 3."""
    recorded = recorded_weather(shared, tmp_path, zone)
    issues = recorded.last_quarter("312h")
    without = simulate(recorded.history, "ci", issues, horizon=72)
    report = simulate(recorded.history, "ci", issues, horizon=72, exog=recorded.exog)
    assert report["exog"] == "perfect foresight"
    check_against_naive(report)
    ours, plain = ([day["mae"] for day in r["days"]] for r in (report, without))
    assert sum(ours) < 0.85 * sum(plain), (ours, plain)


def test_recorded_day_ahead_forecasts_help(shared: Path, tmp_path: Path) -> None:
    """GB, autumn of 2021: demand, wind and sun forecast at nine in the morning before."""
    recorded = recorded_gb(shared, tmp_path)
    issues = (datetime(2021, 10, 3, tzinfo=UTC), datetime(2021, 12, 29, tzinfo=UTC), "168h")
    without = simulate(recorded.history, "ci", issues, horizon=24)["days"][0]
    report = simulate(recorded.history, "ci", issues, horizon=24, exog=recorded.exog)
    assert report["exog"] == "issued"
    day = report["days"][0]
    assert without["mae"] < day["previous_day"]["mae"]
    assert day["mae"] < 0.8 * without["mae"]


def test_recorded_price(shared: Path, tmp_path: Path) -> None:
    """FR day-ahead prices from prices alone, every third day: a good part under the previous week."""
    recorded = recorded_price(shared, tmp_path, "FR")
    day = simulate(recorded.history, "price", recorded.last_quarter("72h"), horizon=24)["days"][0]
    assert day["mae"] < 0.75 * day["previous_week"]["mae"]
    assert day["mae"] < 0.9 * day["previous_day"]["mae"]
