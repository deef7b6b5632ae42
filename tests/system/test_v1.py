"""The API v1: what it shows, what it changes, what it refuses."""

import os
import re
import signal
import threading
import time
from pathlib import Path

import pytest

from balancer import wait_until

REPLICA = {
    "name", "service", "state", "since", "reason", "ejected_until", "address", "pid",
    "incarnation", "restarts", "next_start_ms", "healed_ms", "cpu_percent", "cpu_s",
    "memory_bytes", "weight", "drained", "share", "in_flight", "requests", "failures", "p50_ms",
    "p99_ms",
}  # fmt: skip
ONE_REPLICA = "services: [{name: web, replicas: {driver: process, count: 1}}]\n"
TWO_SERVICES = """
services:
  - {name: shop, match: {path: /shop}, replicas: {driver: process, count: 2, names: [s 1, s 2]}}
  - {name: rest, replicas: {driver: process, count: 1, names: [r1], weights: {r1: 3, r2: 5}}}
"""


@pytest.fixture(scope="module")
def pool(shared_roost):
    """Three replicas that no test changes: looks and refusals."""
    yield shared_roost
    assert shared_roost.replicas() == ["Server 1", "Server 2", "Server 3"]


def v1(roost, method, path, body=None, headers=None):
    return roost.on_control(method, "/v1" + path, body, headers)


def error_of(answer, status):
    assert answer.status == status, answer
    body = answer.json()
    assert set(body) == {"error"}
    return body["error"]


def names_in(answer):
    return [replica["name"] for replica in answer.json()["replicas"]]


def tag_of(roost):
    return v1(roost, "GET", "/replicas").headers["etag"]


# ---- looking ----


def test_when_it_was_started_is_the_same_whenever_it_is_asked(pool):
    def started():
        status = pool.on_control("GET", "/v1/status").json()
        return (status["node"]["started"], *[worker["started"] for worker in status["workers"]])

    assert len({started() for _ in range(30)}) == 1


def test_status_shows_node_workers_listeners_services_and_replicas(pool):
    for number in range(30):
        pool.get("/home", {"X-Request-ID": f"k{number}"})
    status = v1(pool, "GET", "/status").json()
    assert status["node"]["pid"] == pool.pid
    assert status["node"]["phase"] == "serving"
    assert re.fullmatch(r"\d+\.\d+\.\d+", status["node"]["version"])
    assert status["node"]["uptime_s"] > 0
    assert status["table"]["epoch"] == status["table"]["adopted"]
    assert f"127.0.0.1:{pool.port}" in status["listeners"]
    assert f"127.0.0.1:{pool.control_port}" in status["control"]
    for worker in status["workers"]:
        assert worker["pid"] in pool.pids()
        assert worker["epoch"] == status["table"]["epoch"]
        assert worker["ready"] is True
    (service,) = status["services"]
    assert service["name"] == "web"
    assert service["key"] == ["header:X-Request-ID", "random"]
    assert [replica["name"] for replica in service["replicas"]] == [
        "Server 1", "Server 2", "Server 3",
    ]  # fmt: skip
    for replica in service["replicas"]:
        assert set(replica) == REPLICA
        assert replica["state"] == "up"
        assert replica["pid"] in pool.pids()
    assert sum(replica["share"] for replica in service["replicas"]) == pytest.approx(1)
    assert sum(replica["requests"] for replica in service["replicas"]) >= 30
    assert status["total"]["statuses"]["2xx"] >= 30


def test_the_workers_turns_go_on(pool):
    def turns():
        return sum(worker["turns"] for worker in v1(pool, "GET", "/status").json()["workers"])

    before = turns()
    for _ in range(10):
        pool.get("/home")
    assert turns() > before


