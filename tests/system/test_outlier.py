"""Replicas whose own answers show that they are broken lose their traffic for a while: who, when, and
above all who does not."""

import os
import signal
import subprocess
import threading
import time

import pytest

from balancer import wait_until
from events_reader import Events
from load import Background
from raw_replica import RawReplica, config_for
from test_faults import owner_of

COUNT = 4
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
RULES = "outlier: { consecutive-5xx: 5, base: 400ms, most: 2s }"
WAIT_S = 20


def answering(status, body=b"broken"):
    head = f"HTTP/1.1 {status} Whatever\r\nContent-Length: {len(body)}\r\nX-From: replica\r\n\r\n"
    return head.encode() + body


class Crew:
    def __init__(self, start, service=RULES, count=COUNT, **options):
        self.replicas = [RawReplica() for _ in range(count)]
        self.roost = start(config=config_for(self.replicas, service=service, **options))
        self.numbers = iter(range(1 << 30))

    def end(self):
        for replica in self.replicas:
            replica.end()

    def name(self, which):
        return f"web-{which + 1}"

    def replica(self, which):
        answer = self.roost.on_control("GET", f"/v1/replicas/{self.name(which)}")
        return answer.json()

    def state(self, which):
        return self.replica(which)["state"]

    def states(self):
        return [self.state(which) for which in range(len(self.replicas))]

    def wait_state(self, which, state):
        wait_until(lambda: self.state(which) == state, WAIT_S, f"{self.name(which)} is {state}")

    def send(self, key=None):
        return self.roost.get("/", {"X-Request-ID": key or f"key-{next(self.numbers)}"})

    def keys_of(self, which, count):
        """Keys that this replica owns, found by asking where they go."""
        keys = []
        while len(keys) < count:
            key = f"own-{next(self.numbers)}"
            if self.explain(key)["goes_to"] == self.name(which):
                keys.append(key)
        return keys

    def explain(self, key):
        return self.roost.on_control("GET", f"/v1/explain?key={key}").json()

    def eject(self, which, status=500):
        """Lets it answer with that until it is ejected; the keys it was asked for."""
        keys = self.keys_of(which, 5)
        self.replicas[which].answer = answering(status)
        for key in keys:
            assert self.send(key).status == status
        self.wait_state(which, "ejected")
        return keys

    def log(self, event):
        return self.roost.log_text().count(f"event={event} ")


@pytest.fixture
def crew(start):
    made = Crew(start)
    yield made
    made.end()


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_replica_that_answers_5xx_in_a_row_loses_its_keys_and_gets_them_back(start, status):
    crew = Crew(start)
    try:
        digest = crew.roost.on_control("GET", "/stats").json()["ring"]["digest"]
        keys = crew.eject(0, status)
        asked = len(crew.replicas[0].requests)
        assert asked == 5
        # It is asked no more, and nobody else's keys have moved.
        for key in keys:
            answer = crew.send(key)
            assert answer.status == 200 or crew.state(0) != "ejected"
        crew.replicas[0].answer = OK
        crew.wait_state(0, "probation")
        for _ in range(3):
            wait_until(lambda: crew.send(keys[0]).status == 200, WAIT_S)
        crew.wait_state(0, "up")
        crew.replicas[0].forget()
        for key in keys:
            assert crew.send(key).status == 200
        assert len(crew.replicas[0].requests) == len(keys), "its keys are back"
        assert crew.roost.on_control("GET", "/stats").json()["ring"]["digest"] == digest
    finally:
        crew.end()


