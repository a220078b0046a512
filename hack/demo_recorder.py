# SPDX-License-Identifier: Apache-2.0
"""A reverse proxy in front of gridreplay that writes down every answer with its domain time."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

MAX_BODY = 8 * 1024 * 1024
TIMEOUT = 10.0
PASSED = ("Content-Type", "Location", "Retry-After", "Cache-Control")


class Recorder:
    """Serves on a port of its own, hands everything to the upstream port, and appends to a file of JSON lines:

    {"now_ms": domain time of the request, "target": path and query, "status": ..., "body": text}
    """

    def __init__(self, port: int, upstream: int, now: Callable[[], float], path: Path) -> None:
        self.port, self.upstream, self._now = port, upstream, now
        self._file = path.open("a", encoding="utf-8")
        self._lock = threading.Lock()
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:  # noqa: N802 - the name http.server looks for
                recorder.serve(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.2,), daemon=True)
        self._thread.start()

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        """One request: ask upstream with the caller's own Host (links to further pages are made from it)."""
        now_ms = int(self._now() * 1000)
        connection = http.client.HTTPConnection("127.0.0.1", self.upstream, timeout=TIMEOUT)
        passed: dict[str, str] = {}
        try:
            connection.request("GET", handler.path, headers={"Host": handler.headers.get("Host", "localhost")})
            response = connection.getresponse()
            status, body = response.status, response.read(MAX_BODY)
            passed = {name: value for name in PASSED if (value := response.getheader(name))}
        except OSError as error:
            status, body = 502, f"gridreplay: {error}".encode()
        finally:
            connection.close()
        record = {"now_ms": now_ms, "target": handler.path, "status": status, "body": body.decode(errors="replace")}
        with self._lock:
            self._file.write(json.dumps(record) + "\n")
            self._file.flush()
        handler.send_response(status)
        for name, value in passed.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        with self._lock:
            self._file.close()
