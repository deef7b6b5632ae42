"""Others who know HTTP/1.1: h11 as a client and as a replica, curl as a client. h11 refuses whatever
is not by the book, from either side."""

import base64
import hashlib
import json
import os
import shutil
import socket
import struct
import subprocess
import time

import pytest

from raw_replica import Ended, RawReplica, config_for

h11 = pytest.importorskip("h11")


class Replica:
    """Tells in JSON what h11 made of a request; /chunked and /close frame the answer otherwise."""

    def __init__(self):
        self.raw = RawReplica(on_head=self.serve)
        self.complaints = []

    def serve(self, connection, head):
        own = h11.Connection(h11.SERVER)
        own.receive_data(connection.received[connection.at - len(head) :])
        connection.at = len(connection.received)
        try:
            self.answer(connection, own)
        except h11.RemoteProtocolError as error:
            self.complaints.append((error, head))
            raise Ended from None
        # Whatever came with it belongs to the next request, and roost sends none before.
        assert not own.trailing_data[0]
        return True

    def answer(self, connection, own):
        request, body, trailers = None, b"", []
        while True:
            event = own.next_event()
            if event is h11.NEED_DATA:
                if own.they_are_waiting_for_100_continue:
                    early = own.send(h11.InformationalResponse(status_code=100, headers=[]))
                    connection.send(early)
                before = len(connection.received)
                connection.more()
                own.receive_data(connection.received[before:])
                connection.at = len(connection.received)
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                trailers = list(event.headers)
                break
        self.say(connection, own, request, body, trailers)

    def say(self, connection, own, request, body, trailers):
        told = json.dumps(
            {
                "method": request.method.decode(),
                "target": request.target.decode(),
                "version": request.http_version.decode(),
                "fields": [[n.decode(), v.decode("latin-1")] for n, v in request.headers],
                "trailers": [[n.decode(), v.decode()] for n, v in trailers],
                "body": len(body),
                "sum": hashlib.sha256(body).hexdigest(),
            }
        ).encode()
        headers = [("Content-Type", "application/json")]
        is_chunked = request.target.startswith(b"/chunked") and request.method != b"HEAD"
        if is_chunked:
            headers.append(("Transfer-Encoding", "chunked"))
        elif request.target.startswith(b"/close"):
            headers.append(("Connection", "close"))
        else:
            headers.append(("Content-Length", str(len(told))))
        out = own.send(h11.Response(status_code=200, headers=headers))
        if request.method != b"HEAD":
            for start in range(0, len(told), 100):
                out += own.send(h11.Data(data=told[start : start + 100]))
        out += own.send(h11.EndOfMessage(headers=[("X-Sum", "1")] if is_chunked else []))
        connection.send(out)
        if own.our_state is h11.MUST_CLOSE:
            connection.close()
            raise Ended


class Peers:
    def __init__(self, start):
        self.replica = Replica()
        self.roost = start(config=config_for([self.replica.raw]))


@pytest.fixture(scope="module")
def peers(start_shared):
    made = Peers(start_shared)
    yield made
    made.replica.raw.end()
    assert not made.replica.complaints


