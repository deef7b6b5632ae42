"""`roost experiment --driver docker`: the same experiments on containers, held against what the
Docker Engine saw, and nothing left of them."""

import json
import os
import shutil
import signal
import time
import urllib.parse

import pytest

from balancer import wait_until
from docker_engine import IMAGE, Engine
from experiment import clean_folder, experiment, experiment_begin, experiment_json, keeper_of

REPLICAS = ["Server 1", "Server 2", "Server 3"]
DRIVER = ("--driver", "docker", "--image", IMAGE)
NODE = "io.roost.node"
REPLICA = "io.roost.replica"
LONG_S = 900


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


@pytest.fixture(autouse=True)
def folder(engine):
    """For temporary files; in the end no container, no network, no folder is left."""
    networks = network_names(engine)
    with clean_folder() as folder:
        yield folder
    left = engine.containers(None)
    more = network_names(engine) - networks
    engine.remove_all()
    assert not left and not more


def network_names(engine):
    return {network["Name"] for network in engine.do("GET", "/networks")}


class Run:
    """One experiment: what it says, and what the Engine saw of it."""

    def __init__(self, engine, folder, *arguments, timeout_s=LONG_S):
        began = time.time()
        self.result = experiment_json(
            *arguments, *DRIVER, folder=folder, environment=engine.environment, timeout_s=timeout_s
        )
        about = self.result["about"]
        assert about["driver"] == "docker"
        assert about["docker"]["image"] == IMAGE
        assert about["docker"]["version"] == engine.do("GET", "/version")["Version"]
        self.node = about["docker"]["node"]
        self.events = events_of(engine, began, self.node)

    def replicas(self, action, **attributes):
        """Whose containers something was done to, in that order."""
        found = [event["Actor"]["Attributes"] for event in self.events if event["Action"] == action]
        return [
            one[REPLICA] for one in found
            if all(one.get(name) == value for name, value in attributes.items())
        ]  # fmt: skip

    def check_ends(self):
        """Each container that was made is gone again, and each died once."""
        assert sorted(self.replicas("create")) == sorted(self.replicas("destroy"))
        assert sorted(self.replicas("start")) == sorted(self.replicas("die"))


def events_of(engine, began, node):
    filters = {"type": ["container"], "label": [f"{NODE}={node}"]}
    query = urllib.parse.urlencode(
        {"since": f"{began:.6f}", "until": f"{time.time():.6f}", "filters": json.dumps(filters)}
    )
    # One object a line; a single one is read as JSON.
    status, lines = engine.ask("GET", f"/events?{query}")
    assert status == 200
    if isinstance(lines, dict):
        return [lines]
    return [json.loads(line) for line in lines.splitlines()]


def check_counts(result, names, requests):
    assert result["requests"] == requests and result["lost"] == 0
    assert list(result["counts"]) == names
    assert sum(result["counts"].values()) == requests
    assert result["as_placed"] == requests
    assert result["chi2_p"] > 0.0001


def test_a1_on_containers_counts_what_the_workers_counted(engine, folder):
    run = Run(engine, folder, "a1", "--quick", "--seed", 7)
    check_counts(run.result, REPLICAS, 1000)
    assert run.result["counts"] == run.result["counts_of_workers"]
    assert sorted(run.replicas("create")) == REPLICAS, "three containers, each once"
    run.check_ends()
    # Where keys go has nothing to do with what a replica is.
    processes = experiment_json("a1", "--quick", "--seed", 7)
    assert processes["about"]["driver"] == "process" and "docker" not in processes["about"]
    assert processes["counts"] == run.result["counts"]


def test_a3_kills_containers_and_nothing_is_lost(engine, folder):
    run = Run(engine, folder, "a3", "--quick", "--seed", 7)
    calls, kills = run.result["calls"], run.result["kills"]
    assert len(calls) > 30 and not [call for call in calls if not call["is_right"]]
    assert kills["lost"] == 0, kills["errors"]
    for event in kills["events"]:
        if event["what"] == "kill":
            assert 0 < event["noticed_ms"] <= event["healed_ms"]
    killed = [event["replica"] for event in kills["events"] if event["what"] == "kill"]
    assert killed == ["Server 2", "Server 1"]
    # What the Engine saw of it: the signals, in order, and the deaths they caused.
    signals = [
        (int(event["Actor"]["Attributes"]["signal"]), event["Actor"]["Attributes"][REPLICA])
        for event in run.events if event["Action"] == "kill"
    ]  # fmt: skip
    hang = signals.index((signal.SIGSTOP, "Server 3"))
    assert signals[hang - 2 : hang] == [(signal.SIGKILL, name) for name in killed]
    assert signals[hang + 1] == (signal.SIGCONT, "Server 3")
    assert {*killed} <= {*run.replicas("die", exitCode="137")}
    # The three of the start, the four that /add said it added, the three anew, two healed, one more.
    added = next(call["answer"] for call in calls if call["call"] == "POST /add")
    seven = json.loads(added)["message"]["replicas"]
    assert sorted(run.replicas("create")) == sorted([*seven, *REPLICAS, *killed, "Newcomer"])
    run.check_ends()
    assert run.result["placement"]["moved"] == 0
    assert run.result["placement"]["digest_is_the_same"] is True


