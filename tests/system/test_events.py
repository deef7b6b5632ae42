"""GET /v1/events: every change is an event that says who, what, and how much it moved."""

import os
import random
import select
import signal
import socket
import time
import urllib.parse

import pytest

from balancer import RawSocket, wait_until
from events_reader import Events


def all_of(roost):
    with Events(roost, "?last=4096&follow=false") as events:
        events.thread.join(10)
        assert events.is_over
        return events.all


def test_they_are_server_sent_events_with_numbers_that_follow_each_other(roost):
    with Events(roost, "?last=100") as events:
        assert events.status == 200
        assert events.fields["content-type"] == "text/event-stream"
        assert events.fields["cache-control"] == "no-store"
        events.named("replica.up", "Server 3")
        numbers = [event["number"] for event in events.all]
        assert numbers == list(range(1, len(numbers) + 1))
        for event in events.all:
            assert event["sse"] == f"{event['run']}-{event['number']}"
            assert event["at"].endswith("Z")


def test_without_last_only_what_comes_is_told(roost):
    with Events(roost) as events:
        roost.add(1, ["S4"])
        events.named("pool.added")
        assert all("S4" in event["replicas"] for event in events.all)


def test_an_add_and_a_rm_say_who_what_why_and_what_it_moved(roost):
    with Events(roost) as events:
        roost.add(1, ["S4"])
        added = events.named("pool.added", "S4")
        roost.rm(1, ["S4"])
        removed = events.named("pool.removed", "S4")
    assert added["who"] == "127.0.0.1"
    assert added["cause"] == "/add"
    assert added["service"] == "web"
    assert added["replicas"] == ["S4"]
    assert added["count"] == 4
    assert removed["cause"] == "/rm"
    assert removed["count"] == 3
    for event in (added, removed):
        assert event["slots"] == 65536
        assert event["moved"] == event["minimum"] + event["excess"]
        assert 65536 / 4 * 0.94 < event["minimum"] < 65536 / 4 * 1.06
        assert 0 <= event["excess"] < 65536 * 0.02
        assert event["is_estimate"] is False
    assert removed["epoch"] > added["epoch"]
    assert removed["digest"] != added["digest"]


def owners_of(roost):
    """The name of the owner of each slot, None where there is none."""
    ring = roost.on_control("GET", "/v1/ring?owners=true").json()
    names = [member["name"] for member in ring["members"]]
    return [None if owner is None else names[owner] for owner in ring["owners"]]


def change_at_random(roost, dice):
    """One change of the pool, and the event it is to be told by."""
    names = roost.replicas()
    kind = dice.choice(["add", "rm", "weigh"]) if len(names) > 1 else "add"
    if kind == "add":
        count = dice.randint(1, 3)
        assert roost.add(count).status == 200
        return "pool.added"
    if kind == "rm":
        assert roost.rm(1).status == 200
        return "pool.removed"
    path = "/v1/replicas/" + urllib.parse.quote(dice.choice(names))
    assert roost.on_control("PATCH", path, {"weight": dice.randint(0, 5)}).status == 200
    return "pool.weighed"


@pytest.mark.parametrize("scheme", ["slot-hrw", "maglev"])
def test_every_slot_moved_is_accounted_for_whatever_changes(start, scheme):
    roost = start("--scheme", scheme)
    dice = random.Random(scheme)
    before = owners_of(roost)
    with Events(roost) as events:
        for number in range(15):
            what = change_at_random(roost, dice)
            after = owners_of(roost)
            moved = sum(a != b for a, b in zip(before, after, strict=True))
            told = events.wait_for_change(number)
            assert told["what"] == what
            assert told["moved"] == moved == told["minimum"] + told["excess"]
            assert told["excess"] >= 0
            lost = {name: before.count(name) - after.count(name) for name in {*before, *after}}
            assert told["minimum"] <= sum(count for count in lost.values() if count > 0)
            before = after


def test_a_heal_moves_nothing_and_its_digest_proves_it(roost):
    digest = roost.get("/stats").json()["ring"]["digest"]
    with Events(roost) as events:
        os.kill(roost.pids_with(" replica")[0], signal.SIGKILL)
        dead = events.named("replica.dead")
        up = events.named("replica.up")
    assert dead["cause"] == "killed by SIGKILL"
    assert dead["replicas"] == up["replicas"]
    assert up["incarnation"] == dead["incarnation"] + 1
    assert up["epoch"] > dead["epoch"]
    assert up["healed_ms"] < 2000
    for event in events.all:
        assert (event["moved"], event["minimum"], event["excess"]) == (0, 0, 0)
        assert event["digest"] == digest


