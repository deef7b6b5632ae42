"""The classic API, row by row of its contract: who may, what is refused, in which order, what
changes and what does not."""

import json
import threading
import time

import pytest

from balancer import BINARY, wait_until
from load import Background

FAILURE = {"message", "status"}


@pytest.fixture(scope="module")
def pool(shared_roost):
    """Three replicas that no test of this file changes: the refusals."""
    yield shared_roost
    assert shared_roost.replicas() == ["Server 1", "Server 2", "Server 3"]


def failure_of(answer, status):
    """The sentence of a failure; its form is part of the contract."""
    assert answer.status == status, answer
    body = answer.json()
    assert set(body) == FAILURE
    assert body["status"] == "failure"
    assert body["message"].startswith("<Error> ")
    return body["message"]


def success_of(answer):
    assert answer.status == 200, answer
    body = answer.json()
    assert body["status"] == "successful"
    assert set(body) == {"message", "status"}
    assert body["message"]["N"] == len(body["message"]["replicas"])
    return body["message"]["replicas"]


def add(roost, body, **options):
    return roost.request("POST", "/add", body, **options)


def rm(roost, body, **options):
    return roost.request("DELETE", "/rm", body, **options)


# ---- GET /rep ----


def test_rep_lists_the_pool_oldest_first(pool):
    for answer in (pool.get("/rep"), pool.on_control("GET", "/rep")):
        assert answer.body == (
            b'{"message":{"N":3,"replicas":["Server 1","Server 2","Server 3"]},'
            b'"status":"successful"}'
        )
        assert answer.headers["content-type"] == "application/json"


# ---- refusals, in the order of the contract ----


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD"])
def test_add_with_another_method_is_405_with_allow(pool, method):
    answer = pool.request(method, "/add", "{}" if method in ("PUT", "DELETE", "PATCH") else None)
    assert answer.status == 405
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "PATCH"])
def test_rm_with_another_method_is_405_with_allow(pool, method):
    answer = pool.request(method, "/rm", "{}" if method != "GET" else None)
    assert answer.status == 405
    assert answer.headers["allow"] == "DELETE"


def test_the_method_is_looked_at_before_who_asks(pool):
    answer = pool.request("PUT", "/add", "{}", headers={"Origin": "http://evil.example"})
    assert answer.status == 405


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:1"])
def test_a_page_of_another_site_may_not_change_anything(pool, origin):
    for door in (pool.request, pool.on_control):
        failure_of(door("POST", "/add", "no json", headers={"Origin": origin}), 403)


def test_a_cross_site_request_may_not_change_anything(pool):
    answer = add(pool, {"n": 1}, headers={"Sec-Fetch-Site": "cross-site"})
    failure_of(answer, 403)


def test_a_host_that_is_not_ours_is_421(pool):
    failure_of(add(pool, {"n": 1}, headers={"Host": "evil.example"}), 421)
    failure_of(pool.on_control("GET", "/rep", headers={"Host": "evil.example:5001"}), 421)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:80", "[::1]:5000", "10.1.2.3"])
def test_hosts_of_this_machine_are_ours(pool, host):
    assert pool.on_control("GET", "/rep", headers={"Host": host}).status == 200


@pytest.mark.parametrize("path,call", [("/add", add), ("/rm", rm)])
@pytest.mark.parametrize(
    "body", [None, "", "{", "[]", "7", '"n"', "null", "\xff\xfe", '{"n":1}{"n":1}', "[" * 5000]
)
def test_a_body_that_is_no_json_object_is_400(pool, path, call, body):
    data = body.encode("latin-1") if body is not None else None
    failure_of(call(pool, data), 400)


def test_the_content_type_is_not_looked_at(start):
    roost = start("--num-servers", 1)
    answer = add(roost, '{"n":1}', headers={"Content-Type": "text/plain"})
    assert len(success_of(answer)) == 2


@pytest.mark.parametrize("path,call", [("/add", add), ("/rm", rm)])
def test_a_body_over_64_kib_is_413(pool, path, call):
    failure_of(call(pool, '{"n":1,"x":"' + "x" * 65536 + '"}'), 413)


