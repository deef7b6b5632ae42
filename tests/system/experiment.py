"""Runs `roost experiment` of the binary under test."""

import json
import os
import subprocess

from balancer import BINARY

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


def experiment_begin(*arguments, folder, environment=None):
    """One that goes on: the process, its folder for temporary files is `folder`."""
    return subprocess.Popen(
        [str(BINARY), "experiment", *map(str, arguments)],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        env=environment_of(folder, environment),
    )  # fmt: skip


def environment_of(folder, environment):
    changes = {"TMPDIR": str(folder)} if folder else {}
    return {**os.environ, **(environment or {}), **changes}
