# SPDX-License-Identifier: Apache-2.0
"""`simulator cluster`: a day and a month with failures, its files against its totals, its report, and bad input."""

from __future__ import annotations

import json
import math
import random
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from harness.trace import SIMULATOR, plan, rows, stamp, write_jobs, write_signals

START = datetime(2023, 1, 1, tzinfo=UTC)
HALF = timedelta(minutes=30)
FAILURES = "node:0.05/day:1h,operator:3/day:600s,provider:0.5/day:3h,evict:0.3/day,conflict:0.05,seed:7"
PROMISES = ("two_jobs", "ran_twice", "started_unrecorded", "started_too_early", "started_after_latest",
            "outside_zones", "lost", "too_many_writes")  # fmt: skip
# Runs a command, then prints the most kilobytes that it had resident. In a small process of its own: Linux counts what
# the process that starts a program holds at that moment as the program's, and the tests' own grows to half a gigabyte.
PEAK = """
import resource, subprocess, sys
status = subprocess.call(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(status)
"""


def signals(directory: Path, days: int) -> Path:
    """Three zones with a day's rhythm, wind that comes and goes, and prices that follow."""
    rng = random.Random(1)
    carbon: dict[str, list[float]] = {}
    prices: dict[str, list[float]] = {}
    for number, zone in enumerate(("north", "south", "west")):
        wind = 0.0
        carbon[zone], prices[zone] = [], []
        for i in range(48 * days):
            wind = 0.99 * wind + rng.gauss(0, 6)
            daily = math.sin((i / 2 - 9) / 24 * 2 * math.pi)
            carbon[zone].append(round(200 + 20 * number + 70 * daily + wind, 1))
            prices[zone].append(round(80 + 50 * daily + wind / 2, 2))
    return write_signals(directory / "signals.csv", START, HALF, carbon, prices)


