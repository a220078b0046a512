#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A private Kubernetes control plane on loopback ports, for the demo and the tests.

etcd, kube-apiserver, kube-controller-manager and kube-scheduler are the real programs (built by
hack/kube-tools); only the nodes are played, by kwok. Everything a control plane writes lies in
one directory, and every process it starts ends with it, whatever happens to the caller.

As a program it runs one until Ctrl-C:

    hack/cluster.py --dir /tmp/my-cluster --kwok-nodes 6
"""

from __future__ import annotations

import argparse
import atexit
import base64
import contextlib
import http.client
import json
import os
import random
import select
import shlex
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HACK = Path(__file__).resolve().parent
KWOK_ANNOTATION = "kwok.x-k8s.io/node"
Labels = Mapping[str, str] | Callable[[int], Mapping[str, str]]


class ClusterError(Exception):
    """The control plane could not do what was asked; the text says why, with the log's end."""


# --------------------------------------------------------------------------------------------
# Processes


_given_ports: set[int] = set()


def free_port() -> int:
    """A free loopback port outside the kernel's ephemeral range.

    Inside that range an outgoing connection could take the port while its server restarts, or a
    client that keeps reconnecting could even connect to itself.
    """
    for _ in range(1000):
        port = random.randint(20000, 32000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in _given_ports:
                _given_ports.add(port)
                return port
    raise ClusterError("no free port between 20000 and 32000")


def tail(path: Path, lines: int = 15) -> str:
    """The last lines of a log, for an error text."""
    with contextlib.suppress(OSError):
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    return "(no log)"


@dataclass
class Component:
    """One program of the control plane: how it is started, and its process while it runs."""

    name: str
    argv: list[str]
    log: Path
    ready: Callable[[], bool]
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the program; the log of an earlier run is kept and continued.

        setpriv asks the kernel to kill the program when its parent dies, so that not even a
        kill -9 of a test run leaves a control plane behind. (The kernel means the parent
        *thread*: call this from one that lives as long as the program is wanted.) A process
        group of its own keeps a Ctrl-C in the terminal from reaching it before us.
        """
        assert self.process is None, f"{self.name} runs already"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *self.argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(self.env),
                process_group=0,
            )

    def wait_ready(self, timeout: float = 60.0) -> None:
        """Wait until the program serves."""
        deadline = time.monotonic() + timeout
        while not self.ready():
            if self.process is None or self.process.poll() is not None:
                code = self.process.returncode if self.process else None
                raise ClusterError(f"{self.name} ended with code {code}; {self.log} ends:\n{tail(self.log)}")
            if time.monotonic() > deadline:
                raise ClusterError(f"{self.name} not ready after {timeout:.0f} s; {self.log} ends:\n{tail(self.log)}")
            time.sleep(0.05)

    def stop(self, *, kill: bool = False, timeout: float = 5.0) -> None:
        """End the program: SIGTERM, and SIGKILL where that does not do within the timeout."""
        if self.process is None:
            return
        if not kill:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout)
        self.process.kill()
        self.process.wait()
        self.process = None

    @property
    def pid(self) -> int:
        assert self.process is not None, f"{self.name} does not run"
        return self.process.pid


def find_tools() -> dict[str, str]:
    """Paths of the built programs, by name; builds what is missing (minutes, the first time)."""
    result = subprocess.run([str(HACK / "kube-tools"), "--print-env"], stdout=subprocess.PIPE, text=True, check=False)
    if result.returncode != 0:
        raise ClusterError("hack/kube-tools failed, see above")
    pairs = (word.split("=", 1) for word in shlex.split(result.stdout))
    return {name.lower().replace("_", "-"): path for name, path in pairs}


# --------------------------------------------------------------------------------------------
# Certificates and kubeconfigs

OPENSSL_CONFIG = """\
[req]
distinguished_name = dn
prompt = no
[dn]
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = IP:127.0.0.1, IP:10.0.0.1, DNS:localhost, DNS:kubernetes.default.svc
[client]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
"""


class Certificates:
    """The cluster's own certificate authority, kept in a folder, with the openssl program."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "openssl.cnf").write_text(OPENSSL_CONFIG)
        self.ca = folder / "ca.crt"
        if not self.ca.exists():
            self._issue("ca", "/CN=loadshift-test-ca", "ca")

    def _issue(self, name: str, subject: str, kind: str) -> tuple[Path, Path]:
        certificate, key = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        signer = [] if kind == "ca" else ["-CA", str(self.ca), "-CAkey", str(self.folder / "ca.key")]
        command = ["openssl", "req", "-x509", "-config", str(self.folder / "openssl.cnf"), "-extensions", kind]
        command += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", "3650"]
        command += [*signer, "-subj", subject, "-keyout", str(key), "-out", str(certificate)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise ClusterError(f"openssl could not make {certificate}:\n{result.stderr}")
        return certificate, key

    def server(self, name: str) -> tuple[Path, Path]:
        """A serving certificate for loopback, and its key."""
        return self._issue(name, f"/CN={name}", "server")

    def client(self, user: str, groups: Sequence[str] = ()) -> tuple[Path, Path]:
        """A client certificate (user is its CN, groups its O's), and its key."""
        subject = "".join(f"/O={group}" for group in groups) + f"/CN={user}"
        return self._issue("client-" + user.replace(":", "-").replace("/", "-"), subject, "client")


def write_kubeconfig(path: Path, server: str, ca: Path, user: str, credential: Mapping[str, str]) -> Path:
    """Write a kubeconfig as kubectl would, everything inline. JSON strings are YAML, too."""
    lines = "\n".join(f"    {key}: {json.dumps(value)}" for key, value in credential.items())
    path.touch(mode=0o600)
    path.write_text(f"""\
apiVersion: v1
kind: Config
clusters:
- name: loadshift
  cluster:
    server: {server}
    certificate-authority-data: {encoded(ca)}
users:
- name: {json.dumps(user)}
  user:
{lines}
contexts:
- name: loadshift
  context:
    cluster: loadshift
    user: {json.dumps(user)}
current-context: loadshift
""")
    return path


def encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


# --------------------------------------------------------------------------------------------
# HTTP


class Client:
    """JSON over HTTPS to the API server; each thread keeps a connection of its own alive."""

    def __init__(self, server: str, context: ssl.SSLContext, headers: Mapping[str, str] | None = None) -> None:
        parts = urllib.parse.urlsplit(server)
        assert parts.hostname is not None
        self.host, self.port, self.context = parts.hostname, parts.port or 443, context
        self.headers = {"User-Agent": "loadshift-tests", "Accept": "application/json", **(headers or {})}
        self._local = threading.local()

    def connect(self, timeout: float = 60.0) -> http.client.HTTPSConnection:
        """A new connection, for the caller alone."""
        connection = http.client.HTTPSConnection(self.host, self.port, context=self.context, timeout=timeout)
        connection.connect()
        assert connection.sock is not None
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def request(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json"
    ) -> tuple[int, Any]:
        """One request; gives the status and the decoded body (text where it is not JSON).

        Nothing is tried twice: a write whose reply got lost must be the caller's business.
        """
        data = None if body is None else json.dumps(body).encode()
        headers = {**self.headers, "Content-Type": content_type} if data is not None else self.headers
        connection = self._kept() or self.connect()
        self._local.connection = None
        try:
            connection.request(method, path, body=data, headers=headers)
            response = connection.getresponse()
            answer = response.status, decode(response.read())
        except BaseException:
            connection.close()
            raise
        self._local.connection = connection
        return answer

    def _kept(self) -> http.client.HTTPSConnection | None:
        """This thread's idle connection, unless the server has closed it (it is readable then)."""
        connection: http.client.HTTPSConnection | None = getattr(self._local, "connection", None)
        if connection is None or connection.sock is None:
            return None
        if select.select([connection.sock], [], [], 0)[0]:
            connection.close()
            return None
        return connection


def decode(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return body.decode(errors="replace")


def node_object(
    name: str, labels: Mapping[str, str], cpu: str, memory: str, pods: int, *, fake: bool
) -> dict[str, Any]:
    """A Node: run by kwok if fake, else a plain object that is Ready for ever (nobody reports on it)."""
    resources = {"cpu": cpu, "memory": memory, "pods": str(pods), "ephemeral-storage": "100Gi"}
    condition = {"type": "Ready", "status": "True", "reason": "PlainObject", "lastHeartbeatTime": None}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {KWOK_ANNOTATION: "fake"} if fake else {},
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                **labels,
            },
        },
        "status": {
            "capacity": resources,
            "allocatable": resources,
            "conditions": [] if fake else [condition],
        },
    }


