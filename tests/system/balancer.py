"""A real roost for a test: started on free ports, waited for, and ended with all that is its own.

Only what Python brings, so that the smoke test runs where no test package is installed.
"""

import ctypes
import http.client
import itertools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BINARY = Path(os.environ.get("ROOST") or ROOT / "build" / "roost").absolute()

START_TIMEOUT_S = 15  # a sanitizer build on a busy machine
END_TIMEOUT_S = 30
REQUEST_TIMEOUT_S = 15
POLL_S = 0.01

# Below the range the kernel takes ports of its own connections from.
PORTS = range(10000, 30000)
PR_SET_CHILD_SUBREAPER = 36

# What a program prints when it found a mistake of ours: that fails a test that saw nothing, too.
FINDING = re.compile(
    rb"(Address|Leak|UndefinedBehavior)Sanitizer|runtime error:|Assertion .* failed|sandbox\.refused"
)
FINDING_BYTES_SHOWN = 6000
EVENTS_BYTES_SHOWN = 6000

_next_port = itertools.cycle(range(PORTS.start + os.getpid() * 64 % len(PORTS), PORTS.stop))

# What outlives its parent becomes our child, so that it can be found and ended.
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def free_port():
    """A port of 127.0.0.1 that nobody listens on; each call another one."""
    while True:
        port = next(_next_port)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def wait_until(condition, timeout_s=10.0, what=""):
    """Asks until the answer is true and returns it; an AssertionError after timeout_s."""
    end = time.monotonic() + timeout_s
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout_s} s: {what or condition}")
        time.sleep(POLL_S)


def _stat(pid):
    """(parent, start time) of a living process, or None."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, parent, *rest = fields.rpartition(")")[2].split()
    return None if state in "ZX" else (int(parent), int(rest[17]))


def processes():
    """{pid: (parent, start time)} of all living processes."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return {pid: stat for pid in pids if (stat := _stat(pid))}


def descendants(pid):
    """{pid: start time} of a process's children, theirs, and so on."""
    everyone = processes()
    found = {}
    parents = {pid}
    while parents:
        children = {p for p, (parent, _) in everyone.items() if parent in parents} - found.keys()
        found.update((child, everyone[child][1]) for child in children)
        parents = children
    return found


class Answer:
    """What came back: .status, .headers (names in lower case), .body, .json()."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = {name.lower(): value for name, value in headers}
        self.body = body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.body[:200]!r}>"


class RawSocket:
    """A connection on which a test says every byte itself."""

    def __init__(self, port, host="127.0.0.1", timeout_s=REQUEST_TIMEOUT_S):
        self.socket = socket.create_connection((host, port), timeout=timeout_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.held = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def reset(self):
        """Closes with RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data.encode("latin-1") if isinstance(data, str) else data)

    def finish(self):
        """Sends our FIN; reading goes on."""
        self.socket.shutdown(socket.SHUT_WR)

    def more(self):
        """Receives once; False at the other side's FIN."""
        data = self.socket.recv(65536)
        self.held += data
        return bool(data)

    def take(self, size):
        taken, self.held = self.held[:size], self.held[size:]
        return taken

    def read_until(self, mark):
        """All up to and with `mark`."""
        while mark not in self.held:
            if not self.more():
                raise AssertionError(f"closed before {mark!r}: {self.held!r}")
        return self.take(self.held.index(mark) + len(mark))

    def read_exactly(self, size):
        while len(self.held) < size:
            if not self.more():
                raise AssertionError(f"closed after {len(self.held)} of {size} bytes")
        return self.take(size)

    def read_all(self):
        """All until the other side's FIN."""
        while self.more():
            pass
        return self.take(len(self.held))

    def read_head(self):
        """(status, [(name, value)]) of the next answer's head."""
        head = self.read_until(b"\r\n\r\n").decode("latin-1")
        first, *lines = head[:-4].split("\r\n")
        pairs = [line.partition(":")[::2] for line in lines]
        return int(first.split()[1]), [(name, value.strip()) for name, value in pairs]

    def read_chunks(self):
        body = b""
        while size := int(self.read_until(b"\r\n").split(b";")[0], 16):
            body += self.read_exactly(size)
            if self.read_exactly(2) != b"\r\n":
                raise AssertionError("a chunk does not end with CRLF")
        while self.read_until(b"\r\n") != b"\r\n":
            pass
        return body

    def read_answer(self, method="GET"):
        """The next final answer, whole."""
        status, headers = self.read_head()
        while status < 200 and status != 101:
            status, headers = self.read_head()
        answer = Answer(status, headers, b"")
        if method == "HEAD" or status in (101, 204, 304):
            return answer
        if answer.headers.get("transfer-encoding", "").lower() == "chunked":
            answer.body = self.read_chunks()
        elif "content-length" in answer.headers:
            answer.body = self.read_exactly(int(answer.headers["content-length"]))
        else:
            answer.body = self.read_all()
        return answer

    def is_closed(self):
        """Waits for the other side to end the connection; False if bytes came instead."""
        try:
            return not self.held and not self.more()
        except ConnectionResetError:
            return True


def request(port, method, path, body=None, headers=None, timeout_s=REQUEST_TIMEOUT_S):
    """One exchange on a connection of its own. A body that is no bytes and no text goes as JSON."""
    if body is not None and not isinstance(body, (bytes, str)):
        body = json.dumps(body)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return Answer(answer.status, answer.getheaders(), answer.read())
    finally:
        connection.close()


