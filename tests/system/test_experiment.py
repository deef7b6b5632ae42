"""`roost experiment`: what it reports is what the replicas saw, and it leaves nothing behind."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from balancer import BINARY, descendants, wait_until

TIMEOUT_S = 170
REPLICAS = ["Server 1", "Server 2", "Server 3"]


def experiment(*arguments, check=True, folder=None, timeout_s=TIMEOUT_S):
    environment = dict(os.environ)
    if folder:
        environment["TMPDIR"] = str(folder)
    done = subprocess.run(
        [str(BINARY), "experiment", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env=environment,
    )
    assert not check or done.returncode == 0, done.stderr
    return done


def experiment_json(*arguments, **options):
    return json.loads(experiment(*arguments, "--json", **options).stdout)


def test_a1_counts_what_the_workers_counted_and_chance_explains_it():
    result = experiment_json("a1", "--seed", 1)
    assert result["requests"] == 10000 and result["lost"] == 0
    assert list(result["counts"]) == REPLICAS
    assert sum(result["counts"].values()) == 10000
    assert result["counts"] == result["counts_of_workers"]
    assert result["as_placed"] == 10000, "each went where the hashing library says"
    assert result["chi2_p"] > 0.0001
    assert result["cv"] < 0.05
    average = 10000 / 3
    assert result["peak_to_average"] == pytest.approx(max(result["counts"].values()) / average)
    deviation = (sum((n - average) ** 2 for n in result["counts"].values()) / 3) ** 0.5
    assert result["cv"] == pytest.approx(deviation / average, rel=1e-5)
    assert result["p50_ms"] <= result["p99_ms"] <= result["max_ms"]
    assert result["requests_per_s"] == pytest.approx(10000 / result["duration_s"], rel=0.001)


def test_a_seed_repeats_a1_to_the_last_request():
    first = experiment_json("a1", "--quick", "--seed", 7)
    assert first["requests"] == 1000
    assert first["counts"] == experiment_json("a1", "--quick", "--seed", 7)["counts"]
    assert first["counts"] != experiment_json("a1", "--quick", "--seed", 8)["counts"]
    assert first["about"]["command"] == "roost experiment a1 --quick --seed 7 --json".split()


def test_a1_is_a_table_for_people(tmp_path):
    text = experiment("a1", "--quick", folder=tmp_path).stdout
    for word in (*REPLICAS, "0 lost", "requests/s", "chi-square"):
        assert word in text
    assert not list(tmp_path.iterdir()), "its folder is gone"


def test_the_published_imbalance_of_the_classic_ring_is_reproduced():
    """84.4, 4.7 and 10.9 % of all keys; 10,000 drawn ones deviate by chance alone."""
    result = experiment_json("a1", "--scheme", "classic")
    expected = {name: result["expected"][name] / 100 for name in REPLICAS}
    assert expected == pytest.approx({"Server 1": 84.4, "Server 2": 4.7, "Server 3": 10.9}, abs=0.05)
    assert result["chi2_p"] > 0.0001
    assert result["as_placed"] == result["requests"] == 10000


def test_a2_moves_no_more_keys_than_the_newcomer_gets():
    result = experiment_json("a2", "--seed", 3)
    steps = result["steps"]
    assert [step["replicas"] for step in steps] == [2, 3, 4, 5, 6]
    for step in steps:
        assert step["lost"] == 0 and step["requests"] == 10000
        assert sum(step["counts"].values()) == 10000
        assert list(step["counts"]) == [f"Server {n + 1}" for n in range(step["replicas"])]
        assert step["as_placed"] == 10000
        assert step["average"] == pytest.approx(10000 / step["replicas"])
        assert step["chi2_p"] > 0.0001
        assert step["cv"] < 0.05
    for before, step in zip(steps, steps[1:]):
        gain = step["counts"][f"Server {step['replicas']}"] / 10000
        # What the requests say is what the library says, but for chance: 5 deviations.
        assert step["moved_of_requests"] == pytest.approx(step["moved"], abs=0.025)
        assert step["moved_of_requests"] >= gain
        assert step["moved"] == pytest.approx(step["minimum"] + step["excess"], abs=1e-6)
        assert step["moved"] < 1.1 / step["replicas"]
        assert before["replicas"] + 1 == step["replicas"]


def test_a2_of_a_scheme_without_keys_says_nothing_of_keys():
    result = experiment_json("a2", "--quick", "--scheme", "round-robin")
    for step in result["steps"]:
        assert step["lost"] == 0
        assert "moved" not in step and step["as_placed"] is None


def test_a3_every_call_is_right_and_nothing_is_lost_to_failures():
    result = experiment_json("a3", "--quick")
    wrong = [call for call in result["calls"] if not call["is_right"]]
    assert not wrong, wrong
    assert len(result["calls"]) > 30
    kills = result["kills"]
    assert kills["lost"] == 0, kills["errors"]
    assert kills["requests"] == sum(moment["answers"] for moment in kills["series"])
    assert [event["what"] for event in kills["events"]] == [
        "kill", "kill", "hang", "goes on", "add", "rm"
    ]  # fmt: skip
    for event in kills["events"]:
        if event["what"] == "kill":
            assert event["noticed_ms"] <= event["healed_ms"] < 5000
        if event["what"] == "hang":
            assert event["noticed_ms"] < 5000
    assert result["placement"]["moved"] == 0
    assert result["placement"]["digest_is_the_same"] is True


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["a9"],
        ["a1", "more"],
        ["a1", "--scheme", "nonsense"],
        ["a1", "--driver", "docker"],
        ["a1", "-n", "0"],
        ["a1", "--nonsense"],
        ["log"],
    ],
)
def test_wrong_usage_is_one_sentence(arguments):
    done = experiment(*arguments, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("roost experiment: ") and done.stderr.count("\n") == 1


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_experiment_leaves_nothing_behind(how, tmp_path):
    process = subprocess.Popen(
        [str(BINARY), "experiment", "a1", "-n", "100000000", "--quick"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    # The keeper, its workers and its replicas.
    wait_until(lambda: len(descendants(process.pid)) >= 5, 30, "the balancer runs")
    time.sleep(0.3)
    everyone = descendants(process.pid)
    process.send_signal(how)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "interrupted" in said
    assert not [pid for pid in everyone if Path(f"/proc/{pid}/exe").exists()]
    assert not list(tmp_path.iterdir())
