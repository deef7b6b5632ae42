"""What a worker may do, seen from outside: nothing but serve."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from balancer import RawSocket, wait_until

SANDBOX_UID = 10001

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root sees into a locked process")


def workers(roost):
    found = roost.pids_with("roost worker")
    assert found, roost.log_text()
    return found


def status_of(pid):
    """{field: value} of /proc/PID/status."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def assert_locked(pid):
    status = status_of(pid)
    assert status["Seccomp"] == "2"
    assert status["NoNewPrivs"] == "1"
    for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(status[kind], 16) == 0, kind
    if os.geteuid() == 0:
        assert set(status["Uid"].split()) == {str(SANDBOX_UID)}
        assert set(status["Gid"].split()) == {str(SANDBOX_UID)}
        assert status["Groups"] == ""
    # The files of a process that leaves no core dump are root's.
    assert os.stat(f"/proc/{pid}/fd").st_uid == 0


def test_every_worker_is_locked_in(shared_roost):
    for pid in workers(shared_roost):
        assert_locked(pid)


def test_a_worker_is_in_a_session_of_its_own(shared_roost):
    for pid in workers(shared_roost):
        assert os.getsid(pid) == pid


@as_root
def test_a_worker_holds_nothing_it_does_not_need(shared_roost):
    may_be = ("socket:", "pipe:", "anon_inode:[eventpoll]", "anon_inode:[signalfd]", "/memfd:")
    files = {"/dev/null", str(shared_roost.log)}
    for pid in workers(shared_roost):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            target = os.readlink(entry)
            assert target in files or target.startswith(may_be), target


@as_root
def test_a_workers_memory_is_never_both_written_and_run(shared_roost):
    for pid in workers(shared_roost):
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            permissions = line.split()[1]
            assert not ("w" in permissions and "x" in permissions), line


def test_a_new_worker_is_locked_in_too(start):
    roost = start()
    before = workers(roost)
    os.kill(before[0], signal.SIGKILL)

    def are_replaced():
        now = roost.pids_with("roost worker")
        return len(now) == len(before) and before[0] not in now and now

    for pid in wait_until(are_replaced, 10, "another worker"):
        wait_until(lambda: status_of(pid)["Seccomp"] == "2", 10, "it has started")
        assert_locked(pid)


def abuse(roost):
    """Clients of all kinds."""
    for data in ("GET /home HTTP/1.1\r\n\r\n", "\0\0\0", "GET /\r\n\r\n", "POST /echo HTTP/1.1\r\n"):
        with RawSocket(roost.port) as client:
            client.send(data)
            client.finish()
            client.is_closed()
    with RawSocket(roost.port) as client:
        client.send("GET /bytes/5000000 HTTP/1.1\r\nHost: a\r\n\r\n")
        client.read_until(b"\r\n\r\n")
        client.reset()
    with RawSocket(roost.port) as client:
        client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nxx")
        client.reset()


def test_whatever_a_worker_does_is_allowed(start):
    """A system call that is missing in the list answers EPERM and says so in the log."""
    roost = start()
    for path in ("/home", "/other", "/bytes/3000000", "/slow/50", "/status/500"):
        roost.get(path)
    roost.request("POST", "/echo", b"x" * 300000)
    assert roost.add(2, ["S5"]).status == 200
    assert roost.rm(2).status == 200
    abuse(roost)
    os.kill(roost.pids_with(" replica")[0], signal.SIGKILL)
    for _ in range(50):
        assert roost.get("/home").status == 200
    os.kill(roost.pid, signal.SIGUSR1)
    wait_until(lambda: "log.reopened" in roost.log_text(), 5, "the logs are reopened")
    assert roost.get("/home").status == 200
    assert roost.terminate() == 0
    log = roost.log_text()
    assert "sandbox." not in log, log
    assert "event=worker.ended" in log
    assert "event=worker.ended" not in log.replace("level=info", "").split("serve.draining")[0]


# A library under the C library's name for a call: before it, with `when`, it makes one that no worker
# may make, as code of ours would that is not in the list.
FORBIDDEN = """
#define _GNU_SOURCE
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

%(signature)s
{
    if (%(when)s)
        syscall(SYS_bind, -1, 0, 0);
    return (int)syscall(%(call)s);
}
"""
ACCEPTS = {
    "signature": "int accept4(int fd, struct sockaddr *from, socklen_t *size, int flags)",
    "when": "1",
    "call": "SYS_accept4, fd, from, size, flags",
}
# The link to the keeper, which a worker closes last of all.
ENDS = {"signature": "int close(int fd)", "when": "fd == 3", "call": "SYS_close, fd"}


def preloaded(start, folder, values):
    """A balancer whose workers make a forbidden call."""
    source, library = folder / "forbidden.c", folder / "forbidden.so"
    source.write_text(FORBIDDEN % values)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    return start.prepare("--workers", 1, environment={"LD_PRELOAD": str(library)})


def test_a_refused_call_is_counted_and_fails_the_test(start, tmp_path):
    roost = preloaded(start, tmp_path, ACCEPTS).start()
    assert roost.get("/home").status == 200
    total = lambda: roost.on_control("GET", "/v1/status").json()["total"]  # noqa: E731
    wait_until(lambda: total()["sandbox_refusals"] > 0)
    assert "event=sandbox.refused process=worker call=bind" in roost.log_text()
    start.started.remove(roost)
    with pytest.raises(AssertionError, match="sandbox.refused"):
        roost.end()


def test_a_call_refused_at_the_very_end_is_seen_too(start, tmp_path):
    roost = preloaded(start, tmp_path, ENDS).start()
    assert roost.get("/home").status == 200
    assert "sandbox." not in roost.log_text()
    assert roost.terminate() == 0
    start.started.remove(roost)
    with pytest.raises(AssertionError, match="sandbox.refused"):
        roost.end()


@pytest.mark.parametrize("where", ["file", "stdout"])
def test_the_access_log_is_written_from_inside(start, where, tmp_path):
    path = tmp_path / "access.log"
    roost = start(config=f"log: {{ access: {path if where == 'file' else 'stdout'} }}\n")
    assert roost.get("/home?from-inside").status == 200
    log = path if where == "file" else roost.log
    wait_until(lambda: "/home?from-inside" in log.read_text(), 5, "the line")