def cluster(directory: Path, *options: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The totals, and the text of each file that was written."""
    files = {"out": directory / "out.csv", "series": directory / "series.csv", "report": directory / "report.html"}
    command = [str(SIMULATOR), "cluster", "--signals", str(directory / "signals.csv"), "--json", *options]
    for name, path in files.items():
        command += [f"--{name}", str(path)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout), {name: path.read_text() for name, path in files.items()}


def check_promises(report: dict[str, Any]) -> None:
    assert {name: report[name] for name in PROMISES} == dict.fromkeys(PROMISES, 0)
    assert report["completed"] + report["failed"] + report["unfinished"] == report["jobs"]


def check_files(directory: Path, report: dict[str, Any]) -> None:
    """Figures are the sums of rows, exactly; the series adds up to the same."""
    sums = dict.fromkeys(("energy_wh", "carbon_g", "cost"), 0.0)
    base = dict(sums)
    results: dict[str, int] = {}
    for row in rows(directory / "out.csv"):
        results[row["result"]] = results.get(row["result"], 0) + 1
        for name in sums:
            if row[name] and row[f"baseline_{name}"]:
                sums[name] += float(row[name])
                base[name] += float(row[f"baseline_{name}"])
        assert row["arrival_utc"] <= row["released_utc"] <= row["start_utc"] <= row["end_utc"]
        assert row["baseline_start_utc"] >= row["arrival_utc"]
    assert results["completed"] == report["completed"]
    assert sum(results.values()) == report["jobs"]
    for name, value in sums.items():
        assert value == pytest.approx(report[name] or 0, abs=1e-3), name
        assert base[name] == pytest.approx(report["baseline"][name] or 0, abs=1e-3), name
    for name in ("carbon", "cost"):
        figure = "carbon_g" if name == "carbon" else "cost"
        if report[figure] is None:
            assert report[f"saved_{name}_pct"] is None
            continue
        saved = 100 * (base[figure] - sums[figure]) / base[figure]
        assert report[f"saved_{name}_pct"] == pytest.approx(saved, abs=1e-4)
    energy = carbon = base_energy = 0.0
    for row in rows(directory / "series.csv"):
        energy += float(row["power_w"]) / 2
        carbon += float(row["carbon_g"])
        base_energy += float(row["baseline_power_w"]) / 2
    assert energy == pytest.approx(report["energy_wh"], rel=1e-5)
    assert base_energy == pytest.approx(report["baseline"]["energy_wh"], rel=1e-5)
    if report["carbon_unknown_jobs"] == 0:
        assert carbon == pytest.approx(report["carbon_g"], rel=1e-5)


class Page(HTMLParser):
    """Whether tags are closed in order, and what the page would load."""

    EMPTY = frozenset(("meta", "br", "line", "rect", "path"))

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not {"src", "href", "onload", "onclick"} & {name for name, _ in attrs}
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def check_page(html: str) -> Page:
    page = Page()
    page.feed(html)
    page.close()
    assert page.open == []
    assert page.tags.count("svg") == 5 and not {"script", "link", "img", "iframe"} & set(page.tags)
    assert "http" not in html and "url(" not in html and "@import" not in html
    assert "nan" not in re.sub(r"[a-z]nan|nan[a-z]", "", page.text)
    for said in ("location-based, average and attributional", "neither avoided emissions nor an offset", "baseline"):
        assert said in page.text
    return page


def test_a_day(tmp_path: Path) -> None:
    signals(tmp_path, 4)
    report, files = cluster(tmp_path, "--synthetic", "mixed:300:1", "--hours", "24")
    check_promises(report)
    check_files(tmp_path, report)
    assert report["jobs"] > 150 and report["failed"] == 0 and report["missed_deadlines"] == 0
    assert report["saved_carbon_pct"] > 5 and report["saved_cost_pct"] > 5
    parts = report["split"]["time"]["carbon_g"] + report["split"]["place"]["carbon_g"]
    assert parts == pytest.approx(report["split"]["total"]["carbon_g"], rel=0.001)
    page = check_page(files["report"])
    assert f"{report['saved_carbon_pct']:.1f} %" in page.text
    # Again, and it is the same to the last byte.
    again, same = cluster(tmp_path, "--synthetic", "mixed:300:1", "--hours", "24")
    assert {**again, "wall_s": 0} == {**report, "wall_s": 0} and same == files


def test_the_operators_own_accounts(tmp_path: Path) -> None:
    """Where nothing goes wrong and each job has its room, what it says of itself is what was measured apart."""
    signals(tmp_path, 4)
    report, _ = cluster(tmp_path, "--synthetic", "batch:200:1", "--hours", "24", "--nodes-per-zone", "40")
    check_promises(report)
    assert report["split"]["jobs"] == report["jobs"] and report["pauses"] == 0
    measured = report["baseline"]["carbon_g"] - report["carbon_g"]
    assert report["split"]["total"]["carbon_g"] == pytest.approx(measured, rel=0.002)


def test_jobs_pause(tmp_path: Path) -> None:
    """Four hours of work in two cheap times of two hours each, with one pause and what it takes to go on."""
    carbon = [400.0] * 8 + [100.0] * 4 + [400.0] * 8 + [100.0] * 4 + [400.0] * 72
    write_signals(tmp_path / "signals.csv", START, HALF, {"a": carbon})
    job = {"id": "x", "arrival_utc": START + timedelta(hours=1), "duration_s": 14400, "power_w": 1000,
           "latest_finish_utc": START + timedelta(hours=20), "restart_wh": 10, "max_interruptions": 3}  # fmt: skip
    jobs = write_jobs(tmp_path / "jobs.csv", [job])
    report, _ = cluster(tmp_path, "--jobs", str(jobs), "--startup", "0s", "--weights", "1,0,0")
    check_promises(report)
    check_files(tmp_path, report)
    assert report["pauses"] == 1 and report["completed"] == 1
    assert 4009 < report["energy_wh"] < 4050
    assert report["baseline"]["carbon_g"] == 1300 and 400 < report["carbon_g"] < 480
    # Of the same without leave to pause it can only run through.
    jobs = write_jobs(tmp_path / "jobs.csv", [{**job, "max_interruptions": 0}])
    report, _ = cluster(tmp_path, "--jobs", str(jobs), "--startup", "0s", "--weights", "1,0,0")
    assert report["pauses"] == 0 and report["energy_wh"] == 4000 and 950 < report["carbon_g"] <= 1010


def test_a_month_with_failures(tmp_path: Path) -> None:
    signals(tmp_path, 35)
    options = ("--synthetic", "mixed:100:3", "--days", "30", "--failures", FAILURES, "--forecast", "noise:0.1:5")
    report, files = cluster(tmp_path, *options)
    check_promises(report)
    check_files(tmp_path, report)
    assert report["jobs"] > 2000
    assert all(report["failures"][kind] > 0 for kind in ("node", "operator", "provider", "evict", "conflict"))
    assert report["conflicts"] > 0 and report["lost_energy_wh"] > 0 and report["saved_carbon_pct"] > 0
    assert report["writes_per_job"] < 12
    check_page(files["report"])
    again, same = cluster(tmp_path, *options)
    assert {**again, "wall_s": 0} == {**report, "wall_s": 0} and same == files
    other, _ = cluster(tmp_path, *options[:-4], "--failures", FAILURES.replace("seed:7", "seed:8"), *options[-2:])
    assert other["failures"] != report["failures"] and other["jobs"] == report["jobs"]


def test_jobs_and_nodes_of_files(tmp_path: Path) -> None:
    """An hour of a kilowatt goes to the zone that is clean, and on to the next hour when its one node is taken."""
    carbon = {"a": [300.0] * 96, "b": [100.0] * 96}
    write_signals(tmp_path / "signals.csv", START, HALF, carbon)
    finish = START + timedelta(hours=12)
    write_jobs(
        tmp_path / "jobs.csv",
        ({"id": f"j{i}", "arrival_utc": START + timedelta(hours=1), "duration_s": 3600, "power_w": 1000,
          "latest_finish_utc": finish, "zones": "a|b", "pods": 2, "cpu": 1.5} for i in range(2)),
    )  # fmt: skip
    (tmp_path / "nodes.csv").write_text("name,zone,cpu_cores,memory_gib\nn,b,3,8\nm,a,3,8\n")
    options = ("--jobs", str(tmp_path / "jobs.csv"), "--nodes", str(tmp_path / "nodes.csv"))
    report, _ = cluster(tmp_path, *options, "--startup", "0s")
    check_promises(report)
    check_files(tmp_path, report)
    assert report["energy_wh"] == 2000 and report["cost"] is None
    assert report["carbon_g"] == 200 and report["baseline"]["carbon_g"] == 600
    first, second = sorted(rows(tmp_path / "out.csv"), key=lambda row: row["start_utc"])
    assert first["zone"] == second["zone"] == "b" and second["start_utc"] >= first["end_utc"]
    assert report["waited_for_room"] == 0 and report["baseline"]["waited_for_room"] == 1


def test_the_report_escapes_what_it_is_given(tmp_path: Path) -> None:
    evil = "<i>x</i>&"
    write_signals(tmp_path / "signals.csv", START, HALF, {evil: [300.0, -20.0] * 48})
    job = {"id": evil, "arrival_utc": START, "duration_s": 3600, "power_w": 1000}
    jobs = write_jobs(tmp_path / evil.replace("/", "_"), [job])
    _, files = cluster(tmp_path, "--jobs", str(jobs), "--attribution", f"{evil} 'quoted' \"twice\"")
    page = check_page(files["report"])
    assert "i" not in page.tags and evil in page.text and "'quoted' \"twice\"" in page.text


S = "time_utc,zone,carbon_g_per_kwh,price_per_mwh\n"
J = "id,arrival_utc,duration_s,power_w,latest_finish_utc\n"
N = "name,zone,cpu_cores,memory_gib,idle_w,peak_w,count\n"
DAY = [f"2023-01-01T{h:02d}:00Z,GB,{h},{h}\n" for h in range(24)]
JOB = "a,2023-01-01T02:00Z,3600,1000,2023-01-01T08:00Z\n"


@pytest.mark.parametrize(
    ("files", "options", "says"),
    [
        ({"s.csv": S + "".join(DAY[:4] + DAY[5:])}, [], "s.csv:6: column 'time_utc': a gap in zone 'GB'"),
        ({"s.csv": S + "".join([*DAY, DAY[7]])}, [], "s.csv:26: column 'time_utc'"),
        ({"s.csv": S + DAY[0] + DAY[1].replace(",1,", ",nan,")}, [], "s.csv:3: column 'carbon_g_per_kwh'"),
        ({"s.csv": S + "".join(DAY).replace("GB", "mean")}, [], "s.csv: zone 'mean' cannot be"),
        ({"j.csv": J.replace("\n", ",colour\n") + JOB}, [], "j.csv:1: column 'colour': unknown column"),
        ({"j.csv": J + JOB + JOB.replace("T02", "T01")}, [], "j.csv:3: job 'a' arrives before the one above it"),
        ({"j.csv": J + JOB.replace("-01T08", "-02T08")}, [], "j.csv:2: job 'a' may run until 2023-01-02T08:00:00Z"),
        ({"j.csv": J + JOB + "b" * 70000}, [], "j.csv:3: line is longer"),
        ({"n.csv": N + "n,GB,1,1,,,\nm,FR,1,1,,,\n"}, ["--nodes", "n.csv"], "n.csv:3: column 'zone'"),
        ({"n.csv": N + "n,GB,1,1,200,100,\n"}, ["--nodes", "n.csv"], "n.csv:2: column 'peak_w'"),
        ({"n.csv": N.replace("count", "number") + "n,GB,1,1,,,\n"}, ["--nodes", "n.csv"], "unknown column"),
        ({"n.csv": N}, ["--nodes", "n.csv"], "no node"),
        ({}, ["--nodes", "none.csv"], "none.csv"),
        ({}, ["--failures", "node:often"], "--failures: 'node:often'"),
        ({}, ["--failures", "operator:1/day:600"], "the length must be like 600s"),
        ({}, ["--synthetic", "batch:10:1"], "one of --jobs and --synthetic"),
        ({}, ["--days", "1"], "go with --synthetic"),
        ({}, ["--weights", "0,0,0"], "--weights must be"),
        ({}, ["--forecast", "oracle"], "--forecast must be"),
        ({}, ["--report", "/nonexistent/r.html"], "/nonexistent/r.html"),
    ],
)  # fmt: skip
def test_bad_input_is_refused(tmp_path: Path, files: dict[str, str], options: list[str], says: str) -> None:
    """Exit status 2 (1 where a file cannot be written), one line that names file and line, and nothing written."""
    given = {"s.csv": S + "".join(DAY), "j.csv": J + JOB} | files
    for name, text in given.items():
        (tmp_path / name).write_text(text)
    command = [str(SIMULATOR.resolve()), "cluster", "--signals", "s.csv", "--jobs", "j.csv", "--out", "o.csv",
               "--series", "t.csv", "--json"]  # fmt: skip
    if "--report" not in options:
        command += ["--report", "r.html"]
    run = subprocess.run([*command, *options], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == (1 if "--report" in options else 2) and says in run.stderr, run.stderr
    assert run.stderr.strip("\r\n").count("\n") == 0 and not run.stdout
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(given)


def test_an_infeasible_job_runs_at_once(tmp_path: Path) -> None:
    """And negative carbon and prices are values like others."""
    (tmp_path / "signals.csv").write_text(S + "".join(DAY).replace("GB,3,3", "GB,-5,-5"))
    (tmp_path / "j.csv").write_text(J + JOB + JOB.replace("3600", "36000").replace("a,", "b,"))
    report, _ = cluster(tmp_path, "--jobs", str(tmp_path / "j.csv"), "--startup", "0s", "--weights", "1,0,0")
    check_promises(report)
    assert report["infeasible"] == report["missed_deadlines"] == report["baseline"]["missed_deadlines"] == 1
    assert report["completed"] == 2
    assert report["baseline"]["carbon_g"] == pytest.approx(2 + sum(range(2, 12)) - 8, abs=0.05)


@pytest.mark.parametrize("command", ["plan", "cluster", "forecast"])
def test_a_line_without_end(tmp_path: Path, command: str) -> None:
    """Ten gigabytes without a line end are refused after the first 64 KiB, with little memory."""
    (tmp_path / "j.csv").write_text(J + JOB)
    arguments = {
        "plan": ["--signals", "/dev/stdin", "--jobs", "j.csv"],
        "cluster": ["--signals", "/dev/stdin", "--jobs", "j.csv"],
        "forecast": ["--history", "/dev/stdin", "--column", "price_per_mwh", "--issue",
                     "2021-01-03T00:00Z,2021-01-04T00:00Z,24h", "--horizon", "24"],
    }[command]  # fmt: skip

    with (
        subprocess.Popen(["sh", "-c", f"printf '{S}'; exec yes 1 | tr -d '\\n'"], stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL) as endless,
    ):  # fmt: skip
        assert endless.stdout
        run = subprocess.run([sys.executable, "-c", PEAK, str(SIMULATOR.resolve()), command, *arguments], cwd=tmp_path,
                             stdin=endless.stdout, capture_output=True, text=True)  # fmt: skip
        endless.stdout.close()
    assert run.returncode == 2 and "/dev/stdin:2: line is longer" in run.stderr, run.stderr
    # A limit of address space would stop a sanitizer before it begins.
    assert int(run.stdout.split()[-1]) < 300_000, "KiB"


def test_clocks_that_change(tmp_path: Path) -> None:
    """Local times are told apart by their offset when the clocks go back; without one they are refused."""
    local = []
    for i in range(8):
        time = datetime(2023, 10, 28, 23, tzinfo=UTC) + i * timedelta(hours=1)
        offset = 1 if time < datetime(2023, 10, 29, 1, tzinfo=UTC) else 0
        local.append(f"{(time + timedelta(hours=offset)).strftime('%Y-%m-%dT%H:%M')}+0{offset}:00,GB,{i * 10},\n")
    assert local[1][:16] == local[2][:16] == "2023-10-29T01:00"
    (tmp_path / "signals.csv").write_text(S + "".join(local))
    job = {"id": "x", "arrival_utc": "2023-10-29T02:00:00+01:00", "duration_s": 3600, "power_w": 1000}
    jobs = write_jobs(tmp_path / "j.csv", [job])
    assert plan(tmp_path / "signals.csv", jobs, "now")["carbon_g"] == 20
    report, _ = cluster(tmp_path, "--jobs", str(jobs), "--startup", "0s")
    assert report["carbon_g"] == pytest.approx(20, abs=0.01)
    row = next(rows(tmp_path / "out.csv"))
    assert row["arrival_utc"] == stamp(datetime(2023, 10, 29, 1, tzinfo=UTC))
    (tmp_path / "signals.csv").write_text(S + "".join(re.sub(r"\+0\d:00", "", line) for line in local))
    for command in ("plan", "cluster"):
        arguments = [str(SIMULATOR), command, "--signals", str(tmp_path / "signals.csv"), "--jobs", str(jobs)]
        run = subprocess.run(arguments, capture_output=True, text=True)
        assert run.returncode == 2 and "signals.csv:2: column 'time_utc'" in run.stderr


def test_killed_leaves_no_half_file(tmp_path: Path) -> None:
    signals(tmp_path, 60)
    command = [str(SIMULATOR.resolve()), "cluster", "--signals", "signals.csv", "--synthetic", "mixed:3000:1",
               "--out", "o.csv", "--series", "t.csv", "--report", "r.html"]  # fmt: skip
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        process.kill()
    assert not {"o.csv", "t.csv", "r.html"} & {p.name for p in tmp_path.iterdir()}
