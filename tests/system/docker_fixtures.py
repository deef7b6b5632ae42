"""What tests with a Docker Engine start from. They say which of it they use:

from docker_fixtures import engine, nothing_left, serve
"""

import os
import shutil
import time

import pytest

from balancer import wait_until
from docker_engine import IMAGE, Engine


@pytest.fixture(scope="module")
def engine():
    if os.geteuid() != 0 or not shutil.which("dockerd"):
        pytest.skip("needs root and docker.io")
    engine = Engine().start()
    try:
        engine.make_image()
        yield engine
    finally:
        engine.end()


@pytest.fixture
def serve(engine, start):
    """Starts balancers whose replicas are containers."""

    def serve(*flags, **options):
        environment = {**engine.environment, **options.pop("environment", {})}
        flags = ("--driver", "docker", "--server-image", IMAGE, *flags)
        return start(*flags, environment=environment, **options)

    yield serve


@pytest.fixture(autouse=True)
def nothing_left(engine):
    """After a test there is no container."""
    yield
    engine.remove_all()


def digest(roost):
    return roost.on_control("GET", "/stats").json()["ring"]["digest"]


def all_up(roost, count):
    states = roost.states()
    return len(states) == count and set(states.values()) == {"up"}


def restarts_of(roost, name):
    replicas = roost.on_control("GET", "/stats").json()["replicas"]
    return next(replica["restarts"] for replica in replicas if replica["name"] == name)


def heal(engine, roost, name, container, count, harm=None):
    """Kills the container and returns after how many seconds another one is up in its place."""
    before = engine.inspect(container)["Id"]
    restarts = restarts_of(roost, name)
    began = time.monotonic()
    (harm or engine.kill)(container)
    wait_until(lambda: restarts_of(roost, name) > restarts and all_up(roost, count), 20, "healed")
    took = time.monotonic() - began
    assert engine.inspect(container)["Id"] != before
    return took
