#!/usr/bin/env python3
"""Builds and runs the tests, shows what failed, and ends with `N passed, N failed, N skipped`.

usage: tools/test_all.py [--check | --long] [SUITE ...]

--check is the short form that needs no test packages but cmocka; --long runs the full counts.
Exits with 1 where something failed, or, with CI=true, where something was skipped.
"""

import argparse
import json
import os
import re
import socket
import subprocess
import sys
import time
import xml.etree.ElementTree
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fuzz

ROOT = Path(__file__).resolve().parent.parent
RELEASE = ROOT / "build"
ASAN = RELEASE / "asan"
REPORTS = RELEASE / "reports"
COMMAND_TIMEOUT_S = 3600 if "--long" in sys.argv else 900
PYTEST_FAILURES_MAX = 25
FUZZ_S = 5
FUZZ_LONG_S = 120
SMOKE = "tests/system/test_smoke.py"
# What a program of ours logs when it found a mistake of ours (tests/system/balancer.py).
FINDING = re.compile(r"Sanitizer|runtime error:|Assertion .* failed|sandbox\.refused")
WIRE_PORTS = range(30000, 32700)
CMOCKA_LINE = re.compile(r"^\[ +(RUN|OK|FAILED|SKIPPED) +\] (\S+)$", re.MULTILINE)
AT_ONCE = os.cpu_count() or 2


class Count:
    """What a suite found."""

    def __init__(self, passed=0, failed=0, skipped=0):
        self.passed, self.failed, self.skipped = passed, failed, skipped

    def __add__(self, other):
        return Count(
            self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped
        )

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


PASSED = Count(passed=1)
FAILED = Count(failed=1)
SKIPPED = Count(skipped=1)


def run(command, env=None, quiet=False):
    """The ended process; quiet keeps what it prints in .stdout. One that does not end is asked to."""
    process = subprocess.Popen(
        [str(word) for word in command],
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        text=True,
        errors="replace",
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.STDOUT if quiet else None,
    )
    try:
        text, _ = process.communicate(timeout=COMMAND_TIMEOUT_S)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        process.terminate()
        text, _ = process.communicate()
    return subprocess.CompletedProcess(command, process.returncode, text)


def show(title, text):
    print(f"--- {title}\n{text.rstrip()}", flush=True)


def learn_of_cmocka():
    """A folder that was configured before cmocka was installed has no unit tests yet."""
    if not (RELEASE / "build.ninja").exists():
        return
    known = json.loads(run(["meson", "introspect", "--buildoptions", RELEASE], quiet=True).stdout)
    if any(option["name"] == "tests" and option["value"] == "auto" for option in known):
        run(["meson", "configure", RELEASE, "-Dtests=enabled"], quiet=True)


def build(kind, target):
    done = run(["tools/build.sh", kind, target], quiet=True)
    if done.returncode:
        quiet_part, mark, failure = done.stdout.partition("FAILED:")
        show(f"the {kind} build", mark + failure if mark else quiet_part)
    return done.returncode == 0


def sum_of(counts):
    return sum(counts, Count())


def count_cmocka(result):
    """The test functions of one program that Meson ran; one that never ended counts as failed."""
    ends = {}
    for word, name in CMOCKA_LINE.findall(result["stdout"]):
        ends[name] = word
    words = list(ends.values())
    count = Count(words.count("OK"), words.count("FAILED") + words.count("RUN"), words.count("SKIPPED"))
    if result["result"] not in ("OK", "EXPECTEDFAIL") and not count.failed:
        count += FAILED
    return count if words or count.failed else PASSED


def meson_tests(folder, options, env=None):
    """Unit tests and corpora of a build folder."""
    env = {**(env or {}), **({"ROOST_TEST_LONG": "1"} if options.long else {})}
    patience = "20" if options.long else "2"
    log = folder / "meson-logs" / "testlog.json"
    log.unlink(missing_ok=True)
    done = run(
        ["meson", "test", "-C", folder, "--no-rebuild", "-q", "--print-errorlogs", "-t", patience],
        env=env,
        quiet=True,
    )
    results = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    count = sum_of(count_cmocka(json.loads(line)) for line in results)
    if done.returncode:
        show(f"meson test -C {folder.relative_to(ROOT)}", done.stdout)
        count = count if count.failed else count + FAILED
    return count


def count_junit(path):
    count = Count()
    for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"}:
            count += FAILED
        else:
            count += SKIPPED if "skipped" in kinds else PASSED
    return count


def pytest(name, arguments, env=None):
    report = REPORTS / f"{name}.xml"
    report.unlink(missing_ok=True)
    command = ["/usr/bin/python3", "-m", "pytest", "-q", "-rs", f"--junitxml={report}"]
    command += [f"--maxfail={PYTEST_FAILURES_MAX}", *arguments]
    done = run(command, env=env, quiet=True)
    count = count_junit(report) if report.exists() else Count()
    if done.returncode:
        show(" ".join(command[1:]), done.stdout)
        count = count if count.failed else count + FAILED
    elif count.skipped:
        show(f"{name}: skipped", done.stdout)
    return count


