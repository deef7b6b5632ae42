"""A real Docker Engine for tests: a dockerd of our own, started and ended here, with its own data,
its own socket and no rules in the firewall. (`--bridge=none` would take the bridge of another dockerd
away.) Needs root and Debian's docker.io.
"""

import collections
import contextlib
import ctypes
import http.client
import io
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import tarfile
import tempfile
import time
import urllib.parse
from pathlib import Path

from balancer import BINARY, wait_until

IMAGE = "roost-test"
IMAGE_CHANGES = (
    "ENV ROOST_REPLICA_ADDRESS=0.0.0.0", 'ENTRYPOINT ["/roost"]', 'CMD ["replica"]'
)  # fmt: skip
START_TIMEOUT_S = 60
END_TIMEOUT_S = 30
REQUEST_TIMEOUT_S = 30
LIBRARY = re.compile(r"(/\S+) \(0x")


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("docker", timeout=REQUEST_TIMEOUT_S)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Engine:
    def __init__(self):
        # Not /tmp: that may be in memory, on which containers cannot be layered.
        self.folder = Path(tempfile.mkdtemp(prefix="roost-docker-", dir="/var/tmp"))
        self.socket = self.folder / "docker.sock"
        self.host = f"unix://{self.socket}"
        self.environment = {"DOCKER_HOST": self.host}
        self.process = None

    # The daemon.

    def start(self):
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [
                    "dockerd", "--host", self.host, "--data-root", self.folder / "data",
                    "--exec-root", self.folder / "exec", "--pidfile", self.folder / "pid",
                    "--iptables=false", "--live-restore",
                ],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        wait_until(self.answers, START_TIMEOUT_S, "dockerd answers")
        return self

    def answers(self):
        if self.process.poll() is not None:
            log = (self.folder / "log").read_text(errors="replace")[-4000:]
            raise AssertionError(f"dockerd ended with {self.process.returncode}\n{log}")
        try:
            return self.ask("GET", "/_ping")[0] == 200
        except OSError:
            return False

    def signal(self, how):
        """To dockerd alone; its containerd and the containers are other processes."""
        self.process.send_signal(how)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(END_TIMEOUT_S)

    def end(self):
        self.remove_all()
        self.stop()
        # It leaves its own network namespace mounted.
        for line in reversed(Path("/proc/mounts").read_text().splitlines()):
            if line.split()[1].startswith(f"{self.folder}/"):
                subprocess.run(["umount", "-l", line.split()[1]], check=False)
        shutil.rmtree(self.folder)

    # Its API.

    def ask(self, method, path, body=None, kind="application/json"):
        """(status, what it answered)"""
        connection = UnixConnection(str(self.socket))
        try:
            if body is not None and not isinstance(body, bytes):
                body = json.dumps(body).encode()
            headers = {"Content-Type": kind} if body is not None else {}
            connection.request(method, path, body=body, headers=headers)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, text

    def do(self, method, path, body=None, **options):
        status, answer = self.ask(method, path, body, **options)
        assert status < 400, (method, path, status, answer)
        return answer

    def containers(self, label="io.roost.node"):
        """{name: container} of those with our label, whatever their state."""
        filters = urllib.parse.quote(json.dumps({"label": [label]} if label else {}))
        found = self.do("GET", f"/containers/json?all=1&filters={filters}")
        return {container["Names"][0].lstrip("/"): container for container in found}

    def inspect(self, name):
        return self.do("GET", f"/containers/{name}/json")

    def kill(self, name):
        self.do("POST", f"/containers/{name}/kill")

    def run(self, name, labels=None, network="none", image=IMAGE, command=()):
        """A container that is not roost's."""
        body = {"Image": image, "Labels": labels or {}, "HostConfig": {"NetworkMode": network}}
        if command:
            body["Cmd"] = command
        made = self.do("POST", f"/containers/create?name={name}", body)
        self.do("POST", f"/containers/{made['Id']}/start")
        return made["Id"]

    def remove(self, name):
        self.do("DELETE", f"/containers/{name}?force=1")

    def remove_all(self):
        for name in self.containers(None):
            self.ask("DELETE", f"/containers/{name}?force=1")
        for network in self.do("GET", "/networks"):
            if network["Driver"] == "bridge":
                self.ask("DELETE", f"/networks/{network['Id']}")

    def make_image(self, name=IMAGE, changes=IMAGE_CHANGES):
        """The binary under test and its libraries, from nothing."""
        self.import_image(name, image_files(), changes)

    def import_image(self, name, tar, changes):
        fields = [("fromSrc", "-"), ("repo", name), ("tag", "latest")]
        query = urllib.parse.urlencode([*fields, *(("changes", change) for change in changes)])
        self.do("POST", f"/images/create?{query}", tar, kind="application/x-tar")

    @contextlib.contextmanager
    def bridges_open(self):
        """Where the firewall forwards nothing by default (another dockerd sees to that), containers
        of one network reach each other all the same."""
        rule = ["FORWARD", "-i", "br-+", "-o", "br-+", "-j", "ACCEPT"]
        policy = subprocess.check_output(["iptables", "-S", "FORWARD"], text=True)
        is_closed = "-P FORWARD DROP" in policy
        if is_closed:
            subprocess.run(["iptables", "-I", *rule], check=True)
        try:
            yield
        finally:
            if is_closed:
                subprocess.run(["iptables", "-D", *rule], check=True)


