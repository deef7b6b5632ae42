"""Every byte value at every structural place of a request and an answer (hostile/sweep.py)."""

import pytest

from hostile.case import Case, Say
from hostile.stand import Stand, ask, passed_fields, run_request
from hostile.strict import read_answers
from hostile.sweep import ANSWERS, REQUESTS

ASK_EVERY = 16  # cases between two looks at the neighbours


@pytest.fixture(scope="module")
def stand(start_shared):
    made = Stand(start_shared)
    yield made
    made.end()


@pytest.mark.parametrize("place", REQUESTS)
def test_each_byte_of_a_request_has_one_meaning_or_none(stand, place):
    sent, fate = REQUESTS[place]
    for byte in range(256):
        case = Case(f"{place}: {byte:#04x}", "", sent(byte), fate(byte))
        try:
            run_request(stand, case, asks_neighbours=byte % ASK_EVERY == 0)
        except AssertionError as why:
            raise AssertionError(f"{case.name}: {case.sent!r}: {why}") from why
    stand.ask_neighbours()


def check_answer(data, wanted):
    answers, is_partial = ([], True) if data is None else read_answers(data, ["GET", "GET"])
    if wanted is None:
        # 502, or cut off where the head was passed on already. 199 is an interim answer.
        final = [answer for answer in answers if answer.status >= 200]
        assert is_partial or final[0].status == 502
        return
    status, body, fields, trailers = wanted
    assert not is_partial and len(answers) == 2
    assert (answers[0].status, answers[0].body) == (status, body)
    assert answers[1].body == b"GET /after 0"
    assert fields is None or passed_fields(answers[0]) == fields
    assert [(name, value.decode("latin-1")) for name, value in answers[0].trailers] == trailers


@pytest.mark.parametrize("place", ANSWERS)
def test_each_byte_of_an_answer_has_one_meaning_or_none(stand, place):
    said, meaning = ANSWERS[place]
    for byte in range(256):
        stand.replica.forget()
        data = ask(stand, Say(place, "", said(byte), None, None), None)
        try:
            check_answer(data, meaning(byte))
        except AssertionError as why:
            raise AssertionError(f"{place}: {byte:#04x}: {said(byte)!r}: {data!r}: {why}") from why
        if byte % ASK_EVERY == 0:
            stand.ask_neighbours()
    stand.ask_neighbours()
