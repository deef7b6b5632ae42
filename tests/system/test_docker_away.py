"""An Engine that is not as it should be: each time a clear state, a line in the log, a bounded wait,
and no more than one start for each replica when it is well again."""

import time

import pytest

from balancer import RawSocket, wait_until
from docker_engine import IMAGE, Load
from docker_fixtures import all_up, digest, engine, heal, nothing_left, serve  # noqa: F401
from docker_proxy import Proxy

RATE = 300
ADD_LIMIT_S = 12
SICK_S = 4
CREATES = r"^POST \S*/containers/create"
# The keeper looks every 250 ms whether it is well again, in two requests; a start that failed is
# tried again later and later.
REQUESTS_PER_S_MAX = 20
HUNGRY_CLIENTS = 900
HUNGRY_BYTES = 30000


@pytest.mark.parametrize("mode", ["500", pytest.param("hang", marks=pytest.mark.long)])
def test_an_engine_that_answers_500_or_nothing_is_waited_for_in_order(engine, serve, tmp_path, mode):
    with Proxy(engine, tmp_path / "engine.sock") as proxy:
        roost = serve("--num-servers", 3, environment={"DOCKER_HOST": proxy.host})
        key = digest(roost)
        before = {name: c["Id"] for name, c in engine.containers().items()}
        with Load(roost.url + "/home", RATE) as load:
            proxy.set(mode)
            began = time.monotonic()
            known = len(proxy.requests)
            for name in ("Server-1", "Server-2"):
                engine.kill(name)
            wait_until(lambda: "event=docker.away" in roost.log_text(), 10, "it is noticed")
            wait_until(lambda: sorted(roost.states().values()).count("up") == 1, 5)
            asked = time.monotonic()
            answer = roost.request("POST", "/add", {"n": 1}, timeout_s=60)
            assert answer.status == 502, answer
            assert "Docker Engine" in answer.json()["message"], answer
            assert time.monotonic() - asked < ADD_LIMIT_S
            wait_until(lambda: time.monotonic() - began > SICK_S, 60)
            assert sorted(roost.replicas()) == ["Server 1", "Server 2", "Server 3"]
            sick_s = time.monotonic() - began
            asked_for = len(proxy.requests) - known
            assert asked_for < REQUESTS_PER_S_MAX * sick_s, asked_for
            well = proxy.asked(CREATES)
            proxy.set("pass")
            wait_until(lambda: all_up(roost, 3), 40)
        load.check()
        assert "event=docker.here" in roost.log_text()
        made = proxy.asked(CREATES) - well
        assert made <= 2 * 2, made  # one for each, and one that found the name taken
        after = {name: c["Id"] for name, c in engine.containers().items()}
        assert set(after) == set(before) and after["Server-3"] == before["Server-3"]
        assert digest(roost) == key
        assert roost.terminate() == 0


@pytest.mark.parametrize("most, least, spoken", [("1.52", "1.44", 52), ("1.70", "1.55", 55)])
def test_engines_of_other_versions_are_spoken_to_in_theirs(engine, serve, tmp_path, most, least, spoken):
    """Without the fields that they dropped."""
    with Proxy(engine, tmp_path / "engine.sock", most, least) as proxy:
        roost = serve("--num-servers", 2, environment={"DOCKER_HOST": proxy.host})
        heal(engine, roost, "Server 1", "Server-1", 2)
        assert roost.add(1, ["S5"]).status == 200
        assert roost.rm(1, ["S5"]).status == 200
        assert roost.terminate() == 0
        versions = {path.split("/")[1] for _, _, path in proxy.requests} - {"version"}
        assert versions == {f"v1.{spoken}"}
        assert engine.containers() == {}


def test_an_engine_that_is_too_old_is_told_so(engine, serve, tmp_path):
    with Proxy(engine, tmp_path / "engine.sock", "1.40", "1.12") as proxy:
        roost = serve("--num-servers", 0, environment={"DOCKER_HOST": proxy.host})
        sentence = "speaks version 1.40 of its API; 1.41 or newer is needed"
        wait_until(lambda: sentence in roost.log_text(), 5)


def test_a_container_that_runs_out_of_memory_says_so_and_is_healed(engine, start):
    roost = start(
        config=f"""
services:
  - name: web
    replicas: {{ driver: docker, count: 1, image: {IMAGE}, resources: {{ memory: 12MiB }} }}
""",
        environment=engine.environment,
    )
    inside = engine.inspect("Server-1")
    address = inside["NetworkSettings"]["Networks"]["roost"]["IPAddress"]
    clients = [RawSocket(5000, address) for _ in range(HUNGRY_CLIENTS)]
    began = time.monotonic()
    for client in clients:
        try:
            client.send("GET / HTTP/1.1\r\nX: " + "x" * HUNGRY_BYTES)
        except OSError:  # it has ended
            break
    wait_until(lambda: 'event=replica.dead' in roost.log_text(), 10, "it has ended")
    wait_until(lambda: 'reason="out of memory"' in roost.log_text(), 5, roost.log_text())
    for client in clients:
        client.close()
    wait_until(lambda: all_up(roost, 1), 20, "healed")
    assert engine.inspect("Server-1")["Id"] != inside["Id"]
    assert time.monotonic() - began < 30
