# SPDX-License-Identifier: Apache-2.0
"""Recorded traces and signals as the files that `simulator plan` reads."""

from __future__ import annotations

import csv
import json
import lzma
import subprocess
from collections.abc import Iterable, Iterator, Sequence
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
