"""Every byte value at every structural place of a request and of an answer, and what RFC 9110 and
9112 make of it there: one meaning, or none.

A place is a text with ¤ where the byte goes and a function from the byte to what must be got; None
is refusal.
"""

from hostile.case import got, refuses, takes

TCHAR = set(b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
VCHAR = set(range(0x21, 0x7F))
OBS = set(range(0x80, 0x100))
BLANK = set(b" \t")
DIGIT = set(b"0123456789")
HEX = set(b"0123456789abcdefABCDEF")
TARGET = VCHAR - set(b"#")
VALUE = VCHAR | OBS | BLANK
REG_NAME = set(b"-._~!$&'()*+,;=0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
QDTEXT = (VALUE | OBS) - set(b'"\\')

HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
ABC = got("POST", body="abc")
LAST = b"0\r\n\r\n"


def text_of(byte):
    return chr(byte)


def among(allowed, meaning):
    """These bytes mean meaning(text of the byte), no other means anything."""
    return lambda byte: meaning(text_of(byte)) if byte in allowed else None


def only(byte, meaning=None):
    return among({ord(byte)}, lambda _: meaning or got())


def field(name, value):
    return got(fields=[(name.lower(), value.strip(" \t"))])


def named(byte):
    if byte in TCHAR:
        return field(f"X{text_of(byte)}Y", "z")
    return field("X", "Y: z") if byte == ord(":") else None


def trailing(byte):
    if byte in TCHAR:
        return got("POST", trailers=[(f"x{text_of(byte)}y".lower(), "z")])
    return got("POST", trailers=[("x", "Y: z")]) if byte == ord(":") else None


def sized(byte):
    """Content-Length: 0¤ with a body of so many bytes."""
    if byte in BLANK:
        return got("POST")
    return got("POST", body="x" * (byte - 48)) if byte in DIGIT else None


def tens(byte):
    """Content-Length:¤3."""
    return 3 + 10 * (byte - 48 if byte in DIGIT else 0)


def size_of(byte):
    return int(text_of(byte), 16) if byte in HEX else 3


def chunk(byte):
    return got("POST", body="x" * size_of(byte)) if byte in HEX else None


def version(byte):
    if byte not in DIGIT:
        return None
    return takes(closes=byte == ord("0"))


def major(byte):
    if byte == ord("1"):
        return got()
    return refuses(505) if byte in DIGIT else None


def place(before, behind, meaning):
    """before and behind are bytes, or functions of the byte."""

    def sent(byte):
        start = before(byte) if callable(before) else before
        end = behind(byte) if callable(behind) else behind
        return start + bytes([byte]) + end

    def fate(byte):
        meant = meaning(byte)
        if meant is None:
            return refuses()
        return meant if hasattr(meant, "requests") else takes(meant)

    return sent, fate


REST = b" / HTTP/1.1\r\nHost: a\r\n\r\n"

REQUESTS = {
    "before the method": place(b"", b"GET" + REST, among(TCHAR, lambda c: got(c + "GET"))),
    "in the method": place(b"G", b"T" + REST, among(TCHAR, lambda c: got(f"G{c}T"))),
    "behind the method": place(b"GET", b"/ HTTP/1.1\r\nHost: a\r\n\r\n", only(" ")),
    "at the target's start": place(b"GET ", b"x HTTP/1.1\r\nHost: a\r\n\r\n", only("/", got(target="/x"))),
    "in the path": place(b"GET /a", b"b HTTP/1.1\r\nHost: a\r\n\r\n", among(TARGET, lambda c: got(target=f"/a{c}b"))),
    "in the query": place(b"GET /?a", b"b HTTP/1.1\r\nHost: a\r\n\r\n", among(TARGET, lambda c: got(target=f"/?a{c}b"))),
    "behind the target": place(b"GET /", b"HTTP/1.1\r\nHost: a\r\n\r\n", only(" ")),
    "in the protocol's name": place(b"GET / HTT", b"/1.1\r\nHost: a\r\n\r\n", only("P")),
    "for the protocol's slash": place(b"GET / HTTP", b"1.1\r\nHost: a\r\n\r\n", only("/")),
    "for the major version": place(b"GET / HTTP/", b".1\r\nHost: a\r\n\r\n", major),
    "for the version's dot": place(b"GET / HTTP/1", b"1\r\nHost: a\r\n\r\n", only(".")),
    "for the minor version": place(b"GET / HTTP/1.", b"\r\nHost: a\r\n\r\n", version),
    "behind the version": place(b"GET / HTTP/1.1", b"\r\nHost: a\r\n\r\n", lambda _: None),
    "for the CR of the request line": place(b"GET / HTTP/1.1", b"\nHost: a\r\n\r\n", only("\r")),
    "for the LF of the request line": place(b"GET / HTTP/1.1\r", b"Host: a\r\n\r\n", only("\n")),
    "at a name's start": place(HEAD, b"X: y\r\n\r\n", among(TCHAR, lambda c: field(c + "X", "y"))),
    "in a name": place(HEAD + b"X", b"Y: z\r\n\r\n", named),
    "for the colon": place(HEAD + b"X", b" y\r\n\r\n", only(":", field("X", "y"))),
    "before a value": place(HEAD + b"X:", b"y\r\n\r\n", among(VALUE, lambda c: field("X", c + "y"))),
    "in a value": place(HEAD + b"X: a", b"b\r\n\r\n", among(VALUE, lambda c: field("X", f"a{c}b"))),
    "behind a value": place(HEAD + b"X: a", b"\r\n\r\n", among(VALUE, lambda c: field("X", "a" + c))),
    "for the CR of a field": place(HEAD + b"X: a", b"\nY: b\r\n\r\n",
                                   only("\r", got(fields=[("x", "a"), ("y", "b")]))),
    "for the LF of a field": place(HEAD + b"X: a\r", b"Y: b\r\n\r\n",
                                   only("\n", got(fields=[("x", "a"), ("y", "b")]))),
    "for the last CR": place(HEAD, b"\n", only("\r")),
    "for the last LF": place(HEAD + b"\r", b"", only("\n")),
    "in Host": place(b"GET / HTTP/1.1\r\nHost: a", b"b\r\n\r\n", among(REG_NAME, lambda c: got(host=f"a{c}b"))),
    "in Host's port": place(b"GET / HTTP/1.1\r\nHost: a:1", b"\r\n\r\n",
                            among(DIGIT | BLANK, lambda c: got(host="a:1" + c.strip(" \t")))),
    "in Content-Length": place(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0",
                               lambda byte: b"\r\n\r\n" + b"x" * (byte - 48 if byte in DIGIT else 0), sized),
    "before Content-Length": place(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length:",
                                   lambda byte: b"3\r\n\r\n" + b"x" * tens(byte),
                                   among(BLANK | DIGIT, lambda c: got("POST", body="x" * tens(ord(c))))),
    "in Transfer-Encoding": place(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chun", b"ed\r\n\r\n3\r\nabc\r\n" + LAST,
                                  among(set(b"kK"), lambda _: ABC)),
    "before Transfer-Encoding": place(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:", b"chunked\r\n\r\n3\r\nabc\r\n" + LAST,
                                      among(BLANK, lambda _: ABC)),
    "behind Transfer-Encoding": place(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked", b"\r\n\r\n3\r\nabc\r\n" + LAST,
                                      among(BLANK, lambda _: ABC)),
    "in Connection": place(HEAD + b"Connection: x", b"y\r\n\r\n", among(TCHAR | set(b","), lambda _: got(fields=[]))),
    "for a chunk's size": place(CHUNKED, lambda byte: b"\r\n" + (b"x" * size_of(byte) + b"\r\n" + LAST if byte != 48 else b"\r\n"), chunk),
    "behind a chunk's size": place(CHUNKED + b"0", lambda byte: b"\r\n" + (b"x" * size_of(byte) + b"\r\n" + LAST if byte != 48 else b"\r\n"), chunk),
    "for the CR of a chunk's size": place(CHUNKED + b"3", b"\nabc\r\n" + LAST, only("\r", ABC)),
    "for the LF of a chunk's size": place(CHUNKED + b"3\r", b"abc\r\n" + LAST, only("\n", ABC)),
    "in an extension's name": place(CHUNKED + b"3;", b"\r\nabc\r\n" + LAST, among(TCHAR, lambda _: ABC)),
    "in an extension's value": place(CHUNKED + b"3;a=", b"\r\nabc\r\n" + LAST, among(TCHAR, lambda _: ABC)),
    "in a quoted value": place(CHUNKED + b'3;a="', b'"\r\nabc\r\n' + LAST, among(QDTEXT, lambda _: ABC)),
    "behind a backslash": place(CHUNKED + b'3;a="\\', b'"\r\nabc\r\n' + LAST, among(VALUE, lambda _: ABC)),
    "for the CR behind a chunk": place(CHUNKED + b"3\r\nabc", b"\n" + LAST, only("\r", ABC)),
    "for the LF behind a chunk": place(CHUNKED + b"3\r\nabc\r", LAST, only("\n", ABC)),
    "for the CR of the last chunk": place(CHUNKED + b"3\r\nabc\r\n0", b"\n\r\n", only("\r", ABC)),
    "for the last CR of the chunks": place(CHUNKED + b"3\r\nabc\r\n0\r\n", b"\n", only("\r", ABC)),
    "for the last LF of the chunks": place(CHUNKED + b"3\r\nabc\r\n0\r\n\r", b"", only("\n", ABC)),
    "in a trailer's name": place(CHUNKED + b"0\r\nX", b"Y: z\r\n\r\n", trailing),
    "in a trailer's value": place(CHUNKED + b"0\r\nX: a", b"b\r\n\r\n",
                                  among(VALUE, lambda c: got("POST", trailers=[("x", f"a{c}b")]))),
    "between two requests": place(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
                                  lambda byte: takes(got(), got(text_of(byte) + "GET", "/2")) if byte in TCHAR
                                  else refuses(after=[got()])),
}


# ---- answers: what the client gets, (status, body, fields or None), or None for 502 or a cut ----

START = b"HTTP/1.1 200 OK\r\n"
END = b"Content-Length: 2\r\n\r\nok"
WELL = (200, b"ok", None, [])
CODED = START + b"Transfer-Encoding: chunked\r\n\r\n"


def said(before, behind, meaning):
    def bytes_of(byte):
        return before + bytes([byte]) + (behind(byte) if callable(behind) else behind)

    return bytes_of, meaning


def if_in(allowed, meaning=lambda _: WELL):
    return lambda byte: meaning(text_of(byte)) if byte in allowed else None


def with_field(name, value):
    return (200, b"ok", [(name.lower(), value.strip(" \t"))], [])


def answer_name(byte):
    if byte in TCHAR:
        return with_field(f"X{text_of(byte)}Y", "z")
    return with_field("X", "Y: z") if byte == ord(":") else None


def status_digit(form, least=0, most=9):
    def meaning(byte):
        if byte not in DIGIT or not least <= byte - 48 <= most:
            return None
        return (int(form.replace("¤", text_of(byte))), b"ok", None, [])

    return meaning


def with_trailer(c):
    return (200, b"ok", None, [("x", f"a{c}b")])


ANSWERS = {
    "before the version": said(b"", START + END, lambda _: None),
    "in the protocol's name": said(b"HTT", b"/1.1 200 OK\r\n" + END, if_in(set(b"P"))),
    "for the major version": said(b"HTTP/", b".1 200 OK\r\n" + END, if_in(set(b"1"))),
    "for the version's dot": said(b"HTTP/1", b"1 200 OK\r\n" + END, if_in(set(b"."))),
    "for the minor version": said(b"HTTP/1.", b" 200 OK\r\n" + END, if_in(DIGIT)),
    "behind the version": said(b"HTTP/1.1", b"200 OK\r\n" + END, if_in(set(b" "))),
    "for the first digit": said(b"HTTP/1.1 ", b"99 OK\r\n" + END, status_digit("¤99", 2, 5)),
    "for the second digit": said(b"HTTP/1.1 4", b"9 OK\r\n" + END, status_digit("4¤9")),
    "for the third digit": said(b"HTTP/1.1 41", b" OK\r\n" + END, status_digit("41¤")),
    "behind the status": said(b"HTTP/1.1 200", b"OK\r\n" + END, if_in(set(b" "))),
    "in the reason": said(b"HTTP/1.1 200 O", b"K\r\n" + END, if_in(VALUE)),
    "for the CR of the status line": said(b"HTTP/1.1 200 OK", b"\n" + END, if_in(set(b"\r"))),
    "for the LF of the status line": said(b"HTTP/1.1 200 OK\r", END, if_in(set(b"\n"))),
    "at a name's start": said(START, b"X: y\r\n" + END, if_in(TCHAR, lambda c: with_field(c + "X", "y"))),
    "in a name": said(START + b"X", b"Y: z\r\n" + END, answer_name),
    "for the colon": said(START + b"X", b" y\r\n" + END, if_in(set(b":"), lambda _: with_field("X", "y"))),
    "before a value": said(START + b"X:", b"y\r\n" + END, if_in(VALUE, lambda c: with_field("X", c + "y"))),
    "in a value": said(START + b"X: a", b"b\r\n" + END, if_in(VALUE, lambda c: with_field("X", f"a{c}b"))),
    "behind a value": said(START + b"X: a", b"\r\n" + END, if_in(VALUE, lambda c: with_field("X", "a" + c))),
    "for the CR of a field": said(START + b"X: a", b"\n" + END, if_in(set(b"\r"), lambda _: with_field("X", "a"))),
    "for the LF of a field": said(START + b"X: a\r", END, if_in(set(b"\n"), lambda _: with_field("X", "a"))),
    "in Content-Length": said(START + b"Content-Length: 0",
                              lambda byte: b"\r\n\r\n" + b"x" * (byte - 48 if byte in DIGIT else 0),
                              if_in(DIGIT | BLANK, lambda c: (200, b"x" * int(c.strip(" \t") or 0), None, []))),
    "behind Transfer-Encoding": said(START + b"Transfer-Encoding: chunked", b"\r\n\r\n2\r\nok\r\n" + LAST, if_in(BLANK)),
    "for the last LF": said(START + b"Content-Length: 2\r\n\r", b"ok", if_in(set(b"\n"))),
    "for a chunk's size": said(CODED, lambda byte: b"\r\n" + (b"x" * size_of(byte) + b"\r\n" + LAST if byte != 48 else b"\r\n"),
                               if_in(HEX, lambda c: (200, b"x" * int(c, 16), None, []))),
    "for the CR of a chunk's size": said(CODED + b"2", b"\nok\r\n" + LAST, if_in(set(b"\r"))),
    "for the LF of a chunk's size": said(CODED + b"2\r", b"ok\r\n" + LAST, if_in(set(b"\n"))),
    "in an extension's name": said(CODED + b"2;", b"\r\nok\r\n" + LAST, if_in(TCHAR)),
    "in a quoted value": said(CODED + b'2;a="', b'"\r\nok\r\n' + LAST, if_in(QDTEXT)),
    "for the CR behind a chunk": said(CODED + b"2\r\nok", b"\n" + LAST, if_in(set(b"\r"))),
    "for the LF behind a chunk": said(CODED + b"2\r\nok\r", LAST, if_in(set(b"\n"))),
    "for the last CR of the chunks": said(CODED + b"2\r\nok\r\n0\r\n", b"\n", if_in(set(b"\r"))),
    "in a trailer's value": said(CODED + b"2\r\nok\r\n0\r\nX: a", b"b\r\n\r\n", if_in(VALUE, with_trailer)),
}
