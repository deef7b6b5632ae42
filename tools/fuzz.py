#!/usr/bin/env python3
"""Builds the fuzz targets and runs them, each from its seeds and from what earlier runs have found.

usage: tools/fuzz.py [--seconds N] [TARGET ...]

Seeds are in tests/fuzz/corpus/TARGET and committed; what a run finds new is kept in
build/fuzz/corpus/TARGET and used by the next one. Exits with 1 where a target failed, and says in
which file the input is: mended, that file becomes a seed.
"""

import argparse
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FUZZ = ROOT / "build" / "fuzz"
SEEDS = ROOT / "tests" / "fuzz" / "corpus"
SECONDS = 60
INPUT_BYTES_MAX = 16384
INPUT_TIMEOUT_S = 10
MEMORY_MIB_MAX = 1024
# How long a target may take longer than it was told: its last input, and reading its corpus.
SLACK_S = 300
TEXT_MAX = 20000
SANITIZED = {
    "ASAN_OPTIONS": "abort_on_error=1:detect_leaks=1:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
}
RUNS = re.compile(r"^stat::number_of_executed_units:\s*(\d+)", re.MULTILINE)
ARTEFACT = re.compile(r"Test unit written to (\S+)")
AT_ONCE = os.cpu_count() or 2


class Result:
    """How a run of one target ended."""

    def __init__(self, name, status, text, fresh):
        self.name, self.has_passed, self.text, self.fresh = name, status == 0, text, fresh
        runs = RUNS.search(text)
        artefact = ARTEFACT.search(text)
        self.runs = int(runs.group(1)) if runs else 0
        self.artefact = artefact.group(1) if artefact else None

    def line(self):
        if self.has_passed:
            return f"{self.name}: {self.runs} inputs, {self.fresh} new ones kept"
        return f"{self.name}: FAILED" + (f", the input is in {self.artefact}" if self.artefact else "")


def programs():
    """name -> program of each target that was built."""
    found = sorted((FUZZ / "tests" / "fuzz").glob("*_fuzz"))
    return {program.name.removesuffix("_fuzz"): program for program in found}


def run(name, program, seconds):
    found = FUZZ / "corpus" / name
    found.mkdir(parents=True, exist_ok=True)
    before = len(list(found.iterdir()))
    dictionary = SEEDS.parent / f"{name}.dict"
    command = [
        program,
        f"-max_total_time={seconds}",
        f"-timeout={INPUT_TIMEOUT_S}",
        f"-rss_limit_mb={MEMORY_MIB_MAX}",
        f"-max_len={INPUT_BYTES_MAX}",
        "-verbosity=0",
        "-print_final_stats=1",
        f"-artifact_prefix={FUZZ}/{name}-",
        *([f"-dict={dictionary}"] if dictionary.exists() else []),
        found,
        *([SEEDS / name] if (SEEDS / name).is_dir() else []),
    ]
    try:
        done = subprocess.run(
            [str(word) for word in command],
            cwd=ROOT, env={**os.environ, **SANITIZED}, timeout=seconds + SLACK_S,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as late:
        return Result(name, 1, f"{late}\n", 0)
    return Result(name, done.returncode, done.stdout, len(list(found.iterdir())) - before)


def run_all(targets, seconds):
    """Their results, in order, each as soon as it and those before it are there."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from pool.map(lambda target: run(*target, seconds), targets.items())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=SECONDS, help=f"each ({SECONDS})")
    parser.add_argument("targets", nargs="*", help="all where none is named")
    options = parser.parse_args()
    if subprocess.run([ROOT / "tools" / "build.sh", "fuzz"], check=False).returncode:
        return 1
    targets = programs()
    unknown = [name for name in options.targets if name not in targets]
    if unknown:
        parser.error(f"no target {unknown[0]}; there are {', '.join(targets)}")
    chosen = {name: targets[name] for name in options.targets or targets}
    failed = 0
    for result in run_all(chosen, options.seconds):
        if not result.has_passed:
            failed += 1
            print(result.text[-TEXT_MAX:])
        print(result.line(), flush=True)
    return 1 if failed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
