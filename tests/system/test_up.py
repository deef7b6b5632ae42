"""`make up` and its kin, in a folder of their own: what tools/up.sh and tools/down.sh promise."""

import os
import re
import shutil
import socket
import subprocess

import pytest

from balancer import BINARY, FINDING, ROOT, _stat, free_port, request, wait_until
from test_api_doc import BLOCK, fits, masked


class Tree:
    """A folder with the tools and the binary, as `make up` finds them after the build."""

    def __init__(self, folder):
        self.folder = folder
        shutil.copytree(ROOT / "tools", folder / "tools", ignore=shutil.ignore_patterns("__pyc*"))
        (folder / "build").mkdir()
        shutil.copy2(BINARY, folder / "build" / "roost")
        self.port = free_port()
        self.control_port = free_port()

    def run(self, *command, **settings):
        environment = {name: value for name, value in os.environ.items() if "ROOST" not in name}
        environment.update({"PORT": str(self.port), "CONTROL_PORT": str(self.control_port)})
        environment.update({name: str(value) for name, value in settings.items()})
        return subprocess.run(
            [str(self.folder / "tools" / command[0]), *command[1:]],
            env={name: value for name, value in environment.items() if value},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=90,
        )

    def up(self, *words, **settings):
        return self.run("up.sh", *words, **settings)

    def down(self, *words):
        return self.run("down.sh", *words)

    def names(self):
        return request(self.port, "GET", "/rep").json()["message"]["replicas"]

    def processes(self):
        """Those that run this tree's binary."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                program = os.readlink(f"/proc/{pid}/exe")
            except OSError:
                continue
            if program.startswith(str(self.folder)) and _stat(pid):
                found.append(int(pid))
        return found


@pytest.fixture
def tree(tmp_path):
    made = Tree(tmp_path)
    yield made
    made.down()
    wait_until(lambda: not made.processes(), 10, "nothing is left")
    for log in made.folder.glob("run/*.log"):
        assert not FINDING.search(log.read_bytes()), log.read_text()


def pid_in(text):
    return int(re.search(r"\(pid (\d+)\)", text).group(1))


def test_up_waits_until_it_serves_and_says_where(tree):
    done = tree.up()
    assert done.returncode == 0, done.stdout
    assert f"http://127.0.0.1:{tree.port}" in done.stdout
    assert f"http://127.0.0.1:{tree.control_port}/" in done.stdout
    assert f"curl http://127.0.0.1:{tree.port}/home" in done.stdout
    assert request(tree.port, "GET", "/home").status == 200
    assert (tree.folder / "run" / "roost.log").exists()
    assert (tree.folder / "run" / "state").is_dir()


def test_up_again_prints_the_urls_and_starts_nothing(tree):
    first = tree.up()
    again = tree.up()
    assert again.returncode == 0, again.stdout
    assert again.stdout == first.stdout


def test_up_with_other_options_points_at_restart(tree):
    first = tree.up()
    other = tree.up(NUM_SERVERS=4)
    assert other.returncode == 1
    assert "make restart" in other.stdout
    assert len(tree.names()) == 3
    restarted = tree.up("restart", NUM_SERVERS=4)
    assert restarted.returncode == 0, restarted.stdout
    assert pid_in(restarted.stdout) != pid_in(first.stdout)
    assert len(tree.names()) == 4


def test_a_taken_port_names_its_owner_and_leaves_nothing_running(tree):
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", tree.port))
        other.listen()
        done = tree.up()
    assert done.returncode == 1
    assert f"Port {tree.port} is taken by" in done.stdout
    assert f"(pid {os.getpid()})" in done.stdout
    assert f"make up PORT={tree.port + 2}" in done.stdout
    assert tree.processes() == []


def test_a_setting_that_is_wrong_stops_the_start_with_its_line(tree):
    done = tree.up(NUM_SERVERS="many")
    assert done.returncode == 1
    assert "many" in done.stdout
    assert tree.processes() == []


def test_a_wrong_setting_is_said_before_anything_is_stopped(tree):
    first = pid_in(tree.up().stdout)
    done = tree.up("restart", NUM_SERVERS="many")
    assert done.returncode == 1 and "many" in done.stdout, done.stdout
    assert pid_in(tree.up().stdout) == first


def test_up_finds_its_balancer_wherever_it_listens(tree):
    done = tree.up(LISTEN=f"0.0.0.0:{tree.port}", PORT="", CONTROL_PORT="")
    assert done.returncode == 0, done.stdout
    assert f"curl http://127.0.0.1:{tree.port}/home" in done.stdout
    assert f"http://127.0.0.1:{tree.port + 1}/" in done.stdout
    assert len(tree.names()) == 3
    assert tree.up(CONTROL_LISTEN=f"127.0.0.1:{tree.control_port}").returncode == 1
    place = f"unix:{tree.folder}/control.sock"
    done = tree.up("restart", CONTROL_LISTEN=place)
    assert done.returncode == 0, done.stdout
    assert f"control    {place}\n" in done.stdout


def test_the_file_env_is_read_and_the_environment_wins(tree):
    (tree.folder / ".env").write_text("# ours\nNUM_SERVERS='2'\nCONTROL_PORT=1\n")
    done = tree.up()
    assert done.returncode == 0, done.stdout
    assert len(tree.names()) == 2


def test_restart_keeps_the_pool_and_down_forgets_it(tree):
    assert tree.up().returncode == 0
    added = request(tree.port, "POST", "/add", {"n": 1, "hostnames": ["S9"]})
    assert added.status == 200, added
    assert tree.up("restart").returncode == 0
    assert tree.names() == ["Server 1", "Server 2", "Server 3", "S9"]
    assert tree.down().returncode == 0
    assert tree.processes() == []
    assert tree.up().returncode == 0
    assert tree.names() == ["Server 1", "Server 2", "Server 3"]


def test_down_ends_it_whatever_is_set_now(tree):
    assert tree.up().returncode == 0
    done = tree.run("down.sh", NUM_SERVERS="many")
    assert (done.returncode, done.stdout) == (0, "")
    assert tree.processes() == []


def test_down_ends_what_a_crash_left(tree):
    pid = pid_in(tree.up().stdout)
    os.kill(pid, 9)
    assert tree.down().returncode == 0
    wait_until(lambda: not tree.processes(), 10, "nothing is left")
    assert tree.down().returncode == 0


def readme_session():
    """[(command, output)]"""
    (block,) = BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    parts = [part.partition("\n") for part in re.split(r"^\$ ", block, flags=re.M)[1:]]
    return [(command, output) for command, _, output in parts]


def typed(tree, command):
    """What it prints here, on our ports."""
    if command == "make up":
        return tree.up().stdout
    command = command.replace("localhost:5000", f"localhost:{tree.port}")
    drawn = [name for name in tree.names() if name.startswith("r-")]
    command = command.replace("r-utber", drawn[0] if drawn else "")
    done = subprocess.run(
        ["/bin/sh", "-c", command.replace("curl ", "curl -s ")],
        cwd=tree.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    return done.stdout


def killed_here(tree, command):
    """Of all replicas it kills one of ours, and does not guess how long its heal takes."""
    kill, _, rest = command.partition("; sleep 0.1; ")
    if kill == "pkill -9 -n -f 'roost replica'":
        replicas = request(tree.control_port, "GET", "/v1/replicas").json()["replicas"]
        os.kill(replicas[-1]["pid"], 9)
        return rest
    return command


def test_the_session_of_the_readme_is_what_happens(tree):
    session = readme_session()
    assert [command.split()[0] for command, _ in session].count("curl") == 4
    for command, wanted in session:
        here = killed_here(tree, command)
        got = typed(tree, here)
        if here != command:
            got = wait_until(lambda: fits(wanted, text := typed(tree, here)) and text, 10, command)
        assert fits(wanted, got), f"$ {command}\n{masked(got)}\n-- README --\n{masked(wanted)}"
