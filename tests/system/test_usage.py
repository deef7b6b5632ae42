"""What replicas use of processor and memory is in the status."""

import re
import subprocess

from balancer import BINARY, wait_until
from raw_replica import RawReplica, config_for

MEBIBYTE = 1024 * 1024
MEMORY_MIB = 64

# The child works, its parent serves: they are one session.
BUSY = """
import os, time
memory = bytearray(%d * 1024 * 1024)
for place in range(0, len(memory), 4096):
    memory[place] = 1
if os.fork() == 0:
    while True:
        sum(range(200000))
        time.sleep(0.01)
os.execv("%s", ["roost", "replica"])
""" % (MEMORY_MIB, BINARY)

CONFIG = """
services:
  - name: web
    replicas:
      driver: process
      count: 2
      command: [/bin/sh, -c, "[ $SERVER_ID = 1 ] && exec /usr/bin/python3 %s; exec '%s' replica"]
"""


def replicas(roost):
    found = roost.on_control("GET", "/v1/replicas").json()["replicas"]
    return {replica["name"]: replica for replica in found}


def status_table(roost):
    command = [BINARY, "ctl", "--control", roost.control, "status"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    return done.stdout


def test_a_busy_replica_shows_its_processor_time_and_memory(start, tmp_path):
    (tmp_path / "busy.py").write_text(BUSY, encoding="utf-8")
    roost = start(config=CONFIG % (tmp_path / "busy.py", BINARY))

    def has_two_readings():
        return all(one["cpu_percent"] is not None for one in replicas(roost).values())

    wait_until(has_two_readings, 20, "two readings")
    before = replicas(roost)["Server 1"]["cpu_s"]
    wait_until(lambda: replicas(roost)["Server 1"]["cpu_s"] > before + 0.2, 40, "it works")
    busy = wait_until(
        lambda: (found := replicas(roost)["Server 1"])["cpu_percent"] > 0 and found, 20
    )
    idle = replicas(roost)["Server 2"]
    assert busy["cpu_s"] > 10 * idle["cpu_s"], (busy, idle)
    # The child's memory is a copy of its parent's, which became the replica.
    assert MEMORY_MIB * MEBIBYTE < busy["memory_bytes"] < 4 * MEMORY_MIB * MEBIBYTE
    assert 0 < idle["memory_bytes"] < busy["memory_bytes"] / 2
    assert re.search(r"CPU % +MEM MIB", status_table(roost))
    line = next(line for line in status_table(roost).splitlines() if line.startswith("Server 1"))
    assert any(float(word) > MEMORY_MIB for word in re.findall(r"\d+\.\d\b(?! %)", line)), line
    # On a busy machine who was killed needs his turn to end.
    assert roost.terminate() == 0
    wait_until(lambda: not roost.pids(), 20, "its child is gone")


def test_a_healed_replica_begins_at_nothing(start):
    roost = start("--num-servers", 1)
    wait_until(lambda: replicas(roost)["Server 1"]["memory_bytes"], 10, "a reading")
    pid = replicas(roost)["Server 1"]["pid"]
    subprocess.run(["kill", "-KILL", str(pid)], check=True)
    wait_until(lambda: replicas(roost)["Server 1"]["pid"] not in (None, pid), 10, "another pid")
    found = replicas(roost)["Server 1"]
    assert found["cpu_percent"] is None, found
    wait_until(lambda: replicas(roost)["Server 1"]["memory_bytes"], 10, "a reading")


def test_of_addresses_of_others_nothing_is_known(start):
    replica = RawReplica()
    try:
        found = replicas(start(config=config_for([replica])))["web-1"]
    finally:
        replica.end()
    assert (found["cpu_percent"], found["cpu_s"], found["memory_bytes"]) == (None, None, None)
