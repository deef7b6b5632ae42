"""`roost experiment`: what it reports is what the replicas saw, and it leaves nothing behind."""

import base64
import html
import importlib.util
import json
import math
import os
import re
import signal
import struct
import subprocess
from pathlib import Path

import pytest

from balancer import ROOT, descendants
from experiment import clean_folder, experiment, experiment_begin, experiment_json, keeper_of

REPLICAS = ["Server 1", "Server 2", "Server 3"]


@pytest.fixture
def folder():
    with clean_folder() as folder:
        yield folder


def peak_by_chance(replicas, requests):
    """4.5 deviations above the average of even shares."""
    return 1 + 4.5 * math.sqrt((replicas - 1) / requests)


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
    assert result["peak_to_average"] <= peak_by_chance(3, 10000)
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


def test_a1_is_a_table_for_people(folder):
    text = experiment("a1", "--quick", folder=folder).stdout
    for word in (*REPLICAS, "0 lost", "requests/s", "chi-square"):
        assert word in text


def test_the_published_imbalance_of_the_classic_ring_is_reproduced():
    """84.4, 4.7 and 10.9 % of all keys; 10,000 drawn ones deviate by chance alone."""
    result = experiment_json("a1", "--scheme", "classic", "--seed", 1)
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
        assert step["peak_to_average"] <= peak_by_chance(step["replicas"], 10000)
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


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """The folder of one quick run of all, and what it printed."""
    folder = tmp_path_factory.mktemp("all")
    with clean_folder() as temporary:
        done = experiment("all", "--quick", "--seed", 4, "--out", folder, folder=temporary)
    return folder, done


def result_of(everything, name):
    return json.loads((everything[0] / f"{name}.json").read_text())


def test_all_runs_every_experiment_and_leaves_results_and_a_report_only(everything):
    folder, done = everything
    for title in ("A-1:", "A-2:", "A-3:", "A-4:", "A workload as in production"):
        assert title in done.stdout
    left = {path.name for path in folder.iterdir()}
    assert {f"{name}.json" for name in ("a1", "a2", "a3", "a4", "mixed")} <= left
    assert all(name.endswith((".json", ".png", ".html")) for name in left), left
    assert "lost" in done.stdout and "failed" in done.stdout
    assert "a4 60/60 p2c" in done.stderr, "a plain line for each scheme: there is no terminal"


def test_a4_has_every_scheme_and_every_pair_and_chance_explains_them(everything):
    rows = result_of(everything, "a4")["rows"]
    pairs = [(row["request_hash"], row["server_hash"]) for row in rows if row["scheme"] == "classic"]
    assert len(set(pairs)) == len(pairs) == 9 * 6
    assert {row["scheme"] for row in rows} == {
        "slot-hrw", "ketama", "maglev", "classic", "round-robin", "least-conn", "p2c"
    }  # fmt: skip
    for row in rows:
        assert row["lookup_ns"] > 0
        for step in row["steps"]:
            assert step["lost"] == 0
            assert sum(step["counts"].values()) == step["requests"]
            if step["chi2_p"] is not None:
                assert step["as_placed"] == step["requests"], row
                assert step["chi2_p"] > 0.0001, row
    # "i mod 512" with the assignment's own placement: 89.3 / 4.3 / 6.4 %.
    modulo = next(row for row in rows if (row["request_hash"], row["server_hash"]) == ("modulo", "quadratic"))
    three = next(step for step in modulo["steps"] if step["replicas"] == 3)
    shares = [100 * expected / three["requests"] for expected in three["expected"].values()]
    assert shares == pytest.approx([89.3, 4.3, 6.4], abs=0.06)


def test_the_workload_as_in_production_loses_nothing(everything):
    result = result_of(everything, "mixed")
    assert len(result["parts"]) == 5
    for part in result["parts"]:
        assert part["requests"] > 0 and part["lost"] == 0, part["name"]
    kills = [event["replica"] for event in result["events"] if event["what"] == "kill"]
    assert kills == [f"Server {n}" for n in range(1, 6)]


