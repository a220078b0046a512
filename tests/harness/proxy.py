# SPDX-License-Identifier: Apache-2.0
"""A TLS proxy between a program and the API server: it counts writes, crashes programs, makes faults.

The program gets a kubeconfig that points here; the proxy speaks to the API server as the same user.
Every connection of the program has one of its own behind it, so that watches stream straight through.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal

from cluster import ControlPlane, free_port, write_kubeconfig
from harness.waiting import wait_for

WRITE_METHODS = {"POST", "PUT", "PATCH", "DELETE"}
# A POST to these changes nothing.
REVIEWS = (
    "subjectaccessreviews",
    "selfsubjectaccessreviews",
    "localsubjectaccessreviews",
    "selfsubjectrulesreviews",
    "tokenreviews",
)
When = Literal["before", "after"]


@dataclass
class Request:
    """One request as the program sent it."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def is_write(self) -> bool:
        return self.method in WRITE_METHODS and self.path.rsplit("/", 1)[-1] not in REVIEWS

    def raw(self) -> bytes:
        head = f"{self.method} {self.target} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in self.headers)
        return head.encode("latin-1") + b"\r\n" + self.body


@dataclass
class Write:
    """A write seen by the proxy. status is None until it is answered, and for ever if it was not forwarded."""

    method: str
    path: str
    body: Any
    status: int | None = None
    reply: Any = None


@dataclass
class Trap:
    """Calls `action` at the n-th counted write from now on, before or after it takes effect."""

    number: int
    when: When
    action: Callable[[], object]
    fired: threading.Event = field(default_factory=threading.Event)
    seen: int = 0

    def fires_before(self, done: Callable[[], Any], timeout: float = 30.0, *, what: str = "the scenario ends") -> bool:
        """Wait until the trap springs or the scenario is done; gives whether it sprang.

        A write can be seen in the cluster a moment before the "after" trap on it springs, so
        looking at fired alone would be a race.
        """
        wait_for(lambda: self.fired.is_set() or done(), timeout, what=what)
        return self.fired.wait(10 if self.seen >= self.number else 0)


@dataclass
class Fault:
    """What happens to requests it matches: a delay, then a made-up answer, or a cut connection."""

    match: Callable[[Request], bool]
    times: int | None = None
    delay: float = 0.0
    status: int | None = None
    headers: Sequence[tuple[str, str]] = ()
    cut: Literal["", "before", "after"] = ""


class Cut(Exception):
    """End the connection of the program now, without a word."""


def not_bookkeeping(request: Request) -> bool:
    """The default of what counts as a write: leases and events come whenever they like."""
    return not any(part in ("leases", "events") for part in request.path.split("/"))


