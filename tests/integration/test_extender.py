# SPDX-License-Identifier: Apache-2.0
"""The extender with the real kube-scheduler, configured by the samples that we ship.

One API server without controllers serves all tests of this file: kube-scheduler's binding a pod to a node is all there
is to see. Each test runs a scheduler of its own, with its own schedulerName.
"""

from __future__ import annotations

import contextlib
import datetime
import http.client
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster import Certificates, ControlPlane, free_port, http_ok
from harness.api import Api, Object
from harness.process import ROOT, ProcessRunner, Program
from harness.waiting import wait_for

SAMPLES = ROOT / "manifests/scheduler"
CLEAN, DIRTY = "north-scotland", "london"
SLOTS = 96
EACH = 4  # nodes in each of the two regions
# Two for every node. Each takes enough of one for kube-scheduler by itself to prefer a node that has fewer.
PODS = 4 * EACH


# ---- the cluster ----------------------------------------------------------------------------------------------------


def region_of(name: str) -> str:
    return CLEAN if name.startswith("clean") else DIRTY


@pytest.fixture(scope="module")
def plane(run_directory: Path, kube_tools: dict[str, str]) -> Iterator[ControlPlane]:
    """API server and etcd, our CRDs, and plain nodes in two regions."""
    off = ("ServiceAccount", "TaintNodesByCondition")
    with ControlPlane(run_directory / "extender", tools=kube_tools, only=(), disable_admission_plugins=off) as made:
        made.kubectl("apply", "--server-side", "-f", str(ROOT / "crds"))
        made.kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", str(ROOT / "crds"))
        for prefix in ("clean", "dirty"):
            labels = {"loadshift.io/region": region_of(prefix)}
            made.add_nodes(EACH, labels, fake=False, prefix=prefix, cpu="64", wait=False)
        for name in (CLEAN, DIRTY):
            made.kubectl("apply", "-f", "-", stdin=json.dumps(gridregion(name)))
        yield made


def gridregion(name: str) -> Object:
    carbon, price = {"provider": "carbonintensity-gb", "zone": "1"}, {"provider": "octopus-agile", "zone": "_P"}
    spec = {
        "displayName": name,
        "group": "gb",
        "carbon": {"chain": [carbon]},
        "price": {"chain": [price]},
        "costBasis": "Tariff",
    }
    return {"apiVersion": "loadshift.io/v1alpha1", "kind": "GridRegion", "metadata": {"name": name}, "spec": spec}


