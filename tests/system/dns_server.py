"""A DNS server that answers what a test says and counts what it is asked (RFC 1035, UDP and TCP).

    dns.say("app.test", ["127.0.0.2", "127.0.0.3"], ttl=1)
    dns.say("app.test", SERVFAIL)
    dns.say("app.test", SILENCE)
    dns.say("app.test", GARBAGE)
    dns.say("www.test", cname="app.test")
"""

import ipaddress
import os
import random
import socket
import struct
import threading

NOERROR, SERVFAIL, NXDOMAIN = 0, 2, 3
SILENCE = "silence"
GARBAGE = "garbage"

A, CNAME, AAAA = 1, 5, 28
IN = 1
UDP_BYTES = 512


def encode_name(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def record(name, kind, ttl, data):
    return encode_name(name) + struct.pack(">HHIH", kind, IN, ttl, len(data)) + data


class Entry:
    def __init__(self, addresses, ttl, cname):
        self.code = addresses if addresses in (SERVFAIL, NXDOMAIN, SILENCE, GARBAGE) else NOERROR
        self.addresses = [] if self.code is not NOERROR else list(addresses)
        self.ttl = ttl
        self.cname = cname


class DnsServer:
    """Listens on a port of 127.0.0.1 until end(); what nobody said is NXDOMAIN. With `rotates` each
    answer begins with another address."""

    def __init__(self, rotates=False):
        self.entries = {}
        self.asked = {}  # (name, kind) -> how often
        self.rotates = rotates
        self.lock = threading.Lock()
        self.stream = socket.create_server(("127.0.0.1", 0))
        self.port = self.stream.getsockname()[1]
        self.datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.datagrams.bind(("127.0.0.1", self.port))
        threading.Thread(target=self._serve_datagrams, daemon=True).start()
        threading.Thread(target=self._serve_stream, daemon=True).start()

    def say(self, name, addresses=(), ttl=1, cname=None):
        with self.lock:
            self.entries[name] = Entry(addresses, ttl, cname)

    def count(self, name, kind=A):
        with self.lock:
            return self.asked.get((name, kind), 0)

    def end(self):
        for sock in (self.datagrams, self.stream):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()

    def _records(self, name, kind):
        """(code, records) of an answer."""
        entry = self.entries.get(name)
        if entry is None:
            return NXDOMAIN, []
        if entry.cname:
            first = record(name, CNAME, entry.ttl, encode_name(entry.cname))
            if entry.cname == name:
                return NOERROR, [first]
            code, rest = self._records(entry.cname, kind)
            return code, [first, *rest]
        found = []
        for text in entry.addresses:
            address = ipaddress.ip_address(text)
            if kind == (A if address.version == 4 else AAAA):
                found.append(record(name, kind, entry.ttl, address.packed))
        if self.rotates and found:
            turn = self.asked.get((name, kind), 0) % len(found)
            found = found[turn:] + found[:turn]
        return entry.code, found

    def _answer(self, query, most=65535):
        """The answer's bytes, or None."""
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode().lower())
            at += 1 + query[at]
        question = query[12 : at + 5]
        name, kind = ".".join(labels), struct.unpack(">H", query[at + 1 : at + 3])[0]
        with self.lock:
            self.asked[name, kind] = self.asked.get((name, kind), 0) + 1
            code, records = self._records(name, kind)
        if code == SILENCE:
            return None
        if code == GARBAGE:
            return query[:2] + b"\x85\x80" + os.urandom(random.randrange(100))
        flags = 0x8580 | code
        body = question + b"".join(records)
        if 12 + len(body) > most:
            flags, body, records = flags | 0x0200, question, []
        return query[:2] + struct.pack(">HHHHH", flags, 1, len(records), 0, 0) + body

    def _serve_datagrams(self):
        while True:
            try:
                query, sender = self.datagrams.recvfrom(4096)
                if not query:
                    return
                if answer := self._answer(query, UDP_BYTES):
                    self.datagrams.sendto(answer, sender)
            except OSError:
                return

    def _serve_stream(self):
        while True:
            try:
                connection, _ = self.stream.accept()
            except OSError:
                return
            threading.Thread(target=self._serve_connection, args=(connection,), daemon=True).start()

    def _serve_connection(self, connection):
        with connection, connection.makefile("rwb") as stream:
            try:
                while size := stream.read(2):
                    answer = self._answer(stream.read(struct.unpack(">H", size)[0]))
                    if answer is None:
                        return
                    stream.write(struct.pack(">H", len(answer)) + answer)
                    stream.flush()
            except (OSError, struct.error):
                return
