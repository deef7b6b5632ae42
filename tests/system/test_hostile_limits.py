"""Every limit of a client, at its edge: what is allowed passes, one more is an answer that says so."""

import os
import select
import signal
import socket
import time

import pytest

from balancer import RawSocket, wait_until
from raw_replica import RawReplica, config_for

SLACK_S = 1.0  # a deadline may be late by that much

LIMITS = """
limits:
  header-bytes: 1KiB
  header-fields: 10
  target-bytes: 100
  body-bytes: 1000
  header-timeout: 500ms
  idle-timeout: 1s
  min-rate: 1000
  connection-requests: 5
"""


class Limited:
    def __init__(self, start, top=LIMITS, **options):
        self.replica = RawReplica()
        self.roost = start(config=config_for([self.replica], top=top, **options))

    def end(self):
        self.replica.end()

    def raw(self, source="127.0.0.1"):
        """A connection from that address of this machine."""
        raw = RawSocket.__new__(RawSocket)
        raw.socket = socket.create_connection(
            ("127.0.0.1", self.roost.port), timeout=15, source_address=(source, 0)
        )
        raw.held = b""
        return raw

    def ask(self, text, source="127.0.0.1"):
        with self.raw(source) as raw:
            raw.send(text)
            return raw.read_answer()

    def get(self, *lines, target="/", source="127.0.0.1"):
        fields = "".join(f"{line}\r\n" for line in lines)
        return self.ask(f"GET {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n", source)


@pytest.fixture(scope="module")
def limited(start_shared):
    made = Limited(start_shared)
    yield made
    made.end()


def error_of(answer, status):
    assert answer.status == status
    assert answer.headers["connection"] == "close"
    return answer.json()["error"]


def test_header_fields(limited):
    assert limited.get(*["X: y"] * 9).status == 200
    assert "fields" in error_of(limited.get(*["X: y"] * 10), 431)


def test_header_bytes(limited):
    empty = len("GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n")
    assert limited.get("X: " + "y" * (1024 - empty)).status == 200
    assert "head" in error_of(limited.get("X: " + "y" * (1025 - empty)), 431)


def test_header_bytes_of_an_answer(limited):
    def said(size):
        start, end = b"HTTP/1.1 200 OK\r\nX: ", b"\r\nContent-Length: 2\r\n\r\n"
        return start + b"y" * (size - len(start) - len(end)) + end + b"ok"

    before = limited.replica.answer
    try:
        limited.replica.answer = said(1024)
        assert limited.get().status == 200
        limited.replica.answer = said(1025)
        assert limited.get().status == 502
    finally:
        limited.replica.answer = before


def test_target_bytes(limited):
    assert limited.get(target="/" + "a" * 99).status == 200
    assert "limits.target-bytes" in error_of(limited.get(target="/" + "a" * 100), 414)


@pytest.mark.parametrize("is_chunked", [False, True], ids=["length", "chunked"])
def test_body_bytes(limited, is_chunked):
    def upload(size):
        if is_chunked:
            framed = f"Transfer-Encoding: chunked\r\n\r\n{size:x}\r\n" + "x" * size + "\r\n0\r\n\r\n"
        else:
            framed = f"Content-Length: {size}\r\n\r\n" + "x" * size
        return limited.ask("POST / HTTP/1.1\r\nHost: a\r\n" + framed)

    assert upload(1000).status == 200
    assert "limits.body-bytes" in error_of(upload(1001), 413)


def test_connection_requests(limited):
    with limited.raw() as raw:
        for number in range(5):
            raw.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            answer = raw.read_answer()
            assert answer.status == 200
            assert ("connection" in answer.headers) == (number == 4)
        assert raw.is_closed()


def trickle(raw, data, pause_s, until_s):
    """Sends one byte after the other until an answer or the end comes; how long that took."""
    began = time.monotonic()
    raw.socket.settimeout(pause_s)
    for byte in data:
        try:
            raw.send(bytes([byte]))
            if not raw.more() or raw.held:
                break
        except socket.timeout:
            pass
        assert time.monotonic() - began < until_s, "nobody ends it"
    raw.socket.settimeout(15)
    return time.monotonic() - began


def test_header_timeout(limited):
    with limited.raw() as raw:
        took = trickle(raw, b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 500, 0.02, 5)
        assert "in time" in error_of(raw.read_answer(), 408)
    assert 0.5 <= took <= 0.5 + SLACK_S


def test_a_connection_that_says_nothing(limited):
    with limited.raw() as raw:
        began = time.monotonic()
        assert raw.is_closed()
        assert 0.5 <= time.monotonic() - began <= 0.5 + SLACK_S


def test_idle_timeout(limited):
    with limited.raw() as raw:
        raw.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert raw.read_answer().status == 200
        began = time.monotonic()
        assert raw.is_closed()
        assert 0.99 <= time.monotonic() - began <= 1 + SLACK_S


def test_min_rate(limited):
    with limited.raw() as raw:
        raw.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 900\r\n\r\n")
        took = trickle(raw, b"x" * 900, 0.02, 5)
        assert "in time" in error_of(raw.read_answer(), 408)
    assert 0.9 <= took <= 1 + SLACK_S


def test_connection_lifetime(start):
    limited = Limited(start, top="limits: { connection-lifetime: 1s }")
    with limited.raw() as raw:
        began = time.monotonic()
        while True:
            raw.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            answer = raw.read_answer()
            assert answer.status == 200
            if "connection" in answer.headers:
                break
            time.sleep(0.05)
        assert 0.99 <= time.monotonic() - began <= 1 + SLACK_S
        assert raw.is_closed()
    limited.end()