class Proxy:
    """Start it with `with`; give the program `kubeconfig`.

    user, groups: who the program is (by client certificate). user=None: the program authenticates
    itself with a bearer token, which is passed on; make its kubeconfig with account_kubeconfig().
    """

    def __init__(
        self, plane: ControlPlane, user: str | None = "loadshift-admin", groups: Sequence[str] = ("system:masters",)
    ) -> None:
        self.plane = plane
        self._user = user
        self.port = free_port()
        self.server = f"https://127.0.0.1:{self.port}"
        self.writes: list[Write] = []  # all of them, counted or not
        self.counts: Callable[[Request], bool] = not_bookkeeping
        self._trap: Trap | None = None
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._flowing = threading.Event()
        self._flowing.set()
        self._open: set[socket.socket] = set()
        self._closed = False
        self._upstream = ssl.create_default_context(cafile=str(plane.certificates.ca))
        self.kubeconfig = plane.directory / f"proxy-{self.port}.kubeconfig"
        if user is not None:
            certificate, key = plane.certificates.client(user, groups)
            self._upstream.load_cert_chain(certificate, key)
            # The proxy vouches for whoever calls; the token only fills the field.
            write_kubeconfig(self.kubeconfig, self.server, plane.certificates.ca, user, {"token": "unused"})
        certificate, key = plane.certificates.server(f"proxy-{self.port}")
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._context.set_alpn_protocols(["http/1.1"])
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)

    def account_kubeconfig(self, namespace: str, name: str) -> Path:
        """A kubeconfig to this proxy for a ServiceAccount (for a proxy with user=None)."""
        token = self.plane.token(namespace, name)
        return write_kubeconfig(self.kubeconfig, self.server, self.plane.certificates.ca, name, {"token": token})

    def __enter__(self) -> Proxy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed = True
        self._flowing.set()
        self._listener.close()
        self.cut_all()

    # -- what tests ask for

    def arm(self, number: int, when: When, action: Callable[[], object]) -> Trap:
        """At the number-th counted write from now on, call action (it kills the program, say).

        "before": the API server never sees that write. "after": it has done it, but the program
        never learns. Either way the connection ends there; all later traffic passes.
        """
        with self._lock:
            self._trap = Trap(number, when, action)
            return self._trap

    def disarm(self) -> None:
        """No trap springs after this: one whose write is on its way to the API server has sprung when it returns."""
        with self._lock:
            trap, self._trap = self._trap, None
        if trap and trap.seen >= trap.number:
            assert trap.fired.wait(10), "a write that was to spring the trap got no answer from the API server"

    def delay(
        self, seconds: float, match: Callable[[Request], bool] = lambda _: True, times: int | None = None
    ) -> Fault:
        """Hold matching requests back."""
        return self.add_fault(Fault(match, times, delay=seconds))

    def answer(
        self,
        status: int,
        match: Callable[[Request], bool] = lambda _: True,
        times: int | None = 1,
        retry_after: int | None = None,
    ) -> Fault:
        """Answer matching requests here (429, 500), instead of the API server."""
        headers = [("Retry-After", str(retry_after))] if retry_after is not None else []
        return self.add_fault(Fault(match, times, status=status, headers=headers))

    def cut(
        self, match: Callable[[Request], bool] = lambda _: True, times: int | None = 1, when: When = "before"
    ) -> Fault:
        """End the connection before matching requests are forwarded, or instead of their reply."""
        return self.add_fault(Fault(match, times, cut=when))

    def add_fault(self, fault: Fault) -> Fault:
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear_faults(self) -> None:
        with self._lock:
            self._faults.clear()

    def cut_all(self) -> None:
        """End every open connection, watches too."""
        with self._lock:
            sockets = list(self._open)
        for sock in sockets:
            cut_off(sock)

    def block(self) -> None:
        """A network partition: connections stay open, nothing gets through in either direction."""
        self._flowing.clear()

    def unblock(self) -> None:
        self._flowing.set()

    # -- connections

    def _accept(self) -> None:
        while not self._closed:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, raw: socket.socket) -> None:
        """One connection of the program, from its first request to its end."""
        with contextlib.ExitStack() as stack:
            stack.callback(raw.close)
            try:
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                program = stack.enter_context(self._context.wrap_socket(raw, server_side=True))
                server = stack.enter_context(self._connect())
                stack.enter_context(self._listed(program, server))
                reader, answers = program.makefile("rb"), server.makefile("rb")
                while request := read_request(reader):
                    if not self._exchange(request, program, server, answers):
                        return
            except Cut:
                cut_off(program)
            except (OSError, ValueError):
                return  # either side went away

    @contextlib.contextmanager
    def _listed(self, *sockets: socket.socket) -> Iterator[None]:
        """Keep a connection's two sockets where cut_all() finds them."""
        with self._lock:
            self._open.update(sockets)
        try:
            yield
        finally:
            with self._lock:
                self._open.difference_update(sockets)

    def _connect(self) -> ssl.SSLSocket:
        raw = socket.create_connection(("127.0.0.1", self.plane.port), timeout=60)
        raw.settimeout(None)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._upstream.wrap_socket(raw, server_hostname="127.0.0.1")

    def _exchange(self, request: Request, program: ssl.SSLSocket, server: ssl.SSLSocket, answers: BinaryIO) -> bool:
        """One request and its answer. False: the connection has to end."""
        self._flowing.wait()
        if self._user is not None:
            request.headers = [(k, v) for k, v in request.headers if k.lower() != "authorization"]
        fault = self._take_fault(request)
        if fault.delay:
            time.sleep(fault.delay)
        if fault.cut == "before":
            raise Cut
        write, trap = self._record(request)
        if fault.status is not None:
            if write:
                write.status = fault.status
            program.sendall(made_up_answer(fault))
            return True
        server.sendall(request.raw())
        if write is None and fault.cut != "after":
            return self._stream(request, program, answers)
        head, status, headers = read_head(answers)
        body = b"".join(read_body(answers, request.method, status, headers))
        if write:
            write.status, write.reply = status, parsed(dechunked(headers, body))
        if trap:
            self._fire(trap)
        if fault.cut == "after":
            raise Cut
        self._flowing.wait()
        program.sendall(head + body)
        return not closes(headers)

    def _stream(self, request: Request, program: ssl.SSLSocket, answers: BinaryIO) -> bool:
        """Pass a reply on piece by piece, each as soon as it is there."""
        head, status, headers = read_head(answers)
        self._flowing.wait()
        program.sendall(head)
        for piece in read_body(answers, request.method, status, headers):
            self._flowing.wait()
            program.sendall(piece)
        return not closes(headers)

    # -- writes

    def _record(self, request: Request) -> tuple[Write | None, Trap | None]:
        """Note a write. Springs a "before" trap; gives an "after" trap that this write must spring.

        The lock is held while a trap's action runs: no later write overtakes the crash.
        """
        if not request.is_write:
            return None, None
        write = Write(request.method, request.path, parsed(request.body))
        with self._lock:
            self.writes.append(write)
            trap = self._trap
            if trap is None or not self.counts(request):
                return write, None
            trap.seen += 1
            if trap.seen != trap.number:
                return write, None
            if trap.when == "after":
                return write, trap
            self._spring(trap)
        raise Cut

    def _fire(self, trap: Trap) -> None:
        with self._lock:
            self._spring(trap)
        raise Cut

    def _spring(self, trap: Trap) -> None:
        self._trap = None
        trap.action()
        trap.fired.set()

    def _take_fault(self, request: Request) -> Fault:
        with self._lock:
            for fault in self._faults:
                if fault.match(request):
                    if fault.times is not None:
                        fault.times -= 1
                        if fault.times <= 0:
                            self._faults.remove(fault)
                    return fault
        return Fault(lambda _: True)


