# SPDX-License-Identifier: Apache-2.0
"""A small Kubernetes client for tests: objects are plain dicts, errors name status and reason."""

from __future__ import annotations

import contextlib
import http.client
import json
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cluster import Client, decode
from harness.waiting import wait_for

Object = dict[str, Any]

# plural: (kind, apiVersion, namespaced)
RESOURCES: dict[str, tuple[str, str, bool]] = {
    "configmaps": ("ConfigMap", "v1", True),
    "events": ("Event", "v1", True),
    "namespaces": ("Namespace", "v1", False),
    "nodes": ("Node", "v1", False),
    "pods": ("Pod", "v1", True),
    "resourcequotas": ("ResourceQuota", "v1", True),
    "secrets": ("Secret", "v1", True),
    "serviceaccounts": ("ServiceAccount", "v1", True),
    "services": ("Service", "v1", True),
    "deployments": ("Deployment", "apps/v1", True),
    "jobs": ("Job", "batch/v1", True),
    "cronjobs": ("CronJob", "batch/v1", True),
    "leases": ("Lease", "coordination.k8s.io/v1", True),
    "customresourcedefinitions": ("CustomResourceDefinition", "apiextensions.k8s.io/v1", False),
    "clusterroles": ("ClusterRole", "rbac.authorization.k8s.io/v1", False),
    "clusterrolebindings": ("ClusterRoleBinding", "rbac.authorization.k8s.io/v1", False),
    "roles": ("Role", "rbac.authorization.k8s.io/v1", True),
    "rolebindings": ("RoleBinding", "rbac.authorization.k8s.io/v1", True),
    "carbonawarejobs": ("CarbonAwareJob", "loadshift.io/v1alpha1", True),
    "gridregions": ("GridRegion", "loadshift.io/v1alpha1", False),
}
PLURALS = {kind: plural for plural, (kind, _, _) in RESOURCES.items()}
PATCH_TYPES = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}


class ApiError(Exception):
    """The API server said no."""

    def __init__(self, request: str, status: int, body: Any) -> None:
        self.status, self.body = status, body
        self.reason = body.get("reason", "") if isinstance(body, dict) else ""
        message = body.get("message", body) if isinstance(body, dict) else body
        super().__init__(f"{request}: {status} {self.reason}: {message}")