def status(grams: int, pence: float = 20.0, *, age: datetime.timedelta = datetime.timedelta()) -> Object:
    """A flat forecast from the present slot on, issued that long ago."""
    now = datetime.datetime.now(datetime.timezone.utc)
    start = now.replace(minute=now.minute // 30 * 30, second=0, microsecond=0)

    def text(time: datetime.datetime) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ")

    return {
        "basis": {"accounting": "average", "scope": "direct", "boundary": "consumption", "resolution": "regional"},
        "sources": [{"metric": "price", "provider": "octopus-agile", "zone": "_P", "currency": "GBP"}],
        "forecast": {
            "startTime": text(start),
            "slotSeconds": 1800,
            "issuedTime": text(now - age),
            "carbonP50": [grams * 1000] * SLOTS,
            "priceP50": [round(pence * 10000)] * SLOTS,
        },
    }


class Grid:
    """Writes what the regions' forecasts are, as the operator would, and knows when an extender has seen it."""

    def __init__(self, api: Api) -> None:
        self.api = api

    def write(self, clean: Object, dirty: Object) -> None:
        for name, value in ((CLEAN, clean), (DIRTY, dirty)):
            self.api.patch("gridregions", name, {"status": None}, subresource="status")
            self.api.patch("gridregions", name, {"status": value}, subresource="status")


@pytest.fixture
def grid(plane: ControlPlane) -> Grid:
    """North Scotland clean, London dirty."""
    made = Grid(Api(plane.client))
    made.write(status(30), status(300))
    return made


# ---- the extender ---------------------------------------------------------------------------------------------------


class Extender:
    """A running extender and its three ports."""

    def __init__(self, programs: ProcessRunner, kubeconfig: Path, *options: str, ready: bool = True) -> None:
        self.port, metrics, probes = free_port(), free_port(), free_port()
        self.metrics_url, self.probes_url = f"127.0.0.1:{metrics}", f"127.0.0.1:{probes}"
        self.program: Program = programs.start(
            "extender",
            f"--kubeconfig={kubeconfig}",
            "--listen-address=127.0.0.1",
            f"--listen-port={self.port}",
            "--metrics-address=127.0.0.1",
            f"--metrics-port={metrics}",
            "--probes-address=127.0.0.1",
            f"--probes-port={probes}",
            *options,
            ready=f"http://{self.probes_url}/{'readyz' if ready else 'healthz'}",
        )

    def post(self, verb: str, body: bytes | Object) -> tuple[int, Any]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request("POST", f"/{verb}", data, {"Content-Type": "application/json"})
            response = connection.getresponse()
            assert response.getheader("Content-Length") is not None
            text = response.read()
        return response.status, json.loads(text)

    def scores(self, *names: str, annotations: dict[str, str] | None = None) -> dict[str, int]:
        code, answer = self.post("prioritize", arguments(names, annotations))
        assert code == 200
        return {item["Host"]: item["Score"] for item in answer}

    def metric(self, series: str) -> float:
        """0 where there is no such series yet."""
        host, _, port = self.metrics_url.partition(":")
        with contextlib.closing(http.client.HTTPConnection(host, int(port), timeout=10)) as connection:
            connection.request("GET", "/metrics")
            text = connection.getresponse().read().decode()
        found = re.search(f"^{re.escape(series)} (.*)$", text, re.MULTILINE)
        return float(found[1]) if found else 0

    def requests(self, verb: str, result: str = "ok") -> float:
        return self.metric(f'loadshift_extender_requests_total{{verb="{verb}",result="{result}"}}')

    def wait_scores(self, clean: int, dirty: int) -> None:
        """Until it has seen what was written to the GridRegions."""
        expected = {"clean-0": clean, "dirty-0": dirty}
        wait_for(lambda: self.scores("clean-0", "dirty-0") == expected, what=f"scores are {expected}")


def arguments(names: tuple[str, ...], annotations: dict[str, str] | None = None) -> Object:
    """ExtenderArgs, as kube-scheduler sends it."""
    return {"Pod": {"metadata": {"name": "p", "annotations": annotations}}, "Nodes": None, "NodeNames": list(names)}


@pytest.fixture
def extender(plane: ControlPlane, grid: Grid, programs: ProcessRunner) -> Extender:
    made = Extender(programs, plane.kubeconfig)
    made.wait_scores(10, 0)
    return made


# ---- the scheduler --------------------------------------------------------------------------------------------------


class Scheduling:
    """Schedulers and pods of one test."""

    def __init__(self, plane: ControlPlane, programs: ProcessRunner, name: str, workdir: Path) -> None:
        self.plane, self.programs, self.name, self.workdir = plane, programs, name, workdir
        self.api = Api(plane.client, name)
        self.api.create({"kind": "Namespace", "metadata": {"name": name}})
        self.number = 0

    def start(self, sample: str = "second-scheduler.yaml", **extender: Any) -> Program:
        """kube-scheduler with one of our samples, in which only places and what the test is about are changed."""
        config = yaml.safe_load((SAMPLES / sample).read_text())
        config["leaderElection"] = {"leaderElect": False}
        config["clientConnection"] = {"kubeconfig": str(self.plane.kubeconfig), "qps": 5000, "burst": 10000}
        config["profiles"] = [{"schedulerName": self.name}]
        [entry] = config["extenders"]
        entry.update(extender)
        if not entry.get("enableHTTPS"):
            entry.pop("tlsConfig", None)
        path = self.workdir / "scheduler.yaml"
        path.write_text(yaml.safe_dump(config))
        port = free_port()
        return self.programs.start(
            self.plane.tools["kube-scheduler"],
            f"--config={path}",
            f"--authentication-kubeconfig={self.plane.kubeconfig}",
            f"--authorization-kubeconfig={self.plane.kubeconfig}",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            f"--cert-dir={self.workdir / 'pki'}",
            ready=f"https://127.0.0.1:{port}/healthz",
        )

    def run(self, count: int = PODS, annotations: dict[str, str] | None = None) -> Counter[str]:
        """Creates pods without any affinity; gives the regions they were bound to."""
        self.number += 1
        names = [f"pod-{self.number}-{i}" for i in range(count)]
        given = {"loadshift.io/regions": f"{CLEAN},{DIRTY}"} if annotations is None else annotations
        for name in names:
            self.api.create(
                {
                    "kind": "Pod",
                    "metadata": {"name": name, "annotations": given},
                    "spec": {
                        "schedulerName": self.name,
                        "containers": [
                            {"name": "main", "image": "none", "resources": {"requests": {"cpu": "2", "memory": "2Gi"}}}
                        ],
                    },
                }
            )

        def bound() -> dict[str, str]:
            pods = {pod["metadata"]["name"]: pod["spec"].get("nodeName") for pod in self.api.list("pods")}
            return {name: pods[name] for name in names if pods.get(name)}

        nodes = wait_for(bound, 60, what=f"{count} pods are bound", until=lambda seen: len(seen) == count)
        return Counter(region_of(node) for node in nodes.values())


@pytest.fixture
def scheduling(
    plane: ControlPlane, programs: ProcessRunner, workdir: Path, request: pytest.FixtureRequest
) -> Iterator[Scheduling]:
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:40] + f"-{time.monotonic_ns() % 10**6}"
    made = Scheduling(plane, programs, name, workdir)
    yield made
    for pod in made.api.list("pods"):
        made.api.delete("pods", pod["metadata"]["name"], gracePeriodSeconds=0)


