"""Replicas as containers of a real Docker Engine: healed, added, removed, and left alone when they
are not ours."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from balancer import BINARY, wait_until
from docker_engine import IMAGE, Load
from docker_fixtures import all_up, engine, heal, nothing_left, serve  # noqa: F401

CAP_DAC_OVERRIDE = 1 << 1


def test_replicas_are_containers_made_of_what_was_declared(engine, serve):
    roost = serve("--num-servers", 3)
    found = engine.containers()
    assert set(found) == {"Server-1", "Server-2", "Server-3"}
    one = engine.inspect("Server-2")
    assert "SERVER_ID=2" in one["Config"]["Env"]
    assert one["Config"]["Labels"]["io.roost.replica"] == "Server 2"
    assert one["Config"]["Labels"]["io.roost.service"] == "web"
    host = one["HostConfig"]
    assert host["RestartPolicy"]["Name"] == "no"
    assert host["NetworkMode"] == "roost"
    assert not host["Privileged"] and not host["Binds"] and not host["CapAdd"]
    assert not one["Mounts"] and host["PidMode"] == "" and not host["PortBindings"]
    bodies = {roost.get("/home").json()["message"] for _ in range(50)}
    assert bodies == {f"Hello from Server: {number}" for number in (1, 2, 3)}
    assert roost.terminate() == 0
    assert engine.containers() == {}


def test_a_container_removed_by_hand_is_back_too(engine, serve):
    roost = serve("--num-servers", 2)
    heal(engine, roost, "Server 1", "Server-1", 2, engine.remove)


def test_gets_wait_for_their_killed_container(engine, start, tmp_path):
    log = tmp_path / "access.log"
    config = f"""
compat: off
log: {{access: {log}}}
services: [{{name: web, hold: 30s, replicas: {{driver: docker, image: {IMAGE}, count: 3}}}}]
"""
    roost = start(config=config, environment=engine.environment)

    def lines():
        whole = log.read_text(encoding="utf-8").splitlines(keepends=True)
        found = [json.loads(line) for line in whole if line.endswith("\n")]
        return [line for line in found if line["path"] == "/home"]

    with Load(roost.url + "/home", 200, "--keys", "random") as load:
        heal(engine, roost, "Server 2", "Server-2", 3)
        # It is up, and those who waited for it are on their way.
        wait_until(lambda: any(line.get("held_ms", 0) > 50 for line in lines()), 10, "answers")
    load.check()
    elsewhere = [line for line in lines() if line["rank"]]
    assert not elsewhere, elsewhere[:5]


def test_what_containers_use_is_in_the_status(engine, serve):
    roost = serve("--num-servers", 1)

    def used():
        return roost.on_control("GET", "/v1/replicas/Server%201").json()

    before = wait_until(lambda: (one := used())["memory_bytes"] and one, 15, "a reading")
    assert 100_000 < before["memory_bytes"] < 500_000_000
    assert before["pid"] is None
    with Load(roost.url + "/bytes/100000", 300):
        wait_until(lambda: used()["cpu_s"] > before["cpu_s"] + 0.02, 20, "it has worked")
        wait_until(lambda: (used()["cpu_percent"] or 0) > 0, 20, "a share of a core")


def test_a_foreign_container_of_that_name_is_a_409_and_left_alone(engine, serve):
    foreign = engine.run("S5")
    roost = serve("--num-servers", 1)
    answer = roost.add(2, ["S5"])
    assert answer.status == 409, answer
    assert "S5" in answer.json()["message"]
    assert roost.replicas() == ["Server 1"]
    assert engine.inspect("S5")["Id"] == foreign
    assert engine.inspect("S5")["State"]["Running"]
    wait_until(lambda: set(engine.containers()) == {"Server-1"}, 15, "all was taken back")
    assert roost.add(1, ["S6"]).status == 200


def test_names_that_docker_knows_as_one_are_told_apart(engine, serve):
    roost = serve("--num-servers", 1)
    assert roost.add(2, ["Server-1", "A"]).status == 200
    names = set(engine.containers())
    assert "Server-1" in names and len(names) == 3
    replicas = {c["Labels"]["io.roost.replica"] for c in engine.containers().values()}
    assert replicas == {"Server 1", "Server-1", "A"}


def test_where_the_output_of_a_container_is_is_said(engine, serve):
    roost = serve("--num-servers", 1)
    said = subprocess.run(
        [str(BINARY), "ctl", "--control", roost.control, "logs", "Server 1"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, env=roost.environment,
    )  # fmt: skip
    container = engine.inspect("Server-1")["Id"][:12]
    assert said.returncode == 1
    assert f"docker logs {container}" in said.stderr
    assert engine.ask("GET", f"/containers/{container}/logs?stdout=1")[0] == 200


def test_two_balancers_share_a_machine(engine, serve):
    one = serve("--num-servers", 2)
    two = serve("--num-servers", 2)
    assert len(engine.containers()) == 4
    assert one.terminate() == 0
    assert len(engine.containers()) == 2
    assert all_up(two, 2)


def test_an_image_that_is_not_there_is_said(engine, start):
    roost = start(
        "--driver", "docker", "--server-image", "no-such-image", "--num-servers", "0",
        environment=engine.environment,
    )  # fmt: skip
    answer = roost.add(1)
    assert answer.status == 502
    assert "no image 'no-such-image'" in answer.json()["message"]
    assert roost.replicas() == []
    assert engine.containers() == {}


def test_an_engine_that_is_not_there_is_said_and_waited_for(serve, tmp_path):
    missing = f"unix://{tmp_path}/none.sock"
    roost = serve("--num-servers", 0, environment={"DOCKER_HOST": missing})
    began = time.monotonic()
    answer = roost.add(1)
    assert answer.status == 502
    assert "none.sock cannot be reached" in answer.json()["message"]
    assert time.monotonic() - began < 8
    assert "event=docker.away" in roost.log_text()
    assert roost.terminate() == 0


@pytest.mark.parametrize(
    "host, network, sentence",
    [
        ("tcp://127.0.0.1:2375", "roost", "DOCKER_HOST is 'tcp://127.0.0.1:2375': only a unix socket"),
        ("", "host", "'host' is no network for replicas"),
        ("", "none", "'none' is no network for replicas"),
        ("", "container:x", "'container:x' is no network for replicas"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_stops_the_start_with_one_line(start, host, network, sentence):
    roost = start.prepare(
        "--driver", "docker", "--docker-network", network, environment={"DOCKER_HOST": host}
    ).spawn()  # fmt: skip
    assert roost.process.wait(10) == 1
    lines = [line for line in roost.log_text().splitlines() if "event=" not in line]
    assert len(lines) == 1 and sentence in lines[0], roost.log_text()


def test_a_network_that_was_removed_is_made_again(engine, serve):
    roost = serve("--num-servers", 1)
    assert roost.rm(1).status == 200
    wait_until(lambda: not engine.containers(), 15)
    engine.do("DELETE", "/networks/roost")
    answer = roost.add(1, ["S5"])
    assert answer.status == 200, answer
    assert roost.get("/home").status == 200


def test_a_new_keeper_takes_over_the_containers(engine, serve):
    roost = serve("--num-servers", 2)
    before = {name: c["Id"] for name, c in engine.containers().items()}
    roost.terminate(signal.SIGKILL)
    roost.start()
    assert {name: c["Id"] for name, c in engine.containers().items()} == before
    heal(engine, roost, "Server 1", "Server-1", 2)


def test_stop_ends_the_containers_of_a_killed_keeper_and_no_others(engine, serve):
    foreign = engine.run("other")
    roost = serve("--num-servers", 2)
    roost.terminate(signal.SIGKILL)
    assert len(engine.containers()) == 2
    stopped = roost.stop_command()
    assert stopped.returncode == 0, stopped
    assert engine.containers() == {}
    assert engine.inspect("other")["Id"] == foreign


def test_a_killed_dockhand_is_started_again(engine, serve):
    roost = serve("--num-servers", 2)
    for victim in ("inner", "outer"):
        pids = sorted(dockhands(engine))
        assert len(pids) == 2
        os.kill(pids[-1 if victim == "inner" else 0], signal.SIGKILL)
        wait_until(lambda gone=pids: sorted(dockhands(engine)) != gone, 5)
        wait_until(lambda: len(dockhands(engine)) == 2, 5)
        heal(engine, roost, "Server 1", "Server-1", 2)
        time.sleep(1.1)


def dockhands(engine):
    """The living dockhands that speak to this engine."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if (folder / "cmdline").read_bytes() != b"roost\0dockhand\0":
                continue
            environment = (folder / "environ").read_bytes().split(b"\0")
        except (OSError, ValueError):
            continue
        if f"DOCKER_HOST={engine.host}".encode() in environment:
            found.append(int(folder.name))
    return found


