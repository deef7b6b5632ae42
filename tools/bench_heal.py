#!/usr/bin/env python3
"""`make bench-heal`: how soon a replica that dies or hangs is passed over, and how soon it is back.

usage: tools/bench_heal.py [--print]

Under a steady load a replica is killed (SIGKILL, docker kill) or stopped (SIGSTOP, docker pause; it
goes on once that was noticed), KILLS times, one after the other. The keeper's events say when it saw
that, the workers' access log when they last sent a request there and when the replica answered
again. Processes always; containers where there is root and dockerd (one of our own is started, with
its own data) or an Engine that answers at DOCKER_HOST or /var/run/docker.sock.

KILLS=20  HANGS=10  RATE=1000     how many, and requests a second      ROOST=build/roost  which binary
FIXTURES=process,docker           one of them

A run of both, of 20 kills or more, writes docs/healing.md; --print does not.
"""

import contextlib
import datetime
import http.client
import json
import math
import os
import shutil
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "system"))

import bench_report  # noqa: E402
import docker_engine  # noqa: E402
from balancer import Balancer, wait_until  # noqa: E402
from events_reader import Events  # noqa: E402

REPLICAS = 3
KILLS_MAX = 150  # one of three that was killed 60 times within ten minutes is parked
WELL_S = 1.1  # who is killed sooner after he came up counts as crashing
CALM_S = 0.2  # between two blows
NOTICE_S = 30
IMAGE = "roost-bench-heal"
DEFAULT_SOCKET = "/var/run/docker.sock"


def number(name, default, most):
    text = os.environ.get(name, "") or str(default)
    if not text.isdigit() or not 1 <= int(text) <= most:
        raise SystemExit(f"{name} is {text!r}: expected a number from 1 to {most}")
    return int(text)


def wall_ms():
    return time.time() * 1000


