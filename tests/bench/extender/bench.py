# SPDX-License-Identifier: Apache-2.0
"""extender-500 and extender-5000: our extender against the shortest Go one, side by side on one core.

    python3 tests/bench/extender/bench.py [--build build] [--seconds 3] [--rounds 3]

Both servers are pinned to core 0, the client to core 1. For each size, with TLS off and on, every round measures one
after the other; figures are medians of the rounds. Requests per CPU-second: user and system time of the server
(/proc/PID/stat) while it was measured. Latency: as the client sees it over one keep-alive connection. Resident
memory: VmRSS after the measuring, once every server has answered both sizes. Ours serves a snapshot of 5,000 nodes in
14 regions; the yardstick a map of 5,000 names.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(HERE))
import fakeapi  # noqa: E402

NODES = 5000
SIZES = (500, 5000)
SERVER_CORE, CLIENT_CORE = "0", "1"
TICKS = os.sysconf("SC_CLK_TCK")


def progress(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run(*command: str | Path, **options: Any) -> str:
    return subprocess.run([str(c) for c in command], check=True, stdout=subprocess.PIPE, text=True, **options).stdout


def build_client(directory: Path) -> Path:
    client = directory / "client"
    sources = [HERE / "client.c", *sorted((ROOT / "pkg/base").glob("*.c"))]
    flags = ["-std=gnu11", "-O2", "-D_GNU_SOURCE", f"-I{ROOT / 'pkg'}", "-include", str(ROOT / "pkg/base/banned.h")]
    run(os.environ.get("CC", "gcc"), *flags, "-o", client, *sources, "-lssl", "-lcrypto", "-lm", "-pthread")
    return client


def build_yardstick(directory: Path) -> Path:
    binary = directory / "goextender"
    run("go", "build", "-o", binary, ".", cwd=HERE.parent / "goextender")
    return binary


def make_certificate(directory: Path) -> tuple[Path, Path]:
    """Self-signed, for localhost; the certificate is its own CA."""
    certificate, key = directory / "tls.crt", directory / "tls.key"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", "30"]
    output = ["-keyout", str(key), "-out", str(certificate)]
    run("openssl", "req", "-x509", *curve, *subject, *output, stderr=subprocess.DEVNULL)
    return certificate, key


def request_body(size: int) -> bytes:
    """As kube-scheduler writes it, with a Pod of ordinary size."""
    container = {
        "name": "main",
        "image": "registry.example/team/training:1.2.3",
        "command": ["/bin/train", "--epochs", "10"],
        "env": [{"name": f"SETTING_{i}", "value": f"value of setting {i}"} for i in range(12)],
        "resources": {"requests": {"cpu": "4", "memory": "16Gi"}, "limits": {"memory": "16Gi"}},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
    }
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": "train", "uid": "x", "controller": True}
    toleration = {"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
    pod = {
        "metadata": {
            "name": "train-x7k2p",
            "generateName": "train-",
            "namespace": "team-a",
            "uid": "3c1f5d0e-6a0f-4a55-9d0b-1f3a5c8e7b21",
            "resourceVersion": "123456",
            "creationTimestamp": "2026-11-21T02:00:00Z",
            "labels": {"batch.kubernetes.io/job-name": "train", "app": "train"},
            "annotations": {"loadshift.io/expected-duration-seconds": "7200"},
            "ownerReferences": [owner],
        },
        "spec": {
            "containers": [container],
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst",
            "serviceAccountName": "default",
            "schedulerName": "loadshift-scheduler",
            "tolerations": [
                {"key": f"node.kubernetes.io/{what}", **toleration} for what in ("not-ready", "unreachable")
            ],
            "priority": 0,
            "enableServiceLinks": True,
            "preemptionPolicy": "PreemptLowerPriority",
        },
        "status": {"phase": "Pending", "qosClass": "Burstable"},
    }
    names = [fakeapi.node_name(i) for i in range(size)]
    return json.dumps({"Pod": pod, "Nodes": None, "NodeNames": names}, separators=(",", ":")).encode()


def on_core(core: str) -> list[str]:
    """Prefix of a command: pinned to a core and, where that is allowed, before everything else that runs there."""
    first = ["chrt", "--rr", "1"]
    allowed = subprocess.run([*first, "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0
    return [*(first if allowed else []), "taskset", "-c", core]


class Server:
    """One of the two under test, pinned to its core."""

    def __init__(self, name: str, command: list[str], port: int, ready: str | None) -> None:
        self.name, self.port = name, port
        self.process = subprocess.Popen(
            [*on_core(SERVER_CORE), *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 30
        while not self._ready(ready):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{name} does not serve: {' '.join(command)}")
            time.sleep(0.05)

    def _ready(self, url: str | None) -> bool:
        with contextlib.suppress(OSError):
            if url:
                with urllib.request.urlopen(url, timeout=1) as answer:
                    return answer.status == 200
            with socket.create_connection(("127.0.0.1", self.port), 1):
                return True
        return False

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def resident_mb(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS"))

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def servers(
    build: Path, directory: Path, kubeconfig: Path, tls: tuple[Path, Path] | None
) -> Iterator[dict[str, Server]]:
    goextender, client_ports = directory / "goextender", [free_port() for _ in range(4)]
    ours, metrics, probes, theirs = client_ports
    ports = [f"--listen-port={ours}", f"--metrics-port={metrics}", f"--probes-port={probes}"]
    addresses = ["--listen-address=127.0.0.1", "--metrics-address=127.0.0.1", "--probes-address=127.0.0.1"]
    our_command = [str(build / "extender"), f"--kubeconfig={kubeconfig}", *ports, *addresses]
    their_command = [str(goextender), "-listen", f"127.0.0.1:{theirs}", "-nodes", str(NODES)]
    if tls:
        our_command += [f"--tls-cert-file={tls[0]}", f"--tls-key-file={tls[1]}"]
        their_command += ["-cert", str(tls[0]), "-key", str(tls[1])]
    running: dict[str, Server] = {}
    try:
        running["ours"] = Server("extender", our_command, ours, f"http://127.0.0.1:{probes}/readyz")
        running["theirs"] = Server("goextender", their_command, theirs, None)
        yield running
    finally:
        for server in running.values():
            server.stop()


def measure(server: Server, client: Path, body: Path, seconds: int, tls: tuple[Path, Path] | None) -> dict[str, float]:
    command = [str(client), str(server.port), "/prioritize", str(body), str(seconds)] + ([str(tls[0])] if tls else [])
    before = server.cpu_seconds()
    result: dict[str, float] = json.loads(run(*on_core(CLIENT_CORE), *command))
    result["per_cpu_second"] = result["requests"] / (server.cpu_seconds() - before)
    return result


def bench(
    build: Path,
    directory: Path,
    kubeconfig: Path,
    client: Path,
    seconds: int,
    rounds: int,
    tls: tuple[Path, Path] | None,
) -> None:
    bodies = {size: directory / f"body-{size}.json" for size in SIZES}
    for size, path in bodies.items():
        path.write_bytes(request_body(size))
    with servers(build, directory, kubeconfig, tls) as running:
        for server in running.values():
            for size in SIZES:
                measure(server, client, bodies[size], 1, tls)  # caches and allocators warm, both sizes seen
        results: dict[int, dict[str, list[dict[str, float]]]] = {}
        for size in SIZES:
            results[size] = {name: [] for name in running}
            for number in range(rounds):
                for name, server in running.items():
                    result = measure(server, client, bodies[size], seconds, tls)
                    results[size][name].append(result)
                    progress(
                        f"extender-{size} tls={'on' if tls else 'off'} round {number + 1} {name}: "
                        f"{result['per_cpu_second']:.0f} req/CPU-s, "
                        f"p50 {result['p50_us']:.0f} us, p99 {result['p99_us']:.0f} us"
                    )
        memory = {name: server.resident_mb() for name, server in running.items()}
        for size in SIZES:
            report(size, results[size], memory, tls is not None)


def report(size: int, results: dict[str, list[dict[str, float]]], memory: dict[str, float], tls: bool) -> None:
    def median(name: str, what: str) -> float:
        return statistics.median(result[what] for result in results[name])

    rate, p99 = median("ours", "per_cpu_second"), median("ours", "p99_us")
    their_rate, their_p99 = median("theirs", "per_cpu_second"), median("theirs", "p99_us")
    print(
        f"bench extender-{size} tls={'on' if tls else 'off'} "
        f"req_per_cpu_s={rate:.0f} p50_us={median('ours', 'p50_us'):.0f} p99_us={p99:.0f} rss_mb={memory['ours']:.1f} "
        f"yardstick_req_per_cpu_s={their_rate:.0f} yardstick_p50_us={median('theirs', 'p50_us'):.0f} "
        f"yardstick_p99_us={their_p99:.0f} yardstick_rss_mb={memory['theirs']:.1f} ratio={rate / their_rate:.2f} "
        f"p99_ratio={p99 / their_p99:.2f} rss_ratio={memory['ours'] / memory['theirs']:.2f} yardstick=goextender",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--build", type=Path, default=ROOT / "build", help="folder of the programs under test")
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="loadshift-bench-") as name:
        directory = Path(name)
        client = build_client(directory)
        build_yardstick(directory)
        certificate = make_certificate(directory)
        kubeconfig = directory / "kubeconfig"
        api = fakeapi.FakeApi(NODES)
        kubeconfig.write_text(api.kubeconfig())
        for tls in (None, certificate):
            bench(arguments.build.resolve(), directory, kubeconfig, client, arguments.seconds, arguments.rounds, tls)


if __name__ == "__main__":
    main()
