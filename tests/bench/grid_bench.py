# SPDX-License-Identifier: Apache-2.0
"""grid-parse: the 670 KB answer for 18 regions as checked samples, beside Python's json, which merely parses it.

    python3 tests/bench/grid_bench.py [--build build] [--rounds 3]

CPU time of the parsing alone, medians of 30 runs a round, rounds interleaved. Reads ../shared/fixtures.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAME = "fixtures/carbonintensity-gb/recorded-2021/regional_range_2020-01-01_2020-01-02.json"
RUNS = 30


def ours(build: Path, path: Path) -> tuple[float, int]:
    command = [str(build / "bench/grid_bench"), str(path), str(RUNS)]
    rows = [line.split() for line in subprocess.check_output(command, text=True).splitlines()]
    return statistics.median(float(row[0]) for row in rows), int(rows[0][1])


def theirs(path: Path) -> float:
    body, times = path.read_bytes(), []
    for _ in range(RUNS):
        began = time.thread_time()
        json.loads(body)
        times.append((time.thread_time() - began) * 1000)
    return statistics.median(times)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=Path, default=ROOT / "build")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    path = ROOT.parent / "shared" / NAME
    if not path.exists():
        print(f"bench grid-parse skipped: no ../shared/{NAME}", file=sys.stderr)
        return 1
    figures = [(ours(arguments.build, path), theirs(path)) for _ in range(arguments.rounds)]
    mine = statistics.median(own[0] for own, _ in figures)
    python = statistics.median(other for _, other in figures)
    megabytes = path.stat().st_size / 1e6
    print(
        f"bench grid-parse ms={mine:.2f} mb_per_cpu_s={megabytes / mine * 1000:.0f} points={figures[0][0][1]} "
        f"yardstick_ms={python:.2f} ratio={python / mine:.2f} yardstick=python-json"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
