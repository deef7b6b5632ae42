"""A small load generator for tests: HTTP/1.1 over asyncio, nothing but Python.

closed_loop(): C connections, each sends its next request when the last was answered.
open_loop(): requests start at fixed times whatever the answers do, so that a stall shows as
latency (a latency counts from when the request was due).

Both return a Result. Nothing is retried: what fails is in .failures.
"""

import asyncio
import threading
import time
from collections import Counter
from urllib.parse import urlsplit

HEAD_BYTES_MAX = 65536


class Failed(Exception):
    """A request without a whole answer."""


class Result:
    """What came back. Times in seconds."""

    def __init__(self):
        self.statuses = Counter()  # status -> answers
        self.bodies = Counter()  # body -> answers of status 200, when asked for
        self.failures = []  # (seconds since the start, what happened)
        self.latencies = []
        self.answered_at = []  # seconds since the start, one per answer
        self.started = time.monotonic()
        self.duration = 0.0

    @property
    def answers(self):
        return sum(self.statuses.values())

    @property
    def lost(self):
        """Requests that did not get a 200."""
        return len(self.failures) + self.answers - self.statuses[200]

    @property
    def rate(self):
        return self.answers / self.duration if self.duration else 0.0

    def percentile(self, percent):
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]

    def longest_gap(self):
        """The longest time without an answer."""
        times = [0.0, *sorted(self.answered_at), self.duration]
        return max(later - earlier for earlier, later in zip(times, times[1:]))

    def __repr__(self):
        return f"<{self.answers} answers {dict(self.statuses)}, failures {self.failures[:5]}>"


class Request:
    """What is sent: always the same, or with the number of the request in the path and headers
    where they contain `{}`."""

    def __init__(self, url, method="GET", headers=None, body=b""):
        parts = urlsplit(url)
        self.host, self.port = parts.hostname, parts.port or 80
        self.method = method
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        fields = {"Host": f"{self.host}:{self.port}", **(headers or {})}
        if body or method in ("POST", "PUT", "PATCH"):
            fields["Content-Length"] = str(len(body))
        lines = [f"{method} {target} HTTP/1.1", *(f"{n}: {v}" for n, v in fields.items())]
        self.head = "\r\n".join(lines) + "\r\n\r\n"
        self.is_numbered = "{}" in self.head
        self.body = body

    def bytes(self, number):
        head = self.head.replace("{}", str(number)) if self.is_numbered else self.head
        return head.encode("latin-1") + self.body


class Connection:
    def __init__(self, request, timeout_s):
        self.request = request
        self.timeout_s = timeout_s
        self.reader = self.writer = None

    async def exchange(self, number):
        """(status, body); a connection that the other side closed while idle is opened anew."""
        try:
            return await asyncio.wait_for(self._exchange(number), self.timeout_s)
        except asyncio.TimeoutError:
            self.close()
            raise Failed(f"no answer within {self.timeout_s} s") from None
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as why:
            self.close()
            raise Failed(repr(why)) from None

    async def _exchange(self, number):
        if self.reader is not None and self.reader.at_eof():
            self.close()
        if self.reader is None:
            self.reader, self.writer = await asyncio.open_connection(
                self.request.host, self.request.port, limit=HEAD_BYTES_MAX
            )
        self.writer.write(self.request.bytes(number))
        head = await self.reader.readuntil(b"\r\n\r\n")
        status = int(head[9:12])
        while 100 <= status < 200:
            head = await self.reader.readuntil(b"\r\n\r\n")
            status = int(head[9:12])
        fields = dict(
            (name.strip().lower(), value.strip())
            for name, _, value in (line.partition(b":") for line in head.split(b"\r\n")[1:-2])
        )
        body = await self._body(status, fields)
        if fields.get(b"connection", b"").lower() == b"close":
            self.close()
        return status, body

    async def _body(self, status, fields):
        if self.request.method == "HEAD" or status in (204, 304):
            return b""
        if fields.get(b"transfer-encoding", b"").lower() == b"chunked":
            return await self._chunks()
        if b"content-length" in fields:
            return await self.reader.readexactly(int(fields[b"content-length"]))
        body = await self.reader.read()
        self.close()
        return body

    async def _chunks(self):
        body = b""
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            body += await self.reader.readexactly(size)
            await self.reader.readexactly(2)
        while await self.reader.readuntil(b"\r\n") != b"\r\n":
            pass
        return body

    def close(self):
        if self.writer is not None:
            self.writer.close()
        self.reader = self.writer = None


class Load:
    def __init__(self, request, keep_bodies, timeout_s):
        self.request = request
        self.keep_bodies = keep_bodies
        self.timeout_s = timeout_s
        self.result = Result()

    def connection(self):
        return Connection(self.request, self.timeout_s)

    async def one(self, connection, number, due=None):
        result = self.result
        begun = due if due is not None else time.monotonic()
        try:
            status, body = await connection.exchange(number)
        except Failed as why:
            result.failures.append((time.monotonic() - result.started, str(why)))
            return
        now = time.monotonic()
        result.statuses[status] += 1
        result.latencies.append(now - begun)
        result.answered_at.append(now - result.started)
        if self.keep_bodies and status == 200:
            result.bodies[body] += 1

    def finish(self):
        self.result.duration = time.monotonic() - self.result.started
        return self.result


async def closed_loop_async(
    url, connections=16, requests=None, seconds=None, stop=None,
    method="GET", headers=None, body=b"", keep_bodies=False, timeout_s=15.0,
):  # fmt: skip
    """Until `requests` were sent, `seconds` are over or the asyncio.Event `stop` is set."""
    load = Load(Request(url, method, headers, body), keep_bodies, timeout_s)
    numbers = iter(range(requests if requests is not None else 1 << 62))
    end = load.result.started + seconds if seconds is not None else None

    async def client():
        connection = load.connection()
        while not (stop and stop.is_set()) and (end is None or time.monotonic() < end):
            number = next(numbers, None)
            if number is None:
                break
            await load.one(connection, number)
        connection.close()

    await asyncio.gather(*(client() for _ in range(connections)))
    return load.finish()


async def open_loop_async(
    url, rate, seconds, method="GET", headers=None, body=b"", keep_bodies=False, timeout_s=15.0
):
    """`rate` requests a second for `seconds`, on as many connections as that takes."""
    load = Load(Request(url, method, headers, body), keep_bodies, timeout_s)
    idle = []
    running = set()

    async def client(number, due):
        connection = idle.pop() if idle else load.connection()
        await load.one(connection, number, due)
        idle.append(connection)

    for number in range(int(rate * seconds)):
        due = load.result.started + number / rate
        delay = due - time.monotonic()
        if delay > 0:
            await asyncio.sleep(delay)
        task = asyncio.create_task(client(number, due))
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)
    for connection in idle:
        connection.close()
    return load.finish()


def closed_loop(url, **options):
    return asyncio.run(closed_loop_async(url, **options))


def open_loop(url, rate, seconds, **options):
    return asyncio.run(open_loop_async(url, rate, seconds, **options))


class Background:
    """A closed loop in a thread of its own, for a test that does something meanwhile:

        with Background(roost.url + "/home") as load:
            ...
        assert load.result.lost == 0
    """

    def __init__(self, url, **options):
        self.url, self.options = url, options
        self.result = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._stop = None
        self._begun = threading.Event()

    def _run(self):
        async def main():
            self._stop = asyncio.Event()
            self._begun.set()
            return await closed_loop_async(self.url, stop=self._stop, **self.options)

        self.result = self._loop.run_until_complete(main())
        self._loop.close()

    def __enter__(self):
        self._thread.start()
        self._begun.wait()
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
