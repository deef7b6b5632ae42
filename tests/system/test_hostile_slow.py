"""slowhttptest against roost: slow heads, slow bodies and slow readers as others send them. All are cut
at their deadline, normal traffic sees no error and, in the long run, is hardly slower."""

import csv
import json
import resource
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from balancer import BINARY, wait_until
from hostile.swarm import Swarm
from load import Background
from test_hostile_attack import SLACK_S, config, resident_bytes

DEADLINE_S = 2
LONG_DEADLINE_S = 30
RATE = 4000  # connections a second
ARRIVAL_S = 60  # the tool is slow with many where others use the machine
LONG_FACTOR = 10
LASTS_S = 300  # the tool gives up then
AVAILABLE_WITHIN_S = 5  # or it counts the service as down
THERE_SHARE_MIN = 0.9
LAST_S = 0.5  # nobody came for so long: those were all
OTHERS_MAX = 30  # connections of normal traffic and of the tool's own probes
HEAD_BYTES_PER_ATTACKER_MAX = 8 * 1024

ARRIVING_S = 4
ROOMY_MIB = 512  # nobody is cut for what is buffered
KERNEL_BYTES_PER_ATTACKER_MAX = 640 * 1024  # at both sides of roost, and at the sample replica's

WINDOW_S = 2
ROUNDS = 5
SETTLE_S = 2  # gigabytes are on their way to slow readers before all buffers are full
OUTLASTS_S = 200  # a deadline beyond all windows
WINDOW_RATE = 1000  # requests a second
P99_FACTOR_MAX = 1.5
P99_MORE_MS_MAX = 3


class Mode:
    """One of the tool's: its flags, and how many in a short run."""

    def __init__(self, flags, path, count):
        self.flags, self.path, self.count = flags.split(), path, count


MODES = {
    "slow heads": Mode("-H -i 1 -x 10", "/", 1000),
    "slow bodies": Mode("-B -i 1 -x 10 -s 1000000", "/echo", 200),
    "slow readers": Mode("-X -n 1 -w 1 -y 512 -z 5", "/bytes/50000000", 200),
}


@pytest.fixture
def many_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def connections(roost):
    """How many clients it has."""
    return roost.on_control("GET", "/v1/status").json()["total"]["connections"]


