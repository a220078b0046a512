# SPDX-License-Identifier: Apache-2.0
"""Jobs per second of `simulator plan --policy lowest-window` beside a numpy script of the same policy on the same files,
and the simulator's memory at 1,000 and 100,000 jobs (contracts 6 lines). Three interleaved runs, medians; both read their
files and write a plan.

    /usr/bin/python3 tests/bench/simulator_bench.py --build build
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import statistics
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

START, HALF = datetime(2022, 1, 1, tzinfo=UTC), timedelta(minutes=30)
SLOTS = 17520


def script(signals: str, jobs: str, out: str) -> None:
    """The yardstick: one pass of window sums per job."""
    import numpy as np

    with open(signals, newline="") as file:
        carbon = np.array([float(row["carbon_g_per_kwh"]) for row in csv.DictReader(file)])
    sums = np.concatenate(([0.0], np.cumsum(carbon)))
    with open(jobs, newline="") as file, open(out, "w", newline="") as plan:
        writer = csv.writer(plan)
        for row in csv.DictReader(file):
            first = (datetime.fromisoformat(row["arrival_utc"]) - START) // HALF
            last = (datetime.fromisoformat(row["latest_finish_utc"]) - START) // HALF
            n = int(row["duration_s"]) // 1800
            window = sums[first + n : last + 1] - sums[first : last + 1 - n]
            best = int(np.argmin(window))
            kwh = float(row["power_w"]) / 2000
            begin = START + (first + best) * HALF
            writer.writerow([row["id"], begin.isoformat(), (begin + n * HALF).isoformat(), kwh * n * 1000, window[best] * kwh])


def write_files(folder: Path, n: int) -> None:
    dice = random.Random(1)
    with (folder / "s.csv").open("w") as out:
        out.write("time_utc,zone,carbon_g_per_kwh,price_per_mwh\n")
        for i in range(SLOTS):
            out.write(f"{START + i * HALF:%Y-%m-%dT%H:%M:%SZ},GB,{dice.uniform(50, 350):.1f},\n")
    with (folder / f"{n}.csv").open("w") as out:
        out.write("id,arrival_utc,duration_s,power_w,latest_finish_utc\n")
        for i in range(n):
            first, length = dice.randrange(SLOTS - 200), dice.randint(1, 48)
            end = START + (first + length + dice.randint(2, 96)) * HALF
            out.write(f"{i},{START + first * HALF:%Y-%m-%dT%H:%M:%SZ},{1800 * length},1000,{end:%Y-%m-%dT%H:%M:%SZ}\n")


def measure(command: list[str]) -> tuple[float, int]:
    """CPU seconds and greatest resident kilobytes of a command."""
    pid = os.posix_spawn(command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
    _, status, usage = os.wait4(pid, 0)
    if status:
        sys.exit(f"{command}: status {status}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=Path, default=Path("build"))
    simulator = str((parser.parse_args().build / "simulator").resolve())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for n in (1000, 100000):
            write_files(folder, n)
        ours = [simulator, "plan", "--signals", f"{folder}/s.csv", "--policy", "lowest-window", "--weights", "1,0,0",
                "--json", "--out", f"{folder}/p.csv", "--jobs"]  # fmt: skip
        theirs = [sys.executable, __file__, "script", f"{folder}/s.csv", f"{folder}/100000.csv", f"{folder}/q.csv"]
        times: dict[str, list[float]] = {"ours": [], "numpy": []}
        for _ in range(3):
            times["ours"].append(measure([*ours, f"{folder}/100000.csv"])[0])
            times["numpy"].append(measure(theirs)[0])
        a, b = (statistics.median(times[k]) for k in ("ours", "numpy"))
        small, large = (measure([*ours, f"{folder}/{n}.csv"])[1] for n in (1000, 100000))
        print(f"bench simulator-plan jobs=100000 jobs_per_cpu_s={1e5 / a:.0f} numpy={1e5 / b:.0f} ratio={b / a:.1f} "
              f"yardstick=numpy")  # fmt: skip
        print(f"bench simulator-memory rss_1000_kb={small} rss_100000_kb={large} rss_ratio={large / small:.2f} limit=flat")


if __name__ == "__main__":
    if sys.argv[1:2] == ["script"]:
        script(*sys.argv[2:])
    else:
        main()
