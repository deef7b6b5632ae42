"""Every byte that reaches a replica and a client, with the other side's bytes whole and cut at
every place (the rules of the wire: framing, refusal, fields)."""

import time

import pytest

from raw_replica import RawReplica, config_for

PAUSE_S = 0.001

# What we add to every request of this file: the client is 127.0.0.1 and no trusted proxy.
OURS = "X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a\r\n"


class Wire:
    """One roost in front of one raw replica."""

    def __init__(self, start):
        self.replica = RawReplica()
        self.roost = start(config=config_for([self.replica]))


@pytest.fixture(scope="module")
def wire(start_shared):
    made = Wire(start_shared)
    yield made
    made.replica.end()


def cuts_of(data):
    """None for whole, then every place."""
    return [None, *range(1, len(data))]


def send_cut(raw, data, cut):
    if cut is None:
        raw.send(data)
        return
    raw.send(data[:cut])
    time.sleep(PAUSE_S)
    raw.send(data[cut:])


def request(text):
    return text.replace("\n", "\r\n").encode("latin-1")


# name: (what a client sends, what the replica gets)
PASSED = {
    "get": (
        "GET /a?b=c HTTP/1.1\nHost: a\nX-Request-ID: 1\n\n",
        "GET /a?b=c HTTP/1.1\nHost: a\nX-Request-ID: 1\n%s\n",
    ),
    "length": (
        "POST / HTTP/1.1\nHost: a\nContent-Length: 5\nX-Request-ID: 1\n\nhello",
        "POST / HTTP/1.1\nHost: a\nX-Request-ID: 1\n%sContent-Length: 5\n\nhello",
    ),
    "empty length": (
        "PUT / HTTP/1.1\nHost: a\nX-Request-ID: 1\nContent-Length: 0\n\n",
        "PUT / HTTP/1.1\nHost: a\nX-Request-ID: 1\n%sContent-Length: 0\n\n",
    ),
    "hop by hop": (
        "GET / HTTP/1.1\nHost: a\nConnection: X-Gone, keep-alive\nX-Gone: 1\nKeep-Alive: 5\n"
        "Proxy-Connection: keep-alive\nTE: gzip\nUpgrade: h2c\nHTTP2-Settings: AAA\nX-Stays: 1\n"
        "X-Request-ID: 1\n\n",
        "GET / HTTP/1.1\nHost: a\nX-Stays: 1\nX-Request-ID: 1\n%s\n",
    ),
    "connection cannot take the host or the framing": (
        "POST / HTTP/1.1\nHost: a\nConnection: host, content-length\nContent-Length: 2\n"
        "X-Request-ID: 1\n\nab",
        "POST / HTTP/1.1\nHost: a\nX-Request-ID: 1\n%sContent-Length: 2\n\nab",
    ),
    "te trailers": (
        "GET / HTTP/1.1\nHost: a\nConnection: TE\nTE: trailers\nX-Request-ID: 1\n\n",
        "GET / HTTP/1.1\nHost: a\nX-Request-ID: 1\n%sTE: trailers\nConnection: TE\n\n",
    ),
    "expect": (
        "POST / HTTP/1.1\nHost: a\nExpect: 100-continue\nContent-Length: 2\nX-Request-ID: 1\n\nab",
        "POST / HTTP/1.1\nHost: a\nExpect: 100-continue\nX-Request-ID: 1\n%s"
        "Content-Length: 2\n\nab",
    ),
    "absolute form": (
        "GET http://a/x?y HTTP/1.1\nHost: b\nX-Request-ID: 1\n\n",
        "GET /x?y HTTP/1.1\nHost: a\nX-Request-ID: 1\n%s\n",
    ),
    "asterisk": (
        "OPTIONS * HTTP/1.1\nHost: a\nMax-Forwards: 7\nX-Request-ID: 1\n\n",
        "OPTIONS * HTTP/1.1\nHost: a\nMax-Forwards: 6\nX-Request-ID: 1\n%s\n",
    ),
    "unknown method": (
        "PROPFIND /x HTTP/1.1\nHost: a\nX-Request-ID: 1\n\n",
        "PROPFIND /x HTTP/1.1\nHost: a\nX-Request-ID: 1\n%s\n",
    ),
    "ours are not believed": (
        "GET / HTTP/1.1\nHost: a\nX-Forwarded-For: 6.6.6.6\nX-Forwarded-Proto: https\n"
        "X-Forwarded-Host: evil\nX-Roost-Link: loopback=1\nX-Request-ID: 1\n\n",
        "GET / HTTP/1.1\nHost: a\nX-Request-ID: 1\n%s\n",
    ),
    "values as they are": (
        "GET /%00/../;x?%zz HTTP/1.1\nHost: a\nX-Empty:\nX-A:  b\t c \nX-A: d\nCookie: a=b; c\n"
        "X-Request-ID: 1\n\n",
        "GET /%%00/../;x?%%zz HTTP/1.1\nHost: a\nX-Empty: \nX-A: b\t c\nX-A: d\nCookie: a=b; c\n"
        "X-Request-ID: 1\n%s\n",
    ),
    "one empty line before": (
        "\nGET / HTTP/1.1\nHost: a\nX-Request-ID: 1\n\n",
        "GET / HTTP/1.1\nHost: a\nX-Request-ID: 1\n%s\n",
    ),
}