# --------------------------------------------------------------------------------------------
# The control plane

AUDIT_POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  namespaces: [kube-node-lease]
- level: RequestResponse
  verbs: [create, update, patch, delete, deletecollection]
  resources:
  - group: batch
    resources: [jobs, jobs/status]
  - group: loadshift.io
  - group: coordination.k8s.io
    resources: [leases]
- level: Metadata
"""


class ControlPlane:
    """A whole control plane in one directory. Use it with `with`, or call start() and stop().

    scheduler_config: text of a KubeSchedulerConfiguration; the token @KUBECONFIG@ in it is
      replaced by the path of the scheduler's own kubeconfig, which clientConnection must name.
    controllers: --controllers of kube-controller-manager, say "*,-podgc".
    disable_admission_plugins: as for kube-apiserver.
    watch_cache: False makes every watch an etcd watch, so that compact_all() gives 410 to a
      watch from an older resource version; the API server's cache would still serve it.
    audit: False keeps no audit log, which costs the API server time that a bench measures.
    only: start just these components (etcd and kube-apiserver always are).
    """

    def __init__(
        self,
        directory: Path | str,
        *,
        scheduler_config: str | None = None,
        controllers: str | None = None,
        disable_admission_plugins: Sequence[str] = (),
        watch_cache: bool = True,
        audit: bool = True,
        only: Iterable[str] | None = None,
        tools: Mapping[str, str] | None = None,
    ) -> None:
        self.directory = Path(directory).resolve()
        self.directory.mkdir(parents=True, exist_ok=True)
        self.tools = dict(tools or find_tools())
        self.certificates = Certificates(self.directory / "pki")
        self.audit_log = self.directory / "audit.log"
        self.kubeconfig = self.directory / "admin.kubeconfig"
        self._etcd = f"http://127.0.0.1:{free_port()}"
        self.port = free_port()
        self.server = f"https://127.0.0.1:{self.port}"
        self._scheduler_config = scheduler_config
        self._controllers = controllers
        self._disabled_plugins = disable_admission_plugins
        self._watch_cache = watch_cache
        self._audit = audit
        wanted = ["kube-controller-manager", "kube-scheduler", "kwok"]
        wanted = [name for name in wanted if only is None or name in only]
        self.kubeconfig_for("loadshift-admin", ["system:masters"], path=self.kubeconfig)
        self.client = self.client_for("loadshift-admin")
        makers = {
            "etcd": self._make_etcd,
            "kube-apiserver": self._make_apiserver,
            "kube-controller-manager": self._make_controller_manager,
            "kube-scheduler": self._make_scheduler,
            "kwok": self._make_kwok,
        }
        self.components = {name: makers[name]() for name in ["etcd", "kube-apiserver", *wanted]}
        atexit.register(self.stop)

    def __enter__(self) -> ControlPlane:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # -- life

    def start(self) -> None:
        """Start every component and wait until all of them serve."""
        try:
            for name in ("etcd", "kube-apiserver"):
                self.components[name].start()
                self.components[name].wait_ready()
            rest = [c for name, c in self.components.items() if name not in ("etcd", "kube-apiserver")]
            for component in rest:
                component.start()
            for component in rest:
                component.wait_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End every process of this control plane. Nothing in it needs a gentle end."""
        for component in reversed(self.components.values()):
            component.stop(kill=True)

    def restart(self, name: str) -> None:
        """Kill a component (SIGKILL) and start it again on the same port."""
        self.components[name].stop(kill=True)
        self.components[name].start()
        self.components[name].wait_ready()

    def restart_apiserver(self) -> None:
        """A crash of the API server: all connections are cut, clients must come back."""
        self.restart("kube-apiserver")

    # -- components

    def _component(self, name: str, flags: Iterable[str], ready: Callable[[], bool], **env: str) -> Component:
        argv = [self.tools[name], *flags]
        return Component(name, argv, self.directory / f"{name}.log", ready, {**os.environ, **env})

    def _make_etcd(self) -> Component:
        peer = f"http://127.0.0.1:{free_port()}"
        flags = [
            "--name=etcd",
            f"--data-dir={self.directory / 'etcd'}",
            f"--listen-client-urls={self._etcd}",
            f"--advertise-client-urls={self._etcd}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=etcd={peer}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]
        return self._component("etcd", flags, lambda: http_ok(self._etcd + "/health"))

    def _make_apiserver(self) -> Component:
        pki = self.certificates
        certificate, key = pki.server("kube-apiserver")
        account_certificate, account_key = pki.client("service-accounts")
        policy = self.directory / "audit-policy.yaml"
        policy.write_text(AUDIT_POLICY)
        audit = [f"--audit-policy-file={policy}", f"--audit-log-path={self.audit_log}", "--audit-log-maxsize=100000"]
        flags = [
            f"--etcd-servers={self._etcd}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.port}",
            "--endpoint-reconciler-type=none",  # a loopback address cannot be an endpoint
            "--service-cluster-ip-range=10.0.0.0/16",
            f"--tls-cert-file={certificate}",
            f"--tls-private-key-file={key}",
            f"--client-ca-file={pki.ca}",
            "--authorization-mode=Node,RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={account_certificate}",
            f"--service-account-signing-key-file={account_key}",
            *(audit if self._audit else []),
            f"--watch-cache={str(self._watch_cache).lower()}",
            f"--disable-admission-plugins={','.join(self._disabled_plugins)}",
        ]
        return self._component("kube-apiserver", flags, self._apiserver_ready)

    def _apiserver_ready(self) -> bool:
        try:
            return self.client.request("GET", "/readyz")[0] == 200
        except OSError:
            return False

    def _own_kubeconfig(self, name: str, groups: Sequence[str] = ()) -> Path:
        return self.kubeconfig_for(f"system:{name}", groups, path=self.directory / f"{name}.kubeconfig")

    def _make_controller_manager(self) -> Component:
        kubeconfig, port = self._own_kubeconfig("kube-controller-manager"), free_port()
        flags = [
            f"--kubeconfig={kubeconfig}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            f"--cert-dir={self.directory / 'controller-manager-pki'}",
            f"--service-account-private-key-file={self.certificates.folder / 'client-service-accounts.key'}",
            f"--root-ca-file={self.certificates.ca}",
            f"--cluster-signing-cert-file={self.certificates.ca}",
            f"--cluster-signing-key-file={self.certificates.folder / 'ca.key'}",
            "--use-service-account-credentials=true",
            "--leader-elect=false",
            "--kube-api-qps=500",
            "--kube-api-burst=1000",
            "--concurrent-job-syncs=20",
            "--node-monitor-grace-period=24h",  # plain Node objects have no heartbeat
        ]
        if self._controllers:
            flags.append(f"--controllers={self._controllers}")
        return self._component("kube-controller-manager", flags, lambda: http_ok(f"https://127.0.0.1:{port}/healthz"))

    def _make_scheduler(self) -> Component:
        kubeconfig, port = self._own_kubeconfig("kube-scheduler"), free_port()
        default = (
            "apiVersion: kubescheduler.config.k8s.io/v1\n"
            "kind: KubeSchedulerConfiguration\n"
            "leaderElection: {leaderElect: false}\n"
            "clientConnection: {kubeconfig: @KUBECONFIG@, qps: 5000, burst: 10000}\n"
        )
        config = self.directory / "kube-scheduler.yaml"
        config.write_text((self._scheduler_config or default).replace("@KUBECONFIG@", str(kubeconfig)))
        flags = [
            f"--config={config}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            f"--cert-dir={self.directory / 'scheduler-pki'}",
        ]
        return self._component("kube-scheduler", flags, lambda: http_ok(f"https://127.0.0.1:{port}/healthz"))

    def _make_kwok(self) -> Component:
        kubeconfig, port = self._own_kubeconfig("kwok", ["system:masters"]), free_port()
        flags = [
            f"--kubeconfig={kubeconfig}",
            f"--config={HACK / 'kube' / 'kwok' / 'stages.yaml'}",
            "--manage-all-nodes=false",
            f"--manage-nodes-with-annotation-selector={KWOK_ANNOTATION}=fake",
            "--node-lease-duration-seconds=40",
            "--cidr=10.244.0.0/16",
            f"--server-address=127.0.0.1:{port}",
        ]
        ready = f"http://127.0.0.1:{port}/healthz"
        return self._component("kwok", flags, lambda: http_ok(ready), KWOK_WORKDIR=str(self.directory / "kwok"))

    # -- identities

    def kubeconfig_for(self, user: str, groups: Sequence[str] = (), *, path: Path | None = None) -> Path:
        """A kubeconfig with a client certificate for the user, who is in the groups."""
        certificate, key = self.certificates.client(user, groups)
        path = path or self.directory / f"user-{user.replace(':', '-').replace('/', '-')}.kubeconfig"
        credential = {"client-certificate-data": encoded(certificate), "client-key-data": encoded(key)}
        return write_kubeconfig(path, self.server, self.certificates.ca, user, credential)

    def token(self, namespace: str, name: str, seconds: int = 3600) -> str:
        """A fresh token of the ServiceAccount, which is created if there is none."""
        accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
        self.expect("POST", accounts, {"metadata": {"name": name}}, also=(409,))
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": seconds},
        }
        return str(self.expect("POST", f"{accounts}/{name}/token", request)["status"]["token"])

    def kubeconfig_for_account(self, namespace: str, name: str, *, path: Path | None = None) -> Path:
        """A kubeconfig with a token of the ServiceAccount, which is created if there is none."""
        path = path or self.directory / f"account-{namespace}-{name}.kubeconfig"
        token = self.token(namespace, name)
        return write_kubeconfig(path, self.server, self.certificates.ca, name, {"token": token})

    def client_for(self, user: str) -> Client:
        """A Client as a user for whom kubeconfig_for() was called."""
        context = ssl.create_default_context(cafile=str(self.certificates.ca))
        base = str(self.certificates.folder / f"client-{user.replace(':', '-').replace('/', '-')}")
        context.load_cert_chain(base + ".crt", base + ".key")
        return Client(self.server, context)

    # -- use

    def expect(self, method: str, path: str, body: Any = None, *, also: Sequence[int] = ()) -> Any:
        """A request as cluster admin; anything but 2xx (or a status in also) is an error."""
        status, answer = self.client.request(method, path, body)
        if not 200 <= status < 300 and status not in also:
            raise ClusterError(f"{method} {path}: {status} {answer}")
        return answer

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        """Run kubectl as cluster admin; gives its standard output."""
        result = subprocess.run(
            [self.tools["kubectl"], f"--kubeconfig={self.kubeconfig}", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "KUBECACHEDIR": str(self.directory / "kubectl-cache")},
        )
        if check and result.returncode != 0:
            raise ClusterError(f"kubectl {shlex.join(arguments)}: {result.stderr.strip()}")
        return result.stdout

    def compact_all(self) -> int:
        """Compact etcd so far that every resource version seen until now is too old; gives the revision.

        Reads that go to etcd from an older revision then get 410: continue tokens always, and
        watches where watch_cache is off or, with the cache, after restart_apiserver() too.
        """
        # Compaction keeps the last revision, and a watch from v asks for v + 1: hence two writes.
        for _ in range(2):
            answer = post_json(self._etcd + "/v3/kv/put", {"key": encode_text("compaction"), "value": ""})
        revision = int(answer["header"]["revision"])
        post_json(self._etcd + "/v3/kv/compaction", {"revision": str(revision), "physical": True})
        return revision

    def expire_watches(self) -> None:
        """Make every resource version seen so far too old to watch from: 410 for whoever tries."""
        self.compact_all()
        self.restart_apiserver()

    def add_nodes(
        self,
        count: int,
        labels: Labels | None = None,
        *,
        fake: bool = True,
        prefix: str | None = None,
        cpu: str = "16",
        memory: str = "64Gi",
        pods: int = 110,
        wait: bool = True,
    ) -> list[str]:
        """Add nodes and give their names: kwok's, which run pods, or plain objects (fake=False).

        labels may be a function of the node's number. Keep kwok's below 200: they heartbeat.
        """
        prefix = prefix or ("kwok" if fake else "plain")
        names = [f"{prefix}-{i}" for i in range(count)]

        def create(i: int) -> None:
            own = labels(i) if callable(labels) else (labels or {})
            self.expect("POST", "/api/v1/nodes", node_object(names[i], own, cpu, memory, pods, fake=fake))

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(create, range(count)))
        if wait and "kube-controller-manager" in self.components:
            self.wait_schedulable(names)
        return names

    def wait_schedulable(self, names: Iterable[str], timeout: float = 60.0) -> None:
        """Wait until the nodes are Ready and rid of their start-up taint."""
        missing, deadline = set(names), time.monotonic() + timeout
        while True:
            started = time.monotonic()
            nodes = self.expect("GET", "/api/v1/nodes?resourceVersion=0")["items"]
            missing -= {node["metadata"]["name"] for node in nodes if schedulable(node)}
            if not missing:
                return
            if time.monotonic() > deadline:
                raise ClusterError(f"{len(missing)} nodes not schedulable after {timeout:.0f} s: {sorted(missing)[:5]}")
            time.sleep(max(0.1, 2 * (time.monotonic() - started)))  # a list of thousands is dear


