"""Normal traffic while others attack: it sees no error, and the attackers are cut at their deadline.

The counts are small enough for every run; --long has the full ones.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from balancer import BINARY, wait_until
from hostile.swarm import Swarm
from load import Background, closed_loop

PORTS_SCRIPT = Path(__file__).resolve().parent / "hostile" / "ports.py"

DEADLINE_S = 3  # of a head, of a body, of a reader
DEADLINE_LONG_S = 10
SLACK_S = 1.0
HEAD_BYTES_PER_ATTACKER_MAX = 8 * 1024
BUFFERED_MIB = 64
DESCRIPTORS = 400
CROWD = 600  # connections, where there are so few

CONFIG = """
compat: off
workers: 2
log: { access: off }
limits:
  header-timeout: %(deadline)ss
  idle-timeout: %(deadline)ss
  min-rate: 10KiB
  buffered-total: %(buffered)sMiB
services:
  - name: web
    replicas: { %(replicas)s }
    timeouts: { idle: %(deadline)ss }
"""


def config(deadline_s=DEADLINE_S, buffered_mib=BUFFERED_MIB, replicas="driver: process, count: 2"):
    return CONFIG % {"deadline": deadline_s, "buffered": buffered_mib, "replicas": replicas}


@pytest.fixture(scope="module")
def attacked(start_shared, is_long):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    deadline_s = DEADLINE_LONG_S if is_long else DEADLINE_S
    roost = start_shared(config=config(deadline_s))
    roost.deadline_s = deadline_s
    yield roost
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def resident_bytes(roost):
    """Of all workers."""
    total = 0
    for pid in roost.pids_with("roost worker"):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmRSS:"):
                total += int(line.split()[1]) * 1024
    return total


def cpu_s(roost):
    """Processor time of all workers so far."""
    total = 0
    for pid in roost.pids_with("roost worker"):
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / 100


def normal_traffic(roost):
    return Background(roost.url + "/home", connections=8)


def check_normal(load, calm, capsys, name):
    assert load.result.lost == 0, load.result
    before, under = calm.percentile(99) * 1000, load.result.percentile(99) * 1000
    with capsys.disabled():
        print(f"\n  {name}: normal traffic p99 {before:.1f} ms before, {under:.1f} ms under attack")


def check_cut(swarm, deadline_s):
    assert not swarm.living(), f"{len(swarm.living())} of {swarm.count} live on"
    lived = sorted(attacker.lived_s for attacker in swarm.attackers)
    assert lived[0] >= deadline_s - 0.1, f"one was cut after {lived[0]:.2f} s"
    assert lived[-1] <= deadline_s + SLACK_S, f"one lived for {lived[-1]:.2f} s"


def test_slow_headers(attacked, is_long, capsys):
    count = 10000 if is_long else 1000
    calm = closed_loop(attacked.url + "/home", connections=8, requests=400)
    before = resident_bytes(attacked)
    first = b"GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: Mozilla/5.0\r\nAccept: */*\r\n"
    with normal_traffic(attacked) as load:
        with Swarm(attacked.port, count, first, drip=b"X: y\r\n") as swarm:
            swarm.has_all.wait(30)
            time.sleep(0.5)
            most = resident_bytes(attacked) - before
            alive = len(swarm.living())
            swarm.wait_for_end(attacked.deadline_s + SLACK_S + 10)
    check_normal(load, calm, capsys, f"{count} slow headers")
    check_cut(swarm, attacked.deadline_s)
    assert all(b" 408 " in attacker.start for attacker in swarm.attackers)
    assert alive >= count * 0.9
    with capsys.disabled():
        print(f"  {most / alive:.0f} bytes of memory for each")
    assert most / alive <= HEAD_BYTES_PER_ATTACKER_MAX


def test_slow_bodies(attacked, is_long, capsys):
    count = 2000 if is_long else 200
    calm = closed_loop(attacked.url + "/home", connections=8, requests=400)
    first = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n"
    with normal_traffic(attacked) as load:
        with Swarm(attacked.port, count, first, drip=b"xxxxx") as swarm:
            swarm.wait_for_end(attacked.deadline_s + SLACK_S + 10)
    check_normal(load, calm, capsys, f"{count} slow bodies")
    check_cut(swarm, attacked.deadline_s)


def test_slow_chunks(attacked, capsys):
    """One byte a chunk, and as much extension as is allowed: framing is no progress."""
    calm = closed_loop(attacked.url + "/home", connections=8, requests=400)
    first = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    with normal_traffic(attacked) as load:
        with Swarm(attacked.port, 100, first, drip=b"1;a=b\r\nx\r\n") as swarm:
            swarm.wait_for_end(attacked.deadline_s + SLACK_S + 10)
    check_normal(load, calm, capsys, "100 slow chunks")
    check_cut(swarm, attacked.deadline_s)


@pytest.mark.parametrize("read_bytes", [1, 1000], ids=["a byte", "1000 bytes"])
def test_slow_readers(attacked, is_long, capsys, read_bytes):
    """Each asks for more than all buffers hold and reads almost nothing of it."""
    count = 2000 if is_long else 200
    calm = closed_loop(attacked.url + "/home", connections=8, requests=400)
    before = resident_bytes(attacked)
    first = b"GET /bytes/50000000 HTTP/1.1\r\nHost: a\r\n\r\n"
    with normal_traffic(attacked) as load:
        with Swarm(
            attacked.port, count, first, read_bytes=read_bytes, receive_buffer=4096
        ) as swarm:
            swarm.has_all.wait(30)
            most = 0
            end = time.monotonic() + attacked.deadline_s + 15
            while swarm.living() and time.monotonic() < end:
                most = max(most, resident_bytes(attacked) - before)
                time.sleep(0.2)
    check_normal(load, calm, capsys, f"{count} slow readers")
    assert not swarm.living(), f"{len(swarm.living())} of {count} live on"
    # From the first byte of the answer on: a replica that is asked so much may take its time.
    lived = max(attacker.ended - attacker.answered for attacker in swarm.attackers)
    with capsys.disabled():
        print(f"  the last was cut after {lived:.1f} s; memory {most >> 20} MiB")
    assert lived <= attacked.deadline_s + SLACK_S + swarm.pause_s
    assert most <= (BUFFERED_MIB << 20) * 1.5


def test_slow_readers_that_fill_the_memory(start, capsys):
    """More wait for slow readers than limits.buffered-total has room for: those that hold most of it
    are cut, and normal traffic neither stalls nor is refused."""
    roost = start(config=config(deadline_s=10, buffered_mib=1))
    first = b"GET /bytes/50000000 HTTP/1.1\r\nHost: a\r\n\r\n"
    with normal_traffic(roost) as load:
        with Swarm(roost.port, 1000, first, read_bytes=1, receive_buffer=4096) as swarm:
            swarm.has_all.wait(30)
            time.sleep(3)
            alive = len(swarm.living())
    with capsys.disabled():
        gap = load.result.longest_gap()
        print(f"\n  memory full: longest gap {gap:.2f} s, {alive} of 1000 readers left")
    assert load.result.lost == 0, load.result
    assert gap < 2
    assert alive < 1000


def test_connections_that_say_nothing(attacked, is_long, capsys):
    count = 10000 if is_long else 1000
    calm = closed_loop(attacked.url + "/home", connections=8, requests=400)
    with normal_traffic(attacked) as load:
        with Swarm(attacked.port, count, b"") as swarm:
            swarm.wait_for_end(attacked.deadline_s + SLACK_S + 10)
    check_normal(load, calm, capsys, f"{count} silent connections")
    check_cut(swarm, attacked.deadline_s)


def test_nothing_is_left_of_the_attacks(attacked):
    """Runs last: descriptors and requests in flight are what they were, and nobody is busy."""
    wait_until(lambda: attacked.on_control("GET", "/stats").json()["total"]["in_flight"] == 0, 5)

    def sockets():
        return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in attacked.pids_with("roost worker"))

    wait_until(lambda: sockets() < 100, 6, "the attackers' descriptors are closed")
    before = cpu_s(attacked)
    time.sleep(1)
    assert cpu_s(attacked) - before < 0.1


@pytest.fixture
def limited(tmp_path):
    """A program that runs ours with few descriptors."""
    path = tmp_path / "roost"
    path.write_text(f'#!/bin/sh\nulimit -n {DESCRIPTORS}\nexec "{BINARY}" "$@"\n', encoding="utf-8")
    path.chmod(0o755)
    return path


def test_descriptors_used_up(start, limited):
    """More connections than descriptors: no spinning, and control, probes and old connections
    work."""
    roost = start(config=config().replace("workers: 2", "workers: 1"), binary=limited)
    with roost.raw() as old:
        old.send("GET /home HTTP/1.1\r\nHost: a\r\n\r\n")
        assert old.read_answer().status == 200
        with Swarm(roost.port, CROWD, b"GET /slow/4000 HTTP/1.1\r\nHost: a\r\n\r\n") as swarm:
            swarm.has_all.wait(30)
            time.sleep(0.5)
            before = cpu_s(roost)
            end = time.monotonic() + 1.5
            while time.monotonic() < end:
                assert roost.on_control("GET", "/readyz").status == 200
                assert set(roost.states().values()) == {"up"}
                time.sleep(0.05)
            assert cpu_s(roost) - before < 0.5, "the worker spins"
            old.send("GET /home HTTP/1.1\r\nHost: a\r\n\r\n")
            assert old.read_answer().status in (200, 503)
            turned_away = [a for a in swarm.attackers if b" 503 " in a.start]
            assert len(turned_away) > 400
    wait_until(lambda: roost.get("/home").status == 200, 10)


def test_the_control_port_cannot_use_up_the_descriptors(start, limited):
    """As many there: traffic goes on, and a replica that dies meanwhile is started again, which takes
    descriptors."""
    roost = start(config=config().replace("workers: 2", "workers: 1"), binary=limited)
    with Swarm(roost.control_port, CROWD, b"GET / HTTP/1.1\r\nHost: localhost\r\n") as swarm:
        swarm.has_all.wait(30)
        before = roost.pids_with(" replica")
        os.kill(before[0], signal.SIGKILL)
        wait_until(lambda: len(set(roost.pids_with(" replica")) | set(before)) == 3, 5, "healed")
        assert roost.on_control("GET", "/readyz", timeout_s=3).status in (200, 503)
        assert roost.get("/home").status == 200
        assert swarm.living(), "all places are taken"


def test_ports_used_up(capsys):
    """No port is left for connections to the replica: those too many are told 503 at once, and the
    replica, which is well, stays up: neither its probes nor its requests are held against it."""
    namespace = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-rn"]
    if subprocess.run([*namespace, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no network namespaces here")
    done = subprocess.run(
        [*namespace, sys.executable, str(PORTS_SCRIPT)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["states"] == ["up"]
    assert told["downs"] == 0
    assert told["after"] == 200
    assert set(told["statuses"]) == {"200", "503"}
    assert told["statuses"]["200"] >= 10