@dataclass
class Api:
    """Requests as one user; namespace is the default for namespaced resources."""

    client: Client
    namespace: str = "default"

    def path(self, resource: str, name: str = "", namespace: str | None = None, subresource: str = "") -> str:
        """The URL path of a resource, or of one object."""
        _, version, namespaced = RESOURCES[resource]
        parts = ["/api" if version == "v1" else "/apis", version]
        parts += ["namespaces", namespace or self.namespace] if namespaced else []
        return "/".join(part for part in [*parts, resource, name, subresource] if part)

    def request(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> Any:
        """One request; anything but 2xx is an ApiError."""
        status, answer = self.client.request(method, path, body, content_type)
        if not 200 <= status < 300:
            raise ApiError(f"{method} {path}", status, answer)
        return answer

    def get(self, resource: str, name: str, namespace: str | None = None) -> Object:
        return self.request("GET", self.path(resource, name, namespace))

    def find(self, resource: str, name: str, namespace: str | None = None) -> Object | None:
        """The object, or None where there is none."""
        try:
            return self.get(resource, name, namespace)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def list(self, resource: str, namespace: str | None = None, **query: str) -> list[Object]:
        """All objects of a namespace (of the cluster, for cluster-wide kinds); query: labelSelector=..."""
        return self.list_object(resource, namespace, **query)["items"]

    def list_object(self, resource: str, namespace: str | None = None, **query: str) -> Object:
        """The whole list object, with its resourceVersion."""
        path = self.path(resource, namespace=namespace)
        return self.request("GET", f"{path}?{urllib.parse.urlencode(query)}")

    def create(self, obj: Mapping[str, Any]) -> Object:
        plural = PLURALS[obj["kind"]]
        obj = {"apiVersion": RESOURCES[plural][1], **obj}
        return self.request("POST", self.path(plural, namespace=obj["metadata"].get("namespace")), obj)

    def patch(
        self,
        resource: str,
        name: str,
        body: Any,
        *,
        kind: str = "merge",
        namespace: str | None = None,
        subresource: str = "",
        **query: str,
    ) -> Object:
        """Patch an object; kind: merge, json, strategic or apply (which wants fieldManager=...)."""
        path = self.path(resource, name, namespace, subresource)
        return self.request("PATCH", f"{path}?{urllib.parse.urlencode(query)}", body, PATCH_TYPES[kind])

    def replace(self, resource: str, obj: Mapping[str, Any], subresource: str = "") -> Object:
        """PUT the object; its resourceVersion, if any, is the precondition."""
        metadata = obj["metadata"]
        return self.request("PUT", self.path(resource, metadata["name"], metadata.get("namespace"), subresource), obj)

    def delete(self, resource: str, name: str, namespace: str | None = None, **options: Any) -> None:
        """Delete an object; options are DeleteOptions, by default propagationPolicy=Background."""
        options.setdefault("propagationPolicy", "Background")
        self.request(
            "DELETE", self.path(resource, name, namespace), {"kind": "DeleteOptions", "apiVersion": "v1", **options}
        )

    def wait(
        self,
        resource: str,
        name: str,
        until: Callable[[Object], Any],
        timeout: float = 30.0,
        *,
        what: str = "as expected",
        namespace: str | None = None,
    ) -> Object:
        """Wait until the object satisfies `until`; shows the object where it never does."""
        return wait_for(
            lambda: self.get(resource, name, namespace), timeout, what=f"{resource}/{name} {what}", until=until
        )

    def wait_condition(
        self, resource: str, name: str, condition: str, status: str = "True", timeout: float = 30.0
    ) -> Object:
        """Wait for a condition; gives the object."""
        return self.wait(
            resource,
            name,
            lambda obj: (find_condition(obj, condition) or {}).get("status") == status,
            timeout,
            what=f"has {condition}={status}",
        )

    def wait_event(self, about: Mapping[str, Any], reason: str, timeout: float = 15.0) -> Object:
        """Wait for an Event of that reason about the object."""
        return wait_for(
            lambda: [
                e for e in self.list("events", about["metadata"].get("namespace"))
                if e["reason"] == reason and e["involvedObject"].get("uid") == about["metadata"]["uid"]
            ],
            timeout,
            what=f"event {reason} about {about['metadata']['name']}",
        )[0]

    def wait_gone(self, resource: str, name: str, timeout: float = 30.0) -> None:
        wait_for(lambda: self.find(resource, name) is None, timeout, what=f"{resource}/{name} is gone")

    @contextlib.contextmanager
    def watch(
        self,
        resource: str,
        resource_version: str = "",
        *,
        timeout: float = 30.0,
        namespace: str | None = None,
        **query: str,
    ) -> Iterator[Iterator[Object]]:
        """A watch as an iterator of its events; no event for `timeout` seconds is a TimeoutError."""
        query = {"watch": "true", "resourceVersion": resource_version, **query}
        path = f"{self.path(resource, namespace=namespace)}?{urllib.parse.urlencode(query)}"
        with contextlib.closing(self.client.connect(timeout)) as connection:
            connection.request("GET", path, headers=dict(self.client.headers))
            response = connection.getresponse()
            if response.status != 200:
                raise ApiError(f"GET {path}", response.status, decode(response.read()))
            yield _events(response)


def _events(response: http.client.HTTPResponse) -> Iterator[Object]:
    while line := response.readline():
        yield json.loads(line)


def find_condition(obj: Mapping[str, Any], name: str) -> Object | None:
    """The condition of that type in the object's status."""
    conditions = obj.get("status", {}).get("conditions") or []
    return next((c for c in conditions if c["type"] == name), None)