def test_an_ejection_is_visible_everywhere(crew):
    roost = crew.roost
    with Events(roost) as events:
        (key, *_) = crew.eject(1)
        seen = crew.replica(1)
        explained = crew.explain(key)
        table = subprocess.run(
            [roost.binary, "ctl", "status", "--control", roost.control],
            capture_output=True, text=True, timeout=WAIT_S, check=True,
        ).stdout  # fmt: skip
        ejected = events.named("replica.ejected", "web-2")
        crew.replicas[1].answer = OK
        crew.wait_state(1, "probation")
        wait_until(lambda: crew.send(key) and crew.state(1) == "up", WAIT_S)
        events.named("replica.restored", "web-2")
        events.named("replica.probation", "web-2")
    if seen["state"] == "ejected":  # on a slow machine its time may be over
        assert seen["ejected_until"] > seen["since"]
        assert seen["reason"] == "5 answers 5xx in a row"
    if explained["ranks"][0]["state"] == "ejected":
        assert explained["ranks"][0] == {"name": "web-2", "state": "ejected", "skip": "ejected"}
        assert explained["goes_to"] == explained["ranks"][1]["name"]
        assert "is ejected" in explained["why"]
    assert "ejected until " in table or "probation" in table
    assert ejected["cause"] == "5 answers 5xx in a row"
    assert (ejected["state"], ejected["before"]) == ("ejected", "up")
    assert (ejected["ejections"], ejected["ejected_ms"], ejected["moved"]) == (1, 400, 0)
    for event in ("replica.ejected", "replica.probation", "replica.restored"):
        assert crew.log(event) >= 1


def test_a_bad_answer_on_probation_ejects_again_for_twice_as_long(crew):
    keys = crew.eject(2)
    crew.wait_state(2, "probation")
    with Events(crew.roost, "?last=1") as events:
        wait_until(lambda: crew.send(keys[0]).status == 500, WAIT_S)
        again = events.wait_for(lambda event: event.get("ejections") == 2)
    assert (again["what"], again["replicas"]) == ("replica.ejected", ["web-3"])
    assert again["ejected_ms"] == 800
    assert again["cause"] == "an answer 5xx on probation"


def test_on_probation_one_request_at_a_time_is_tried(start):
    crew = Crew(start, service="outlier: { consecutive-5xx: 5, base: 300ms, most: 300ms }")
    try:
        keys = crew.eject(0)
        release = threading.Event()
        waiting = []

        def holds(connection, request):
            waiting.append(request)
            release.wait(WAIT_S)
            connection.send(OK)

        crew.replicas[0].answer = holds
        crew.wait_state(0, "probation")
        trial = threading.Thread(target=crew.send, args=(keys[0],))
        trial.start()
        wait_until(lambda: len(waiting) == 1, WAIT_S)
        for key in keys:
            assert crew.send(key).status == 200
        assert len(waiting) == 1
        release.set()
        trial.join()
        wait_until(lambda: crew.send(keys[0]) and crew.state(0) == "up", WAIT_S)
    finally:
        release.set()
        crew.end()


def test_where_all_answer_5xx_half_stay_and_their_answers_pass_unchanged(crew):
    for replica in crew.replicas:
        replica.answer = answering(503, b"mine")
    for number in range(200):
        answer = crew.send()
        assert (answer.status, answer.body) == (503, b"mine")
        assert answer.headers["x-from"] == "replica"
        if number % 20 == 0:
            assert sum(state != "up" for state in crew.states()) <= COUNT // 2
    wait_until(lambda: crew.log("replica.not_ejected"), WAIT_S)
    assert sum(state != "up" for state in crew.states()) == COUNT // 2


def test_the_last_one_is_never_ejected(start):
    crew = Crew(start, count=1)
    try:
        crew.replicas[0].answer = answering(500)
        for _ in range(30):
            assert crew.send().status == 500
        wait_until(lambda: crew.log("replica.not_ejected"), WAIT_S)
        assert crew.states() == ["up"]
    finally:
        crew.end()


def test_neither_4xx_nor_one_good_answer_between_nor_clients_that_leave_eject_anybody(crew):
    key = crew.keys_of(0, 1)[0]
    for status in (400, 401, 404, 408, 429, 499):
        crew.replicas[0].answer = answering(status)
        for _ in range(10):
            assert crew.send(key).status == status
    for _ in range(5):
        for status in (500, 500, 500, 500, 200):
            crew.replicas[0].answer = answering(status)
            assert crew.send(key).status == status
    begun = len(crew.replicas[0].requests)
    crew.replicas[0].answer = lambda connection, _: connection.silence()
    for number in range(10):
        with crew.roost.raw() as raw:
            raw.send(f"GET / HTTP/1.1\r\nHost: a\r\nX-Request-ID: {key}\r\n\r\n")
            crew.replicas[0].wait_requests(begun + number + 1)
            raw.reset()
    # Enough time for the keeper to have looked, shown by another replica that it did eject.
    crew.eject(1)
    assert crew.state(0) == "up"
    assert crew.log("replica.ejected") == 1


