# SPDX-License-Identifier: Apache-2.0
"""GridRegions and CarbonAwareJobs for tests: status written directly, as the collector would."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.api import Api, ApiError

SLOT = 1800
UNSET: Any = object()
BASIS = {"accounting": "average", "scope": "direct", "boundary": "consumption", "resolution": "regional"}


def rfc3339(seconds: float) -> str:
    return dt.datetime.fromtimestamp(int(seconds), dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> float:
    return dt.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


@dataclass
class VirtualClock:
    """The domain clock that a program gets by its flags: agrees with the real one at the origin."""

    factor: int = 240
    origin: int = field(default_factory=lambda: int(time.time()) // SLOT * SLOT)

    def now(self) -> float:
        return self.origin + (time.time() - self.origin) * self.factor

    def real(self, domain: float) -> float:
        return self.origin + (domain - self.origin) / self.factor

    def flags(self) -> list[str]:
        return ["--clock-origin", rfc3339(self.origin), "--clock-factor", str(self.factor)]


def fresh_clock(factor: int = 240) -> VirtualClock:
    """One whose origin is now, so that domain and real time are still close."""
    return VirtualClock(factor, int(time.time()))


def region_object(name: str, **spec: Any) -> dict[str, Any]:
    body = {
        "displayName": name.replace("-", " ").title(),
        "group": "gb",
        "carbon": {"chain": [{"provider": "carbonintensity-gb", "zone": "1"}]},
        "price": {"chain": [{"provider": "octopus-agile", "zone": "_P"}]},
        "costBasis": "Tariff",
    }
    return {"kind": "GridRegion", "apiVersion": "loadshift.io/v1alpha1", "metadata": {"name": name}, "spec": {**body, **spec}}


def set_region(
    api: Api,
    name: str,
    now: float,
    carbon: Sequence[int | None],
    price: Sequence[int | None] | None = None,
    *,
    fetched: float = UNSET,
    recent: Sequence[int] = (),
    basis: dict[str, str] = BASIS,
    conditions: Sequence[dict[str, Any]] = (),
    **spec: Any,
) -> None:
    """Creates or replaces a GridRegion; carbon in g/kWh and price in millionths/kWh by slot from now's slot on."""
    try:
        api.create(region_object(name, **spec))
    except ApiError as error:
        if error.status != 409:
            raise
        api.patch("gridregions", name, {"spec": region_object(name, **spec)["spec"]})
    start = int(now) // SLOT * SLOT
    fetched = now if fetched is UNSET else fetched
    source = {"issuedTime": rfc3339(fetched), "fetchedTime": rfc3339(fetched)}
    status: dict[str, Any] = {
        "now": {"carbonMilligramsPerKWh": (carbon[0] or 0) * 1000},
        "forecast": {
            "startTime": rfc3339(start),
            "slotSeconds": SLOT,
            "issuedTime": rfc3339(fetched),
            "carbonP50": [None if c is None else c * 1000 for c in carbon],
            "priceP50": list(price) if price is not None else None,
        },
        "recent": None,
        "basis": basis,
        "sources": [
            {"metric": "carbon", "provider": "carbonintensity-gb", "zone": "1", **source},
            {"metric": "price", "provider": "octopus-agile", "zone": "_P", "currency": "GBP", **source},
        ],
        "conditions": list(conditions),
    }
    if recent:
        status["recent"] = {
            "startTime": rfc3339(start - SLOT * len(recent)),
            "carbon": [c * 1000 for c in recent],
            "price": [0] * len(recent),
            "kind": ["estimated"] * len(recent),
        }
    api.patch("gridregions", name, {"status": status}, subresource="status")


def job_template(run_for: str = "1s", **spec: Any) -> dict[str, Any]:
    return {
        "spec": {
            "backoffLimit": 0,
            "template": {
                "metadata": {"annotations": {"kwok.loadshift.io/run-for": run_for}},
                "spec": {
                    "restartPolicy": "Never",
                    "containers": [
                        {"name": "main", "image": "example.org/work:1", "resources": {"requests": {"cpu": "100m"}}}
                    ],
                },
            },
            **spec,
        }
    }


def carbon_aware_job(name: str, template: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    return {
        "kind": "CarbonAwareJob",
        "apiVersion": "loadshift.io/v1alpha1",
        "metadata": {"name": name},
        "spec": {"jobTemplate": template or job_template(), **spec},
    }


def state(caj: dict[str, Any]) -> str | None:
    """What the State column of `kubectl get caj` shows."""
    for condition in caj.get("status", {}).get("conditions", []):
        if condition["type"] == "Ready":
            return condition["reason"]
    return None


def condition(caj: dict[str, Any], kind: str) -> dict[str, Any]:
    return next((c for c in caj.get("status", {}).get("conditions", []) if c["type"] == kind), {})
