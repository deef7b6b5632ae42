"""What is promised of the configuration: `roost check`, the examples, the documentation."""

import json
import os
import re
import subprocess

import pytest

from balancer import BINARY, ROOT

EXAMPLES = sorted(
    path for path in (ROOT / "examples").iterdir() if path.suffix in (".yaml", ".json")
)
DOCUMENTATION = ROOT / "docs" / "configuration.md"
TIMEOUT_S = 30


def check(*arguments, environment=None):
    """The finished `roost check` with an environment of its own."""
    return subprocess.run(
        [BINARY, "check", *map(str, arguments)],
        env={"HOME": "/nowhere", "PATH": os.environ["PATH"], **(environment or {})},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def printed(*arguments, environment=None):
    result = check(*arguments, "--print", environment=environment)
    assert result.returncode == 0, result.stderr
    return result.stdout


def value(text, key):
    """The value behind the first `key:` of a printed configuration."""
    return re.search(rf"^[ -]*{re.escape(key)}: (.*)$", text, re.MULTILINE).group(1)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_is_fine_and_prints_as_itself(path, tmp_path):
    result = check("-c", path)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"{path} is fine\n"
    copy = tmp_path / "printed.yaml"
    copy.write_text(printed("-c", path), encoding="utf-8")
    assert printed("-c", copy) == copy.read_text(encoding="utf-8")


def test_the_embedded_default_is_the_example_of_that_name():
    assert printed() == printed("-c", ROOT / "examples" / "default.yaml")


def test_without_a_file_there_are_three_processes_on_port_5000():
    text = printed()
    assert 'address: "127.0.0.1:5000"' in text
    assert re.search(r'^control:\n  address: \["127.0.0.1:5001"', text, re.MULTILINE)
    assert value(text, "compat") == "assignment"
    assert value(text, "names") == '["Server 1", "Server 2", "Server 3"]'
    assert value(text, "driver") == "process"
    assert value(text, "scheme") == "slot-hrw"


def test_an_error_has_file_line_column_expected_and_found(tmp_path):
    path = tmp_path / "roost.yaml"
    path.write_text("services:\n  - balance: { slots: 7 }\n", encoding="utf-8")
    result = check("-c", path)
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr == (
        f"{path}:2:23: services[0].balance.slots: "
        'expected a power of two from 256 to 1048576, found "7"\n'
    )


def test_every_error_is_listed_up_to_twenty(tmp_path):
    path = tmp_path / "roost.yaml"
    path.write_text("".join(f"key{n}: {n}\n" for n in range(25)), encoding="utf-8")
    lines = check("-c", path).stderr.splitlines()
    assert len(lines) == 21
    assert lines[0] == f"{path}:1:1: key0: this key is not known"
    assert lines[20] == "... and 5 more"


def test_a_typo_is_told_what_it_was_meant_to_be(tmp_path):
    path = tmp_path / "roost.json"
    path.write_text(json.dumps({"services": [{"helth": {}}]}), encoding="utf-8")
    assert 'services[0].helth: this key is not known; did you mean "health"?' in (
        check("-c", path).stderr
    )


def test_a_file_that_is_not_there_is_said(tmp_path):
    result = check("-c", tmp_path / "none.yaml")
    assert result.returncode == 1
    assert result.stderr == f"{tmp_path / 'none.yaml'}: No such file or directory\n"


def test_wrong_usage_is_2():
    assert check("--prnt").returncode == 2
    assert check("-c").returncode == 2
    assert check("--port").returncode == 2
    assert check("--help").returncode == 0


@pytest.mark.parametrize(
    "flags, environment, expected",
    [
        (["--num-servers", "1"], {"ROOST_NUM_SERVERS": "2", "NUM_SERVERS": "4"}, "1"),
        ([], {"ROOST_NUM_SERVERS": "2", "NUM_SERVERS": "4"}, "2"),
        ([], {"NUM_SERVERS": "4"}, "3"),
    ],
)
def test_flag_then_prefix_then_file_then_bare_name(tmp_path, flags, environment, expected):
    path = tmp_path / "roost.yaml"
    path.write_text("services: [{replicas: {count: 3}}]\n", encoding="utf-8")
    assert value(printed("-c", path, *flags, environment=environment), "count") == expected


def test_the_long_bare_name_wins_over_the_short_one():
    assert value(printed(environment={"N": "5"}), "count") == "5"
    assert value(printed(environment={"N": "5", "NUM_SERVERS": "6"}), "count") == "6"


def test_a_bad_setting_is_one_line_that_names_its_source():
    result = check(environment={"NUM_SERVERS": "many"})
    assert result.returncode == 1
    assert result.stderr == (
        "NUM_SERVERS in the environment: "
        'expected a whole number from 0 to 1000, found "many"\n'
    )
    assert check("--port", "0").stderr == (
        '--port: expected a whole number from 1 to 65535, found "0"\n'
    )


def test_a_setting_without_effect_is_one_warning():
    result = check(environment={"NUM_SLOTS": "512"})
    assert result.returncode == 0
    assert result.stderr == (
        "warning: NUM_SLOTS in the environment: has no effect under the scheme slot-hrw\n"
    )


def test_off_loopback_the_control_port_needs_a_token():
    assert check("--control-listen", "0.0.0.0").returncode == 1
    assert "ROOST_CONTROL_TOKEN" in check("--control-listen", "0.0.0.0").stderr
    text = printed("--control-listen", "0.0.0.0", environment={"ROOST_CONTROL_TOKEN": "s3cret"})
    assert "s3cret" not in text


def test_serve_refuses_what_check_refuses(tmp_path):
    path = tmp_path / "roost.yaml"
    path.write_text("workers: many\n", encoding="utf-8")
    result = subprocess.run(
        [BINARY, "serve", "-c", path, "--state", tmp_path / "state"],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert result.returncode != 0
    assert f'{path}:1:10: workers: expected a whole number from 1 to 256, or auto, found "many"' in (
        result.stderr
    )


def test_the_documentation_has_the_programs_own_tables():
    text = DOCUMENTATION.read_text(encoding="utf-8")
    tables = text.split("<!-- begin: roost check --markdown -->\n")[1].split("<!-- end -->")[0]
    assert tables.strip() == check("--markdown").stdout.strip()


def test_the_documentation_links_every_example():
    text = DOCUMENTATION.read_text(encoding="utf-8")
    assert [path.name for path in EXAMPLES if f"../examples/{path.name}" not in text] == []


def conforms(schema, document):
    """Whether a document is what a JSON Schema of our few words describes."""
    if "anyOf" in schema:
        return any(conforms(choice, document) for choice in schema["anyOf"])
    if "const" in schema:
        return document == schema["const"]
    if "enum" in schema:
        return document in schema["enum"]
    kinds = {
        "object": dict,
        "array": list,
        "string": str,
        "boolean": bool,
        "integer": int,
        "number": (int, float),
    }
    names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if not any(isinstance(document, kinds[name]) for name in names):
        return False
    if isinstance(document, dict):
        rest = schema["additionalProperties"]
        known = schema.get("properties", {})
        return all(
            conforms(known.get(key, rest), entry) if known.get(key, rest) else False
            for key, entry in document.items()
        )
    if isinstance(document, list):
        return all(conforms(schema["items"], entry) for entry in document)
    if isinstance(document, str):
        return bool(re.search(schema.get("pattern", ""), document))
    if isinstance(document, bool):
        return True
    return schema.get("minimum", document) <= document <= schema.get("maximum", document)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_examples_conform_to_the_schema(path):
    yaml = pytest.importorskip("yaml")
    schema = json.loads(check("--schema").stdout)
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert conforms(schema, document)
    document["surplus"] = 1
    assert not conforms(schema, document)
