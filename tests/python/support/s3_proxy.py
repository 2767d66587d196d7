"""A proxy between the job and an S3 server that counts requests, delays them, and injects faults.

Requests and answers pass unchanged, including the Host header, so signatures stay valid. Each connection of a
client has its own connection to the server. The proxy runs on its own thread; its counters can be read at any
time.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

from support.s3_faults import ERRORS, KINDS, Fault, Injection, Kind, Request


@dataclass(slots=True)
class _Head:
    """The first line and the headers of a message, raw and parsed."""

    raw: bytes
    first: list[str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lines = self.raw.decode("latin-1").split("\r\n")
        self.first = lines[0].split(" ", 2)
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if colon:
                self.headers[name.strip().lower()] = value.strip()

    def without(self, name: str) -> bytes:
        return re.sub(rb"(?im)^" + name.encode() + rb":[^\r\n]*\r\n", b"", self.raw)

    def changed(self, name: str, value: str) -> bytes:
        line = f"{name}: {value}\r\n".encode("latin-1")
        return self.without(name)[:-2] + line + b"\r\n"


async def _message(reader: asyncio.StreamReader, head: _Head, *, empty: bool = False) -> bytes:
    """The body that belongs to a head, unchanged."""
    if empty:
        return b""
    if "chunked" in head.headers.get("transfer-encoding", "").lower():
        body = bytearray()
        while True:
            size = await reader.readuntil(b"\r\n")
            length = int(size.split(b";")[0], 16)
            body += size + await reader.readexactly(length + 2)
            if length == 0:
                return bytes(body)
    if "content-length" in head.headers:
        return await reader.readexactly(int(head.headers["content-length"]))
    return b""


def _unchunked(body: bytes) -> bytes:
    plain, rest = bytearray(), body
    while True:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size.split(b";")[0], 16)
        if length == 0:
            return bytes(plain)
        plain += rest[:length]
        rest = rest[length + 2 :]


class Proxy:
    """The proxy. Use it as a context manager."""

    def __init__(
        self,
        target: tuple[str, int],
        *,
        latency: float = 0.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Prepares a proxy; `__enter__` starts it.

        Args:
            target: Host and port of the server.
            latency: The delay of every request in seconds.
            tls: The TLS context for clients; the connection to the server is not encrypted.
        """
        self.latency = latency
        self.injections: list[Injection] = []
        self.requests: list[Request] = []
        self.connections = 0
        self.waiting = 0
        self._target = target
        self._tls = tls
        self._numbers: Counter[Kind] = Counter()
        self._tasks: set[asyncio.Task[None] | None] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="proxy", daemon=True)
        self._ready = threading.Event()
        self._stop: asyncio.Event
        self._released: asyncio.Event
        self.port = 0

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Proxy:
        self._thread.start()
        assert self._ready.wait(10), "the proxy did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        assert not self._thread.is_alive(), "the proxy did not stop"
        self._loop.close()

    def inject(
        self,
        fault: Fault,
        kind: Kind | None = None,
        *,
        first: int = 1,
        count: int = 1,
        key: str = "",
        header: str = "",
        call: Callable[[], None] | None = None,
    ) -> Injection:
        """Injects a fault into later requests; see `Injection`."""
        one = Injection(fault=fault, kind=kind, first=first, count=count, key=key, header=header, call=call)
        self.injections.append(one)
        return one

    def clear(self) -> None:
        """Releases hanging requests, and resets faults and counters once all clients are disconnected.

        A failed run may have requests whose answers it did not wait for. They would be counted for the next
        run.
        """
        self.release()
        late = time.monotonic() + 10
        while self._tasks:
            assert time.monotonic() < late, f"{len(self._tasks)} clients are still connected"
            time.sleep(0.002)
        self.injections = []
        self.requests = []
        self._numbers = Counter()

    def release(self) -> None:
        """Releases hanging and held requests."""
        self._loop.call_soon_threadsafe(self._release)

    def _release(self) -> None:
        self._released.set()
        self._released = asyncio.Event()

    def count(self) -> dict[str, int]:
        """The number of requests of each kind since the last `clear`, without zeros."""
        seen = Counter(request.kind for request in self.requests)
        return {kind: seen[kind] for kind in KINDS if seen[kind]}

    def keys(self, kind: Kind) -> Counter[str]:
        """The number of requests for each key."""
        return Counter(request.key for request in self.requests if request.kind == kind)

    # --- on the thread of the proxy -----------------------------------------------------------------------

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._main())

    async def _main(self) -> None:
        self._stop, self._released = asyncio.Event(), asyncio.Event()
        server = await asyncio.start_server(self._client, "127.0.0.1", 0, ssl=self._tls, limit=2**20)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # The loop has to run once more to close the sockets of aborted connections.
        await asyncio.sleep(0.01)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        # The event loop keeps only weak references to tasks.
        task = asyncio.current_task()
        self._tasks.add(task)
        session = _Session(self, reader, writer)
        try:
            while await session.next():
                pass
        except asyncio.CancelledError:
            session.abort()
        except (OSError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            session.close()
            self._tasks.discard(task)

    def _strikes(self, kind: Kind, key: str, head: _Head) -> Injection | None:
        return next((one for one in list(self.injections) if one.strikes(kind, key, head.headers)), None)


class _Session:
    """A connection of a client, and the connection to the server that belongs to it."""

    def __init__(self, proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._reader = reader
        self._writer = writer
        self._server: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    def close(self) -> None:
        self._writer.close()
        if self._server:
            self._server[1].close()

    def abort(self) -> None:
        """Closes both connections without the handshake of TLS, which a client may never answer."""
        for writer in (self._writer, *(self._server or ())[1:]):
            writer.transport.abort()

    async def next(self) -> bool:
        """Handles one request; returns False at the end of the connection."""
        try:
            head = _Head(await self._reader.readuntil(b"\r\n\r\n"))
        except asyncio.IncompleteReadError:
            return False
        if head.headers.get("expect", "").lower() == "100-continue":
            self._writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await _message(self._reader, head)
        kind, bucket, key = _operation(head)
        self._proxy._numbers[kind] += 1
        number = self._proxy._numbers[kind]
        injection = self._proxy._strikes(kind, key, head)
        # Recorded before the answer, so that a client with the last answer can count all requests.
        request = Request(
            kind=kind,
            bucket=bucket,
            key=key,
            number=number,
            status=0,
            body=len(body),
            conditional="if-match" in head.headers or "if-none-match" in head.headers,
            signed="authorization" in head.headers,
            is_look=kind == "LIST" and key.endswith("_etl/log/") and "start-after=" in head.first[1],
            headers=head.headers,
            query=urlsplit(head.first[1]).query,
        )
        self._proxy.requests.append(request)
        if self._proxy.latency:
            await asyncio.sleep(self._proxy.latency)
        request.status = await self._answer(head, body, injection)
        return request.status != 0 and "close" not in head.headers.get("connection", "").lower()

    async def _answer(self, head: _Head, body: bytes, injection: Injection | None) -> int:
        fault = injection.fault if injection else None
        if fault in ("call", "call held") and injection and injection.call:
            injection.call()
        if fault == "call held":
            await self._proxy._released.wait()
        if fault == "hang":
            self._proxy.waiting += 1
            await self._proxy._released.wait()
            return 0
        if fault == "reset before":
            return self._reset()
        if fault in ERRORS:
            status, code, message = ERRORS[fault]
            return await self._refuse(head, status, code, message)
        if fault == "ignore condition":
            head = _Head(_Head(head.without("if-match")).without("if-none-match"))
        answer, content = await self._forward(head, body)
        if fault == "call after" and injection and injection.call:
            injection.call()
        if fault == "reset after":
            return self._reset()
        if fault == "error 500 after":
            return await self._refuse(head, *ERRORS["error 500"])
        raw = answer.raw
        if (
            fault in ("cut page", "wrong length", "cut body", "no tags")
            and "transfer-encoding" in answer.headers
        ):
            content = _unchunked(content)
            raw = _Head(answer.without("transfer-encoding")).changed("Content-Length", str(len(content)))
            answer = _Head(raw)
        if fault == "no tags":
            content = re.sub(rb"<ETag>.*?</ETag>", b"", content)
            raw = answer.changed("Content-Length", str(len(content)))
        if fault == "cut page":
            content = content[: len(content) // 2]
            raw = answer.changed("Content-Length", str(len(content)))
        if fault == "wrong length" and content:
            raw = answer.changed("Content-Length", str(len(content) - 1))
        if fault == "wrong tag" and "etag" in answer.headers:
            raw = answer.changed("ETag", '"00000000000000000000000000000000"')
        if fault == "cut body":
            # Without a body, half of the head is cut.
            self._writer.write(raw + content[: len(content) // 2] if content else raw[: len(raw) // 2])
            await self._writer.drain()
            return 0
        self._writer.write(raw + content)
        await self._writer.drain()
        return int(answer.first[1]) if fault != "wrong length" else 0

    async def _refuse(self, head: _Head, status: int, code: str, message: str) -> int:
        region = "<Region>eu-north-1</Region>" if code == "AuthorizationHeaderMalformed" else ""
        error = f"<Code>{code}</Code><Message>{message}</Message>{region}"
        text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{error}</Error>'
        body = b"" if head.first[0] == "HEAD" else text.encode()
        lines = [
            f"HTTP/1.1 {status} {code}",
            "Content-Type: application/xml",
            f"Content-Length: {len(body)}",
        ]
        self._writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        await self._writer.drain()
        return status

    def _reset(self) -> int:
        connection = self._writer.get_extra_info("socket")
        if connection is not None:
            with suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()
        return 0

    async def _forward(self, head: _Head, body: bytes) -> tuple[_Head, bytes]:
        """Sends the request to the server; reopens a connection that the server closed while it was idle."""
        reused = self._server is not None
        try:
            return await self._ask(head, body)
        except (ConnectionError, asyncio.IncompleteReadError):
            if not reused or self._server is None:
                raise
            self._server[1].close()
            self._server = None
            return await self._ask(head, body)

    async def _ask(self, head: _Head, body: bytes) -> tuple[_Head, bytes]:
        if self._server is None:
            self._server = await asyncio.open_connection(*self._proxy._target, limit=2**20)
        reader, writer = self._server
        writer.write(head.without("expect") + body)
        await writer.drain()
        answer = _Head(await reader.readuntil(b"\r\n\r\n"))
        while answer.first[1] == "100":
            answer = _Head(await reader.readuntil(b"\r\n\r\n"))
        status = answer.first[1]
        empty = head.first[0] == "HEAD" or status in ("204", "304")
        content = await _message(reader, answer, empty=empty)
        if "close" in answer.headers.get("connection", "").lower() or answer.first[0] == "HTTP/1.0":
            writer.close()
            self._server = None
        return answer, content


def _operation(head: _Head) -> tuple[Kind, str, str]:
    """The kind of a request, its bucket, and its key."""
    method, target = head.first[0], urlsplit(head.first[1])
    bucket, _, key = unquote(target.path.lstrip("/")).partition("/")
    query = parse_qs(target.query, keep_blank_values=True)
    match method:
        case "GET" if not key:
            lists = "list-type" in query or not query
            return ("LIST" if lists else "other", bucket, query.get("prefix", [""])[0])
        case "GET":
            return ("GET", bucket, key)
        case "PUT" if key:
            return ("PUT", bucket, key)
        case "DELETE" if key:
            return ("DELETE", bucket, key)
        case "HEAD":
            return ("HEAD", bucket, key)
        case "POST":
            return ("POST", bucket, key)
        case _:
            return ("other", bucket, key)