def plain(extender: Extender) -> dict[str, Any]:
    """What a sample's entry needs to reach an extender without TLS."""
    return {"urlPrefix": f"http://127.0.0.1:{extender.port}", "enableHTTPS": False}


# ---- pods follow the scores -----------------------------------------------------------------------------------------


def check_pods_follow_the_scores(scheduling: Scheduling, grid: Grid, extender: Extender) -> None:
    assert scheduling.run() == {CLEAN: PODS}
    grid.write(status(300), status(30))
    extender.wait_scores(0, 10)
    assert scheduling.run() == {DIRTY: PODS}


@pytest.mark.parametrize("sample", ["second-scheduler.yaml", "existing-scheduler.yaml"])
def test_pods_follow_the_scores_and_flip(sample: str, scheduling: Scheduling, grid: Grid, extender: Extender) -> None:
    scheduling.start(sample, **plain(extender))
    check_pods_follow_the_scores(scheduling, grid, extender)
    assert extender.requests("filter") >= 2 * PODS
    assert extender.requests("prioritize") > 0


def test_that_check_fails_when_scores_are_constant(scheduling: Scheduling, grid: Grid, extender: Extender) -> None:
    """With equal data every node gets 5, and the pods spread: what the test above sees is the extender's doing."""
    grid.write(status(100), status(100))
    extender.wait_scores(5, 5)
    scheduling.start(**plain(extender))
    with pytest.raises(AssertionError, match="Counter"):
        check_pods_follow_the_scores(scheduling, grid, extender)
    spread = scheduling.run()
    assert min(spread[CLEAN], spread[DIRTY]) >= PODS // 4


def test_price_decides_where_carbon_does_not(scheduling: Scheduling, grid: Grid, extender: Extender) -> None:
    grid.write(status(100, pence=35), status(100, pence=5))
    extender.wait_scores(0, 10)
    scheduling.start(**plain(extender))
    assert scheduling.run() == {DIRTY: PODS}