def test_the_report_needs_no_other_file_and_has_the_published_figures(everything):
    folder, _ = everything
    if not list(folder.glob("*.png")):
        pytest.skip("no matplotlib here")
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert not re.search(r'(src|href)="(?!data:)', page)
    for words in ("9,642 / 227 / 70", "seed 4", "roost experiment all --quick", "cores"):
        assert words in html.unescape(page)
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    assert len(pictures) == len(list(folder.glob("*.png"))) == 6
    for picture in map(base64.b64decode, pictures):
        width, height = struct.unpack(">II", picture[16:24])
        assert width >= 1000 and height >= 600
        assert len(picture) <= 100_000


def test_the_documentation_is_written_from_the_results(everything, tmp_path):
    folder, _ = everything
    if not list(folder.glob("*.png")):
        pytest.skip("no matplotlib here")
    page = tmp_path / "experiments.md"
    page.write_text((ROOT / "docs" / "experiments.md").read_text(encoding="utf-8"))
    for _ in range(2):
        write_documentation(folder, tmp_path)
    text = page.read_text(encoding="utf-8")
    assert "`roost experiment all --quick --seed 4`" in text and str(folder) not in text
    blocks = dict(re.findall(r"<!-- (\w+) -->\n(.*?)<!-- end -->\n", text, re.S))
    assert list(blocks) == ["about", "a1", "a2", "a3", "a4", "mixed"]
    counts = " / ".join(str(count) for count in result_of(everything, "a1")["counts"].values())
    assert counts in blocks["a1"] and "8,436 / 471 / 1,093" in blocks["a1"]
    for picture in re.findall(r"!\[.*?\]\((.*?)\)", text):
        assert (tmp_path / picture).read_bytes() == (folder / Path(picture).name).read_bytes()
    # The page in the tree is one that can be written anew, and was.
    committed = (ROOT / "docs" / "experiments.md").read_text(encoding="utf-8")
    assert not re.search(r"<!-- \w+ -->\n<!-- end -->", committed)


def write_documentation(results, docs):
    tool = ROOT / "tools" / "experiments_doc.py"
    subprocess.run(["/usr/bin/python3", tool, results, docs], check=True)


def test_every_axis_of_every_picture_is_named(everything, monkeypatch):
    plots = import_plots()
    if not plots.plt:
        pytest.skip("no matplotlib here")
    figures = {}
    monkeypatch.setattr(plots, "save", lambda figure, folder, name: figures.update({name: figure}))
    plots.setup()
    log = {
        "counts": {"Server 1": 3, "Server 2": 1}, "series": {"Server 1": [1, 2], "Server 2": [1, 0]},
        "piece_ms": 100, "first": "2026-01-01", "requests": 4, "cv": 0.5,
    }  # fmt: skip
    for part in plots.PARTS:
        part.plot(log if part.name == "log" else result_of(everything, part.name), None)
    assert set(figures) == {name for part in plots.PARTS for name in part.pictures}
    for name, figure in figures.items():
        for axis in figure.axes:
            for one, of_all in ((axis.xaxis, figure._supxlabel), (axis.yaxis, figure._supylabel)):
                is_shown = any(tick.label1.get_visible() for tick in one.get_major_ticks())
                assert one.get_label_text() or of_all or not is_shown, name
        plots.plt.close(figure)


def import_plots():
    script = ROOT / "tools" / "plot_experiments.py"
    spec = importlib.util.spec_from_file_location("plot_experiments", script)
    plots = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(plots)
    return plots


