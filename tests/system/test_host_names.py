"""Host names as addresses of static replicas: each address is a replica, asked for again by TTL, and
whatever a DNS server does costs no request."""

import signal
import subprocess
from pathlib import Path

import pytest

from balancer import BINARY, wait_until
from dns_server import A, GARBAGE, NXDOMAIN, SERVFAIL, SILENCE, DnsServer
from load import Background
from raw_replica import RawReplica

NAME = "app.test"
HOSTS = [f"127.0.0.{number}" for number in range(2, 8)]

# As src/control/lookup.h and src/net/resolver.h have them.
ADDRESSES_MAX = 64

CONFIG = """
compat: off
workers: 2
log: {{ access: off }}
resolvers: ["127.0.0.1:{dns}"]
services:
  - name: web
    replicas: {{ driver: static, addresses: {{ {addresses} }}, weights: {{ web: 2 }} }}
    balance: {{ key: ["query:key", random] }}
    health: {{ interval: 100ms, timeout: 2s, start: {start} }}
    timeouts: {{ drain: 2s }}
"""


def answer_of(host):
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(host)}\r\n\r\n{host}".encode()


@pytest.fixture
def dns():
    server = DnsServer(rotates=True)
    yield server
    server.end()


@pytest.fixture
def fleet():
    """{host: RawReplica}, all on one port; each answers with its address."""
    first, rest = HOSTS[0], HOSTS[1:]
    made = {}
    while len(made) < len(HOSTS):
        made = {first: RawReplica(answer=answer_of(first), host=first)}
        try:
            for host in rest:
                made[host] = RawReplica(answer=answer_of(host), host=host, port=made[first].port)
        except OSError:
            for replica in made.values():
                replica.end()
    yield made
    for replica in made.values():
        replica.end()


@pytest.fixture
def begin(start, dns, fleet):
    """A balancer of `web: app.test`, started."""

    def started(addresses=None, waits=True, limit="10s"):
        port = fleet[HOSTS[0]].port
        addresses = (addresses or "web: '{name}:{port}'").format(name=NAME, port=port)
        roost = start.prepare(config=CONFIG.format(dns=dns.port, addresses=addresses, start=limit))
        return roost.start() if waits else roost.spawn()

    return started


def of(hosts):
    return sorted(f"web-{host}" for host in hosts)


def names(roost):
    return sorted(roost.states())


def has_up(roost, hosts):
    states = roost.states()
    return sorted(states) == of(hosts) and set(states.values()) == {"up"}


def wait_for(roost, hosts):
    wait_until(lambda: has_up(roost, hosts), 20, f"{hosts} are up: {roost.states()}")


def lookup(roost, name="web"):
    services = roost.on_control("GET", "/v1/status").json()["services"]
    return next(row for row in services[0]["lookups"] if row["name"] == name)


def placement(roost, keys=200):
    return [roost.get(f"/?key={key}").body for key in range(keys)]


def digest(roost):
    return roost.on_control("GET", "/stats").json()["ring"]["digest"]


def wait_asked(dns, more=2):
    """That many more whole questions: the answers before the last one were taken over."""
    target = dns.count(NAME) + more
    wait_until(lambda: dns.count(NAME) >= target, 20, f"{target} questions")


def test_one_address_then_three_then_two_others_and_no_request_is_lost(dns, begin):
    dns.say(NAME, HOSTS[:1])
    roost = begin()
    wait_for(roost, HOSTS[:1])
    with Background(f"{roost.url}/?key={{}}", connections=4) as load:
        dns.say(NAME, HOSTS[1:3] + HOSTS[:1])
        wait_for(roost, HOSTS[:3])
        dns.say(NAME, HOSTS[3:5])
        wait_for(roost, HOSTS[3:5])
        wait_until(lambda: not roost_leaving(roost), 20, "the others have ended")
    assert load.result.answers > 0
    assert load.result.lost == 0, load.result
    assert {replica["weight"] for replica in roost_replicas(roost)} == {2}, "that of the entry"
    log = roost.events_text()
    assert f'event=pool.added service=web replica=web-{HOSTS[3]}' in log
    assert f'event=pool.removed service=web replica=web-{HOSTS[0]}' in log


def roost_leaving(roost):
    return roost.on_control("GET", "/v1/status").json()["services"][0]["leaving"]


def roost_replicas(roost):
    return roost.on_control("GET", "/v1/status").json()["services"][0]["replicas"]


def test_the_old_wait_for_the_new_no_longer_than_health_start(dns, begin):
    dns.say(NAME, HOSTS[:1])
    roost = begin(limit="3s")
    wait_for(roost, HOSTS[:1])
    nobody = ["127.2.0.1", "127.2.0.2"]
    dns.say(NAME, nobody)
    wait_until(lambda: names(roost) == of(HOSTS[:1] + nobody), 20, "they are tried")
    assert roost.get("/").status == 200
    wait_until(lambda: names(roost) == of(nobody), 20, "the old one has left all the same")


