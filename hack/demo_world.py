# SPDX-License-Identifier: Apache-2.0
"""The demo's stage: a private Kubernetes with nodes in GB regions, recorded grid data, our programs, one clock."""

from __future__ import annotations

import contextlib
import datetime as dt
import math
import os
import time
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster import Certificates, Client, ClusterError, Component, ControlPlane, free_port, http_ok
from demo_recorder import Recorder

ROOT = Path(__file__).resolve().parent.parent
RECORDING = ROOT / "demo" / "gb_regional_carbon_2023-02-09_3days.csv"
BUILD = ROOT / os.environ.get("LOADSHIFT_BUILD", "build")
START = dt.datetime(2023, 2, 9, 7, tzinfo=dt.UTC).timestamp()  # where the recording begins
FACTOR = 240
SEED = 1  # of the forecasts' errors
OUTAGE = ("carbonintensity-gb", START + 3 * 3600, START + 7.5 * 3600)  # provider, and from when to when it fails
REGIONS = (
    "north-scotland",
    "south-scotland",
    "yorkshire",
    "west-midlands",
    "east-midlands",
    "south-wales",
    "south-west-england",
    "london",
)
NODES_PER_REGION = 2
NAMESPACE = "demo"
CAJS = "/apis/loadshift.io/v1alpha1/namespaces/{}/carbonawarejobs"
GRIDREGIONS = "/apis/loadshift.io/v1alpha1/gridregions"


@dataclass(frozen=True)
class Clock:
    """The domain clock: agrees with the real one at the origin and runs `factor` times as fast.

    Its origin lies days ahead, so that domain time is some moment of the past now.
    """

    origin: int
    factor: int = FACTOR

    @classmethod
    def starting(cls, domain: float, after: float, factor: int = FACTOR) -> Clock:
        """One that shows that domain time in `after` real seconds, or up to a second later: origins are whole."""
        real = time.time() + after
        return cls(math.ceil((factor * real - domain) / (factor - 1)), factor)

    def domain(self, real: float) -> float:
        return self.origin + (real - self.origin) * self.factor

    def real(self, domain: float) -> float:
        return self.origin + (domain - self.origin) / self.factor

    def now(self) -> float:
        return self.domain(time.time())

    def sleep_until(self, domain: float) -> None:
        time.sleep(max(0.0, self.real(domain) - time.time()))

    def flags(self) -> list[str]:
        if self.factor == 1:
            return []
        return ["--clock-origin", rfc3339(self.origin), "--clock-factor", str(self.factor)]


