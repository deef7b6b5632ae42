"""Readers of HTTP/1.1 and what they made of a message, for comparison."""

import struct
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
ORACLE = Path(__file__).resolve().parent


def compiled(folder, name, *arguments):
    program = folder / name
    command = ["cc", "-O1", "-D_GNU_SOURCE", ORACLE / f"{name}.c", *arguments, "-o", program]
    subprocess.run([str(part) for part in command], check=True)
    return program


def compile_ours(folder):
    """Our own reader, alone."""
    base = [ROOT / "src/base" / f"{name}.c" for name in ("view", "buffer", "memory")]
    sources = [*sorted((ROOT / "src/http").glob("*.c")), *base]
    return compiled(folder, "http_read", f"-I{ROOT / 'src'}", *sources)


class Reading:
    """What a reader took a message for; None in place of it where it refused."""

    def __init__(self, consumed, status, method, target, body, fields):
        self.consumed = consumed
        self.status = status
        self.method = method
        self.target = target
        self.body = body
        self.fields = fields

    @classmethod
    def from_line(cls, line):
        words = line.split()
        if words[0] != "ok":
            return None
        text = [b"" if word == "-" else bytes.fromhex(word) for word in words[3:]]
        fields = list(zip(text[3::2], text[4::2]))
        return cls(int(words[1]), int(words[2]), text[0], text[1], text[2], fields)


def run(program, messages):
    """Each (kind, bytes) as the program reads it."""
    frames = b"".join(kind + struct.pack("<I", len(data)) + data for kind, data in messages)
    result = subprocess.run([str(program)], input=frames, stdout=subprocess.PIPE, check=True)
    lines = result.stdout.decode().splitlines()
    assert len(lines) == len(messages)
    return [Reading.from_line(line) for line in lines]


def is_same_target(theirs, own):
    """Ours is origin-form, theirs as it was sent."""
    return theirs == own or (b"://" in theirs and (own in (b"/", b"*") or theirs.endswith(own)))


def differences(own, theirs):
    """What two readings do not agree on, as text."""
    found = []
    for name in ("consumed", "status", "method", "body"):
        if getattr(own, name) != getattr(theirs, name):
            found.append(f"{name}: {getattr(own, name)!r} {getattr(theirs, name)!r}")
    if not is_same_target(theirs.target, own.target):
        found.append(f"target: {own.target!r} {theirs.target!r}")
    is_absolute = own.target != theirs.target
    for mine, other in zip(own.fields, theirs.fields):
        # The authority of an absolute-form took the place of Host.
        if is_absolute and mine[0].lower() == other[0].lower() == b"host":
            continue
        is_coding = mine[0].lower() == b"transfer-encoding"
        if is_coding and mine[1].lower() == other[1].lower():
            continue
        if (mine[0].lower(), mine[1]) != (other[0].lower(), other[1]):
            found.append(f"field: {mine} {other}")
    if len(own.fields) != len(theirs.fields):
        found.append(f"fields: {len(own.fields)} {len(theirs.fields)}")
    return found
