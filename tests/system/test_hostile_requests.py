"""Hundreds of raw requests, each with the rule it comes from (hostile/requests_*.py): served with one
meaning or refused, and nobody else sees anything of it."""

import pytest

from hostile.requests import FAMILIES
from hostile.stand import Stand, random_cut, run_request

CASES = [(family, case) for family, cases in FAMILIES.items() for case in cases]


@pytest.fixture(scope="module")
def stand(start_shared):
    made = Stand(start_shared)
    yield made
    made.end()


@pytest.mark.parametrize("case", [pytest.param(c, id=f"{family}: {c.name}") for family, c in CASES])
def test_a_raw_request_has_one_meaning_or_none(stand, case):
    run_request(stand, case)
    if not case.fate.waits:
        run_request(stand, case, random_cut(case.sent, case.name))


def test_there_are_as_many_cases_as_was_promised():
    assert len(CASES) >= 250
    assert len({case.source for _, case in CASES if case.source.startswith("CVE")}) >= 19
    assert len({(family, case.name) for family, case in CASES}) == len(CASES)
