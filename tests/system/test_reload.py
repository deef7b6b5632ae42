"""POST /v1/reload, `roost ctl reload` and SIGHUP: the configuration is read again while everything
runs. What is changed is changed everywhere, what is refused changes nothing, and no request fails.
"""

import http.client
import os
import resource
import signal
import socket
import subprocess
import threading
import time

import pytest

from balancer import BINARY, RawSocket, free_port, request, wait_until
from load import Background

ROUNDS, ROUNDS_LONG = 4, 20
KEPT, KEPT_LONG = 20, 50
RATE, RATE_LONG = 300, 1000
NEW_THREADS = 4
WORKERS = [4, 1, 2, 3]
SMILE = "\N{SLIGHTLY SMILING FACE}"


class Reloaded:
    """A balancer of a file that can be written anew."""

    def __init__(self, start, **settings):
        self.start = start
        self.roost = start.prepare()
        self.roost.state.mkdir()
        self.path = self.roost.folder / "roost.yaml"
        self.write(**settings)
        # The file says it all: flags would win over it.
        self.roost.command = lambda: [str(BINARY), "serve", "-c", str(self.path)]
        self.roost.start()

    def write(self, workers=2, more=(), drain="1s", top="", service=""):
        ports = (self.roost.port, *more)
        listen = ", ".join(f"{{address: '127.0.0.1:{port}'}}" for port in ports)
        self.path.write_text(
            f"listen: [{listen}]\n"
            f"control: {{address: 127.0.0.1:{self.roost.control_port}}}\n"
            f"state: {self.roost.state}\n"
            f"workers: {workers}\n"
            f"{top}"
            "services:\n"
            "  - name: web\n"
            "    replicas: {count: 2}\n"
            f"    timeouts: {{drain: {drain}}}\n"
            f"{service}",
            encoding="utf-8",
        )

    def reload(self, status=200):
        answer = self.roost.on_control("POST", "/v1/reload")
        assert answer.status == status, answer
        return answer.json()

    def status(self):
        return self.roost.on_control("GET", "/v1/status").json()

    def workers(self):
        return len(self.roost.pids_with("roost worker"))

    def ctl(self, *arguments):
        return subprocess.run(
            [str(BINARY), "ctl", *arguments, "--control", self.roost.control],
            capture_output=True, text=True, timeout=30, env=self.roost.environment,
        )  # fmt: skip


@pytest.fixture
def reloaded(start):
    return Reloaded(start)


class NewConnections:
    """GETs, each on a connection of its own, so many a second; those that fail are in .failures."""

    def __init__(self, port, rate):
        self.port, self.rate = port, rate
        self.failures = []
        self.count = 0
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self.run) for _ in range(NEW_THREADS)]

    def run(self):
        due = time.monotonic()
        while not self.stop.is_set():
            due += NEW_THREADS / self.rate
            time.sleep(max(0, due - time.monotonic()))
            try:
                answer = request(self.port, "GET", "/home")
                if answer.status != 200:
                    self.failures.append(repr(answer))
            except (OSError, http.client.HTTPException) as why:
                self.failures.append(repr(why))
            self.count += 1

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()


# ---- generations ----


def test_no_request_fails_while_workers_and_addresses_change(reloaded, is_long):
    roost = reloaded.roost
    other = free_port()
    rounds = ROUNDS_LONG if is_long else ROUNDS
    kept = KEPT_LONG if is_long else KEPT
    with (
        NewConnections(roost.port, RATE_LONG if is_long else RATE) as fresh,
        Background(roost.url + "/home", connections=kept) as load,
    ):
        for number in range(rounds):
            workers = WORKERS[number % len(WORKERS)]
            more = [other] if number % 2 == 0 else []
            reloaded.write(workers=workers, more=more)
            answer = reloaded.reload()
            assert answer["generation"] == number + 2
            assert answer["workers"] == workers
            assert len(answer["listeners"]) == 1 + len(more)
            if more:
                assert request(other, "GET", "/home").status == 200
            time.sleep(0.5)
        time.sleep(1.5)
    assert fresh.count > 100
    assert not fresh.failures, (len(fresh.failures), fresh.count, fresh.failures[:5])
    assert load.result.answers > 100
    assert load.result.lost == 0, load.result
    wait_until(lambda: reloaded.workers() == WORKERS[(rounds - 1) % len(WORKERS)], 10)
    assert len(reloaded.status()["listeners"]) == len(answer["listeners"])