def test_another_order_of_the_answer_moves_no_key_and_is_no_change(dns, begin):
    dns.say(NAME, HOSTS[:4])
    roost = begin()
    wait_for(roost, HOSTS[:4])
    before = digest(roost), placement(roost), roost.on_control("GET", "/v1/status").json()["table"]
    dns.say(NAME, [HOSTS[2], HOSTS[0], HOSTS[3], HOSTS[1], HOSTS[2]])
    wait_asked(dns, 3)
    after = digest(roost), placement(roost), roost.on_control("GET", "/v1/status").json()["table"]
    assert after == before


def test_an_address_more_takes_keys_from_the_others_and_moves_none_between_them(dns, begin):
    dns.say(NAME, HOSTS[:3])
    roost = begin()
    wait_for(roost, HOSTS[:3])
    before = placement(roost)
    dns.say(NAME, HOSTS[:4])
    wait_for(roost, HOSTS[:4])
    moved = [new for old, new in zip(before, placement(roost)) if old != new]
    assert moved and set(moved) == {HOSTS[3].encode()}


def test_an_answer_is_good_for_its_ttl(dns, begin):
    dns.say(NAME, HOSTS[:1], ttl=3600)
    dns.say("other.test", HOSTS[1:2], ttl=0)
    roost = begin("web: '{name}:{port}', other: 'other.test:{port}'")
    wait_until(lambda: dns.count("other.test") >= 4, 20, "no TTL is asked for every second")
    assert dns.count(NAME) == 1
    assert lookup(roost)["ttl_s"] == 300, "no answer is good for longer"
    assert lookup(roost, "other")["ttl_s"] == 1


def test_an_answer_that_says_nothing_changes_nothing(dns, begin):
    says = {
        "servfail": SERVFAIL,
        "nxdomain": NXDOMAIN,
        "nodata": [],
        "useless": ["0.0.0.0", "224.0.0.1", "255.255.255.255", "::", "ff02::1", "fe80::1"],
    }
    for name in says:
        dns.say(f"{name}.test", HOSTS[:2])
    roost = begin(", ".join(f"{name}: '{name}.test:{{port}}'" for name in says))
    wait_until(lambda: len(names(roost)) == 2 * len(says) and roost.has_all_up(), 20, "all are up")
    before = digest(roost)
    for name, answer in says.items():
        dns.say(f"{name}.test", answer)
    for name in says:
        wait_until(lambda: lookup(roost, name)["failures"] >= 2, 20, f"{name} has failed")
        row = lookup(roost, name)
        assert (row["state"], len(row["addresses"])) == ("failing", 2)
        assert row["reason"]
    assert digest(roost) == before
    assert roost.get("/").status == 200
    assert roost.log_text().count("event=lookup.failed") == len(says), "once for each change"
    for name in says:
        dns.say(f"{name}.test", HOSTS[1:3])
    wanted = sorted(f"{name}-{host}" for name in says for host in HOSTS[1:3])
    wait_until(lambda: names(roost) == wanted, 30, "they follow again")
    assert {lookup(roost, name)["state"] for name in says} == {"answered"}
    assert roost.log_text().count("event=lookup.answered") == 2 * len(says)


def test_without_an_answer_it_starts_waits_and_serves_when_there_is_one(dns, begin):
    dns.say(NAME, SILENCE)
    dns.say("other.test", GARBAGE)
    roost = begin("web: '{name}:{port}', other: 'other.test:{port}'", waits=False)
    wait_until(roost.is_ready, 20, "it serves what it has")
    assert lookup(roost)["state"] in ("waiting", "failing")
    assert roost.get("/").status == 503
    wait_until(lambda: lookup(roost, "other")["state"] == "failing", 20, "garbage is a failure")
    dns.say("other.test", NXDOMAIN)
    dns.say(NAME, HOSTS[:2])
    wait_for(roost, HOSTS[:2])
    assert roost.get("/").status == 200


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_goes_on_with_the_addresses_it_knew(dns, begin, how):
    dns.say(NAME, HOSTS[:3])
    roost = begin()
    wait_for(roost, HOSTS[:3])
    before = digest(roost), placement(roost)
    dns.say(NAME, SERVFAIL)
    roost.terminate(how)
    roost.start()
    wait_for(roost, HOSTS[:3])
    assert (digest(roost), placement(roost)) == before
    dns.say(NAME, HOSTS[1:2])
    roost.terminate(how)
    roost.start()
    wait_for(roost, HOSTS[1:2])
    assert roost.get("/").status == 200


