"""docs/security.md tells the truth: its tests exist, its numbers and its system calls are ours."""

import re
from pathlib import Path

import pytest

from hostile import answers, oracles, requests
from hostile.sweep import ANSWERS, REQUESTS

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
SANDBOX = "".join(
    (ROOT / "src" / name).read_text(encoding="utf-8") for name in ("proxy/sandbox.c", "base/jail.c")
)


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(tests/[^`]+::[^`]+)`", TEXT))))
def test_a_test_that_is_named_exists(name):
    path, _, test = name.partition("::")
    assert re.search(rf"\b{test}\(", (ROOT / path).read_text(encoding="utf-8"))


@pytest.mark.parametrize("families", [requests.FAMILIES, answers.FAMILIES], ids=["requests", "answers"])
def test_the_numbers_of_cases_are_the_true_ones(families):
    total = sum(len(cases) for cases in families.values())
    for family, cases in families.items():
        assert f"| {family} | {len(cases)} | {len(cases)} | 0 |" in TEXT
    assert f"| **{total}** | **{total}** | **0** |" in TEXT


def test_the_number_of_swept_places_and_cves_is_the_true_one():
    assert f"256 × {len(REQUESTS)} requests and 256 × {len(ANSWERS)} answers" in TEXT
    cases = [case for table in (requests, answers) for cases in table.FAMILIES.values() for case in cases]
    assert f"{len({c.source for c in cases if c.source.startswith('CVE')})} CVEs" in TEXT


def test_the_numbers_before_real_servers_are_the_true_ones():
    rows = [("Node.js, reading what came", oracles.NODE_READING, oracles.SERVED)]
    rows += [(f"{name}, as origin", table, oracles.SENT) for name, table in oracles.ORIGINS.items()]
    for name, excuses, cases in rows:
        refused = oracles.count_excused(excuses, cases)
        assert f"| {name} | {len(cases)} | {refused} | 0 | 0 |" in TEXT


def calls_of(name):
    table = re.search(rf"\b{name}\[\] = {{(.*?)\n}};", SANDBOX, re.DOTALL)[1]
    return set(re.findall(r"SCMP_SYS\((\w+)\)", table))


def part_of(start, end):
    return set(re.findall(r"`(\w+)`", TEXT.split(start)[1].split(end)[0]))


def test_the_system_calls_are_those_of_the_filter():
    unchecked = part_of("**Allowed, for every request**", "They act on") | part_of(
        "**Allowed, harmless", "**Allowed with"
    )
    assert unchecked == calls_of("allowed_calls") | {"accept4"}
    checked = part_of("**Allowed with these", "**Kill") - {
        "TCP_NODELAY", "TCP_QUICKACK", "SO_LINGER", "SO_RCVBUF", "SIOCOUTQ", "PROT_EXEC", "abort",
    }  # fmt: skip
    assert checked | {"accept4"} == calls_of("allowed_rules") | calls_of("rules") | {"tgkill", "fstat"}
    killing = part_of("**Kill the process**", "**Anything else**") - {"PROT_EXEC"}
    assert killing == calls_of("killing_calls") | calls_of("wide_calls") | calls_of(
        "killing_rules"
    ) | {"socket", "tgkill"}
