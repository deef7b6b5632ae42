"""Runs `roost experiment` of the binary under test."""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from balancer import BINARY, processes, wait_until

TIMEOUT_S = 170


def experiment(*arguments, check=True, folder=None, environment=None, timeout_s=TIMEOUT_S):
    done = subprocess.run(
        [str(BINARY), "experiment", *map(str, arguments)],
        capture_output=True, text=True, timeout=timeout_s, env=environment_of(folder, environment),
    )  # fmt: skip
    assert not check or done.returncode == 0, done.stderr
    return done


def experiment_json(*arguments, **options):
    return json.loads(experiment(*arguments, "--json", **options).stdout)


@contextlib.contextmanager
def experiment_begin(*arguments, folder, environment=None):
    """One that goes on: the process. What still runs in the end is ended."""
    process = subprocess.Popen(
        [str(BINARY), "experiment", *map(str, arguments)],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        env=environment_of(folder, environment),
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=TIMEOUT_S)


@contextlib.contextmanager
def clean_folder():
    """For temporary files; no experiment leaves one. Not pytest's: an experiment takes no folder
    whose path is too long for the sockets in it."""
    folder = Path(tempfile.mkdtemp(prefix="exp-", dir="/tmp"))
    try:
        yield folder
        assert not list(folder.iterdir())
    finally:
        shutil.rmtree(folder)


def keeper_of(run):
    """The one child of an experiment that measures: what a keeper forks looks like it for a moment."""
    wait_until(lambda: "requests/s" in run.stderr.readline(), 30, "requests are answered")
    (keeper,) = [pid for pid, (parent, _) in processes().items() if parent == run.pid]
    return keeper


def environment_of(folder, environment):
    changes = {"TMPDIR": str(folder)} if folder else {}
    return {**os.environ, **(environment or {}), **changes}
