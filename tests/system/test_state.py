"""What is remembered: across restarts, changed declarations, crashes of the keeper and of
everything. What was acknowledged is never lost, what runs is taken over."""

import http.client
import os
import random
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from balancer import processes, wait_until
from load import Background

KILLS = 20
KILLS_LONG = 200
WRITE_KILLS = 100
WRITE_KILLS_LONG = 1000


def restart(roost, how=signal.SIGTERM, flags=None):
    """Ends the keeper that way and starts it again on the same state, perhaps with other flags."""
    roost.pids()
    roost.process.send_signal(how)
    roost.process.wait(15)
    if flags is not None:
        roost.flags = [str(flag) for flag in flags]
    return roost.start()


def names(roost):
    return roost.on_control("GET", "/rep").json()["message"]["replicas"]


def replica_pids(roost):
    """Those of this balancer, whoever their parent is by now: they run in its folder."""
    found = set()
    for pid in processes():
        try:
            line = Path(f"/proc/{pid}/cmdline").read_bytes()
            place = os.readlink(f"/proc/{pid}/cwd")
        except OSError:
            continue
        if line.endswith(b"\0replica\0") and place == str(roost.folder):
            found.add(pid)
    return found


# ---- declaration and state ----


def test_the_same_declaration_again_keeps_what_add_and_rm_did(start):
    roost = start("--num-servers", 3)
    roost.add(2, ["S5", "S4"])
    roost.rm(1, ["Server 2"])
    before = roost.on_control("GET", "/stats").json()["ring"]
    restart(roost)
    assert names(roost) == ["Server 1", "Server 3", "S5", "S4"]
    after = roost.on_control("GET", "/stats").json()["ring"]
    assert after["digest"] == before["digest"], "no key moves"
    assert after["epoch"] > before["epoch"]


def test_an_emptied_pool_stays_empty(start):
    roost = start("--num-servers", 2)
    roost.rm(2)
    restart(roost)
    assert names(roost) == []


@pytest.mark.parametrize(
    "count,expected",
    [
        (2, ["Server 1", "Server 3"]),
        (3, ["Server 1", "Server 3", "S5"]),
        (5, ["Server 1", "Server 3", "S5", "Server 2", "Server 4"]),
        (0, []),
    ],
)
def test_a_changed_count_changes_only_the_difference(start, count, expected):
    roost = start("--num-servers", 4)
    roost.rm(2, ["Server 2", "Server 4"])
    roost.add(1, ["S5"])
    restart(roost, flags=["--num-servers", count])
    assert names(roost) == expected
    assert "pool.redeclared" in roost.log_text()


CONFIG = """
compat: assignment
services:
  - name: web
    replicas: {driver: process, count: %d, names: [%s]}
"""


def test_declared_names_come_first(start):
    roost = start(config=CONFIG % (3, "a, b, c"))
    roost.add(1, ["d"])
    roost.rm(1, ["a"])
    config = roost.folder / "roost.yaml"
    config.write_text(CONFIG % (3, "c, x"), encoding="utf-8")
    restart(roost)
    assert names(roost) == ["b", "c", "x"]


def test_reset_forgets(start):
    roost = start("--num-servers", 2)
    roost.add(1, ["S5"])
    restart(roost, flags=["--num-servers", 2, "--reset"])
    assert names(roost) == ["Server 1", "Server 2"]


def test_the_classic_ids_are_kept(start):
    flags = ["--scheme", "classic", "--num-servers", 3]
    roost = start(*flags)
    roost.rm(1, ["Server 2"])
    roost.add(1, ["S9"])
    before = roost.on_control("GET", "/stats").json()["ring"]["digest"]
    restart(roost)
    assert roost.on_control("GET", "/stats").json()["ring"]["digest"] == before


def test_a_damaged_state_ends_the_start_with_one_line_and_reset_mends_it(start):
    roost = start("--num-servers", 1)
    roost.terminate()
    for path in roost.state.glob("state.db*"):
        path.write_bytes(b"rubbish" * 1000)
    done = subprocess.run(roost.command(), capture_output=True, text=True, timeout=10)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "--reset" in done.stderr
    roost.flags.append("--reset")
    roost.start()
    assert names(roost) == ["Server 1"]


# ---- crashes ----


def test_a_killed_keeper_is_followed_by_one_that_takes_everything_over(start):
    roost = start("--num-servers", 3)
    roost.add(1, ["S5"])
    before = replica_pids(roost)
    digest = roost.on_control("GET", "/stats").json()["ring"]["digest"]
    with Background(roost.url + "/home", connections=8) as load:
        time.sleep(0.2)
        roost.process.kill()
        roost.process.wait()
        time.sleep(0.2)
        assert roost.get("/home").status == 200, "the workers go on"
        assert roost.get("/rep").status == 503, "nobody is there to ask"
        roost.start()
        time.sleep(0.3)
    assert load.result.lost == 0, load.result
    assert replica_pids(roost) == before, "none restarted, none doubled"
    assert names(roost) == ["Server 1", "Server 2", "Server 3", "S5"]
    assert roost.on_control("GET", "/stats").json()["ring"]["digest"] == digest
    wait_until(lambda: len(roost.pids_with("roost worker")) == (os.cpu_count() or 1), 15)