def unittest(path, env=None):
    """The same files without pytest, for a machine that has none."""
    done = run([sys.executable, ROOT / path], env=env, quiet=True)
    if done.returncode:
        show(path, done.stdout)
    words = dict(re.findall(r"\b(failures|errors|skipped)=(\d+)", done.stdout))
    failed = int(words.get("failures", 0)) + int(words.get("errors", 0))
    skipped = int(words.get("skipped", 0))
    ran = re.search(r"^Ran (\d+) test", done.stdout, re.MULTILINE)
    count = Count(int(ran.group(1)) - failed - skipped if ran else 0, failed, skipped)
    return count if count.failed or not done.returncode else count + FAILED


def suite_unit(options):
    """unit tests, release build"""
    return meson_tests(RELEASE, options)


def suite_unit_asan(options):
    """unit tests, address and undefined behaviour sanitizers"""
    return meson_tests(ASAN, options, fuzz.SANITIZED)


def suite_tools(_):
    """the tools' own tests"""
    return pytest("tools", ["tools"])


def suite_system(options):
    """the real binary"""
    return pytest("system", ["tests/system", *(["--long"] if options.long else [])])


def suite_smoke_asan(_):
    """the sanitized binary, briefly"""
    return pytest("smoke-asan", [SMOKE], {**fuzz.SANITIZED, "ROOST": str(ASAN / "roost")})


def suite_smoke(_):
    """the real binary, briefly"""
    return unittest(SMOKE)


def free_ports(count):
    """Ports of 127.0.0.1 that nobody listens on, below those the kernel gives to connections."""
    ports = []
    first = WIRE_PORTS.start + os.getpid() * 16 % (len(WIRE_PORTS) // 2)
    for port in range(first, WIRE_PORTS.stop):
        if len(ports) == count:
            break
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        ports.append(port)
    assert len(ports) == count, "not enough free ports"
    return ports


def run_wire(path, port):
    """One script; -v shows what roost logged, too."""
    roost = f"-Droost={RELEASE / 'roost'}"
    done = run(["varnishtest", "-v", "-t", "60", roost, f"-Dport={port}", path], quiet=True)
    if done.returncode == 77:
        return SKIPPED
    if done.returncode or FINDING.search(done.stdout):
        show(path.relative_to(ROOT), done.stdout)
        return FAILED
    return PASSED


def suite_wire(_):
    """what goes over the wire: varnishtest"""
    paths = sorted((ROOT / "tests" / "wire").rglob("*.vtc"))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return sum_of(pool.map(run_wire, paths, free_ports(len(paths))))


def suite_fuzz(options):
    """fuzz targets, each for some seconds"""
    count = Count()
    for result in fuzz.run_all(fuzz.programs(), FUZZ_LONG_S if options.long else FUZZ_S):
        if not result.has_passed:
            show(result.line(), result.text[-fuzz.TEXT_MAX :])
        count += PASSED if result.has_passed else FAILED
    return count


def suite_lint(_):
    """layers, names, format, clang-tidy, headers alone"""
    report = REPORTS / "lint.json"
    report.unlink(missing_ok=True)
    done = run([sys.executable, "tools/lint.py", "--json", report], quiet=True)
    results = json.loads(report.read_text()).values() if report.exists() else ["no report"]
    failed = sum(1 for result in results if result != "passed")
    if done.returncode:
        show("lint", done.stdout)
    return Count(len(results) - failed, failed)


CHECK = ["unit", "smoke"]
ALL = ["unit", "tools", "lint", "unit_asan", "smoke_asan", "wire", "system", "fuzz"]

# What a suite needs built first: folder, ninja target.
NEEDS = {
    "unit": ("release", "meson-test-prereq"),
    "smoke": ("release", "roost"),
    "wire": ("release", "roost"),
    "system": ("release", "roost"),
    "unit_asan": ("asan", "meson-test-prereq"),
    "smoke_asan": ("asan", "roost"),
    "fuzz": ("fuzz", "all"),
}


def run_suite(name, options):
    need = NEEDS.get(name)
    if need and not build(*need):
        return FAILED
    count = globals()[f"suite_{name}"](options)
    if not count.passed + count.failed + count.skipped:
        show(f"suite {name}", "ran no test")
        return FAILED
    return count


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="the short form")
    parser.add_argument("--long", action="store_true", help="the full counts")
    parser.add_argument("suites", nargs="*", help=f"of {', '.join(dict.fromkeys(CHECK + ALL))}")
    options = parser.parse_args()
    suites = options.suites or (CHECK if options.check else ALL)
    unknown = [suite for suite in suites if f"suite_{suite}" not in globals()]
    if unknown:
        parser.error(f"no suite {unknown[0]}")

    REPORTS.mkdir(parents=True, exist_ok=True)
    total = Count()
    learn_of_cmocka()
    for name in suites:
        started = time.monotonic()
        count = run_suite(name, options)
        total += count
        what = globals()[f"suite_{name}"].__doc__
        print(f"{what}: {count} ({time.monotonic() - started:.0f} s)", flush=True)
    print(total)
    return 1 if total.failed or (total.skipped and os.environ.get("CI") == "true") else 0


if __name__ == "__main__":
    sys.exit(main())