def test_last_event_id_goes_on_where_one_was(roost):
    with Events(roost) as events:
        roost.add(1, ["S4"])
        mark = events.named("pool.added")
    roost.rm(1, ["S4"])
    with Events(roost, headers={"Last-Event-ID": mark["sse"]}) as events:
        events.named("pool.removed")
        assert events.all[0]["number"] == mark["number"] + 1
        assert "gap" not in [event["what"] for event in events.all]
    with Events(roost, f"?last-event-id={mark['sse']}") as events:
        events.named("pool.removed")
        assert events.all[0]["number"] == mark["number"] + 1


def test_an_id_of_another_run_begins_with_a_gap_and_all_there_is(roost):
    with Events(roost, headers={"Last-Event-ID": "abc-17"}) as events:
        events.wait_for(lambda event: event["what"] == "replica.up")
        assert events.all[0]["what"] == "gap"
        assert events.all[0]["sse"] is None
        assert events.all[1]["number"] == 1


def test_what_is_no_id_and_no_number_is_400(roost):
    for query in ("?last=x", "?last=999999", "?last-event-id=hello"):
        answer = roost.on_control("GET", f"/v1/events{query}")
        assert answer.status == 400, answer
        assert answer.json()["error"]


def test_follow_false_ends_with_what_there_is(roost):
    assert [event["what"] for event in all_of(roost)].count("replica.up") == 3
    assert roost.on_control("HEAD", "/v1/events").status == 200


def test_a_refused_call_is_no_event(roost):
    before = len(all_of(roost))
    assert roost.add(1, ["Server 1"]).status == 409
    assert roost.rm(1, ["nobody"]).status == 404
    assert len(all_of(roost)) == before


def test_a_restart_tells_the_pool_it_remembers(start):
    first = start.prepare("--num-servers", 2)
    first.start()
    first.add(1, ["S3"])
    assert first.terminate() == 0
    second = first.spawn()
    wait_until(second.is_ready, 10)
    event = next(event for event in all_of(second) if event["what"] == "pool.started")
    assert event["replicas"] == ["Server 1", "Server 2", "S3"]
    second.terminate()
    second.flags = ["--num-servers", "4"]
    second.spawn()
    wait_until(second.is_ready, 10)
    event = next(event for event in all_of(second) if event["what"] == "pool.redeclared")
    assert event["count"] == 4


def is_cut(sock):
    """Whether the other side has broken it off, read or not."""
    poll = select.poll()
    poll.register(sock, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def test_one_who_reads_nothing_is_cut_off_and_harms_nobody(start, is_long):
    roost = start("--num-servers", 1)
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.connect(("127.0.0.1", roost.control_port))
    slow.sendall(b"GET /v1/events?last=4096 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    names = [f"a-rather-long-name-of-a-replica-to-fill-the-queue-{n:03}" for n in range(20)]
    with Events(roost) as events:
        rounds = 150 if is_long else 30  # more than the kernel keeps for him
        for _ in range(rounds):
            roost.add(20, names)
            roost.rm(20, names)
        wait_until(lambda: len(events.all) > rounds * 2, 20)
        memory = open(f"/proc/{roost.pid}/status", encoding="ascii").read()
        assert not events.is_cut
    resident_kb = int(memory.split("VmRSS:")[1].split()[0])
    assert resident_kb < 300_000
    if is_long:
        wait_until(lambda: is_cut(slow), 60, "the slow one is cut off")
    slow.close()


def test_many_followers_get_the_same(roost):
    followers = [Events(roost) for _ in range(20)]
    roost.add(1, ["S4"])
    seen = [follower.named("pool.added") for follower in followers]
    assert len({event["number"] for event in seen}) == 1
    for follower in followers:
        follower.close()
    time.sleep(0.1)
    assert roost.on_control("GET", "/readyz").status == 200


def test_there_is_a_limit_of_followers(roost):
    followers = [Events(roost) for _ in range(127)]
    last = RawSocket(roost.control_port)
    last.send("GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert last.read_head()[0] == 200
    answer = roost.on_control("GET", "/v1/events")
    assert answer.status == 503
    assert answer.headers["retry-after"]
    last.reset()
    wait_until(lambda: roost.on_control("HEAD", "/v1/events").status == 200, 5)
    for follower in followers:
        follower.close()


def test_a_stop_ends_the_stream(roost):
    with Events(roost) as events:
        roost.terminate()
        wait_until(lambda: events.is_cut or events.is_over, 5)
        assert "replica.gone" in [event["what"] for event in events.all]
