"""roost ctl: every verb, what it prints, how it finds the balancer, how it ends."""

import json
import os
import re
import signal
import subprocess
import time

import pytest

from balancer import BINARY, free_port, wait_until

TIMEOUT_S = 30
STATUS_COLUMNS = [
    "REPLICA", "STATE", "WEIGHT", "SHARE", "REQUESTS", "IN FLIGHT", "FAILURES", "P50 MS",
    "P99 MS", "CPU %", "MEM MIB", "RESTARTS", "PID", "ADDRESS", "REASON",
]  # fmt: skip


@pytest.fixture(scope="module")
def pool(shared_roost):
    """Three replicas that no test changes."""
    yield shared_roost
    assert shared_roost.replicas() == ["Server 1", "Server 2", "Server 3"]


def ctl(roost, *arguments, environment=None, cwd=None, where=None):
    """The ended process. It finds the balancer by its state folder unless `where` says how."""
    where = ["--state", str(roost.state)] if where is None else where
    return subprocess.run(
        [str(BINARY), "ctl", *map(str, arguments), *where],
        env={**roost.environment, **(environment or {})},
        cwd=cwd or roost.folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )


def done(process):
    """What it printed."""
    assert (process.returncode, process.stderr) == (0, "")
    return process.stdout


def failed(process, status=1):
    """What it complained about, one line."""
    assert process.returncode == status, process
    assert process.stderr.startswith("roost ctl: ")
    assert process.stderr.count("\n") == 1
    return process.stderr


def table(text, first_column):
    """The table that begins with that column: a list of rows by column."""
    lines = text.splitlines()
    start = next(n for n, line in enumerate(lines) if line.lstrip().startswith(first_column))
    names = re.split(r"  +", lines[start].strip())
    rows = []
    for line in lines[start + 1 :]:
        if not line.strip():
            break
        rows.append(dict(zip(names, re.split(r"  +", line.strip()), strict=True)))
    return rows


# ---- status ----


def test_status_shows_node_workers_and_replicas_in_tables(pool):
    text = done(ctl(pool, "status"))
    assert re.match(r"roost \d+\.\d+\.\d+, serving for \d+s, pid %d, " % pool.pid, text)
    assert f"traffic 127.0.0.1:{pool.port}" in text
    assert f"control 127.0.0.1:{pool.control_port}" in text
    assert [row["WORKER"] for row in table(text, "WORKER")] == ["0", "1"][: os.cpu_count()]
    rows = table(text, "REPLICA")
    assert list(rows[0]) == STATUS_COLUMNS
    assert [row["REPLICA"] for row in rows] == ["Server 1", "Server 2", "Server 3"]
    assert {row["STATE"] for row in rows} == {"up"}
    assert {int(row["PID"]) for row in rows} == set(pool.pids_with(" replica"))


def test_the_columns_are_aligned(pool):
    lines = done(ctl(pool, "status")).splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("REPLICA"))
    at = lines[start].index("STATE")
    for line in lines[start + 1 : start + 4]:
        assert line[at - 2 : at + 2] == "  up"
    end = lines[start].index("WEIGHT") + len("WEIGHT")
    assert {line[end - 1] for line in lines[start + 1 : start + 4]} == {"1"}


def test_status_json_is_what_the_api_says(pool):
    status = json.loads(done(ctl(pool, "status", "--json")))
    assert status["node"]["pid"] == pool.pid
    assert [replica["name"] for replica in status["services"][0]["replicas"]] == [
        "Server 1", "Server 2", "Server 3",
    ]  # fmt: skip


