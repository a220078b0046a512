# SPDX-License-Identifier: Apache-2.0
"""The operator's read API on a real API server: who may read what, what it says, and what it makes of nonsense."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cluster import ControlPlane
from harness.api import Api
from harness.grid import VirtualClock, carbon_aware_job, fresh_clock, rfc3339, set_region
from harness.process import ProcessRunner
from harness.readapi import ReadApi, own_address, reader, start_read_api
from harness.waiting import wait_for

VIEWS = (
    "current-grid-status",
    "regional-compute-opportunities",
    "workload-optimisation-opportunities",
    "latest-grid-conditions",
)


@pytest.fixture
def clock() -> VirtualClock:
    return fresh_clock()


@pytest.fixture
def grid(api: Api, clock: VirtualClock) -> None:
    """Two regions with a forecast of two days."""
    names = ("london", "north-scotland")
    for name, carbon in zip(names, (200, 20), strict=True):
        set_region(api, name, clock.now(), [carbon + i % 7 for i in range(96)], [250_000 - i for i in range(96)])


@pytest.fixture
def read_api(
    programs: ProcessRunner, cluster: ControlPlane, operator_kubeconfig: Path, workdir: Path, clock: VirtualClock, grid: None
) -> ReadApi:
    return start_read_api(programs, cluster, operator_kubeconfig, workdir, clock, tls=True)


def finished_job(api: Api, name: str) -> dict[str, Any]:
    api.create(carbon_aware_job(name, expectedDurationSeconds=600, urgency="Critical", powerWattsPerPod=100))
    return api.wait_condition("carbonawarejobs", name, "Complete", timeout=60)


def test_who_may_read_what(read_api: ReadApi, api: Api, cluster: ControlPlane) -> None:
    finished_job(api, "done")
    everything = reader(api, cluster, "everything", role="loadshift-view")
    here = reader(api, cluster, "here", namespace=api.namespace, role="loadshift-view")
    nothing = reader(api, cluster, "nothing")

    for path in ("/regions", "/jobs", "/statistics", "/providers", "/data/status", "/decisions", f"/views/{VIEWS[0]}"):
        assert read_api.ask(path, everything)[0] == 200, path
        status, body = read_api.ask(path, nothing)
        assert status == 403 and "may not list" in body["error"], path
        status, body = read_api.ask(path)
        assert status == 401 and "token" in body["error"], path
        assert read_api.ask(path, "no.such.token")[0] == 401, path
        assert read_api.ask(path, "")[0] == 401, path
    own = f"?namespace={api.namespace}"
    assert read_api.ask("/openapi.json")[0] == 200
    assert read_api.ask(f"/jobs{own}", here)[1]["jobs"][0]["name"] == "done"
    assert read_api.ask(f"/decisions{own}", here)[0] == 200
    assert read_api.ask("/jobs?namespace=kube-system", here)[0] == 403
    assert read_api.ask("/jobs", here)[0] == 403
    assert read_api.ask("/regions", here)[0] == 403
    assert read_api.ask(f"/views/{VIEWS[1]}", here)[0] == 403


def test_what_it_says(read_api: ReadApi, api: Api, cluster: ControlPlane, clock: VirtualClock) -> None:
    token = reader(api, cluster, "everything", role="loadshift-view")
    caj = finished_job(api, "done")
    api.create(carbon_aware_job("later", expectedDurationSeconds=3600, maxDelaySeconds=80_000, powerWattsPerPod=100,
                                relocate={"regions": ["north-scotland"]}, homeRegion="london"))  # fmt: skip
    api.wait_condition("carbonawarejobs", "later", "Planned", timeout=30)
    own = f"?namespace={api.namespace}"

    regions = read_api.ask("/regions", token)[1]["regions"]
    assert [r["name"] for r in regions] == ["london", "north-scotland"]
    assert 200_000 <= regions[0]["carbonMilligramsPerKWh"] < 207_000
    assert regions[0]["currency"] == "GBP" and regions[0]["sources"][0]["provider"] == "carbonintensity-gb"
    current = read_api.ask("/regions/london/current", token)[1]
    assert current["basis"]["resolution"] == "regional"
    forecast = read_api.ask("/regions/london/forecast?hours=3", token)[1]
    assert len(forecast["carbonP50MilligramsPerKWh"]) == len(forecast["priceP50PerKWhMicros"]) == 6
    assert forecast["slotSeconds"] == 1800
    assert forecast["ownForecast"]["reason"] == "NoDatabase"  # something else writes these regions
    assert read_api.ask("/regions/nowhere/current", token)[0] == 404

    jobs = {j["name"]: j for j in read_api.ask(f"/jobs{own}", token)[1]["jobs"]}
    assert jobs["done"]["state"] == "Succeeded" and "explanation" in jobs["later"]
    first = read_api.ask(f"/jobs{own}&limit=1", token)[1]
    assert [j["name"] for j in first["jobs"]] == ["done"]
    rest = read_api.ask(f"/jobs{own}&limit=1&continue={first['continue'].replace('/', '%2F')}", token)[1]
    assert [j["name"] for j in rest["jobs"]] == ["later"] and "continue" not in rest
    assert [j["name"] for j in read_api.ask(f"/jobs{own}&state=Succeeded", token)[1]["jobs"]] == ["done"]

    statistics = read_api.ask(f"/statistics{own}", token)[1]
    total = sum(g["carbonMilligrams"] for g in statistics["totals"])
    wanted = caj["status"]["actual"].get("carbonMilligrams", 0)
    assert total == wanted == sum(g["carbonMilligrams"] for g in statistics["namespaces"])

    def decided() -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = read_api.ask(f"/decisions{own}&job=later", token)[1]["rows"]
        return rows

    [decision, *_] = wait_for(decided, what="the decision in the database", until=bool)
    assert decision["region"] == "north-scotland" and decision["explanation"]
    assert decision["planID"] == api.get("carbonawarejobs", "later")["status"]["planID"]
    status = read_api.ask("/data/status", token)[1]
    rows = {t["table"]: t["rows"] for t in status["tables"]}
    assert status["kind"] == "sqlite" and rows["workload"] >= 2 and rows["compute_asset"] == 3
    views = {name: read_api.ask(f"/views/{name}?limit=1", token)[1] for name in VIEWS}
    compute = views["regional-compute-opportunities"]
    assert compute["nextOffset"] == 1
    rest = read_api.ask("/views/regional-compute-opportunities?offset=1", token)[1]
    # south-wales has a node, but no GridRegion here.
    assert [(r["region"], r["nodes"]) for r in compute["rows"] + rest["rows"]] == [("london", 1), ("north-scotland", 1)]
    providers = {p["name"]: p for p in read_api.ask("/providers", token)[1]["providers"]}
    assert providers["octopus-agile"]["exportable"] is False and providers["carbonintensity-gb"]["exportable"] is True


def test_workload_ahead(read_api: ReadApi, api: Api, cluster: ControlPlane, clock: VirtualClock) -> None:
    """What is planned of a namespace, and what is to be expected from ten days of hourly runs."""
    token = reader(api, cluster, "everything", role="loadshift-view")
    own = f"?namespace={api.namespace}&hours=48"
    api.create(carbon_aware_job("later", expectedDurationSeconds=3600, maxDelaySeconds=80_000, powerWattsPerPod=100,
                                relocate={"regions": ["north-scotland"]}, homeRegion="london"))  # fmt: skip
    api.wait_condition("carbonawarejobs", "later", "Planned", timeout=30)
    ahead = read_api.ask(f"/workload-forecast{own}", token)[1]
    planned = ahead["plannedMilliwatts"]
    assert len(planned) == 96 and max(planned) == 100_000 and sum(planned) == 200_000, planned
    assert ahead["pastRuns"] == 0 and "expectedP50Milliwatts" not in ahead

    now = int(clock.now()) // 3600 * 3600
    columns = (
        "uid, cluster, namespace, name, template_hash, home_region, state, urgency, created_ms, updated_ms, started_ms, "
        "finished_ms, energy_milliwatt_hours, currency"
    )
    rows = [
        (f"run-{i}", "", api.namespace, f"run-{i}", "h", "", "Succeeded", "Normal", 0, 0, (now - i * 3600) * 1000,
         (now - (i - 1) * 3600) * 1000, 50_000 if (now - i * 3600) % 86400 < 43200 else 10_000, "")
        for i in range(1, 240)
    ]  # fmt: skip
    assert read_api.database
    with sqlite3.connect(read_api.database, timeout=30) as db:
        db.executemany(f"INSERT INTO workload ({columns}) VALUES ({', '.join('?' * 14)})", rows)
    ahead = read_api.ask(f"/workload-forecast{own}", token)[1]
    expected = ahead["expectedP50Milliwatts"]
    assert ahead["pastRuns"] == 239 and len(expected) == 96
    # Half of each day 50 W, else 10; but for the hour that has just begun, in which nothing has run.
    ordered = sorted(expected)
    assert 5_000 < ordered[8] < 15_000 and 45_000 < ordered[-9] < 55_000, expected
    low, high = ahead["expectedP10Milliwatts"], ahead["expectedP90Milliwatts"]
    assert all(a <= b <= c for a, b, c in zip(low, expected, high, strict=True))
    assert read_api.ask("/workload-forecast?hours=1000", token)[0] == 400
    assert read_api.ask("/forecast-scores?region=london", token) == (200, {"rows": []})


def test_the_description_is_true(read_api: ReadApi, api: Api, cluster: ControlPlane) -> None:
    """Every documented path answers with its documented parameters, and with none that it does not document."""
    token = reader(api, cluster, "everything", role="loadshift-view")
    document = read_api.ask("/openapi.json")[1]
    assert document["openapi"].startswith("3.")
    sample = {"integer": "2", "string": "abc", "date-time": "2026-01-01T00:00:00Z"}
    for path, methods in document["paths"].items():
        assert list(methods) == ["get"]
        parameters = methods["get"]["parameters"]
        concrete = path.replace("{name}", "london")
        query = "&".join(
            f"{p['name']}={sample[p['schema'].get('format', p['schema']['type'])]}"
            for p in parameters
            if p["in"] == "query"
        )
        for question in (concrete, f"{concrete}?{query}"):
            status, body = read_api.ask(question, token)
            assert status == 200 and isinstance(body, dict), (question, body)
        status, body = read_api.ask(f"{concrete}?surplus=1", token)
        assert status == 400 and "surplus" in body["error"], path
        if path != "/openapi.json":
            assert {"401", "403"} <= set(methods["get"]["responses"]), path
            assert read_api.ask(concrete)[0] == 401, path


def test_records_after_a_restart(
    programs: ProcessRunner, cluster: ControlPlane, operator_kubeconfig: Path, workdir: Path, api: Api, clock: VirtualClock,
    grid: None,
) -> None:  # fmt: skip
    """Killed and started again: no decision twice, and what went away meanwhile is no longer open."""
    read_api = start_read_api(
        programs, cluster, operator_kubeconfig, workdir, clock, "--identity", "records", database=True
    )
    for name in ("stays", "goes"):
        api.create(carbon_aware_job(name, expectedDurationSeconds=3600, maxDelaySeconds=80_000, powerWattsPerPod=100,
                                    earliestStartTime=rfc3339(clock.now() + 40_000)))  # fmt: skip
        api.wait_condition("carbonawarejobs", name, "Planned", timeout=30)
    assert read_api.database

    def rows(sql: str) -> list[Any]:
        with sqlite3.connect(f"file:{read_api.database}?mode=ro", uri=True) as db:
            return db.execute(sql, (api.namespace,)).fetchall()

    decisions = "SELECT name, plan_id FROM schedule JOIN workload ON uid = workload_uid WHERE namespace = ? ORDER BY 1, 2"
    states = "SELECT name, state, finished_ms IS NULL FROM workload WHERE namespace = ? ORDER BY 1"
    before = wait_for(lambda: rows(decisions), what="two decisions", until=lambda found: len(found) >= 2)
    read_api.operator.kill()
    api.delete("carbonawarejobs", "goes")
    api.wait_gone("carbonawarejobs", "goes")
    read_api.operator.start()
    found = wait_for(lambda: rows(states), what="goes is gone", until=lambda r: ("goes", "Deleted", 0) in r)
    assert [name for name, _, is_open in found if is_open] == ["stays"]
    plans = rows(decisions)
    assert len(plans) == len(set(plans)) and set(before) <= set(plans)


@pytest.mark.parametrize(
    ("question", "code"),
    [
        ("", 404), ("/", 404), ("/nothing", 404), ("/regions/", 404), ("/regions//current", 404),
        ("/regions/london/current/more", 404), ("/regions/%2e%2e/current", 400), ("/regions/..%2f..%2fetc/current", 400),
        ("/regions/lon%00don/current", 400), ("/regions/" + "x" * 4000 + "/current", 404), ("/views/schedule", 404),
        ("/jobs?limit=0", 400), ("/jobs?limit=1001", 400), ("/jobs?limit=ten", 400), ("/jobs?limit=1&limit=2", 400),
        ("/jobs?namespace=NO", 400), ("/jobs?namespace=a%2Fb", 400), ("/jobs?namespace=a&namespace=b", 400),
        ("/decisions?since=yesterday", 400), ("/decisions?job=%27%3B+DROP+TABLE+schedule%3B--", 400),
        ("/decisions?job=%ff%fe", 400), ("/decisions?offset=-1", 400),
        ("/regions/london/forecast?hours=99999999999999999999", 400), ("/jobs?" + "&" * 3000, 200),
    ],
)  # fmt: skip
def test_nonsense_is_refused(hostile: tuple[ReadApi, str], question: str, code: int) -> None:
    read_api, token = hostile
    status, body = read_api.ask(question, token)
    assert status == code or (code in (400, 404) and status in (400, 404)), body
    assert status == 200 or body["error"]


@pytest.fixture(scope="module")
def hostile(
    cluster: ControlPlane, operator_kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ReadApi, str]]:
    """One operator for all of that; it must be alive and clean at the end."""
    folder = tmp_path_factory.mktemp("hostile")
    programs = ProcessRunner(folder)
    api = Api(cluster.client, "loadshift-system")
    read_api = start_read_api(programs, cluster, operator_kubeconfig, folder, fresh_clock())
    yield read_api, reader(api, cluster, "hostile-reader", role="loadshift-view")
    assert read_api.ask("/openapi.json")[0] == 200
    programs.close()


def test_reads_only(hostile: tuple[ReadApi, str]) -> None:
    read_api, token = hostile
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert read_api.ask("/jobs", token, method)[0] == 405, method


def test_a_crowd(hostile: tuple[ReadApi, str]) -> None:
    """A hundred at once: each is answered, or told to come back."""
    read_api, token = hostile
    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(lambda _: read_api.ask("/jobs", token), range(100)))
    assert {status for status, _ in answers} <= {200, 503}
    assert sum(status == 200 for status, _ in answers) >= 50
    assert all("too many" in body["error"] for status, body in answers if status == 503)


def test_strangers_do_not_use_up_the_api_server(hostile: tuple[ReadApi, str]) -> None:
    """Made-up tokens cost a bounded number of questions to it."""
    read_api, token = hostile
    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda i: read_api.ask("/jobs", f"stranger-{i}")[0], range(150)))
    assert set(codes) == {401, 503}
    wait_for(lambda: read_api.ask("/jobs", token)[0] == 200, what="a reader with rights is answered again")


def test_without_a_database(
    programs: ProcessRunner, cluster: ControlPlane, operator_kubeconfig: Path, workdir: Path, api: Api, clock: VirtualClock
) -> None:
    """And plain on all addresses, since it says so."""
    read_api = start_read_api(
        programs, cluster, operator_kubeconfig, workdir, clock, "--read-api-plain", database=False
    )
    token = reader(api, cluster, "everything", role="loadshift-view")
    assert read_api.ask("/jobs", token)[0] == 200
    for path in ("/decisions", "/data/status", *(f"/views/{view}" for view in VIEWS)):
        status, body = read_api.ask(path, token)
        assert status == 404 and "db.url" in body["error"], path


def publish(system: Api, address: str, port: int) -> None:
    """Endpoints of the service. The proxy goes to addresses of pods only, so there is one that says it has this one."""
    container = {"name": "operator", "image": "example.org/operator:1"}
    metadata = {"name": "loadshift-operator"}
    pod = system.create(
        {"kind": "Pod", "metadata": metadata, "spec": {"schedulerName": "nobody", "containers": [container]}}
    )
    ip = {"podIP": address, "podIPs": [{"ip": address}]}
    system.patch("pods", "loadshift-operator", {"status": ip}, subresource="status")
    target = {"kind": "Pod", "name": "loadshift-operator", "namespace": system.namespace, "uid": pod["metadata"]["uid"]}
    system.request(
        "POST",
        f"/api/v1/namespaces/{system.namespace}/endpoints",
        {
            "kind": "Endpoints",
            "apiVersion": "v1",
            "metadata": metadata,
            "subsets": [{"addresses": [{"ip": address, "targetRef": target}], "ports": [{"port": port}]}],
        },
    )


def test_through_the_api_server(
    programs: ProcessRunner, cluster: ControlPlane, operator_kubeconfig: Path, workdir: Path, api: Api, clock: VirtualClock
) -> None:
    """The service proxy brings no token: answered only with --read-api-proxied, and only who may use the proxy."""
    address = own_address()
    if not address:
        pytest.skip("this machine has only loopback addresses, to which the API server's proxy does not go")
    read_api = start_read_api(programs, cluster, operator_kubeconfig, workdir, clock, "--read-api-proxied", tls=True)
    assert read_api.ask("/jobs")[0] == 200
    assert read_api.ask("/jobs", "wrong")[0] == 401
    system = Api(cluster.client, "loadshift-system")
    system.create(
        {"kind": "Service", "metadata": {"name": "loadshift-operator"}, "spec": {"ports": [{"port": 8443}]}}
    )
    try:
        publish(system, address, read_api.port)
        path = "/api/v1/namespaces/loadshift-system/services/https:loadshift-operator:8443/proxy/api/v1/jobs"
        answer = wait_for(lambda: system.request("GET", path), what="an answer through the proxy", until=bool)
        assert "jobs" in answer
        nobody = cluster.kubeconfig_for_account(api.namespace, "nobody")
        denied = programs.call("kubectl-carbon", "jobs", "--kubeconfig", nobody)
        assert denied.returncode == 1 and "services/proxy" in denied.stderr, denied.stderr
        allowed = programs.call("kubectl-carbon", "jobs", "--kubeconfig", cluster.kubeconfig)
        assert allowed.returncode == 0 and allowed.stdout.startswith("NAMESPACE"), allowed.stderr
    finally:
        system.delete("services", "loadshift-operator")
        system.delete("pods", "loadshift-operator", gracePeriodSeconds=0)
