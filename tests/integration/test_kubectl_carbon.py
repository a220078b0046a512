# SPDX-License-Identifier: Apache-2.0
"""The kubectl plug-in: its tables, its errors, credential plug-ins, import and export."""

from __future__ import annotations

import datetime as dt
import io
import json
import lzma
import os
import random
import re
import signal
import sqlite3
import stat
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from cluster import ControlPlane
from harness.api import Api
from harness.grid import fresh_clock, set_region
from harness.process import ProcessRunner, program_path
from harness.readapi import reader, start_read_api

T0 = dt.datetime(2023, 1, 1, tzinfo=dt.UTC)
TABLES = ("carbon_intensity", "price", "demand", "weather", "signal")


def carbon(programs: ProcessRunner, *arguments: str | Path, **options: Any) -> str:
    """Standard output of the plug-in, which must succeed."""
    result = programs.call("kubectl-carbon", *arguments, **options)
    assert result.returncode == 0, result.stderr
    return result.stdout


def refused(programs: ProcessRunner, *arguments: str | Path, code: int = 2, **options: Any) -> str:
    """Standard error of the plug-in, which must fail with that code and say nothing else."""
    result = programs.call("kubectl-carbon", *arguments, **options)
    assert result.returncode == code, (result.stdout, result.stderr)
    return result.stderr


def half_hours(n: int, seed: int = 1) -> str:
    """A file of shape gb-carbon."""
    values = random.Random(seed)
    out = io.StringIO()
    out.write("time_utc,actual_g_per_kwh\n")
    for i in range(n):
        out.write(f"{T0 + i * dt.timedelta(minutes=30):%Y-%m-%dT%H:%MZ},{values.uniform(20, 400):.1f}\n")
    return out.getvalue()


def rows(path: Path, table: str = "carbon_intensity") -> list[Any]:
    with sqlite3.connect(path) as db:
        return db.execute(f"SELECT * FROM {table} ORDER BY 1, 2, 3, 4").fetchall()  # noqa: S608


# ---- what it shows ----


def test_tables(
    programs: ProcessRunner, cluster: ControlPlane, operator_kubeconfig: Path, workdir: Path, api: Api
) -> None:
    clock = fresh_clock()
    now = clock.now()
    set_region(api, "london", now, [200, 100, 50, *[300] * 93], [241_300, -10_000, *[250_000] * 94])
    read_api = start_read_api(programs, cluster, operator_kubeconfig, workdir, clock, tls=True)
    reader(api, cluster, "me", role="loadshift-view")
    where = (
        "--kubeconfig", cluster.kubeconfig_for_account(api.namespace, "me"),
        "--server", read_api.url, "--certificate-authority", cluster.certificates.ca,
    )  # fmt: skip

    header, row = carbon(programs, "regions", *where).splitlines()
    assert header.split() == "NAME CARBON NOW PRICE NOW RENEWABLE STRESS KNOWN UNTIL FRESH".split()
    assert row.startswith("london   ") and " g/kWh" in row and " p/kWh" in row, row
    text = carbon(programs, "forecast", "london", "--hours", "2", *where)
    assert re.search(r"^cleanest: \S+Z, (200|100|50|300) g/kWh$", text, re.MULTILINE), text
    assert re.search(r"^cheapest: \S+Z, -?\d+\.\d\d p/kWh$", text, re.MULTILINE) and "#" in text, text
    assert text.count("data: ") == 2, text  # of carbon and of the price
    table = text[text.index("FROM") :].splitlines()
    assert len(table) == 5 and all(line[4] == "-" for line in table[1:]), text
    document = json.loads(carbon(programs, "forecast", "london", "-o", "json", *where))
    assert document["name"] == "london"
    assert "carbonintensity-gb" in carbon(programs, "data", "freshness", *where)
    providers = carbon(programs, "data", "providers", *where)
    assert "octopus-agile" in providers and "LICENCE" in providers
    status = carbon(programs, "data", "status", *where)
    assert status.startswith("database: sqlite, ") and "carbon_intensity" in status
    assert carbon(programs, "jobs", *where).startswith("NAMESPACE")
    assert "SAVED CARBON" in carbon(programs, "statistics", "-n", api.namespace, *where)

    assert "no GridRegion nowhere" in refused(programs, "forecast", "nowhere", *where, code=1)
    cluster.token(api.namespace, "nobody")
    nobody = ("--kubeconfig", cluster.kubeconfig_for_account(api.namespace, "nobody"), *where[2:])
    assert "may not list" in refused(programs, "regions", *nobody, code=1)
    assert "certificate" in refused(programs, "regions", *where[:4], code=1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ("name a command",)),
        (["frobnicate"], ("frobnicate",)),
        (["data"], ('"data"', '"data freshness"')),
        (["regions", "london"], ("takes no argument",)),
        (["forecast"], ("forecast london",)),
        (["forecast", "../../etc"], ("not the name of a region",)),
        (["forecast", "london", "--hours", "0"], ("--hours", "from 1 to 336")),
        (["regions", "-o", "yaml"], ("--output", "table, json")),
        (["regions", "--server", "example.org"], ("--server", "https://")),
        (["regions", "--server", "http://example.org"], ("this machine only",)),
        (["regions", "--servre", "x"], ("--servre", "did you mean --server")),
        (["data", "import"], ("name the files",)),
        (["data", "import", "x.csv"], ("--shape", "list")),
        (["data", "import", "--shape", "no", "x.csv"], ("--shape", '"no"')),
        (["data", "import", "--shape", "gb-carbon", "x.csv"], ("--db",)),
        (["data", "import", "--shape", "gb-carbon", "--db", "mysql://x", "x.csv"], ("--db",)),
        (["data", "import", "--shape", "custom", "--db", "sqlite:///nowhere/x.db", "x.csv"], ("--time", "--metric")),
        (["data", "export", "--metric", "wit"], ("--metric",)),
        (["data", "export", "--metric", "carbon"], ("--zone",)),
        (["data", "export", "--metric", "carbon", "--zone", "gb", "--from", "monday"], ("--from", "2023-")),
    ],
)
def test_errors_name_the_fix(programs: ProcessRunner, arguments: list[str], words: tuple[str, ...]) -> None:
    text = refused(programs, *arguments, env={"HOME": "/nonexistent"})
    for word in words:
        assert word in text.splitlines()[-1], text


