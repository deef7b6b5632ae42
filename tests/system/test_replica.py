"""The sample server, `roost replica`, row by row."""

import http.client
import os
import signal
import socket
import subprocess
import threading
import time

import pytest

from balancer import BINARY, RawSocket, free_port, request, wait_until

HELLO = {"message": "Hello from Server: 7", "status": "successful"}

# "Hello", masked, and the answer to it (RFC 6455 5.7).
MASKED_HELLO = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"
PLAIN_HELLO = b"\x81\x05Hello"
HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class Replica:
    def __init__(self, *flags, **environment):
        self.port = free_port()
        self.process = subprocess.Popen(
            [BINARY, "replica", *flags],
            env={"PORT": str(self.port), **environment},
            stderr=subprocess.DEVNULL,
        )

    def wait(self, host="127.0.0.1"):
        def listens():
            with socket.socket() as probe:
                return probe.connect_ex((host, self.port)) == 0

        wait_until(listens, 10, "the replica listens")
        return self

    def get(self, path, **options):
        return request(self.port, "GET", path, **options)

    def end(self, by=signal.SIGTERM):
        self.process.send_signal(by)
        return self.process.wait(10)


@pytest.fixture
def replica():
    started = Replica(SERVER_ID="7").wait()
    yield started
    started.process.kill()
    started.process.wait()


def test_home_says_which_server_it_is(replica):
    answer = replica.get("/home")
    assert answer.status == 200
    assert answer.json() == HELLO
    assert answer.body == b'{"message":"Hello from Server: 7","status":"successful"}'


def test_an_id_with_quotes_is_still_json():
    started = Replica(SERVER_ID='a"b\\').wait()
    try:
        assert started.get("/home").json()["message"] == 'Hello from Server: a"b\\'
    finally:
        started.process.kill()
        started.process.wait()


def test_heartbeat_and_healthcheck(replica):
    assert (replica.get("/heartbeat").status, replica.get("/heartbeat").body) == (200, b"")
    assert (replica.get("/healthcheck").status, replica.get("/healthcheck").body) == (200, b"OK")


@pytest.mark.parametrize("path", ["/x", "/", "/home/", "/bytes/x", "/status/99", "/slow/-1"])
def test_anything_else_is_404_with_its_path(replica, path):
    answer = replica.get(path + "?query")
    assert answer.status == 404
    assert answer.json() == {
        "message": f"<Error> '{path}' endpoint does not exist in server replicas",
        "status": "failure",
    }


@pytest.mark.parametrize("count", [0, 1, 262144, 262145, 5_000_000])
def test_bytes(replica, count):
    answer = replica.get(f"/bytes/{count}")
    assert answer.status == 200
    assert len(answer.body) == count
    assert int(answer.headers["content-length"]) == count


def test_head_has_no_body(replica):
    for path, size in (("/home", 56), ("/bytes/5000000", 5_000_000)):
        answer = request(replica.port, "HEAD", path)
        assert (answer.status, answer.body) == (200, b"")
        assert int(answer.headers["content-length"]) == size


@pytest.mark.parametrize("code", [200, 204, 304, 404, 503, 599])
def test_status(replica, code):
    answer = replica.get(f"/status/{code}")
    assert answer.status == code
    assert ("content-length" in answer.headers) == (code not in (204, 304))


def test_slow_answers_after_its_time_and_holds_up_nobody(replica):
    began = time.monotonic()
    slow = threading.Thread(target=replica.get, args=("/slow/400",))
    slow.start()
    assert replica.get("/home").status == 200
    assert time.monotonic() - began < 0.35
    slow.join()
    assert time.monotonic() - began >= 0.4