def status_of(pid):
    """{field: value} of /proc/PID/status."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_a_dockhand_is_locked_in_and_its_list_of_calls_is_enough(engine, serve):
    """A call that is missing in the list answers EPERM and says so in the log; one that kills makes a
    new dockhand."""
    roost = serve("--num-servers", 2)
    before = sorted(dockhands(engine))
    outer, inner = before
    locked = status_of(inner)
    assert (locked["Seccomp"], locked["NoNewPrivs"]) == ("2", "1")
    assert int(locked["CapEff"], 16) & ~CAP_DAC_OVERRIDE == 0
    assert int(locked["CapPrm"], 16) == int(locked["CapEff"], 16)
    assert int(status_of(outer)["CapEff"], 16) & ~CAP_DAC_OVERRIDE == 0
    for fd in Path(f"/proc/{inner}/fd").iterdir():
        target = os.readlink(fd)
        assert target in ("/dev/null", str(roost.log)) or target.startswith(
            ("socket:", "anon_inode:[eventpoll]")
        ), target
    assert roost.add(1, ["S5"]).status == 200
    heal(engine, roost, "Server 1", "Server-1", 3)
    assert roost.rm(1, ["S5"]).status == 200
    wait_until(lambda: len(engine.containers()) == 2, 15)
    assert sorted(dockhands(engine)) == before
    assert roost.terminate() == 0
    assert "sandbox." not in roost.log_text()


def test_no_worker_holds_or_can_reach_the_socket(engine, serve):
    roost = serve("--num-servers", 1)
    workers = roost.pids_with("roost worker")
    assert workers
    for pid in [roost.pid, *workers]:
        for fd in Path(f"/proc/{pid}/fd").iterdir():
            assert "docker.sock" not in os.readlink(fd)
    for pid in workers:
        status = status_of(pid)
        assert status["Seccomp"] == "2", "sockets are TCP only: test_sandbox.py"
        assert "0" not in status["Uid"].split()
        # The socket's folder is closed to that user besides.
    assert os.stat(engine.socket).st_mode & 0o007 == 0