@pytest.mark.parametrize("before,after", [(2, 4), (4, 1), (1, 2)])
def test_every_socket_is_served_by_the_new_generation(start, before, after):
    reloaded = Reloaded(start, workers=before)
    reloaded.write(workers=after)
    reloaded.reload()
    wait_until(lambda: reloaded.workers() == after, 10)
    # The kernel spreads connections over all sockets there are.
    assert all(reloaded.roost.get("/home").status == 200 for _ in range(100))
    assert {one["number"] for one in reloaded.status()["workers"]} == set(range(after))


def test_an_address_that_is_removed_is_closed_after_what_came_by_it(reloaded):
    other = free_port()
    reloaded.write(more=[other])
    assert reloaded.reload()["changed"] == ["listen"]
    with RawSocket(other) as raw:
        raw.send("GET /slow/500 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(0.1)
        reloaded.write()
        assert len(reloaded.reload()["listeners"]) == 1
        answer = raw.read_answer()
    assert answer.headers.get("connection") == "close", "the table still knows the address"

    def is_refused():
        try:
            request(other, "GET", "/home")
        except ConnectionRefusedError:
            return True
        return False

    wait_until(is_refused, 5)
    assert reloaded.roost.get("/home").status == 200
    wait_until(lambda: reloaded.workers() == 2, 10)
    reloaded.write(more=[other])
    reloaded.reload()
    assert request(other, "GET", "/home").status == 200


def test_a_worker_of_the_new_generation_that_crashes_is_started_again(reloaded):
    reloaded.write(workers=1)
    reloaded.reload()
    wait_until(lambda: reloaded.workers() == 1, 10)
    victim = reloaded.roost.pids_with("roost worker")[0]
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: reloaded.roost.pids_with("roost worker") not in ([], [victim]), 10)
    assert all(reloaded.roost.get("/home").status == 200 for _ in range(20))


