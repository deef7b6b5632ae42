"""When every replica fails, roost makes no storm of it: few attempts, an answer in time, no busy loop. And
replicas that only have a full queue are no failing ones."""

import os
import time

import pytest

from balancer import wait_until
from load import closed_loop
from trap_replicas import TrapReplicas

COUNT = 10
CONNECTIONS = 64
CONNECT_S = 0.5  # timeouts.connect, by default
BUSY_S = 2.0  # a busy machine, and this client
IDLE_S = 0.5

CONFIG = """
workers: %(workers)s
log: { access: off }
services:
  - name: web
    replicas:
      driver: static
      addresses: { %(addresses)s }
    health: { interval: %(interval)s, timeout: 2s }
    timeouts: { outbound-idle: %(idle)s }
"""

# What a GET and a POST are answered. Not sent: 503; sent and not answered: 502.
FAULTS = {
    "refuse": (503, 503),
    "black_hole": (503, 503),
    "reset": (502, 502),
    "close": (502, 502),
    "hang_up": (502, 502),
}


class Crew:
    def __init__(self, start, count=COUNT, backlog=511, workers=1, interval="500ms", idle="4s"):
        self.replicas = TrapReplicas(count, backlog)
        addresses = (f'r{n}: "{address}"' for n, address in enumerate(self.replicas.addresses))
        self.workers = workers
        self.roost = start(
            config=CONFIG
            % {
                "workers": workers,
                "addresses": ", ".join(addresses),
                "interval": interval,
                "idle": idle,
            }
        )
        self.pids = self.roost.pids_with("roost worker")

    def load(self, requests, connections=CONNECTIONS, method="GET"):
        return closed_loop(
            self.roost.url + "/x", requests=requests, connections=connections, method=method
        )

    def attempts(self):
        """That got no valid answer, as the workers count."""
        stats = self.roost.on_control("GET", "/stats").json()
        return sum(replica["failures"] for replica in stats["replicas"])

    def processor_s(self):
        total = 0
        for pid in self.pids:
            with open(f"/proc/{pid}/stat", encoding="ascii") as file:
                fields = file.read().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        return total / os.sysconf("SC_CLK_TCK")


@pytest.fixture
def crew_of(start):
    made = []

    def make(**options):
        made.append(Crew(start, **options))
        return made[-1]

    yield make
    for crew in made:
        crew.replicas.end()


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("workers", [2, pytest.param(1, marks=pytest.mark.long)])
def test_where_all_replicas_fail_attempts_are_few_and_answers_in_time(
    crew_of, fault, workers, is_long, capsys
):
    requests = 10000 if is_long else 800
    crew = crew_of(workers=workers, backlog=0 if fault == "black_hole" else 511)
    assert crew.load(20, connections=1).lost == 0
    crew.replicas.fail(fault)
    for method, status in zip(("GET", "POST"), FAULTS[fault]):
        attempts, processor_s = crew.attempts(), crew.processor_s()
        came = crew.replicas.requests
        result = crew.load(requests, method=method)
        attempts = crew.attempts() - attempts
        used_us = (crew.processor_s() - processor_s) / requests * 1e6
        with capsys.disabled():
            print(
                f"\n  {fault}, {method}, {workers} workers: {attempts} attempts for {requests} requests, "
                f"{used_us:.0f} us of a processor each, longest {max(result.latencies) * 1e3:.0f} ms"
            )
        assert not result.failures
        # A reused connection that was just being ended: what was sent on it got no answer.
        others = sum(count for seen, count in result.statuses.items() if seen != status)
        assert others <= 20 and set(result.statuses) <= {502, 503}, result
        assert attempts <= 1.2 * requests + 100 * workers
        assert crew.replicas.requests - came <= 1.2 * requests + 100 * workers
        assert max(result.latencies) < CONNECT_S + BUSY_S
        assert used_us < 2000
    if method == "POST" and fault in ("reset", "hang_up"):
        assert crew.replicas.requests - came <= requests, "a POST was sent twice"
    time.sleep(0.2)
    processor_s = crew.processor_s()
    time.sleep(IDLE_S)
    assert crew.processor_s() - processor_s < 0.1 * IDLE_S, "the workers spin"


def test_replicas_that_come_back_from_nowhere_are_used_at_once(crew_of):
    """Skipped and asked one at a time, they are all in use soon after they accept again."""
    crew = crew_of(count=3, backlog=0, interval="24h")
    assert crew.load(20, connections=1).lost == 0
    crew.replicas.fail("black_hole")
    assert set(crew.load(500).statuses) == {503}
    crew.replicas.heal()
    wait_until(lambda: crew.load(3, connections=1).lost == 0, 10, "they serve again")
    assert crew.load(100, connections=1).lost == 0


def test_a_full_queue_costs_a_second_and_no_request(crew_of):
    """The kernel drops what does not fit into the queue of a replica and asks again a second later."""
    crew = crew_of(count=3, backlog=16, interval="24h", idle="0ms")
    result = crew.load(2000, connections=200)
    assert set(result.statuses) == {200}, result
    # On a busy machine a queue may be full a second later, too: that is what retries are for.
    assert crew.attempts() < 100