def test_workers_count_together(start):
    crew = Crew(start, service="outlier: { consecutive-5xx: 10, base: 60s }", workers=2)
    try:
        workers = crew.roost.pids_with("roost worker")
        key = crew.keys_of(0, 1)[0]
        connections = {}
        unused = []
        while len(connections) < 2:
            raw = crew.roost.raw()
            raw.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert raw.read_answer().status == 200
            connections.setdefault(owner_of(crew.roost, raw, workers), raw)
            unused.append(raw)
            assert len(unused) < 200
        crew.replicas[0].answer = answering(500)
        for number in range(10):
            assert crew.state(0) == "up", number
            raw = list(connections.values())[number % 2]
            raw.send(f"GET / HTTP/1.1\r\nHost: a\r\nX-Request-ID: {key}\r\n\r\n")
            assert raw.read_answer().status == 500
        crew.wait_state(0, "ejected")
        assert crew.replica(0)["reason"] == "10 answers 5xx in a row"
        for raw in unused:
            raw.close()
    finally:
        crew.end()


def test_by_default_nobody_is_ejected(start):
    crew = Crew(start, service="")
    try:
        for replica in crew.replicas:
            replica.answer = answering(500)
        for _ in range(60):
            assert crew.send().status == 500
        assert crew.states() == ["up"] * COUNT
        assert crew.log("replica.ejected") == 0
    finally:
        crew.end()


def test_a_reload_changes_the_rules_and_switching_off_restores(crew):
    crew.eject(0)
    config = crew.roost.folder / "roost.yaml"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace(RULES, "outlier: { floor: 75% }"), encoding="utf-8")
    answer = crew.roost.on_control("POST", "/v1/reload")
    assert answer.status == 200, answer
    crew.wait_state(0, "up")
    config.write_text(
        text.replace(RULES, "outlier: { consecutive-5xx: 2, base: 60s }"), encoding="utf-8"
    )
    assert crew.roost.on_control("POST", "/v1/reload").status == 200
    for key in crew.keys_of(0, 2):
        crew.send(key)
    crew.wait_state(0, "ejected")
    assert crew.replica(0)["reason"] == "2 answers 5xx in a row"


SLOW_RULES = (
    "outlier: { latency-factor: 3, latency-min: 20ms, latency-window: 1s, latency-requests: 10, "
    "base: 500ms, most: 1s }"
)


def test_a_replica_that_is_slower_than_the_others_is_ejected_until_it_is_not(start):
    crew = Crew(start, service=SLOW_RULES)

    def slowly(connection, _):
        time.sleep(0.2)
        connection.send(OK)

    try:
        crew.replicas[3].answer = slowly
        with Background(crew.roost.url + "/", connections=16) as load:
            crew.wait_state(3, "ejected")
            reason = crew.replica(3)["reason"]
            with Events(crew.roost, "?last=4096") as events:
                # Slow on probation as well: out again, for longer.
                events.wait_for(
                    lambda event: event["what"] == "replica.ejected" and event["ejections"] >= 2
                )
            crew.replicas[3].answer = OK
            crew.wait_state(3, "up")
        assert load.result.lost == 0
        assert reason is None or reason.startswith("slow: half of ")
        assert crew.roost.log_text().count("event=replica.ejected") == crew.roost.log_text().count(
            "replica=web-4 milliseconds="
        ), "nobody else was ejected"
    finally:
        crew.end()


def test_when_everything_was_stopped_nobody_is_ejected(start):
    roost = start(
        config="compat: off\nworkers: 1\nlog: { access: off }\n"
        "services: [{name: web, replicas: {driver: process, count: 4}, "
        "outlier: {consecutive-5xx: 3, latency-factor: 1.5, latency-min: 1ms, "
        "latency-window: 1s, latency-requests: 5}}]\n"
    )
    with Background(roost.url + "/slow/5", connections=8) as load:
        time.sleep(0.3)
        for _ in range(2):
            pids = roost.pids()
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            time.sleep(1.2)
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
            time.sleep(0.3)
        wait_until(roost.has_all_up, WAIT_S)
    assert load.result.statuses[200] > 0
    assert "replica.ejected" not in roost.log_text()
