"""docs/openapi.yaml and the program say the same: every route is documented, every documented path
answers, and real answers, errors included, fit the schemas."""

import json
import re

import pytest

yaml = pytest.importorskip("yaml")

from balancer import ROOT  # noqa: E402
from events_reader import Events  # noqa: E402
from schema import Document  # noqa: E402

ROUTE = re.compile(r"\{METHOD_(\w+), \"([^\"]+)\",")
TOKEN = "the-token-of-this-test"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
JSON_TYPE = "application/json"

# What is asked, in this order: method, path of the document, the path itself, body, headers,
# status.
# Every operation is here at least once (see below).
CALLS = [
    ("GET", "/healthcheck", None, None, {}, 200),
    ("GET", "/livez", None, None, {}, 200),
    ("GET", "/readyz", None, None, {}, 200),
    ("GET", "/v1/status", None, None, {}, 200),
    ("GET", "/v1/status", None, None, {"Host": "evil.example"}, 421),
    ("GET", "/v1/services", None, None, {}, 200),
    ("GET", "/v1/ring", "/v1/ring?owners=true", None, {}, 200),
    ("GET", "/v1/ring", "/v1/ring?service=none", None, {}, 404),
    ("GET", "/v1/explain", "/v1/explain?key=1", None, {}, 200),
    ("GET", "/v1/explain", None, None, {}, 400),
    ("POST", "/v1/plan", None, {"add": {"count": 2}, "remove": {"count": 1}}, {}, 200),
    ("POST", "/v1/plan", None, {"weights": {"Server 1": 5}}, {}, 200),
    ("POST", "/v1/plan", None, {"x": 1}, {}, 400),
    ("POST", "/v1/plan", None, {"remove": {"names": ["x"]}}, {}, 404),
    ("POST", "/v1/plan", None, {"add": {"names": ["Server 1"]}}, {}, 409),
    ("POST", "/v1/plan", None, "x" * 70000, {}, 413),
    ("GET", "/rep", None, None, {}, 200),
    ("GET", "/stats", None, None, {}, 200),
    ("GET", "/rep", None, None, {"Host": "evil.example"}, 421),
    ("POST", "/add", None, {"n": 1, "hostnames": ["c1"]}, BEARER, 200),
    ("POST", "/add", None, {"n": 1, "hostnames": ["c1"]}, BEARER, 409),
    ("POST", "/add", None, {"n": 0}, BEARER, 400),
    ("POST", "/add", None, {"n": 1}, {}, 401),
    ("POST", "/add", None, {"n": 1}, {**BEARER, "Origin": "null"}, 403),
    ("POST", "/add", None, "x" * 70000, BEARER, 413),
    ("DELETE", "/rm", None, {"n": 1, "hostnames": ["c1"]}, BEARER, 200),
    ("DELETE", "/rm", None, {"n": 1, "hostnames": ["c1"]}, BEARER, 404),
    ("DELETE", "/rm", None, {"n": 900}, BEARER, 400),
    ("POST", "/v1/reload", None, None, BEARER, 200),
    ("POST", "/v1/reload", None, None, {}, 401),
    ("GET", "/v1/events", "/v1/events?last=9999999", None, {}, 400),
]
for BASE, REAL in (
    ("/v1/replicas", "/v1/replicas"),
    ("/v1/services/{service}/replicas", "/v1/services/web/replicas"),
):
    ONE = BASE + "/{name}"
    CALLS += [
        ("GET", BASE, REAL, None, {}, 200),
        ("POST", BASE, REAL, {"count": 2, "names": ["o1"]}, BEARER, 201),
        ("POST", BASE, REAL, {"names": ["o1"]}, BEARER, 409),
        ("POST", BASE, REAL, {"names": ["o1"]}, {}, 401),
        ("POST", BASE, REAL, {"names": ["o1"]}, {**BEARER, "Origin": "null"}, 403),
        ("POST", BASE, REAL, {"names": "o1"}, BEARER, 400),
        ("POST", BASE, REAL, {"names": ["o2"]}, {**BEARER, "If-Match": '"1"'}, 412),
        ("POST", BASE, REAL, "x" * 70000, BEARER, 413),
        ("GET", ONE, REAL + "/o1", None, {}, 200),
        ("GET", ONE, REAL + "/nobody", None, {}, 404),
        ("PATCH", ONE, REAL + "/o1", {"drain": True}, BEARER, 200),
        ("PATCH", ONE, REAL + "/o1", {"weight": "x"}, BEARER, 400),
        ("PATCH", ONE, REAL + "/nobody", {"weight": 1}, BEARER, 404),
        ("PATCH", ONE, REAL + "/o1", {"weight": 1}, {**BEARER, "If-Match": '"1"'}, 412),
        ("PATCH", ONE, REAL + "/o1", {"weight": 1}, {}, 401),
        ("GET", ONE + "/log", REAL + "/o1/log", None, BEARER, 200),
        ("GET", ONE + "/log", REAL + "/o1/log?bytes=x", None, BEARER, 400),
        ("GET", ONE + "/log", REAL + "/nobody/log", None, BEARER, 404),
        ("GET", ONE + "/log", REAL + "/o1/log", None, {}, 401),
        ("DELETE", ONE, REAL + "/o1", None, BEARER, 200),
        ("DELETE", ONE, REAL + "/o1", None, BEARER, 404),
        ("DELETE", ONE, REAL + "/o1", None, {}, 401),
        ("DELETE", BASE, REAL, {"count": 1}, BEARER, 200),
        ("DELETE", BASE, REAL, {"names": ["nobody"]}, BEARER, 404),
        ("DELETE", BASE, REAL, {"count": 1000}, BEARER, 400),
        ("DELETE", BASE, REAL, {"count": 1}, {}, 401),
    ]


