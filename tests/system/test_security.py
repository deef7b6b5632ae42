"""Who may change what: loopback, token, Host, Origin, and what happens to who guesses."""

import os
import re
import socket
import subprocess
import time

import pytest

from balancer import BINARY, free_port, wait_until

TOKEN = "a-token-of-this-test"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def guarded(start_shared):
    """With a token; traffic and control on loopback."""
    return start_shared(environment={"ROOST_CONTROL_TOKEN": TOKEN})


def own_address():
    """An address of this machine that is not loopback, or a skip."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            address = probe.getsockname()[0]
        except OSError:
            pytest.skip("this machine has no address but loopback")
    return address


def fails(answer, status):
    assert answer.status == status, answer
    assert answer.json()["status"] == "failure"
    return answer.json()["message"]


def test_without_the_token_the_control_port_shows_and_does_not_change(guarded):
    assert guarded.on_control("GET", "/rep").status == 200
    message = fails(guarded.on_control("POST", "/add", {"n": 1}), 401)
    assert "ROOST_CONTROL_TOKEN" in message
    assert guarded.on_control("POST", "/add", {"n": 1}).headers["www-authenticate"] == "Bearer"


def test_with_the_token_the_control_port_changes(guarded):
    assert guarded.on_control("POST", "/add", {"n": 1, "hostnames": ["T"]}, BEARER).status == 200
    answer = guarded.on_control("DELETE", "/rm", {"n": 1, "hostnames": ["T"]}, BEARER)
    assert answer.status == 200


def test_the_classic_calls_on_a_loopback_traffic_port_need_no_token(guarded):
    assert guarded.add(1, ["L"]).status == 200
    assert guarded.rm(1, ["L"]).status == 200


def test_who_guesses_waits_longer_and_longer_and_others_do_not(guarded):
    took = []
    for _ in range(6):
        began = time.monotonic()
        answer = guarded.on_control("POST", "/add", {"n": 1}, {"Authorization": "Bearer guess"})
        took.append(time.monotonic() - began)
        assert answer.status == 401
    assert took[0] < 0.1
    assert took[-1] > 0.3
    began = time.monotonic()
    assert guarded.on_control("GET", "/rep").status == 200
    assert guarded.on_control("POST", "/add", {}, BEARER).status == 400
    assert time.monotonic() - began < 0.1


def test_the_token_is_in_no_log(guarded):
    assert TOKEN not in guarded.log_text()


def test_off_loopback_the_control_port_needs_a_token(start):
    address = own_address()
    roost = start.prepare("--control-listen", f"{address}:{free_port()}")
    done = subprocess.run(
        roost.command(), capture_output=True, text=True, timeout=10, env=roost.environment
    )
    assert done.returncode == 1
    assert "token" in done.stderr


def test_off_loopback_the_traffic_port_serves_and_takes_no_changes(start):
    address = own_address()
    roost = start("--listen", f"{address},127.0.0.1")

    def ask(method, path, body=b"", headers=""):
        with socket.create_connection((address, roost.port), timeout=10) as connection:
            connection.sendall(
                f"{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}"
                f"Content-Length: {len(body)}\r\n\r\n".encode()
                + body
            )
            answer = b""
            while more := connection.recv(65536):
                answer += more
        return int(answer[9:12]), answer

    assert ask("GET", "/home")[0] == 200
    assert ask("GET", "/rep")[0] == 200
    status, answer = ask("POST", "/add", b'{"n":1}')
    assert status == 403
    assert b"ROOST_OPEN" in answer
    forged = "X-Roost-Link: loopback=1; ip=127.0.0.1\r\n"
    assert ask("POST", "/add", b'{"n":1}', forged)[0] == 403
    assert roost.add(1, ["here"]).status == 200, "by loopback it may"


def test_an_open_traffic_port_takes_changes_from_everywhere(start):
    address = own_address()
    roost = start("--listen", address, environment={"ROOST_OPEN": "1"})
    with socket.create_connection((address, roost.port), timeout=10) as connection:
        body = b'{"n":1}'
        connection.sendall(
            f"POST /add HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")


def test_hosts_of_the_configuration_are_ours(start):
    roost = start(
        config="compat: assignment\ncontrol: {hosts: [roost.example]}\nservices: [{name: web}]\n"
    )
    for host, status in (("roost.example:99", 200), ("other.example", 421)):
        assert roost.on_control("GET", "/rep", headers={"Host": host}).status == status
        assert roost.on_control("GET", "/livez", headers={"Host": host}).status == 200


def test_the_machines_own_name_is_ours(guarded):
    headers = {"Host": f"{socket.gethostname()}:5001"}
    assert guarded.on_control("GET", "/rep", headers=headers).status == 200


def test_a_control_socket_is_for_its_owner_alone(start):
    roost = start.prepare()
    path = roost.folder / "control.sock"
    roost.flags += ["--control-listen", str(path)]
    roost.spawn()
    wait_until(path.exists, 10)
    assert path.stat().st_mode & 0o777 == 0o600
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")


def readelf(*flags):
    environment = {**os.environ, "LC_ALL": "C"}
    done = subprocess.run(
        ["readelf", "--wide", *flags, BINARY], capture_output=True, text=True, check=True, env=environment
    )  # fmt: skip
    return done.stdout


def test_the_program_is_built_hardened():
    """Nothing at a fixed address, nothing both written and run, no table of addresses to write to."""
    assert "DYN (Position-Independent Executable file)" in readelf("--file-header")
    segments = readelf("--segments")
    assert "GNU_RELRO" in segments
    stack = next(line for line in segments.splitlines() if "GNU_STACK" in line)
    loaded = [line for line in segments.splitlines() if line.split()[:1] == ["LOAD"]]
    assert loaded and all(not re.search(r" RWE | WE ", line) for line in [*loaded, stack])
    assert " RW " in stack
    dynamic = readelf("--dynamic")
    assert re.search(r"FLAGS_1\).*\bNOW\b", dynamic) and "TEXTREL" not in dynamic
    symbols = readelf("--dyn-syms")
    assert "__stack_chk_fail" in symbols, "-fstack-protector-strong"
    assert re.search(r"__(memcpy|snprintf|vsnprintf)_chk", symbols), "-D_FORTIFY_SOURCE=2"
