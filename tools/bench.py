#!/usr/bin/env python3
"""`make bench`: roost, HAProxy, nginx and a bare forwarder, side by side on this machine.

usage: tools/bench.py [--print]

What counts is the processor time a balancer itself spends on a request. The balancer has one core
to itself, client and replicas share the others; rounds alternate, so that what drifts meets all of
them. Absolute times belong to the machine: compare ratios of one run.

FIXTURES=get-150,post-16k   some of them        PEERS=haproxy,nginx,floor,roost   some of them
ROUNDS=5  SECONDS=2         more, or longer     ROOST=build/roost  OTHER=...      which binaries

A run of everything writes docs/benchmarks.md, with bench/notes.md at its end; --print does not.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import bench_balancers
import bench_report

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "bench"
CFLAGS = ["-std=gnu17", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror"]
PROGRAMS = {"client": ["client.c", "cpu.c"], "replica": ["replica.c"], "forward": ["forward.c"]}
INSIDE = "ROOST_BENCH_INSIDE"
PORTS = {"floor": 8000, "haproxy": 8100, "nginx": 8200, "roost": 8300, "roost-log": 8400,
         "other": 8500}  # fmt: skip
FIRST_REPLICA_PORT = 10000
IDLE_FEW, IDLE_MANY = 1000, 9000


USUAL = ("floor", "haproxy", "nginx", "roost", "roost-log", "other")
NO_FLOOR = USUAL[1:]


class Fixture:
    """`only`: who takes part. `fillers`: so many processes that only spin share the balancer's core,
    for what client and replicas are too slow to keep it busy with: one that sleeps between two
    requests pays for its wake-ups too, the quicker it is the more. What waits meanwhile keeps it
    busy in the time that is left to it. Such a fixture stands beside the same without fillers.

    `beside`: another one, whose balancers and rounds it shares, so that what one costs more than the
    other is taken within each round."""

    def __init__(
        self,
        title,
        replicas=3,
        workers=1,
        memory=False,
        fillers=0,
        only=USUAL,
        beside=None,
        **client,
    ):
        self.title = title
        self.replicas = replicas
        self.workers = workers
        self.memory = memory
        self.fillers = fillers
        self.only = only
        self.beside = beside
        self.client = client


FIXTURES = {
    "get-150": Fixture("GET 150 B, 64 connections"),
    "get-150-256": Fixture("GET 150 B, 256 connections", connections=256),
    "get-1k": Fixture("GET 1 KiB", bytes=1024),
    "get-64k": Fixture("GET 64 KiB", bytes=65536),
    "get-1m": Fixture("GET 1 MiB", bytes=1048576, connections=16),
    "post-16k": Fixture("POST 16 KiB", post=16384),
    "post-16k-shared": Fixture("POST 16 KiB, core shared", fillers=4, post=16384),
    "close": Fixture("a new connection for each request", closes=1),
    "close-shared": Fixture("a new connection, core shared", fillers=4, closes=1),
    "idle-2000": Fixture("64 active and 2,000 idle connections", idle=2000),
    "rate-10k": Fixture("10,000 requests/s, fixed", rate=10000),
    "connections-100": Fixture("100 connections", connections=100),
    "connections-1000": Fixture(
        "1,000 connections", beside="connections-100", connections=1000, warm=1000
    ),
    "connections-9000": Fixture(
        "9,000 connections", beside="connections-100", connections=9000, warm=3000
    ),
    "replicas-100": Fixture("100 replicas", replicas=100),
    "replicas-1000": Fixture("1,000 replicas", replicas=1000, warm=1500),
    "two-workers": Fixture("two workers, all cores shared", workers=2, only=NO_FLOOR),
    "memory": Fixture("memory of an idle connection", memory=True),
}


def chosen(variable, names):
    wanted = [word for word in os.environ.get(variable, "").split(",") if word]
    for word in wanted:
        if word not in names:
            raise SystemExit(f"{variable}: no {word!r}; there are {', '.join(names)}")
    return wanted


def compile_programs():
    BUILD.mkdir(parents=True, exist_ok=True)
    for name, sources in PROGRAMS.items():
        paths = [str(ROOT / "bench" / source) for source in sources]
        subprocess.run(
            [os.environ.get("CC", "cc"), *CFLAGS, *paths, "-o", str(BUILD / name)], check=True
        )


# ---- the place of the measurement ----


def enter_namespace():
    """Runs this script again in a network namespace of its own, where that can be had."""
    if os.environ.get(INSIDE):
        return
    for inside, command in (("yes", ["unshare", "--net"]), ("no", [])):
        if command and subprocess.run([*command, "true"], capture_output=True).returncode != 0:
            continue
        os.environ[INSIDE] = inside
        os.execvp((command or [sys.executable])[0], [*command, sys.executable, *sys.argv])


def set_up_namespace():
    """What could be arranged, as a sentence for the report."""
    if os.environ[INSIDE] != "yes":
        return "the machine's own network namespace: a private one could not be had"
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for name, value in (
        ("ip_local_port_range", "20000 65000"),
        ("tcp_tw_reuse", "1"),
        ("tcp_congestion_control", "cubic"),
        ("tcp_congestion_control", "reno"),
    ):
        try:
            Path(f"/proc/sys/net/ipv4/{name}").write_text(value)
        except OSError:
            pass
    control = Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip()
    count = Path("/proc/sys/net/netfilter/nf_conntrack_count")
    tracked = "without connection tracking"
    if count.exists() and int(count.read_text()):
        tracked = "with connection tracking, which could not be avoided"
    return f"a private network namespace {tracked}, congestion control {control}"


def raise_limit():
    for most in (bench_balancers.FILES_WANTED, resource.getrlimit(resource.RLIMIT_NOFILE)[1]):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
            return
        except (OSError, ValueError):
            continue


# ---- measuring ----


def run_client(cores, port, pids, **settings):
    words = [f"{name}={value}" for name, value in settings.items()]
    done = subprocess.run(
        [str(BUILD / "client"), f"port={port}", f"pids={','.join(map(str, pids))}", *words],
        capture_output=True,
        text=True,
        timeout=120,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    if done.returncode != 0:
        raise SystemExit(f"the client failed: {done.stderr}")
    return json.loads(done.stdout)


def refine(raw):
    """What the report needs of one run."""
    ticks = raw["user_ticks"] + raw["system_ticks"]
    answers = max(raw["answers"], 1)
    cpu_us = raw["cpu_us"] / answers
    return {
        "cpu_us": cpu_us,
        "user_us": cpu_us * raw["user_ticks"] / max(ticks, 1),
        "busy": raw["cpu_us"] / 1e6 / raw["seconds"],
        "sleeps": raw["sleeps"] / answers,
        "per_s": raw["answers"] / raw["seconds"],
        "p50_us": raw["p50_us"],
        "p99_us": raw["p99_us"],
        "p999_us": raw["p999_us"],
        "errors": raw["errors"],
        "first_error": raw["first_error"],
    }


def measure_memory(balancer, cores):
    few = run_client(
        cores, balancer.port, balancer.pids(), connections=1, idle=IDLE_FEW, milliseconds=200
    )
    many = run_client(
        cores, balancer.port, balancer.pids(), connections=1, idle=IDLE_MANY, milliseconds=200
    )
    grown = many["anonymous_bytes"] - few["anonymous_bytes"]
    return {
        "bytes": grown / (IDLE_MANY - IDLE_FEW),
        "base": few["anonymous_bytes"],
        "errors": few["errors"] + many["errors"],
        "first_error": many["first_error"],
    }


class Stage:
    """Replicas and balancers of some fixtures, running."""

    def __init__(self, folder, names, fixture, placing):
        replicas, workers = fixture.replicas, fixture.workers
        shares = workers > 1
        self.client_cores = placing.all if shares else placing.others
        balancer_cores = placing.all if shares else placing.balancer
        ports = list(range(FIRST_REPLICA_PORT, FIRST_REPLICA_PORT + replicas))
        self.replica = subprocess.Popen(
            [str(BUILD / "replica"), str(FIRST_REPLICA_PORT), str(replicas)],
            preexec_fn=lambda: os.sched_setaffinity(0, self.client_cores),
        )
        time.sleep(0.3)
        self.fillers = [
            subprocess.Popen(
                ["/bin/sh", "-c", "while :; do :; done"],
                start_new_session=True,  # the kernel shares out by session
                preexec_fn=lambda: os.sched_setaffinity(0, balancer_cores),
            )
            for _ in range(fixture.fillers)
        ]
        self.balancers = []
        try:
            for name in names:
                kind = bench_balancers.KINDS[name]
                self.balancers.append(kind(folder, PORTS[name], ports, workers, balancer_cores))
            for balancer in self.balancers:
                balancer.wait()
                if balancer.pids() != [balancer.process.pid]:
                    os.sched_setaffinity(balancer.process.pid, self.client_cores)
        except BaseException:
            self.end()
            raise

    def end(self):
        for balancer in self.balancers:
            balancer.end()
        for process in (*self.fillers, self.replica):
            process.kill()
            process.wait()

    def round(self, number, fixture, seconds):
        """{balancer: figures}; who begins changes from round to round."""
        shift = number % len(self.balancers)
        figures = {}
        for balancer in self.balancers[shift:] + self.balancers[:shift]:
            if fixture.memory:
                figures[balancer.name] = measure_memory(balancer, self.client_cores)
                continue
            settings = {"milliseconds": int(seconds * 1000), **fixture.client}
            figures[balancer.name] = refine(
                run_client(self.client_cores, balancer.port, balancer.pids(), **settings)
            )
        return figures


def together(names):
    """[fixtures that share their rounds], in the order of their first"""
    groups = []
    for name in names:
        beside = FIXTURES[name].beside
        group = next((one for one in groups if beside in one), None)
        if group:
            group.append(name)
        else:
            groups.append([name])
    return groups


def measure(folder, group, peers, rounds, seconds, placing):
    """{fixture: [{balancer: figures} of each round]}"""
    first = FIXTURES[group[0]]
    if first.memory:
        rounds = 1
    stage = Stage(folder, [peer for peer in peers if peer in first.only], first, placing)
    done = {name: [] for name in group}
    try:
        for number in range(rounds):
            for name in group:
                figures = stage.round(number, FIXTURES[name], seconds)
                done[name].append(figures)
                line = summary(FIXTURES[name], figures)
                print(f"{name} {number + 1}/{rounds}: {line}", flush=True)
    finally:
        stage.end()
    return done


def summary(fixture, figures):
    if fixture.memory:
        return "  ".join(f"{name} {one['bytes']:.0f} B" for name, one in figures.items())
    return "  ".join(
        f"{name} {one['cpu_us']:.2f} µs" + (f" ({one['first_error']})" if one["errors"] else "")
        for name, one in figures.items()
    )


def main():
    raise_limit()
    fixtures = chosen("FIXTURES", FIXTURES) or list(FIXTURES)
    peers = chosen("PEERS", PORTS) or [name for name in PORTS if name != "other"]
    rounds = int(os.environ.get("ROUNDS", "5"))
    seconds = float(os.environ.get("SECONDS", "2"))
    enter_namespace()
    place = set_up_namespace()
    compile_programs()
    folder = tempfile.mkdtemp(prefix="roost-bench-")
    results = {}
    try:
        for group in together(fixtures):
            placing = bench_balancers.Placing()
            results |= measure(folder, group, peers, rounds, seconds, placing)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    (BUILD / "results.json").write_text(json.dumps(results, indent=1))
    text = bench_report.report(FIXTURES, results, peers, place, rounds, seconds)
    print("\n" + text)
    is_whole = set(fixtures) == set(FIXTURES) and "other" not in peers
    if is_whole and "--print" not in sys.argv:
        notes = (ROOT / "bench" / "notes.md").read_text(encoding="utf-8")
        (ROOT / "docs" / "benchmarks.md").write_text(text + "\n" + notes, encoding="utf-8")
    worst = max(one["errors"] for rounds in results.values() for r in rounds for one in r.values())
    return 1 if worst else 0


if __name__ == "__main__":
    sys.exit(main())
