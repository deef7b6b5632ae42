"""A replica that is nothing but a socket: it writes down every byte it got and says what it is
told.

Health probes are answered beside the script and not written down.
"""

import socket
import struct
import threading
import time

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
WAIT_S = 15.0


class Ended(Exception):
    """The other side has closed."""


class Connection:
    """One connection to a RawReplica. `received`: every byte, in order."""

    def __init__(self, sock):
        self.socket = sock
        self.received = b""
        self.at = 0  # of `received`: what is behind it was not looked at yet
        self.answered = 0
        self.has_ended = False

    def more(self):
        try:
            data = self.socket.recv(65536)
        except OSError:
            data = b""
        if not data:
            self.has_ended = True
            raise Ended
        self.received += data

    def until(self, mark):
        while (found := self.received.find(mark, self.at)) < 0:
            self.more()
        start, self.at = self.at, found + len(mark)
        return self.received[start : self.at]

    def exactly(self, size):
        while len(self.received) < self.at + size:
            self.more()
        start, self.at = self.at, self.at + size
        return self.received[start : self.at]

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError:
            self.has_ended = True
            raise Ended from None

    def send_cut(self, data, cut, pause_s=0.001):
        """In two pieces that arrive one after the other."""
        self.send(data[:cut])
        time.sleep(pause_s)
        self.send(data[cut:])

    def close(self):
        self.socket.close()

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def silence(self):
        """Says nothing until the other side gives up."""
        while True:
            self.more()


class Request:
    """What one request was: .head and .body are the bytes as they came, framing included."""

    def __init__(self, head, body):
        self.head, self.body = head, body
        first, *lines = head[:-4].decode("latin-1").split("\r\n")
        self.method, self.target, self.version = first.split(" ")
        pairs = [line.partition(":") for line in lines]
        self.fields = [(name.lower(), value.strip()) for name, _, value in pairs]

    def get(self, name):
        values = [value for known, value in self.fields if known == name.lower()]
        return values[0] if values else None


def read_head(connection):
    return connection.until(b"\r\n\r\n")


def read_body(connection, head):
    fields = Request(head, b"")
    if (fields.get("transfer-encoding") or "").lower() == "chunked":
        start = connection.at
        while size := int(connection.until(b"\r\n").split(b";")[0], 16):
            connection.exactly(size + 2)
        while connection.until(b"\r\n") != b"\r\n":
            pass
        return connection.received[start : connection.at]
    return connection.exactly(int(fields.get("content-length") or 0))


class RawReplica:
    """Listens on a port of its own until end(), or on that `port` of another `host` address.

    answer: bytes for every request, or a function (connection, request) called when a request is
    whole; it may raise Ended. on_head: a function (connection, head) called before the body is
    read; if it answers itself it raises Ended or returns True.
    """

    def __init__(
        self, answer=OK, on_head=None, is_healthy=True, backlog=512, host="127.0.0.1", port=0
    ):
        self.host = host
        self.answer = answer
        self.on_head = on_head
        self.is_healthy = is_healthy
        self.connections = []
        self.requests = []
        self.lock = threading.Lock()
        self.has_news = threading.Condition(self.lock)
        self.held_back = None  # connections nobody serves, once fill_queue() was called
        self.listener = socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=backlog
        )
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    def received(self):
        """All that came, connection by connection, probes aside."""
        with self.lock:
            return [bytes(connection.received) for connection in self.connections]

    def forget(self):
        """What was written down so far; open connections stay open and go on being written down."""
        with self.lock:
            self.requests.clear()
            self.connections = [c for c in self.connections if not c.has_ended]
            for connection in self.connections:
                connection.received = connection.received[connection.at :]
                connection.at = 0

    def wait_for(self, condition, timeout_s=WAIT_S):
        with self.has_news:
            assert self.has_news.wait_for(condition, timeout_s), (
                f"not within {timeout_s} s; got {[r.head for r in self.requests]}"
            )

    def wait_requests(self, count, timeout_s=WAIT_S):
        self.wait_for(lambda: len(self.requests) >= count, timeout_s)

    def end(self):
        self.stop_listening()
        with self.lock:
            left = list(self.connections)
        for connection in left:
            try:
                connection.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def fill_queue(self):
        """From now on connections are neither accepted nor refused, as if the machine were off.
        Needs a small backlog."""
        self.held_back = []
        # The first is still accepted; what is dropped from a full queue would come again later.
        for _ in range(2):
            self.held_back.append(socket.create_connection((self.host, self.port), WAIT_S))
            deadline = time.monotonic() + WAIT_S
            while len(self.held_back) == 1 and time.monotonic() < deadline:
                time.sleep(0.005)

    def stop_listening(self):
        """From now on connections are refused."""
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            if self.held_back is not None:
                self.held_back.append(sock)
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(Connection(sock),), daemon=True).start()

    def _serve(self, connection):
        is_known = False
        try:
            connection.more()
            if b"GET /heartbeat ".startswith(connection.received[:15]):
                self._answer_probe(connection)
                return
            is_known = True
            with self.has_news:
                self.connections.append(connection)
                self.has_news.notify_all()
            while True:
                self._serve_one(connection)
        except Ended:
            pass
        finally:
            if is_known:
                with self.has_news:
                    self.has_news.notify_all()
            connection.close()

    def _answer_probe(self, connection):
        read_head(connection)
        if not self.is_healthy:
            connection.silence()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    def _serve_one(self, connection):
        head = read_head(connection)
        if self.on_head and self.on_head(connection, head):
            return
        request = Request(head, read_body(connection, head))
        connection.answered += 1
        with self.has_news:
            self.requests.append(request)
            self.has_news.notify_all()
        if isinstance(self.answer, bytes):
            connection.send(self.answer)
        else:
            self.answer(connection, request)


CONFIG = """
compat: %(compat)s
workers: %(workers)s
log: { access: %(access)s }
%(top)s
services:
  - name: web
    replicas:
      driver: static
      addresses:
%(addresses)s
    health: { interval: %(interval)s, timeout: 2s }
%(service)s
"""


def config_for(replicas, compat="off", workers=1, access="off", interval="24h", top="", service=""):
    """A configuration with these replicas, called web-1, web-2 and so on. Probed once, then no
    more, so that nothing but the test decides what happens to a replica."""
    addresses = "\n".join(
        f'        web-{number}: "{replica.address}"' for number, replica in enumerate(replicas, 1)
    )
    return CONFIG % {
        "compat": compat,
        "workers": workers,
        "access": access,
        "interval": interval,
        "top": top,
        "addresses": addresses,
        "service": "\n".join(f"    {line}" for line in service.splitlines()),
    }
