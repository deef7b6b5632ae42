"""What is promised of the hash library: `roost ring`, and that ketama is nginx's."""

import http.client
import json
import shutil
import subprocess
import time

import pytest

from balancer import BINARY, free_port

TIMEOUT_S = 60
KEYS = 10_000
START_TIMEOUT_S = 10

# The assignment's exact shares over all six-digit ids, in percent.
SHARES = [
    ("quadratic", "quadratic", 1, (84.4, 4.7, 10.9)),
    ("quadratic-2", "mixed", 1, (96.5, 1.8, 1.8)),
    ("linear", "linear", 1, (96.5, 1.8, 1.8)),
    ("modulo", "quadratic", 1, (89.3, 4.3, 6.4)),
    ("mix32", "fnv1a", 1, (36.7, 48.3, 15.0)),
    ("mix32", "fnv1a", 0, (19.9, 37.5, 42.5)),
    ("quadratic-172", "linear", 0, (96.9, 2.3, 0.8)),
]


def run(*arguments, text=None):
    return subprocess.run(
        [BINARY, "ring", *map(str, arguments)],
        input=text,
        stdin=subprocess.DEVNULL if text is None else None,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def ring(*arguments, text=None):
    done = run(*arguments, text=text)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "arguments,said",
    [
        (["shares", "extra"], "'extra'"), (["compare", "extra"], "'extra'"),
        (["plan", "--add", "A", "extra"], "'extra'"),
        (["shares", "--scheme", "classic", "--virtual", 0], "from 1 to"),
        (["shares", "--scheme", "classic", "--slots", 0], "from 2 to"),
        (["shares", "--slots", 0], "from 2 to"), (["replay"], "LOG"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_and_not_passed_over(arguments, said):
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, ""), done
    assert done.stderr.startswith("roost ring ") and said in done.stderr


def test_caches_beyond_reason_are_refused():
    assert run("replay", "/dev/null", "--cache", 2_000_000_000).returncode == 2
    done = run("replay", "/dev/null", "--cache", 50_000_000)
    assert (done.returncode, done.stdout) == (1, "") and "--cache" in done.stderr, done


def test_a_log_that_cannot_be_read_is_no_empty_log(tmp_path):
    done = run("replay", tmp_path)
    assert (done.returncode, done.stdout) == (1, ""), done
    assert done.stderr == f"roost ring: {tmp_path}: Is a directory\n"


@pytest.mark.parametrize("request_hash,server_hash,first_id,expected", SHARES)
def test_the_classic_shares_are_exact(request_hash, server_hash, first_id, expected):
    answer = json.loads(
        ring(
            "shares", "--scheme", "classic", "--slots", 512, "--virtual", 9, "--replicas", 3,
            "--request-hash", request_hash, "--server-hash", server_hash, "--first-id", first_id,
            "--keys", "100000-999999", "--json",
        )
    )  # fmt: skip
    assert answer["scheme"] == "classic"
    for number, share in enumerate(expected, 1):
        assert abs(answer["shares"][f"Server {number}"] * 100 - share) <= 0.0501


def test_a_key_goes_where_its_share_is_counted():
    keys = [str(key) for key in range(100000, 110000)]
    picked = ring("pick", "--replicas", 5, text="\n".join(keys) + "\n").splitlines()
    assert [line.split("\t")[0] for line in picked] == keys
    shares = json.loads(
        ring("shares", "--replicas", 5, "--keys", "100000-109999", "--json")
    )["shares"]
    for name, share in shares.items():
        count = sum(line.endswith("\t" + name) for line in picked)
        assert abs(count / len(keys) - share) < 1e-9


NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log off; keepalive_requests 1000000;
    client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    upstream web {{
        hash $arg_k consistent;
        {upstream}
    }}
    server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://web; }} }}
    {servers}
}}
"""


@pytest.fixture
def nginx(tmp_path):
    """A running nginx with weighted servers: (its port, {name: weight})."""
    binary = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    if not binary:
        pytest.skip("nginx is not installed")
    ports = [free_port() for _ in range(6)]
    weights = {f"127.0.0.1:{port}": 1 + i % 3 for i, port in enumerate(ports[1:])}
    text = NGINX.format(
        folder=tmp_path,
        port=ports[0],
        upstream=" ".join(f"server {name} weight={w};" for name, w in weights.items()),
        servers=" ".join(f"server {{ listen {name}; return 200 {name}; }}" for name in weights),
    )
    (tmp_path / "nginx.conf").write_text(text, encoding="utf-8")
    process = subprocess.Popen(
        [binary, "-p", tmp_path, "-c", tmp_path / "nginx.conf"], stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", ports[0], timeout=TIMEOUT_S)
            connection.connect()
            break
        except OSError:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
    yield connection, weights
    connection.close()
    process.terminate()
    process.wait(TIMEOUT_S)


def test_ketama_places_every_key_as_a_running_nginx_does(nginx):
    connection, weights = nginx
    keys = [f"key-{i}" if i % 2 else f"{i * 37 % 1000000:06}" for i in range(KEYS)]
    theirs = []
    for key in keys:
        connection.request("GET", f"/?k={key}")
        theirs.append(connection.getresponse().read().decode())
    picked = ring(
        "pick", "--scheme", "ketama", "--names", ",".join(weights),
        "--weights", ",".join(map(str, weights.values())), text="\n".join(keys),
    )  # fmt: skip
    ours = [line.split("\t")[1] for line in picked.splitlines()]
    assert ours == theirs
    assert len(set(ours)) == len(weights)
