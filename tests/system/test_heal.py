"""What dies comes back: under its name, at its port, and nobody's key moves."""

import os
import random
import re
import signal
import subprocess
import time

import pytest

from balancer import BINARY, ROOT, wait_until
from load import Background

ROUNDS = 3
ROUNDS_LONG = 20


def ring(roost):
    return roost.on_control("GET", "/stats").json()["ring"]


def total(roost):
    return roost.on_control("GET", "/stats").json()["total"]


def victim_of(roost):
    return random.choice(roost.pids_with(" replica"))


def oldest_of(roost):
    """Not one that was killed a moment ago: two kills in one second would look like a crash loop."""
    return min(roost.pids_with(" replica"), key=lambda pid: roost.seen[pid])


def all_up(roost, count):
    found = roost.states()
    return len(found) == count and set(found.values()) == {"up"}


def heal_after(roost, count, action):
    """Does it and returns how long it took until all are up again."""
    before = set(roost.pids_with(" replica"))
    began = time.monotonic()
    action()

    def is_healed():
        now = set(roost.pids_with(" replica"))
        return now != before and len(now) == count and all_up(roost, count)

    wait_until(is_healed, 15, "healed")
    return time.monotonic() - began


def test_a_killed_replica_is_back_in_half_a_second_and_no_get_fails(start, is_long):
    roost = start("--num-servers", 5)
    before = ring(roost)["digest"]
    names = roost.replicas()
    took = []
    with Background(roost.url + "/home", connections=16) as load:
        for _ in range(ROUNDS_LONG if is_long else ROUNDS):
            time.sleep(0.3)
            took.append(heal_after(roost, 5, lambda: os.kill(oldest_of(roost), signal.SIGKILL)))
    assert load.result.lost == 0, load.result
    assert load.result.answers > 500
    assert sorted(took)[len(took) // 2] < 0.5, took
    assert ring(roost)["digest"] == before, "a heal moves no key"
    assert roost.replicas() == names


def test_a_death_with_many_requests_in_its_hands_costs_none_of_them(start):
    """More than the retry budget has tokens for."""
    roost = start("--num-servers", 3, "--workers", 1)
    with Background(roost.url + "/slow/300", connections=500) as load:
        wait_until(lambda: total(roost)["requests"] > 1000, 20, "load")
        os.kill(victim_of(roost), signal.SIGKILL)
        wait_until(lambda: total(roost)["requests"] > 3000, 30, "more load")
    assert load.result.lost == 0, load.result
    assert total(roost)["errors"] == 0


def test_a_healed_replica_keeps_its_keys(start):
    roost = start("--num-servers", 3)
    keys = [f"key-{number}" for number in range(60)]

    def owners():
        return [roost.get("/home", headers={"X-Request-ID": key}).body for key in keys]

    before = owners()
    heal_after(roost, 3, lambda: os.kill(victim_of(roost), signal.SIGKILL))
    assert owners() == before


def test_two_of_three_killed_at_once_are_missed_by_nobody(start):
    roost = start("--num-servers", 3)
    with Background(roost.url + "/home", connections=16) as load:
        time.sleep(0.2)
        for pid in roost.pids_with(" replica")[:2]:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.5)
        wait_until(lambda: all_up(roost, 3), 10)
    assert load.result.lost == 0, load.result


def test_all_killed_at_once_come_back(start):
    roost = start("--num-servers", 3)
    pids = roost.pids_with(" replica")

    def kill_all():
        for pid in pids:
            os.kill(pid, signal.SIGKILL)

    assert heal_after(roost, 3, kill_all) < 2
    assert roost.get("/home").status == 200


def test_the_pool_has_its_size_while_one_is_being_healed(start):
    roost = start("--num-servers", 3)
    os.kill(victim_of(roost), signal.SIGKILL)
    for _ in range(50):
        assert roost.get("/rep").json()["message"]["N"] == 3


def test_a_heal_is_a_new_epoch_and_counts_as_a_restart(start):
    roost = start("--num-servers", 2)
    before = ring(roost)["epoch"]
    heal_after(roost, 2, lambda: os.kill(victim_of(roost), signal.SIGKILL))
    assert ring(roost)["epoch"] > before
    stats = roost.on_control("GET", "/stats").json()
    assert sorted(replica["restarts"] for replica in stats["replicas"]) == [0, 1]


