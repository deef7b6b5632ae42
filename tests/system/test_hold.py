"""hold: an idempotent request waits for its owner to be healed instead of going elsewhere."""

import asyncio
import json
import os
import signal
import subprocess
import threading
import time

from balancer import BINARY, wait_until
from load import Background, closed_loop_async

KEYS = [f"key-{number}" for number in range(90)]
COUNT = 3
# Slow to start: nobody could answer a request by chance while it is being healed.
CONFIG = """
compat: off
workers: 2
log: {access: %(log)s}
services:
  - name: web
    %(hold)s
    expose-replica: true
    replicas:
      driver: process
      count: 3
      command: [/bin/sh, -c, "[ -e '%(mark)s' ] && sleep %(sleep)s; exec '%(binary)s' replica"]
"""


class Pool:
    """Three replicas that take so long to come back."""

    def __init__(self, start, tmp_path, hold, sleep_s):
        self.log = tmp_path / "access.log"
        mark = tmp_path / "mark"
        values = {"hold": hold, "log": self.log, "mark": mark, "sleep": sleep_s, "binary": BINARY}
        self.roost = start(config=CONFIG % values)
        mark.touch()
        self.owners = {key: self.ask(key).headers["x-roost-replica"] for key in KEYS}
        assert len(set(self.owners.values())) == COUNT

    def ask(self, key, method="GET"):
        path, body = ("/home", None) if method == "GET" else ("/echo", "1")
        return self.roost.request(method, path, body, {"X-Request-ID": key})

    def keys_of(self, name):
        return [key for key in KEYS if self.owners[key] == name]

    def pid_of(self, name):
        path = f"/v1/replicas/{name.replace(' ', '%20')}"
        return self.roost.on_control("GET", path).json()["pid"]

    def kill(self, name):
        os.kill(self.pid_of(name), signal.SIGKILL)

    def await_loss(self, name):
        wait_until(lambda: self.roost.states()[name] in ("dead", "starting"), 10)

    def await_return(self, name):
        wait_until(lambda: self.roost.states()[name] == "up", 20)

    def answers(self, keys):
        """All at once: [(key, answer)]"""
        found = []
        threads = [
            threading.Thread(target=lambda key=key: found.append((key, self.ask(key))))
            for key in keys
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found

    def lines(self):
        return [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]


def test_gets_wait_for_their_killed_owner_and_nobody_else_answers_them(start, tmp_path):
    pool = Pool(start, tmp_path, "hold: 15s", 0.7)
    # Some come before the keeper knows, some after it.
    first, second = pool.keys_of("Server 2"), pool.keys_of("Server 3")
    pool.kill("Server 2")
    answers = pool.answers(first)
    pool.kill("Server 3")
    pool.await_loss("Server 3")
    answers += pool.answers(second)
    assert len(answers) == len(first) + len(second)
    for key, answer in answers:
        assert answer.status == 200, (key, answer)
        assert answer.headers["x-roost-replica"] == pool.owners[key], (key, answer.headers)
    assert any(int(answer.headers.get("x-roost-held", 0)) > 100 for _, answer in answers)
    told = wait_until(lambda: [line for line in pool.lines() if "held_ms" in line], 5)
    assert {line["replica"] for line in told} <= {"Server 2", "Server 3"}
    assert {line["why"] for line in told} == {"owner is back"}
    assert {line["rank"] for line in told} == {0}
    assert all(line["held_ms"] <= line["ms"] for line in told)


def test_a_load_over_kills_is_answered_by_owners_alone(start, tmp_path):
    pool = Pool(start, tmp_path, "hold: 15s", 0.3)
    stop = asyncio.Event()

    async def main():
        load = asyncio.create_task(
            closed_loop_async(
                pool.roost.url + "/home", connections=24, stop=stop, keep_bodies=True,
                headers={"X-Request-ID": "key-{}"}, timeout_s=30,
            )
        )  # fmt: skip
        for name in ("Server 1", "Server 3"):
            await asyncio.sleep(0.2)
            await asyncio.to_thread(pool.kill, name)
            await asyncio.sleep(0.1)
            await asyncio.to_thread(pool.await_return, name)
        stop.set()
        return await load

    result = asyncio.run(main())
    assert result.lost == 0, result
    lines = [line for line in pool.lines() if line["path"] == "/home"]
    assert any(line.get("held_ms", 0) > 100 for line in lines)
    assert {line["rank"] for line in lines} == {0}


def one(roost):
    return roost.on_control("GET", "/v1/replicas/Server%201").json()


def test_a_single_replica_dies_and_no_get_fails(start):
    roost = start(
        config="services: [{name: web, hold: 30s, replicas: {driver: process, count: 1}}]\n"
    )
    with Background(roost.url + "/home", connections=16, timeout_s=40) as load:
        for _ in range(2):
            # Who is killed within his first second counts as crashing, and is not waited for.
            time.sleep(1.2)
            found = one(roost)
            os.kill(found["pid"], signal.SIGKILL)
            restarts = found["restarts"]
            wait_until(lambda: one(roost)["restarts"] > restarts, 10)
            wait_until(lambda: one(roost)["state"] == "up", 10)
    assert load.result.lost == 0, load.result
    assert load.result.answers > 100


def test_where_hold_is_off_they_go_to_the_next_rank_at_once(start, tmp_path):
    pool = Pool(start, tmp_path, "hold: off", 3)
    keys = pool.keys_of("Server 1")
    pool.kill("Server 1")
    pool.await_loss("Server 1")
    for key, answer in pool.answers(keys):
        assert answer.status == 200, (key, answer)
        assert answer.headers["x-roost-replica"] != "Server 1"
        assert "x-roost-held" not in answer.headers


def test_a_hold_that_is_too_short_ends_and_a_post_has_none(start, tmp_path):
    pool = Pool(start, tmp_path, "hold: 200ms", 2.5)
    keys = pool.keys_of("Server 1")
    pool.kill("Server 1")
    pool.await_loss("Server 1")
    post = pool.ask(keys[0], "POST")
    get = pool.ask(keys[0])
    assert post.headers["x-roost-replica"] == get.headers["x-roost-replica"] != "Server 1"
    assert "x-roost-held" not in post.headers
    assert 200 <= int(get.headers["x-roost-held"]) < 3000
    explained = pool.roost.on_control("GET", f"/v1/explain?key={keys[0]}").json()
    assert "or waits for it" in explained["why"], explained
    told = wait_until(lambda: [line for line in pool.lines() if "held_ms" in line], 5)
    assert [line["why"] for line in told] == ["owner is not back in time"]
    assert told[0]["rank"] == 1 and told[0]["held_ms"] >= 200
    pool.await_return("Server 1")
    back = pool.ask(keys[0])
    assert back.headers["x-roost-replica"] == "Server 1" and "x-roost-held" not in back.headers


def test_a_client_that_goes_while_it_waits_leaves_nothing_behind(start, tmp_path):
    pool = Pool(start, tmp_path, "hold: 60s", 1.5)
    key = pool.keys_of("Server 1")[0]
    pool.kill("Server 1")
    pool.await_loss("Server 1")

    def in_flight():
        return pool.roost.on_control("GET", "/stats").json()["total"]["in_flight"]

    raw = pool.roost.raw()
    raw.send(f"GET /home HTTP/1.1\r\nHost: a\r\nX-Request-ID: {key}\r\n\r\n")
    wait_until(lambda: in_flight() == 1, 5, "it waits")
    raw.reset()
    wait_until(lambda: in_flight() == 0, 5, "it is forgotten")
    told = wait_until(lambda: [line for line in pool.lines() if line["status"] == 499], 5)
    assert told[0]["why"] == "waits for its owner" and told[0]["held_ms"] > 0
    pool.await_return("Server 1")
    assert pool.ask(key).headers["x-roost-replica"] == "Server 1"


def test_a_balancer_that_stops_waits_for_nobody(start, tmp_path):
    pool = Pool(start, tmp_path, "hold: 60s", 30)
    key = pool.keys_of("Server 1")[0]
    pool.kill("Server 1")
    pool.await_loss("Server 1")
    answers = []
    thread = threading.Thread(target=lambda: answers.append(pool.ask(key)))
    thread.start()
    stats = lambda: pool.roost.on_control("GET", "/stats").json()["total"]  # noqa: E731
    wait_until(lambda: stats()["in_flight"] == 1, 5, "it waits")
    began = time.monotonic()
    assert pool.roost.terminate() == 0
    thread.join()
    assert answers[0].status == 200 and answers[0].headers["x-roost-replica"] != "Server 1"
    assert time.monotonic() - began < 15


def test_addresses_of_others_are_not_waited_for(tmp_path):
    path = tmp_path / "roost.yaml"
    path.write_text(
        "services:\n  - hold: 1s\n"
        '    replicas: {driver: static, addresses: {a: "127.0.0.1:1"}}\n',
        encoding="utf-8",
    )
    command = [BINARY, "check", "-c", path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done
    assert "services[0].hold: has no effect under the driver static" in done.stderr, done