def test_replicas_are_listed_and_read_one_by_one(pool):
    whole = v1(pool, "GET", "/services/web/replicas")
    assert whole.status == 200
    assert names_in(whole) == ["Server 1", "Server 2", "Server 3"]
    assert names_in(v1(pool, "GET", "/replicas")) == names_in(whole)
    one = v1(pool, "GET", "/services/web/replicas/Server%202")
    assert one.json()["name"] == "Server 2"
    assert set(one.json()) == REPLICA
    assert v1(pool, "GET", "/replicas/Server%202").json()["address"] == one.json()["address"]
    assert one.headers["etag"] == whole.headers["etag"] == f'"{whole.json()["epoch"]}"'


def test_what_is_not_there_is_404_and_names_it(pool):
    assert "'nobody'" in error_of(v1(pool, "GET", "/replicas/nobody"), 404)
    assert "'none'" in error_of(v1(pool, "GET", "/services/none/replicas"), 404)
    assert "'none'" in error_of(v1(pool, "GET", "/ring?service=none"), 404)
    error_of(v1(pool, "DELETE", "/replicas/nobody"), 404)
    error_of(v1(pool, "PATCH", "/replicas/nobody", {"weight": 2}), 404)
    error_of(v1(pool, "GET", "/nothing"), 404)


def test_other_methods_are_405_with_allow(pool):
    answer = v1(pool, "PUT", "/replicas")
    error_of(answer, 405)
    assert answer.headers["allow"] == "GET, HEAD, POST, DELETE"
    assert v1(pool, "POST", "/status").headers["allow"] == "GET, HEAD"


# ---- refusals ----


