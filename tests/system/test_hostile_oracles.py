"""Real servers as oracles. What we accept, Node.js accepts too and reads the same, byte for byte as we
got it; what we send, nginx, Apache and Node.js accept as origins, and the next request on the same
connection gets its own answer.

Given to them is every raw request that is served (hostile/requests_*.py) and every one of the byte
sweep. Where one is refused, that stands with its reason in hostile/oracles.py.
"""

import pytest

from balancer import RawSocket
from hostile import oracles
from hostile.stand import AFTER, TIMEOUT_S, check_request
from hostile.strict import Message, read_answers
from oracle.reading import Reading, compile_ours, differences, run
from origins import Apache, Nginx, Node
from raw_replica import config_for

SHOWN = 20
REFUSED = ["refused"]
REUSED_SHARE_MIN = 0.8  # where an origin refuses it closes
# The request was read and understood; whether it pleases is another matter.
ACCEPTED = {200, 206, 404, 405, 412, 417}


@pytest.fixture(params=[Nginx, Apache, Node], ids=["nginx", "Apache", "Node.js"])
def origin(request, tmp_path):
    made = request.param(tmp_path)
    yield made
    made.end()


@pytest.fixture
def node(tmp_path):
    made = Node(tmp_path)
    yield made
    made.end()


class Verdicts:
    """What was found wrong with each case; a refusal may have an excuse, nothing else."""

    def __init__(self, excuses):
        self.excuses = excuses
        self.count = 0
        self.failures = []

    def add(self, family, case, found):
        self.count += 1
        if not found or found == REFUSED and oracles.is_excused(self.excuses, family, case):
            return
        self.failures.append(f"{family}: {case.name}: {case.sent[:200]!r}: {found}")

    def check(self):
        shown = "\n".join(self.failures[:SHOWN])
        assert not self.failures, f"{len(self.failures)} of {self.count}:\n{shown}"


def send(port, data, finishes=False):
    """All that comes back for these bytes."""
    with RawSocket(port, timeout_s=TIMEOUT_S) as raw:
        try:
            raw.send(data)
            if finishes:
                raw.finish()
            return raw.read_all()
        except (BrokenPipeError, ConnectionResetError):
            return raw.held


# ---- what we accept ----


def read_by_us(program, cases):
    """For each case our own reader's reading of the requests in it that are served."""
    found = [[] for _ in cases]
    rest = {number: case.sent for number, (_, case) in enumerate(cases)}
    while rest:
        read = run(program, [(b"q", data) for data in rest.values()])
        for (number, data), reading in zip(list(rest.items()), read):
            assert reading, f"{cases[number]}: our reader refuses {data!r}"
            found[number].append(reading)
            rest[number] = data[reading.consumed :]
            if len(found[number]) == len(cases[number][1].fate.requests):
                del rest[number]
    return found


def pairs(texts):
    """[(name, value)] of a list in which they alternate, as bytes."""
    data = [text.encode("latin-1") for text in texts]
    return list(zip(data[::2], data[1::2]))


def lowered(texts):
    """The same with names as our strict reader has them."""
    return [(name.decode("latin-1").lower(), value) for name, value in pairs(texts)]


def reading_of(told, consumed):
    """What Node.js said of one request. Where it ended shows in what it read next."""
    method, target, body = (told[name].encode("latin-1") for name in ("method", "target", "body"))
    return Reading(consumed, 0, method, target, body, pairs(told["fields"]))


def compare_with_node(case, own, told):
    """What Node.js reads otherwise than we do; of a refused one what comes before it is compared."""
    read = [what for what in told if "method" in what]
    found = []
    for mine, theirs, wanted in zip(own, read, case.fate.requests):
        found += differences(mine, reading_of(theirs, mine.consumed))
        # It drops no trailers.
        trailers = [(name, value.decode("latin-1")) for name, value in lowered(theirs["trailers"])]
        if [trailer for trailer in trailers if trailer in wanted.trailers] != list(wanted.trailers):
            found.append(f"trailers: {trailers}")
    more = [what["target"] for what in read[len(own) :]]
    if case.fate.status is None and more not in ([], ["/after"]):
        found.append(f"desync: {more}")
    return found + (REFUSED if len(read) < len(own) else [])