def test_without_matplotlib_it_says_how_to_get_the_pictures(everything, tmp_path):
    """The plots are drawn by whatever `python3` finds: one that finds no matplotlib is -S with an
    empty search path."""
    script = ROOT / "tools" / "plot_experiments.py"
    (tmp_path / "a1.json").write_text(json.dumps(result_of(everything, "a1")))
    done = subprocess.run(
        ["/usr/bin/python3", "-S", "-E", str(script), str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 3
    assert "of 1,000 requests were lost" in (tmp_path / "report.html").read_text()
    assert not list(tmp_path.glob("*.png"))


def test_plot_draws_a_folder_anew_and_fails_where_nothing_is(everything, tmp_path):
    (tmp_path / "a1.json").write_text(json.dumps(result_of(everything, "a1")))
    experiment("plot", tmp_path)
    assert (tmp_path / "report.html").exists()
    empty = tmp_path / "empty"
    empty.mkdir()
    assert experiment("plot", empty, check=False).returncode == 1


@pytest.mark.parametrize("log_format", ["json", "logfmt"])
def test_an_access_log_is_read_as_it_was_written(start, tmp_path, log_format):
    log = tmp_path / "access"
    roost = start("--access-log", log, "--log-format", log_format)
    for _ in range(30):
        assert roost.get("/home").status == 200
    assert roost.get("/rep").status == 200
    served = {r["name"]: r["requests"] for r in roost.get("/stats").json()["replicas"]}
    roost.terminate()
    with log.open("a", encoding="utf-8") as file:
        file.write("this is no line of it\n")
    result = experiment_json("log", log)
    assert result["counts"] == {name: n for name, n in served.items() if n}
    assert result["requests"] == 30 and result["unserved"] >= 1 and result["unread"] == 1
    assert sum(map(sum, result["series"].values())) == 30
    assert "coefficient of variation" in experiment("log", log).stdout


def test_a_log_without_replicas_is_refused_with_a_sentence(tmp_path):
    log = tmp_path / "access"
    log.write_text("nothing\n")
    done = experiment("log", log, check=False)
    assert done.returncode == 1 and "no line names a replica" in done.stderr
    done = experiment("log", tmp_path, check=False)
    assert done.returncode == 1 and "Is a directory" in done.stderr, done
    assert experiment("log", tmp_path / "absent", check=False).returncode == 1


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["a9"],
        ["a1", "more"],
        ["a1", "--scheme", "nonsense"],
        ["a1", "--driver", "swarm"],
        ["a1", "--image", "roost"],
        ["a1", "-n", "0"],
        ["a1", "--nonsense"],
        ["log"],
    ],
)
def test_wrong_usage_is_one_sentence(arguments):
    done = experiment(*arguments, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("roost experiment: ") and done.stderr.count("\n") == 1


def test_a_folder_that_cannot_be_written_is_said_before_anything_is_measured(tmp_path):
    (tmp_path / "file").touch()
    for place in (tmp_path / "absent" / "deep", tmp_path / "file"):
        done = experiment("a1", "--quick", "--out", place, check=False)
        assert (done.returncode, done.stdout) == (1, ""), done
        assert str(place) in done.stderr and done.stderr.count("\n") == 1


def test_help_is_said_wherever_it_is_asked_for():
    text = experiment("--help").stdout
    assert experiment("a1", "--help").stdout == experiment("-h").stdout == text
    for word in ("--driver D", "--image NAME", "--seed N", "--quick", "--out DIR", "--verbose"):
        assert word in text


def test_where_the_balancer_dies_the_experiment_fails_and_its_replicas_end(folder):
    with experiment_begin("a1", "-n", 10000000, folder=folder) as process:
        keeper = keeper_of(process)
        everyone = descendants(process.pid)
        assert len(everyone) >= 5 and list(folder.iterdir())
        os.kill(keeper, signal.SIGKILL)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "the balancer ended" in said
    assert not [pid for pid in everyone if Path(f"/proc/{pid}/exe").exists()]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_experiment_leaves_nothing_behind(how, folder):
    with experiment_begin("a1", "-n", 10000000, folder=folder) as process:
        keeper_of(process)
        everyone = descendants(process.pid)
        process.send_signal(how)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "interrupted" in said
    assert not [pid for pid in everyone if Path(f"/proc/{pid}/exe").exists()]
