"""Many replicas in one thread that answer until they are told to fail, all in the same way, and count
what comes to them."""

import selectors
import socket
import struct
import threading
import time

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok"
PROBE = b"GET /heartbeat "
AT_ONCE = struct.pack("ii", 1, 0)
WAIT_S = 15.0


class TrapReplicas:
    """fault: None, or one of

    refuse: nobody listens any more
    reset: each request is answered with a reset
    close: each connection is closed as soon as it is there
    hang_up: each request is answered with the end of the connection
    black_hole: connections are neither accepted nor refused

    requests: what came while a fault was on, probes aside; connections: the same, probes included.
    """

    def __init__(self, count, backlog=511):
        self.fault = None
        self.requests = 0
        self.connections = 0
        self.holders = []
        self.selector = selectors.DefaultSelector()
        self.listeners = [socket.create_server(("127.0.0.1", 0), backlog=backlog) for _ in range(count)]
        for listener in self.listeners:
            listener.setblocking(False)
            self.selector.register(listener, selectors.EVENT_READ)
        self.ports = [listener.getsockname()[1] for listener in self.listeners]
        self.jobs = []
        self.wake, self.waker = socket.socketpair()
        self.selector.register(self.wake, selectors.EVENT_READ)
        self.is_over = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    @property
    def addresses(self):
        return [f"127.0.0.1:{port}" for port in self.ports]

    def fail(self, fault):
        """All of them, from now on; idle connections end."""
        done = threading.Event()
        self.jobs.append((fault, done))
        self.waker.send(b"x")
        assert done.wait(WAIT_S)
        if fault == "black_hole":
            self._fill_queues()

    def heal(self):
        """After a black hole: connections are accepted again."""
        for held in self.holders:
            held.close()
        self.holders = []
        done = threading.Event()
        self.jobs.append((None, done))
        self.waker.send(b"x")
        assert done.wait(WAIT_S)

    def end(self):
        self.is_over = True
        self.waker.send(b"x")
        self.thread.join(WAIT_S)
        for held in self.holders + self.listeners + [self.wake, self.waker]:
            held.close()
        self.selector.close()

    # ---- in the thread ----

    def _run(self):
        while not self.is_over:
            for key, _ in self.selector.select():
                if key.fileobj is self.wake:
                    self.wake.recv(64)
                elif key.fileobj in self.listeners:
                    self._accept(key.fileobj)
                else:
                    self._serve(key.fileobj)
            while self.jobs:
                fault, done = self.jobs.pop(0)
                self._begin(fault)
                done.set()

    def _begin(self, fault):
        for key in list(self.selector.get_map().values()):
            is_listener = key.fileobj in self.listeners
            if key.fileobj is self.wake:
                continue
            if not is_listener or fault in ("refuse", "black_hole"):
                self.selector.unregister(key.fileobj)
            if not is_listener or fault == "refuse":
                key.fileobj.close()
        if fault is None:
            for listener in self.listeners:
                self.selector.register(listener, selectors.EVENT_READ)
        self.fault = fault

    def _accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            self.connections += self.fault is not None
            if self.fault == "close":
                sock.close()
                continue
            sock.setblocking(False)
            self.selector.register(sock, selectors.EVENT_READ)

    def _end(self, sock, with_reset=False):
        self.selector.unregister(sock)
        if with_reset:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        sock.close()

    def _serve(self, sock):
        try:
            data = sock.recv(65536)
        except OSError:
            data = b""
        if not data:
            self._end(sock)
            return
        if self.fault:
            self.requests += not data.startswith(PROBE)
            self._end(sock, with_reset=self.fault == "reset")
            return
        sock.send(OK)

    # ---- black holes ----

    def _fill_queues(self):
        """Nobody accepts; what the queues hold is taken up, so that the kernel drops the rest."""
        for port in self.ports:
            while True:
                sock = socket.socket()
                sock.setblocking(False)
                sock.connect_ex(("127.0.0.1", port))
                self.holders.append(sock)
                time.sleep(0.005)
                if sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) != b"\1":
                    break
