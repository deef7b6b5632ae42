"""docs/operations.md says what the source says: every log event, every signal, every 5xx."""

import re

from balancer import ROOT

TEXT = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")

# A name that is put together: the text it is taken from, and what stands before it.
EVENT = re.compile(r"log_event\(\s*[^,]+,\s*([^,)]+)")
SAID = re.compile(r'\bsay_\w+\(\s*"(\w+(?:\.\w+)+)"')
POOL_EVENT = re.compile(r'"(pool\.\w+)"')
STATE_NAME = re.compile(r'\[REPLICA_\w+\] = \{?"(\w+)"')
# What `event` and `change->what` may be: see known_variables().
VARIABLES = {"event", "change->what"}


def sources(*folders):
    return {
        path: path.read_text(encoding="utf-8")
        for folder in folders or ["."]
        for path in sorted((ROOT / "src" / folder).rglob("*.c"))
    }


def known_variables():
    """The names that no literal at the call shows."""
    replica = (ROOT / "src/replica/replica.c").read_text(encoding="utf-8")
    states = STATE_NAME.findall(replica)
    assert len(states) >= 9, states
    pools = {name for text in sources("control").values() for name in POOL_EVENT.findall(text)}
    # pool.started is only an event of the API.
    return {f"replica.{state}" for state in states} | (pools - {"pool.started"})


def logged():
    names = known_variables()
    for path, text in sources().items():
        if path.parts[-2:] == ("base", "log.c"):
            continue
        names |= set(SAID.findall(text))
        for argument in EVENT.findall(text):
            argument = argument.strip()
            if argument.startswith('"'):
                names.add(argument.strip('"'))
            else:
                assert argument in VARIABLES, f"{path}: {argument}"
    return names


def section(title):
    """The text under a heading, up to the next one of the same or a higher level."""
    level = title.split(" ")[0]
    rest = TEXT.split(f"\n{title}\n", 1)[1]
    return re.split(rf"\n#{{1,{len(level)}}} ", rest)[0]


def first_cells(text):
    rows = re.findall(r"^\| (.*?) \|", text, re.M)
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row)]


def test_every_log_event_is_documented_and_every_documented_one_is_logged():
    documented = first_cells(section("### The program's log"))
    assert len(documented) == len(set(documented))
    assert set(documented) == logged()


def test_every_signal_the_keeper_hears_is_documented():
    keeper = (ROOT / "src/control/keeper.c").read_text(encoding="utf-8")
    heard = set(re.findall(r"SIG\w+", re.search(r"\bheard\[\] = {(.*?)}", keeper)[1]))
    signals = (ROOT / "src/net/signals.c").read_text(encoding="utf-8")
    heard |= set(re.findall(r"\bsignal\((SIG\w+), SIG_IGN\)", signals))
    assert len(heard) > 1
    assert set(first_cells(section("## Signals"))) == heard


def test_every_5xx_sentence_of_the_data_plane_is_documented():
    text = "".join(sources("proxy").values())
    refusals = re.findall(r"refuse\(\s*x,\s*(5\d\d),\s*([^;]*?)\);", text)
    said = {
        (status, sentence)
        for status, argument in refusals
        for sentence in re.findall(r'"([^"]+)"', argument)
    }
    assert len(said) >= 6
    table = section("### On the traffic port")
    for status, sentence in said:
        assert f"| {status} | `{sentence}` |" in table


def test_every_5xx_sentence_of_the_table_is_said_somewhere():
    source = "".join(sources().values())
    table = section("### On the traffic port") + section(
        "### On the control port, and of the classic calls"
    )
    rows = re.findall(r"^\| 5\d\d[^|]*\| `([^`]+)`", table, re.M)
    assert len(rows) >= 15
    for sentence in rows:
        for part in sentence.split("…"):
            assert part.strip() in source, sentence


def test_every_status_5xx_that_is_answered_is_in_a_table():
    answered = set()
    for text in sources("proxy", "control", "api", "conn").values():
        answered |= set(re.findall(r"(?:api_fail|refuse|api_answer)\(\s*\w+,\s*(5\d\d)\b", text))
        answered |= set(re.findall(r"return (50[0-9]);", text))
    table = section("## Every 5xx")
    for status in answered:
        assert f"| {status} " in table, status