def test_the_end_during_a_drain_is_the_end(reloaded):
    with reloaded.roost.raw() as raw:
        raw.send("GET /slow/500 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(0.1)
        reloaded.write(workers=3)
        reloaded.reload()
        assert reloaded.roost.terminate() == 0
        raw.read_answer()


# ---- what a table can say ----


def test_what_a_table_can_say_needs_no_new_generation(reloaded):
    pids = set(reloaded.roost.pids_with("roost worker"))
    before = reloaded.status()["table"]
    reloaded.write(
        top="limits: {target-bytes: 64}\n",
        service="    expose-replica: true\n    retries: {attempts: 1}\n",
    )
    answer = reloaded.reload()
    assert sorted(answer["changed"]) == [
        "limits.target-bytes", "services[0].expose-replica", "services[0].retries.attempts",
    ]  # fmt: skip
    assert answer["generation"] == 1
    assert answer["epoch"] == before["epoch"] + 1
    assert set(reloaded.roost.pids_with("roost worker")) == pids
    assert "x-roost-replica" in reloaded.roost.get("/home").headers
    assert reloaded.roost.get("/" + "x" * 100).status == 414
    assert reloaded.status()["table"]["digest"] == before["digest"], "no key moves"


def test_an_unchanged_file_changes_nothing(reloaded):
    pids = set(reloaded.roost.pids())
    epoch = reloaded.status()["table"]["epoch"]
    for _ in range(2):
        answer = reloaded.reload()
        assert answer["changed"] == []
        assert (answer["generation"], answer["epoch"]) == (1, epoch)
    assert set(reloaded.roost.pids()) == pids


def test_the_pool_is_not_touched(reloaded):
    reloaded.roost.on_control("POST", "/v1/replicas", {"names": ["extra"]})
    reloaded.write(workers=1, drain="2s")
    reloaded.reload()
    assert reloaded.roost.states() == {"Server 1": "up", "Server 2": "up", "extra": "up"}
    removed = reloaded.roost.on_control("DELETE", "/v1/replicas", {"names": ["extra"]})
    assert removed.status == 200


# ---- what is refused ----


def test_an_invalid_file_is_refused_with_its_place(reloaded):
    pids = set(reloaded.roost.pids())
    reloaded.write(top="limitz: {}\n", service="    expose-replica: perhaps\n")
    answer = reloaded.reload(400)
    assert f"{reloaded.path}:5:1" in answer["error"]
    assert len(answer["errors"]) == 2
    assert f"{reloaded.path}:10:21" in answer["errors"][1] and "perhaps" in answer["errors"][1]
    for rubbish in (b"limits: {\xc3\x28: 1}\n", b"workers: '\xff\xfe'\n"):
        reloaded.path.write_bytes(rubbish)
        assert str(reloaded.path) in reloaded.reload(400)["error"]
    for shift in range(4):
        pad = "a" * shift
        reloaded.write(top=f"{pad}{SMILE * 90}: 1\ncompat: {pad}{SMILE * 300}\n")
        assert str(reloaded.path) in reloaded.reload(400)["error"]
    reloaded.path.write_text("workers: [", encoding="utf-8")
    assert str(reloaded.path) in reloaded.reload(400)["error"]
    reloaded.path.unlink()
    assert str(reloaded.path) in reloaded.reload(400)["error"]
    assert set(reloaded.roost.pids()) == pids
    assert reloaded.roost.get("/home").status == 200


def test_what_needs_a_restart_is_named_and_nothing_changes(reloaded):
    epoch = reloaded.status()["table"]["epoch"]
    reloaded.write(
        workers=3, top="log: {level: debug}\n", service="    balance: {scheme: ketama}\n"
    )
    answer = reloaded.reload(409)
    assert set(answer["restart"]) >= {"log.level", "services[0].balance.scheme"}
    assert "restart" in answer["error"] and "log.level" in answer["error"]
    reloaded.write(service="  - name: second\n    match: {path: /second}\n")
    assert "services" in reloaded.reload(409)["restart"]
    assert reloaded.status()["table"]["epoch"] == epoch
    assert reloaded.workers() == 2


def test_a_taken_address_is_refused_and_all_is_as_before(reloaded):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        reloaded.write(workers=4, more=[free_port(), port])
        assert str(port) in reloaded.reload(409)["error"]
        assert len(reloaded.status()["listeners"]) == 1
        assert reloaded.workers() == 2
        assert all(reloaded.roost.get("/home").status == 200 for _ in range(50))
    assert reloaded.reload()["workers"] == 4


def limit(pid, what, soft):
    """Lowers a limit of that process; what it was before."""
    before = resource.prlimit(pid, what)
    resource.prlimit(pid, what, (soft, before[1]))
    return before


def test_without_descriptors_for_it_all_is_as_before(reloaded):
    pids = set(reloaded.roost.pids())
    used = len(os.listdir(f"/proc/{reloaded.roost.pid}/fd"))
    reloaded.write(workers=8)
    for spare in (3, 12, 20):
        before = limit(reloaded.roost.pid, resource.RLIMIT_NOFILE, used + spare)
        answer = reloaded.reload(409)
        resource.prlimit(reloaded.roost.pid, resource.RLIMIT_NOFILE, before)
        assert "Too many open files" in answer["error"]
        wait_until(lambda: set(reloaded.roost.pids()) == pids, 10)
        assert len(reloaded.status()["listeners"]) == 1
        assert all(reloaded.roost.get("/home").status == 200 for _ in range(50))
    assert reloaded.reload()["workers"] == 8


def test_workers_that_cannot_start_leave_those_before_in_place(reloaded):
    pids = set(reloaded.roost.pids())
    reloaded.write(workers=3)
    before = limit(reloaded.roost.pid, resource.RLIMIT_STACK, 4096)
    answer = reloaded.reload(503)
    resource.prlimit(reloaded.roost.pid, resource.RLIMIT_STACK, before)
    assert "before they are ready" in answer["error"]
    wait_until(lambda: set(reloaded.roost.pids()) == pids, 10)
    assert all(reloaded.roost.get("/home").status == 200 for _ in range(50))
    assert reloaded.reload()["workers"] == 3


# ---- who asks ----


def test_ctl_says_what_changed(reloaded):
    done = reloaded.ctl("reload")
    assert (done.returncode, done.stderr) == (0, "")
    assert "nothing" in done.stdout
    reloaded.write(workers=3)
    done = reloaded.ctl("reload")
    assert done.returncode == 0
    assert "workers" in done.stdout and "generation 2" in done.stdout
    reloaded.write(workers="many")
    done = reloaded.ctl("reload")
    assert done.returncode == 1
    assert f"{reloaded.path}:4:10" in done.stderr


def test_sighup_reloads(reloaded):
    reloaded.roost.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "event=reload.unchanged" in reloaded.roost.log_text(), 10)
    reloaded.write(workers=1)
    reloaded.roost.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "reload.done" in reloaded.roost.log_text(), 10)
    wait_until(lambda: reloaded.workers() == 1, 10)
    reloaded.write(workers="many")
    reloaded.roost.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "reload.refused" in reloaded.roost.log_text(), 10)
    assert reloaded.roost.get("/home").status == 200


