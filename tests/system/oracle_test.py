"""What we accept, other strict readers accept too, and read the same: h11 and llhttp.

A disagreement about where a message ends or what a field says is how requests are smuggled. So
every message our reader takes, out of the fuzz corpora and thousands of changed copies of them, is
given to the others; where they refuse it or read it otherwise, the test fails, but for a short list
of differences that are looked at below. What we refuse is of no interest here.
"""

import random
import re
from pathlib import Path

import pytest

from oracle.reading import Reading, compile_ours, compiled, differences, run

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT / "tests" / "fuzz" / "corpus"
LLHTTP = Path("/usr/share/llhttp")
LLHTTP_METHODS = {b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH"}

# Bytes that mean something somewhere in the grammar, and their neighbours.
TELLING = b"\0\t\n\x0b\x0c\r\x1f !\"#%'()*+,-./059:;=?@ACZ[\\]_`aegz{|}~\x7f\x80\xa0\xff"

EXTRA = [
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5;a=b\r\nhello\r\n0\r\nT: v\r\n\r\nGET / HTTP/1.1\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\nHost: b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: b\r\n\r\n",
]
EXTRA_ANSWERS = [
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\nHTTP/1.1",
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nabc",
]


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    return compile_ours(tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="module")
def llhttp(tmp_path_factory):
    if not LLHTTP.is_dir():
        pytest.skip("the sources of llhttp are not installed (node-llhttp)")
    return compiled(
        tmp_path_factory.mktemp("llhttp"),
        "llhttp_read",
        "-DLLHTTP_STRICT_MODE=1",
        "-I/usr/share/include/llhttp",
        *sorted(LLHTTP.glob("*.c")),
    )


def changed(seed, count):
    """Copies with one byte changed, put in or left out at every place; `count` with more changes."""
    copies = {seed}
    for place in range(len(seed)):
        copies.add(seed[:place] + seed[place + 1 :])
        for byte in TELLING:
            copies.add(seed[:place] + bytes([byte]) + seed[place:])
            copies.add(seed[:place] + bytes([byte]) + seed[place + 1 :])
    chance = random.Random(len(seed))
    for _ in range(count):
        copy = bytearray(seed)
        for _ in range(chance.randint(2, 4)):
            place = chance.randrange(len(copy))
            piece = bytes([chance.choice(TELLING)]) if chance.random() < 0.5 else seed[
                place : place + chance.randint(1, 20)
            ]
            copy[place : place + chance.randint(0, 2)] = piece
        copies.add(bytes(copy))
    return copies


@pytest.fixture(scope="module")
def accepted(ours, is_long):
    """(kind, bytes, our reading) of all we accept."""
    count = 5000 if is_long else 300
    requests = [path.read_bytes() for path in sorted((CORPUS / "request_head").iterdir())] + EXTRA
    answers = [path.read_bytes() for path in sorted((CORPUS / "answer_head").iterdir())]
    answers += EXTRA_ANSWERS
    # One reading of a long browser request tells no more than that of a short one.
    messages = {(b"q", copy) for seed in requests for copy in changed(seed[:220], count)}
    for seed in answers:
        messages |= {(kind, copy) for copy in changed(seed[:160], count) for kind in (b"a", b"h")}
    messages = sorted(messages)
    found = [
        (kind, data, reading)
        for (kind, data), reading in zip(messages, run(ours, messages))
        if reading
    ]
    assert len(found) > 5000
    return found


def compare(accepted, read, is_known):
    """All messages, read by another; shows the first few that differ."""
    failures = []
    compared = 0
    for (kind, data, own), theirs in zip(accepted, read):
        if is_known(kind, data, own, theirs):
            continue
        compared += 1
        found = differences(own, theirs) if theirs else ["refused"]
        if found:
            failures.append(f"{kind.decode()} {data!r}: {found}")
    assert not failures, f"{len(failures)} of {compared}:\n" + "\n".join(failures[:20])
    assert compared > 5000


def read_by_h11(kind, data):
    import h11

    is_request = kind == b"q"
    connection = h11.Connection(h11.SERVER if is_request else h11.CLIENT)
    if not is_request:
        method = "HEAD" if kind == b"h" else "GET"
        asked = [("Connection", "upgrade"), ("Upgrade", "websocket")] if b" 101" in data else []
        connection.send(h11.Request(method=method, target="/", headers=[("Host", "a"), *asked]))
        connection.send(h11.EndOfMessage())
    head, body, consumed = None, b"", len(data)
    try:
        connection.receive_data(data)
        if not is_request:
            connection.receive_data(b"")
        while True:
            event = connection.next_event()
            if isinstance(event, (h11.Request, h11.Response, h11.InformationalResponse)):
                head = event
                if isinstance(event, h11.InformationalResponse):
                    break
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            else:
                break
        if not isinstance(event, (h11.EndOfMessage, h11.InformationalResponse)):
            return None
        consumed -= len(connection.trailing_data[0])
    except h11.RemoteProtocolError:
        return None
    fields = [(name, value) for name, value in head.headers]
    if is_request:
        return Reading(consumed, 0, head.method, head.target, body, fields)
    return Reading(consumed, head.status_code, b"", b"", body, fields)


def is_known_to_differ_in_h11(kind, data, own, theirs):
    # The empty line before a request, which RFC 9112 2.2 says to pass over.
    return kind == b"q" and data.startswith(b"\r\n")


def test_h11_reads_what_we_accept_the_same_way(accepted):
    pytest.importorskip("h11")
    read = (read_by_h11(kind, data) for kind, data, _ in accepted)
    compare(accepted, read, is_known_to_differ_in_h11)


def is_known_to_differ_in_llhttp(kind, data, own, theirs):
    # It knows its own list of methods and no minor version above 1; RFC 9110 9.1 and 2.5 differ.
    first = data.lstrip(b"\r\n").split(b"\r\n")[0]
    if kind == b"q" and own.method not in LLHTTP_METHODS:
        return True
    if re.search(rb"HTTP/1\.[2-9]", first):
        return True
    # An answer of 204 or 304 has no body whatever it says (RFC 9112 6.3); Node.js has to say so
    # to llhttp itself.
    if kind == b"a" and own.status in (204, 304):
        return True
    # A tab behind the length or the coding: OWS in RFC 9110 5.6.3.
    return re.search(rb"(?i)\r\n(content-length|transfer-encoding):[^\r]*\t\r", data) is not None


def test_llhttp_reads_what_we_accept_the_same_way(accepted, llhttp):
    read = run(llhttp, [(kind, data) for kind, data, _ in accepted])
    for reading in filter(None, read):
        # It leaves trimming the end of a value to its caller.
        reading.fields = [(name, value.rstrip(b" \t")) for name, value in reading.fields]
    compare(accepted, read, is_known_to_differ_in_llhttp)