def rfc3339(seconds: float) -> str:
    return dt.datetime.fromtimestamp(int(seconds), dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> float:
    return dt.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def scheduler_config(sample: Path, ca: Path, port: int) -> str:
    """The sample of manifests/scheduler with this machine's addresses in it."""
    lines = []
    for line in sample.read_text().splitlines():
        key = line.strip().removeprefix("- ").partition(":")[0]
        value = {
            "kubeconfig": "@KUBECONFIG@",
            "urlPrefix": f"https://127.0.0.1:{port}",
            "caFile": str(ca),
            "serverName": "localhost",
        }.get(key)
        lines.append(line if value is None else f"{line[: line.index(key)]}{key}: {value}")
    return "\n".join([*lines, "leaderElection: {leaderElect: false}", ""])


class World:
    """Everything that runs. Use it with `with`; say() gets a line of progress for each step.

    stock_scheduler: kube-scheduler as it is, without our extender.
    """

    def __init__(self, directory: Path, say: Callable[[str], None], *, stock_scheduler: bool = False) -> None:
        self.directory, self.say, self.stock_scheduler = directory, say, stock_scheduler
        self.bodies = directory / "bodies.jsonl"
        self.clock = Clock(0)
        self.grid_url = ""  # what stands in for all providers; "" = nothing does
        self.read_api = ""  # URL of the operator's, "" = it serves none
        self.plane: ControlPlane
        self.programs: dict[str, Component] = {}
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> World:
        try:
            self.start_kubernetes()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._stack.close()

    @property
    def client(self) -> Client:
        return self.plane.client

    # -- Kubernetes

    def start_kubernetes(self) -> None:
        """The control plane with our CRDs, GridRegions, and nodes in REGIONS."""
        self.say("starting etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kwok")
        self.extender_port = free_port()
        self.certificates = Certificates(self.directory / "cluster" / "pki")
        sample = ROOT / "manifests" / "scheduler" / "existing-scheduler.yaml"
        config = None if self.stock_scheduler else scheduler_config(sample, self.certificates.ca, self.extender_port)
        self.plane = ControlPlane(self.directory / "cluster", scheduler_config=config)
        self._stack.callback(self.plane.stop)
        self.plane.start()
        kubectl = self.plane.kubectl
        kubectl("apply", "--server-side", "-f", str(ROOT / "crds"))
        kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", str(ROOT / "crds"))
        kubectl("apply", "--server-side", "-f", str(ROOT / "manifests" / "gridregions-gb.yaml"))
        kubectl("apply", "-f", str(ROOT / "manifests" / "rbac.yaml"))
        kubectl("create", "namespace", NAMESPACE)
        for region in REGIONS:
            self.plane.add_nodes(
                NODES_PER_REGION, {"loadshift.io/region": region}, prefix=region, wait=region == REGIONS[-1]
            )
        self.say(f"a real control plane with {NODES_PER_REGION * len(REGIONS)} kwok nodes in {len(REGIONS)} GB regions")

    def limit_power(self, region: str, watts: int) -> None:
        """No more than so many watts for all jobs of a region together."""
        patch = {"spec": {"powerLimit": {"watts": watts, "enforcement": "Hard"}}}
        status, answer = self.client.request(
            "PATCH", f"{GRIDREGIONS}/{region}", patch, content_type="application/merge-patch+json"
        )
        if status != 200:
            raise ClusterError(f"power limit of {region}: {status} {answer}")

    # -- our programs

    def start_grid(self, outage: tuple[str, float, float] | None = None) -> None:
        """The clock, gridreplay, and the recorder before it. The recording begins in a few seconds. In an outage every
        answer of that provider is 500, 502 or 503."""
        self.clock = Clock.starting(START, after=3)
        replay, recorder = free_port(), free_port()
        fault = []
        if outage:
            provider, begin, end = outage
            fault = ["--fault", f"11.02@{provider}+{begin - START:.0f}s-{end - begin:.0f}s"]
        self.run(
            "gridreplay",
            "--port", str(replay), "--seed", str(SEED), "--start", rfc3339(START), "--download-host", "127.0.0.1",
            "--carbon", str(RECORDING), *fault, *self.clock.flags(),
            ready=f"http://127.0.0.1:{replay}/_replay/requests",
        )  # fmt: skip
        self._stack.callback(Recorder(recorder, replay, self.clock.now, self.bodies).close)
        self.grid_url = f"http://127.0.0.1:{recorder}"

    def start_live(self) -> None:
        """Real time, and the providers themselves or what `grid_url` says."""
        self.clock = Clock(int(time.time()), 1)
        self.read_api = f"http://127.0.0.1:{free_port()}"
        self.start_extender()
        self.start_operator(data_timeout=60)

    def start_operator(self, program: Path = BUILD / "operator", *, data_timeout: float = 20) -> Path:
        """The operator, not before the recording's first moment, with data of every region; gives its log."""
        self.clock.sleep_until(START)
        probes = free_port()
        log = self.run(
            str(program),
            "--kubeconfig", str(self.plane.kubeconfig_for_account("loadshift-system", "loadshift-operator")),
            "--namespace", "loadshift-system",
            "--config", str(self.operator_config()),
            "--metrics-address", "127.0.0.1", "--metrics-port", str(free_port()),
            "--probes-address", "127.0.0.1", "--probes-port", str(probes), *self.clock.flags(),
            ready=f"http://127.0.0.1:{probes}/readyz",
        )  # fmt: skip
        self.wait_for_data(data_timeout)
        return log

    def operator_config(self) -> Path:
        """A database of its own; a stand-in for the providers and a read API where they are wanted."""
        path = self.directory / "operator.yaml"
        lines = ["db:", f"  url: sqlite://{self.directory / 'loadshift.db'}"]
        if self.grid_url:
            lines += ["grid:", f"  server: {self.grid_url}"]
        if self.read_api:
            port = self.read_api.rpartition(":")[2]
            lines += ["readApi:", "  enabled: true", "  address: 127.0.0.1", f"  port: {port}", "  proxied: true"]
        path.write_text("\n".join([*lines, ""]))
        return path

    def start_extender(self) -> None:
        """The extender, at the address that kube-scheduler's configuration names."""
        certificate, key = self.certificates.server("extender")
        probes = free_port()
        self.run(
            "extender",
            "--kubeconfig", str(self.plane.kubeconfig_for_account("loadshift-system", "loadshift-extender")),
            "--namespace", "loadshift-system",
            "--listen-address", "127.0.0.1", "--listen-port", str(self.extender_port),
            "--tls-cert-file", str(certificate), "--tls-key-file", str(key),
            "--metrics-address", "127.0.0.1", "--metrics-port", str(free_port()),
            "--probes-address", "127.0.0.1", "--probes-port", str(probes), *self.clock.flags(),
            ready=f"http://127.0.0.1:{probes}/readyz",
        )  # fmt: skip

    def run(self, program: str, *arguments: str, ready: str) -> Path:
        """Start a program of ours, by name or path, until stop() or the end; gives its log."""
        path = BUILD / program
        if not path.exists():
            raise ClusterError(f"{path} is not built: run make")
        env = {key: value for key, value in os.environ.items() if key != "KUBECONFIG"}
        log = self.directory / f"{path.name}.log"
        component = Component(path.name, [str(path), *arguments], log, lambda: http_ok(ready), env)
        self.programs[path.name] = component
        self._stack.callback(component.stop)
        component.start()
        component.wait_ready(30)
        return log

    def metrics(self, name: str) -> str:
        """What one of our programs counts, as Prometheus would read it."""
        argv = self.programs[name].argv
        port = argv[argv.index("--metrics-port") + 1]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            return str(answer.read().decode())

    def stop(self, name: str) -> None:
        """End one of our programs."""
        self.programs.pop(name).stop()

    def check_programs(self) -> None:
        """Raise if one of our programs has died."""
        for name, component in self.programs.items():
            if component.process is not None and component.process.poll() is not None:
                code = component.process.returncode
                raise ClusterError(f"{name} ended with code {code}, see {component.log}")

    # -- objects

    def list(self, path: str) -> list[dict[str, Any]]:
        return list(self.plane.expect("GET", path)["items"])

    def jobs(self) -> list[dict[str, Any]]:
        return self.list(CAJS.format(NAMESPACE))

    def submit(self, names: Iterable[str], folder: Path = ROOT / "demo" / "jobs") -> None:
        """kubectl apply for jobs of that folder."""
        files = [word for name in names for word in ("-f", str(folder / f"{name}.yaml"))]
        self.plane.kubectl("apply", "-n", NAMESPACE, *files)

    def wait_for_data(self, timeout: float = 20.0) -> None:
        """Until every region has carbon and price of now."""
        deadline = time.monotonic() + timeout
        while True:
            regions = self.list(GRIDREGIONS)
            missing = [r["metadata"]["name"] for r in regions if not has_data(r)]
            if not missing:
                return
            self.check_programs()
            if time.monotonic() > deadline:
                raise ClusterError(f"no grid data after {timeout:.0f} s for {', '.join(missing)}; see operator.log")
            time.sleep(0.2)


def has_data(region: dict[str, Any]) -> bool:
    forecast = region.get("status", {}).get("forecast") or {}
    wants_price = "price" in region["spec"]
    return bool(forecast.get("carbonP50")) and (bool(forecast.get("priceP50")) or not wants_price)