def test_no_cluster(programs: ProcessRunner) -> None:
    text = refused(programs, "regions", env={"HOME": "/nonexistent"}, code=1)
    assert "--kubeconfig" in text


# ---- credential plug-ins ----

PLUGIN = """\
#!/bin/sh
echo run >>{folder}/runs
echo "$KUBERNETES_EXEC_INFO" >{folder}/info
test "$1 $EXTRA" = "give more" || exit 3
cat <<END
{{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
  "status": {{"token": "{token}", "expirationTimestamp": "{until}"}}}}
END
"""


def test_credential_plugin(programs: ProcessRunner, cluster: ControlPlane, workdir: Path, api: Api) -> None:
    """It is run as kubectl runs it, and what it says is kept until it expires, for this user's eyes only."""
    token = reader(api, cluster, "me", role="loadshift-view")
    plugin = workdir / "plugin"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [
            {"name": "c", "cluster": {"server": cluster.server, "certificate-authority": str(cluster.certificates.ca)}}
        ],
        "users": [
            {
                "name": "u",
                "user": {
                    "exec": {
                        "apiVersion": "client.authentication.k8s.io/v1",
                        "command": "./plugin",
                        "args": ["give"],
                        "env": [{"name": "EXTRA", "value": "more"}],
                        "interactiveMode": "Never",
                        "provideClusterInfo": True,
                    }
                },
            }
        ],
    }
    kubeconfig = workdir / "kubeconfig"
    kubeconfig.write_text(json.dumps(config))
    cache = workdir / "cache"
    env = {"XDG_CACHE_HOME": str(cache)}

    def write(until: str) -> None:
        plugin.write_text(PLUGIN.format(folder=workdir, token=token, until=until))
        plugin.chmod(0o755)

    def runs() -> int:
        return len((workdir / "runs").read_text().splitlines())

    def ask() -> str:
        # The token is good: the API server knows who asks, and that they may not use the proxy.
        return refused(programs, "regions", "--kubeconfig", kubeconfig, code=1, env=env)

    write("2020-01-01T00:00:00Z")
    for expected in (1, 2):
        assert "services/proxy" in ask()
        assert runs() == expected  # had expired when it came
    write("2099-01-01T00:00:00Z")
    for _ in range(2):
        assert "services/proxy" in ask()
    assert runs() == 3
    info = json.loads((workdir / "info").read_text())
    assert info["spec"]["interactive"] is False and info["spec"]["cluster"]["server"] == cluster.server
    [kept] = (cache / "loadshift" / "credentials").iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    kept.write_text("{}")
    assert "services/proxy" in ask() and runs() == 4
    kept.chmod(0o644)  # somebody else may have read it
    assert "services/proxy" in ask() and runs() == 5
    plugin.unlink()
    [kept.unlink() for kept in (cache / "loadshift" / "credentials").iterdir()]
    assert "cannot run" in ask()


