"""Run in a network namespace of its own: more requests at once than the kernel has ports for
connections to the replica. Prints what came of it as JSON."""

import http.client
import itertools
import json
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from balancer import Balancer, RawSocket  # noqa: E402
from raw_replica import OK, RawReplica, config_for  # noqa: E402

PORTS = 20
REQUESTS = 60
HOLD_S = 1.5
own_ports = itertools.count(20000)


def connect(port):
    """A connection from a port that is not the kernel's to give."""
    raw = RawSocket.__new__(RawSocket)
    raw.held = b""
    raw.socket = socket.create_connection(
        ("127.0.0.1", port), 15, source_address=("127.0.0.1", next(own_ports))
    )
    return raw


def stats(roost):
    connection = http.client.HTTPConnection(
        "127.0.0.1", roost.control_port, timeout=5, source_address=("127.0.0.1", next(own_ports))
    )
    connection.request("GET", "/stats")
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return answer


def hold(connection, request):
    if request.target == "/hold":
        time.sleep(HOLD_S)
    connection.send(OK)


def main():
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    replica = RawReplica(answer=hold)
    roost = Balancer(config=config_for([replica], interval="100ms"))
    roost.start()
    try:
        range_of_ports = Path("/proc/sys/net/ipv4/ip_local_port_range")
        range_of_ports.write_text(f"50000 {50000 + PORTS - 1}", encoding="ascii")
        raws = [connect(roost.port) for _ in range(REQUESTS)]
        for raw in raws:
            raw.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
        states = set()
        end = time.monotonic() + HOLD_S * 0.8
        while time.monotonic() < end:
            states |= {replica["state"] for replica in stats(roost)["replicas"]}
            time.sleep(0.05)
        statuses = Counter(raw.read_answer().status for raw in raws)
        for raw in raws:
            raw.close()
        range_of_ports.write_text("32768 60999", encoding="ascii")
        time.sleep(0.2)
        with connect(roost.port) as raw:
            raw.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            after = raw.read_answer().status
        told = {
            "states": sorted(states),
            "statuses": statuses,
            "after": after,
            "downs": roost.log_text().count("event=replica.down"),
        }
    finally:
        roost.end()
        replica.end()
    print(json.dumps(told))


if __name__ == "__main__":
    main()
