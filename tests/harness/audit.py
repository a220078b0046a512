# SPDX-License-Identifier: Apache-2.0
"""The API server's audit log: who really wrote what, in which order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Event = dict[str, Any]
WRITES = {"create", "update", "patch", "delete", "deletecollection"}


@dataclass
class AuditLog:
    """Reads the log from where it was when this object was made, or last told to mark()."""

    path: Path
    start: int = -1

    def __post_init__(self) -> None:
        if self.start < 0:
            self.mark()

    def mark(self) -> None:
        """Forget everything up to now."""
        self.start = self.path.stat().st_size if self.path.exists() else 0

    def events(
        self,
        *,
        user: str | None = None,
        agent: str | None = None,
        resource: str | None = None,
        namespace: str | None = None,
        writes: bool = False,
    ) -> Iterator[Event]:
        """Finished requests in log order. user: exactly; agent: the user agent's beginning; resource: its
        plural, with "/status" for a subresource; writes: only requests that change something."""
        with self.path.open("rb") as log:
            log.seek(self.start)
            for line in log:
                if not line.endswith(b"\n"):
                    return  # being written right now
                event = json.loads(line)
                reference = event.get("objectRef", {})
                name = "/".join(filter(None, (reference.get("resource"), reference.get("subresource"))))
                if (
                    (user is None or event["user"].get("username") == user)
                    and (agent is None or event.get("userAgent", "").startswith(agent))
                    and (resource is None or name == resource)
                    and (namespace is None or reference.get("namespace") == namespace)
                    and (not writes or event["verb"] in WRITES)
                ):
                    yield event

    def writes(self, **only: Any) -> list[Event]:
        """The requests that changed something (2xx), filtered as in events(), in the order in which they came.

        The log's own order is that of their ends, and a client that has its answer may be faster than the log.
        """
        done = (e for e in self.events(writes=True, **only) if 200 <= e["responseStatus"]["code"] < 300)
        return sorted(done, key=lambda e: e["requestReceivedTimestamp"])
