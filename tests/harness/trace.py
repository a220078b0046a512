# SPDX-License-Identifier: Apache-2.0
"""Recorded traces and signals as the files that `simulator plan` reads."""

from __future__ import annotations

import csv
import json
import lzma
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from harness.process import BUILD

SIMULATOR = BUILD / "simulator"
Value = float | str | None


def stamp(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def plan(signals: Path, jobs: Path, policy: str, *options: str, out: Path | None = None) -> dict[str, Any]:
    """Run the command and return its JSON."""
    command = [str(SIMULATOR), "plan", "--signals", str(signals), "--jobs", str(jobs), "--policy", policy, "--json"]
    command += [*options, *(["--out", str(out)] if out else [])]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def rows(path: Path) -> Iterator[dict[str, str]]:
    """Of a CSV, packed or not."""
    with (lzma.open(path, "rt", newline="") if path.suffix == ".xz" else path.open(newline="")) as file:
        yield from csv.DictReader(file)


def write_signals(path: Path, start: datetime, step: timedelta, zones: dict[str, Sequence[Value]],
                  prices: dict[str, Sequence[Value]] | None = None) -> Path:  # fmt: skip
    with path.open("w") as out:
        out.write("time_utc,zone,carbon_g_per_kwh,price_per_mwh\n")
        for zone, values in zones.items():
            for i, value in enumerate(values):
                price = prices[zone][i] if prices else None
                cells = ["" if v is None else v if isinstance(v, str) else repr(v) for v in (value, price)]
                out.write(f"{stamp(start + i * step)},{zone},{cells[0]},{cells[1]}\n")
    return path


def write_jobs(path: Path, jobs: Iterable[dict[str, Any]]) -> Path:
    """Times as datetimes; the columns are those of the first job."""
    with path.open("w", newline="") as out:
        writer = None
        for job in jobs:
            row = {k: stamp(v) if isinstance(v, datetime) else v for k, v in job.items()}
            if writer is None:
                writer = csv.DictWriter(out, row)
                writer.writeheader()
            writer.writerow(row)
    return path


def recorded_year(shared: Path, directory: Path) -> tuple[Path, datetime, list[float]]:
    """GB half-hours of 2020 (Let's Wait Awhile), from New Year on."""
    begin = datetime(2020, 1, 1, tzinfo=UTC)
    values = []
    for row in rows(shared / "data" / "lets-wait-awhile" / "gb_ci.csv.xz"):
        time = datetime.fromisoformat(row["Time"]).replace(tzinfo=UTC)
        if time >= begin and time.minute % 30 == 0 and time.second == 0:
            assert time == begin + len(values) * timedelta(minutes=30)
            values.append(float(row["Carbon Intensity"]))
    return write_signals(directory / "gb.csv", begin, timedelta(minutes=30), {"GB": values}), begin, values


def recorded_week(shared: Path, directory: Path) -> tuple[Path, Path]:
    """A week of jobs on South Australia's carbon (GAIA)."""
    folder = shared / "data" / "gaia"
    values = [float(r["carbon_intensity_g_per_kwh"]) for r in rows(folder / "AU-SA_2022_h7000_720h.csv")]
    begin = datetime(2022, 10, 19, 16, tzinfo=UTC)
    signals = write_signals(directory / "au.csv", begin, timedelta(hours=1), {"AU-SA": values})
    jobs = write_jobs(
        directory / "pai.csv",
        (
            {"id": f"j{i}", "arrival_utc": begin + timedelta(seconds=float(r["arrival_time"])),
             "duration_s": r["length"], "power_w": 1000 * int(r["cpus"])}
            for i, r in enumerate(rows(folder / "pai_1k.csv"))
        ),
    )  # fmt: skip
    return signals, jobs


Vectors = dict[int, tuple[float, float, float]]


def recorded_vectors(
    shared: Path, directory: Path, zone: str
) -> tuple[Path, Iterator[tuple[tuple[int, int], Path, Vectors]]]:
    """Hours of 2022, and for each length and slack a job for each start hour with its three published sums."""
    folder, begin, hour = shared / "data" / "decarbonization-potential", datetime(2022, 1, 1, tzinfo=UTC), timedelta(hours=1)
    values = [float(r[zone]) for r in rows(next(folder.glob("ci_2022_hourly_*")))]
    signals = write_signals(directory / "year.csv", begin, hour, {zone: values})
    expected: dict[tuple[int, int], Vectors] = {}
    for r in rows(folder / "vectors" / f"{zone}.csv.xz"):
        sums = (float(r["run_now"]), float(r["best_noninterrupt"]), float(r["best_interrupt"]))
        expected.setdefault((int(r["job_h"]), int(r["slack_h"])), {})[int(r["start_hour"])] = sums

    def cases() -> Iterator[tuple[tuple[int, int], Path, Vectors]]:
        for (length, slack), vectors in expected.items():
            end = begin + len(values) * hour
            jobs = write_jobs(
                directory / "starts.csv",
                ({"id": start, "arrival_utc": begin + start * hour, "duration_s": 3600 * length, "power_w": 1000,
                  "latest_finish_utc": min(begin + (start + slack + length) * hour, end)} for start in vectors),
            )  # fmt: skip
            yield (length, slack), jobs, vectors

    return signals, cases()


def filled(values: list[float | None]) -> list[float]:
    """Gaps as straight lines between their neighbours."""
    known = [i for i, v in enumerate(values) if v is not None]
    result = []
    for i, value in enumerate(values):
        if value is None:
            before, after = max(k for k in known if k < i), min(k for k in known if k > i)
            share = (i - before) / (after - before)
            value = values[before] * (1 - share) + values[after] * share
        result.append(value)
    return result


def recorded_joint(shared: Path, directory: Path) -> tuple[Path, Callable[[int, int], Path]]:
    """A year of GB half-hours with carbon and the Agile price, and jobs of some length and slack in hours."""
    begin, end, half = datetime(2022, 12, 1, tzinfo=UTC), datetime(2023, 12, 1, tzinfo=UTC), timedelta(minutes=30)
    n = (end - begin) // half
    carbon = {r["time_utc"]: r["actual_g_per_kwh"]
              for r in rows(next((shared / "data" / "gb-carbon").glob("gb_national_halfhourly_*")))}  # fmt: skip
    price = {r["time_utc"]: float(r["p_per_kwh_inc_vat"])
             for r in rows(next((shared / "data" / "gb-agile").glob("agile_C_*")))}  # fmt: skip
    times = [(begin + i * half).strftime("%Y-%m-%dT%H:%MZ") for i in range(n)]
    values = filled([float(carbon[t]) if carbon.get(t) else None for t in times])
    signals = write_signals(directory / "gb.csv", begin, half, {"GB": values}, {"GB": [10 * price[t] for t in times]})

    def jobs(length: int, slack: int) -> Path:
        return write_jobs(
            directory / "every.csv",
            ({"id": i, "arrival_utc": begin + i * half, "duration_s": 3600 * length, "power_w": 1000,
              "latest_finish_utc": begin + (i + 2 * (slack + length)) * half}
             for i in range(n - 2 * (slack + length) + 1)),
        )  # fmt: skip

    return signals, jobs


def recorded_replanning(shared: Path, directory: Path, zone: str, cost_g: float) -> tuple[Path, Path, Path]:
    """Signals, jobs (10 h of work in 48 h, one a day) and issued forecasts; starting and stopping cost cost_g each."""
    folder, hour = shared / "data" / "carbonx", timedelta(hours=1)
    actual = list(rows(next(folder.glob(f"actual_{zone}_*"))))
    begin = datetime.fromisoformat(actual[0]["time_utc"])
    values = [float(r["ci_direct_g_per_kwh"]) for r in actual]
    signals = write_signals(directory / f"{zone}.csv", begin, hour, {zone: values})
    issued, issues = directory / f"{zone}_issued.csv", []
    with issued.open("w") as out:
        out.write("issued_utc,target_utc,zone,carbon_g_per_kwh\n")
        for row in rows(next(folder.glob(f"sundial96_{zone}_*"))):
            issue = datetime.fromisoformat(row["issue_time_utc"])
            issues.append(issue)
            out.writelines(f"{stamp(issue)},{stamp(issue + h * hour)},{zone},{row[f'h{h:02d}']}\n" for h in range(96))
    restart_wh = 1000 * 2 * cost_g / (sum(values) / len(values))
    jobs = write_jobs(
        directory / "windows.csv",
        ({"id": stamp(t), "arrival_utc": t, "duration_s": 36000, "power_w": 1000, "latest_finish_utc": t + 48 * hour,
          "restart_wh": round(restart_wh, 3)} for t in issues if t + 48 * hour <= begin + len(values) * hour),
    )  # fmt: skip
    return signals, jobs, issued