def crash_points(proxy: Proxy, action: Callable[[], object], limit: int = 100) -> Iterator[Trap]:
    """Traps before and after the 1st, 2nd, 3rd ... write, until a round is done without one springing.

    The loop's body plays the whole scenario once, and starts the program again if trap.fires_before().
    """
    for number in itertools.count(1):
        assert number <= limit, f"still writing after {limit} writes: does this program ever come to rest?"
        fired = False
        for when in ("before", "after"):
            trap = proxy.arm(number, when, action)
            yield trap
            fired = fired or trap.fired.is_set()
        if not fired:
            return proxy.disarm()


# --------------------------------------------------------------------------------------------
# HTTP/1.1, as much of it as API clients and the API server speak


def cut_off(sock: socket.socket) -> None:
    """End a connection in mid-sentence, past TLS: what a crash or a firewall looks like."""
    with contextlib.suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


def read_headers(reader: BinaryIO) -> tuple[bytes, list[tuple[str, str]]]:
    raw = b""
    headers: list[tuple[str, str]] = []
    while line := reader.readline(65536):
        raw += line
        if line == b"\r\n":
            return raw, headers
        name, _, value = line.decode("latin-1").partition(":")
        headers.append((name.strip(), value.strip()))
    raise OSError("connection ended within headers")


def header(headers: list[tuple[str, str]], name: str) -> str:
    return next((value for key, value in headers if key.lower() == name), "").lower()


def closes(headers: list[tuple[str, str]]) -> bool:
    return header(headers, "connection") == "close"


def read_request(reader: BinaryIO) -> Request | None:
    """The next request, body and all; None at the connection's end."""
    line = reader.readline(65536)
    if not line:
        return None
    method, target, _ = line.decode("latin-1").split(" ", 2)
    _, headers = read_headers(reader)
    body = dechunked(headers, b"".join(read_payload(reader, headers)))
    # The body is passed on whole: no chunks, and nobody waits for a "100 Continue".
    headers = [(k, v) for k, v in headers if k.lower() not in ("transfer-encoding", "content-length", "expect")]
    if body or method in WRITE_METHODS:
        headers.append(("Content-Length", str(len(body))))
    return Request(method, target, headers, body)


def read_head(reader: BinaryIO) -> tuple[bytes, int, list[tuple[str, str]]]:
    """Status line and headers of a reply: as they came, and understood."""
    line = reader.readline(65536)
    if not line:
        raise OSError("no reply")
    raw, headers = read_headers(reader)
    return line + raw, int(line.split(b" ", 2)[1]), headers


def read_body(reader: BinaryIO, method: str, status: int, headers: list[tuple[str, str]]) -> Iterator[bytes]:
    """A reply's body in raw pieces (chunks with their framing), each as soon as it has arrived."""
    if method == "HEAD" or status in (204, 304) or status < 200:
        return
    if header(headers, "transfer-encoding") == "chunked" or header(headers, "content-length"):
        yield from read_payload(reader, headers)
        return
    while piece := reader.read1(65536):  # type: ignore[attr-defined]
        yield piece


def read_payload(reader: BinaryIO, headers: list[tuple[str, str]]) -> Iterator[bytes]:
    if header(headers, "transfer-encoding") != "chunked":
        yield exactly(reader, int(header(headers, "content-length") or 0))
        return
    while True:
        size_line = reader.readline(1024)
        size = int(size_line.split(b";")[0], 16)
        yield size_line + exactly(reader, size + 2)
        if size == 0:
            return


def exactly(reader: BinaryIO, size: int) -> bytes:
    data = reader.read(size)
    if len(data) != size:
        raise OSError("connection ended within a body")
    return data


def dechunked(headers: list[tuple[str, str]], body: bytes) -> bytes:
    """The content of a body that may still have its chunk framing."""
    if header(headers, "transfer-encoding") != "chunked":
        return body
    content = b""
    while body:
        size_line, _, rest = body.partition(b"\r\n")
        size = int(size_line.split(b";")[0], 16)
        content, body = content + rest[:size], rest[size + 2 :]
    return content


def parsed(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return body


def made_up_answer(fault: Fault) -> bytes:
    status = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": fault.status,
        "message": "made by the test proxy",
    }
    body = json.dumps(status).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), *fault.headers]
    lines = f"HTTP/1.1 {fault.status} Fault\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers)
    return lines.encode() + b"\r\n" + body