@pytest.fixture(scope="module")
def document():
    return Document(yaml.safe_load((ROOT / "docs/openapi.yaml").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def roost(start_shared):
    return start_shared(environment={"ROOST_CONTROL_TOKEN": TOKEN})


def operations(document):
    """{(METHOD, path)} with each variable part as *."""
    return {
        (method.upper(), re.sub(r"\{\w+\}", "*", path))
        for path, methods in document.whole["paths"].items()
        for method in methods
    }


def routes():
    text = (ROOT / "src/api/api_routes.c").read_text(encoding="utf-8")
    return set(ROUTE.findall(text))


def test_every_route_is_documented_and_every_documented_path_is_a_route(document):
    assert operations(document) == routes()


def test_every_operation_is_asked_below(document):
    asked = {(method, re.sub(r"\{\w+\}", "*", path)) for method, path, *_ in CALLS}
    assert asked == operations(document)


def test_every_schema_and_response_is_used_and_there(document):
    text = (ROOT / "docs/openapi.yaml").read_text(encoding="utf-8")
    used = set(re.findall(r'"#/components/(\w+)/(\w+)"', text))
    used.add(("schemas", "Event"))  # is behind text/event-stream
    there = {
        (kind, name)
        for kind, things in document.whole["components"].items()
        if kind != "securitySchemes"
        for name in things
    }
    assert used == there


def test_operation_ids_are_different(document):
    ids = [
        operation["operationId"]
        for methods in document.whole["paths"].values()
        for operation in methods.values()
    ]
    assert len(set(ids)) == len(ids)


def test_what_needs_a_token_says_so(document):
    """The flags of the route table and `security` are the same."""
    text = (ROOT / "src/api/api_routes.c").read_text(encoding="utf-8")
    needs = {
        (method, path)
        for method, path, flags in re.findall(r'\{METHOD_(\w+), "([^"]+)", \w+,\s*([^}]*)\}', text)
        if "API_MUTATION" in flags
    }
    says = {
        (method.upper(), re.sub(r"\{\w+\}", "*", path))
        for path, methods in document.whole["paths"].items()
        for method, operation in methods.items()
        if "security" in operation
    }
    assert says == needs


def check(document, method, path, answer):
    operation = document.whole["paths"][path][method.lower()]
    assert str(answer.status) in operation["responses"], answer
    response = document.resolve(operation["responses"][str(answer.status)])
    kind = answer.headers["content-type"].split(";")[0]
    assert kind in response["content"], (method, path, answer)
    if kind == JSON_TYPE:
        schema = response["content"][kind]["schema"]
        assert document.complaints(answer.json(), schema) == []
    assert ("etag" in answer.headers) == ("ETag" in response.get("headers", {}))
    if "ETag" in response.get("headers", {}) and "epoch" in (body := answer.json()):
        assert answer.headers["etag"] == f'"{body["epoch"]}"'


def check_request(document, method, path, body):
    """What is accepted fits the schema of the request."""
    operation = document.whole["paths"][path][method.lower()]
    schema = operation["requestBody"]["content"][JSON_TYPE]["schema"]
    assert document.complaints(json.loads(json.dumps(body)), schema) == []


def test_answers_and_errors_fit_the_schemas(document, roost):
    for method, path, real, body, headers, status in CALLS:
        answer = roost.on_control(method, real or path, body, headers)
        assert answer.status == status, (method, real or path, body, answer)
        check(document, method, path, answer)
        if status < 300 and body is not None:
            check_request(document, method, path, body)


def test_events_fit_the_schema(document, start):
    roost = start("--num-servers", 2)
    with Events(roost, "?last=1000") as events:
        roost.add(1, ["S4"])
        roost.on_control("PATCH", "/v1/replicas/S4", {"weight": 3})
        roost.rm(1, ["S4"])
        events.named("replica.gone", "S4")
    seen = set()
    for event in events.all:
        event.pop("sse")
        seen.add(event["what"])
        schema = document.whole["components"]["schemas"]["Event"]
        assert document.complaints(event, schema) == []
    assert {"pool.started", "pool.added", "pool.weighed", "pool.removed"} <= seen


def test_the_validator_finds_what_is_wrong(document):
    """So that the tests above mean something."""
    schema = {"$ref": "#/components/schemas/Plan"}
    share = {"name": "a", "before": 0.5, "after": 2}
    plan = {
        "service": 1, "epoch": 1.5, "moved": "x", "minimum": True, "excess": 0, "slots": 1,
        "is_estimate": 0, "add": ["-"], "remove": {}, "shares": [share], "moves": [{}], "more": 1,
    }  # fmt: skip
    found = "\n".join(document.complaints(plan, schema))
    for part in (
        "$.service", "$.epoch", "$.moved", "$.minimum", "$.is_estimate", "$.add[0]", "$.remove",
        "$.shares[0].after", "$.moves[0]", "more is not in", "advice is missing",
    ):  # fmt: skip
        assert part in found, part