def parse_ms(text):
    """Of the time in an event or a line of the access log."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000


class Requests:
    """What the access log tells, read as it grows."""

    def __init__(self, path):
        self.path = path
        self.offset = 0
        self.all = []

    def read(self):
        with open(self.path, "rb") as log:
            log.seek(self.offset)
            text = log.read()
        whole = text[: text.rfind(b"\n") + 1]
        self.offset += len(whole)
        for line in whole.splitlines():
            told = json.loads(line)
            # Its time is the end, in whole milliseconds.
            told["begun"] = parse_ms(told["time"]) - told["ms"]
            self.all.append(told)
        return self.all

    def answered_by(self, name, since):
        """When the first answer came that this replica gave to a request begun at `since` or later."""
        found = [
            line["begun"] + line["ms"]
            for line in self.read()
            if line["replica"] == name and line["status"] == 200 and line["begun"] >= since
        ]
        return min(found, default=None)

    def last_sent(self, name, since, until, passed_on=math.inf):
        """When the last request begun that met the replica: answered by it, if begun before
        `passed_on`, or tried there first."""
        return max(
            (
                line["begun"]
                for line in self.read()
                if since <= line["begun"] < until
                and (
                    (line["replica"] == name and line["begun"] < passed_on)
                    or (line.get("attempts") or 1) > 1
                )
            ),
            default=None,
        )


# ---- what is harmed ----


class Processes:
    title = "process"
    kill_title, hang_title, wake_title = "SIGKILL", "SIGSTOP", "SIGCONT"

    def start(self, folder):
        return start_balancer(folder, "--driver", "process")

    def blow(self, balancer, name, how):
        found = balancer.on_control("GET", f"/v1/replicas/{name.replace(' ', '%20')}").json()
        os.kill(found["pid"], how)

    def kill(self, balancer, name):
        self.blow(balancer, name, signal.SIGKILL)

    def hang(self, balancer, name):
        self.blow(balancer, name, signal.SIGSTOP)

    def wake(self, balancer, name):
        self.blow(balancer, name, signal.SIGCONT)


class Containers:
    title = "container"
    kill_title, hang_title, wake_title = "docker kill", "docker pause", "docker unpause"

    def __init__(self, engine):
        self.engine = engine

    def start(self, folder):
        flags = ("--driver", "docker", "--server-image", IMAGE)
        return start_balancer(folder, *flags, environment=self.engine.environment)

    def container(self, name):
        return next(
            found["Id"]
            for found in self.engine.containers("io.roost.replica=" + name).values()
            if found["State"] != "exited"
        )

    def kill(self, _, name):
        self.engine.kill(self.container(name))

    def hang(self, _, name):
        self.engine.do("POST", f"/containers/{self.container(name)}/pause")

    def wake(self, _, name):
        self.engine.do("POST", f"/containers/{self.container(name)}/unpause")


class PresentEngine(docker_engine.Engine):
    """One that runs anyway: nothing is touched there but what was made here."""

    def __init__(self, path):
        self.socket = Path(path)
        self.environment = {"DOCKER_HOST": f"unix://{path}"}

    def end(self):
        self.ask("DELETE", f"/images/{IMAGE}?force=1")


def open_engine():
    """(an Engine, where it is from) or (None, why there is none)."""
    if os.geteuid() == 0 and shutil.which("dockerd"):
        return docker_engine.Engine().start(), "a dockerd of this run alone"
    path = os.environ.get("DOCKER_HOST", f"unix://{DEFAULT_SOCKET}").removeprefix("unix://")
    engine = PresentEngine(path)
    try:
        if engine.ask("GET", "/_ping")[0] == 200:
            return engine, "the machine's own Docker Engine"
    except (OSError, http.client.HTTPException):
        pass
    return None, f"no Docker Engine answers at {path}, and to start one takes root and dockerd"


# ---- measuring ----


def start_balancer(folder, *flags, environment=None):
    log = Path(folder) / "access.log"
    made = Balancer(
        *flags, "--num-servers", REPLICAS, "--access-log", log, environment=environment
    )
    try:
        return made.start(), Requests(log)
    except BaseException:
        made.end()
        raise


class Fixture:
    """One kind of replica, and what was measured of it: lists of milliseconds."""

    def __init__(self, kind, balancer, requests, events):
        self.kind, self.balancer, self.requests, self.events = kind, balancer, requests, events
        self.up_since = {}
        self.times = {}
        self.moved = 0
        self.result = None

    def note(self, row, took_ms):
        self.times.setdefault(row, []).append(max(0.0, took_ms))

    def digest(self):
        return self.balancer.on_control("GET", "/stats").json()["ring"]["digest"]

    def owners(self):
        return self.balancer.on_control("GET", "/v1/ring?owners=true").json()["owners"]

    def await_event(self, what, name, since):
        """When the first of these came, rounded up."""

        def has_come(event):
            is_it = event["what"] == what and name in event["replicas"]
            # Its time is in whole milliseconds.
            return is_it and parse_ms(event["at"]) >= math.floor(since)

        return parse_ms(self.events.wait_for(has_come, NOTICE_S)["at"]) + 1

    def await_answer(self, name, since):
        return wait_until(lambda: self.requests.answered_by(name, since), NOTICE_S, "an answer")

    def rest(self, name):
        time.sleep(CALM_S)
        left = self.up_since.get(name, 0) + WELL_S - time.monotonic()
        time.sleep(max(0.0, left))

    def kill(self, name):
        self.rest(name)
        title = f"{self.kind.title}, {self.kind.kill_title}"
        began = wall_ms()
        self.kind.kill(self.balancer, name)
        seen = self.await_event("replica.dead", name, began)
        up = self.await_event("replica.up", name, began)
        self.up_since[name] = time.monotonic()
        answered = self.await_answer(name, seen)
        self.note(f"{title}: the keeper has seen it", seen - began)
        # What it answers later is its successor's.
        self.note_last_sent(title, self.requests.last_sent(name, began, up, seen), began)
        self.note(f"{title}: it answers again", answered - began)

    def hang(self, name):
        self.rest(name)
        title = f"{self.kind.title}, {self.kind.hang_title}"
        began = wall_ms()
        self.kind.hang(self.balancer, name)
        try:
            seen = self.await_event("replica.down", name, began)
            time.sleep(CALM_S)
        finally:
            woken = wall_ms()
            self.kind.wake(self.balancer, name)
        self.await_event("replica.up", name, woken)
        self.up_since[name] = time.monotonic()
        answered = self.await_answer(name, woken)
        self.note(f"{title}: the keeper has seen it", seen - began)
        self.note_last_sent(title, self.requests.last_sent(name, began, woken), began)
        self.note(f"{self.kind.title}, {self.kind.wake_title}: it answers again", answered - woken)

    def note_last_sent(self, title, last, began):
        self.note(f"{title}: the last request was sent to it", (last or began) - began)

    def run(self, kills, hangs, rate):
        digest, owners = self.digest(), self.owners()
        names = self.balancer.replicas()
        with docker_engine.Load(self.balancer.url + "/home", rate) as load:
            for blows, strike in ((kills, self.kill), (hangs, self.hang)):
                for count in range(blows):
                    strike(names[count % len(names)])
                    if self.digest() != digest:
                        now = self.owners()
                        self.moved += sum(1 for a, b in zip(owners, now) if a != b)
                    print(f"{self.kind.title}: {count + 1}/{blows}", file=sys.stderr, flush=True)
        self.result = load.result
        self.retried = sum(1 for line in self.requests.read() if (line.get("attempts") or 1) > 1)
        return self


def measure(kind, folder, kills, hangs, rate):
    balancer, requests = kind.start(folder)
    try:
        with Events(balancer) as events:
            return Fixture(kind, balancer, requests, events).run(kills, hangs, rate)
    finally:
        balancer.end()


def measure_containers(folder, kills, hangs, rate):
    """(the fixture or None, a sentence)"""
    engine, said = open_engine()
    if not engine:
        return None, f"Containers were not measured: {said}."
    with contextlib.ExitStack() as stack:
        stack.callback(engine.end)
        engine.make_image(IMAGE)
        return measure(Containers(engine), folder, kills, hangs, rate), f"Containers: {said}."


# ---- the report ----


def quantile(values, part):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(len(ordered) * part) - 1)]


def time_rows(fixture):
    for title, values in fixture.times.items():
        figures = (min(values), statistics.median(values), quantile(values, 0.99), max(values))
        yield [title, str(len(values)), *(f"{figure:,.0f}" for figure in figures)]


def caution(load):
    """A sentence where the processors had other work when it began."""
    if load <= os.cpu_count():
        return ""
    return (
        f"**The machine had other work during this run** (load average {load:.0f}): most of the "
        "larger times are waiting for a processor.\n"
    )


def report(fixtures, rate, said, load):
    counts = [
        [
            fixture.kind.title,
            f"{fixture.result['answers'] + fixture.result['lost']:,}",
            str(fixture.result["lost"]),
            str(fixture.retried),
            str(fixture.moved),
        ]
        for fixture in fixtures
    ]
    rows = [row for fixture in fixtures for row in time_rows(fixture)]
    head = ["milliseconds after the blow", "blows", "minimum", "median", "p99", "maximum"]
    parts = (
        "# Healing, measured\n",
        "Written by `make bench-heal`; nothing here is typed by hand. What the states mean is in "
        "[operations](operations.md).\n",
        f"{bench_report.hardware()}. {REPLICAS} replicas, {rate:,} GETs a second with drawn keys "
        f"on loopback, the load generator on the same processors. {said}\n",
        caution(load),
        "The keeper's times are its events', the others the access log's, in whole milliseconds, "
        f"and a replica is asked every {REPLICAS * 1000 / rate:g} ms on average. A request counts "
        "as sent to the replica also where it was refused or cut off and went on to the slot's "
        "next rank. A replica that hangs takes requests until two probes have missed; what it "
        "holds is taken back then.\n",
        bench_report.table(head, rows),
        bench_report.table(
            ["", "requests", "failed", "sent to another replica", "slots moved"], counts
        ),
    )
    return "\n".join(part for part in parts if part)


def chosen_fixtures():
    wanted = [word for word in os.environ.get("FIXTURES", "").split(",") if word]
    for word in wanted:
        if word not in ("process", "docker"):
            raise SystemExit(f"FIXTURES: no {word!r}; there are process, docker")
    return wanted or ["process", "docker"]


def main():
    kills, hangs = number("KILLS", 20, KILLS_MAX), number("HANGS", 10, KILLS_MAX)
    rate = number("RATE", 1000, 20000)
    wanted = chosen_fixtures()
    fixtures, said, load = [], "", os.getloadavg()[0]
    # Ended from outside, what was started ends too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if "process" in wanted:
        with tempfile.TemporaryDirectory(prefix="roost-heal-") as folder:
            fixtures.append(measure(Processes(), folder, kills, hangs, rate))
    if "docker" in wanted:
        with tempfile.TemporaryDirectory(prefix="roost-heal-") as folder:
            containers, said = measure_containers(folder, kills, hangs, rate)
            fixtures += [containers] if containers else []
    text = report(fixtures, rate, said, load)
    print(text)
    if len(fixtures) == 2 and kills >= 20 and "--print" not in sys.argv:
        (ROOT / "docs" / "healing.md").write_text(text, encoding="utf-8")
    return 1 if any(f.result["lost"] or f.moved for f in fixtures) else 0


if __name__ == "__main__":
    sys.exit(main())
