# SPDX-License-Identifier: Apache-2.0
"""db: bulk upserts and range reads beside sqlite3's shell and PostgreSQL's COPY; bytes of a year of all forecasts.

    hack/with-postgres python3 tests/bench/db/bench.py [--build build] [--rounds 3]

A year of half hours of 14 regions, 245,280 rows of carbon_intensity. Ours: db_upsert(), 5,000 rows a transaction, each
row checked against what is there. The yardsticks load the same rows as CSV into the same table with its index and its
constraints, in one transaction and without looking for conflicts: `.import` of sqlite3's shell, `\\copy` of psql. Reading:
all rows by region and time, three columns; the yardsticks print them, ours adds them up.

Rounds are interleaved, figures are medians. CPU seconds are those of the program and, for PostgreSQL, of its backend
(what the server's parent process has reaped); the first ratio is rows per CPU-second, ours over the yardstick's,
wall_ratio the same of rows per second.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

ROWS = 245280
TICKS = os.sysconf("SC_CLK_TCK")
QUERY = "SELECT start_ms, kind, carbon_mg_per_kwh FROM carbon_intensity WHERE source_id = 1 ORDER BY zone_id, start_ms"


class Postgres:
    """The server of hack/with-postgres; each measured session has a database of its own."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.folder = parse_qs(urlsplit(url).query)["host"][0]
        self.parent = int(Path(self.folder, "data", "postmaster.pid").read_text().split()[0])

    def fresh(self, name: str) -> str:
        for sql in (f"DROP DATABASE IF EXISTS {name}", f"CREATE DATABASE {name}"):
            subprocess.run(["psql", "-qX", self.url, "-c", sql], check=True, stderr=subprocess.DEVNULL)
        return self.url.replace("/postgres?", f"/{name}?")

    def cpu(self) -> float:
        """Seconds of all backends that have ended."""
        fields = Path(f"/proc/{self.parent}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[13]) + int(fields[14])) / TICKS


def measure(command: list[str], server: Postgres | None, stdin: str = "") -> tuple[float, float, str]:
    """CPU and wall seconds of a program, and what it printed."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    before = children.ru_utime + children.ru_stime + (server.cpu() if server else 0)
    begun = time.monotonic()
    done = subprocess.run(command, input=stdin, stdout=subprocess.PIPE, text=True, check=True)
    wall = time.monotonic() - begun
    if server:
        time.sleep(0.2)  # until its backend is reaped
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    after = children.ru_utime + children.ru_stime + (server.cpu() if server else 0)
    return after - before, wall, done.stdout


def report(name: str, ours: list[tuple[float, float]], theirs: list[tuple[float, float]], yardstick: str) -> None:
    cpu, wall = (statistics.median(x[i] for x in ours) for i in (0, 1))
    their_cpu, their_wall = (statistics.median(x[i] for x in theirs) for i in (0, 1))
    print(
        f"bench {name} rows_per_cpu_s={ROWS / cpu:.0f} rows_per_s={ROWS / wall:.0f} "
        f"yardstick_rows_per_cpu_s={ROWS / their_cpu:.0f} ratio={their_cpu / cpu:.2f} "
        f"wall_ratio={their_wall / wall:.2f} yardstick={yardstick}",
        flush=True,
    )


def compare(
    names: tuple[str, str],
    yardsticks: tuple[str, str],
    rounds: int,
    server: Postgres | None,
    new: Callable[[str], str],
    bench: str,
    load: Callable[[str], tuple[list[str], str]],
    read: Callable[[str], tuple[list[str], str]],
) -> None:
    """Loads and reads both ways, in turns first and second."""
    times: dict[str, list[tuple[float, float]]] = {}
    for number in range(rounds):
        for who in ("ours", "theirs") if number % 2 == 0 else ("theirs", "ours"):
            url = new(who)
            subprocess.run([bench, "create", url], check=True)
            for what, theirs in (("load", load), ("read", read)):
                command, stdin = ([bench, what, url], "") if who == "ours" else theirs(url)
                cpu, wall, out = measure(command, server, stdin)
                times.setdefault(who + what, []).append((cpu, wall))
                if who == "ours" and int(out.split()[0]) != ROWS or what == "read" and not out:
                    sys.exit(f"db bench: {who} {what} gave {out[:100]!r}")
    report(names[0], times["oursload"], times["theirsload"], yardsticks[0])
    report(names[1], times["oursread"], times["theirsread"], yardsticks[1])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    bench = f"{args.build}/bench/db_bench"
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder, "rows.csv")
        with rows.open("w") as out:
            subprocess.run([bench, "csv"], stdout=out, check=True)

        def new_file(who: str) -> str:
            for path in Path(folder).glob(f"{who}.db*"):
                path.unlink()
            return f"sqlite://{folder}/{who}.db"

        def shell(url: str, *commands: str) -> tuple[list[str], str]:
            return ["sqlite3", "-batch", url.removeprefix("sqlite://")], "\n".join(commands) + "\n"

        compare(
            ("db-upsert-sqlite", "db-read-sqlite"),
            ("sqlite3-.import", "sqlite3-select"),
            args.rounds,
            None,
            new_file,
            bench,
            lambda url: shell(
                url, "PRAGMA synchronous = FULL;", "PRAGMA foreign_keys = ON;", f".import --csv {rows} carbon_intensity"
            ),
            lambda url: shell(url, QUERY + ";"),
        )
        server = Postgres(os.environ["LOADSHIFT_TEST_POSTGRES"])
        compare(
            ("db-upsert-postgres", "db-read-postgres"),
            ("COPY-from", "COPY-to"),
            args.rounds,
            server,
            server.fresh,
            bench,
            lambda url: (["psql", "-qX", url, "-c", f"\\copy carbon_intensity FROM '{rows}' WITH (FORMAT csv)"], ""),
            lambda url: (["psql", "-qX", url, "-c", f"\\copy ({QUERY}) TO STDOUT"], ""),
        )
        url = new_file("year")
        for what in ("create", "load", "vintages"):
            _, wall, _ = measure([bench, what, url], None)
        cpu, _, _ = measure([bench, "unpack", url], None)
        size = sum(path.stat().st_size for path in Path(folder).glob("year.db*"))
        print(
            f"bench db-year bytes={size} forecasts={ROWS} values={ROWS * 96} write_s={wall:.1f} unpack_cpu_s={cpu:.2f} "
            f"limit=2000000000 ratio={size / 2e9:.3f}"
        )


main()
