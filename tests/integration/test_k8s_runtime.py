# SPDX-License-Identifier: Apache-2.0
"""pkg/k8s against a real API server: watches that break, and a leader that was asleep."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

from harness.api import Api, Object
from harness.audit import AuditLog
from harness.process import Program, ProcessRunner
from harness.proxy import Proxy
from harness.waiting import wait_for

PROBE = "probe/k8s_probe"


def configmap(name: str, value: str = "1", namespace: str | None = None) -> Object:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"kind": "ConfigMap", "metadata": metadata, "data": {"value": value}}


def wait_line(program: Program, pattern: str, timeout: float = 30.0) -> None:
    wait_for(
        lambda: re.search(f"^{pattern}$", program.text(), re.MULTILINE),
        timeout=timeout,
        what=f"{program.name} says {pattern!r}",
    )


def count(program: Program, pattern: str) -> int:
    return len(re.findall(f"^{pattern}$", program.text(), re.MULTILINE))


def metric(program: Program, series: str) -> float:
    [value] = re.findall(f"^{re.escape(series)} (.*)$", program.text(), re.MULTILINE)
    return float(value)


def test_an_informer_follows_changes_and_a_cut_connection(api: Api, proxy: Proxy, programs: ProcessRunner) -> None:
    api.create(configmap("one"))
    probe = programs.start(PROBE, "watch", proxy.kubeconfig, "ConfigMap", api.namespace)
    wait_line(probe, r"synced \d+")
    api.create(configmap("two"))
    wait_line(probe, f"added {api.namespace}/two")
    api.patch("configmaps", "one", {"data": {"value": "2"}})
    wait_line(probe, f"updated {api.namespace}/one")
    proxy.cut_all()
    api.delete("configmaps", "one")
    api.create(configmap("three"))
    wait_line(probe, f"deleted {api.namespace}/one")
    wait_line(probe, f"added {api.namespace}/three")
    # The watch went on from where it was: nothing was told twice.
    assert count(probe, f"added {api.namespace}/two") == 1
    assert probe.terminate() == 0
    assert metric(probe, 'k8s_informer_relists_total{kind="ConfigMap"}') == 1


def test_compaction_and_paging(private_cluster: Callable[..., Any], programs: ProcessRunner) -> None:
    """1,200 objects come in three pages; after a real compaction the watch gets 410 and the list is made anew."""
    plane = private_cluster(crds=False, watch_cache=False, only=[])
    api = Api(plane.client, "default")
    for number in range(1200):
        api.create(configmap(f"c-{number:04}"))
    with Proxy(plane) as proxy:
        probe = programs.start(PROBE, "watch", proxy.kubeconfig, "ConfigMap", "default")
        wait_line(probe, r"synced 12\d\d")
        # Cut while nothing gets through: the next watch is asked for after the compaction only.
        proxy.block()
        proxy.cut_all()
        api.delete("configmaps", "c-0007")
        api.patch("configmaps", "c-0008", {"data": {"value": "2"}})
        api.create(configmap("late"))
        plane.compact_all()
        proxy.unblock()
        wait_line(probe, "added default/late")
        wait_line(probe, "deleted default/c-0007")
        wait_line(probe, "updated default/c-0008")
        # A relist, and still only the differences are told.
        assert count(probe, "added default/c-.*") == 1200
        assert count(probe, "updated .*") == 1
        assert probe.terminate() == 0
        assert metric(probe, 'k8s_informer_relists_total{kind="ConfigMap"}') == 2


def test_the_api_server_restarts(private_cluster: Callable[..., Any], programs: ProcessRunner) -> None:
    plane = private_cluster(crds=False, only=[])
    api = Api(plane.client, "default")
    probe = programs.start(PROBE, "watch", plane.kubeconfig, "ConfigMap", "default")
    wait_line(probe, r"synced \d+")
    plane.expire_watches()
    Api(plane.client, "default").create(configmap("after"))
    wait_line(probe, "added default/after", timeout=60)
    assert probe.terminate() == 0
    assert metric(probe, 'k8s_informer_relists_total{kind="ConfigMap"}') == 2


def test_a_leader_that_was_stopped_writes_nothing_after_the_takeover(
    cluster: Any, api: Api, audit: AuditLog, programs: ProcessRunner
) -> None:
    beats = {name: f"beat-{name}" for name in ("first", "second")}
    for name in beats.values():
        api.create(configmap(name))
    first = programs.start(PROBE, "lead", cluster.kubeconfig, api.namespace, "first", label="first")
    wait_line(first, "first leads")
    second = programs.start(PROBE, "lead", cluster.kubeconfig, api.namespace, "second", label="second")
    wait_for(lambda: "beat" in api.get("configmaps", beats["first"])["data"], what="the first one writes")
    first.pause()
    wait_line(second, "second leads")
    wait_for(lambda: "beat" in api.get("configmaps", beats["second"])["data"], what="the second one writes")
    first.resume()
    wait_line(first, "first lost")
    time.sleep(2)
    writers = [
        event["objectRef"]["name"]
        for event in audit.writes(resource="configmaps", namespace=api.namespace)
        if event["verb"] == "patch"
    ]
    takeover = writers.index(beats["second"])
    assert takeover >= 1 and len(writers) > takeover + 20
    assert beats["first"] not in writers[takeover:]

    # A release at shutdown is followed at once.
    began = time.monotonic()
    assert second.terminate() == 0
    wait_for(lambda: count(first, "first leads") == 2, what="the first one leads again")
    assert time.monotonic() - began < 2.5
    assert first.terminate() == 0


def test_the_same_event_again_is_counted(cluster: Any, api: Api, programs: ProcessRunner) -> None:
    api.create(configmap("subject"))
    assert programs.call(PROBE, "record", cluster.kubeconfig, api.namespace, "subject").returncode == 0
    events = {e["reason"]: e for e in api.list("events") if e["source"].get("component") == "probe"}
    assert events["Moved"]["count"] == 3 and events["Moved"]["type"] == "Normal"
    assert events["Blocked"]["count"] == 1 and events["Blocked"]["type"] == "Warning"
    assert "start moved to 12:00" in cluster.kubectl("describe", "configmap", "subject", "-n", api.namespace)


def test_memory_of_a_large_cluster(private_cluster: Callable[..., Any], programs: ProcessRunner) -> None:
    """2,000 Nodes, with the buffers for the pages they came in, take 3 MB (measured); 5 is the bound."""
    plane = private_cluster(crds=False, only=[])
    plane.add_nodes(2000, lambda i: {"loadshift.io/region": f"region-{i % 14}"}, fake=False, wait=False)
    probe = programs.start(PROBE, "watch", plane.kubeconfig, "Node", "-")
    wait_line(probe, "synced 2000", timeout=60)
    assert probe.terminate() == 0
    memory = int(re.findall(r"memory (\d+)", probe.text())[0])
    assert memory < 5 * 1024, f"{memory} KiB for 2,000 nodes"
