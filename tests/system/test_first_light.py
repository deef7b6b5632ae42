"""One request through every layer: who answers, how often, what the processes look like."""

import math
import os
import socket
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from balancer import BINARY, wait_until
from load import closed_loop


def shares(roost):
    return {replica["name"]: replica["share"] for replica in roost.get("/stats").json()["replicas"]}


def chi_square_p(counts, expected_shares):
    """How likely chance alone is to leave counts that far from the shares (Wilson-Hilferty)."""
    total = sum(counts.values())
    chi = sum(
        (counts.get(name, 0) - total * share) ** 2 / (total * share)
        for name, share in expected_shares.items()
    )
    degrees = len(expected_shares) - 1
    z = ((chi / degrees) ** (1 / 3) - (1 - 2 / (9 * degrees))) / math.sqrt(2 / (9 * degrees))
    return 0.5 * math.erfc(z / math.sqrt(2))


def test_every_request_is_answered_and_chance_explains_the_counts(roost):
    result = closed_loop(roost.url + "/home", connections=64, requests=20000, keep_bodies=True)
    assert result.statuses == {200: 20000}, result
    assert not result.failures
    counts = Counter()
    for body, times in result.bodies.items():
        number = body.split(b"Server: ")[1].split(b'"')[0].decode()
        counts[f"Server {number}"] += times
    assert chi_square_p(counts, shares(roost)) > 0.0001, counts
    served = {r["name"]: r["requests"] for r in roost.get("/stats").json()["replicas"]}
    assert served == counts, "what was counted is what was served"


def test_the_same_key_finds_the_same_replica(roost):
    for number in range(20):
        answers = {
            roost.get("/home", headers={"X-Request-ID": f"key-{number}"}).body for _ in range(5)
        }
        assert len(answers) == 1


def test_three_replicas_serve_within_half_a_second(start):
    took = []
    for _ in range(5):
        roost = start.prepare().spawn()
        began = time.monotonic()
        wait_until(roost.is_ready, 10)
        took.append(time.monotonic() - began)
        assert roost.get("/home").status == 200
        roost.terminate()
    assert min(took) < 0.5, took


def test_both_families_of_loopback_are_served(roost):
    if not socket.has_ipv6 or not Path("/proc/net/if_inet6").exists():
        pytest.skip("no IPv6 here")
    for port in (roost.port, roost.control_port):
        with socket.create_connection(("::1", port), timeout=5) as connection:
            connection.sendall(b"GET /healthcheck HTTP/1.0\r\nHost: localhost\r\n\r\n")
            assert connection.recv(1000).split(b"\r\n")[0].endswith(b" 200 OK")


def test_there_is_a_worker_for_each_core_and_none_has_more_than_it_needs(start):
    roost = start("--workers", 3)
    workers = roost.pids_with("roost worker")
    assert len(workers) == 3
    for pid in workers:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert fields["NoNewPrivs"] == "1"
        assert fields["Seccomp"] == "2"
        assert int(fields["CapEff"], 16) == 0
        if os.getuid() == 0:
            assert fields["Uid"].split()[0] != "0"
        assert os.getsid(pid) == pid


def test_the_token_reaches_nobody_else(start):
    roost = start(environment={"ROOST_CONTROL_TOKEN": "a-secret-of-this-test"})
    for pid in roost.pids_with("replica") + roost.pids_with("worker"):
        for what in ("environ", "cmdline"):
            assert b"a-secret" not in Path(f"/proc/{pid}/{what}").read_bytes()
    assert "a-secret" not in roost.log_text()


def test_replicas_get_an_environment_built_anew(start):
    roost = start(environment={"SOMETHING": "of the keeper"})
    for pid in roost.pids_with(" replica"):
        names = {
            entry.split(b"=")[0].decode()
            for entry in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            if entry
        }
        assert names == {"PATH", "SERVER_ID", "PORT"}


def test_the_run_folder_is_ours_alone(roost):
    assert (roost.state / "run").stat().st_mode & 0o777 == 0o700
    assert (roost.state / "run" / "keeper.pid").read_text().split()[0] == str(roost.pid)


def test_a_second_keeper_on_the_same_state_is_refused_with_one_line(start):
    first = start()
    second = start.prepare()
    second.state = first.state
    done = subprocess.run(second.command(), capture_output=True, text=True, timeout=10)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert str(first.pid) in done.stderr
    assert first.get("/home").status == 200


@pytest.mark.parametrize("which", ["port", "control_port"])
def test_a_taken_port_ends_the_start_with_one_line(start, which):
    roost = start.prepare()
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", getattr(roost, which)))
        taken.listen()
        done = subprocess.run(
            roost.command(), capture_output=True, text=True, timeout=10, env=roost.environment
        )
    assert done.returncode == 1
    said = [line for line in done.stderr.splitlines() if not line.startswith("time=")]
    assert len(said) == 1
    assert str(getattr(roost, which)) in said[0]


def test_a_crashed_worker_is_replaced_and_what_it_counted_stays(start):
    roost = start("--workers", 2)
    closed_loop(roost.url + "/home", connections=32, requests=2000)
    before = roost.get("/stats").json()
    victim = roost.pids_with("roost worker")[0]
    began = time.monotonic()
    os.kill(victim, 9)

    def is_replaced():
        now = roost.pids_with("roost worker")
        return len(now) == 2 and victim not in now

    wait_until(is_replaced, 5)
    assert time.monotonic() - began < 0.5
    for _ in range(20):
        assert roost.get("/home").status == 200
    after = roost.get("/stats").json()
    served = sum(replica["requests"] for replica in after["replicas"])
    assert served >= sum(replica["requests"] for replica in before["replicas"])
    assert after["total"]["in_flight"] <= 1