def test_new_connections_never_fail_while_a_keeper_is_replaced(start):
    roost = start("--num-servers", 2)
    failures = []
    stop = threading.Event()

    def client():
        while not stop.is_set():
            try:
                if roost.get("/home").status != 200:
                    failures.append("status")
            except OSError as why:
                failures.append(repr(why))

    threads = [threading.Thread(target=client) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        roost.process.kill()
        roost.process.wait()
        roost.start()
        time.sleep(0.2)
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures


def test_everything_killed_comes_back_as_it_was(start):
    roost = start("--num-servers", 3)
    roost.add(2, ["S5", "S6"])
    roost.rm(1, ["Server 1"])
    kill_some(roost, 2)
    roost.process.wait()
    roost.start()
    assert names(roost) == ["Server 2", "Server 3", "S5", "S6"]
    assert len(replica_pids(roost)) == 4
    assert roost.get("/home").status == 200


def test_what_died_while_no_keeper_was_there_is_started(start):
    roost = start("--num-servers", 3)
    before = replica_pids(roost)
    roost.process.kill()
    roost.process.wait()
    victim = min(before)
    os.kill(victim, signal.SIGKILL)
    time.sleep(0.1)
    roost.start()
    now = replica_pids(roost)
    assert len(now) == 3
    assert before - {victim} <= now


def test_a_replica_left_behind_by_another_start_is_ended(start):
    roost = start("--num-servers", 3)
    roost.process.kill()
    roost.process.wait()
    roost.flags = ["--num-servers", "1"]
    roost.start()
    assert names(roost) == ["Server 1"]
    wait_until(lambda: len(replica_pids(roost)) == 1, 10)


def test_kills_at_any_moment_converge_to_what_was_acknowledged(start, is_long):
    roost = start("--num-servers", 2)
    acknowledged = set(names(roost))
    doubtful = set()
    number = 0
    for kill in range(KILLS_LONG if is_long else KILLS):
        doubtful.clear()
        deadline = time.monotonic() + random.uniform(0.01, 0.15)
        killer = threading.Timer(deadline - time.monotonic(), kill_some, [roost, kill])
        killer.start()
        while killer.is_alive():
            number += 1
            name = f"K{number}"
            remove = len(acknowledged) > 4 and random.choice(sorted(acknowledged))
            doubtful.add(remove or name)
            try:
                answer = (
                    roost.on_control("DELETE", "/rm", {"n": 1, "hostnames": [remove]})
                    if remove
                    else roost.on_control("POST", "/add", {"n": 1, "hostnames": [name]})
                )
            except (OSError, http.client.HTTPException):
                break
            if answer.status != 200:
                break
            doubtful.clear()
            if remove:
                acknowledged.discard(remove)
            else:
                acknowledged.add(name)
        killer.join()
        roost.process.wait()
        roost.start()
        now = names(roost)
        assert len(now) == len(set(now))
        assert acknowledged - doubtful <= set(now) <= acknowledged | doubtful
        acknowledged = set(now)
        wait_until(lambda: len(replica_pids(roost)) == len(acknowledged), 10)
        assert roost.get("/home").status == 200


def weights(roost):
    answer = roost.on_control("GET", "/v1/replicas").json()
    return {replica["name"]: replica["weight"] for replica in answer["replicas"]}


def write_until_killed(roost, acknowledged):
    """Changes weights until the keeper is gone; returns what was asked last without an answer."""
    while True:
        name = random.choice(sorted(acknowledged))
        weight = random.randint(1, 65535)
        try:
            answer = roost.on_control("PATCH", f"/v1/replicas/{name}".replace(" ", "%20"), {"weight": weight})
        except (OSError, http.client.HTTPException):
            return name, weight
        if answer.status != 200:
            return name, weight
        acknowledged[name] = weight


def test_no_acknowledged_write_is_lost_however_often_the_keeper_is_killed(start, is_long):
    roost = start("--num-servers", 3)
    acknowledged = weights(roost)
    writes = 0
    for _ in range(WRITE_KILLS_LONG if is_long else WRITE_KILLS):
        before = dict(acknowledged)
        killer = threading.Timer(random.uniform(0, 0.03), roost.process.kill)
        killer.start()
        doubtful = write_until_killed(roost, acknowledged)
        killer.join()
        roost.process.wait()
        roost.start()
        now = weights(roost)
        either = dict(acknowledged, **{doubtful[0]: doubtful[1]})
        assert now in (acknowledged, either), (acknowledged, doubtful, now)
        writes += acknowledged != before
        acknowledged = now
    assert writes > 10
    assert len(replica_pids(roost)) == 3


def kill_some(roost, number):
    """The keeper alone, or everything."""
    pids = roost.pids() if number % 3 == 2 else []
    roost.process.kill()
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


# ---- a disk that fails ----


@pytest.fixture
def small_disk(tmp_path):
    """A file system of eight megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "none", place], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("may not mount a file system here")
    yield place
    subprocess.run(["umount", "-l", place], check=False)


def fill(path):
    file = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        for size in (65536, 4096, 1):
            try:
                while os.write(file, b"x" * size):
                    pass
            except OSError:
                continue
    finally:
        os.close(file)


def test_a_full_disk_refuses_the_change_and_keeps_serving(start, small_disk):
    roost = start.prepare("--num-servers", 2)
    roost.state = small_disk / "state"
    roost.start()
    filler = small_disk / "filler"
    fill(filler)
    answer = roost.add(1, ["S5"])
    assert answer.status == 503, answer
    assert answer.json()["status"] == "failure"
    assert roost.rm(1).status == 503
    weighed = roost.on_control("PATCH", "/v1/replicas/Server%201", {"weight": 3})
    assert weighed.status == 503, weighed
    assert weighed.json()["error"].startswith("the change cannot be remembered: ")
    assert names(roost) == ["Server 1", "Server 2"]
    assert roost.get("/home").status == 200
    filler.unlink()
    wait_until(lambda: roost.add(1, ["S6"]).status == 200, 5)
    assert names(roost) == ["Server 1", "Server 2", "S6"]
    roost.terminate()
