# SPDX-License-Identifier: Apache-2.0
"""reconcile-10000 and memory-10000: the operator under many CarbonAwareJobs, on a real etcd and kube-apiserver.

    python3 tests/bench/operator/bench.py reconcile|memory [--build build] [--jobs 10000] [--rounds 3]

reconcile: eight client-go workers create the objects; the clock runs from the first request to the operator's last
write, by when every object has its plan and its suspended Job (checked). The yardstick: the same eight workers merely
create as many suspended Jobs of the same template. Every round has a control plane of its own and measures both, in
turns first and second; figures are the medians. The ratio is of jobs per CPU-second of the operator and of the
client-go program, as with every bench here; jobs per second are shown beside it, and are the API server's: on two cores
it is what both wait for. Writes a job are counted by the operator's rest_client_requests_total,
the Lease's included.

memory: the operator's resident memory with all of them planned, 5,000 Nodes and 14 GridRegions: as it is after the
work, and after a restart, when it has listed everything.

The API server shares the machine's cores with the operator and the clients, as it does not in real life; it keeps no
audit log, and nobody plays the Job controller.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path[:0] = [str(ROOT / "hack"), str(HERE.parent / "extender")]
from cluster import ClusterError, Component, ControlPlane, free_port, http_ok, node_object  # noqa: E402
from fakeapi import REGIONS  # noqa: E402

NODES = 5000
WORKERS = 8
HORIZON_SLOTS = 96
TICKS = os.sysconf("SC_CLK_TCK")
TEMPLATE = {
    "spec": {
        "backoffLimit": 2,
        "template": {
            "spec": {
                "restartPolicy": "Never",
                "containers": [
                    {
                        "name": "train",
                        "image": "registry.example/team/training:1.2.3",
                        "command": ["/bin/train", "--epochs", "10"],
                        "resources": {"requests": {"cpu": "2", "memory": "2Gi"}},
                    }
                ],
            }
        },
    }
}


def progress(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


# -- the world


def region_status(number: int) -> dict[str, Any]:
    """Two days of forecast: each region's day has another phase, so that jobs have a choice."""
    phases = [math.sin((slot + 3 * number) * math.tau / 48) for slot in range(HORIZON_SLOTS)]
    start = timestamp(-(time.time() % 1800))
    sources = (("carbon", "carbonintensity-gb", {}), ("price", "octopus-agile", {"currency": "GBP"}))
    return {
        "basis": {"accounting": "average", "scope": "direct", "boundary": "consumption", "resolution": "regional"},
        "forecast": {
            "startTime": start,
            "slotSeconds": 1800,
            "issuedTime": start,
            "carbonP50": [int(1000 * (100 + 10 * number + 50 * phase)) for phase in phases],
            "priceP50": [int(1000 * (150 + 5 * number + 40 * phase)) for phase in phases],
            "renewable": [int(500 - 300 * phase) for phase in phases],
        },
        "sources": [
            {"metric": metric, "provider": provider, "zone": "1", "fetchedTime": timestamp(), "issuedTime": start} | more
            for metric, provider, more in sources
        ],
    }


def timestamp(offset_s: float = 0) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + offset_s))


def caj_bodies() -> Iterator[dict[str, Any]]:
    """Three shapes for each home: at home only, or with two or three more places. None starts while it is measured."""
    for home in range(len(REGIONS)):
        for others in (0, 2, 3):
            spec: dict[str, Any] = {
                "earliestStartTime": timestamp(3600),
                "deadline": timestamp(30 * 3600),
                "expectedDurationSeconds": 5400,
                "powerWattsPerPod": 400,
                "homeRegion": REGIONS[home],
                "jobTemplate": TEMPLATE,
            }
            if others:
                choice = [REGIONS[(home + 4 * i) % len(REGIONS)] for i in range(1, others + 1)]
                spec["relocate"] = {"regions": choice}
            yield {"apiVersion": "loadshift.io/v1alpha1", "kind": "CarbonAwareJob", "spec": spec}


def job_bodies() -> Iterator[dict[str, Any]]:
    yield {"apiVersion": "batch/v1", "kind": "Job", "spec": {**TEMPLATE["spec"], "suspend": True}}