class Tool:
    """A running slowhttptest."""

    def __init__(self, roost, mode, count, folder):
        program = shutil.which("slowhttptest")
        if not program:
            pytest.skip("slowhttptest is not installed")
        self.roost, self.count = roost, count
        self.report = folder / "report"
        self.process = subprocess.Popen(
            [
                program, *mode.flags, "-c", str(count), "-r", str(RATE), "-l", str(LASTS_S),
                "-p", str(AVAILABLE_WITHIN_S), "-g", "-o", str(self.report), "-v", "0",
                "-u", roost.url + mode.path,
            ],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip

    def wait_for_all(self):
        """Until nearly all its connections are open and no more come; says when the last came."""
        least = self.count * THERE_SHARE_MIN
        wait_until(lambda: connections(self.roost) >= least, ARRIVAL_S, "all attackers are there")
        most, came = 0, time.monotonic()
        while time.monotonic() < came + LAST_S:
            if (now := connections(self.roost)) > most + OTHERS_MAX:
                most, came = now, time.monotonic()
            time.sleep(0.05)
        return came

    def wait_for_none(self, timeout_s):
        wait_until(lambda: connections(self.roost) <= OTHERS_MAX, timeout_s, "the attackers are cut")
        return time.monotonic()

    def end(self):
        """What it says of the service: False where it was down for it in any second."""
        self.process.terminate()
        self.process.wait(10)
        path = self.report.with_suffix(".csv")
        if not path.exists():
            return True
        with open(path, encoding="ascii") as rows:
            return all(int(row["Service Available"]) > 0 for row in csv.DictReader(rows))


@pytest.fixture
def attacked(start, many_files, is_long):
    deadline_s = LONG_DEADLINE_S if is_long else DEADLINE_S
    roost = start(config=config(deadline_s, buffered_mib=ROOMY_MIB))
    roost.deadline_s = deadline_s
    return roost


@pytest.mark.parametrize("name", MODES)
def test_slowhttptest(attacked, is_long, tmp_path, capsys, name):
    mode = MODES[name]
    count = mode.count * (LONG_FACTOR if is_long else 1)
    before = resident_bytes(attacked)
    with Background(attacked.url + "/home", connections=8) as load:
        tool = Tool(attacked, mode, count, tmp_path)
        try:
            began = tool.wait_for_all()
            each = (resident_bytes(attacked) - before) / count
            lived = tool.wait_for_none(attacked.deadline_s + 10) - began
        finally:
            was_available = tool.end()
    with capsys.disabled():
        print(f"\n  slowhttptest, {count} {name}: cut after {lived:.1f} s, {each:.0f} bytes each")
    assert load.result.lost == 0, load.result
    assert was_available, tool.report.with_suffix(".csv").read_text()
    assert lived <= attacked.deadline_s + SLACK_S
    if name == "slow heads":
        assert each <= HEAD_BYTES_PER_ATTACKER_MAX


def begin_load(roost, seconds):
    """Requests due at fixed times, from another process."""
    return subprocess.Popen(
        [
            BINARY, "load", roost.url + "/home", "--rate", str(WINDOW_RATE), "-d", f"{seconds}s",
            "--json", "-q",
        ],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def end_load(process):
    """What it measured; none may have failed."""
    told = json.loads(process.communicate(timeout=60)[0])
    assert told["lost"] == 0, (json.dumps(told["errors"]), told["statuses"], told["max_ms"])
    return told


def p99_ms(roost):
    return end_load(begin_load(roost, WINDOW_S))["p99_ms"]


ATTACKS = {"slow heads": 10000, "slow bodies": 2000, "slow readers": 2000}


def attackers(roost, name, count):
    head = b"GET %s HTTP/1.1\r\nHost: a\r\n"
    body = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n"
    return {
        "slow heads": lambda: Swarm(roost.port, count, head % b"/", b"X: y\r\n", 1),
        "slow bodies": lambda: Swarm(roost.port, count, body, b"xxxxx", 1),
        "slow readers": lambda: Swarm(
            roost.port, count, head % b"/bytes/50000000" + b"\r\n", b"", 1, 10, 4096
        ),
    }[name]()


def kernel_bytes():
    """What the kernel holds for all TCP connections there are here."""
    for line in Path("/proc/net/sockstat").read_text(encoding="ascii").splitlines():
        if line.startswith("TCP:"):
            return int(line.split()[-1]) * resource.getpagesize()
    return 0


@pytest.mark.parametrize("name", ATTACKS)
def test_normal_traffic_sees_no_error_while_they_arrive(start, many_files, is_long, capsys, name):
    """All within about a second: what they make the kernel hold does not starve the others."""
    count = ATTACKS[name] // (1 if is_long else 2)
    roost = start(config=config(OUTLASTS_S, buffered_mib=ROOMY_MIB))
    before = kernel_bytes()
    load = begin_load(roost, ARRIVING_S)
    with attackers(roost, name, count) as swarm:
        assert swarm.has_all.wait(ARRIVAL_S)
        told = end_load(load)
        each = (kernel_bytes() - before) // count
        assert len(swarm.living()) >= count * THERE_SHARE_MIN
    with capsys.disabled():
        print(
            f"\n  while {count} {name} arrive: p99 {told['p99_ms']:.1f} ms, none lost;"
            f" then {each >> 10} KiB of the kernel's memory each"
        )
    assert each <= KERNEL_BYTES_PER_ATTACKER_MAX


@pytest.mark.long
@pytest.mark.parametrize("name", ATTACKS)
def test_normal_traffic_is_hardly_slower(start, many_files, capsys, name):
    """The p99 of a window without the attack, of one with all attackers there, and so on. What else
    runs on the machine only ever adds to one: the best windows of both kinds are compared."""
    roost = start(config=config(OUTLASTS_S, buffered_mib=ROOMY_MIB))
    quiet, under = [], []
    for _ in range(ROUNDS):
        quiet.append(p99_ms(roost))
        with attackers(roost, name, ATTACKS[name]) as swarm:
            assert swarm.has_all.wait(ARRIVAL_S)
            time.sleep(SETTLE_S)
            under.append(p99_ms(roost))
            assert len(swarm.living()) >= swarm.count * 0.9
        wait_until(lambda: connections(roost) == 0, ARRIVAL_S)
    with capsys.disabled():
        print(f"\n  {ATTACKS[name]} {name}: p99 in ms {quiet} without, {under} with them")
    before, now = min(quiet), min(under)
    assert now <= max(before * P99_FACTOR_MAX, before + P99_MORE_MS_MAX)
