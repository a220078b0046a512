# SPDX-License-Identifier: Apache-2.0
"""A stand-in for the API server that lists Nodes and GridRegions once and then lets watches wait.

Only for benches of the extender: what is measured makes no request while it is measured, and a real API server would
take a core away from it.
"""

from __future__ import annotations

import datetime
import json
import sys
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SLOT = datetime.timedelta(minutes=30)
REGIONS = [
    "north-scotland", "south-scotland", "north-west-england", "north-east-england", "yorkshire", "merseyside",
    "south-wales", "west-midlands", "east-midlands", "east-england", "south-west-england", "south-england", "london",
    "south-east-england",
]  # fmt: skip


def node_name(number: int) -> str:
    """As the yardstick names them."""
    return f"node-{number:05d}"


def node(number: int) -> dict[str, Any]:
    """A Node as small as real ones get: the labels every kubelet sets, and what a scheduler needs."""
    name = node_name(number)
    resources = {"cpu": "32", "memory": "256Gi", "pods": "110"}
    return {
        "metadata": {
            "name": name,
            "uid": f"00000000-0000-4000-8000-{number:012d}",
            "resourceVersion": str(number + 1),
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {
                "beta.kubernetes.io/arch": "amd64",
                "beta.kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "loadshift.io/region": REGIONS[number % len(REGIONS)],
            },
        },
        "spec": {},
        "status": {
            "capacity": resources,
            "allocatable": resources,
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
        },
    }


def timestamp(time: datetime.datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def gridregion_status(carbon: int, price: int, now: datetime.datetime | None = None, slots: int = 96) -> dict[str, Any]:
    """A flat forecast from the present slot on: g/kWh, and millionths of a pound per kWh."""
    now = now or datetime.datetime.now(datetime.timezone.utc)
    start = now.replace(minute=now.minute // 30 * 30, second=0, microsecond=0)
    return {
        "sources": [{"metric": "price", "provider": "octopus-agile", "zone": "_P", "currency": "GBP"}],
        "basis": {"accounting": "average", "scope": "direct", "boundary": "consumption", "resolution": "regional"},
        "forecast": {
            "startTime": timestamp(start),
            "slotSeconds": 1800,
            "issuedTime": timestamp(start),
            "carbonP50": [carbon * 1000] * slots,
            "priceP50": [price] * slots,
            "renewable": [500] * slots,
        },
    }


def gridregion(number: int) -> dict[str, Any]:
    return {
        "metadata": {"name": REGIONS[number], "uid": f"region-{number}", "resourceVersion": str(number + 1)},
        "spec": {"group": "gb", "timeZone": "Europe/London", "costBasis": "Tariff"},
        "status": gridregion_status(20 + 20 * number, 150000 + 5000 * number),
    }


class FakeApi(ThreadingHTTPServer):
    """Serves on a loopback port of its own choice, in daemon threads."""

    daemon_threads = True

    def __init__(self, nodes: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lists = {
            "/api/v1/nodes": ("v1", "NodeList", [node(i) for i in range(nodes)]),
            "/apis/loadshift.io/v1alpha1/gridregions": (
                "loadshift.io/v1alpha1",
                "GridRegionList",
                [gridregion(i) for i in range(len(REGIONS))],
            ),
        }
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def kubeconfig(self) -> str:
        """Text of a kubeconfig for it (JSON is YAML)."""
        return json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "fake", "cluster": {"server": self.url}}],
                "users": [{"name": "fake", "user": {"token": "none"}}],
                "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
                "current-context": "fake",
            }
        )


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FakeApi

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        parts = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(parts.query))
        if parts.path not in self.server.lists:
            self.send_error(404)
        elif query.get("watch") in ("1", "true"):
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            threading.Event().wait()  # until the process ends
        else:
            self.page(*self.server.lists[parts.path], query)

    def page(self, api_version: str, kind: str, items: list[Any], query: dict[str, str]) -> None:
        first = int(query.get("continue") or 0)
        last = first + int(query.get("limit") or len(items))
        metadata = {"resourceVersion": str(len(items) + 1)} | ({"continue": str(last)} if last < len(items) else {})
        body = json.dumps({"apiVersion": api_version, "kind": kind, "metadata": metadata, "items": items[first:last]})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())


if __name__ == "__main__":
    print(FakeApi(int(sys.argv[1])).kubeconfig(), flush=True)
    threading.Event().wait()