class Client:
    """h11 on a connection to roost."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=15)
        self.own = h11.Connection(h11.CLIENT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def next_event(self):
        while (event := self.own.next_event()) is h11.NEED_DATA:
            self.own.receive_data(self.socket.recv(65536))
        return event

    def ask(self, method, target, headers=(), body=(), trailers=()):
        fields = [("Host", "a"), *headers]
        self.socket.sendall(
            self.own.send(h11.Request(method=method, target=target, headers=fields))
        )
        interim = []
        if any(name == "Expect" for name, _ in headers):
            while self.own.they_are_waiting_for_100_continue or not interim:
                event = self.next_event()
                assert isinstance(event, h11.InformationalResponse)
                interim.append(event.status_code)
        for piece in body:
            self.socket.sendall(self.own.send(h11.Data(data=piece)))
        self.socket.sendall(self.own.send(h11.EndOfMessage(headers=list(trailers))))
        answer, got = None, b""
        while True:
            event = self.next_event()
            if isinstance(event, h11.Response):
                answer = event
            elif isinstance(event, h11.InformationalResponse):
                interim.append(event.status_code)
            elif isinstance(event, h11.Data):
                got += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                break
            else:
                raise AssertionError(event)
        if self.own.our_state is h11.DONE and self.own.their_state is h11.DONE:
            self.own.start_next_cycle()
        return answer, got, interim, list(event.headers)


@pytest.mark.parametrize("path", ["/length", "/chunked", "/close"])
def test_h11_on_both_sides_agrees_with_us(peers, path):
    body = [os.urandom(size) for size in (1, 1000, 70000, 5, 300000)]
    whole = b"".join(body)
    with Client(peers.roost.port) as client:
        for _ in range(3):
            answer, got, _, trailers = client.ask("GET", path + "?a=b")
            assert answer.status_code == 200
            assert json.loads(got)["target"] == path + "?a=b"
            assert trailers == ([(b"x-sum", b"1")] if path == "/chunked" else [])

            length = [("Content-Length", str(len(whole)))]
            _, got, _, _ = client.ask("POST", path, length, body)
            told = json.loads(got)
            assert told["sum"] == hashlib.sha256(whole).hexdigest()
            assert ["content-length", str(len(whole))] in told["fields"]

            chunked = [("Transfer-Encoding", "chunked"), ("Trailer", "X-Own")]
            _, got, _, _ = client.ask("PUT", path, chunked, body, [("X-Own", "7")])
            told = json.loads(got)
            assert told["sum"] == hashlib.sha256(whole).hexdigest()
            assert told["trailers"] == [["x-own", "7"]]

            answer, got, _, _ = client.ask("HEAD", path)
            assert answer.status_code == 200 and not got


def test_h11_is_told_to_go_on_by_the_replica(peers):
    with Client(peers.roost.port) as client:
        for _ in range(3):
            headers = [("Content-Length", "5"), ("Expect", "100-continue")]
            answer, got, interim, _ = client.ask("POST", "/length", headers, [b"hello"])
            assert (answer.status_code, interim) == (200, [100])
            assert json.loads(got)["body"] == 5


def curl(peers, *arguments, body=None):
    if not shutil.which("curl"):
        pytest.skip("no curl here")
    done = subprocess.run(
        ["curl", "-sS", "--max-time", "30", *arguments], input=body, capture_output=True, timeout=40
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("path", ["/length", "/chunked", "/close"])
@pytest.mark.parametrize("version", ["--http1.0", "--http1.1"])
def test_curl_gets_what_it_asks_for(peers, path, version):
    url = peers.roost.url + path
    told = json.loads(curl(peers, version, url))
    assert told["method"] == "GET"
    assert told["version"] == "1.1", "to replicas we speak 1.1"
    head = curl(peers, version, "-I", url).decode()
    assert head.startswith("HTTP/1.1 200")
    body = os.urandom(300000)
    for extra in ([], ["-H", "Transfer-Encoding: chunked"]):
        if extra and version == "--http1.0":
            continue
        arguments = [version, "-H", "Expect:", "--data-binary", "@-", *extra, url]
        told = json.loads(curl(peers, *arguments, body=body))
        assert told["sum"] == hashlib.sha256(body).hexdigest()


def test_curl_waits_for_100_continue_and_sends_its_file(peers, tmp_path):
    path = tmp_path / "body"
    path.write_bytes(os.urandom(2 << 20))
    out = curl(
        peers, "-T", str(path), "-H", "Expect: 100-continue", "--expect100-timeout", "30",
        peers.roost.url + "/length",
    )  # fmt: skip
    told = json.loads(out)
    assert told["method"] == "PUT"
    assert told["sum"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_curl_uses_one_connection_for_many_requests(peers):
    urls = [f"{peers.roost.url}/chunked?{number}" for number in range(20)]
    out = curl(peers, "-w", "\n%{num_connects}\n", *urls).decode()
    connects = [line for line in out.splitlines() if line.isdigit()]
    assert connects == ["1"] + ["0"] * 19


# ---- tunnels ----


def frame(opcode, payload):
    """A masked WebSocket frame, as clients send them."""
    mask = os.urandom(4)
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + struct.pack(">H", size)
    masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
    return bytes([0x80 | opcode]) + length + mask + masked


def read_frame(raw):
    first, size = raw.read_exactly(2)
    if size == 126:
        size = struct.unpack(">H", raw.read_exactly(2))[0]
    return first & 15, raw.read_exactly(size)


def test_a_websocket_passes_both_ways_until_both_have_closed(start):
    roost = start("--num-servers", 1)
    key = base64.b64encode(os.urandom(16)).decode()
    with roost.raw() as raw:
        raw.send(
            "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        status, fields = raw.read_head()
        fields = {name.lower(): value for name, value in fields}
        assert status == 101
        digest = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        assert fields["sec-websocket-accept"] == base64.b64encode(digest).decode()
        assert (fields["upgrade"], fields["connection"]) == ("websocket", "Upgrade")
        for size in (0, 1, 125, 126, 5000, 60000):
            payload = os.urandom(size)
            raw.send(frame(2, payload))
            assert read_frame(raw) == (2, payload)
        raw.send(frame(8, b"\x03\xe8"))
        assert read_frame(raw)[0] == 8
        raw.finish()
        assert raw.is_closed()
    assert roost.get("/stats").json()["total"]["in_flight"] <= 1


def test_what_follows_a_refused_handshake_is_a_request_and_no_tunnel(peers):
    with peers.roost.raw() as raw:
        raw.send(
            "GET /length HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
            "GET /chunked HTTP/1.1\r\nHost: a\r\n\r\n"
        )
        first, second = raw.read_answer(), raw.read_answer()
        assert first.json()["target"] == "/length"
        assert ["upgrade", "websocket"] in first.json()["fields"]
        assert second.json()["target"] == "/chunked"


def test_an_idle_tunnel_is_ended_and_a_busy_one_is_not(start):
    def tunnel(connection, _):
        connection.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")
        while True:
            before = len(connection.received)
            connection.more()
            connection.send(connection.received[before:])

    replica = RawReplica(answer=tunnel)
    roost = start(config=config_for([replica], service="timeouts: { idle: 600ms }"))
    with roost.raw() as raw:
        raw.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        assert raw.read_head()[0] == 101
        for _ in range(8):
            time.sleep(0.2)
            raw.send("x")
            assert raw.read_exactly(1) == b"x"
        assert raw.is_closed()
    replica.end()