def test_stale_data_does_not_attract(scheduling: Scheduling, grid: Grid, extender: Extender) -> None:
    grid.write(status(30, age=datetime.timedelta(hours=7)), status(300))
    extender.wait_scores(5, 5)
    scheduling.start(**plain(extender))
    spread = scheduling.run()
    assert min(spread[CLEAN], spread[DIRTY]) >= PODS // 4


def test_whole_node_requests(scheduling: Scheduling, grid: Grid, extender: Extender) -> None:
    scheduling.start(**plain(extender), nodeCacheCapable=False)
    assert scheduling.run(4, {"loadshift.io/max-carbon-g-per-kwh": "100"}) == {CLEAN: 4}
    check_pods_follow_the_scores(scheduling, grid, extender)


# ---- limits ---------------------------------------------------------------------------------------------------------


def test_caps_drop_nodes_only_while_one_fits(scheduling: Scheduling, grid: Grid, extender: Extender) -> None:
    lifted = 'loadshift_extender_caps_lifted_total{limit="caps"}'
    # Dirty is cheaper by far, so without the cap it would win.
    grid.write(status(100, pence=40), status(140, pence=2))
    extender.wait_scores(0, 10)
    scheduling.start(**plain(extender))
    assert scheduling.run(8, {"loadshift.io/max-carbon-g-per-kwh": "120"}) == {CLEAN: 8}
    assert extender.metric(lifted) == 0
    # No node is below 50 g: the pod runs all the same, where it would have run.
    assert scheduling.run(8, {"loadshift.io/max-carbon-g-per-kwh": "50"}) == {DIRTY: 8}
    assert extender.metric(lifted) >= 8


def test_allowed_regions(scheduling: Scheduling, extender: Extender) -> None:
    scheduling.start(**plain(extender))
    assert scheduling.run(8, {"loadshift.io/regions": DIRTY}) == {DIRTY: 8}
    assert scheduling.run(4, {"loadshift.io/regions": "south-wales"}) == {CLEAN: 4}
    assert extender.metric('loadshift_extender_caps_lifted_total{limit="regions"}') >= 4


def test_a_bad_annotation_fails_no_pod(scheduling: Scheduling, extender: Extender) -> None:
    scheduling.start(**plain(extender))
    bad = {"loadshift.io/regions": "Not A Region", "loadshift.io/max-carbon-g-per-kwh": "much"}
    assert scheduling.run(4, bad) == {CLEAN: 4}
    for name in ("regions", "max-carbon-g-per-kwh"):
        assert extender.metric(f'loadshift_extender_bad_annotations_total{{annotation="{name}"}}') >= 4


# ---- do no harm -----------------------------------------------------------------------------------------------------


def test_scheduling_goes_on_without_the_extender(scheduling: Scheduling, extender: Extender) -> None:
    scheduling.start(**plain(extender))
    assert scheduling.run(4) == {CLEAN: 4}
    extender.program.kill()
    assert sum(scheduling.run(8).values()) == 8


def test_scheduling_goes_on_while_the_extender_hangs(scheduling: Scheduling, extender: Extender) -> None:
    scheduling.start(**plain(extender))
    extender.program.pause()
    assert sum(scheduling.run(3).values()) == 3
    extender.program.resume()


def test_until_synced_everything_passes(plane: ControlPlane, programs: ProcessRunner, workdir: Path) -> None:
    nowhere = workdir / "nowhere.kubeconfig"
    nowhere.write_text(plane.kubeconfig.read_text().replace(f":{plane.port}", f":{free_port()}"))
    extender = Extender(programs, nowhere, ready=False)
    assert not http_ok(f"http://{extender.probes_url}/readyz")
    assert extender.scores("clean-0", "dirty-0") == {"clean-0": 5, "dirty-0": 5}
    wish = {"loadshift.io/regions": DIRTY}
    assert extender.post("filter", arguments(("clean-0",), wish)) == (200, {"NodeNames": ["clean-0"]})
    assert extender.metric('loadshift_extender_neutral_total{reason="not-synced"}') == 2


