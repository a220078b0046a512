# SPDX-License-Identifier: Apache-2.0
"""The test harness itself: a harness that lies makes every other test worthless."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from cluster import ClusterError, Component, ControlPlane
from harness.api import Api, ApiError, Object
from harness.audit import AuditLog
from harness.process import ProcessRunner, sanitizer_report
from harness.proxy import Proxy, crash_points
from harness.waiting import stays, wait_for

# A program that writes two ConfigMaps named by its arguments, one after the other, and goes on
# from wherever an earlier run got to. It stands in for the operator.
WRITER = """\
import http.client, json, ssl, sys, time, urllib.parse
server, namespace, *names = sys.argv[1:]
address = urllib.parse.urlsplit(server)
context = ssl._create_unverified_context()
def request(method, path, body=None):
    connection = http.client.HTTPSConnection(address.hostname, address.port, context=context)
    connection.request(method, path, body, {"Content-Type": "application/json"})
    return connection.getresponse().status
for name in names:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    if request("GET", f"{path}/{name}") == 404:
        print(name, request("POST", path, json.dumps({"metadata": {"name": name}})), flush=True)
time.sleep(600)
"""

STUBBORN = """\
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(1, flush=True)
time.sleep(600)
"""


def job(name: str, run_for: str = "1s", **spec: object) -> Object:
    pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "none"}]}
    template = {"metadata": {"annotations": {"kwok.loadshift.io/run-for": run_for}}, "spec": pod}
    return {"kind": "Job", "metadata": {"name": name}, "spec": {"template": template, **spec}}


def test_nodes_and_kubectl(cluster: ControlPlane) -> None:
    nodes = json.loads(cluster.kubectl("get", "nodes", "--output=json"))["items"]
    regions = {node["metadata"]["labels"].get("loadshift.io/region") for node in nodes}
    assert {"north-scotland", "london", "south-wales"} <= regions
    with pytest.raises(ClusterError, match="not found"):
        cluster.kubectl("get", "node", "no-such-node")


def test_jobs_run_fail_and_pause_on_kwok_nodes(api: Api) -> None:
    api.create(job("good"))
    bad = job("bad", backoffLimit=0)
    bad["spec"]["template"]["metadata"]["annotations"]["kwok.loadshift.io/exit-code"] = "7"
    api.create(bad)
    api.create(job("long", run_for="1h"))
    api.wait_condition("jobs", "good", "Complete")
    api.wait_condition("jobs", "bad", "Failed")
    [pod] = api.list("pods", labelSelector="job-name=bad")
    assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 7
    api.wait("jobs", "long", lambda j: j["status"].get("ready") == 1)
    api.patch("jobs", "long", {"spec": {"suspend": True}})
    api.wait_condition("jobs", "long", "Suspended")
    wait_for(lambda: not api.list("pods", labelSelector="job-name=long"), what="the paused job's pod is gone")


def test_watch_and_errors(api: Api) -> None:
    api.wait("configmaps", "kube-root-ca.crt", bool, what="exists")
    version = api.list_object("configmaps")["metadata"]["resourceVersion"]
    api.create({"kind": "ConfigMap", "metadata": {"name": "one"}})
    with api.watch("configmaps", version) as events:
        event = next(events)
    assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "one")
    with pytest.raises(ApiError, match="AlreadyExists"):
        api.create({"kind": "ConfigMap", "metadata": {"name": "one"}})
    with pytest.raises(AssertionError, match="(?s)not within.*name: one"):
        api.wait("configmaps", "one", lambda obj: "data" in obj, timeout=0.3)


def test_audit_names_the_writer(cluster: ControlPlane, api: Api, audit: AuditLog) -> None:
    api.create(job("audited", suspend=True))
    [event] = audit.writes(user="loadshift-admin", agent="loadshift-tests", resource="jobs", namespace=api.namespace)
    assert event["verb"] == "create"
    assert event["responseObject"]["metadata"]["name"] == "audited"
    audit.mark()
    assert not audit.writes(user="loadshift-admin", namespace=api.namespace)


def test_identities_have_no_rights_but_their_own(cluster: ControlPlane, namespace: str) -> None:
    nobody = cluster.kubeconfig_for("somebody", ["some-group"])
    account = cluster.kubeconfig_for_account(namespace, "worker")
    for kubeconfig, name in ((nobody, "somebody"), (account, f"system:serviceaccount:{namespace}:worker")):
        assert name in cluster.kubectl(f"--kubeconfig={kubeconfig}", "auth", "whoami")
        with pytest.raises(ClusterError, match="forbidden"):
            cluster.kubectl(f"--kubeconfig={kubeconfig}", "get", "nodes")


def test_old_resource_versions_expire(private_cluster: Callable[..., ControlPlane]) -> None:
    """A real 410 after a real compaction: without the watch cache at once, with it after a restart."""
    for watch_cache in (False, True):
        plane = private_cluster(crds=False, only=[], watch_cache=watch_cache)
        api = Api(plane.client)
        created = api.create({"kind": "ConfigMap", "metadata": {"name": "one"}})
        version = created["metadata"]["resourceVersion"]
        api.create({"kind": "ConfigMap", "metadata": {"name": "two"}})
        with api.watch("configmaps", version) as events:
            assert next(events)["object"]["metadata"]["name"] == "two"
        if watch_cache:
            plane.expire_watches()
        else:
            plane.compact_all()
        with pytest.raises(ApiError) as error, api.watch("configmaps", version) as events:
            event = next(events)
            raise ApiError("watch", event["object"].get("code", 200), event["object"])
        assert error.value.status == 410


def test_restarted_apiserver_keeps_its_address(private_cluster: Callable[..., ControlPlane]) -> None:
    plane = private_cluster(crds=False, only=[])
    api = Api(plane.client)
    api.create({"kind": "ConfigMap", "metadata": {"name": "kept"}})
    version = api.list_object("configmaps")["metadata"]["resourceVersion"]
    with api.watch("configmaps", version) as events:
        plane.restart_apiserver()
        with pytest.raises((StopIteration, OSError)):
            next(events)
    assert api.get("configmaps", "kept")


def test_proxy_crashes_a_program_at_every_write(cluster: ControlPlane, api: Api, programs: ProcessRunner) -> None:
    with Proxy(cluster) as proxy:
        points = []
        for trap in crash_points(proxy, lambda: program.kill()):
            names = [f"{trap.when}-{trap.number}-{i}" for i in (1, 2)]
            program = programs.start(sys.executable, "-c", WRITER, proxy.server, api.namespace, *names)
            if trap.fires_before(lambda: api.find("configmaps", names[1])):
                done = bool(api.find("configmaps", names[trap.number - 1]))
                assert done == (trap.when == "after")
                points.append((trap.number, trap.when))
                program.start()
            for name in names:
                wait_for(lambda: api.find("configmaps", name), what=f"{name} is written")
            program.kill()
        assert points == [(1, "before"), (1, "after"), (2, "before"), (2, "after")]
        lost = [write for write in proxy.writes if write.status is None]
        assert len(lost) == 2 and len(proxy.writes) == 2 * 6 + 2


def test_proxy_streams_watches_and_makes_faults(cluster: ControlPlane, api: Api, proxy: Proxy) -> None:
    through = Api(type(cluster.client)(proxy.server, cluster.client.context), api.namespace)
    version = api.list_object("secrets")["metadata"]["resourceVersion"]
    with through.watch("secrets", version, timeout=5) as events:
        api.create({"kind": "Secret", "metadata": {"name": "one"}})
        assert next(events)["object"]["metadata"]["name"] == "one"
        proxy.block()
        api.create({"kind": "Secret", "metadata": {"name": "two"}})
        seen = threading.Event()
        reader = threading.Thread(target=lambda: next(events) and seen.set(), daemon=True)
        reader.start()
        stays(lambda: not seen.is_set(), 0.5, what="nothing comes through a partition")
        proxy.unblock()
        assert seen.wait(5)
        reader.join()
        proxy.cut_all()
        with pytest.raises((StopIteration, OSError)):
            next(events)
    proxy.answer(429, match=lambda request: request.method == "GET", retry_after=1)
    with pytest.raises(ApiError, match="429"):
        through.get("secrets", "one")
    assert through.get("secrets", "one")
    proxy.cut(match=lambda request: request.method == "DELETE", when="after")
    with pytest.raises(Exception, match="(?i)remote end closed|eof"):
        through.delete("secrets", "one")
    assert api.find("secrets", "one") is None
    assert [write.method for write in proxy.writes] == ["DELETE"]


def test_programs_are_judged(programs: ProcessRunner, workdir: Path) -> None:
    paused = programs.start(sys.executable, "-c", "import time; time.sleep(600)")
    paused.pause()
    with pytest.raises(AssertionError, match="still ran"):
        stubborn = programs.start(sys.executable, "-c", STUBBORN)
        wait_for(lambda: "1" in stubborn.text(), what="it has installed its handler")
        stubborn.terminate(timeout=0.3)
    (workdir / "crashed").mkdir()
    crashed = ProcessRunner(workdir / "crashed")
    crashed.start(sys.executable, "-c", "import os; os.abort()")
    reporting = (
        "import sys, time; print('==1==ERROR: AddressSanitizer: heap-use-after-free', flush=True); time.sleep(600)"
    )
    crashed.start(sys.executable, "-c", reporting)
    wait_for(lambda: "Address" in crashed.programs[1].text(), what="the report is printed")
    wait_for(lambda: not crashed.programs[0].running(), what="the other has crashed")
    with pytest.raises(AssertionError, match="(?s)died of signal 6.*heap-use-after-free"):
        crashed.close()
    assert sanitizer_report("a\nb.c:1:2: runtime error: shift\nc") == "b.c:1:2: runtime error: shift\nc"
    assert sanitizer_report("all is well") is None


def test_a_component_that_fails_says_why(tmp_path: Path) -> None:
    broken = Component("broken", ["sh", "-c", "echo the disk is full; exit 3"], tmp_path / "broken.log", lambda: False)
    broken.start()
    with pytest.raises(ClusterError, match="(?s)ended with code 3.*the disk is full"):
        broken.wait_ready(timeout=5)