def image_files():
    libraries = LIBRARY.findall(subprocess.check_output(["ldd", BINARY], text=True))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.add(BINARY, "roost")
        for library in libraries:
            tar.add(os.path.realpath(library), library.lstrip("/"))
        folder = tarfile.TarInfo("tmp")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o1777
        tar.addfile(folder)
    return buffer.getvalue()


class Wire:
    """Sees each POST that leaves for a container of a network, on the bridge itself: .sent counts
    them by their request line, one that was sent again by TCP alone once."""

    BUFFER_BYTES = 64 << 20
    ALL_PROTOCOLS = 3
    OUTGOING = 4
    SO_ATTACH_FILTER = 26
    SO_RCVBUFFORCE = 33
    SOL_PACKET, PACKET_STATISTICS = 263, 6
    # In the kernel, on what begins with the IP header: TCP whose payload begins with "POST".
    FILTER = (
        (0x30, 0, 0, 9),  # A = protocol
        (0x15, 0, 8, socket.IPPROTO_TCP),
        (0xB1, 0, 0, 0),  # X = bytes of the IP header
        (0x50, 0, 0, 12),  # A = bytes of the TCP header
        (0x54, 0, 0, 0xF0),
        (0x74, 0, 0, 2),
        (0x0C, 0, 0, 0),  # X = where the payload is
        (0x07, 0, 0, 0),
        (0x40, 0, 0, 0),  # A = its first four bytes
        (0x15, 1, 0, 0x504F5354),
        (0x06, 0, 0, 0),
        (0x06, 0, 0, 0xFFFF),
    )  # fmt: skip

    def __init__(self, engine, network="roost"):
        self.interface = f"br-{engine.do('GET', f'/networks/{network}')['Id'][:12]}"
        self.sent = collections.Counter()
        self.socket = None

    def __enter__(self):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, self.SO_RCVBUFFORCE, self.BUFFER_BYTES)
        code = b"".join(struct.pack("HBBI", *step) for step in self.FILTER)
        kept = ctypes.create_string_buffer(code)
        program = struct.pack("HL", len(self.FILTER), ctypes.addressof(kept))
        self.socket.setsockopt(socket.SOL_SOCKET, self.SO_ATTACH_FILTER, program)
        self.socket.bind((self.interface, self.ALL_PROTOCOLS))
        self.socket.setblocking(False)
        return self

    def __exit__(self, *_):
        seen = set()
        while True:
            try:
                packet, (_, _, kind, *_) = self.socket.recvfrom(65536)
            except BlockingIOError:
                break
            tcp = (packet[0] & 15) * 4
            # Both addresses, both ports, the place in the stream.
            piece = packet[12:20] + packet[tcp : tcp + 8]
            if kind != self.OUTGOING or piece in seen:
                continue
            seen.add(piece)
            text = packet[tcp + (packet[tcp + 12] >> 4) * 4 :]
            self.sent[text.split(b"\r\n", 1)[0].decode()] += 1
        statistics = self.socket.getsockopt(self.SOL_PACKET, self.PACKET_STATISTICS, 8)
        self.socket.close()
        assert struct.unpack("II", statistics)[1] == 0, "packets went by unseen"


class Load:
    """`roost load` at a steady rate while something happens; .result is what it counted."""

    def __init__(self, url, rate, *flags):
        steady = ("--rate", rate, "--duration", "600s", "--json", "-q")
        self.command = [BINARY, "load", url, *steady, *flags]
        self.result = None

    def __enter__(self):
        command = [str(word) for word in self.command]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        time.sleep(0.2)
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        text, _ = self.process.communicate(timeout=END_TIMEOUT_S)
        self.result = json.loads(text)
        # How it saw the others.
        self.result.pop("histogram_us", None)

    def check(self):
        assert self.result["lost"] == 0, self.result
        assert self.result["answers"] > 50, self.result