@pytest.mark.threads
def test_what_is_known_survives_the_api_server(
    private_cluster: Callable[..., ControlPlane], programs: ProcessRunner
) -> None:
    plane = private_cluster(only=(), disable_admission_plugins=("TaintNodesByCondition",))
    for prefix in ("clean", "dirty"):
        plane.add_nodes(1, {"loadshift.io/region": region_of(prefix)}, fake=False, prefix=prefix, wait=False)
    for name in (CLEAN, DIRTY):
        plane.kubectl("apply", "-f", "-", stdin=json.dumps(gridregion(name)))
    grid = Grid(Api(plane.client))
    grid.write(status(30), status(300))
    extender = Extender(programs, plane.kubeconfig)
    extender.wait_scores(10, 0)
    plane.components["kube-apiserver"].stop(kill=True)
    time.sleep(2)
    assert extender.scores("clean-0", "dirty-0") == {"clean-0": 10, "dirty-0": 0}
    assert http_ok(f"http://{extender.probes_url}/readyz")
    plane.components["kube-apiserver"].start()
    plane.components["kube-apiserver"].wait_ready()
    grid.write(status(300), status(30))
    extender.wait_scores(0, 10)


# ---- TLS ------------------------------------------------------------------------------------------------------------


def tls_entry(extender: Extender, ca: Path) -> dict[str, Any]:
    tls = {"caFile": str(ca), "serverName": "localhost"}
    return {"urlPrefix": f"https://127.0.0.1:{extender.port}", "enableHTTPS": True, "tlsConfig": tls}


@pytest.fixture
def tls_extender(plane: ControlPlane, grid: Grid, programs: ProcessRunner) -> Extender:
    certificate, key = plane.certificates.server("extender")
    return Extender(programs, plane.kubeconfig, f"--tls-cert-file={certificate}", f"--tls-key-file={key}")


def test_tls_with_our_ca(scheduling: Scheduling, plane: ControlPlane, tls_extender: Extender) -> None:
    scheduling.start(**tls_entry(tls_extender, plane.certificates.ca))
    assert scheduling.run() == {CLEAN: PODS}
    assert tls_extender.requests("prioritize") > 0


def test_tls_with_another_ca(scheduling: Scheduling, tls_extender: Extender, workdir: Path) -> None:
    """The CA in the samples is obeyed: an extender that another one vouches for is not asked."""
    scheduling.start(**tls_entry(tls_extender, Certificates(workdir / "other").ca))
    assert sum(scheduling.run(4).values()) == 4
    assert tls_extender.requests("filter") == 0


def test_client_certificates(plane: ControlPlane, grid: Grid, scheduling: Scheduling, programs: ProcessRunner) -> None:
    certificate, key = plane.certificates.server("extender")
    files = (f"--tls-cert-file={certificate}", f"--tls-key-file={key}", f"--tls-client-ca-file={plane.certificates.ca}")
    extender = Extender(programs, plane.kubeconfig, *files)
    entry = tls_entry(extender, plane.certificates.ca)
    own, own_key = plane.certificates.client("scheduler-of-this-test")
    entry["tlsConfig"] |= {"certFile": str(own), "keyFile": str(own_key)}
    scheduling.start(**entry)
    assert scheduling.run(4) == {CLEAN: 4}
    assert extender.requests("filter") >= 4


# ---- bad input ------------------------------------------------------------------------------------------------------