class Balancer:
    """`roost serve` with a state folder of its own.

    flags: more of the command line; config: text of a configuration file (without listen, control
    and state, which the flags give); environment: more variables, None removes one.
    """

    def __init__(self, *flags, config=None, environment=None, binary=BINARY):
        self.binary = Path(binary)
        self.folder = Path(tempfile.mkdtemp(prefix="roost-test-"))
        self.state = self.folder / "state"
        self.log = self.folder / "log"
        self.port = free_port()
        self.control_port = free_port()
        self.flags = [str(flag) for flag in flags]
        if config is not None:
            (self.folder / "roost.yaml").write_text(config, encoding="utf-8")
            self.flags = ["-c", str(self.folder / "roost.yaml"), *self.flags]
        self.environment = self._environment(environment or {})
        self.process = None
        self.seen = {}  # pid -> start time of all that was ever ours

    @staticmethod
    def _environment(changes):
        settings = ("NUM_SERVERS", "N", "M", "K", "PORT", "SCHEME", "LISTEN", "SERVER_ID")
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in settings and not name.startswith("ROOST")
        }
        kept.update(changes)
        return {name: str(value) for name, value in kept.items() if value is not None}

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def control(self):
        return f"http://127.0.0.1:{self.control_port}"

    @property
    def pid(self):
        """The keeper's."""
        return self.process.pid

    def command(self):
        return [
            str(self.binary), "serve", "--state", str(self.state),
            "--port", str(self.port), "--control-port", str(self.control_port), *self.flags,
        ]  # fmt: skip

    def spawn(self):
        """Starts it and does not wait."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment,
                cwd=self.folder,
                start_new_session=True,
            )
        return self

    def start(self):
        """Starts it and waits until it serves and all its replicas are up."""
        self.spawn()
        try:
            wait_until(self.is_ready, START_TIMEOUT_S, "roost serves")
            wait_until(self.has_all_up, START_TIMEOUT_S, "all replicas are up")
        except AssertionError as why:
            raise AssertionError(f"{why}\n{self.events_text()}") from None
        self.pids()
        return self

    def is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"roost ended with {self.process.returncode}")
        try:
            return self.on_control("GET", "/readyz", timeout_s=2).status == 200
        except (OSError, http.client.HTTPException):
            return False

    def states(self):
        """{name: state} of the first service's replicas."""
        stats = self.on_control("GET", "/stats").json()
        return {replica["name"]: replica["state"] for replica in stats["replicas"]}

    def has_all_up(self):
        return all(state == "up" for state in self.states().values())

    def log_text(self):
        """What it printed: its log, and the access log where that goes to stdout."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def events_text(self):
        """The end of its own log, for a person."""
        lines = self.log_text().splitlines(keepends=True)
        return "".join(line for line in lines if '"method":' not in line)[-EVENTS_BYTES_SHOWN:]

    def pids(self):
        """The living processes that are this balancer's: keeper, workers, replicas."""
        if self.process and self.process.poll() is None:
            self.seen.update(descendants(self.pid))
            if stat := _stat(self.pid):
                self.seen[self.pid] = stat[1]
        return [pid for pid, start in self.seen.items() if (s := _stat(pid)) and s[1] == start]

    def pids_with(self, text):
        """Those whose command line, arguments joined by spaces, contains `text`."""
        found = []
        for pid in self.pids():
            try:
                line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
            except OSError:
                continue
            if text in line.decode("utf-8", errors="replace"):
                found.append(pid)
        return found

    def request(self, method, path, body=None, headers=None, timeout_s=REQUEST_TIMEOUT_S):
        """To the traffic port."""
        return request(self.port, method, path, body, headers, timeout_s)

    def get(self, path, headers=None):
        return self.request("GET", path, headers=headers)

    def on_control(self, method, path, body=None, headers=None, timeout_s=REQUEST_TIMEOUT_S):
        """To the control port."""
        return request(self.control_port, method, path, body, headers, timeout_s)

    def add(self, n, hostnames=()):
        return self.request("POST", "/add", {"n": n, "hostnames": list(hostnames)})

    def rm(self, n, hostnames=()):
        return self.request("DELETE", "/rm", {"n": n, "hostnames": list(hostnames)})

    def replicas(self):
        """The names, oldest first."""
        return self.get("/rep").json()["message"]["replicas"]

    def raw(self, timeout_s=REQUEST_TIMEOUT_S):
        """A connection to the traffic port."""
        return RawSocket(self.port, timeout_s=timeout_s)

    def stop_command(self):
        """`roost stop` on this state folder; the ended process."""
        return subprocess.run(
            [str(self.binary), "stop", "--state", str(self.state)],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=END_TIMEOUT_S,
        )

    def terminate(self, how=signal.SIGTERM):
        """Signals the keeper and returns its exit status."""
        self.pids()
        self.process.send_signal(how)
        return self.process.wait(END_TIMEOUT_S)

    def end(self):
        """Ends it however it stands and forgets the folder; the pids that had to be killed. An
        AssertionError where a sanitizer or an assertion said something."""
        self.pids()
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(END_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                pass
        left = self.pids()
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if self.process:
            self.process.wait(END_TIMEOUT_S)
        findings = self.findings()
        shutil.rmtree(self.folder, ignore_errors=True)
        if findings:
            raise AssertionError(findings)
        return left

    def findings(self):
        """What sanitizers and assertions said in the log and in the replicas' output."""
        for path in [self.log, *self.state.rglob("*")]:
            if not path.is_file():
                continue
            text = path.read_bytes()
            if found := FINDING.search(text):
                start = max(0, found.start() - 200)
                shown = text[start : start + FINDING_BYTES_SHOWN]
                return f"{path.name}:\n{shown.decode(errors='replace')}"
        return ""


def end_orphans():
    """Ends every child of this process: at the end of a run, what a test lost sight of."""
    orphans = descendants(os.getpid())
    for pid in orphans:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    return list(orphans)