@pytest.mark.parametrize(
    "body",
    [
        None, "x", "[]", "{\"count\":}", {"count": 0}, {"count": 1001}, {"count": "1"},
        {"count": 1.5}, {"names": "a"}, {"names": [1]}, {"names": ["a", "a"]}, {"names": ["-a"]},
        {"names": [""]}, {"names": ["x" * 64]}, {"names": ["a/b"]}, {"n": 1},
        {"count": 1, "names": ["a", "b"]},
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_a_body_that_is_none_is_400(pool, method, body):
    error_of(v1(pool, method, "/replicas", body), 400)


@pytest.mark.parametrize(
    "body",
    [
        {}, {"weight": -1}, {"weight": 65536}, {"weight": "2"}, {"weight": 1.5}, {"drain": 1},
        {"weight": 1, "drain": True}, {"wait": 1}, {"weight": None},
    ],
)  # fmt: skip
def test_a_weight_that_is_none_is_400(pool, body):
    error_of(v1(pool, "PATCH", "/replicas/Server%201", body), 400)


def test_a_name_that_exists_is_409_and_nothing_was_started(pool):
    before = len(pool.pids_with(" replica"))
    assert "Server 2" in error_of(
        v1(pool, "POST", "/replicas", {"names": ["fresh", "Server 2"]}), 409
    )
    assert len(pool.pids_with(" replica")) == before


def test_more_than_limits_replicas_is_409(start):
    roost = start(config="limits: {replicas: 4}\n" + ONE_REPLICA)
    assert "limits.replicas" in error_of(v1(roost, "POST", "/replicas", {"count": 4}), 409)
    assert "limits.replicas" in error_of(v1(roost, "POST", "/plan", {"add": {"count": 4}}), 409)
    assert v1(roost, "POST", "/replicas", {"count": 3}).status == 201


def test_static_replicas_are_409_but_have_weights(start):
    first = start("--num-servers", 1)
    (address,) = [r["address"] for r in v1(first, "GET", "/replicas").json()["replicas"]]
    config = (
        "services: [{name: web, replicas: {driver: static, addresses: {a: '%s', b: '%s'}}}]\n"
        % (address, address)
    )
    roost = start(config=config)
    assert "static" in error_of(v1(roost, "POST", "/replicas", {"names": ["x"]}), 409)
    assert "static" in error_of(v1(roost, "DELETE", "/replicas/a"), 409)
    assert v1(roost, "PATCH", "/replicas/a", {"drain": True}).status == 200
    shares = {r["name"]: r["share"] for r in v1(roost, "GET", "/replicas").json()["replicas"]}
    assert shares == {"a": 0, "b": 1}


# ---- changes ----


def test_post_adds_and_answers_201_when_they_serve(roost):
    answer = v1(roost, "POST", "/replicas", {"count": 3, "names": ["S4", "S5"]})
    assert answer.status == 201
    body = answer.json()
    assert body["added"][:2] == ["S4", "S5"]
    assert len(body["added"]) == 3
    assert body["pending"] is False
    assert names_in(answer) == ["Server 1", "Server 2", "Server 3", *body["added"]]
    assert {replica["state"] for replica in body["replicas"]} == {"up"}
    assert answer.headers["etag"] == f'"{body["epoch"]}"'
    assert roost.replicas() == names_in(answer)


def test_an_empty_object_adds_one(roost):
    assert len(v1(roost, "POST", "/replicas", {}).json()["added"]) == 1


def test_delete_of_a_replica_drains_it_and_its_request_is_answered(roost):
    key = next(
        key for key in range(1000)
        if v1(roost, "GET", f"/explain?key=k{key}").json()["goes_to"] == "Server 2"
    )  # fmt: skip
    answers = []

    def ask():
        answers.append(roost.get("/slow/800", {"X-Request-ID": f"k{key}"}))

    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(0.2)
    began = time.monotonic()
    answer = v1(roost, "DELETE", "/replicas/Server%202")
    assert time.monotonic() - began < 0.5
    assert answer.status == 200
    assert answer.json()["removed"] == ["Server 2"]
    leaving = v1(roost, "GET", "/status").json()["services"][0]["leaving"]
    assert [(r["name"], r["state"]) for r in leaving] == [("Server 2", "draining")]
    thread.join()
    assert answers[0].status == 200
    wait_until(lambda: len(roost.pids_with(" replica")) == 2, 5)
    assert v1(roost, "GET", "/status").json()["services"][0]["leaving"] == []


def test_delete_of_several_takes_the_named_and_others(roost):
    answer = v1(roost, "DELETE", "/replicas", {"count": 2, "names": ["Server 2"]})
    assert answer.status == 200
    assert answer.json()["removed"][0] == "Server 2"
    assert len(roost.replicas()) == 1
    said = error_of(v1(roost, "DELETE", "/replicas", {"count": 2}), 400)
    assert said == "there are only 1 replicas to remove"


def test_a_weight_of_three_gets_three_times_the_keys(roost):
    answer = v1(roost, "PATCH", "/replicas/Server%201", {"weight": 3})
    assert answer.status == 200
    assert answer.json()["changed"] == ["Server 1"]
    share = {r["name"]: r["share"] for r in answer.json()["replicas"]}
    assert share["Server 1"] == pytest.approx(0.6, abs=0.02)
    assert share["Server 2"] == pytest.approx(0.2, abs=0.02)


def test_a_drained_replica_gets_nothing_and_comes_back(roost):
    answer = v1(roost, "PATCH", "/replicas/Server%201", {"drain": True})
    one = answer.json()["replicas"][0]
    assert (one["weight"], one["drained"], one["share"], one["state"]) == (0, True, 0, "up")
    seen = {roost.get("/home").json()["message"] for _ in range(100)}
    assert seen == {"Hello from Server: 2", "Hello from Server: 3"}
    answer = v1(roost, "PATCH", "/replicas/Server%201", {"drain": False})
    assert answer.json()["replicas"][0]["weight"] == 1
    seen = {roost.get("/home").json()["message"] for _ in range(100)}
    assert len(seen) == 3


def test_a_weight_survives_a_restart_and_a_heal(start):
    roost = start()
    v1(roost, "PATCH", "/replicas/Server%202", {"weight": 7})
    one = v1(roost, "GET", "/replicas/Server%202").json()
    os.kill(one["pid"], signal.SIGKILL)
    wait_until(lambda: v1(roost, "GET", "/replicas/Server%202").json()["restarts"] == 1, 5)
    assert v1(roost, "GET", "/replicas/Server%202").json()["weight"] == 7
    assert roost.terminate() == 0
    roost.start()
    assert v1(roost, "GET", "/replicas/Server%202").json()["weight"] == 7


def test_services_are_addressed_by_name(start):
    roost = start(config=TWO_SERVICES)
    assert names_in(v1(roost, "GET", "/replicas")) == ["s 1", "s 2"]
    assert names_in(v1(roost, "GET", "/services/rest/replicas")) == ["r1"]
    assert v1(roost, "GET", "/services/shop/replicas/s%201").json()["service"] == "shop"
    answer = v1(roost, "POST", "/services/rest/replicas", {"names": ["r2"]})
    assert answer.status == 201
    assert {r["name"]: r["weight"] for r in answer.json()["replicas"]} == {"r1": 3, "r2": 5}
    assert names_in(v1(roost, "GET", "/replicas")) == ["s 1", "s 2"]
    services = v1(roost, "GET", "/services").json()["services"]
    assert [service["name"] for service in services] == ["shop", "rest"]
    assert v1(roost, "GET", "/ring?service=rest").json()["members"][1]["weight"] == 5
    assert v1(roost, "GET", "/explain?key=1&service=rest").json()["goes_to"] in ("r1", "r2")


def test_a_replica_that_cannot_start_is_502_with_the_reason(start):
    config = (
        "services: [{name: web, replicas: {driver: process, count: 0,"
        " command: [/bin/sh, -c, 'echo no such luck >&2; exit 7']}}]\n"
    )
    roost = start(config=config)
    assert "7" in error_of(v1(roost, "POST", "/replicas", {"names": ["a"]}), 502)
    assert names_in(v1(roost, "GET", "/replicas")) == []


def test_a_change_that_a_worker_does_not_acknowledge_is_202_and_happens(roost):
    worker = v1(roost, "GET", "/status").json()["workers"][0]
    os.kill(worker["pid"], signal.SIGSTOP)
    try:
        answer = v1(roost, "POST", "/replicas", {"names": ["S4"]})
    finally:
        os.kill(worker["pid"], signal.SIGCONT)
    assert answer.status == 202
    body = answer.json()
    assert (body["added"], body["pending"]) == (["S4"], True)
    assert "S4" in roost.replicas()
    wait_until(lambda: roost.states()["S4"] == "up", 5)
    table = v1(roost, "GET", "/status").json()["table"]
    assert table["adopted"] == table["epoch"]


def test_changes_at_the_same_time_are_done_one_after_the_other(roost):
    answers = []

    def add(name):
        answers.append(v1(roost, "POST", "/replicas", {"names": [name]}))

    threads = [threading.Thread(target=add, args=(f"T{number}",)) for number in range(5)]
    threads += [
        threading.Thread(target=v1, args=(roost, "PATCH", "/replicas/Server%201", {"weight": w}))
        for w in (2, 3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status for answer in answers] == [201] * 5
    assert len(roost.replicas()) == 8


# ---- If-Match ----


def test_a_plan_is_exact_and_its_epoch_lets_the_change_happen(roost):
    plan = v1(roost, "POST", "/plan", {"add": {"names": ["S4"]}})
    assert plan.status == 200
    body = plan.json()
    assert plan.headers["etag"] == f'"{body["epoch"]}"'
    answer = v1(
        roost, "POST", "/replicas", {"names": ["S4"]}, {"If-Match": plan.headers["etag"]}
    )
    assert answer.status == 201
    shares = {r["name"]: r["share"] for r in answer.json()["replicas"]}
    assert shares == pytest.approx({s["name"]: s["after"] for s in body["shares"]})


def test_a_stale_plan_is_412_and_changes_nothing(roost):
    tag = tag_of(roost)
    assert v1(roost, "POST", "/replicas", {"names": ["S4"]}).status == 201
    for method, path, body in (
        ("POST", "/replicas", {"names": ["S5"]}),
        ("DELETE", "/replicas", {"names": ["S4"]}),
        ("DELETE", "/replicas/S4", None),
        ("PATCH", "/replicas/S4", {"weight": 4}),
    ):
        assert "epoch" in error_of(v1(roost, method, path, body, {"If-Match": tag}), 412)
    assert roost.replicas() == ["Server 1", "Server 2", "Server 3", "S4"]
    fresh = tag_of(roost)
    assert v1(roost, "DELETE", "/replicas/S4", None, {"If-Match": fresh}).status == 200


def test_a_heal_makes_no_plan_stale(roost):
    tag = tag_of(roost)
    os.kill(roost.pids_with(" replica")[0], signal.SIGKILL)
    wait_until(lambda: tag_of(roost) != tag and roost.has_all_up(), 5)
    answer = v1(roost, "POST", "/replicas", {"names": ["S4"]}, {"If-Match": tag})
    assert answer.status == 201


@pytest.mark.parametrize("tag", ['"999999"', 'W/"1"', "1", '""', '"x"', '"'])
def test_what_is_no_epoch_of_ours_matches_nothing(pool, tag):
    error_of(v1(pool, "POST", "/replicas", {"names": ["S4"]}, {"If-Match": tag}), 412)


def test_a_star_and_a_list_match(roost):
    tag = tag_of(roost)
    both = f'"1234567", {tag}, "x"'
    star = {"If-Match": "*"}
    assert v1(roost, "PATCH", "/replicas/Server%201", {"weight": 2}, star).status == 200
    error_of(v1(roost, "PATCH", "/replicas/Server%201", {"weight": 2}, {"If-Match": both}), 412)
    tag = tag_of(roost)
    both = f'"0", {tag}'
    answer = v1(roost, "PATCH", "/replicas/Server%201", {"weight": 1}, {"If-Match": both})
    assert answer.status == 200


def test_only_one_of_two_with_the_same_epoch_wins(roost):
    tag = tag_of(roost)
    answers = []

    def add(name):
        answers.append(v1(roost, "POST", "/replicas", {"names": [name]}, {"If-Match": tag}).status)

    threads = [threading.Thread(target=add, args=(f"T{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [201, 412, 412, 412]


# ---- plan ----


def test_a_plan_says_what_would_move_and_moves_nothing(pool):
    digest = pool.get("/stats").json()["ring"]["digest"]
    plan = v1(pool, "POST", "/plan", {"remove": {"names": ["Server 2"]}}).json()
    share = {s["name"]: s for s in plan["shares"]}
    assert plan["slots"] == 65536
    assert plan["moved"] == plan["minimum"] + plan["excess"]
    assert plan["moved"] == sum(move["slots"] for move in plan["moves"])
    assert plan["minimum"] == round(share["Server 2"]["before"] * 65536)
    assert share["Server 2"]["after"] == 0
    assert {move["from"] for move in plan["moves"]} == {"Server 2"}
    assert {move["to"] for move in plan["moves"]} == {"Server 1", "Server 3"}
    assert plan["remove"] == ["Server 2"]
    assert pool.get("/stats").json()["ring"]["digest"] == digest


def test_a_plan_of_weights_and_of_nothing(pool):
    plan = v1(pool, "POST", "/plan", {"weights": {"Server 1": 0}}).json()
    assert {s["name"]: s["after"] for s in plan["shares"]}["Server 1"] == 0
    nothing = v1(pool, "POST", "/plan", {}).json()
    assert (nothing["moved"], nothing["minimum"], nothing["moves"]) == (0, 0, [])


def test_a_plan_chooses_names_where_there_are_none(pool):
    plan = v1(pool, "POST", "/plan", {"add": {"count": 2}, "remove": {"count": 1}}).json()
    assert plan["add"] == ["new-1", "new-2"]
    assert plan["remove"] == ["Server 3"]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"what": 1}), (400, {"add": []}), (400, {"add": {"count": 0}}),
        (400, {"remove": {"count": 4}}), (404, {"remove": {"names": ["x"]}}),
        (409, {"add": {"names": ["Server 1"]}}), (400, {"weights": []}),
        (400, {"weights": {"Server 1": -1}}), (404, {"weights": {"x": 1}}),
        (404, {"service": "x"}), (400, {"service": 1}),
    ],
)  # fmt: skip
def test_a_plan_of_what_cannot_be_is_refused(pool, status, body):
    error_of(v1(pool, "POST", "/plan", body), status)


def test_a_plan_advises_more_slots_for_many_replicas(pool):
    plan = v1(pool, "POST", "/plan", {"add": {"count": 120}}).json()
    assert "262144" in plan["advice"]
    assert v1(pool, "POST", "/plan", {"add": {"count": 10}}).json()["advice"] is None


def test_a_scheme_without_keys_has_no_plan_and_no_owner(start):
    roost = start("--scheme", "round-robin")
    error_of(v1(roost, "POST", "/plan", {"add": {"names": ["x"]}}), 400)
    explained = v1(roost, "GET", "/explain?key=1").json()
    assert (explained["goes_to"], explained["ranks"]) == (None, [])
    assert "round-robin" in explained["why"]
    ring = v1(roost, "GET", "/ring").json()
    assert ring["slots"] is None
    assert v1(roost, "POST", "/replicas", {"names": ["x"]}).status == 201


def test_the_classic_ring_is_planned_as_it_becomes(start):
    roost = start("--scheme", "classic")
    plan = v1(roost, "POST", "/plan", {"add": {"names": ["S4"]}}).json()
    assert plan["slots"] == 512
    v1(roost, "POST", "/replicas", {"names": ["S4"]})
    ring = v1(roost, "GET", "/ring").json()
    assert {m["name"]: m["share"] for m in ring["members"]} == pytest.approx(
        {s["name"]: s["after"] for s in plan["shares"]}
    )
    assert (ring["virtual"], ring["request_hash"], ring["server_hash"]) == (
        9, "quadratic", "quadratic",
    )  # fmt: skip


# ---- explain and ring ----


def test_explain_says_where_a_key_goes_and_the_balancer_does_it(pool):
    for number in range(20):
        key = str(100000 + number * 37)
        explained = v1(pool, "GET", f"/explain?key={key}").json()
        assert explained["key"] == key
        assert explained["source"] == "header:X-Request-ID"
        assert re.fullmatch("[0-9a-f]{16}", explained["hash"])
        assert 0 <= explained["slot"] < 65536
        assert explained["ranks"][0]["name"] == explained["goes_to"]
        assert len({rank["name"] for rank in explained["ranks"]}) == 3
        assert {rank["skip"] for rank in explained["ranks"]} == {None}
        assert explained["goes_to"] in explained["why"]
        answer = pool.get("/home", {"X-Request-ID": key}).json()
        assert answer["message"] == f"Hello from Server: {explained['goes_to'][-1]}"


def test_explain_shows_who_is_passed_over(start):
    roost = start()
    pid = v1(roost, "GET", "/replicas/Server%201").json()["pid"]
    key = next(
        key for key in range(1000)
        if v1(roost, "GET", f"/explain?key={key}").json()["goes_to"] == "Server 1"
    )  # fmt: skip
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_until(lambda: roost.states()["Server 1"] == "down", 5)
        explained = v1(roost, "GET", f"/explain?key={key}").json()
        assert explained["ranks"][0] == {"name": "Server 1", "state": "down", "skip": "down"}
        assert explained["goes_to"] == explained["ranks"][1]["name"]
        assert "rank 2" in explained["why"]
        answer = roost.get("/home", {"X-Request-ID": str(key)}).json()
        assert answer["message"] == f"Hello from Server: {explained['goes_to'][-1]}"
    finally:
        os.kill(pid, signal.SIGCONT)


def test_explain_of_an_empty_pool_goes_nowhere(start):
    roost = start("--num-servers", 0)
    explained = v1(roost, "GET", "/explain?key=1").json()
    assert explained["goes_to"] is None
    assert explained["ranks"] == []


def test_explain_reads_its_key_as_text(pool):
    assert v1(pool, "GET", "/explain?key=a%20b%26c").json()["key"] == "a b&c"
    assert v1(pool, "GET", "/explain?key=").json()["key"] == ""
    assert "key" in error_of(v1(pool, "GET", "/explain"), 400)
    error_of(v1(pool, "GET", "/explain?key=%ff"), 400)


def test_ring_shows_every_slots_owner(pool):
    ring = v1(pool, "GET", "/ring?owners=true").json()
    assert ring["scheme"] == "slot-hrw"
    assert ring["cap_percent"] == 5
    assert len(ring["owners"]) == ring["slots"] == 65536
    for index, member in enumerate(ring["members"]):
        assert member["slots"] == ring["owners"].count(index)
        assert member["share"] == pytest.approx(member["slots"] / 65536)
        assert member["fair"] == pytest.approx(1 / 3)
    assert "owners" not in v1(pool, "GET", "/ring").json()
    explained = v1(pool, "GET", "/explain?key=abc").json()
    owner = ring["members"][ring["owners"][explained["slot"]]]["name"]
    assert owner == explained["goes_to"]


# ---- what replicas write, and who may ask ----


def test_the_log_of_a_replica_can_be_read(pool):
    answer = v1(pool, "GET", "/replicas/Server%201/log")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert b"listens on" in answer.body
    assert len(v1(pool, "GET", "/replicas/Server%201/log?bytes=5").body) == 5
    error_of(v1(pool, "GET", "/replicas/nobody/log"), 404)
    error_of(v1(pool, "GET", "/replicas/Server%201/log?bytes=x"), 400)


def test_the_older_piece_of_a_log_comes_first(pool):
    folder = next(Path(pool.state).rglob("Server 3.log")).parent
    (folder / "Server 3.log.1").write_text("older\n", encoding="utf-8")
    body = v1(pool, "GET", "/services/web/replicas/Server%203/log").body
    assert body.startswith(b"older\n")
    assert b"listens on" in body


def test_with_a_token_changes_and_logs_need_it_and_looks_do_not(start):
    roost = start("--num-servers", 1, environment={"ROOST_CONTROL_TOKEN": "s3cret-of-the-test"})
    bearer = {"Authorization": "Bearer s3cret-of-the-test"}
    for method, path, body in (
        ("POST", "/replicas", {"names": ["a"]}),
        ("DELETE", "/replicas/Server%201", None),
        ("DELETE", "/replicas", {"count": 1}),
        ("PATCH", "/replicas/Server%201", {"weight": 2}),
        ("GET", "/replicas/Server%201/log", None),
        ("POST", "/reload", None),
    ):
        answer = v1(roost, method, path, body)
        assert "token" in error_of(answer, 401)
        assert answer.headers["www-authenticate"] == "Bearer"
    for path in ("/status", "/replicas", "/ring", "/explain?key=1"):
        assert v1(roost, "GET", path).status == 200
    assert v1(roost, "POST", "/plan", {}).status == 200
    assert v1(roost, "POST", "/replicas", {"names": ["a"]}, bearer).status == 201
    assert "s3cret" not in roost.log_text()


def test_pages_of_other_sites_change_nothing(pool):
    for headers in (
        {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
    ):  # fmt: skip
        error_of(v1(pool, "POST", "/replicas", {"names": ["a"]}, headers), 403)
        error_of(v1(pool, "PATCH", "/replicas/Server%201", {"weight": 2}, headers), 403)
    error_of(v1(pool, "GET", "/status", headers={"Host": "evil.example"}), 421)