def test_bad_requests_are_refused_and_survived(extender: Extender) -> None:
    names = b'"NodeNames":["clean-0","dirty-0"]'
    cases: list[tuple[bytes, str]] = [
        (b"", "the body is empty"),
        (b"hello", "ExtenderArgs must be a JSON object"),
        (b"\x00\xff\xfe", "ExtenderArgs must be a JSON object"),
        (b'{"Pod":{},' + names, "expected ',' or '}'"),
        (b'{"Pod":"x",' + names + b"}", "Pod must be an object"),
        (b'{"Pod":{},"NodeNames":{"a":1}}', "NodeNames must be an array"),
        (b'{"Pod":{},"NodeNames":[1]}', "a name in NodeNames must be a string"),
        (b'{"Pod":{},"Nodes":[]}', "Nodes must be an object"),
        (b'{"Pod":{}}', "neither NodeNames nor Nodes is set"),
        (b'{"pod":{},' + names + b"}", "Pod is missing"),
        (b'{"Pod":{},' + names + b"," + names + b"}", "stands there twice"),
        (b'{"Pod":{"a":' + b"[" * 100000, "nested too deep"),
        (b'{"Pod":{},"NodeNames":["\xff"]}', "not UTF-8"),
    ]
    for verb in ("filter", "prioritize"):
        for body, text in cases:
            code, answer = extender.post(verb, body)
            assert (code, text in answer["error"]) == (400, True), (body[:80], code, answer)
        assert extender.requests(verb, "bad-request") == len(cases)
    assert extender.scores("clean-0", "dirty-0") == {"clean-0": 10, "dirty-0": 0}


def test_a_body_of_100_mb_is_refused_unread(extender: Extender) -> None:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", extender.port, timeout=30)) as connection:
        connection.putrequest("POST", "/filter")
        connection.putheader("Content-Length", str(100 * 1024 * 1024))
        connection.endheaders()
        with contextlib.suppress(OSError):
            for _ in range(100):
                connection.send(b" " * 1024 * 1024)
        with contextlib.suppress(OSError):
            assert connection.getresponse().status == 413
    resident = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{extender.program.pid}/status").read_text())
    assert resident and int(resident[1]) < 400 * 1024  # sanitizers included
    assert extender.scores("clean-0", "dirty-0") == {"clean-0": 10, "dirty-0": 0}


def test_a_large_whole_node_request_is_answered(extender: Extender) -> None:
    items = [{"metadata": {"name": f"n-{i}", "labels": {"x": "y" * 4000}}} for i in range(4000)]
    code, answer = extender.post("filter", {"Pod": {}, "Nodes": {"items": items}, "NodeNames": None})
    assert code == 200
    assert answer == {"Nodes": {"items": items}}


def test_other_paths_and_methods(extender: Extender) -> None:
    assert extender.post("bind", {})[0] == 404
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", extender.port, timeout=30)) as connection:
        connection.request("GET", "/filter")
        assert connection.getresponse().status == 405


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--listen-port=70000"], "listen-port"),
        (["--no-such-option=1"], "no-such-option"),
        (["--clock-factor=1000"], "clock-factor"),
        (["--log-level=loud"], "log-level"),
    ],
)
def test_bad_options_name_themselves(options: list[str], text: str, programs: ProcessRunner) -> None:
    result = programs.call("extender", *options)
    assert result.returncode == 2
    assert text in result.stderr or text.replace("-", ".") in result.stderr


def test_unknown_config_keys_are_refused(programs: ProcessRunner, workdir: Path) -> None:
    config = workdir / "extender.yaml"
    config.write_text("listen:\n  port: 8888\n  prot: 1\n")
    result = programs.call("extender", f"--config={config}")
    assert result.returncode == 2
    assert "prot" in result.stderr and "3" in result.stderr


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--tls-cert-file=/nowhere.crt"], "tls.keyFile"),
        (["--tls-cert-file=/nowhere.crt", "--tls-key-file=/nowhere.key"], "/nowhere"),
        (["--tls-client-ca-file=/nowhere.crt"], "tls.certFile"),
    ],
)
def test_bad_tls_options(options: list[str], text: str, plane: ControlPlane, programs: ProcessRunner) -> None:
    ports = ["--listen-port=0", "--metrics-port=0", "--probes-port=0"]
    result = programs.call("extender", f"--kubeconfig={plane.kubeconfig}", *ports, *options)
    assert result.returncode == 1
    assert text in result.stderr


# ---- life -----------------------------------------------------------------------------------------------------------


def test_sigterm_ends_it_with_status_0(extender: Extender) -> None:
    started = time.monotonic()
    assert extender.program.terminate() == 0
    assert time.monotonic() - started < 10