def test_two_runs_and_a_balancer_share_an_engine(engine, start, folder):
    roost = start(
        "--driver", "docker", "--server-image", IMAGE, "--num-servers", 2,
        environment=engine.environment,
    )  # fmt: skip
    before = {name: container["Id"] for name, container in engine.containers().items()}
    arguments = ("a1", "--quick", *DRIVER)
    options = {"folder": folder, "environment": engine.environment}
    with experiment_begin(*arguments, **options) as one, experiment_begin(*arguments, **options) as two:
        said = [run.communicate(timeout=100)[1] for run in (one, two)]
    assert one.returncode == two.returncode == 0, said
    assert {name: container["Id"] for name, container in engine.containers().items()} == before
    assert roost.get("/home").status == 200
    assert roost.terminate() == 0
    engine.do("DELETE", "/networks/roost")


@pytest.mark.parametrize(
    "how, moment", [(signal.SIGINT, "measuring"), (signal.SIGTERM, "starting")]
)
def test_an_interrupted_run_leaves_nothing(engine, folder, how, moment):
    with begin(engine, folder) as run:
        if moment == "starting":
            wait_until(engine.containers, 30, "a container is there")
        else:
            keeper_of(run)
        run.send_signal(how)
        _, said = run.communicate(timeout=60)
    assert run.returncode == 1 and "interrupted" in said


def test_where_the_balancer_is_killed_the_containers_go_too(engine, folder):
    with begin(engine, folder) as run:
        os.kill(keeper_of(run), signal.SIGKILL)
        _, said = run.communicate(timeout=60)
    assert run.returncode == 1 and "the balancer ended" in said


def begin(engine, folder):
    """One that goes on for long."""
    return experiment_begin(
        "a1", "-n", 10000000, *DRIVER, folder=folder, environment=engine.environment
    )


@pytest.mark.parametrize(
    "host, image, sentences",
    [
        ("unix://{folder}/none.sock", IMAGE, ["none.sock cannot be reached", "Start Docker"]),
        ("tcp://127.0.0.1:2375", IMAGE, ["only a unix socket"]),
        ("", "no-such/image:1", ["no image 'no-such/image:1'", "make image", "--image"]),
        ("", "../secrets", ["the image '../secrets'"]),
    ],
)  # fmt: skip
def test_what_it_needs_and_has_not_is_one_sentence(engine, folder, host, image, sentences):
    environment = dict(engine.environment)
    if host:
        environment["DOCKER_HOST"] = host.format(folder=folder)
    done = experiment(
        "a1", "--quick", "--driver", "docker", "--image", image,
        check=False, folder=folder, environment=environment,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("roost experiment: ") and done.stderr.count("\n") == 1
    for sentence in sentences:
        assert sentence in done.stderr


def test_a_foreign_container_in_the_way_is_named_and_left_alone(engine, folder):
    foreign = engine.run("Server-2")
    done = experiment(
        "a1", "--quick", *DRIVER, check=False, folder=folder, environment=engine.environment
    )
    assert done.returncode == 1
    assert "Server 2 does not start: a container 'Server-2' is there already" in done.stderr
    assert {container["Id"] for container in engine.containers(None).values()} == {foreign}
    engine.remove(foreign)


@pytest.mark.long
def test_all_of_them_run_on_containers(engine, folder, tmp_path):
    out = tmp_path / "out"
    run = experiment(
        "all", "--quick", "--seed", 4, "--out", out, *DRIVER,
        folder=folder, environment=engine.environment, timeout_s=LONG_S,
    )  # fmt: skip
    results = {path.stem: json.loads(path.read_text()) for path in out.glob("*.json")}
    assert {*results} == {"a1", "a2", "a3", "a4", "mixed"}
    for name, result in results.items():
        assert result["about"]["driver"] == "docker", name
    assert "A-4:" in run.stdout
    for step in results["a2"]["steps"]:
        check_counts(step, [f"Server {n + 1}" for n in range(step["replicas"])], 1000)
    assert not [call for call in results["a3"]["calls"] if not call["is_right"]]
    assert results["a3"]["kills"]["lost"] == 0
    for row in results["a4"]["rows"]:
        for step in row["steps"]:
            assert step["lost"] == 0 and sum(step["counts"].values()) == step["requests"]
    for part in results["mixed"]["parts"]:
        assert part["requests"] > 0 and part["lost"] == 0, part["name"]