def test_node_reads_what_we_accept_the_same_way(node, tmp_path):
    own = read_by_us(compile_ours(tmp_path), oracles.SERVED)
    verdicts = Verdicts(oracles.NODE_READING)
    for (family, case), mine in zip(oracles.SERVED, own):
        send(node.port, case.sent if case.fate.waits else case.sent + AFTER, finishes=True)
        verdicts.add(family, case, compare_with_node(case, mine, node.news()))
    verdicts.check()


# ---- what we send ----


class Route:
    """roost in front of an origin, and a neighbour whose connection stays."""

    def __init__(self, start, origin):
        self.origin = origin
        self.port = start(config=config_for([origin])).port
        self.neighbour = RawSocket(self.port, timeout_s=TIMEOUT_S)
        self.asked = self.reused = 0

    def ask_neighbour(self, peer):
        """What is wrong with the neighbour's answer. peer: the connection that was used before."""
        self.asked += 1
        line = f"POST /b-{self.asked} HTTP/1.1"
        self.neighbour.send(f"{line}\r\nHost: b\r\nContent-Length: 3\r\n\r\nxyz")
        answer = self.neighbour.read_answer()
        self.reused += peer is not None and answer.headers.get("x-peer") == peer
        if answer.headers.get("x-told") == line and not self.neighbour.held:
            return []
        return [f"desync: the neighbour got {answer} {answer.headers}"]

    def close(self):
        self.neighbour.close()

    def has_told(self, answer, wanted):
        """Whether the origin read the request line that was meant."""
        # Apache answers OPTIONS * before it adds any field.
        if self.origin.name == "Apache" and wanted.target == "*":
            return True
        line = f"{wanted.method} {wanted.target} HTTP/1.1"
        return answer.get("x-told") == line.encode("latin-1")

    def check(self, case):
        """What is wrong with the answers to a case, and with the neighbour's behind it."""
        wanted = case.fate.requests
        data = send(self.port, case.sent + AFTER)
        answers, is_partial = read_answers(data, [request.method for request in wanted])
        answers = [answer for answer in answers if answer.status >= 200]
        after = 0 if case.fate.closes and case.fate.status is None else 1
        if is_partial or len(answers) != len(wanted) + after:
            return [f"answers: {data[:300]!r}"]
        peer = answers[len(wanted) - 1].get("x-peer")
        found = self.ask_neighbour(peer and peer.decode())
        for answer, request in zip(answers, wanted):
            if answer.status == 400 and not found:
                return REFUSED
            if answer.status not in ACCEPTED or not self.has_told(answer, request):
                found.append(f"{answer}")
        return found


def message_of(told):
    """What Node.js said of a request, as our strict reader would."""
    message = Message(told["method"], lowered(told["fields"]))
    message.method, message.target = told["method"], told["target"]
    message.body = told["body"].encode("latin-1")
    message.trailers = lowered(told["trailers"])
    return message


def check_told(case, told):
    """What Node.js as an origin got, to the last field."""
    got = [message_of(what) for what in told if "method" in what]
    others = ("/b-", "/after", "/heartbeat")
    got = [message for message in got if not message.target.startswith(others)]
    if len(got) != len(case.fate.requests):
        return [f"got {got}"]
    try:
        for found, wanted in zip(got, case.fate.requests):
            check_request(found, wanted)
    except AssertionError as why:
        return [str(why)]
    return []


def test_an_origin_takes_what_we_send(start, origin):
    route = Route(start, origin)
    verdicts = Verdicts(oracles.ORIGINS[origin.name])
    for family, case in oracles.SENT:
        found = route.check(case)
        told = origin.news()
        if told and not found:
            found = check_told(case, told)
        verdicts.add(family, case, found)
    route.close()
    verdicts.check()
    assert route.reused >= REUSED_SHARE_MIN * route.asked