@pytest.mark.threads
def test_nodes_and_regions_come_and_go(plane: ControlPlane, grid: Grid, extender: Extender) -> None:
    api = Api(plane.client)
    plane.add_nodes(1, {"loadshift.io/region": CLEAN}, fake=False, prefix="clean-new", wait=False)
    new = "clean-new-0"
    wait_for(lambda: extender.scores(new, "dirty-0") == {new: 10, "dirty-0": 0}, what="node is known")
    api.patch("nodes", "clean-new-0", {"metadata": {"labels": {"loadshift.io/region": DIRTY}}})
    wait_for(lambda: extender.scores(new, "clean-0") == {new: 0, "clean-0": 10}, what="label is seen")
    api.delete("nodes", "clean-new-0")
    wait_for(lambda: extender.metric("loadshift_extender_nodes") == 2 * EACH, what="node is forgotten")
    # By a label that the region selects, and by the cloud provider's name of the place.
    api.patch("gridregions", CLEAN, {"spec": {"nodeSelector": {"site": "glasgow"}, "cloudRegions": ["xx-north-1"]}})
    for number, labels in enumerate(({"site": "glasgow"}, {"topology.kubernetes.io/region": "xx-north-1"})):
        plane.add_nodes(1, labels, fake=False, prefix=f"clean-other-{number}", wait=False)
    names = ("clean-other-0-0", "clean-other-1-0")
    wait_for(
        lambda: extender.scores(*names, "dirty-0") == {names[0]: 10, names[1]: 10, "dirty-0": 0},
        what="nodes are found by selector and cloud region",
    )
    for name in names:
        api.delete("nodes", name)
    api.patch("gridregions", CLEAN, {"spec": {"nodeSelector": None, "cloudRegions": None}})
    wait_for(lambda: extender.metric("loadshift_extender_nodes") == 2 * EACH, what="nodes are forgotten")


@pytest.mark.threads
def test_asked_by_many_while_everything_changes(plane: ControlPlane, grid: Grid, extender: Extender) -> None:
    """Every answer is one of the two that the regions gave at some time, never a mixture."""
    api, before, stop = Api(plane.client), extender.requests("prioritize"), threading.Event()

    def ask(_: int) -> set[tuple[int, int]]:
        seen = set()
        while not stop.is_set():
            scores = extender.scores("clean-0", "dirty-0")
            seen.add((scores["clean-0"], scores["dirty-0"]))
        return seen

    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(ask, i) for i in range(8)]
        for number in range(20):
            clean, dirty = (30, 300) if number % 2 else (300, 30)
            grid.write(status(clean), status(dirty))
            api.patch("nodes", "dirty-1", {"metadata": {"labels": {"round": str(number)}}})
            time.sleep(0.1)
        stop.set()
        seen = set().union(*(answer.result() for answer in answers))
    assert {(10, 0), (0, 10)} <= seen
    assert seen <= {(10, 0), (0, 10), (5, 5)}, "5: a status is written in two steps, in between it is unknown"
    assert extender.requests("prioritize") - before > 100


# ---- a large cluster, last because its nodes stay -------------------------------------------------------------------


@pytest.mark.threads
def test_5000_nodes(plane: ControlPlane, scheduling: Scheduling, grid: Grid, extender: Extender) -> None:
    for prefix in ("clean-many", "dirty-many"):
        plane.add_nodes(2500, {"loadshift.io/region": region_of(prefix)}, fake=False, prefix=prefix, wait=False)
    expected = 5000 + 2 * EACH
    wait_for(lambda: extender.metric("loadshift_extender_nodes") == expected, 60, what="all nodes are known")
    assert extender.metric("loadshift_extender_nodes_without_region") == 0
    scheduling.start(**plain(extender))
    check_pods_follow_the_scores(scheduling, grid, extender)
    seconds = extender.metric('loadshift_extender_duration_seconds_sum{verb="prioritize"}')
    assert seconds / extender.requests("prioritize") < 0.1