class World:
    """A control plane with CRDs, GridRegions and Nodes, and a folder for everything."""

    def __init__(self, directory: Path, gocreate: Path, build: Path, nodes: int) -> None:
        self.directory, self.gocreate, self.build, self.nodes = directory, gocreate, build, nodes
        self.plane = ControlPlane(
            directory / "cluster",
            audit=False,
            only=(),
            disable_admission_plugins=["ServiceAccount", "TaintNodesByCondition"],
        )

    def __enter__(self) -> World:
        plane = self.plane
        plane.start()
        try:
            plane.kubectl("apply", "--server-side", "-f", str(ROOT / "crds"))
            plane.kubectl("wait", "--for=condition=Established", "--timeout=60s", "-f", str(ROOT / "crds"))
            for namespace in ("loadshift-system", "ours", "theirs"):
                plane.expect("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(self._create_region, range(len(REGIONS))))
                list(pool.map(self._create_node, range(self.nodes)))
        except BaseException:
            plane.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.plane.stop()

    def _create_region(self, number: int) -> None:
        path = "/apis/loadshift.io/v1alpha1/gridregions"
        body = {
            "apiVersion": "loadshift.io/v1alpha1",
            "kind": "GridRegion",
            "metadata": {"name": REGIONS[number]},
            "spec": {"group": "gb", "carbon": {"chain": [{"provider": "carbonintensity-gb", "zone": str(number + 1)}]}},
        }
        created = self.plane.expect("POST", path, body)
        created["status"] = region_status(number)
        self.plane.expect("PUT", f"{path}/{REGIONS[number]}/status", created)

    def _create_node(self, number: int) -> None:
        name, labels = f"node-{number:05d}", {"loadshift.io/region": REGIONS[number % len(REGIONS)]}
        self.plane.expect("POST", "/api/v1/nodes", node_object(name, labels, "32", "256Gi", 110, fake=False))

    def create(self, kind: str, namespace: str, count: int) -> dict[str, float]:
        bodies = self.directory / f"{kind}.jsonl"
        made = caj_bodies() if kind == "CarbonAwareJob" else job_bodies()
        bodies.write_text("".join(json.dumps(body, separators=(",", ":")) + "\n" for body in made))
        command = [self.gocreate, "-kubeconfig", self.plane.kubeconfig, "-namespace", namespace, "-kind", kind]
        command += ["-bodies", bodies, "-count", str(count), "-workers", str(WORKERS)]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        result = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, text=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if result.returncode != 0:
            raise ClusterError("gocreate failed, see above")
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return {**json.loads(result.stdout), "cpu_ms": cpu * 1000 / count}

    def operator(self) -> Operator:
        return Operator(self)

    def check_planned(self, namespace: str, count: int) -> None:
        """Every object has a plan, and the Job that its status names is there and suspended."""
        cajs = self._all(f"/apis/loadshift.io/v1alpha1/namespaces/{namespace}/carbonawarejobs")
        jobs = {job["metadata"]["uid"]: job for job in self._all(f"/apis/batch/v1/namespaces/{namespace}/jobs")}
        states: dict[str, int] = {}
        for caj in cajs:
            status = caj.get("status", {})
            job = jobs.get(status.get("jobRef", {}).get("uid"), {})
            planned = bool(status.get("plan", {}).get("segments"))
            state = f"planned={planned} suspended_job={job.get('spec', {}).get('suspend')}"
            states[state] = states.get(state, 0) + 1
        if states != {"planned=True suspended_job=True": count}:
            raise ClusterError(f"not every object is planned: {states}")

    def _all(self, path: str) -> Iterator[dict[str, Any]]:
        token = ""
        while True:
            answer = self.plane.expect("GET", f"{path}?limit=500&continue={token}")
            yield from answer["items"]
            token = answer["metadata"].get("continue", "")
            if not token:
                return


class Operator:
    """The operator under test, with raised limits."""

    def __init__(self, world: World) -> None:
        self.metrics_port, probes = free_port(), free_port()
        command = [
            *os.environ.get("OPERATOR_WRAPPER", "").split(),  # a profiler, say
            str(world.build / "operator"),
            f"--kubeconfig={world.plane.kubeconfig}",
            "--namespace=loadshift-system",
            "--grid-disabled",
            "--qps=0",
            "--burst=20000",
            "--workers=8",
            "--metrics-address=127.0.0.1",
            f"--metrics-port={self.metrics_port}",
            "--probes-address=127.0.0.1",
            f"--probes-port={probes}",
        ]
        ready = f"http://127.0.0.1:{probes}/readyz"
        log = world.directory / "operator.log"
        self.program = Component("operator", command, log, lambda: http_ok(ready))
        self.program.start()
        self.program.wait_ready()

    def stop(self) -> None:
        self.program.stop(timeout=20)

    def __enter__(self) -> Operator:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def metrics(self) -> dict[str, float]:
        """Values by name with labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[:1] != "#")}

    def requests(self, *, writes: bool) -> float:
        return sum(
            value
            for name, value in self.metrics().items()
            if name.startswith("rest_client_requests_total") and (('method="GET"' in name) != writes)
        )

    def wait_quiet(self, count: int, timeout: float = 1200) -> float:
        """Wait until it has written as many statuses as there are jobs and then nothing for 3 s; when the last was."""
        deadline, last, last_at, told = time.monotonic() + timeout, -1.0, time.time(), time.monotonic()
        while True:
            found = self.metrics()
            done = found.get('loadshift_job_writes_total{action="write-status"}', 0)
            writes = done + found.get('loadshift_job_writes_total{action="create-job"}', 0)
            if writes != last:
                last, last_at = writes, time.time()
            if done >= count and time.time() - last_at > 3:
                return last_at
            if time.monotonic() > deadline:
                raise ClusterError(f"only {done:.0f} of {count} statuses were written within {timeout:.0f} s")
            if time.monotonic() - told > 15:
                told = time.monotonic()
                progress(f"{done:.0f} of {count} statuses written")
            time.sleep(0.1)

    def resident_mb(self) -> dict[str, float]:
        """VmRSS and VmHWM, and the proportional share (what shared libraries cost when others map them too)."""
        figures = {}
        for name, file in (("VmRSS", "status"), ("VmHWM", "status"), ("Pss", "smaps_rollup")):
            lines = Path(f"/proc/{self.program.pid}/{file}").read_text().splitlines()
            figures[name] = next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name + ":"))
        return figures


def cpu_seconds(component: Component) -> float:
    fields = Path(f"/proc/{component.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


# -- the benches


def measure_ours(world: World, count: int) -> dict[str, float]:
    servers = [world.plane.components[name] for name in ("kube-apiserver", "etcd")]
    with world.operator() as operator:
        writes, reads = operator.requests(writes=True), operator.requests(writes=False)
        before = [cpu_seconds(c) for c in (operator.program, *servers)]
        created = world.create("CarbonAwareJob", "ours", count)
        seconds = operator.wait_quiet(count) - created["began"]
        after = [cpu_seconds(c) for c in (operator.program, *servers)]
        writes, reads = operator.requests(writes=True) - writes, operator.requests(writes=False) - reads
        world.check_planned("ours", count)
        operator_ms, apiserver_ms, etcd_ms = ((b - a) * 1000 / count for a, b in zip(before, after, strict=True))
        return {
            "per_s": count / seconds,
            "creating_s": created["seconds"],
            "creator_cpu_ms": created["cpu_ms"],
            "writes_per_job": writes / count,
            "reads_per_job": reads / count,
            "operator_cpu_ms": operator_ms,
            "apiserver_cpu_ms": apiserver_ms,
            "etcd_cpu_ms": etcd_ms,
        }


def measure_theirs(world: World, count: int) -> dict[str, float]:
    server = world.plane.components["kube-apiserver"]
    before = cpu_seconds(server)
    created = world.create("Job", "theirs", count)
    return {
        "per_s": count / created["seconds"],
        "cpu_ms": created["cpu_ms"],
        "apiserver_cpu_ms": (cpu_seconds(server) - before) * 1000 / count,
    }


def bench_reconcile(arguments: argparse.Namespace, directory: Path, gocreate: Path) -> None:
    ours, theirs = [], []
    for number in range(arguments.rounds):
        with World(directory / f"round-{number}", gocreate, arguments.build, len(REGIONS)) as world:
            steps = [("ours", measure_ours, ours), ("client-go", measure_theirs, theirs)]
            for name, measure, results in steps if number % 2 == 0 else reversed(steps):
                results.append(measure(world, arguments.jobs))
                figures = " ".join(f"{key}={value:.2f}" for key, value in results[-1].items())
                progress(f"reconcile-{arguments.jobs} round {number + 1} {name}: {figures}")

    def median(results: list[dict[str, float]], key: str) -> float:
        return statistics.median(result[key] for result in results)

    print(
        f"bench reconcile-{arguments.jobs} jobs_per_cpu_s={1000 / median(ours, 'operator_cpu_ms'):.0f} "
        f"yardstick_jobs_per_cpu_s={1000 / median(theirs, 'cpu_ms'):.0f} "
        f"writes_per_job={median(ours, 'writes_per_job'):.2f} reads_per_job={median(ours, 'reads_per_job'):.2f} "
        f"jobs_per_s={median(ours, 'per_s'):.0f} yardstick_jobs_per_s={median(theirs, 'per_s'):.0f} "
        f"apiserver_cpu_ms_per_job={median(ours, 'apiserver_cpu_ms'):.2f} "
        f"yardstick_apiserver_cpu_ms_per_job={median(theirs, 'apiserver_cpu_ms'):.2f} rounds={arguments.rounds} "
        f"ratio={median(theirs, 'cpu_ms') / median(ours, 'operator_cpu_ms'):.2f} "
        "yardstick=client-go-creating-suspended-jobs",
        flush=True,
    )


def bench_memory(arguments: argparse.Namespace, directory: Path, gocreate: Path) -> None:
    count = arguments.jobs
    with World(directory / "memory", gocreate, arguments.build, 0) as world:
        with world.operator() as operator:
            time.sleep(5)
            idle = operator.resident_mb()
        progress(f"memory-{count}: creating {NODES} nodes and {count} jobs")
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(world._create_node, range(NODES)))  # noqa: SLF001
        with world.operator() as operator:
            world.create("CarbonAwareJob", "ours", count)
            operator.wait_quiet(count)
            time.sleep(arguments.settle)
            live = operator.resident_mb()
            world.check_planned("ours", count)
            if arguments.pause:
                input(f"operator is process {operator.program.pid}; Enter goes on")
        with world.operator() as operator:
            time.sleep(arguments.settle)
            restarted = operator.resident_mb()
    print(
        f"bench memory-{count} rss_mb={live['VmRSS']:.1f} pss_mb={live['Pss']:.1f} peak_mb={live['VmHWM']:.1f} "
        f"restarted_rss_mb={restarted['VmRSS']:.1f} restarted_pss_mb={restarted['Pss']:.1f} "
        f"restarted_peak_mb={restarted['VmHWM']:.1f} idle_rss_mb={idle['VmRSS']:.1f} idle_pss_mb={idle['Pss']:.1f} "
        f"nodes={NODES} gridregions={len(REGIONS)} limit=40MB comparison=kueue-idle-85MB",
        flush=True,
    )


def build_gocreate(directory: Path) -> Path:
    go = subprocess.run([str(ROOT / "hack/setup"), "--print-go"], stdout=subprocess.PIPE, text=True, check=True)
    binary = directory / "gocreate"
    progress("building tests/bench/gocreate")
    environment = {**os.environ, "GOWORK": "off", "CGO_ENABLED": "0", "GOFLAGS": "-p=2"}
    command = [go.stdout.strip(), "build", "-trimpath", "-o", str(binary), "."]
    subprocess.run(command, cwd=HERE.parent / "gocreate", env=environment, check=True)
    return binary


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("bench", choices=("reconcile", "memory"))
    parser.add_argument("--build", type=Path, default=ROOT / "build", help="folder of the programs under test")
    parser.add_argument("--jobs", type=int, default=10000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--settle", type=float, default=20, help="seconds before memory is read")
    parser.add_argument("--pause", action="store_true", help="memory: wait for Enter, to look at the process")
    parser.add_argument("--keep", type=Path, help="keep logs here")
    arguments = parser.parse_args()
    arguments.build = arguments.build.resolve()
    with contextlib.ExitStack() as stack:
        directory = arguments.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="loadshift-bench-")))
        directory.mkdir(parents=True, exist_ok=True)
        try:
            bench = bench_reconcile if arguments.bench == "reconcile" else bench_memory
            bench(arguments, directory, build_gocreate(directory))
        except ClusterError as error:
            print(f"bench {arguments.bench}-{arguments.jobs} failed: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