@pytest.mark.parametrize("name", PASSED)
def test_a_request_reaches_its_replica_byte_for_byte(wire, name):
    sent, expected = PASSED[name]
    sent, expected = request(sent), request(expected % OURS.replace("\r\n", "\n"))
    for cut in cuts_of(sent):
        wire.replica.forget()
        with wire.roost.raw() as raw:
            send_cut(raw, sent, cut)
            answer = raw.read_answer()
        assert answer.status == 200, (cut, answer)
        assert b"".join(wire.replica.received()) == expected, f"cut at {cut}"


def test_a_chunked_request_is_framed_anew_and_keeps_its_bytes_and_trailers(wire):
    sent = request(
        "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\nTrailer: X-Sum\n"
        "X-Request-ID: 1\n\n"
        '3;a="b\\"c";d\nabc\n00002\nde\n0;x\nX-Sum: 5\nContent-Length: 9\nHost: evil\n\n'
    )
    head = request(
        "POST / HTTP/1.1\nHost: a\nTrailer: X-Sum\nX-Request-ID: 1\n%s"
        "Transfer-Encoding: chunked\n\n"
        % OURS.replace("\r\n", "\n")
    )
    for cut in cuts_of(sent):
        wire.replica.forget()
        with wire.roost.raw() as raw:
            send_cut(raw, sent, cut)
            assert raw.read_answer().status == 200
        received = b"".join(wire.replica.received())
        assert received.startswith(head), f"cut at {cut}"
        body, rest = b"", received[len(head) :]
        while not rest.startswith(b"0\r\n"):
            size, _, rest = rest.partition(b"\r\n")
            assert size.isalnum()
            body, rest = body + rest[: int(size, 16)], rest[int(size, 16) :]
            assert rest.startswith(b"\r\n")
            rest = rest[2:]
        assert body == b"abcde"
        assert rest == b"0\r\nX-Sum: 5\r\n\r\n"


def test_pipelined_requests_are_answered_in_order_wherever_they_are_cut(wire):
    sent = request(
        "GET /1 HTTP/1.1\nHost: a\n\nPOST /2 HTTP/1.1\nHost: a\nContent-Length: 3\n\nabc"
        "GET /3 HTTP/1.1\nHost: a\n\n"
    )
    wire.replica.answer = lambda connection, r: connection.send(
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + r.target.encode()
    )
    try:
        for cut in cuts_of(sent):
            with wire.roost.raw() as raw:
                send_cut(raw, sent, cut)
                assert [raw.read_answer().body for _ in range(3)] == [b"/1", b"/2", b"/3"]
    finally:
        wire.replica.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


