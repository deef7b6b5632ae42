"""docs/troubleshooting.md: the messages it explains are those that are said, its links lead somewhere."""

import re

import pytest

from balancer import ROOT

TEXT = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
SOURCE = re.compile(r'"\s*\n\s*"')


def said():
    """All there is to say: sources and scripts, texts that go on in the next line put together."""
    files = [*(ROOT / "src").rglob("*.c"), *(ROOT / "tools").glob("*.sh")]
    return SOURCE.sub("", "\n".join(path.read_text(encoding="utf-8") for path in files))


def headings():
    """The messages in headings: code that is more than one word and no request."""
    found = re.findall(r"`([^`]+)`", "\n".join(re.findall(r"^###? (.*)$", TEXT, re.M)))
    return [text for text in found if " " in text and not text.startswith("POST ")]


@pytest.mark.parametrize("message", headings())
def test_a_message_in_a_heading_is_said_somewhere(message):
    assert message in said()


def test_there_are_messages():
    assert len(headings()) >= 12


@pytest.mark.parametrize("name", ["api.md", "operations.md", "troubleshooting.md"])
def test_links_lead_somewhere(name):
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)]+)\)", text):
        path, _, anchor = target.partition("#")
        if "://" in target:
            continue
        there = ROOT / "docs" / (path or name)
        assert there.exists(), target
        titles = re.findall(r"^#+ (.*)$", there.read_text(encoding="utf-8"), re.M)
        anchors = [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles]
        assert not anchor or anchor in anchors, target
