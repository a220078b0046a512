# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the integration and end-to-end tests.

One control plane for the whole run (`cluster`), a namespace for each test (`namespace`), and a
control plane of its own for a test that restarts or compacts (`private_cluster`). Everything a
run writes lies under the build folder in test-logs/<run>, and stays there only if a test fails.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster import ControlPlane, find_tools
from harness.api import Api
from harness.audit import AuditLog
from harness.process import BUILD, ROOT, ProcessRunner
from harness.proxy import Proxy

# The session cluster has a kwok node in each of these.
REGIONS = ("north-scotland", "london", "south-wales")
SHARED = ROOT.parent / "shared"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Tell fixtures how the test went, show its programs' logs, and let CI skip nothing."""
    report = yield
    if report.failed:
        item.stash[FAILED] = True
        directory = getattr(item, "funcargs", {}).get("workdir")
        for log in sorted(directory.glob("*.log")) if directory else []:
            report.sections.append((f"end of {log}", "\n".join(log.read_text(errors="replace").splitlines()[-40:])))
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI") and os.geteuid() == 0:
        report.outcome = "failed"
        report.longrepr = f"a skip is a failure in CI: {report.longrepr}"
    return report


FAILED = pytest.StashKey[bool]()


@pytest.fixture(scope="session")
def run_directory(request: pytest.FixtureRequest) -> Iterator[Path]:
    """The folder of this run; removed if every test passed."""
    directory = BUILD / "test-logs" / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    directory.mkdir(parents=True)
    yield directory
    if request.session.testsfailed == 0:
        shutil.rmtree(directory)
    for database in directory.rglob("etcd/member"):
        shutil.rmtree(database)  # large, and of no use to a reader


@pytest.fixture
def workdir(run_directory: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """The test's own folder; removed if the test passed."""
    directory = run_directory / re.sub(r"[^A-Za-z0-9]+", "-", request.node.nodeid.removesuffix("]"))
    directory.mkdir(parents=True)
    yield directory
    if FAILED not in request.node.stash:
        shutil.rmtree(directory)


@pytest.fixture(scope="session")
def kube_tools() -> dict[str, str]:
    """Paths of kube-apiserver, kubectl and so on; built if need be."""
    return find_tools()


def install_crds(plane: ControlPlane) -> None:
    """Install the project's CRDs, if there are any yet, and wait until they serve."""
    if any((ROOT / "crds").glob("*.yaml")):
        plane.kubectl("apply", "--server-side", "-f", str(ROOT / "crds"))
        plane.kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", str(ROOT / "crds"))


@pytest.fixture(scope="session")
def cluster(run_directory: Path, kube_tools: dict[str, str]) -> Iterator[ControlPlane]:
    """The control plane all tests share, with the CRDs and a kwok node in each of REGIONS."""
    with ControlPlane(run_directory / "cluster", tools=kube_tools) as plane:
        install_crds(plane)
        plane.kubectl("apply", "-f", str(ROOT / "manifests" / "rbac.yaml"))
        plane.add_nodes(len(REGIONS), lambda i: {"loadshift.io/region": REGIONS[i]})
        yield plane


@pytest.fixture(scope="session")
def operator_kubeconfig(cluster: ControlPlane) -> Path:
    """Of the operator's ServiceAccount: what it may do is what manifests/rbac.yaml says, and no more."""
    return cluster.kubeconfig_for_account("loadshift-system", "loadshift-operator")


@pytest.fixture
def private_cluster(workdir: Path, kube_tools: dict[str, str]) -> Iterator[Callable[..., ControlPlane]]:
    """Makes a control plane for this test alone; takes ControlPlane's options, and crds=False for a bare one.

    It has no nodes.
    """
    with contextlib.ExitStack() as stack:
        numbers = itertools.count()

        def make(*, crds: bool = True, **options: Any) -> ControlPlane:
            plane = ControlPlane(workdir / f"cluster-{next(numbers)}", tools=kube_tools, **options)
            stack.enter_context(plane)
            if crds:
                install_crds(plane)
            return plane

        yield make


@pytest.fixture
def namespace(cluster: ControlPlane, workdir: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of the shared cluster for this test; what is in it is written down if the test fails.

    Whoever makes a GridRegion there has the namespace too, and no other test finds it: they go with it.
    """
    api = Api(cluster.client)
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:40] + f"-{time.monotonic_ns() % 10**9}"
    api.create({"kind": "Namespace", "metadata": {"name": name}})
    Api(cluster.client, name).wait("serviceaccounts", "default", bool, what="exists")
    yield name
    if FAILED in request.node.stash:
        kinds = "jobs,pods,leases,events" + (",carbonawarejobs" if any((ROOT / "crds").glob("*.yaml")) else "")
        state = cluster.kubectl("get", kinds, "--namespace", name, "--output=yaml", check=False)
        (workdir / "namespace.yaml").write_text(state)
    api.delete("namespaces", name)
    api.request("DELETE", api.path("gridregions"))


@pytest.fixture
def api(cluster: ControlPlane, namespace: str) -> Api:
    """The shared cluster as its admin, in the test's namespace."""
    return Api(cluster.client, namespace)


@pytest.fixture
def audit(cluster: ControlPlane) -> AuditLog:
    """The shared cluster's audit log, from the test's start on."""
    return AuditLog(cluster.audit_log)


@pytest.fixture
def programs(workdir: Path) -> Iterator[ProcessRunner]:
    """Runs programs; at the end stops them, and fails the test on crashes and sanitizer reports."""
    runner = ProcessRunner(workdir)
    yield runner
    runner.close()


@pytest.fixture
def proxy(cluster: ControlPlane) -> Iterator[Proxy]:
    """A proxy to the shared cluster whose user is its admin."""
    with Proxy(cluster) as made:
        yield made


@pytest.fixture
def shared() -> Path:
    """The folder of recorded data beside the checkout; the test is skipped where there is none."""
    if not SHARED.is_dir():
        pytest.skip(f"no recorded data: {SHARED} does not exist")
    return SHARED