# ---- import and export ----


@pytest.fixture
def database(workdir: Path) -> Path:
    return workdir / "history.db"


def test_there_and_back(programs: ProcessRunner, workdir: Path, database: Path) -> None:
    """What is exported and imported elsewhere is the same, and so is what is imported twice."""
    source = workdir / "gb.csv"
    source.write_text(half_hours(5000))
    url, other = f"sqlite://{database}", f"sqlite://{workdir / 'other.db'}"
    assert "5000 values, 0 missing" in carbon(programs, "data", "import", "--db", url, "--shape", "gb-carbon", source)
    text = carbon(programs, "data", "export", "--db", url, "--metric", "carbon", "--zone", "gb")
    assert len(text.splitlines()) == 5001
    carbon(programs, "data", "import", "--db", other, "--shape", "loadshift", "-", stdin=text)
    assert carbon(programs, "data", "export", "--db", other, "--metric", "carbon", "--zone", "gb") == text
    first = rows(workdir / "other.db")
    carbon(programs, "data", "import", "--db", other, "--shape", "loadshift", "-", stdin=text)
    assert rows(workdir / "other.db") == first
    part = carbon(
        programs, "data", "export", "--db", url, "--metric", "carbon", "--zone", "gb",
        "--from", "2023-01-02T00:00:00Z", "--to", "2023-01-03T00:00:00Z",
    )  # fmt: skip
    assert len(part.splitlines()) == 49


@pytest.mark.parametrize(
    ("name", "shape", "zone", "table", "column", "factor", "db_column"),
    [
        ("gb-carbon/gb_national_halfhourly_2022-11_2023-11.csv.xz", "gb-carbon", None, "carbon_intensity",
         "actual_g_per_kwh", 1000, "carbon_mg_per_kwh"),
        ("gb-agile/agile_C_london_2022-11_2023-11.csv.xz", "gb-agile", "C", "price",
         "p_per_kwh_inc_vat", 10000, "price_micros_per_kwh"),
        ("ensembleci/NL_direct_emissions_to_2021-06.csv.xz", "ensembleci", "NL", "carbon_intensity",
         "carbon_intensity", 1000, "carbon_mg_per_kwh"),
    ],
)  # fmt: skip
def test_recorded_files(
    programs: ProcessRunner, shared: Path, database: Path, name: str, shape: str, zone: str | None, table: str,
    column: str, factor: int, db_column: str,
) -> None:  # fmt: skip
    """Rows and sum of a real file, against the csv module."""
    import csv

    text = lzma.decompress((shared / "data" / name).read_bytes()).decode()
    values = [float(row[column]) for row in csv.DictReader(io.StringIO(text)) if row[column]]
    where = ["--zone", zone] if zone else []
    arguments = ["data", "import", "--db", f"sqlite://{database}", "--shape", shape, *where, "-"]
    assert f"{len(values)} values" in carbon(programs, *arguments, stdin=text)
    with sqlite3.connect(database) as db:
        count, total = db.execute(f"SELECT count(*), sum({db_column}) FROM {table}").fetchone()  # noqa: S608
    # An hour that the file has twice is one row.
    rows_of_file = [row for row in csv.DictReader(io.StringIO(text)) if row[column]]
    times = {next(row[key] for key in row if "time" in key.lower()) for row in rows_of_file}
    assert count == len(times)
    if len(times) == len(values):
        assert abs(total - sum(values) * factor) <= len(values)


