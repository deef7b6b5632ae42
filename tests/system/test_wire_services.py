"""Services by host and path, listeners of both families, keys from every source, the limits of the
contract and what the access log says of it."""

import json
import time
from pathlib import Path

import pytest

from balancer import BINARY, RawSocket, free_port, wait_until
from raw_replica import RawReplica, config_for


def named(name):
    """A replica that answers with its name."""
    return RawReplica(
        answer=f"HTTP/1.1 200 OK\r\nContent-Length: {len(name)}\r\n\r\n{name}".encode()
    )


SERVICES = """
compat: off
log: {{ access: off }}
listen:
  - address: 127.0.0.1:{first}
  - address: "[::1]:{first}"
  - address: 127.0.0.1:{second}
    services: [api]
services:
  - name: api
    match: {{ host: example.org, path: /api }}
    replicas: {{ driver: static, addresses: {{ api-1: "{api}" }} }}
    health: {{ interval: 24h, timeout: 2s }}
  - name: wild
    match: {{ host: "*.example.net" }}
    replicas: {{ driver: static, addresses: {{ wild-1: "{wild}" }} }}
    health: {{ interval: 24h, timeout: 2s }}
  - name: rest
    replicas: {{ driver: static, addresses: {{ rest-1: "{rest}" }} }}
    health: {{ interval: 24h, timeout: 2s }}
"""


