"""A reverse proxy in front of an S3 server that breaks things: it refuses requests before they are applied, loses answers of what was
applied, cuts bodies, dawdles, says nothing, and goes away. Knows no study; what is broken when is told by whoever starts it."""

import asyncio
import collections
import dataclasses
import socket
import ssl
import struct
import threading
import typing
import urllib.parse

ERRORS = {
    500: ("Internal Server Error", "InternalError"),
    503: ("Slow Down", "SlowDown"),
    403: ("Forbidden", "InvalidAccessKeyId"),
    404: ("Not Found", "NoSuchBucket"),
    409: ("Conflict", "ConditionalRequestConflict"),
    412: ("Precondition Failed", "PreconditionFailed"),
}


@dataclasses.dataclass
class Request:
    method: str
    target: str
    headers: list
    body: bytes

    @property
    def key(self):
        """The object, without the bucket."""
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.target).path)
        return path.lstrip("/").partition("/")[2]

    @property
    def is_list(self):
        return self.method == "GET" and "list-type=2" in self.target


@dataclasses.dataclass
class Fault:
    """What is done to the next `times` requests for which `to` holds, after `skip` of them. Actions:

    refuse        answer with `status`; the server never hears of it
    refuse_after  apply it, answer with `status`
    lose          apply it, reset the connection
    cut           apply it, send half of the body, reset the connection
    dawdle        wait `seconds`, then go on as usual
    hold          say nothing until the fault is over, then reset the connection; never applied
    """

    name: str
    action: str
    to: typing.Callable
    times: int = 1
    skip: int = 0
    every: int = 1
    status: int = 500
    seconds: float = 0.0
    seen: int = 0
    fired: int = 0

    def strikes(self, request):
        if self.fired >= self.times or not self.to(request):
            return False
        self.seen += 1
        if self.seen <= self.skip or (self.seen - self.skip - 1) % self.every:
            return False
        self.fired += 1
        return True


class Proxy:
    """On a thread of its own. `faults` may be changed at any time; `counts` says how often each fault fired."""

    def __init__(self, upstream, certificate=None):
        self.upstream, self.certificate = upstream, certificate
        self.faults, self.requests = [], 0
        self.counts = collections.Counter()
        self.strip = ()  # names of headers that never reach the server
        self.log = []
        self.loop = asyncio.new_event_loop()
        self.clients, self.held = set(), []
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.port = 0
        self.up()

    def _wait(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    def up(self):
        self._wait(self._up())

    async def _up(self):
        context = None
        if self.certificate:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(*self.certificate)
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=context)
        self.port = self.server.sockets[0].getsockname()[1]

    def down(self):
        """From now on connections are refused, and those that are open are reset."""
        self._wait(self._down())
        self.counts["storage away, connections refused"] += 1

    async def _down(self):
        self.server.close()
        for writer in list(self.clients):
            reset(writer)

    def set(self, *faults):
        """Replaces the faults; what was held is let go."""
        self.faults = list(faults)
        self._wait(self._release())

    async def _release(self):
        held, self.held = self.held, []
        for event in held:
            event.set()

    async def _serve(self, reader, writer):
        self.clients.add(writer)
        try:
            while (request := await read_request(reader)) is not None:
                if not await self._handle(request, writer):
                    reset(writer)
                    return
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            self.clients.discard(writer)
            writer.close()

    async def _handle(self, request, writer):
        """Answers a request; False where the connection is to be reset."""
        self.requests += 1
        fault = next((fault for fault in self.faults if fault.strikes(request)), None)
        if fault:
            self.counts[fault.name] += 1
        self.log.append((request.method, request.key, fault and fault.name))
        action = fault.action if fault else None
        if action == "refuse":
            await send(writer, error(fault.status))
            return True
        if action == "hold":
            event = asyncio.Event()
            self.held.append(event)
            await event.wait()
            return False
        if action == "dawdle":
            await asyncio.sleep(fault.seconds)
        head, body = await self._forward(request)
        if action == "lose":
            return False
        if action == "refuse_after":
            await send(writer, error(fault.status))
            return True
        if action == "cut":
            await send(writer, head + body[: len(body) // 2])
            return False
        await send(writer, head + body)
        return True

    async def _forward(self, request):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.upstream)
        kept = [line for line in request.headers if line.partition(":")[0].lower() not in (*self.strip, "connection")]
        lines = [f"{request.method} {request.target} HTTP/1.1", *kept, "Connection: close", "", ""]
        writer.write("\r\n".join(lines).encode("latin-1") + request.body)
        await writer.drain()
        answer = await reader.read(-1)
        writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        # The server's own connection ends with the answer; the client's goes on.
        first, *headers = head.decode("latin-1").split("\r\n")
        names = [line.partition(":")[0].lower() for line in headers]
        headers = [line for line, name in zip(headers, names) if name != "connection"]
        if "content-length" not in names and "transfer-encoding" not in names:
            headers.append(f"Content-Length: {len(body)}")
        lines = ["HTTP/1.1 " + first.partition(" ")[2], *headers, "", ""]
        return "\r\n".join(lines).encode("latin-1"), body


async def read_request(reader):
    head = await reader.readuntil(b"\r\n\r\n") if not reader.at_eof() else b""
    if not head:
        return None
    first, *headers = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    length = next((int(line.partition(":")[2]) for line in headers if line.lower().startswith("content-length:")), 0)
    return Request(method, target, headers, await reader.readexactly(length))


def error(status):
    reason, code = ERRORS[status]
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{reason}</Message></Error>'
    return (f"HTTP/1.1 {status} {reason}\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode()


async def send(writer, data):
    writer.write(data)
    await writer.drain()


def reset(writer):
    """Ends a connection as a machine that has gone does: without a farewell."""
    plain = writer.get_extra_info("socket")
    if plain is not None:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
