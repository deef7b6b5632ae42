"""One roost with one worker in front of one replica that writes down every byte, an attacker and
two neighbours on connections of their own. After each case the neighbours must get their own
answers, and what the replica got must be of the grammar to the last byte."""

import json
import random
import socket
import threading
import time

from balancer import RawSocket
from hostile.case import got
from hostile.strict import read_answers, read_requests
from raw_replica import Ended, RawReplica, config_for

OURS = {"host", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-request-id"}
FRAMING = {"content-length", "transfer-encoding"}
HOPS = {"connection", "upgrade", "te", "keep-alive", "proxy-connection", "http2-settings"}

AFTER = b"GET /after HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
QUIET_S = 0.03
LATE_S = 0.01  # what is said on an idle connection was read by then
TIMEOUT_S = 10


def told_of(request, body):
    return f"{request.method} {request.target} {len(body)}".encode("latin-1")


def echo(request):
    """What the replica answers: it tells what it was asked."""
    (read,), _ = read_requests(request.head + request.body)
    told = told_of(read, read.body)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(told)
    return head if request.method == "HEAD" else head + told


class Neighbour:
    """Somebody else, on a connection that stays."""

    def __init__(self, port, name):
        self.port, self.name = port, name
        self.count = 0
        self.raw = RawSocket(port)

    def check(self):
        """Asks, and gets the answer to that and nothing else."""
        self.count += 1
        target = f"/{self.name}-{self.count}"
        body = b"x" * (self.count % 7)
        method = "POST" if body else "GET"
        head = f"{method} {target} HTTP/1.1\r\nHost: {self.name}\r\nContent-Length: {len(body)}\r\n\r\n"
        self.raw.send(head.encode() + body)
        answer = self.raw.read_answer()
        assert answer.status == 200, f"desync: {self.name} got {answer}"
        told = answer.body.decode()
        assert told == f"{method} {target} {len(body)}", f"desync: {self.name} got {told!r}"
        assert not self.raw.held, f"desync: {self.name} got more: {self.raw.held!r}"

    def close(self):
        self.raw.close()


class Stand:
    """started: `start` of the fixtures. top: more of the configuration's first level."""

    def __init__(self, start, top="", service=""):
        self.script = None  # of the next request for /say
        self.said_on = []  # the connections it was said on
        self.is_said = threading.Event()
        self.replica = RawReplica(answer=self.answer)
        self.roost = start(config=config_for([self.replica], top=top, service=service))
        self.neighbours = [Neighbour(self.roost.port, name) for name in ("b", "c")]

    def end(self):
        for neighbour in self.neighbours:
            neighbour.close()
        self.replica.end()

    def ask_neighbours(self):
        for neighbour in self.neighbours:
            neighbour.check()

    def answer(self, connection, request):
        if not request.target.startswith("/say"):
            connection.send(echo(request))
            return
        self.said_on.append(connection)
        try:
            self.say(connection)
        finally:
            self.is_said.set()

    def say(self, connection):
        for step in self.script:
            if isinstance(step, (int, float)):
                time.sleep(step)
            elif step == "close":
                connection.close()
                raise Ended
            elif step == "reset":
                connection.reset()
                raise Ended
            else:
                connection.send(step)

    # ---- what came out ----

    def settle(self):
        """Until the replica has taken all that was sent to it."""
        replica = self.replica

        def is_settled():
            return all(c.has_ended or c.at == len(c.received) for c in replica.connections)

        replica.wait_for(is_settled)

    def requests(self):
        """What the replica got since forget(), read strictly; the neighbours' aside."""
        found = []
        for data in self.replica.received():
            whole, _ = read_requests(data)
            found += whole
        return [request for request in found if not request.target.startswith(("/b-", "/c-"))]

    def attack(self, data, cut=None):
        """Sends it on a connection of its own; all that comes back until it is closed."""
        with RawSocket(self.roost.port, timeout_s=TIMEOUT_S) as raw:
            pieces = [data] if cut is None else [data[:cut], data[cut:]]
            try:
                for piece in pieces:
                    raw.send(piece)
                    if cut is not None:
                        time.sleep(0.001)
            except (BrokenPipeError, ConnectionResetError):
                pass  # refused before the rest of it came
            return raw.read_all()

    def wait_in_vain(self, data):
        """Sends it; nothing must come before our FIN. What comes after it."""
        with RawSocket(self.roost.port, timeout_s=TIMEOUT_S) as raw:
            raw.send(data)
            raw.socket.settimeout(QUIET_S)
            early = b""
            try:
                while data := raw.socket.recv(65536):
                    early += data
                raise AssertionError(f"closed, though more could come: {early!r}")
            except socket.timeout:
                pass
            raw.socket.settimeout(TIMEOUT_S)
            raw.finish()
            return early, raw.read_all()


def passed_fields(message):
    return [(n, v.decode("latin-1")) for n, v in message.fields if n not in OURS | FRAMING]


def check_request(found, wanted):
    assert (found.method, found.target) == (wanted.method, wanted.target), found
    assert found.get("host") == wanted.host.encode(), found
    assert found.body == wanted.body, found
    if wanted.fields is None:
        assert not {name for name, _ in found.fields} & HOPS, found
    else:
        assert passed_fields(found) == wanted.fields, found
    trailers = [(name, value.decode("latin-1")) for name, value in found.trailers]
    assert trailers == list(wanted.trailers), found


def check_answers(data, wanted, status):
    """Answers to these requests, each its own, and one with the status behind them."""
    answers, is_partial = read_answers(data, [request.method for request in wanted])
    assert not is_partial, f"the last answer is not whole: {data!r}"
    statuses = [answer.status for answer in answers]
    assert statuses == [200] * len(wanted) + ([status] if status else []), data
    for answer, request in zip(answers, wanted):
        told = told_of(request, request.body)
        assert answer.body == (b"" if request.method == "HEAD" else told), (answer, told)
    if status:
        assert answers[-1].get("connection") == b"close", data


def run_request(stand, case, cut=None, asks_neighbours=True):
    """One raw request case."""
    fate = case.fate
    stand.replica.forget()
    wanted = list(fate.requests)
    if fate.waits:
        early, late = stand.wait_in_vain(case.sent)
        check_answers(early, wanted, None)
        late_answers, _ = read_answers(late, [])
        assert [answer.status for answer in late_answers] in ([], [400]), late
    else:
        answered = stand.attack(case.sent + AFTER, cut)
        if not fate.closes:
            wanted.append(got(target="/after"))
        check_answers(answered, wanted, fate.status)
    if asks_neighbours:
        stand.ask_neighbours()
    stand.settle()
    requests = stand.requests()
    assert len(requests) == len(wanted), f"desync: {requests}"
    for found, one in zip(requests, wanted):
        check_request(found, one)


def random_cut(data, seed):
    return random.Random(seed).randrange(1, len(data))


def ask(stand, say, cut):
    """What the client of a scripted answer sees; None where its connection was reset."""
    lines = [*say.asks, "Connection: close"] if say.is_late else say.asks
    asks = "".join(f"{line}\r\n" for line in lines)
    asked = f"{say.method} /say HTTP/1.1\r\nHost: a\r\n{asks}\r\n".encode()
    stand.script = say.steps if cut is None else cut_first(say.steps, cut)
    stand.said_on.clear()
    stand.is_said.clear()
    try:
        return stand.attack(asked if say.is_late else asked + AFTER)
    except ConnectionResetError:
        return None


def cut_first(steps, seed):
    """The first bytes in two pieces that arrive one after the other."""
    first = next(step for step in steps if isinstance(step, bytes))
    at = random_cut(first, seed)
    place = steps.index(first)
    return [*steps[:place], first[:at], 0.001, first[at:], *steps[place + 1 :]]


def check_said(say, data):
    """A whole answer that is what was said, or one of ours, or one that visibly is not whole."""
    # A cut may overtake what came before it: then nothing is left to be believed.
    answers, is_partial = ([], True) if data is None else read_answers(data, [say.method, "GET"])
    if say.is_cut:
        final = [answer for answer in answers if answer.status >= 200]
        assert not final or final[0].status == 502, data
        return
    assert not is_partial, data
    interim = [answer.status for answer in answers if answer.status < 200]
    final = [answer for answer in answers if answer.status >= 200]
    assert interim == say.interim, data
    assert final[0].status == say.status, data
    assert b"poison" not in data or say.body is not None and b"poison" in say.body, data
    assert say.is_late or len(final) == 2 and final[1].body == b"GET /after 0", data
    if say.body is None:
        assert set(json.loads(final[0].body)) == {"error", "request_id"}
        return
    assert final[0].body == say.body, data
    fields = passed_fields(final[0])
    if say.fields is not None:
        assert fields == say.fields
    assert not {name for name, _ in final[0].fields} & set(say.lacks), data
    if say.trailers is not None:
        assert [(n, v.decode()) for n, v in final[0].trailers] == say.trailers


def run_answer(stand, say, cut=None):
    """One raw answer case."""
    stand.replica.forget()
    check_said(say, ask(stand, say, cut))
    first = stand.said_on[0]
    assert stand.is_said.wait(TIMEOUT_S)
    if say.is_late:
        time.sleep(LATE_S)
    answered = first.answered
    stand.ask_neighbours()
    if say.times is not None:
        assert len(stand.said_on) == say.times, "asked again"
    if say.is_reused is False:
        assert first.answered == answered, "a connection that cannot be trusted was used again"
        stand.replica.wait_for(lambda: first.has_ended or first.socket.fileno() < 0)
    if say.is_reused:
        assert first.answered > 1, "a good connection was given up"
    stand.requests()
