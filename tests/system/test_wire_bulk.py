"""Much, both ways, through little memory: each process of roost may have 64 MiB of address space.
A tenth of the full gigabyte, which `--long` sends."""

import os
import re
import threading
import zlib
from pathlib import Path

import pytest

from balancer import BINARY
from raw_replica import Ended, RawReplica, config_for

MIB = 1 << 20
ADDRESS_SPACE = 64 * MIB
PIECE = 256 * 1024
TIMEOUT_S = 300


def pieces(size):
    """`size` bytes that differ from place to place, in pieces."""
    base = os.urandom(PIECE + 4096)
    at = 0
    while at < size:
        start = (at // PIECE * 61) % 4096
        piece = base[start : start + min(PIECE, size - at)]
        yield piece
        at += len(piece)


class Sum:
    """Length and checksum of what passes."""

    def __init__(self):
        self.size = 0
        self.sum = 0

    def add(self, data):
        self.size += len(data)
        self.sum = zlib.crc32(data, self.sum)

    def __eq__(self, other):
        return (self.size, self.sum) == (other.size, other.sum)

    def __repr__(self):
        return f"<{self.size} bytes, {self.sum:08x}>"


def send_body(sock, size, is_chunked, total, before_last=None):
    for piece in pieces(size):
        total.add(piece)
        if before_last and total.size == size:
            before_last()
        sock.sendall(b"%x\r\n" % len(piece) + piece + b"\r\n" if is_chunked else piece)
    if is_chunked:
        sock.sendall(b"0\r\n\r\n")


def read_some(sock):
    data = sock.recv(PIECE)
    if not data:
        raise AssertionError("closed before the end")
    return data


def read_length(sock, held, size, total):
    data = held[:size]
    while True:
        total.add(data)
        if total.size >= size:
            return
        data = read_some(sock)


def read_chunks(sock, held, total):
    while True:
        while b"\r\n" not in held:
            held += read_some(sock)
        line, _, held = held.partition(b"\r\n")
        left = int(line, 16)
        if not left:
            return
        while left:
            held = held or read_some(sock)
            data, held = held[:left], held[left:]
            total.add(data)
            left -= len(data)
        while len(held) < 2:
            held += read_some(sock)
        assert held[:2] == b"\r\n"
        held = held[2:]


def read_body(sock, head, held, total):
    if b"transfer-encoding: chunked" in head.lower():
        read_chunks(sock, held, total)
    else:
        length = int(re.search(rb"(?i)content-length: (\d+)", head).group(1))
        read_length(sock, held, length, total)


class Bulk:
    """A replica that takes /up, gives /down/SIZE and does both at once for /both/SIZE."""

    def __init__(self):
        self.took = Sum()
        self.gave = Sum()
        self.error = None
        self.is_cut_off = False  # clients of this test go before their answers end
        self.replica = RawReplica(on_head=self.serve)

    def serve(self, connection, head):
        try:
            self.answer(connection, head)
        except Exception as error:
            self.error = error
            raise Ended from None
        return True

    def answer(self, connection, head):
        sock, held = connection.socket, connection.received[connection.at :]
        connection.received = head
        connection.at = len(head)
        _, target, _ = head.split(b" ", 2)
        _, what, *size = target.decode().split("/")
        is_chunked = b"chunked" in head.lower()
        size = int(size[0]) if size else 0
        framing = b"Transfer-Encoding: chunked" if is_chunked else b"Content-Length: %d" % size
        if what == "both":
            sock.sendall(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n")
            taker = threading.Thread(target=read_body, args=(sock, head, held, self.took))
            taker.start()
            # An answer that is whole ends its request: not before that is whole too.
            send_body(sock, size, is_chunked, self.gave, before_last=taker.join)
            return
        if what == "up":
            read_body(sock, head, held, self.took)
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            return
        sock.sendall(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n")
        send_body(sock, size, is_chunked, self.gave)


def high_water(pid):
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    return int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) * 1024


@pytest.fixture
def bulk(start, tmp_path):
    made = Bulk()
    limited = tmp_path / "roost"
    limited.write_text(f'#!/bin/sh\nulimit -v {ADDRESS_SPACE // 1024}\nexec "{BINARY}" "$@"\n')
    limited.chmod(0o755)
    made.roost = start(config=config_for([made.replica]), binary=limited)
    pids = made.roost.pids_with("roost ")
    assert len(pids) == 2, "a keeper and a worker"
    for pid in pids:
        limits = Path(f"/proc/{pid}/limits").read_text(encoding="ascii")
        assert re.search(rf"Max address space +{ADDRESS_SPACE} ", limits)
    yield made
    made.replica.end()
    assert made.error is None or made.is_cut_off
    for pid in pids:
        assert high_water(pid) < ADDRESS_SPACE / 4


@pytest.fixture
def size(is_long):
    return 1024 * MIB if is_long else 100 * MIB


@pytest.mark.parametrize("is_chunked", [False, True], ids=["length", "chunked"])
def test_an_upload(bulk, size, is_chunked):
    sent = Sum()
    framing = "Transfer-Encoding: chunked" if is_chunked else f"Content-Length: {size}"
    with bulk.roost.raw(TIMEOUT_S) as raw:
        raw.send(f"POST /up HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n")
        send_body(raw.socket, size, is_chunked, sent)
        assert raw.read_answer().status == 200
    assert sent.size == size
    assert bulk.took == sent


@pytest.mark.parametrize("is_chunked", [False, True], ids=["length", "chunked"])
def test_a_download(bulk, size, is_chunked):
    got = Sum()
    with bulk.roost.raw(TIMEOUT_S) as raw:
        raw.send(f"GET /down/{size} HTTP/1.1\r\nHost: a\r\n")
        raw.send("X-Wants: chunked\r\n\r\n" if is_chunked else "\r\n")
        head = raw.read_until(b"\r\n\r\n")
        read_body(raw.socket, head, raw.take(len(raw.held)), got)
    assert got.size == size
    assert bulk.gave == got


@pytest.mark.parametrize("is_chunked", [False, True], ids=["length", "chunked"])
def test_both_ways_at_once(bulk, size, is_chunked):
    """The answer begins while the request is still coming."""
    size //= 4
    sent, got = Sum(), Sum()
    framing = "Transfer-Encoding: chunked" if is_chunked else f"Content-Length: {size}"
    with bulk.roost.raw(TIMEOUT_S) as raw:
        raw.send(f"POST /both/{size} HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n")
        sender = threading.Thread(target=send_body, args=(raw.socket, size, is_chunked, sent))
        sender.start()
        head = raw.read_until(b"\r\n\r\n")
        read_body(raw.socket, head, raw.take(len(raw.held)), got)
        sender.join()
    assert sent.size == got.size == size
    assert bulk.gave == got
    assert bulk.took == sent


def test_many_slow_readers_at_once(bulk, size):
    """Eighty answers of which nobody reads more than the first byte: what waits stays in the
    kernel and at the replica."""
    bulk.is_cut_off = True
    raws = []
    try:
        for _ in range(80):
            raw = bulk.roost.raw(TIMEOUT_S)
            raws.append(raw)
            raw.send(f"GET /down/{size} HTTP/1.1\r\nHost: a\r\n\r\n")
            assert raw.socket.recv(1) == b"H"
        assert bulk.roost.get("/down/10").status == 200
    finally:
        for raw in raws:
            raw.reset()