def test_a_stopped_worker_is_noticed_and_replaced(start):
    roost = start("--workers", 2)
    victim = roost.pids_with("roost worker")[0]
    os.kill(victim, 19)
    answer = roost.on_control("POST", "/add", {"n": 1})
    assert answer.status == 503, "not every worker has acknowledged"
    wait_until(lambda: victim not in roost.pids_with("roost worker"), 12)
    wait_until(lambda: len(roost.on_control("GET", "/rep").json()["message"]["replicas"]) == 4, 5)


def test_sigterm_ends_everything_and_finishes_what_runs(roost):
    with roost.raw() as raw:
        raw.send("GET /slow/300 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(0.1)
        roost.process.send_signal(15)
        answer = raw.read_answer()
        assert answer.status == 200
    assert roost.process.wait(10) == 0
    wait_until(lambda: not roost.pids(), 5)


def test_a_second_signal_ends_it_at_once(roost):
    with roost.raw() as raw:
        raw.send("GET /slow/60000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(0.1)
        roost.process.send_signal(15)
        time.sleep(0.1)
        began = time.monotonic()
        roost.process.send_signal(15)
        assert roost.process.wait(10) == 0
        assert time.monotonic() - began < 3
    wait_until(lambda: not roost.pids(), 5)


def test_sigusr2_says_that_it_does_nothing_yet(roost):
    roost.process.send_signal(12)
    wait_until(lambda: "upgrade.unsupported" in roost.log_text(), 5)
    assert roost.get("/home").status == 200


def test_sigusr1_reopens_the_access_log(start, tmp_path):
    path = tmp_path / "access.log"
    roost = start("--access-log", path)
    roost.get("/home")
    wait_until(lambda: path.read_text().count('"/home"') == 1, 5)
    path.rename(tmp_path / "old.log")
    roost.process.send_signal(10)
    wait_until(path.exists, 5)
    time.sleep(0.1)
    roost.get("/home")
    wait_until(lambda: path.read_text().count('"/home"') == 1, 5)


def test_stop_ends_what_runs_and_is_content_with_nothing(start):
    roost = start()
    done = roost.stop_command()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    wait_until(lambda: not roost.pids(), 5)
    assert roost.stop_command().returncode == 0
    roost.state = roost.folder / "never-was"
    assert roost.stop_command().returncode == 0
    assert not roost.state.exists()


def test_stop_ends_what_a_killed_keeper_left(start):
    roost = start()
    roost.pids()
    roost.process.kill()
    roost.process.wait()
    assert len(roost.pids()) >= 4
    assert roost.stop_command().returncode == 0
    wait_until(lambda: not roost.pids(), 5)


def test_replicas_may_be_left_running(start):
    roost = start("--leave-replicas")
    assert roost.terminate() == 0
    assert len(roost.pids_with(" replica")) == 3
    assert roost.stop_command().returncode == 0
    wait_until(lambda: not roost.pids(), 5)


def test_replicas_that_were_left_running_are_taken_over(start):
    roost = start("--leave-replicas")
    before = set(roost.pids_with(" replica"))
    roost.terminate()
    roost.start()
    roost.flags = []
    assert set(roost.pids_with(" replica")) == before
    assert roost.get("/home").status == 200
    assert roost.stop_command().returncode == 0


@pytest.mark.parametrize("delay_s", [0.0, 0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05])
def test_a_signal_at_any_moment_of_the_start_ends_it(start, delay_s):
    roost = start.prepare("--num-servers", 20).spawn()
    wait_until(lambda: "serve.traffic" in roost.log_text(), 10)
    time.sleep(delay_s)
    assert roost.terminate() == 0
    wait_until(lambda: not roost.pids(), 5)


SLOW = """
compat: assignment
services:
  - name: web
    replicas: {driver: process, count: 0, command: [/bin/sh, -c, "exec sleep 1000"]}
"""


def test_a_signal_ends_a_start_that_somebody_waits_for(start):
    roost = start(config=SLOW)
    with roost.raw() as raw:
        raw.send('POST /add HTTP/1.1\r\nHost: localhost\r\nContent-Length: 7\r\n\r\n{"n":3}')
        time.sleep(0.2)
        began = time.monotonic()
        assert roost.terminate() == 0
        assert time.monotonic() - began < 5
    wait_until(lambda: not roost.pids(), 5)
    roost.start()
    assert roost.get("/rep").json()["message"]["N"] == 0, "it never was"


def test_the_first_lines_say_where_to_go(roost):
    lines = roost.log_text().splitlines()
    assert any(f"event=serve.traffic url=http://127.0.0.1:{roost.port}" in line for line in lines)
    assert any(
        f"event=serve.control url=http://127.0.0.1:{roost.control_port}" in line for line in lines
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["serve", "--help"], ["stop", "--help"], ["--help"], ["--version"], ["replica", "--help"],
        ["worker", "--help"], ["dockhand", "--help"],
    ],
)  # fmt: skip
def test_help_is_there(arguments):
    done = subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=10)
    assert done.returncode == 0
    assert done.stdout
    assert not done.stderr


@pytest.mark.parametrize(
    "arguments", [[], ["dance"], ["serve", "--dance"], ["serve", "left", "over"], ["stop", "now"]]
)
def test_wrong_usage_is_status_2(arguments):
    done = subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=10)
    assert done.returncode == 2
    assert done.stderr
    assert not done.stdout