def test_status_watch_prints_again_and_again_until_it_is_stopped(pool):
    process = subprocess.Popen(
        [str(BINARY), "ctl", "status", "--watch", "--state", str(pool.state)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        seen = 0
        while seen < 2:
            seen += process.stdout.readline().startswith("roost ")
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(TIMEOUT_S)
        process.stdout.close()


# ---- changes ----


def test_add_and_rm_change_the_pool_and_say_so(roost):
    text = done(ctl(roost, "add", "-n", 3, "S4", "S5"))
    assert re.fullmatch(r"added S4, S5, r-\w+: 6 replicas, epoch \d+\n", text)
    assert roost.replicas()[3:5] == ["S4", "S5"]
    assert re.fullmatch(r"added r-\w+: 7 replicas, epoch \d+\n", done(ctl(roost, "add")))
    assert done(ctl(roost, "rm", "S4")).startswith("removed S4: 6 replicas")
    assert done(ctl(roost, "rm", "-n", 2, "S5")).startswith("removed S5, ")
    assert len(roost.replicas()) == 4


def test_names_may_have_spaces(roost):
    done(ctl(roost, "add", "My Server"))
    assert done(ctl(roost, "drain", "My Server")).startswith("changed My Server")
    assert done(ctl(roost, "rm", "My Server")).startswith("removed My Server")


def test_drain_and_undo_and_weight(roost):
    done(ctl(roost, "drain", "Server 1", "Server 2"))
    rows = table(done(ctl(roost, "status")), "REPLICA")
    assert [row["STATE"] for row in rows] == ["up, drained", "up, drained", "up"]
    assert {roost.get("/home").json()["message"] for _ in range(20)} == {"Hello from Server: 3"}
    done(ctl(roost, "drain", "--undo", "Server 1"))
    done(ctl(roost, "weight", "Server 3", 4))
    rows = table(done(ctl(roost, "status")), "REPLICA")
    assert [row["WEIGHT"] for row in rows] == ["1", "0", "4"]


def test_what_is_refused_is_said_in_one_line_and_is_1(pool):
    assert "'Server 1'" in failed(ctl(pool, "add", "Server 1"))
    assert "'nobody'" in failed(ctl(pool, "rm", "nobody"))
    assert "'nobody'" in failed(ctl(pool, "drain", "nobody"))
    assert "'none'" in failed(ctl(pool, "add", "--service", "none"))


@pytest.mark.parametrize(
    "arguments",
    [
        ["nothing"], ["rm"], ["drain"], ["weight", "Server 1"], ["weight", "Server 1", "x"],
        ["weight", "Server 1", "70000"], ["add", "-n", "0"], ["add", "-n", "x"], ["add", "-n"],
        ["status", "--nothing"], ["status", "extra"], ["plan"], ["plan", "what"], ["explain"],
        ["explain", "a", "b"], ["logs"], ["plan", "weight", "a"], ["events", "extra"],
        ["reload", "extra"], ["logs", "-f", "Server 1"], ["status", "-n", "2"],
        ["rm", "--undo", "Server 1"], ["explain", "a", "--watch"], ["plan", "rm", "--if-epoch", "1"],
        ["add", "--if-epoch", "x", "S4"], ["add", "--if-epoch", "-1", "S4"],
    ],
)  # fmt: skip
def test_wrong_usage_is_2(pool, arguments):
    where = [] if arguments[-1] == "-n" else None
    assert "--help" in failed(ctl(pool, *arguments, where=where), 2)


def test_the_status_of_a_service_that_is_none_is_1(pool):
    process = ctl(pool, "status", "--service", "none")
    assert "'none'" in failed(process)
    assert process.stdout == ""


def test_what_cannot_be_printed_is_said(pool):
    with open("/dev/full", "w", encoding="utf-8") as full:
        process = subprocess.run(
            [str(BINARY), "ctl", "status", "--state", str(pool.state)],
            env=pool.environment, stdout=full, stderr=subprocess.PIPE, text=True, timeout=TIMEOUT_S,
        )  # fmt: skip
    assert (process.returncode, process.stderr) == (
        1,
        "roost ctl: standard output: No space left on device\n",
    )


def test_no_verb_is_2_and_help_is_0(pool):
    assert ctl(pool).returncode == 2
    text = done(ctl(pool, "--help"))
    for verb in ("status", "add", "rm", "drain", "weight", "plan", "explain", "events", "logs"):
        assert f"\n  {verb} " in text


# ---- plan, explain, logs ----


def test_plan_shows_what_would_move_and_its_epoch_guards_the_change(roost):
    text = done(ctl(roost, "plan", "add", "S4"))
    match = re.match(r"(\d+) of 65536 slots would move \(([\d.]+) %\)", text)
    assert 24.0 < float(match[2]) < 26.0
    assert [row["REPLICA"] for row in table(text, "REPLICA")][-1] == "S4"
    assert sum(int(row["SLOTS"]) for row in table(text, "FROM")) == int(match[1])
    epoch = re.search(r"--if-epoch (\d+)", text)[1]
    done(ctl(roost, "add", "S4", "--if-epoch", epoch))
    assert "has changed" in failed(ctl(roost, "add", "S5", "--if-epoch", epoch))


@pytest.mark.parametrize(
    "arguments",
    [["rm", "Server 2"], ["rm", "-n", "1"], ["drain", "Server 2"], ["weight", "Server 2", "3"]],
)
def test_plans_of_all_kinds(pool, arguments):
    assert "slots would move" in done(ctl(pool, "plan", *arguments))
    plan = json.loads(done(ctl(pool, "plan", *arguments, "--json")))
    assert plan["moved"] > 0


def test_explain_names_the_replica_that_answers(pool):
    text = done(ctl(pool, "explain", "a key & more"))
    replica = re.search(r"^goes to (.*)$", text, re.MULTILINE)[1]
    answer = pool.get("/home", {"X-Request-ID": "a key & more"}).json()["message"]
    assert answer == f"Hello from Server: {replica[-1]}"
    assert table(text, "RANK")[0]["REPLICA"] == replica


def test_logs_shows_what_a_replica_wrote(pool):
    assert "listens on" in done(ctl(pool, "logs", "Server 2"))
    assert "'nobody'" in failed(ctl(pool, "logs", "nobody"))


# ---- events ----


def test_events_prints_what_has_happened(roost):
    done(ctl(roost, "add", "S4"))
    lines = done(ctl(roost, "events")).splitlines()
    (added,) = [line for line in lines if "pool.added" in line]
    assert re.search(
        r"^\d\d:\d\d:\d\d\.\d{3}  pool\.added +web  S4  POST /v1/replicas by 127\.0\.0\.1, "
        r"moved \d+ of 65536 slots \(minimum \d+, excess \d+\)$",
        added,
    )
    events = [json.loads(line) for line in done(ctl(roost, "events", "--json")).splitlines()]
    assert [event["number"] for event in events] == list(range(1, len(events) + 1))


def test_events_says_why_a_replica_died(roost):
    os.kill(roost.on_control("GET", "/v1/replicas/Server%202").json()["pid"], signal.SIGKILL)
    (dead,) = wait_until(
        lambda: [x for x in done(ctl(roost, "events")).splitlines() if "replica.dead" in x], 10
    )
    assert re.search(r"  replica\.dead +web  Server 2  killed by SIGKILL$", dead), dead


class Following:
    """`roost ctl events -f` in the background."""

    def __init__(self, roost):
        self.process = subprocess.Popen(
            [str(BINARY), "ctl", "events", "-f", "--state", str(roost.state)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=roost.environment,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait(TIMEOUT_S)
        self.process.stdout.close()
        self.process.stderr.close()

    def read_until(self, text):
        lines = []
        while not lines or text not in lines[-1]:
            lines.append(self.process.stdout.readline())
            assert lines[-1], lines
        return lines


def test_events_f_goes_on_also_over_a_restart(roost):
    with Following(roost) as following:
        following.read_until("replica.up")
        roost.add(1, ["S4"])
        following.read_until("pool.added")
        roost.terminate()
        following.read_until("replica.gone")
        roost.control_port = free_port()
        roost.start()
        following.read_until("(some events between are forgotten)")
        following.read_until("pool.started")
        roost.rm(1, ["S4"])
        following.read_until("pool.removed")


# ---- finding the balancer ----


@pytest.mark.parametrize(
    "form",
    [
        "{port}", "127.0.0.1:{port}", "http://127.0.0.1:{port}", "http://localhost:{port}/",
        "[::1]:{port}",
    ],
)  # fmt: skip
def test_control_takes_urls_addresses_and_ports(pool, form):
    where = ["--control", form.format(port=pool.control_port)]
    assert done(ctl(pool, "status", where=where)).startswith("roost ")


@pytest.mark.parametrize("url", ["https://localhost:1", "ftp://x", "a b", "", "nowhere.invalid:1"])
def test_a_control_url_that_is_none_is_said(pool, url):
    failed(ctl(pool, "status", where=["--control", url]))


def test_without_anything_it_is_the_balancer_of_make_up_in_this_folder(start):
    roost = start.prepare("--num-servers", 1)
    roost.state = roost.folder / "run" / "state"
    roost.start()
    assert f"pid {roost.pid}," in done(ctl(roost, "status", where=[]))


def test_else_the_one_that_roost_serve_would_be(pool, tmp_path):
    environment = {"ROOST_STATE": str(pool.state)}
    assert f"pid {pool.pid}," in done(
        ctl(pool, "status", where=[], cwd=tmp_path, environment=environment)
    )
    environment = {"ROOST_STATE": str(tmp_path), "CONTROL_PORT": str(pool.control_port)}
    assert f"pid {pool.pid}," in done(
        ctl(pool, "status", where=[], cwd=tmp_path, environment=environment)
    )


def test_a_folder_that_is_named_needs_no_other_setting(pool):
    environment = {"NUM_SERVERS": "many", "ROOST_SCHEME": "none"}
    assert f"pid {pool.pid}," in done(ctl(pool, "status", environment=environment))


def test_nobody_there_is_1_at_once(pool, tmp_path):
    began = time.monotonic()
    assert "no balancer runs" in failed(ctl(pool, "status", where=["--state", str(tmp_path)]))
    assert "nobody listens" in failed(ctl(pool, "status", where=["--control", str(free_port())]))
    assert time.monotonic() - began < 2


def test_a_folder_that_cannot_be_looked_into_is_said(pool, tmp_path):
    (tmp_path / "file").touch()
    process = ctl(pool, "status", where=["--state", str(tmp_path / "file")])
    assert "Not a directory" in failed(process)


def test_somebody_else_there_is_1(pool):
    assert "control port" in failed(ctl(pool, "status", where=["--control", str(pool.port)]))


def test_a_state_folder_of_a_killed_keeper_has_nobody(start):
    roost = start("--num-servers", 1)
    os.kill(roost.pid, signal.SIGKILL)
    roost.process.wait(TIMEOUT_S)
    assert "no balancer runs" in failed(ctl(roost, "status"))
    assert roost.stop_command().returncode == 0


def test_a_unix_socket_is_a_control_port_too(start):
    roost = start.prepare("--num-servers", 1)
    socket = roost.folder / "control.sock"
    roost.flags += ["--control-listen", f"unix:{socket}"]
    roost.spawn()
    wait_until(lambda: "serve.ready" in roost.log_text(), 10)
    assert socket.stat().st_mode & 0o777 == 0o600
    assert f"pid {roost.pid}," in done(ctl(roost, "status"))
    assert done(ctl(roost, "add", "S4", where=["--control", f"unix:{socket}"]))
    roost.pids()


# ---- the token ----


def test_the_token_comes_from_the_environment_or_a_file(start, tmp_path):
    token = "a-secret-for-ctl"
    roost = start("--num-servers", 1, environment={"ROOST_CONTROL_TOKEN": token})
    without = {**roost.environment, "ROOST_CONTROL_TOKEN": ""}
    assert "token" in failed(ctl(roost, "add", "S4", environment=without))
    assert done(ctl(roost, "status", environment=without))
    assert done(ctl(roost, "add", "S4"))
    path = tmp_path / "token"
    path.write_text(token + "\n", encoding="utf-8")
    assert done(ctl(roost, "add", "S5", "--token-file", path, environment=without))
    path.write_text("wrong\n", encoding="utf-8")
    assert "token" in failed(ctl(roost, "add", "S6", "--token-file", path))
    assert "none.txt" in failed(ctl(roost, "add", "S6", "--token-file", tmp_path / "none.txt"))
    assert token not in roost.log_text()


def test_services_are_chosen_by_name(start):
    roost = start(
        config="services: [{name: a, match: {path: /a}, replicas: {driver: process, count: 1}},"
        " {name: b, replicas: {driver: process, count: 1, names: [b1]}}]\n"
    )
    assert done(ctl(roost, "add", "b2", "--service", "b")).startswith("added b2: 2 replicas")
    text = done(ctl(roost, "status", "--service", "b"))
    assert [row["REPLICA"] for row in table(text, "REPLICA")] == ["b1", "b2"]
    assert "service a" not in text
    assert re.search("goes to b[12]", done(ctl(roost, "explain", "1", "--service", "b")))
    assert "b2" in done(ctl(roost, "plan", "rm", "b2", "--service", "b"))
    assert "listens on" in done(ctl(roost, "logs", "b2", "--service", "b"))