def schedulable(node: Mapping[str, Any]) -> bool:
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in node["status"].get("conditions", []))
    return ready and not node["spec"].get("taints")


def encode_text(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def post_json(url: str, body: Any) -> Any:
    """POST to a plain-http loopback URL."""
    parts = urllib.parse.urlsplit(url)
    assert parts.hostname is not None
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
    with contextlib.closing(connection):
        connection.request("POST", parts.path, json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        text = response.read().decode()
        if response.status != 200:
            raise ClusterError(f"POST {url}: {response.status} {text}")
        return json.loads(text)


def http_ok(url: str) -> bool:
    """Does a GET give 200? Certificates are not looked at: the URL is a loopback health check."""
    parts = urllib.parse.urlsplit(url)
    assert parts.hostname is not None
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl._create_unverified_context()  # noqa: SLF001
        connection = http.client.HTTPSConnection(parts.hostname, parts.port, context=context, timeout=5)
    else:
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=5)
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("GET", parts.path)
        return connection.getresponse().status == 200
    return False


# --------------------------------------------------------------------------------------------
# Command line


def main() -> int:
    """Run a control plane until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--dir", type=Path, help="where everything is kept (default: a new temporary directory)")
    parser.add_argument("--kwok-nodes", type=int, default=0, metavar="N", help="add N fake nodes that run pods")
    parser.add_argument("--plain-nodes", type=int, default=0, metavar="N", help="add N Node objects that run nothing")
    parser.add_argument("--scheduler-config", type=Path, metavar="FILE", help="a KubeSchedulerConfiguration")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored if a script started us with &
    directory = arguments.dir or Path(tempfile.mkdtemp(prefix="loadshift-cluster-"))
    config = arguments.scheduler_config.read_text() if arguments.scheduler_config else None
    started = time.monotonic()
    try:
        with ControlPlane(directory, scheduler_config=config) as plane:
            plane.add_nodes(arguments.kwok_nodes)
            plane.add_nodes(arguments.plain_nodes, fake=False)
            print(f"ready after {time.monotonic() - started:.1f} s; Ctrl-C ends it", file=sys.stderr)
            print(f"export KUBECONFIG={shlex.quote(str(plane.kubeconfig))}", flush=True)
            while True:
                time.sleep(3600)
    except KeyboardInterrupt:
        return 0
    except ClusterError as error:
        print(f"cluster: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
