"""What is given to real servers, and where they refuse it: {reason: {(family, case)}}. A case of the
byte sweep is (place, byte). That one of them should read it in another way has no excuse."""

from hostile.case import Case
from hostile.requests import FAMILIES
from hostile.sweep import REQUESTS, TCHAR

CORPUS = [(family, case) for family, cases in FAMILIES.items() for case in cases]
SWEEP = [
    (place, Case(f"{byte:#04x}", "", sent(byte), fate(byte)))
    for place, (sent, fate) in REQUESTS.items()
    for byte in range(256)
]
SERVED = [(family, case) for family, case in CORPUS + SWEEP if case.fate.requests]
# With nothing half sent: what an origin can be asked.
SENT = [(family, case) for family, case in SERVED if not case.fate.waits]

UPPER = set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ")
METHOD_PLACES = ("before the method", "in the method", "between two requests")
METHODS = (
    "a method in small letters is another one",
    "a method of odd token bytes",
    "trace is no TRACE",
)


def of(family, *names):
    return {(family, name) for name in names}


def swept(places, allowed):
    return {(place, f"{byte:#04x}") for place in places for byte in allowed}


KNOWN_METHODS = (
    of("request line", "a method nobody knows", "a method of 32 bytes", *METHODS)
    | swept(METHOD_PLACES, TCHAR - set(b"E"))
    | swept(METHOD_PLACES[::2], b"E")
)

# Node.js as another reader of what we got.
NODE_READING = {
    "it knows a list of methods; RFC 9110 9.1 leaves it open": KNOWN_METHODS,
    "it knows 1.0 and 1.1; RFC 9110 2.5 has any 1.x read as 1.1": (
        of("request line", "HTTP/1.2 is read as 1.1", "HTTP/1.9 is read as 1.1")
        | swept(["for the minor version"], b"23456789")
    ),
    "no tab may follow a length or a coding; RFC 9110 5.6.3 calls it white space": (
        of("Content-Length", "blanks around the length")
        | of("Transfer-Encoding", "blanks around")
        | swept(["in Content-Length", "behind Transfer-Encoding"], b"\t")
    ),
    "it reads framing in trailers; RFC 9110 6.5.1 has it dropped there, as we do": (
        of("trailers", "Content-Length does not pass", "Transfer-Encoding does not pass")
    ),
    "behind an Upgrade that it does not want it reads no further request": (
        of("Upgrade", "what follows an Upgrade is a request")
    ),
}

BAD_ESCAPES = of("target", "escapes stay", "bad escapes stay") | swept(["in the path"], b"%")

# Origins, and what they answer 400.
NGINX = {
    "a method is of capital letters, - and _; RFC 9110 9.1 says any token": (
        of("request line", *METHODS) | swept(METHOD_PLACES, TCHAR - UPPER - set(b"-_"))
    ),
    "it does not know the asterisk-form of RFC 9112 3.2.4": (
        of("Content-Length", "a body for OPTIONS *")
        | of("target", "OPTIONS without a path", "OPTIONS *")
    ),
    "it unescapes paths and refuses %00 and what is no escape; we leave paths alone": BAD_ESCAPES,
    "it takes Expect only once": of("Expect", "twice"),
}
APACHE = {
    "it unescapes paths and refuses %00 and what is no escape; we leave paths alone": BAD_ESCAPES,
    "a host is a DNS name or an address; RFC 3986 3.2.2 allows more, and an empty port": (
        of("Host", "an empty port", "odd bytes of a name", "an escape")
        | swept(["in Host"], b"!$&'()*+,;=~")
    ),
}
NODE = {"it knows a list of methods; RFC 9110 9.1 leaves it open": KNOWN_METHODS}

ORIGINS = {"nginx": NGINX, "Apache": APACHE, "Node.js": NODE}


def is_excused(excuses, family, case):
    return any((family, case.name) in cases for cases in excuses.values())


def count_excused(excuses, cases):
    return sum(is_excused(excuses, family, case) for family, case in cases)
