# SPDX-License-Identifier: Apache-2.0
"""An operator with a database and its read API, and how tests ask it."""

from __future__ import annotations

import json
import re
import socket
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fastjsonschema

from cluster import ControlPlane, free_port
from harness.api import Api
from harness.grid import VirtualClock
from harness.operator import Operator, start_operator
from harness.process import ProcessRunner


@dataclass
class ReadApi:
    """Where a read API listens; token None asks without one. Every answer must be what its description says."""

    operator: Operator
    port: int
    database: Path | None
    context: ssl.SSLContext | None = None
    document: Any = None  # the description, asked for when it is needed
    checks: dict[tuple[str, str], Any] = field(default_factory=dict)  # by path and status

    @property
    def url(self) -> str:
        return f"{'https' if self.context else 'http'}://127.0.0.1:{self.port}"

    def ask(self, path: str, token: str | None = None, method: str = "GET") -> tuple[int, Any]:
        """Status and decoded body of /api/v1<path>."""
        status, body = self.fetch(path, token, method)
        if method == "GET":
            self.check(path.partition("?")[0], str(status), body)
        return status, body

    def fetch(self, path: str, token: str | None, method: str) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
        request = urllib.request.Request(f"{self.url}/api/v1{path}", headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30, context=self.context) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def check(self, path: str, status: str, body: Any) -> None:
        """The body against the path's schema of that status. What is no path of the API answers with an error."""
        if self.document is None:
            self.document = closed(self.fetch("/openapi.json", None, "GET")[1])
        known = (p for p in self.document["paths"] if re.fullmatch(p.replace("{name}", "[^/]+"), path))
        where = (next(known, ""), status)
        if where not in self.checks:
            schema: Any = {"$ref": "#/components/schemas/Error"}
            if where[0]:
                answers = self.document["paths"][where[0]]["get"]["responses"]
                schema = answers[status]["content"]["application/json"]["schema"]
            self.checks[where] = fastjsonschema.compile({**schema, "components": self.document["components"]})
        self.checks[where](body)


def closed(schema: Any) -> Any:
    """The same, but an object may have no member that is not described."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    more = {"additionalProperties": False} if isinstance(schema.get("properties"), dict) and "type" in schema else {}
    return {key: closed(value) for key, value in schema.items()} | more


def start_read_api(
    programs: ProcessRunner,
    plane: ControlPlane,
    kubeconfig: Path,
    workdir: Path,
    clock: VirtualClock,
    *flags: str,
    database: bool = True,
    tls: bool = False,
) -> ReadApi:
    """Starts an operator that serves /api/v1, with a SQLite file unless told otherwise; without TLS on loopback."""
    port = free_port()
    path = workdir / "loadshift.db" if database else None
    arguments = ["--read-api-enabled", "--read-api-port", str(port), *flags]
    context = None
    if path:
        arguments += ["--db-url", f"sqlite://{path}"]
    if tls:
        certificate, key = plane.certificates.server("read-api")
        arguments += ["--tls-cert", str(certificate), "--tls-key", str(key)]
        context = ssl.create_default_context(cafile=str(plane.certificates.ca))
    elif "--read-api-plain" not in flags:
        arguments += ["--read-api-address", "127.0.0.1"]
    operator = start_operator(programs, kubeconfig, "loadshift-system", clock, *arguments)
    return ReadApi(operator, port, path, context)


def reader(api: Api, plane: ControlPlane, name: str, *, namespace: str | None = None, role: str = "") -> str:
    """A token of a ServiceAccount in the api's namespace, bound to that ClusterRole there, or cluster-wide ("")."""
    token: str = plane.token(api.namespace, name)
    if role:
        subject = {"kind": "ServiceAccount", "name": name, "namespace": api.namespace}
        kind = "RoleBinding" if namespace else "ClusterRoleBinding"
        metadata = {"name": f"{api.namespace}-{name}", **({"namespace": namespace} if namespace else {})}
        api.create(
            {
                "kind": kind,
                "metadata": metadata,
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
                "subjects": [subject],
            }
        )
    return token


def own_address() -> str | None:
    """An address of this machine that is no loopback one, as the API server's proxy wants it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.200", 9))  # nothing is sent
        except OSError:
            return None
        address: str = probe.getsockname()[0]
        return None if address.startswith("127.") else address