def test_services_by_host_and_path_on_several_listeners(start):
    replicas = {name: named(name) for name in ("api", "wild", "rest")}
    first, second = free_port(), free_port()
    addresses = {name: replica.address for name, replica in replicas.items()}
    config = SERVICES.format(first=first, second=second, **addresses)
    roost = start.prepare(config=config)
    roost.flags = ["-c", str(roost.folder / "roost.yaml")]
    roost.command = lambda: [
        str(roost.binary), "serve", "--state", str(roost.state),
        "--control-port", str(roost.control_port), *roost.flags,
    ]  # fmt: skip
    roost.start()

    def ask(port, host, path, address="127.0.0.1"):
        with RawSocket(port, address) as raw:
            raw.send(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")
            answer = raw.read_answer()
            return answer.body.decode() if answer.status == 200 else answer.status

    for address in ("127.0.0.1", "::1") if Path("/proc/net/if_inet6").exists() else ("127.0.0.1",):
        assert ask(first, "example.org", "/api/x", address) == "api"
        assert ask(first, "EXAMPLE.ORG:80", "/api?x", address) == "api"
        assert ask(first, "example.org", "/apis", address) == "rest"
        assert ask(first, "a.example.net", "/api", address) == "wild"
        assert ask(first, "example.net", "/api", address) == "rest"
    assert ask(second, "example.org", "/api") == "api"
    assert ask(second, "a.example.net", "/") == 404, "this listener reaches the API alone"
    for replica in replicas.values():
        replica.end()


KEYS = [
    ("header:X-User", {"X-User": "{}"}, "/", None),
    ("cookie:sid", {"Cookie": "a=b; sid={}; c"}, "/", None),
    ("query:user", {}, "/x?a=b&user={}", None),
    ("path", {}, "/p/{}?a=b", None),
    ("path:2", {}, "/p/{}/q?a=b", None),
    ("json:/user/id", {}, "/", '{{"user":{{"id":"{}"}}}}'),
]


@pytest.fixture(scope="module")
def crew(start_shared):
    """Five replicas and one service for each key source, told apart by their hosts."""
    replicas = [named(f"web-{number}") for number in range(1, 6)]
    addresses = ", ".join(f'{r.answer.decode()[-5:]}: "{r.address}"' for r in replicas)
    config = "compat: off\nlog: { access: off }\ntrusted-proxies: [127.0.0.0/8]\nservices:\n"
    sources = [source for source, *_ in KEYS] + ["host", "client-ip", "client-ip/24"]
    for number, source in enumerate(sources):
        host = "" if source == "host" else f"    match: {{ path: /s{number} }}\n"
        config += (
            f"  - name: s{number}\n{host}"
            f"    replicas: {{ driver: static, addresses: {{ {addresses} }} }}\n"
            "    health: { interval: 24h, timeout: 2s }\n"
            f'    balance: {{ key: ["{source}"] }}\n'
        )
    # The one that matches everything comes last.
    head, *services = config.split("  - name: ")
    services.sort(key=lambda text: "match" not in text)
    roost = start_shared(config=head + "".join("  - name: " + text for text in services))
    yield roost, sources
    for replica in replicas:
        replica.end()


def owners(roost, make, count=30):
    """Who answers each of `count` keys, each asked three times."""
    found = []
    for number in range(count):
        names = {make(f"key-{number}") for _ in range(3)}
        assert len(names) == 1, "one key, one replica"
        found.append(names.pop())
    return found


@pytest.mark.parametrize("source", [source for source, *_ in KEYS])
def test_a_key_from_each_source_finds_the_same_replica(crew, source):
    roost, sources = crew
    number = sources.index(source)
    _, headers, target, body = KEYS[number]
    # path:2 counts the segment that chose the service too.
    target = target.replace("/p/", "/") if source == "path:2" else target

    def ask(key):
        fields = {name: value.format(key) for name, value in headers.items()}
        sent = body.format(key) if body else None
        path = f"/s{number}" + target.format(key)
        answer = roost.request("POST" if sent else "GET", path, sent, fields)
        assert answer.status == 200
        return answer.body

    found = owners(roost, ask)
    assert len(set(found)) > 2, "different keys are spread"
    if source.startswith(("header", "cookie", "query", "json")):
        assert found == owners(roost, ask), "and stay where they are"


def test_a_host_and_a_clients_address_are_keys_too(crew):
    roost, sources = crew

    def by_host(key):
        return roost.get("/", headers={"Host": f"{key}.example"}).body

    assert len(set(owners(roost, by_host))) > 2

    def by_address(number):
        def ask(key):
            last = int(key.rpartition("-")[2])
            headers = {"X-Forwarded-For": f"203.0.113.{last}"}
            return roost.get(f"/s{number}", headers=headers).body

        return ask

    assert len(set(owners(roost, by_address(sources.index("client-ip"))))) > 2
    assert len(set(owners(roost, by_address(sources.index("client-ip/24"))))) == 1


# ---- limits ----


def test_one_connection_too_many_is_told_503_and_the_others_go_on(start):
    replica = RawReplica()
    roost = start(config=config_for([replica], top="limits: { connections: 16 }"))
    raws = []
    for _ in range(16):
        raw = roost.raw()
        raw.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert raw.read_answer().status == 200
        raws.append(raw)
    for _ in range(20):
        with roost.raw() as extra:
            extra.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            answer = extra.read_answer()
            assert answer.status == 503
            assert answer.headers["connection"] == "close"
    for raw in raws:
        raw.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert raw.read_answer().status == 200
        raw.close()
    wait_until(lambda: roost.get("/").status == 200, 10)
    replica.end()


def test_control_and_probes_work_when_traffic_has_used_up_its_descriptors(start, tmp_path):
    limited = tmp_path / "roost"
    limited.write_text(f'#!/bin/sh\nulimit -n 400\nexec "{BINARY}" "$@"\n')
    limited.chmod(0o755)
    replica = RawReplica()
    roost = start(config=config_for([replica], interval="100ms"), binary=limited)
    raws = []
    try:
        # (400 - 256) / 2 connections are what such a limit allows.
        for _ in range(72):
            raw = roost.raw()
            raw.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert raw.read_answer().status == 200
            raws.append(raw)
        for _ in range(200):
            with roost.raw() as extra:
                extra.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                assert extra.read_answer().status == 503
        time.sleep(0.5)
        assert set(roost.states().values()) == {"up"}
        assert roost.on_control("GET", "/readyz").status == 200
        raws[0].send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert raws[0].read_answer().status == 200
    finally:
        for raw in raws:
            raw.close()
        replica.end()


# ---- the access log ----


def lines_of(path, count):
    wait_until(lambda: path.exists() and path.read_text().count("\n") >= count, 10)
    return path.read_text().splitlines()


def test_the_access_log_says_who_answered_what_and_why(start, tmp_path):
    replicas = [RawReplica(), RawReplica()]
    log = tmp_path / "access"
    roost = start(config=config_for(replicas, access=log))
    replicas[0].stop_listening()
    for number in range(20):
        headers = {"X-Request-ID": f"id-{number}"}
        assert roost.request("POST", f"/p/{number}?q", "body", headers).status == 200
    with roost.raw() as raw:
        raw.send("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
        assert raw.read_answer().status == 400
    entries = [json.loads(line) for line in lines_of(log, 21)]
    served = [entry for entry in entries if entry["status"] == 200]
    assert len(served) == 20
    assert [entry["path"] for entry in served] == [f"/p/{number}?q" for number in range(20)]
    for entry in served:
        assert entry["method"] == "POST"
        assert entry["replica"] == "web-2"
        assert (entry["rank"] == 0) == (entry["why"] == "owner")
        assert 0 <= entry["slot"] < 65536
        assert entry["time"].endswith("Z")
    ranks = {entry["rank"] for entry in served}
    assert ranks == {0, 1}, "the keys of the one that refuses went to the next rank"
    refused = [entry for entry in entries if entry["status"] == 400]
    assert len(refused) == 1
    for replica in replicas:
        replica.end()


def test_the_access_log_as_logfmt(start, tmp_path):
    log = tmp_path / "access"
    replica = RawReplica()
    config = config_for([replica], access=log).replace(
        f"access: {log}", f"access: {log}, access-format: logfmt"
    )
    roost = start(config=config)
    assert roost.get('/a"b').status == 200
    line = lines_of(log, 1)[0]
    assert "method=GET" in line and "status=200" in line and "replica=web-1" in line
    replica.end()


def test_a_draining_node_says_so_and_ends_its_connections(start):
    roost = start("--num-servers", 1)
    with roost.raw() as idle, roost.raw() as busy:
        idle.send("GET /healthcheck HTTP/1.1\r\nHost: a\r\n\r\n")
        assert idle.read_answer().body == b"OK"
        busy.send("GET /slow/500 HTTP/1.1\r\nHost: a\r\n\r\n")
        time.sleep(0.1)
        roost.process.terminate()
        assert idle.is_closed()
        answer = busy.read_answer()
        assert answer.status == 200
        assert answer.headers["connection"] == "close"
        assert busy.is_closed()
    assert roost.process.wait(10) == 0