def test_regions_in_columns(programs: ProcessRunner, shared: Path, database: Path) -> None:
    source = shared / "demo" / "gb_regional_carbon_2023-02-09_3days.csv"
    carbon(programs, "data", "import", "--db", f"sqlite://{database}", "--shape", "neso-regional", source)
    with sqlite3.connect(database) as db:
        found = db.execute(
            "SELECT z.name, count(*) FROM carbon_intensity c JOIN zone z ON z.id = c.zone_id GROUP BY 1"
        ).fetchall()
    assert len(found) == 14 and {n for _, n in found} == {144} and ("north-scotland", 144) in found


def test_killed_in_between(programs: ProcessRunner, workdir: Path, database: Path) -> None:
    """kill -9 in the middle of an import, then again: whole chunks only, and in the end nothing twice or missing."""
    source = workdir / "gb.csv"
    n = 300_000
    source.write_text(half_hours(n))
    arguments = ["data", "import", "--db", f"sqlite://{database}", "--shape", "gb-carbon", str(source)]
    killed = 0
    for pause in (0.05, 0.2, 0.5):
        process = subprocess.Popen([str(program_path("kubectl-carbon")), *arguments], stdout=subprocess.DEVNULL)
        time.sleep(pause)
        process.kill()
        killed += process.wait() == -signal.SIGKILL
        if database.exists():
            with sqlite3.connect(database) as db:
                tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
            count = len(rows(database)) if "carbon_intensity" in tables else 0
            assert count % 4000 == 0 or count == n
    assert killed
    carbon(programs, *arguments)
    found = rows(database)
    assert len(found) == n == len({row[2] for row in found})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ("standard input:1", "header")),
        ("time_utc\n", ("actual_g_per_kwh",)),
        ("time_utc,actual_g_per_kwh\n2023-01-01T00:00Z,1\nyesterday,2\n", (":3", "time_utc", "yesterday")),
        ("time_utc,actual_g_per_kwh\n2023-01-01T00:00Z,many\n", (":2", "actual_g_per_kwh", "many")),
        ("time_utc,actual_g_per_kwh\n2023-01-01T00:00Z,1e11\n", (":2", "bounds")),
        ("time_utc,actual_g_per_kwh\n2023-01-01T00:00Z,1,2\n", (":2", "fields")),
        ('time_utc,actual_g_per_kwh\n2023-01-01T00:00Z,"1\n', (":2", "quote")),
        ("time_utc,actual_g_per_kwh\n" + "x" * 70_000, (":2", "longer")),
    ],
)
def test_bad_files(programs: ProcessRunner, database: Path, text: str, words: tuple[str, ...]) -> None:
    arguments = ("data", "import", "--db", f"sqlite://{database}", "--shape", "gb-carbon", "-")
    result = programs.call("kubectl-carbon", *arguments, stdin=text)
    assert result.returncode in (1, 2)
    for word in words:
        assert word in result.stderr, result.stderr
    assert not rows(database)


def test_what_may_not_be_passed_on(programs: ProcessRunner, database: Path) -> None:
    url = f"sqlite://{database}"
    text = "time_utc,p_per_kwh_inc_vat\n2023-01-01T00:00Z,12.5\n"
    carbon(programs, "data", "import", "--db", url, "--shape", "gb-agile", "--zone", "C", "-", stdin=text)
    for extra in ([], ["--provider", "octopus-agile"]):
        error = refused(
            programs, "data", "export", "--db", url, "--metric", "price", "--zone", "london", *extra, code=1
        )
        assert "octopus-agile" in error and "licence" in error


def test_progress_on_a_terminal(database: Path, workdir: Path) -> None:
    """A bar on standard error, only where that is a terminal."""
    source = workdir / "gb.csv"
    source.write_text(half_hours(60_000))
    master, slave = os.openpty()
    arguments = ["data", "import", "--db", f"sqlite://{database}", "--shape", "gb-carbon", str(source)]
    subprocess.run([str(program_path("kubectl-carbon")), *arguments], stderr=slave, stdout=subprocess.PIPE, check=True)
    os.close(slave)
    shown = os.read(master, 100_000).decode()
    os.close(master)
    assert "[" in shown and "%" in shown and "values" in shown
