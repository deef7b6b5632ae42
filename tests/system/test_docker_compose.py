"""The Dockerfile, the compose file and the make targets around them, from a clean copy of the tree
to a request that is answered, on a real Docker Engine."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading

import pytest

from balancer import ROOT, free_port, request, wait_until
from docker_base import image_files
from docker_engine import Engine

MAKE_TIMEOUT_S = 500
LOGS_TIMEOUT_S = 60
BASE = "roost-test-base"
SANDBOX_UID = 10001
LEFT_OUT = shutil.ignore_patterns(".git", "build", "run", ".env", "__pycache__")


class Clone:
    """A copy of the tree as somebody gets it, and its make targets."""

    def __init__(self, engine, folder):
        self.folder = folder / "roost"
        shutil.copytree(ROOT, self.folder, ignore=LEFT_OUT)
        self.port = free_port()
        changes = {
            **engine.environment,
            "DOCKER_SOCKET": str(engine.socket),
            "DOCKER_BUILDKIT": "0",
            "BASE": BASE,
            "PORT": str(self.port),
            "CI": "true",
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ROOST")}
        self.environment = {**kept, **changes}

    def make(self, *words):
        return subprocess.run(
            ["make", *words], cwd=self.folder, env=self.environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=MAKE_TIMEOUT_S,
        )  # fmt: skip

    @contextlib.contextmanager
    def following(self, *words):
        """A target that goes on: its process, which is ended with all it has started."""
        process = subprocess.Popen(
            ["make", *words], cwd=self.folder, env=self.environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        # What never comes ends the wait, and so the test.
        guard = threading.Timer(LOGS_TIMEOUT_S, os.killpg, (process.pid, signal.SIGKILL))
        guard.start()
        try:
            yield process
        finally:
            guard.cancel()
            guard.join()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            process.stdout.close()

    def request(self, method, path, body=None):
        return request(self.port, method, path, body)


@pytest.fixture(scope="module")
def engine():
    if os.geteuid() != 0 or not shutil.which("dockerd"):
        pytest.skip("needs root and docker.io")
    engine = Engine().start()
    try:
        engine.import_image(BASE, image_files(), [])
        with engine.bridges_open():
            yield engine
    finally:
        engine.end()


@pytest.fixture(scope="module")
def clone(engine, tmp_path_factory):
    clone = Clone(engine, tmp_path_factory.mktemp("clone"))
    made = clone.make("image")
    assert made.returncode == 0, made.stdout[-6000:]
    return clone


@pytest.fixture
def up(clone):
    made = clone.make("up", "DRIVER=docker")
    assert made.returncode == 0, made.stdout[-6000:]
    assert f"http://127.0.0.1:{clone.port}" in made.stdout
    yield clone
    clone.make("down")


def users_of(engine, container):
    """{command: the users it runs as}"""
    found = {}
    for row in engine.do("GET", f"/containers/{container}/top?ps_args=-eo%20uid,pid,args")["Processes"]:
        found.setdefault(row[2].removeprefix("/sbin/docker-init -- "), set()).add(int(row[0]))
    return found


def balancer_of(engine):
    found = [n for n, c in engine.containers(None).items() if "io.roost.node" not in c["Labels"]]
    assert len(found) == 1, found
    return found[0]


def nothing_is_left(engine):
    networks = [network["Name"] for network in engine.do("GET", "/networks")]
    return engine.containers(None) == {} and "roost" not in networks


def test_up_serves_adds_removes_heals_and_down_leaves_nothing(engine, up):
    assert up.request("GET", "/home").json()["message"].startswith("Hello from Server: ")
    added = up.request("POST", "/add", {"n": 1, "hostnames": ["S5"]})
    assert added.status == 200, added
    assert set(engine.containers()) == {"Server-1", "Server-2", "Server-3", "S5"}
    removed = up.request("DELETE", "/rm", {"n": 1, "hostnames": ["S5"]})
    assert removed.status == 200, removed
    users = users_of(engine, balancer_of(engine))
    assert users["roost worker"] == {SANDBOX_UID}, users
    assert users["roost dockhand"] == {0}, users
    # What stays behind as root only starts dockhands.
    assert users["/usr/local/bin/roost serve"] == {0, SANDBOX_UID}, users
    before = engine.inspect("Server-1")["Id"]
    engine.kill("Server-1")
    wait_until(lambda: engine.containers().get("Server-1", {}).get("Id", before) != before, 20)
    said = engine.ask("GET", f"/containers/{balancer_of(engine)}/logs?stdout=1&stderr=1")[1]
    assert b"event=replica.up" in said and b"sandbox." not in said
    again = up.make("up", "DRIVER=docker")
    assert again.returncode == 0 and str(up.port) in again.stdout, again.stdout
    down = up.make("down")
    assert down.returncode == 0, down.stdout
    assert nothing_is_left(engine)
    volumes = engine.do("GET", "/volumes")["Volumes"] or []
    assert [volume["Name"] for volume in volumes] == []


def test_restart_keeps_the_pool_and_logs_show_what_was_written(engine, up):
    assert up.request("POST", "/add", {"n": 1, "hostnames": ["S5"]}).status == 200
    before = engine.inspect(balancer_of(engine))["Id"]
    # Without DRIVER: what runs here says it.
    restart = up.make("restart")
    assert restart.returncode == 0 and f"http://127.0.0.1:{up.port}" in restart.stdout, restart
    assert engine.inspect(balancer_of(engine))["Id"] != before
    pool = up.request("GET", "/rep").json()["message"]["replicas"]
    assert pool == ["Server 1", "Server 2", "Server 3", "S5"]
    with up.following("logs") as logs:
        seen = ""
        while "event=serve.ready" not in seen:
            line = logs.stdout.readline()
            assert line, seen
            seen += line


def test_a_taken_port_is_said_and_nothing_is_left(engine, clone):
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", clone.port))
        other.listen()
        made = clone.make("up", "DRIVER=docker")
    assert made.returncode != 0
    assert f"make up DRIVER=docker PORT={clone.port + 2}" in made.stdout, made.stdout
    assert nothing_is_left(engine)
    assert not (clone.folder / "run" / "compose").exists()


def test_down_leaves_nothing_of_a_balancer_that_was_killed(engine, up):
    balancer = engine.inspect(balancer_of(engine))
    binding = balancer["HostConfig"]["PortBindings"]["5000/tcp"]
    assert [place["HostIp"] for place in binding] == ["127.0.0.1"]
    engine.kill(balancer_of(engine))
    assert len(engine.containers()) == 3
    down = up.make("down")
    assert down.returncode == 0, down.stdout
    assert nothing_is_left(engine)


def test_clean_removes_the_image_and_only_ours(engine, clone):
    foreign = engine.run("foreign", image=BASE, command=["sleep", "1000"])
    clean = clone.make("clean")
    assert clean.returncode == 0, clean.stdout
    tags = [tag for image in engine.do("GET", "/images/json") for tag in image["RepoTags"] or []]
    assert "roost:latest" not in tags and f"{BASE}:latest" in tags
    assert engine.inspect("foreign")["Id"] == foreign