REFUSED = {
    "length and encoding": (
        "POST / HTTP/1.1\nHost: a\nContent-Length: 3\nTransfer-Encoding: chunked\n\n0\n\n",
        400,
    ),
    "encoding and length": (
        "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\nContent-Length: 3\n\n0\n\n",
        400,
    ),
    "length twice": ("POST / HTTP/1.1\nHost: a\nContent-Length: 1\nContent-Length: 1\n\nx", 400),
    "a list of lengths": ("POST / HTTP/1.1\nHost: a\nContent-Length: 1, 1\n\nx", 400),
    "a signed length": ("POST / HTTP/1.1\nHost: a\nContent-Length: +1\n\nx", 400),
    "a negative length": ("POST / HTTP/1.1\nHost: a\nContent-Length: -1\n\nx", 400),
    "2^63 bytes": ("POST / HTTP/1.1\nHost: a\nContent-Length: 9223372036854775808\n\n", 400),
    "an empty length": ("POST / HTTP/1.1\nHost: a\nContent-Length:\n\n", 400),
    "another encoding": ("POST / HTTP/1.1\nHost: a\nTransfer-Encoding: gzip, chunked\n\n", 400),
    "chunked twice": ("POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked, chunked\n\n", 400),
    "a quoted encoding": ('POST / HTTP/1.1\nHost: a\nTransfer-Encoding: "chunked"\n\n', 400),
    "two encodings": (
        "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\nTransfer-Encoding: x\n\n",
        400,
    ),
    "an encoding in 1.0": ("POST / HTTP/1.0\nHost: a\nTransfer-Encoding: chunked\n\n0\n\n", 400),
    "a bare CR": (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", 400),
    "a bare LF": (b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400),
    "a NUL": (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", 400),
    "a fold": ("GET / HTTP/1.1\nHost: a\nX: a\n b\n\n", 400),
    "a space before the colon": ("GET / HTTP/1.1\nHost : a\n\n", 400),
    "a bad name": ("GET / HTTP/1.1\nHost: a\nX(: b\n\n", 400),
    "an empty name": ("GET / HTTP/1.1\nHost: a\n: b\n\n", 400),
    "no host": ("GET / HTTP/1.1\n\n", 400),
    "two hosts": ("GET / HTTP/1.1\nHost: a\nHost: a\n\n", 400),
    "a bad host": ("GET / HTTP/1.1\nHost: a/b\n\n", 400),
    "a host with a user": ("GET / HTTP/1.1\nHost: u@a\n\n", 400),
    "a fragment": ("GET /#x HTTP/1.1\nHost: a\n\n", 400),
    "0.9": ("GET /\n", 400),
    "2.0": ("GET / HTTP/2.0\nHost: a\n\n", 505),
    "connect": ("CONNECT a:80 HTTP/1.1\nHost: a:80\n\n", 400),
    "trace": ("TRACE / HTTP/1.1\nHost: a\n\n", 405),
    "two spaces": ("GET  / HTTP/1.1\nHost: a\n\n", 400),
    "a method that is none": ("G(T / HTTP/1.1\nHost: a\n\n", 400),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_could_be_read_in_two_ways_is_refused_and_reaches_nobody(wire, name):
    sent, status = REFUSED[name]
    sent = sent if isinstance(sent, bytes) else request(sent)
    for cut in cuts_of(sent):
        wire.replica.forget()
        with wire.roost.raw() as raw:
            try:
                send_cut(raw, sent, cut)
            except (BrokenPipeError, ConnectionResetError):
                pass  # refused before the rest of it came
            answer = raw.read_answer()
            assert answer.status == status, (cut, answer)
            assert answer.headers["connection"] == "close"
            assert set(answer.json()) == {"error", "request_id"}
            assert raw.is_closed()
        assert not wire.replica.requests
    assert wire.roost.get("/").status == 200


BAD_CHUNKS = {
    "a bare LF behind the size": b"3\nabc\r\n0\r\n\r\n",
    "a bare LF behind the data": b"3\r\nabc\n0\r\n\r\n",
    "no size": b"\r\nabc\r\n0\r\n\r\n",
    "a sign": b"+3\r\nabc\r\n0\r\n\r\n",
    "a prefix": b"0x3\r\nabc\r\n0\r\n\r\n",
    "a blank": b"3 \r\nabc\r\n0\r\n\r\n",
    "too little": b"2\r\nabc\r\n0\r\n\r\n",
    "2^63 bytes": b"8000000000000000\r\nabc\r\n0\r\n\r\n",
    "a folded trailer": b"0\r\nX: a\r\n b\r\n\r\n",
    "a trailer without a name": b"0\r\n: a\r\n\r\n",
}


@pytest.mark.parametrize("name", BAD_CHUNKS)
def test_a_malformed_chunk_is_refused_and_never_completed(wire, name):
    for cut in cuts_of(BAD_CHUNKS[name]):
        wire.replica.forget()
        with wire.roost.raw() as raw:
            raw.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            try:
                send_cut(raw, BAD_CHUNKS[name], cut)
            except (BrokenPipeError, ConnectionResetError):
                pass
            assert raw.read_answer().status == 400, f"cut at {cut}"
            assert raw.is_closed()
        assert not wire.replica.requests, "the replica must not see a whole request"


# name: (what the replica says, method, status, body, trailers raw or None)
ANSWERS = {
    "length": (
        b"HTTP/1.1 200 OK\r\nX-Own: 1\r\nContent-Length: 5\r\n\r\nhello",
        "GET",
        200,
        b"hello",
    ),
    "chunked": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3;x\r\nabc\r\n2\r\nde\r\n0\r\nX-T: 1\r\n\r\n",
        "GET",
        200,
        b"abcde",
    ),
    "until close": (b"HTTP/1.1 200 OK\r\n\r\nto the end", "GET", 200, b"to the end"),
    "1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", "GET", 200, b"hi"),
    "no reason": (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi", "GET", 200, b"hi"),
    "head": (b"HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n", "HEAD", 200, b""),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", "GET", 204, b""),
    "304": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\nETag: x\r\n\r\n", "GET", 304, b""),
    "interim": (
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        "GET",
        200,
        b"hi",
    ),
    "599": (b"HTTP/1.1 599 Own\r\nContent-Length: 0\r\n\r\n", "GET", 599, b""),
}


@pytest.mark.parametrize("version", ["1.1", "1.0"])
@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_reaches_its_client_wherever_it_is_cut(wire, name, version):
    said, method, status, body = ANSWERS[name]
    state = {}

    def answer(connection, _):
        if state["cut"] is None:
            connection.send(said)
        else:
            connection.send_cut(said, state["cut"], PAUSE_S)
        if name in ("until close", "1.0"):
            connection.socket.close()

    before, wire.replica.answer = wire.replica.answer, answer
    try:
        for state["cut"] in cuts_of(said):
            with wire.roost.raw() as raw:
                raw.send(f"{method} / HTTP/{version}\r\nHost: a\r\n\r\n")
                if name == "interim" and version == "1.1":
                    assert raw.read_head() == (103, [("Link", "x")])
                found_status, fields = raw.read_head()
                assert found_status == status, state
                names = {field.lower() for field, _ in fields}
                assert not names & {"keep-alive", "via", "date", "x-request-id", "x-roost-replica"}
                if version == "1.0":
                    assert "transfer-encoding" not in names
                    assert raw.read_all() == body
                    continue
                if name in ("chunked", "until close"):
                    assert "transfer-encoding" in names
                    assert raw.read_chunks() == body
                elif name not in ("head", "304"):
                    assert raw.read_exactly(len(body)) == body
                else:
                    assert "content-length" in names
                # The connection is in step: a second request is answered.
                wire.replica.answer = before
                raw.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                assert raw.read_answer().body == b"ok"
                wire.replica.answer = answer
    finally:
        wire.replica.answer = before


BAD_ANSWERS = {
    "length and encoding": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "length twice": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
    "a list of lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nhi",
    "another encoding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
    "an encoding in 1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a bare LF": b"HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nhi",
    "a bare CR": b"HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 2\r\n\r\nhi",
    "a fold": b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nhi",
    "a space before the colon": b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nhi",
    "no status": b"HTTP/1.1 OK\r\n\r\n",
    "a status of four digits": b"HTTP/1.1 2000 OK\r\n\r\n",
    "another protocol": b"SSH-2.0-OpenSSH_9\r\n\r\n",
    "101 that nobody asked for": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nGET / HTTP",
    "nine interim answers": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 9,
}


@pytest.mark.parametrize("name", BAD_ANSWERS)
def test_a_malformed_answer_is_502_and_its_connection_is_not_used_again(wire, name):
    said = BAD_ANSWERS[name]
    state = {}

    def answer(connection, _):
        state["connection"] = connection
        if state["cut"] is None:
            connection.send(said)
        else:
            connection.send_cut(said, state["cut"], PAUSE_S)
        connection.silence()

    before, wire.replica.answer = wire.replica.answer, answer
    cuts = cuts_of(said) if len(said) < 120 else [None, 1, 30, 70, len(said) - 3]
    try:
        for state["cut"] in cuts:
            wire.replica.forget()
            with wire.roost.raw() as raw:
                raw.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                answered = raw.read_answer()
                assert answered.status == 502, state
                assert set(answered.json()) == {"error", "request_id"}
            assert len(wire.replica.requests) == 1, "one that began to answer is not asked twice"
            wire.replica.wait_for(lambda: state["connection"].has_ended)
    finally:
        wire.replica.answer = before


def test_a_replica_that_ends_inside_its_body_ends_the_clients_connection_too(wire):
    for said in (
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nbad\r\n",
    ):

        def answer(connection, _, said=said):
            connection.send(said)
            connection.close()

        before, wire.replica.answer = wire.replica.answer, answer
        try:
            with wire.roost.raw() as raw:
                raw.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                # The cut may overtake what came before it: then nothing is left to be believed.
                try:
                    raw.read_head()
                    rest = raw.read_all()
                except (ConnectionResetError, AssertionError):
                    continue
                assert not rest.endswith(b"0\r\n\r\n"), "a whole body was made of a half one"
        finally:
            wire.replica.answer = before
