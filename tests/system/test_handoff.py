"""Who gets a slot is told who had it; a key may stand in the body."""

import json
from pathlib import Path

TELLING = Path(__file__).resolve().parent / "telling_replica.py"

CONFIG = f"""
compat: api
services:
  - name: web
    replicas:
      driver: process
      names: [a, b, c]
      count: 3
      command: [/usr/bin/python3, {TELLING}, "{{port}}"]
    balance: {{ key: ["header:X-Key", "json:/user/id", random] }}
"""


def owners(roost, keys):
    """What each key's replica was told."""
    return {key: roost.get("/x", {"X-Key": key}).json() for key in keys}


def test_a_new_owner_is_told_the_previous_one_and_nobody_else_is(start):
    roost = start(config=CONFIG)
    keys = [f"key-{i}" for i in range(120)]
    before = owners(roost, keys)
    assert all("x-roost-previous-owner" not in told["fields"] for told in before.values())
    assert roost.add(1, ["d"]).status == 200
    after = owners(roost, keys)
    moved = {key for key in keys if before[key]["id"] != after[key]["id"]}
    assert 5 < len(moved) < 70
    for key in keys:
        told = after[key]["fields"].get("x-roost-previous-owner")
        assert told == (before[key]["id"] if key in moved else None), key
        assert key not in moved or after[key]["id"] == "d"


def test_a_key_in_a_json_body_places_the_request(start):
    roost = start(config=CONFIG)
    for user in range(40):
        wanted = roost.get("/x", {"X-Key": str(user)}).json()["id"]
        body = json.dumps({"filler": "x" * (user * 1000), "user": {"id": user}})
        told = roost.request("POST", "/x", body.encode()).json()
        assert told["id"] == wanted
        assert told["body"] == body
        assert "x-request-id" not in told["fields"]
    told = roost.request("POST", "/x", b"no json").json()
    assert len(told["fields"]["x-request-id"]) == 32