def test_a_token_of_the_environment_stays(start):
    roost = start("--num-servers", 1, environment={"ROOST_CONTROL_TOKEN": "the-token-of-this-test"})
    assert roost.on_control("POST", "/v1/reload").status == 401
    bearer = {"Authorization": "Bearer the-token-of-this-test"}
    answer = roost.on_control("POST", "/v1/reload", headers=bearer)
    assert answer.status == 200, answer
    assert answer.json()["changed"] == []


def test_the_limit_of_an_address_holds_over_generations(reloaded):
    """What is open in workers that are being replaced counts for their successors."""
    top = "limits: {client-connections: 4}\n"
    reloaded.write(top=top, drain="20s")
    reloaded.reload()
    long = [reloaded.roost.raw() for _ in range(4)]
    for raw in long:
        raw.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n")
    wait_until(lambda: in_flight(reloaded.roost) == 4)
    assert is_refused(reloaded.roost)
    reloaded.write(top=top, drain="20s", workers=3)
    reloaded.reload()
    assert all(is_refused(reloaded.roost) for _ in range(10))
    # A higher limit counts at once, also for what is open already.
    reloaded.write(top="limits: {client-connections: 6}\n", drain="20s", workers=3)
    reloaded.reload()
    more = [reloaded.roost.raw() for _ in range(2)]
    for raw in more:
        raw.send("GET /home HTTP/1.1\r\nHost: a\r\n\r\n")
        assert raw.read_answer().status == 200
    assert is_refused(reloaded.roost)
    for raw in long:
        raw.send("end")
        assert raw.read_answer().body == b"end"
        raw.close()
    wait_until(lambda: not is_refused(reloaded.roost))
    for raw in more:
        raw.close()


def in_flight(roost):
    return roost.on_control("GET", "/stats").json()["total"]["in_flight"]


def is_refused(roost):
    with roost.raw() as raw:
        raw.send("GET /home HTTP/1.1\r\nHost: a\r\n\r\n")
        return raw.read_answer().status == 429
