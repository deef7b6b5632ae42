"""How a raw case is written down: what is sent, where the rule comes from, what must become of it.

In texts \\n is CRLF; a bare LF is written ␊, a bare CR ␍, a NUL ␀.
"""

HOST = "a"

# What must never be a request of its own.
SMUGGLED = "GET /smuggled HTTP/1.1\nHost: a\n\n"


def raw(text):
    """The bytes of a text."""
    if isinstance(text, bytes):
        return text
    text = text.replace("\n", "\r\n")
    return text.replace("␊", "\n").replace("␍", "\r").replace("␀", "\0").encode("latin-1")


def request(*lines, method="GET", target="/", version="HTTP/1.1", host=HOST, body=""):
    """One request; `host` None leaves the field out."""
    head = [f"{method} {target} {version}"]
    head += [f"Host: {host}"] if host is not None else []
    return raw("".join(line + "\n" for line in [*head, *lines]) + "\n") + raw(body)


def get(*lines, **more):
    return request(*lines, **more)


def post(*lines, **more):
    return request(*lines, **{"method": "POST", **more})


def chunked(body, *lines, **more):
    return post("Transfer-Encoding: chunked", *lines, body=body, **more)


class Got:
    """A request as the replica must get it; what is None is not looked at."""

    def __init__(self, method, target, body, host, fields, trailers):
        self.method, self.target = method, target
        self.body = raw(body)
        self.host = host
        self.fields = fields
        self.trailers = trailers


def got(method="GET", target="/", body="", host=HOST, fields=None, trailers=()):
    """fields: all the end-to-end fields in order, but for Host and what we add ourselves."""
    return Got(method, target, body, host, fields, trailers)


class Fate:
    """What must become of the bytes. `requests` reach the replica whole; their answers are followed
    by one of ours with `status`, where that is not None."""

    def __init__(self, requests=(), status=None, closes=False, waits=False, continues=True):
        self.requests = list(requests)
        self.status = status
        self.closes = closes or status is not None
        self.waits = waits
        self.continues = continues


def takes(*requests, closes=False):
    """They are served, and the connection with them. `closes`: not so any more after the last."""
    return Fate(requests or [got()], closes=closes)


def refuses(status=400, after=()):
    """That is the answer, and the end of the connection."""
    return Fate(after, status=status)


def waits(after=()):
    """Nothing is answered: more must come. When none does it is refused."""
    return Fate(after, waits=True)


class Case:
    """One row of a table."""

    def __init__(self, name, source, sent, fate):
        self.name, self.source = name, source
        self.sent = raw(sent)
        self.fate = fate

    def __repr__(self):
        return self.name


def case(name, source, sent, fate=None):
    return Case(name, source, sent, fate or takes())


# ---- answers ----


class Say:
    """What a replica says, and what the client must see of it.

    status: of the last answer; body: of it; is_cut: it is visibly not whole; interim: the statuses
    before; is_late: something is said when the answer is whole and its connection idle; is_reused: whether the connection to the replica may be used again; steps: besides
    bytes a number of seconds to wait, "close" or "reset".
    """

    def __init__(self, name, source, said, status, body, **more):
        self.name, self.source = name, source
        said = said if isinstance(said, (list, tuple)) else [said]
        self.steps = [
            step if isinstance(step, (int, float)) or step in ("close", "reset") else raw(step)
            for step in said
        ]
        self.status = status
        self.body = None if body is None else raw(body)
        self.method = more.pop("method", "GET")
        self.is_cut = more.pop("is_cut", False)
        self.interim = more.pop("interim", [])
        self.is_reused = more.pop("is_reused", None)
        self.fields = more.pop("fields", None)
        self.lacks = more.pop("lacks", ())
        self.trailers = more.pop("trailers", None)
        self.times = more.pop("times", None)
        self.asks = more.pop("asks", ())
        self.is_late = more.pop("is_late", False)
        assert not more, more

    def __repr__(self):
        return self.name


def passes(name, source, said, status=200, body="ok", **more):
    """The client gets it."""
    return Say(name, source, said, status, body, **more)


def bad(name, source, said, **more):
    """The client gets 502 and nothing of it, nobody is asked a second time, and the connection is
    not used again."""
    return Say(name, source, said, 502, None, **{"is_reused": False, "times": 1, **more})


def cut(name, source, said, status=200, **more):
    """The client sees that it is not whole."""
    return Say(name, source, said, status, None, is_cut=True, **{"is_reused": False, **more})
