"""Raw answers of a replica, each with the rule it comes from (hostile/answers.py): passed on with one
meaning, replaced by 502 or visibly cut off, and nobody else sees anything of it."""

import pytest

from hostile.answers import FAMILIES
from hostile.stand import Stand, run_answer

CASES = [(family, say) for family, cases in FAMILIES.items() for say in cases]


@pytest.fixture(scope="module")
def stand(start_shared):
    made = Stand(start_shared)
    yield made
    made.end()


@pytest.mark.parametrize("say", [pytest.param(s, id=f"{family}: {s.name}") for family, s in CASES])
def test_a_raw_answer_has_one_meaning_or_none(stand, say):
    run_answer(stand, say)
    if any(isinstance(step, bytes) for step in say.steps):
        run_answer(stand, say, say.name)


def test_there_are_as_many_cases_as_was_promised():
    assert len(CASES) >= 80
    assert len({(family, say.name) for family, say in CASES}) == len(CASES)
