#!/usr/bin/env python3
"""`make lint`: the tree's rules, the format, clang-tidy, and every header compiled alone.

usage: tools/lint.py [--json FILE]

clang-tidy is slow, so a file that passed is not looked at again until it, a header it includes or
the checks change: an empty stamp in build/tidy/ says so. --json writes {check: "passed" | text}.
"""

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import check_tree

ROOT = Path(__file__).resolve().parent.parent
STAMPS = ROOT / "build" / "tidy"
FLAGS = [
    "-std=gnu17", "-D_GNU_SOURCE", "-Isrc", '-DROOST_VERSION="0"',
    "-Wall", "-Wextra", "-Wshadow", "-Wstrict-prototypes", "-Wmissing-prototypes", "-Werror",
]  # fmt: skip
QUOTED = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)
COMMAND_TIMEOUT_S = 170


def run(command, **options):
    """(worked, what it printed)"""
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=COMMAND_TIMEOUT_S,
            **options,
        )
    except (OSError, subprocess.TimeoutExpired) as why:
        return False, str(why)
    return done.returncode == 0, done.stdout


def c_files(*tops):
    return sorted(path for top in tops for path in (ROOT / top).rglob("*.[ch]"))


def check_format():
    files = [str(path.relative_to(ROOT)) for path in c_files("src", "tests", "bench")]
    return run(["clang-format", "--dry-run", "-Werror", *files])


def check_header(path):
    name = path.relative_to(ROOT / "src").as_posix()
    return run(
        [os.environ.get("CC", "cc"), *FLAGS, "-fsyntax-only", "-x", "c", "-"],
        input=f'#include "{name}"\n#include "{name}"\n',
    )


def closure(path, seen):
    """The file and all of ours that it includes, directly or not."""
    if path in seen or not path.is_file():
        return seen
    seen.add(path)
    for name in QUOTED.findall(path.read_text(encoding="utf-8")):
        closure(ROOT / "src" / name, seen)
    return seen


def stamp_of(path, version):
    digest = hashlib.sha256(version.encode())
    digest.update((ROOT / ".clang-tidy").read_bytes())
    digest.update(" ".join(FLAGS).encode())
    for part in sorted(closure(path, set())):
        digest.update(part.relative_to(ROOT).as_posix().encode() + b"\0" + part.read_bytes())
    return STAMPS / digest.hexdigest()[:32]


def check_tidy(path, version):
    stamp = stamp_of(path, version)
    if stamp.exists():
        return True, ""
    name = str(path.relative_to(ROOT))
    worked, text = run(["clang-tidy", "--quiet", name, "--", *FLAGS])
    if worked:
        stamp.touch()
    # Without the path that led there: clang-tidy on the one file shows it.
    findings = [line for line in text.splitlines() if " error: " in line]
    return worked, "\n".join(findings) or text


def jobs():
    """(name of the check, what to call) of everything, the slow ones last."""
    for name, lines in check_tree.check(ROOT).items():
        yield f"tree {name}", lambda lines=lines: (not lines, "\n".join(lines))
    yield "format", check_format
    for path in c_files("src"):
        if path.suffix == ".h":
            name = path.relative_to(ROOT).as_posix()
            yield f"header {name}", lambda path=path: check_header(path)
    version = run(["clang-tidy", "--version"])[1]
    for path in c_files("src"):
        if path.suffix == ".c":
            name = path.relative_to(ROOT).as_posix()
            yield f"tidy {name}", lambda path=path: check_tidy(path, version)


def main():
    options = argparse.ArgumentParser(description="the house's rules")
    options.add_argument("--json", metavar="FILE", type=Path)
    json_file = options.parse_args().json

    STAMPS.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        pending = [(name, pool.submit(job)) for name, job in jobs()]
        results = {}
        for name, future in pending:
            worked, text = future.result()
            results[name] = "passed" if worked else text or "failed"
            if not worked:
                print(f"--- {name}\n{text.rstrip()}", flush=True)
    failed = sum(1 for result in results.values() if result != "passed")
    print(f"lint: {len(results) - failed} checks passed, {failed} failed")
    if json_file:
        json_file.write_text(json.dumps(results))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
