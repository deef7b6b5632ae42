#!/usr/bin/env python3
"""`roost load` beside wrk and h2load on the same replica: requests per second, rounds alternated.

usage: tools/bench_load.py [ROUNDS] [SECONDS]

The replica is `roost replica`; all share this machine. A generator that is slower than the others
measures itself.
"""

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROOST = os.environ.get("ROOST") or str(ROOT / "build" / "roost")
PORT = 18555
URL = f"http://127.0.0.1:{PORT}/home"
CONNECTIONS = 64


def output_of(command):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True).stdout


def roost_load(seconds):
    command = [ROOST, "load", URL, "-c", CONNECTIONS, "-d", f"{seconds}s", "--json", "--quiet"]
    return json.loads(output_of(command))["requests_per_s"]


def wrk(seconds):
    output = output_of(["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", URL])
    return float(re.search(r"Requests/sec:\s+([\d.]+)", output).group(1))


def h2load(seconds):
    output = output_of(["h2load", "--h1", "-t1", f"-c{CONNECTIONS}", "-D", seconds, URL])
    return float(re.search(r"([\d.]+) req/s", output).group(1))


def wait_for_replica():
    for _ in range(200):
        try:
            urllib.request.urlopen(URL, timeout=1).read()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit("the replica does not answer")


def main(rounds=3, seconds=2):
    generators = {"roost load": roost_load}
    generators.update({f.__name__: f for f in (wrk, h2load) if shutil.which(f.__name__)})
    replica = subprocess.Popen([ROOST, "replica", "--port", str(PORT)], stderr=subprocess.DEVNULL)
    try:
        wait_for_replica()
        rates = {name: [] for name in generators}
        for _ in range(int(rounds)):
            for name, generator in generators.items():
                rates[name].append(generator(int(seconds)))
    finally:
        replica.terminate()
        replica.wait()
    ours = statistics.median(rates["roost load"])
    print(f"{'GET /home, ' + str(CONNECTIONS) + ' connections':32} requests/s   roost load is")
    for name, values in rates.items():
        median = statistics.median(values)
        print(f"  {name:30} {median:10,.0f}   {ours / median:.2f} of it")


if __name__ == "__main__":
    main(*sys.argv[1:])