def test_client_connections(start):
    limited = Limited(start, top="limits: { client-connections: 4 }")
    raws = [limited.raw() for _ in range(4)]
    for raw in raws:
        raw.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert raw.read_answer().status == 200
    answer = limited.get()
    assert answer.status == 429
    assert int(answer.headers["retry-after"]) > 0
    assert limited.get(source="127.0.0.2").status == 200, "another client is not concerned"
    raws.pop().close()
    wait_until(lambda: limited.get().status == 200, 5)
    for raw in raws:
        raw.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert raw.read_answer().status == 200
        raw.close()
    limited.end()


def test_client_requests(start):
    limited = Limited(start, top="limits: { client-requests: 2, client-burst: 5 }")
    with limited.raw() as raw:

        def ask():
            raw.send("GET / HTTP/1.1\r\nHost: a\r\nX-Request-ID: mine\r\n\r\n")
            return raw.read_answer()

        assert [ask().status for _ in range(5)] == [200] * 5
        answer = ask()
        assert answer.status == 429
        assert int(answer.headers["retry-after"]) > 0
        assert "limits.client-requests" in answer.json()["error"]
        assert answer.json()["request_id"] == "mine"
        assert limited.get(source="127.0.0.2").status == 200
        # The connection goes on, and after half a second there is one token again.
        time.sleep(0.6)
        assert [ask().status for _ in range(2)] == [200, 429]
    assert len(limited.replica.requests) == 7
    limited.end()


def statuses_of(raws):
    for raw in raws:
        raw.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    answers = [raw.read_answer() for raw in raws]
    for answer in answers:
        assert answer.status == 200 or int(answer.headers["retry-after"]) > 0
    return [answer.status for answer in answers]


def test_client_connections_count_over_all_workers(start):
    limited = Limited(start, top="limits: { client-connections: 8 }", workers=2)
    workers = limited.roost.pids_with("roost worker")
    raws = [limited.raw() for _ in range(60)]
    statuses = statuses_of(raws)
    assert sorted(statuses) == [200] * 8 + [429] * 52
    assert limited.get(source="127.0.0.2").status == 200
    kept = [raw for raw, status in zip(raws, statuses) if status == 200]
    # A worker that crashes has nothing any more: what it held may be opened again, and no more.
    os.kill(workers[0], signal.SIGKILL)
    wait_until(lambda: len(set(limited.roost.pids_with("roost worker")) - {workers[0]}) == 2, 10)
    kept = [raw for raw in kept if not is_over(raw)]

    def is_full():
        raws.append(limited.raw())
        kept.extend(raws[-1:] if statuses_of(raws[-1:]) == [200] else [])
        return len(kept) == 8

    wait_until(lambda: len(kept) == 8 or is_full(), 10)
    raws += [limited.raw() for _ in range(30)]
    assert statuses_of(raws[-30:]) == [429] * 30
    assert statuses_of(kept) == [200] * 8
    for raw in raws:
        raw.close()
    wait_until(lambda: limited.get().status == 200, 10)
    limited.end()


def is_over(raw):
    """Whether the other side has ended a connection on which nothing is awaited."""
    readable, _, _ = select.select([raw.socket], [], [], 0)
    return bool(readable)


def test_client_requests_count_over_all_workers(start):
    limited = Limited(start, top="limits: { client-requests: 1, client-burst: 20 }", workers=2)
    began = time.monotonic()
    raws = [limited.raw() for _ in range(40)]
    statuses = statuses_of(raws) + statuses_of(raws)
    took = time.monotonic() - began
    assert 20 <= statuses.count(200) <= 20 + took
    assert statuses.count(429) == 80 - statuses.count(200)
    assert len(limited.replica.requests) == statuses.count(200)
    assert limited.get(source="127.0.0.2").status == 200
    for raw in raws:
        raw.close()
    limited.end()


def test_who_is_turned_away_is_not_counted(start):
    limited = Limited(start, top="limits: { connections: 16, client-connections: 20 }")
    raws = [limited.raw() for _ in range(40)]
    assert sorted(statuses_of(raws)) == [200] * 16 + [503] * 24
    for raw in raws:
        raw.close()
    wait_until(lambda: limited.get().status == 200, 10)
    raws = [limited.raw() for _ in range(16)]
    assert 429 not in statuses_of(raws)
    for raw in raws:
        raw.close()
    limited.end()


def test_a_trusted_proxy_is_limited_by_the_client_it_names(start):
    top = "trusted-proxies: [127.0.0.1]\nlimits: { client-requests: 1, client-burst: 2, client-connections: 1 }"
    limited = Limited(start, top=top)
    raws = [limited.raw() for _ in range(3)]
    for raw in raws:
        raw.send("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n")
    statuses = sorted(raw.read_answer().status for raw in raws)
    assert statuses == [200, 200, 429], "the proxy may have many connections, its client has a rate"
    assert limited.get("X-Forwarded-For: 192.0.2.2").status == 200
    for raw in raws:
        raw.close()
    limited.end()


def test_what_is_refused_is_counted_and_logged(start, tmp_path):
    log = tmp_path / "access"
    limited = Limited(start, top="limits: { client-requests: 1, client-burst: 1 }", access=log)
    assert limited.get().status == 200
    assert limited.get().status == 429
    wait_until(lambda: log.read_text().count("\n") == 2, 5)
    assert '"status":429' in log.read_text().splitlines()[1]
    limited.end()