def test_a_hanging_replica_is_down_within_1200_ms_and_up_again_afterwards(start):
    roost = start("--num-servers", 3)
    pid = victim_of(roost)
    with Background(roost.url + "/home", connections=8, timeout_s=20) as load:
        time.sleep(0.2)
        began = time.monotonic()
        os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: "down" in roost.states().values(), 5)
        assert time.monotonic() - began < 1.5
        os.kill(pid, signal.SIGCONT)
        wait_until(lambda: all_up(roost, 3), 5)
    assert load.result.lost == 0, load.result


def test_a_stopped_keeper_makes_nobody_look_down(start):
    roost = start("--num-servers", 3)
    os.kill(roost.pid, signal.SIGSTOP)
    time.sleep(2)
    assert roost.get("/home").status == 200
    os.kill(roost.pid, signal.SIGCONT)
    for _ in range(20):
        assert all_up(roost, 3)
        time.sleep(0.02)
    assert "replica.down" not in roost.log_text()


CRASHES = """
compat: assignment
services:
  - name: web
    replicas:
      driver: process
      count: 2
      command: [/bin/sh, -c, "[ $SERVER_ID = 1 ] && exec '%s' replica; exit 1"]
"""


def test_one_that_always_crashes_is_parked_and_the_others_serve(start):
    roost = start.prepare(config=CRASHES % BINARY).spawn()
    wait_until(lambda: "serve.ready" in roost.log_text(), 10)
    for _ in range(20):
        assert roost.get("/home").status == 200
    found = roost.states()
    assert found["Server 1"] == "up"
    assert found["Server 2"] in ("starting", "dead", "parked")
    assert roost.get("/rep").json()["message"]["N"] == 2
    time.sleep(2)
    starts = roost.log_text().count('replica.starting service=web replica="Server 2"')
    assert starts <= 6, "it is not started over and over"


@pytest.mark.parametrize("which", ["leader", "all"])
def test_what_a_replica_started_ends_with_it(start, which):
    config = """
compat: assignment
services:
  - name: web
    replicas:
      driver: process
      count: 1
      command: [/bin/sh, -c, "sleep 4321 & exec '%s' replica"]
""" % BINARY
    roost = start(config=config)
    wait_until(lambda: len(roost.pids_with("sleep 4321")) == 1, 5)
    old = roost.pids_with("sleep 4321")
    if which == "leader":
        os.kill(roost.pids_with(" replica")[0], signal.SIGKILL)
        wait_until(lambda: not set(old) & set(roost.pids()), 5, "the old one is gone")
        wait_until(lambda: len(roost.pids_with("sleep 4321")) == 1, 5)
    assert roost.terminate() == 0
    wait_until(lambda: not roost.pids(), 5)


WARM = """
compat: assignment
services:
  - name: web
    health: {warm: 2s}
    replicas: {driver: process, count: 2}
"""


def test_a_healed_replica_warms_up_where_that_is_wanted(start):
    roost = start(config=WARM)
    wait_until(lambda: all_up(roost, 2), 5)
    os.kill(roost.pids_with(" replica")[0], signal.SIGKILL)
    wait_until(lambda: "warming" in roost.states().values(), 5)
    name = next(name for name, state in roost.states().items() if state == "warming")
    early = sum(name[-1] in roost.get("/home").json()["message"] for _ in range(100))
    wait_until(lambda: all_up(roost, 2), 5)
    late = sum(name[-1] in roost.get("/home").json()["message"] for _ in range(100))
    assert early < 40 < late + 10, (early, late)


def test_the_measurement_of_healing_measures():
    """`make bench-heal`, small."""
    environment = {"ROOST": BINARY, "KILLS": 2, "HANGS": 1, "RATE": 200, "FIXTURES": "process"}
    done = subprocess.run(
        ["/usr/bin/python3", ROOT / "tools" / "bench_heal.py", "--print"],
        env={**os.environ, **{name: str(value) for name, value in environment.items()}},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    rows = re.findall(r"^\| (process, .*?) \| (\d+) \| (.*) \|$", done.stdout, re.M)
    assert [int(count) for _, count, _ in rows] == [2, 2, 2, 1, 1, 1], done.stdout
    for title, _, figures in rows:
        least, median, p99, most = (int(figure.replace(",", "")) for figure in figures.split(" | "))
        assert 0 <= least <= median <= p99 <= most < 15000, title
    assert re.search(r"^\| process \| [\d,]+ \| 0 \| \d+ \| 0 \|$", done.stdout, re.M), done.stdout