def test_more_addresses_than_fit_are_cut_the_same_way_each_time(dns, begin):
    many = [f"127.1.0.{number}" for number in range(1, 101)]
    dns.say(NAME, many)
    roost = begin(waits=False)
    wait_until(roost.is_ready, 20, "it serves")
    wait_until(lambda: len(names(roost)) == ADDRESSES_MAX, 20, "as many as fit")
    assert names(roost) == of(many[:ADDRESSES_MAX])
    assert lookup(roost)["passed_over"] == len(many) - ADDRESSES_MAX
    before = digest(roost)
    wait_asked(dns, 2)
    assert digest(roost) == before
    assert roost.log_text().count("event=lookup.capped") == 1


def test_aliases_are_followed_and_a_circle_of_them_is_a_failure(dns, begin):
    dns.say("real.test", HOSTS[:2])
    dns.say(NAME, cname="real.test")
    roost = begin()
    wait_for(roost, HOSTS[:2])
    dns.say(NAME, cname=NAME)
    wait_until(lambda: lookup(roost)["state"] == "failing", 20, "a circle leads nowhere")
    assert has_up(roost, HOSTS[:2])


def test_the_hosts_file_and_addresses_beside_names(dns, begin, fleet):
    dns.say(NAME, HOSTS[:1])
    port = fleet[HOSTS[0]].port
    has_ipv6 = Path("/proc/net/if_inet6").exists()
    locals_ = [RawReplica(host=host, port=port) for host in ("127.0.0.1", "::1")[: 1 + has_ipv6]]
    dns.say("six.test", ["::1"])
    roost = begin(f"web: '{{name}}:{{port}}', here: 'localhost:{{port}}', one: '{HOSTS[1]}:{port}'"
                  ", six: 'six.test:{port}'", waits=False)  # fmt: skip
    wanted = {f"web-{HOSTS[0]}", "here-127.0.0.1", "one"} | ({"six-..1"} if has_ipv6 else set())

    def has_wanted():
        states = roost.states() if roost.is_ready() else {}
        return {name for name, state in states.items() if state == "up"} >= wanted

    wait_until(has_wanted, 20)
    assert dns.count("localhost") == 0
    assert lookup(roost, "six")["addresses"] == [f"[::1]:{port}"]
    for local in locals_:
        local.end()


def test_what_dns_says_is_changed_by_nobody_else(dns, begin):
    dns.say(NAME, HOSTS[:2])
    roost = begin()
    wait_for(roost, HOSTS[:2])
    for method in ("POST", "DELETE"):
        answer = roost.on_control(method, "/add" if method == "POST" else "/rm", {"n": 1})
        assert answer.status == 409, answer
    name = f"web-{HOSTS[0]}"
    answer = roost.on_control("PATCH", f"/v1/replicas/{name}", {"weight": 0})
    assert answer.status == 200, answer
    assert set(placement(roost, 50)) == {HOSTS[1].encode()}
    wait_asked(dns)
    assert {row["name"]: row["weight"] for row in roost_replicas(roost)}[name] == 0
    table = subprocess.run(
        [BINARY, "ctl", "status", "--state", roost.state],
        capture_output=True, text=True, timeout=20, env=roost.environment,
    )  # fmt: skip
    assert f"lookup web: {NAME}, answered, addresses {HOSTS[0]}:" in table.stdout, table


def test_check_asks_no_dns_server(dns, tmp_path):
    path = tmp_path / "roost.yaml"
    path.write_text(CONFIG.format(dns=dns.port, addresses=f"web: '{NAME}:80'", start="1s"), encoding="utf-8")
    done = subprocess.run([BINARY, "check", "-c", path], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done
    assert dns.count(NAME, A) == 0


@pytest.mark.parametrize(
    ("addresses", "says"),
    [
        ("web: 'app.internal:0'", "IP:PORT or NAME:PORT"),
        ("web: 'app.internal'", "IP:PORT or NAME:PORT"),
        ("web: '10.0.0.256:80'", "IP:PORT or NAME:PORT"),
        ("web: 'a..b:80'", "IP:PORT or NAME:PORT"),
        (f"web: '{'a' * 64}.test:80'", "IP:PORT or NAME:PORT"),
        (f"web: '{'a.' * 127}a:80'", "IP:PORT or NAME:PORT"),
        ("web-of-a-very-long-name-1: 'app.internal:80'", "NAME-IP"),
        ("web: 'app.internal:80', web-10.0.0.1: '10.0.0.1:80'", "choose another name"),
    ],
)
def test_names_that_cannot_be_are_refused(tmp_path, addresses, says):
    path = tmp_path / "roost.yaml"
    path.write_text(CONFIG.format(dns=53, addresses=addresses, start="1s"), encoding="utf-8")
    done = subprocess.run([BINARY, "check", "-c", path], capture_output=True, text=True, timeout=20)
    assert done.returncode == 1, done
    assert says in done.stdout + done.stderr
