"""A reader of HTTP/1.1 that takes nothing but the grammar (RFC 9112), written without a look at the
program's own: what the program sends must be readable here, to the last byte."""

import re

TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
REQUEST_LINE = re.compile(rb"(%s) ([!\"$-~]+) HTTP/1\.1" % TOKEN)
STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9]) ([\t -~\x80-\xff]*)")
FIELD = re.compile(rb"(%s): ?([!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?" % TOKEN)
HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|(?:[0-9A-Za-z._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+)(?::[0-9]*)?")
CHUNK_LINE = re.compile(rb"[0-9A-Fa-f]{1,16}")
LENGTH = re.compile(rb"[0-9]{1,19}")


class NotStrict(Exception):
    """The bytes are not of the grammar."""


class Incomplete(Exception):
    """All there is fits, and more must follow."""


class Message:
    """One request or answer. Names of fields are in lower case."""

    def __init__(self, first, fields):
        self.method = self.target = None
        self.status = None
        self.first = first
        self.fields = fields
        self.body = b""
        self.trailers = []
        self.framing = "none"

    def all(self, name):
        return [value for known, value in self.fields if known == name]

    def get(self, name):
        values = self.all(name)
        return values[0] if values else None

    def __repr__(self):
        return f"<{self.first!r} {self.fields} {self.body[:80]!r}>"


class Reader:
    """Takes messages off the front of some bytes. has_ended: nothing will follow them."""

    def __init__(self, data, has_ended=False):
        self.data = data
        self.at = 0
        self.has_ended = has_ended

    def is_at_end(self):
        return self.at == len(self.data)

    def line(self):
        end = self.data.find(b"\r\n", self.at)
        rest = self.data[self.at :] if end < 0 else self.data[self.at : end]
        if b"\n" in rest or b"\r" in rest[:-1] or b"\0" in rest:
            raise NotStrict(f"a line with a CR, LF or NUL of its own: {rest!r}")
        if end < 0:
            raise Incomplete
        self.at = end + 2
        return rest

    def exactly(self, size):
        if len(self.data) - self.at < size:
            self.partial = self.data[self.at :]
            raise Incomplete
        self.at += size
        return self.data[self.at - size : self.at]

    def fields(self):
        found = []
        while line := self.line():
            match = FIELD.fullmatch(line)
            if not match:
                raise NotStrict(f"no field line: {line!r}")
            found.append((match[1].lower().decode(), match[2] or b""))
        return found

    def chunked(self, message):
        while True:
            line = self.line()
            if not CHUNK_LINE.fullmatch(line):
                raise NotStrict(f"no chunk size: {line!r}")
            size = int(line, 16)
            if not size:
                break
            message.body += self.exactly(size)
            if self.exactly(2) != b"\r\n":
                raise NotStrict("a chunk does not end with CRLF")
        message.trailers = self.fields()

    def framing_of(self, message):
        lengths, codings = message.all("content-length"), message.all("transfer-encoding")
        if codings and (lengths or codings != [b"chunked"]):
            raise NotStrict(f"framed in more than one way: {message}")
        if len(lengths) > 1 or lengths and not LENGTH.fullmatch(lengths[0]):
            raise NotStrict(f"no length: {message}")
        if codings:
            return "chunked", 0
        return ("length", int(lengths[0])) if lengths else ("none", 0)

    def body(self, message):
        message.framing, size = self.framing_of(message)
        if message.framing == "chunked":
            self.chunked(message)
        else:
            message.body = self.exactly(size)

    def request(self):
        line = self.line()
        match = REQUEST_LINE.fullmatch(line)
        if not match:
            raise NotStrict(f"no request line: {line!r}")
        message = Message(line, self.fields())
        message.method, message.target = match[1].decode(), match[2].decode()
        hosts = message.all("host")
        if len(hosts) != 1 or not HOST.fullmatch(hosts[0]):
            raise NotStrict(f"not one host: {message}")
        self.body(message)
        return message

    def answer(self, method):
        line = self.line()
        match = STATUS_LINE.fullmatch(line)
        if not match:
            raise NotStrict(f"no status line: {line!r}")
        message = Message(line, self.fields())
        message.status = int(match[1])
        if message.status < 200 or message.status == 204:
            if message.all("content-length") + message.all("transfer-encoding"):
                raise NotStrict(f"framing where no body can be: {message}")
            return message
        if method == "HEAD" or message.status == 304:
            self.framing_of(message)
            return message
        self.body(message)
        if message.framing == "none":
            # To its end (RFC 9112 6.3): only a connection that closes can say so.
            if not self.has_ended:
                raise Incomplete
            message.framing = "close"
            message.body = self.exactly(len(self.data) - self.at)
        return message


def read_requests(data):
    """([whole requests], is_part_of_one_left). NotStrict where they are not of the grammar."""
    reader, found = Reader(data), []
    while not reader.is_at_end():
        try:
            found.append(reader.request())
        except Incomplete:
            return found, True
    return found, False


def read_answers(data, methods, has_ended=True):
    """([answers, interim ones too], is_part_of_one_left): answers to requests of these methods."""
    reader, found = Reader(data, has_ended), []
    waiting = list(methods)
    while not reader.is_at_end():
        try:
            found.append(reader.answer(waiting[0] if waiting else "GET"))
        except Incomplete:
            return found, True
        if found[-1].status == 101:
            return found, False
        if found[-1].status >= 200 and waiting:
            waiting.pop(0)
    return found, False
