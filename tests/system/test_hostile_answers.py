"""Raw answers of a replica, each with the rule it comes from (hostile/answers.py): passed on with one
meaning, replaced by 502 or visibly cut off, and nobody else sees anything of it."""

import pytest

from hostile.answers import FAMILIES, OK
from hostile.case import passes
from hostile.stand import Stand, ask, run_answer
from hostile.strict import read_answers

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


def test_an_only_replica_that_closes_idle_connections_costs_no_idempotent_request_anything(stand):
    """Its connection is closed in the face of the next request: nobody else could be asked."""
    say = passes("", "", [OK, 0.003, "close"])
    statuses = []
    for _ in range(50):
        stand.replica.forget()
        data = ask(stand, say, None)
        answers, is_partial = read_answers(data, ["GET", "GET"])
        assert not is_partial
        statuses += [answer.status for answer in answers]
    assert statuses == [200] * 100
