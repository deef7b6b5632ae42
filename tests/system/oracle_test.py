"""What we accept, other strict readers accept too, and read the same: h11 and llhttp.

A disagreement about where a message ends or what a field says is how requests are smuggled. So
every message our reader takes, out of the fuzz corpora and thousands of changed copies of them, is
given to the others; where they refuse it or read it otherwise, the test fails, but for a short list
of differences that are looked at below. What we refuse is of no interest here.
"""

import random
import re
import struct
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ORACLE = Path(__file__).resolve().parent / "oracle"
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


def compiled(folder, name, *arguments):
    program = folder / name
    command = ["cc", "-O1", "-D_GNU_SOURCE", ORACLE / f"{name}.c", *arguments, "-o", program]
    subprocess.run([str(part) for part in command], check=True)
    return program


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    base = [ROOT / "src/base" / f"{name}.c" for name in ("view", "buffer", "memory")]
    sources = [*sorted((ROOT / "src/http").glob("*.c")), *base]
    return compiled(tmp_path_factory.mktemp("ours"), "http_read", f"-I{ROOT / 'src'}", *sources)


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


class Reading:
    """What a reader took a message for; None in place of it where it refused."""

    def __init__(self, consumed, status, method, target, body, fields):
        self.consumed = consumed
        self.status = status
        self.method = method
        self.target = target
        self.body = body
        self.fields = fields

    @classmethod
    def from_line(cls, line):
        words = line.split()
        if words[0] != "ok":
            return None
        text = [b"" if word == "-" else bytes.fromhex(word) for word in words[3:]]
        fields = list(zip(text[3::2], text[4::2]))
        return cls(int(words[1]), int(words[2]), text[0], text[1], text[2], fields)


def run(program, messages):
    """Each (kind, bytes) as the program reads it."""
    frames = b"".join(kind + struct.pack("<I", len(data)) + data for kind, data in messages)
    result = subprocess.run([str(program)], input=frames, stdout=subprocess.PIPE, check=True)
    lines = result.stdout.decode().splitlines()
    assert len(lines) == len(messages)
    return [Reading.from_line(line) for line in lines]


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


def is_same_target(theirs, own):
    """Ours is origin-form, theirs as it was sent."""
    return theirs == own or (b"://" in theirs and (own in (b"/", b"*") or theirs.endswith(own)))


def differences(own, theirs):
    """What two readings do not agree on, as text."""
    found = []
    for name in ("consumed", "status", "method", "body"):
        if getattr(own, name) != getattr(theirs, name):
            found.append(f"{name}: {getattr(own, name)!r} {getattr(theirs, name)!r}")
    if not is_same_target(theirs.target, own.target):
        found.append(f"target: {own.target!r} {theirs.target!r}")
    is_absolute = own.target != theirs.target
    for mine, other in zip(own.fields, theirs.fields):
        # The authority of an absolute-form took the place of Host.
        if is_absolute and mine[0].lower() == other[0].lower() == b"host":
            continue
        is_coding = mine[0].lower() == b"transfer-encoding"
        if is_coding and mine[1].lower() == other[1].lower():
            continue
        if (mine[0].lower(), mine[1]) != (other[0].lower(), other[1]):
            found.append(f"field: {mine} {other}")
    if len(own.fields) != len(theirs.fields):
        found.append(f"fields: {len(own.fields)} {len(theirs.fields)}")
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
