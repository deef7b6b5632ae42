"""Stands between a balancer and its Docker Engine: writes down each request, answers 500 or nothing
at all when it is told to, and can be an Engine of another age."""

import json
import re
import socket
import threading

from docker_engine import UnixConnection

HEAD_BYTES_MAX = 65536

# What an Engine answers that later ones do not (API 1.44 to 1.52), at any depth.
DROPPED = {
    "Bridge", "SandboxID", "HairpinMode", "LinkLocalIPv6Address", "LinkLocalIPv6PrefixLen",
    "SecondaryIPAddresses", "SecondaryIPv6Addresses", "EndpointID", "Gateway", "GlobalIPv6PrefixLen",
    "IPPrefixLen", "MacAddress", "GraphDriver", "KernelMemory", "KernelMemoryTCP", "Container",
    "ContainerConfig", "VirtualSize", "CheckDuplicate", "Domainname", "MountLabel", "ProcessLabel",
    "AppArmorProfile", "ResolvConfPath", "HostnamePath", "HostsPath", "LogPath", "ImageID", "Warnings",
}  # fmt: skip
# Of an event, and of the addresses of a container beside those of its networks.
DROPPED_AT_TOP = {"status", "id", "from"}
DROPPED_BESIDE_NETWORKS = {"IPAddress", "GlobalIPv6Address", "Ports"}


def without_dropped(value):
    if isinstance(value, list):
        return [without_dropped(item) for item in value]
    if not isinstance(value, dict):
        return value
    dropped = DROPPED | (DROPPED_BESIDE_NETWORKS if "Networks" in value else set())
    return {key: without_dropped(item) for key, item in value.items() if key not in dropped}


class Proxy:
    """Modes: "pass", "500", "hang" (nothing is answered). most: the newest version of the API that it
    says it speaks; least: the oldest. The Engine behind it is spoken to in its own."""

    def __init__(self, engine, path, most=None, least=None):
        self.engine = engine
        self.path = str(path)
        self.host = f"unix://{self.path}"
        self.mode = "pass"
        self.most, self.least = most, least
        self.own = engine.do("GET", "/version")["ApiVersion"]
        self.requests = []  # (mode, method, path)
        self.connections = []

    def __enter__(self):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(self.path)
        self.socket.listen(128)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.cut()

    def cut(self):
        """Ends all connections."""
        taken, self.connections = self.connections, []
        for connection in taken:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            connection.close()

    def set(self, mode):
        """From now on, for open streams too."""
        self.mode = mode
        self.cut()

    def asked(self, pattern, mode=None):
        """How many requests there were."""
        return sum(
            1 for at, method, path in list(self.requests)
            if re.search(pattern, f"{method} {path}") and mode in (None, at)
        )  # fmt: skip

    def _accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            self._answer(connection)
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def _answer(self, connection):
        stream = connection.makefile("rb")
        method, path, _ = stream.readline(HEAD_BYTES_MAX).decode().split(" ")
        fields = {}
        while (line := stream.readline(HEAD_BYTES_MAX).decode().strip()) != "":
            name, _, value = line.partition(":")
            fields[name.lower()] = value.strip()
        body = stream.read(int(fields.get("content-length", 0)))
        mode = self.mode
        self.requests.append((mode, method, path))
        if mode == "hang":
            stream.read(1)
        elif mode == "500":
            self._send(connection, 500, b'{"message":"no space left on device"}')
        else:
            self._pass(connection, method, path, body)

    @staticmethod
    def _send(connection, status, body):
        head = f"HTTP/1.1 {status} x\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode() + body)

    def _pass(self, connection, method, path, body):
        behind = UnixConnection(str(self.engine.socket))
        if "/events" in path:
            behind.timeout = None
        own = re.sub(r"^/v1\.\d+", f"/v{self.own}", path) if self.most else path
        headers = {"Content-Type": "application/json"} if body else {}
        behind.request(method, own, body=body or None, headers=headers)
        answer = behind.getresponse()
        if "/events" in path and answer.status == 200:
            self._stream(connection, behind, answer)
        else:
            text = answer.read()
            self._send(connection, answer.status, self._age(path, text))
        behind.close()

    def _age(self, path, text):
        if not self.most or not text:
            return text
        value = json.loads(text)
        if path.endswith("/version"):
            value = {**value, "ApiVersion": self.most, "MinAPIVersion": self.least}
        return json.dumps(without_dropped(value)).encode()

    def _stream(self, connection, behind, answer):
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        self.connections.append(behind.sock)
        for line in answer:
            if self.most:
                value = json.loads(line)
                value = {key: item for key, item in value.items() if key not in DROPPED_AT_TOP}
                line = json.dumps(without_dropped(value)).encode() + b"\n"
            connection.sendall(line)