def test_stream_is_chunked_in_that_many_pieces(replica):
    with RawSocket(replica.port) as raw:
        raw.send(b"GET /stream/3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        head, _, body = raw.read_all().partition(b"\r\n\r\n")
    assert b"Transfer-Encoding: chunked" in head
    assert body == b"8\r\npiece 1\n\r\n8\r\npiece 2\n\r\n8\r\npiece 3\n\r\n0\r\n\r\n"


@pytest.mark.parametrize("size", [0, 5, 3_000_000])
@pytest.mark.parametrize("is_chunked", [False, True])
def test_echo_gives_back_what_was_sent(replica, size, is_chunked):
    body = os.urandom(size)
    headers = {"Content-Type": "a/b"}
    sent = iter([body[:1000], body[1000:]]) if is_chunked else body
    if is_chunked:
        connection = http.client.HTTPConnection("127.0.0.1", replica.port)
        connection.request("POST", "/echo", sent, headers, encode_chunked=True)
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("content-type")) == (200, "a/b")
        assert answer.read() == body
        connection.close()
        return
    answer = request(replica.port, "POST", "/echo", sent, headers)
    assert (answer.status, answer.headers["content-type"]) == (200, "a/b")
    assert answer.body == body


def open_websocket(replica):
    raw = RawSocket(replica.port)
    raw.send(HANDSHAKE)
    head = raw.read_until(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head
    return raw


def test_a_websocket_echoes(replica):
    with open_websocket(replica) as raw:
        raw.send(MASKED_HELLO + MASKED_HELLO)
        assert raw.read_exactly(14) == PLAIN_HELLO * 2
        raw.send(b"\x88\x82\0\0\0\0\x03\xe8")
        assert raw.read_all() == b"\x88\x02\x03\xe8"


def test_a_websocket_that_breaks_the_rules_is_closed_with_1002(replica):
    with open_websocket(replica) as raw:
        raw.send(PLAIN_HELLO)
        assert raw.read_all() == b"\x88\x02\x03\xea"


def test_ws_without_a_handshake_is_426(replica):
    answer = replica.get("/ws")
    assert answer.status == 426
    assert answer.headers["upgrade"] == "websocket"


def test_sigterm_finishes_what_runs_and_ends(replica):
    answers = []
    slow = threading.Thread(target=lambda: answers.append(replica.get("/slow/500")))
    slow.start()
    time.sleep(0.2)
    began = time.monotonic()
    assert replica.end() == 0
    assert time.monotonic() - began < 2
    slow.join()
    assert answers[0].status == 200


def test_sigterm_without_work_ends_at_once_although_a_websocket_is_open(replica):
    with open_websocket(replica) as raw:
        replica.process.send_signal(signal.SIGTERM)
        assert raw.read_all() == b"\x88\x02\x03\xe9"
    assert replica.process.wait(5) == 0


def test_flags_win_over_the_environment():
    started = Replica("--id", "nine", "--address", "127.0.0.2", SERVER_ID="7").wait("127.0.0.2")
    try:
        with socket.socket() as elsewhere:
            assert elsewhere.connect_ex(("127.0.0.1", started.port)) != 0
        with RawSocket(started.port, "127.0.0.2") as raw:
            raw.send(b"GET /home HTTP/1.0\r\n\r\n")
            assert b"Hello from Server: nine" in raw.read_all()
    finally:
        assert started.end(signal.SIGINT) == 0


def run_replica(*flags, **environment):
    done = subprocess.run(
        [BINARY, "replica", *flags], env=environment, capture_output=True, text=True, timeout=10
    )
    return done.returncode, done.stderr


def test_what_it_does_not_understand_is_one_line():
    assert run_replica(PORT="x") == (
        2,
        "roost replica: PORT 'x' is no number from 0 to 65535\n",
    )
    assert run_replica("--address", "nowhere")[0] == 2
    for flag, sentence in (("--dance", "'--dance' is not known"), ("--port", "--port needs a value")):
        status, text = run_replica(flag)
        assert status == 2 and text.startswith(f"roost replica: {sentence}"), text
    status, text = run_replica("more")
    assert (status, text.count("\n")) == (2, 1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, text = run_replica(PORT=str(port))
        assert (status, text.count("\n")) == (1, 1)
        assert f"127.0.0.1:{port}" in text
