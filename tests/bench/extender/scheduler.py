# SPDX-License-Identifier: Apache-2.0
"""scheduler-5000: what an extender costs a real kube-scheduler with 5,000 nodes and 3,000 pending pods of 100m.

    python3 tests/bench/extender/scheduler.py [--build build] [--pods 3000] [--rounds 3]

API server, etcd, scheduler and extender share the machine, nothing is pinned. Every run creates the pods, then starts
one extender and a scheduler (client QPS 5,000, burst 10,000) and takes pods per second from the scheduler's own
counter, from the hundredth pod to the last. Rounds interleave, every second one in reverse:

  ours, goextender, canned*  the extender that is configured; canned is the least one can do, an empty list of scores,
                             and canned-scores the least of one that scores every node (canned.c)
  outside-*                  pods of the default scheduler, which has no extender, while a second scheduler with that
                             extender runs beside it: our own-profile set-up (manifests/scheduler/second-scheduler.yaml)
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import re
import shlex
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import bench
import fakeapi

sys.path.insert(0, str(bench.ROOT / "hack"))
from cluster import Component, ControlPlane, free_port, http_ok, node_object  # noqa: E402

NODES = 5000
NAMESPACE = "bench"
PODS_URL = f"/api/v1/namespaces/{NAMESPACE}/pods"
EXTENDERS = ("ours", "goextender", "canned", "canned-scores")
OUTSIDE = ("outside-ours", "outside-goextender")
RUN_SECONDS = 180  # no run may take longer


def parallel(function: Any, items: Any) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(function, items))


def fill_cluster(plane: ControlPlane) -> None:
    plane.kubectl("apply", "--server-side", "-f", str(bench.ROOT / "crds"))
    plane.kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", str(bench.ROOT / "crds"))
    plane.expect("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    regions = "/apis/loadshift.io/v1alpha1/gridregions"
    for number in range(len(fakeapi.REGIONS)):
        region = fakeapi.gridregion(number)
        name = region["metadata"]["name"]
        spec = {
            "displayName": name,
            "group": "gb",
            "costBasis": "Tariff",
            "carbon": {"chain": [{"provider": "carbonintensity-gb", "zone": "1"}]},
            "price": {"chain": [{"provider": "octopus-agile", "zone": "_P"}]},
        }
        new = {"apiVersion": "loadshift.io/v1alpha1", "kind": "GridRegion", "metadata": {"name": name}, "spec": spec}
        created = plane.expect("POST", regions, new)
        plane.expect("PUT", f"{regions}/{name}/status", {**created, "status": region["status"]})

    def add_node(number: int) -> None:
        labels = {"loadshift.io/region": fakeapi.REGIONS[number % len(fakeapi.REGIONS)]}
        node = node_object(fakeapi.node_name(number), labels, "16", "64Gi", 110, fake=False)
        plane.expect("POST", "/api/v1/nodes", node)

    parallel(add_node, range(NODES))


def add_pods(plane: ControlPlane, count: int) -> None:
    resources = {"requests": {"cpu": "100m", "memory": "64Mi"}}
    spec = {"containers": [{"name": "main", "image": "none", "resources": resources}]}
    parallel(lambda i: plane.expect("POST", PODS_URL, {"metadata": {"name": f"pod-{i}"}, "spec": spec}), range(count))


def delete_pods(plane: ControlPlane, count: int) -> None:
    now = {"gracePeriodSeconds": 0}
    parallel(lambda i: plane.expect("DELETE", f"{PODS_URL}/pod-{i}", now, also=(404,)), range(count))


class Bench:
    def __init__(self, plane: ControlPlane, directory: Path, build: Path, pods: int) -> None:
        self.plane, self.directory, self.build, self.pods = plane, directory, build, pods
        self.results: dict[str, list[float]] = {name: [] for name in (*EXTENDERS, *OUTSIDE)}
        self.context = ssl.create_default_context(cafile=str(plane.certificates.ca))
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE  # the scheduler's serving certificate is self-signed
        certificate, key = plane.certificates.client("loadshift-admin", ["system:masters"])
        self.context.load_cert_chain(certificate, key)

    @contextlib.contextmanager
    def component(self, name: str, argv: list[str], ready_url: str) -> Iterator[None]:
        made = Component(name, argv, self.directory / f"{name}.log", lambda: http_ok(ready_url))
        made.start()
        try:
            made.wait_ready()
            yield
        finally:
            made.stop(kill=True)

    @contextlib.contextmanager
    def extender(self, name: str) -> Iterator[int]:
        """A running extender; gives its port."""
        port, metrics, probes = free_port(), free_port(), free_port()
        ready = None
        if name == "ours":
            ports = [f"--listen-port={port}", f"--metrics-port={metrics}", f"--probes-port={probes}"]
            argv = [str(self.build / "extender"), f"--kubeconfig={self.plane.kubeconfig}", *ports]
            ready = f"http://127.0.0.1:{probes}/readyz"
        elif name == "goextender":
            argv = [str(self.directory / "goextender"), "-listen", f"127.0.0.1:{port}", "-nodes", str(NODES)]
        else:
            argv = [str(self.directory / "canned"), str(port), *name.split("-")[1:]]
        if ready:
            with self.component(name, argv, ready):
                yield port
        else:
            process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                time.sleep(0.5)
                yield port
            finally:
                process.kill()
                process.wait()

    @contextlib.contextmanager
    def scheduler(self, profile: str, extender_port: int | None) -> Iterator[int]:
        """A running scheduler; gives its port."""
        config: dict[str, Any] = {
            "apiVersion": "kubescheduler.config.k8s.io/v1",
            "kind": "KubeSchedulerConfiguration",
            "leaderElection": {"leaderElect": False},
            "clientConnection": {"kubeconfig": str(self.plane.kubeconfig), "qps": 5000, "burst": 10000},
            "profiles": [{"schedulerName": profile}],
        }
        if extender_port:
            config["extenders"] = [
                {
                    "urlPrefix": f"http://127.0.0.1:{extender_port}",
                    "filterVerb": "filter",
                    "prioritizeVerb": "prioritize",
                    "weight": 5,
                    "httpTimeout": "5s",
                    "nodeCacheCapable": True,
                    "ignorable": False,
                }
            ]
        path, port = self.directory / f"{profile}.json", free_port()
        path.write_text(json.dumps(config))
        argv = [
            self.plane.tools["kube-scheduler"],
            f"--config={path}",
            f"--authentication-kubeconfig={self.plane.kubeconfig}",
            f"--authorization-kubeconfig={self.plane.kubeconfig}",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            f"--cert-dir={self.directory / 'pki'}",
        ]
        with self.component(f"kube-scheduler-{profile}", argv, f"https://127.0.0.1:{port}/healthz"):
            yield port

    def scheduled(self, connection: http.client.HTTPSConnection) -> int:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        found = re.findall(r'^scheduler_schedule_attempts_total\{.*result="scheduled".*\} (\d+)$', text, re.MULTILINE)
        return sum(map(int, found))

    def rate(self, port: int) -> float:
        """Pods per second between the hundredth and the last."""
        deadline = time.monotonic() + RUN_SECONDS
        first: tuple[float, int] | None = None
        with contextlib.closing(http.client.HTTPSConnection("127.0.0.1", port, context=self.context)) as connection:
            while time.monotonic() < deadline:
                now, count = time.monotonic(), self.scheduled(connection)
                if first is None and count >= 100:
                    first = now, count
                if first and count >= self.pods:
                    return (count - first[1]) / (now - first[0])
                time.sleep(0.1)
        raise SystemExit(f"only {count} of {self.pods} pods scheduled within {RUN_SECONDS} s")

    def run(self, name: str) -> None:
        add_pods(self.plane, self.pods)
        outside = name.removeprefix("outside-")
        with self.extender(outside) as extender_port, contextlib.ExitStack() as stack:
            if outside != name:
                stack.enter_context(self.scheduler("loadshift-scheduler", extender_port))
                port = stack.enter_context(self.scheduler("default-scheduler", None))
            else:
                port = stack.enter_context(self.scheduler("default-scheduler", extender_port))
            rate = self.rate(port)
        self.results[name].append(rate)
        bench.progress(f"scheduler-{NODES} {name}: {rate:.0f} pods/s")
        delete_pods(self.plane, self.pods)

    def report(self) -> None:
        median = {name: statistics.median(rates) for name, rates in self.results.items()}
        for name, ours, theirs in (
            ("", "ours", "goextender"),
            ("-canned", "ours", "canned"),
            ("-canned-scores", "ours", "canned-scores"),
            ("-outside", "outside-ours", "outside-goextender"),
        ):
            yardstick = theirs.removeprefix("outside-")
            print(
                f"bench scheduler-{NODES}{name} pods_per_s={median[ours]:.0f} "
                f"yardstick_pods_per_s={median[theirs]:.0f} ratio={median[ours] / median[theirs]:.2f} yardstick={yardstick}",
                flush=True,
            )


def build_canned(directory: Path, build: Path) -> None:
    packages = ["libcurl", "libcjson", "yaml-0.1", "libwebsockets", "openssl"]
    flags = shlex.split(bench.run("pkg-config", "--cflags", "--libs", *packages))
    include = ["-D_GNU_SOURCE", f"-I{bench.ROOT / 'pkg'}", "-include", str(bench.ROOT / "pkg/base/banned.h")]
    source, library = bench.HERE / "canned.c", build / "libloadshift.a"
    options = ["-std=gnu11", "-O2", "-pthread", *include]
    bench.run("gcc", *options, "-o", directory / "canned", source, library, *flags, "-lm")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--build", type=Path, default=bench.ROOT / "build", help="folder of the programs under test")
    parser.add_argument("--pods", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="loadshift-bench-") as name:
        directory = Path(name)
        bench.build_yardstick(directory)
        build_canned(directory, arguments.build.resolve())
        off = ("ServiceAccount", "TaintNodesByCondition")
        with ControlPlane(directory / "cluster", only=(), disable_admission_plugins=off) as plane:
            bench.progress(f"scheduler-{NODES}: creating {NODES} nodes")
            fill_cluster(plane)
            made = Bench(plane, directory, arguments.build.resolve(), arguments.pods)
            for number in range(arguments.rounds):
                variants = (*EXTENDERS, *OUTSIDE)
                for variant in variants if number % 2 == 0 else reversed(variants):
                    made.run(variant)
            made.report()


if __name__ == "__main__":
    main()
