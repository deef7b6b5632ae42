#!/usr/bin/env python3
"""`make profile`: where roost's worker spends its time, and its system calls by request.

usage: tools/bench_profile.py

FIXTURES=get-150,close   fixtures of tools/bench.py     PEERS=roost   whom, or roost-log
SECONDS=2                ROOST=build/roost              LIMIT=0.3     least share, in percent

Functions are sampled by the software clock (there may be no hardware counters); the kernel's are
named where kernel.kptr_restrict lets us. System calls are counted in a run of their own, because
counting slows everything down.
"""

import os
import re
import shutil
import subprocess
import tempfile

import bench
import bench_balancers

SHARE_MIN_PERCENT = "0.3"


def with_load(stage, fixture, command):
    """Runs `command` (which ends by itself) while the balancer is kept busy; (its output, the
    client's figures)."""
    balancer = stage.balancers[0]
    watcher = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    figures = bench.run_client(
        stage.client_cores, balancer.port, balancer.pids(), **fixture.client, milliseconds=3000
    )
    return watcher.communicate()[0], figures


def show_functions(folder, stage, fixture, seconds):
    pid = str(stage.balancers[0].pids()[0])
    data = f"{folder}/perf.data"
    record = ["perf", "record", "-q", "-e", "cpu-clock", "-F", "4999", "-p", pid, "-o", data]
    figures = with_load(stage, fixture, [*record, "--", "sleep", str(seconds)])[1]
    report = subprocess.run(
        ["perf", "report", "-i", data, "--stdio", "--sort", "dso,symbol", "-g", "none",
         "--percent-limit", os.environ.get("LIMIT", SHARE_MIN_PERCENT)],
        capture_output=True, text=True,
    ).stdout  # fmt: skip
    cpu_us = bench.refine(figures)["cpu_us"]
    print(f"{'share':>7} {'µs':>6}  where")
    lines = [line for line in report.splitlines() if re.match(r"\s+\d", line)]
    sums = {}
    for line in lines:
        percent, dso, _, symbol = line.split()[:4]
        share = float(percent.rstrip("%")) / 100
        sums[dso] = sums.get(dso, 0) + share
        print(f"{percent:>7} {share * cpu_us:6.2f}  {dso} {symbol}")
    print(f"\n{cpu_us:.2f} µs a request; of what is shown:")
    for dso, share in sorted(sums.items(), key=lambda pair: -pair[1]):
        print(f"{share * cpu_us:6.2f} µs  {dso}")


def show_calls(stage, fixture):
    pid = str(stage.balancers[0].pids()[0])
    settings = {**fixture.client, "connections": fixture.client.get("connections", 64)}
    watcher = subprocess.Popen(
        ["timeout", "2", "strace", "-f", "-c", "-p", pid], stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    bench.run_client(
        stage.client_cores, stage.balancers[0].port, [1], **settings, milliseconds=3000, warm=0
    )
    print("\nsystem calls:\n" + watcher.communicate()[1])


def main():
    bench.raise_limit()
    bench.enter_namespace()
    bench.set_up_namespace()
    bench.compile_programs()
    seconds = float(os.environ.get("SECONDS", "2"))
    who = bench.chosen("PEERS", bench.PORTS) or ["roost"]
    for name in bench.chosen("FIXTURES", bench.FIXTURES) or ["get-150"]:
        fixture = bench.FIXTURES[name]
        folder = tempfile.mkdtemp(prefix="roost-profile-")
        placing = bench_balancers.Placing()
        stage = bench.Stage(folder, who[:1], fixture.replicas, 1, placing)
        print(f"# {who[0]}: {fixture.title}\n")
        try:
            show_functions(folder, stage, fixture, seconds)
            show_calls(stage, fixture)
        finally:
            stage.end()
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
