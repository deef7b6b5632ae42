"""The dockhand alone, on a real Docker Engine, spoken to as by a keeper that somebody has broken into."""

import json
import os
import socket
import subprocess

import pytest

from balancer import BINARY
from docker_engine import IMAGE
from docker_fixtures import engine, nothing_left  # noqa: F401


class Hand:
    def __init__(self, engine, **charter):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket = ours
        self.socket.settimeout(20)
        self.count = 0
        with open(os.devnull, "rb") as null:
            self.process = subprocess.Popen(
                [str(BINARY), "dockhand"],
                stdin=null, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                env={**os.environ, **engine.environment}, close_fds=False,
                preexec_fn=lambda: os.dup2(theirs.fileno(), 3),
            )  # fmt: skip
        theirs.close()
        plain = {
            "node": "test", "service": "web", "image": IMAGE, "network": "roost", "port": 5000,
            "memory": 0, "cpus": 0, "pids": 0, "env": [],
        }  # fmt: skip
        self.socket.send(json.dumps({**plain, **charter}).encode())

    def hear(self):
        data = self.socket.recv(65536)
        if not data:
            raise EOFError
        return json.loads(data)

    def ask(self, verb, **fields):
        self.count += 1
        self.socket.send(json.dumps({"id": self.count, "verb": verb, **fields}).encode())
        while True:
            answer = self.hear()
            if answer["id"] == self.count and "item" not in answer:
                return answer

    def end(self):
        self.socket.close()
        self.process.wait(20)


@pytest.fixture
def hand(engine):
    hands = []

    def make(**charter):
        hands.append(Hand(engine, **charter))
        return hands[-1]

    yield make
    for made in hands:
        made.end()


def test_a_dockhand_touches_no_foreign_container(engine, hand):
    foreign = engine.run("foreign")
    others = engine.run("others", {"io.roost.node": "another", "io.roost.service": "web"})
    one = hand()
    for container in (foreign, others):
        for verb, more in (("start", {}), ("stop", {"grace": 0}), ("remove", {}), ("inspect", {})):
            answer = one.ask(verb, container=container, **more)
            assert answer["result"] == -1 and "not ours" in answer["why"], (verb, answer)
    assert engine.inspect("foreign")["State"]["Running"]
    assert engine.inspect("others")["State"]["Running"]
    assert one.ask("list")["result"] == 0


def test_a_dockhand_makes_starts_and_removes_its_own(engine, hand):
    one = hand(env=["A=b"], memory=64 << 20, pids=32, cpus=500_000_000)
    made = one.ask("create", name="S5", replica="S 5")
    assert made["result"] == 0, made
    started = one.ask("start", container=made["container"])
    assert started["result"] == 0 and started["running"] and started["address"], started
    host = engine.inspect("S5")["HostConfig"]
    assert (host["Memory"], host["PidsLimit"], host["NanoCpus"]) == (64 << 20, 32, 500_000_000)
    assert "A=b" in engine.inspect("S5")["Config"]["Env"]
    again = one.ask("create", name="S5", replica="S 5")
    assert again["result"] == -114 and again["container"] == made["container"]
    assert one.ask("create", name="S5", replica="S5")["result"] == -98
    assert one.ask("stop", container=made["container"], grace=5)["result"] == 0
    assert one.ask("remove", container=made["container"])["result"] == 0
    assert one.ask("remove", container=made["container"])["result"] == -2


@pytest.fixture(scope="module")
def shared_hand(engine):
    one = Hand(engine)
    yield one
    one.end()


FORBIDDEN = {
    "a bind mount": ("create", {"binds": ["/:/host"]}),
    "a mount": ("create", {"mounts": [{"Type": "bind", "Source": "/", "Target": "/host"}]}),
    "the volumes of another": ("create", {"volumes_from": ["foreign"]}),
    "privileged": ("create", {"privileged": True}),
    "the network of the host": ("create", {"network": "host"}),
    "the processes of the host": ("create", {"pid": "host"}),
    "the memory of the host": ("create", {"ipc": "host"}),
    "the users of the host": ("create", {"userns": "host"}),
    "an added capability": ("create", {"cap_add": ["SYS_ADMIN"]}),
    "a device": ("create", {"devices": ["/dev/mem"]}),
    "no seccomp": ("create", {"security_opt": ["seccomp=unconfined"]}),
    "a sysctl": ("create", {"sysctls": {"kernel.core_pattern": "|/x"}}),
    "a published port": ("create", {"ports": ["80:80"]}),
    "another image": ("create", {"image": "other"}),
    "another command": ("create", {"command": ["sh"]}),
    "another user": ("create", {"user": "root"}),
    "other labels": ("create", {"labels": {"io.roost.node": "another"}}),
    "more environment": ("create", {"env": ["LD_PRELOAD=/x"]}),
    "a body of its own": ("create", {"HostConfig": {"Privileged": True}}),
    "a query behind a name": ("create", {"name": "S5?platform=x"}),
    "exec": ("exec", {"container": "0" * 64, "cmd": ["sh"]}),
    "attach": ("attach", {"container": "0" * 64}),
    "files into a container": ("archive", {"container": "0" * 64, "path": "/"}),
    "a build": ("build", {}),
    "a pull": ("pull", {"image": "other"}),
    "an image removed": ("remove", {"container": "../images/" + IMAGE}),
    "a container by its name": ("inspect", {"container": "foreign"}),
    "a volume": ("volume", {"name": "x"}),
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_a_dockhand_refuses_what_it_has_no_word_for(engine, shared_hand, what):
    verb, fields = FORBIDDEN[what]
    if verb == "create":
        fields = {"name": "S5", "replica": "S5", **fields}
    answer = shared_hand.ask(verb, **fields)
    assert answer["result"] == -22, answer
    assert engine.containers(None) == {}


@pytest.mark.parametrize("charter", [{"network": "host"}, {"image": "-x"}, {"privileged": True}])
def test_a_dockhand_takes_no_charter_beyond_its_own(hand, charter):
    one = hand(**charter)
    assert one.process.wait(10) == 2
    with pytest.raises((ConnectionResetError, EOFError)):
        one.hear()


def test_what_the_keeper_ordered_is_done_after_it_has_gone(engine, hand):
    one = hand()
    made = one.ask("create", name="S5", replica="S5")
    one.ask("start", container=made["container"])
    one.socket.send(
        json.dumps({"id": 99, "verb": "remove", "container": made["container"]}).encode()
    )
    one.end()
    assert engine.containers() == {}
