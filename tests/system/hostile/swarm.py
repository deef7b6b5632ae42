"""Many connections that do something slowly, in one thread."""

import select
import socket
import threading
import time

CONNECT_BATCH = 100  # connections opened before the others get their turn
RECEIVE_BYTES = 4096


class Attacker:
    """One connection: what it got, and when it was ended."""

    def __init__(self, port, receive_buffer):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(15)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setblocking(False)
        self.opened = time.monotonic()
        self.answered = None  # when the first byte came
        self.ended = None
        self.got = 0
        self.start = b""  # of what it got

    @property
    def lived_s(self):
        return self.ended - self.opened


class Swarm:
    """`count` connections that send `first` and then `drip` every `pause_s`; those that read do so
    `read_bytes` at a time with each drip, else as much as comes."""

    def __init__(self, port, count, first, drip=b"", pause_s=0.5, read_bytes=0, receive_buffer=0):
        self.port, self.count = port, count
        self.first, self.drip, self.pause_s = first, drip, pause_s
        self.read_bytes, self.receive_buffer = read_bytes, receive_buffer
        self.attackers = []
        self.is_over = threading.Event()
        self.has_all = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.thread.join()
        for attacker in self.attackers:
            attacker.socket.close()

    def living(self):
        return [attacker for attacker in self.attackers if attacker.ended is None]

    def wait_for_end(self, timeout_s):
        deadline = time.monotonic() + timeout_s
        while (not self.has_all.is_set() or self.living()) and time.monotonic() < deadline:
            time.sleep(0.02)

    def run(self):
        poller = select.epoll()
        by_fd = {}
        place, dripped = 0, time.monotonic()
        while not self.is_over.is_set():
            for _ in range(min(CONNECT_BATCH, self.count - len(self.attackers))):
                attacker = Attacker(self.port, self.receive_buffer)
                attacker.socket.send(self.first)
                by_fd[attacker.socket.fileno()] = attacker
                # A slow reader reads when it likes; only its end is waited for.
                events = select.EPOLLERR | select.EPOLLHUP | (0 if self.read_bytes else select.EPOLLIN)
                poller.register(attacker.socket, events)
                self.attackers.append(attacker)
            if len(self.attackers) == self.count:
                self.has_all.set()
            for fd, _ in poller.poll(0.01):
                self.read(by_fd[fd], poller, RECEIVE_BYTES)
            # One after the other, so that no turn has them all at once.
            share = (time.monotonic() - dripped) / self.pause_s
            due = min(int(share * len(self.attackers)), len(self.attackers))
            if due:
                dripped = time.monotonic()
            for _ in range(due):
                place = (place + 1) % len(self.attackers)
                if self.attackers[place].ended is None:
                    self.dribble(self.attackers[place], poller)
        poller.close()

    def dribble(self, attacker, poller):
        try:
            if self.drip:
                attacker.socket.send(self.drip)
        except (BlockingIOError, OSError):
            pass
        if self.read_bytes:
            self.read(attacker, poller, self.read_bytes)

    def read(self, attacker, poller, size):
        try:
            data = attacker.socket.recv(size)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        attacker.got += len(data)
        if data and attacker.answered is None:
            attacker.answered = time.monotonic()
        if len(attacker.start) < 4096:
            attacker.start += data
        if not data:
            attacker.ended = time.monotonic()
            poller.unregister(attacker.socket)
            attacker.socket.close()