def test_a_chunked_body_over_64_kib_is_413(pool):
    with pool.raw() as raw:
        raw.send("POST /add HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        raw.send("11000\r\n" + "x" * 0x11000 + "\r\n0\r\n\r\n")
        failure_of(raw.read_answer(), 413)


def test_a_body_of_64_kib_is_read(pool):
    body = '{"n":0,"x":"' + "x" * (65536 - 14) + '"}'
    assert len(body) == 65536
    assert "'n'" in failure_of(add(pool, body), 400)


@pytest.mark.parametrize("path,call", [("/add", add), ("/rm", rm)])
@pytest.mark.parametrize(
    "n", ["missing", None, "1", 1.0, 1.5, True, [1], 0, -1, 1001, 2**31, 2**62]
)
def test_n_is_an_integer_from_1_to_1000(pool, path, call, n):
    body = {} if n == "missing" else {"n": n}
    assert "'n'" in failure_of(call(pool, {**body, "hostnames": "also bad"}), 400)


@pytest.mark.parametrize("path,call", [("/add", add), ("/rm", rm)])
@pytest.mark.parametrize("hostnames", ["S5", None, 1, {"S5": 1}, ["S5", 1], [None], [["S5"]]])
def test_hostnames_is_a_list_of_strings(pool, path, call, hostnames):
    assert "'hostnames'" in failure_of(call(pool, {"n": 2, "hostnames": hostnames}), 400)


def test_more_names_than_n_are_refused_with_the_words_of_the_contract(pool):
    body = {"n": 1, "hostnames": ["bad name!", "bad name!"]}
    assert (
        failure_of(add(pool, body), 400)
        == "<Error> Length of hostname list is more than newly added instances"
    )
    assert (
        failure_of(rm(pool, body), 400)
        == "<Error> Length of hostname list is more than removable instances"
    )


@pytest.mark.parametrize("path,call", [("/add", add), ("/rm", rm)])
@pytest.mark.parametrize(
    "name",
    ["", " ", "-a", "a-", ".a", "a.", "_", " a", "a ", "a/b", "a\n", "a\0b", "ä", "a:b", "a" * 64,
     "../x", "{port}", "a\tb"],
)  # fmt: skip
def test_a_bad_name_is_400_and_named(pool, path, call, name):
    failure_of(call(pool, {"n": 2, "hostnames": ["Good", name]}), 400)


@pytest.mark.parametrize("path,call", [("/add", add), ("/rm", rm)])
def test_a_name_twice_in_the_list_is_400_and_named(pool, path, call):
    message = failure_of(call(pool, {"n": 2, "hostnames": ["S5", "S5"]}), 400)
    assert "S5" in message


def test_adding_a_name_that_exists_is_409_and_changes_nothing(pool):
    message = failure_of(add(pool, {"n": 3, "hostnames": ["New", "Server 2"]}), 409)
    assert "Server 2" in message


def test_removing_an_unknown_name_is_404_and_changes_nothing(pool):
    message = failure_of(rm(pool, {"n": 9, "hostnames": ["Server 1", "nobody"]}), 404)
    assert "nobody" in message


def test_removing_more_than_there_are_is_400(pool):
    assert (
        failure_of(rm(pool, {"n": 4, "hostnames": ["Server 1"]}), 400)
        == "<Error> Length of hostname list is more than removable instances"
    )


# ---- more conflicts ----


def test_a_pool_over_limits_replicas_is_409(start):
    roost = start(config="compat: assignment\nlimits: {replicas: 4}\nservices: [{name: web}]\n")
    count = len(roost.replicas())
    assert "limits.replicas" in failure_of(add(roost, {"n": 5 - count}), 409)
    assert len(success_of(add(roost, {"n": 4 - count}))) == 4


def test_a_full_classic_ring_is_409(start):
    roost = start(
        "--scheme", "classic", "--num-slots", 40, "--num-virtual-servers", 10, "--num-servers", 3
    )
    assert len(success_of(add(roost, {"n": 1}))) == 4
    failure_of(add(roost, {"n": 1}), 409)
    assert len(roost.replicas()) == 4


STATIC = """
compat: assignment
services:
  - name: web
    replicas: {driver: static, addresses: {one: "127.0.0.1:9", two: "127.0.0.1:9"}}
"""


def test_a_static_pool_cannot_be_changed(start):
    roost = start.prepare(config=STATIC).spawn()
    wait_until(roost.is_ready, 5)
    for call in (add, rm):
        assert "static" in failure_of(call(roost, {"n": 1}), 409)
    assert roost.replicas() == ["one", "two"]


# ---- a replica that does not start ----

BROKEN = """
compat: assignment
services:
  - name: web
    health: {start: 1s}
    replicas:
      driver: process
      count: 0
      command: [/bin/sh, -c, "%s"]
"""


def test_a_replica_that_ends_at_once_is_502_with_the_reason(start):
    roost = start(config=BROKEN % "exit 3")
    message = failure_of(add(roost, {"n": 2, "hostnames": ["S4"]}), 502)
    assert "3" in message
    assert roost.replicas() == []
    assert roost.pids_with("exit 3") == []


def test_a_replica_that_never_answers_is_502_and_taken_back(start):
    roost = start(config=BROKEN % "exec sleep 1000")
    began = time.monotonic()
    failure_of(add(roost, {"n": 3, "hostnames": ["S4"]}), 502)
    assert time.monotonic() - began < 10
    assert roost.replicas() == []
    wait_until(lambda: not roost.pids_with("sleep 1000"), 10, "what was started has ended")


def test_one_that_cannot_start_takes_the_others_back(start):
    command = "[ $SERVER_ID != S6 ] && exec $0 replica; exit 1"
    config = BROKEN.replace('"%s"]', "\"%s\", '%s']")
    roost = start(config=config % (command, BINARY))
    assert len(success_of(add(roost, {"n": 1, "hostnames": ["S4"]}))) == 1
    failure_of(add(roost, {"n": 3, "hostnames": ["S5", "S6", "S7"]}), 502)
    assert roost.replicas() == ["S4"]
    wait_until(lambda: len(roost.pids_with(" replica")) == 1, 10, "only S4 runs")
    assert roost.get("/home").status == 200


# ---- changes ----


def test_add_answers_when_every_new_replica_serves(roost):
    names = success_of(roost.add(4, ["S5", "S4", "S10", "S11"]))
    assert names == ["Server 1", "Server 2", "Server 3", "S5", "S4", "S10", "S11"]
    seen = {roost.get("/home").json()["message"] for _ in range(400)}
    assert {f"Hello from Server: {name}" for name in ("S5", "S4", "S10", "S11")} <= seen


def test_fewer_names_than_n_are_filled_with_names_nobody_has(roost):
    names = success_of(roost.add(5, ["S5"]))
    assert names[3] == "S5"
    assert len(set(names)) == 8
    assert all(3 <= len(name) <= 12 for name in names[4:])


def test_hostnames_may_be_left_out(roost):
    assert len(success_of(add(roost, {"n": 1}))) == 4
    assert len(success_of(rm(roost, {"n": 2}))) == 2


def test_rm_takes_the_named_and_random_others(roost):
    success_of(roost.add(5, ["A", "B", "C", "D", "E"]))
    gone = set()
    for _ in range(2):
        before = roost.replicas()
        names = success_of(roost.rm(2, [before[0]]))
        assert before[0] not in names
        assert len(names) == len(before) - 2
        assert [name for name in before if name in names] == names, "the order stays"
        gone |= set(before) - set(names)
    assert len(gone) == 4


def test_a_removed_replica_gets_no_more_requests_and_ends(roost):
    success_of(roost.rm(1, ["Server 2"]))
    answers = {roost.get("/home").json()["message"] for _ in range(200)}
    assert answers == {"Hello from Server: 1", "Hello from Server: 3"}
    wait_until(lambda: len(roost.pids_with(" replica")) == 2, 5, "its process ended")


def test_removing_all_leaves_none_and_503(roost):
    assert success_of(roost.rm(3)) == []
    assert roost.get("/rep").json()["message"] == {"N": 0, "replicas": []}
    answer = roost.get("/home")
    assert answer.status == 503
    assert answer.headers["retry-after"]
    assert success_of(roost.add(1, ["again"])) == ["again"]
    assert roost.get("/home").status == 200


def test_a_name_is_free_again_as_soon_as_rm_answered(roost):
    for _ in range(3):
        success_of(roost.rm(1, ["Server 2"]))
        names = success_of(roost.add(1, ["Server 2"]))
        assert names == ["Server 1", "Server 3", "Server 2"]


def test_calls_at_the_same_time_are_done_one_after_the_other(roost):
    answers = []

    def call(number):
        answers.append(roost.add(2, [f"T{number}"]))

    threads = [threading.Thread(target=call, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sizes = sorted(len(success_of(answer)) for answer in answers)
    assert sizes == [5, 7, 9, 11, 13, 15]
    assert len(set(roost.replicas())) == 15


def test_a_client_that_leaves_does_not_stop_its_call(roost):
    with roost.raw() as raw:
        body = json.dumps({"n": 1, "hostnames": ["left"]})
        raw.send(
            f"POST /add HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        )
        time.sleep(0.02)
        raw.reset()
    wait_until(lambda: "left" in roost.replicas(), 5, "it was added all the same")


def test_one_connection_makes_many_calls(roost):
    with roost.raw() as raw:
        for number in range(3):
            body = json.dumps({"n": 1, "hostnames": [f"K{number}"]})
            raw.send(
                "POST /add HTTP/1.1\r\nHost: localhost\r\n"
                f"Content-Length: {len(body)}\r\n\r\n{body}"
            )
            assert len(success_of(raw.read_answer())) == 4 + number
            raw.send("GET /home HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert raw.read_answer().status == 200


def test_one_replica_is_added_and_removed_in_a_tenth_of_a_second(roost):
    took = []
    for number in range(5):
        began = time.monotonic()
        success_of(roost.add(1, [f"Q{number}"]))
        took.append(time.monotonic() - began)
        began = time.monotonic()
        success_of(roost.rm(1, [f"Q{number}"]))
        took.append(time.monotonic() - began)
    assert sorted(took)[len(took) // 2] < 0.1, took


# ---- the rest of the classic calls ----


def test_stats_count_what_was_served(start):
    roost = start("--num-servers", 2)
    for _ in range(50):
        roost.get("/home")
    stats = roost.get("/stats").json()
    assert set(stats) == {"total", "replicas", "ring"}
    assert set(stats["total"]) == {"requests", "errors", "in_flight"}
    assert set(stats["ring"]) == {"scheme", "epoch", "digest"}
    assert stats["ring"]["scheme"] == "slot-hrw"
    assert [replica["name"] for replica in stats["replicas"]] == ["Server 1", "Server 2"]
    for replica in stats["replicas"]:
        assert set(replica) == {
            "name", "state", "requests", "share", "in_flight", "failures", "p50_ms", "p99_ms",
            "restarts",
        }  # fmt: skip
        assert replica["state"] == "up"
    assert sum(replica["requests"] for replica in stats["replicas"]) == 50
    assert abs(sum(replica["share"] for replica in stats["replicas"]) - 1) < 1e-6


def test_a_name_used_again_begins_to_count_at_zero(start):
    roost = start("--num-servers", 1)
    for _ in range(20):
        roost.get("/home")
    roost.rm(1, ["Server 1"])
    roost.add(1, ["Server 1"])
    (replica,) = roost.get("/stats").json()["replicas"]
    assert replica["requests"] == 0


def test_unknown_endpoints_of_the_control_port_are_404(pool):
    answer = pool.on_control("GET", "/home")
    assert answer.status == 404
    assert "error" in answer.json()


def test_healthcheck_is_ok_on_both_ports(pool):
    for door in (pool.get, lambda path: pool.on_control("GET", path)):
        answer = door("/healthcheck")
        assert (answer.status, answer.body) == (200, b"OK")


def test_in_production_the_traffic_port_has_no_classic_calls(start):
    roost = start(
        config="services: [{name: web, replicas: {driver: process, count: 1}}]\n"
    )
    assert roost.get("/rep").status == 404
    assert roost.on_control("GET", "/rep").json()["message"]["N"] == 1


def test_twenty_added_and_removed_under_load_lose_nothing(start):
    roost = start("--num-servers", 3)
    with Background(roost.url + "/home", connections=16) as load:
        time.sleep(0.2)
        names = [f"L{number}" for number in range(20)]
        assert len(success_of(roost.add(20, names))) == 23
        time.sleep(0.2)
        assert len(success_of(roost.rm(20, names))) == 3
        for name in names[:5]:
            success_of(roost.add(1, [name]))
            success_of(roost.rm(1, [name]))
        time.sleep(0.2)
    assert load.result.lost == 0, load.result
    assert load.result.answers > 200
