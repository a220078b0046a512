# SPDX-License-Identifier: Apache-2.0
"""Recorded series as the files that `simulator forecast` reads, and what was published about them."""

from __future__ import annotations

import csv
import json
import lzma
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from harness.process import BUILD

Issues = tuple[datetime, datetime, str]


def stamp(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%MZ")


def simulate(history: Path, column: str, issues: Issues, *, horizon: int, exog: Path | None = None,
             out: Path | None = None) -> dict[str, Any]:  # fmt: skip
    """Run the command and return its JSON."""
    first, last, step = issues
    command = [str(BUILD / "simulator"), "forecast", "--history", str(history), "--column", column, "--horizon",
               str(horizon), "--issue", f"{stamp(first)},{stamp(last)},{step}", "--json"]  # fmt: skip
    command += ["--exog", str(exog)] if exog else []
    command += ["--out", str(out)] if out else []
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def read(path: Path) -> Iterator[dict[str, str]]:
    with lzma.open(path, "rt", newline="") as file:
        yield from csv.DictReader(file)


def write(path: Path, header: str, rows: list[tuple[str, ...]]) -> Path:
    path.write_text(header + "\n" + "".join(",".join(row) + "\n" for row in rows))
    return path


@dataclass
class Recorded:
    """A history file, its values, and the forecasts published for it (issue time -> hourly values)."""

    history: Path
    values: dict[datetime, float]
    published: dict[datetime, list[float]]
    exog: Path | None = None

    def last_quarter(self, step: str, lead: timedelta = timedelta(days=4)) -> Issues:
        """Issues at midnight in the last quarter of the file, all of whose targets are in it."""
        first, last = min(self.values), max(self.values) + timedelta(hours=1)
        begin = (last - (last - first) / 4).replace(hour=0, minute=0) + timedelta(days=1)
        return begin, (last - lead).replace(hour=0, minute=0), step

    def published_mae(self, issues: Issues) -> list[float]:
        """Mean absolute error of the published forecasts by day of lead, at the same issues."""
        issue, last, step = issues
        errors: list[list[float]] = [[], [], [], []]
        while issue <= last:
            for hour, forecast in enumerate(self.published[issue]):
                errors[hour // 24].append(abs(forecast - self.values[issue + timedelta(hours=hour)]))
            issue += timedelta(hours=int(step.removesuffix("h")))
        return [sum(day) / len(day) for day in errors]


def of(history: Path, rows: list[tuple[str, ...]], exog: Path | None = None) -> Recorded:
    values = {datetime.fromisoformat(time): float(value) for time, value, *_ in rows if value}
    return Recorded(history, values, {}, exog)


def recorded_zone(shared: Path, directory: Path, zone: str) -> Recorded:
    """Direct carbon of carbonx, and the foundation model's forecasts."""
    folder = shared / "data" / "carbonx"
    rows = [
        (r["time_utc"], r["ci_direct_g_per_kwh"]) for r in read(next(folder.glob(f"actual_{zone}_*.csv.xz")))
    ]
    recorded = of(write(directory / f"{zone}.csv", "time_utc,ci", rows), rows)
    for row in read(next(folder.glob(f"sundial96_{zone}_*.csv.xz"))):
        issue = datetime.fromisoformat(row["issue_time_utc"])
        recorded.published[issue] = [float(row[f"h{hour:02d}"]) for hour in range(96)]
    return recorded


def recorded_weather(shared: Path, directory: Path, zone: str) -> Recorded:
    """Direct carbon of ensembleci, and forecast weather whose issue times are not known."""
    folder = shared / "data" / "ensembleci"
    carbon = {r["UTC time"][:19].replace(" ", "T") + "Z": r["carbon_intensity"]
              for r in read(next(folder.glob(f"{zone}_direct_emissions*")))}  # fmt: skip
    weather: dict[str, tuple[str, ...]] = {}
    for time, *values in (tuple(r.values()) for r in read(next(folder.glob(f"{zone}_weather_forecast*")))):
        try:
            at = datetime.strptime(time, "%Y-%m-%d %H:%M")
        except ValueError:
            at = datetime.fromisoformat(time)
        weather[stamp(at)] = tuple(values[:5])
    rows = sorted(carbon.items())
    exog = write(directory / f"{zone}_weather.csv", "time_utc,wind,temperature,dew_point,radiation,rain",
                 [(time, *values) for time, values in sorted(weather.items())])  # fmt: skip
    return of(write(directory / f"{zone}.csv", "time_utc,ci", rows), rows, exog)


def recorded_price(shared: Path, directory: Path, market: str) -> Recorded:
    """Day-ahead prices of the EPF toolbox; the published models' columns are left out."""
    path = next((shared / "data" / "epftoolbox").glob(f"Forecasts_{market}_*.csv.xz"))
    rows = [(next(iter(r.values())).replace(" ", "T") + "Z", r["Real price"]) for r in read(path)]
    return of(write(directory / f"{market}.csv", "time_utc,price", rows), rows)


def recorded_gb(shared: Path, directory: Path) -> Recorded:
    """GB carbon, hourly, and NESO's day-ahead forecasts of demand, wind and sun, issued the morning before."""
    rows = [
        (r["time_utc"], r["ci_g_per_kwh"])
        for r in read(next((shared / "data" / "gb-carbon").glob("gb_national_hourly_*.csv.xz")))
    ]
    london, forecasts = ZoneInfo("Europe/London"), {}
    for r in read(next((shared / "data" / "gb-market").glob("neso_day_ahead_forecasts_*.csv.xz"))):
        periods = {"ISSUE_DATE": int(r["ISSUE_PERIOD"] or 18), "TARGET_DATE": int(r["TARGET_PERIOD"]) - 1}
        issued, target = (
            datetime.fromisoformat(r[day][:10]).replace(tzinfo=london).astimezone(UTC) + timedelta(minutes=30 * n)
            for day, n in periods.items()
        )
        forecasts[stamp(issued), stamp(target)] = (
            r["DEMAND_FORECAST"], r["WIND_FORECAST"], r["EMBEDDED_WIND_FORECAST"], r["EMBEDDED_SOLAR_FORECAST"],
        )  # fmt: skip
    exog = write(directory / "GB_day_ahead.csv", "issued_utc,target_utc,demand,wind,embedded_wind,solar",
                 [(*times, *values) for times, values in sorted(forecasts.items())])  # fmt: skip
    return of(write(directory / "GB.csv", "time_utc,ci", rows), rows, exog)
