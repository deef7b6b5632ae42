"""The sessions of docs/api.md are what happens: each command is typed again, in order, and its
output is the documented one but for numbers, moments, names and what is shortened there."""

import re
import subprocess
import time

from balancer import BINARY, ROOT

BLOCK = re.compile(r"```console\n(.*?)```", re.S)
PAUSE_S = 0.1
TIMEOUT_S = 30

MASKS = (
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "MOMENT"),
    (re.compile(r"\b\d\d:\d\d:\d\d\.\d{3}\b"), "MOMENT"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "DIGEST"),
    (re.compile(r'"run":"[0-9a-f]+"'), "RUN"),
    (re.compile(r"\b(?:Server \d|[Ss]\d\b|r-[a-z0-9]{5})"), "NAME"),
    (re.compile(r"\b[0-9a-f]{16}\b"), "HASH"),
    (re.compile(r"/\S*/state\b"), "STATE"),
    # Of processor and memory: not known in the first second.
    (re.compile(r'("(?:cpu_percent|cpu_s|memory_bytes)":)(?:null|[\d.]+)'), r"\1USAGE"),
    (re.compile(r"(\.\d{3}) +(?:-|\d+\.\d) +(?:-|\d+\.\d)(?= )"), r"\1 USAGE"),
    (re.compile(r"-?\d+(?:\.\d+)?"), "#"),
    (re.compile(r"[ \t]+"), " "),
)
# A line of the table of workers: there is one for each core.
WORKER = re.compile(r"^ ?# # # # # # #$")


def masked(text):
    for pattern, name in MASKS:
        text = pattern.sub(name, text)
    lines = [line.strip() for line in text.splitlines()]
    return "\n".join(line for line in lines if not WORKER.match(line))


def sessions():
    """[(command, output)] of the whole document."""
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    found = []
    for block in BLOCK.findall(text):
        for line in block.splitlines(keepends=True):
            if line.startswith("$ "):
                found.append((line[2:].strip(), ""))
            else:
                found[-1] = (found[-1][0], found[-1][1] + line)
    return found


def typed(roost, command):
    command = command.replace("localhost:5000", f"localhost:{roost.port}")
    command = command.replace("localhost:5001", f"localhost:{roost.control_port}")
    command = re.sub(r"build/roost ctl (\S+)", rf"{BINARY} ctl \1 --state {roost.state}", command)
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        env=roost.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
    )
    return done.stdout


def fits(wanted, got):
    pattern = re.escape(masked(wanted)).replace(re.escape(",…]"), r"(?:,.*)?\]")
    return re.fullmatch(pattern.replace("…", ".*"), masked(got), re.S)


def test_the_sessions_are_what_happens(roost):
    for _ in range(3):
        roost.get("/home")
    for command, wanted in sessions():
        got = typed(roost, command)
        told = f"$ {command}\n{masked(got)}\n-- but documented is --\n{masked(wanted)}"
        assert fits(wanted, got), told
        time.sleep(PAUSE_S)


def test_every_route_has_its_words():
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    routes = (ROOT / "src/api/api_routes.c").read_text(encoding="utf-8")
    for method, path in re.findall(r"\{METHOD_(\w+), \"([^\"]+)\",", routes):
        for base in ("/v1/services/*/replicas", "/v1/replicas"):
            rest = path.removeprefix(base)
            if rest != path:
                path = "/replicas" + rest.replace("*", "NAME")
                break
        assert re.search(rf"{method} [^\s,]*{re.escape(path)}\b", text), (method, path)
