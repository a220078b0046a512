#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""All jobs together, beside a solver: checks joint_bench's plan and bound from its files, and prints CBC's own time.

    tests/bench/joint_lp.py --build build [--jobs 1000] [--percent 60] [--seed 2] [--integer SECONDS]

CBC is Debian's coinor-cbc; without it only the plan is checked. --integer asks it for whole jobs too, for so long."""

from __future__ import annotations

import argparse
import collections
import csv
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import tempfile


def rows(path: pathlib.Path) -> list[dict[str, float]]:
    with path.open() as f:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(f)]


def check(folder: pathlib.Path, jobs: int) -> dict[str, float]:
    """The plan's limits, times and objective, from nothing but the files."""
    figures = rows(folder / "figures.csv")[0]
    limits = {(row["region"], row["slot"]): row["watts"] for row in rows(folder / "C.csv")}
    used: collections.Counter[tuple[float, float]] = collections.Counter()
    plan = rows(folder / "plan.csv")
    for job in plan:
        assert job["earliest"] <= job["start"] <= job["latest_start"], f"job {job['id']} is late or early"
        for slot in range(int(job["start"]), int(job["end"])):
            used[job["region"], slot] += job["watts"]
    for cell, watts in used.items():
        assert watts <= limits[cell] + 1e-6, f"{cell}: {watts} W of {limits[cell]} W"
    assert len(plan) + figures["without_room"] == jobs, "a job is missing"
    total = sum(job["cost"] for job in plan)
    assert abs(total - figures["objective"]) <= 1e-9 * abs(total), "the objective is not the sum of the jobs'"
    return figures


def child_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def solve(model: pathlib.Path, arguments: list[str]) -> tuple[float | None, float]:
    """Objective, None if there is no solution, and CPU seconds."""
    before = child_cpu()
    out = subprocess.run(["cbc", str(model), *arguments, "-quit"], capture_output=True, text=True, check=False).stdout
    found = re.findall(r"(?:Optimal objective|Objective value:)\s+([-0-9.e+]+)", out)
    return (None if "infeasible" in out or not found else float(found[-1])), child_cpu() - before


def make_integer(model: pathlib.Path) -> pathlib.Path:
    text = model.read_text()
    names = sorted(set(re.findall(r"x\d+_\d+_\d+", text)))
    lines = "\n".join(" ".join(names[i : i + 20]) for i in range(0, len(names), 20))
    whole = model.with_name("integer.lp")
    whole.write_text(text.replace("End\n", f"Binaries\n{lines}\nEnd\n"))
    return whole


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build"))
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--percent", type=int, default=60)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--integer", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        bench = options.build / "bench" / "joint_bench"
        command = [bench, "--dump", name, options.jobs, options.percent, options.seed]
        subprocess.run([str(part) for part in command], check=True)
        ours = check(folder, options.jobs)
        gap = 100 * (ours["objective"] / ours["bound"] - 1)
        line = f"bench planner-joint-lp jobs={options.jobs} capacity_pct={options.percent} seed={options.seed}"
        line += f" gap_pct={gap:.3f} without_room={ours['without_room']:.0f} ours_ms={ours['ms']:.0f}"
        if shutil.which("cbc") is None:
            print(f"{line} yardstick=none (coinor-cbc is not installed)")
            return 0
        relaxed, seconds = solve(folder / "model.lp", ["-initialsolve"])
        line += f" lp_ms={1000 * seconds:.0f}"
        if relaxed is None:
            print(f"{line} the linear programme has no solution: discarded")
            return 0
        line += f" bound_to_lp_pct={100 * (ours['bound'] / relaxed - 1):.4f}"
        if options.integer:
            whole, seconds = solve(make_integer(folder / "model.lp"), ["-sec", str(options.integer), "-solve"])
            line += f" whole={'none' if whole is None else f'{whole:.3f}'} whole_ms={1000 * seconds:.0f}"
        print(f"{line} yardstick=cbc")
    return 0


if __name__ == "__main__":
    sys.exit(main())
