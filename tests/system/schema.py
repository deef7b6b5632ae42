"""A small validator of the JSON Schema keywords that docs/openapi.yaml uses."""

import re

TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}
ANNOTATIONS = {"description", "default", "format"}


class Document:
    """An OpenAPI document."""

    def __init__(self, whole):
        self.whole = whole

    def resolve(self, value):
        """What a $ref stands for."""
        while isinstance(value, dict) and "$ref" in value:
            target = self.whole
            for part in value["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            value = target
        return value

    def complaints(self, value, schema, at="$"):
        """Why `value` does not fit, as sentences; [] where it does."""
        schema = self.resolve(schema)
        found = []
        for keyword, wanted in schema.items():
            if keyword not in ANNOTATIONS:
                found += getattr(self, "_" + keyword)(value, wanted, schema, at)
        return found

    @staticmethod
    def _is(value, name):
        if isinstance(value, bool):
            return name == "boolean"
        return isinstance(value, TYPES[name])

    def _type(self, value, wanted, _, at):
        names = wanted if isinstance(wanted, list) else [wanted]
        if any(self._is(value, name) for name in names):
            return []
        return [f"{at}: {value!r} is no {wanted}"]

    def _enum(self, value, wanted, _, at):
        return [] if value in wanted else [f"{at}: {value!r} is none of {wanted}"]

    def _pattern(self, value, wanted, _, at):
        if not isinstance(value, str) or re.search(wanted, value):
            return []
        return [f"{at}: {value!r} does not fit {wanted}"]

    def _minimum(self, value, wanted, _, at):
        if not isinstance(value, (int, float)) or value >= wanted:
            return []
        return [f"{at}: {value} < {wanted}"]

    def _maximum(self, value, wanted, _, at):
        if not isinstance(value, (int, float)) or value <= wanted + 1e-6:
            return []
        return [f"{at}: {value} > {wanted}"]

    def _required(self, value, wanted, _, at):
        if not isinstance(value, dict):
            return []
        return [f"{at}: {name} is missing" for name in wanted if name not in value]

    def _properties(self, value, wanted, _, at):
        if not isinstance(value, dict):
            return []
        found = []
        for name, schema in wanted.items():
            if name in value:
                found += self.complaints(value[name], schema, f"{at}.{name}")
        return found

    def _additionalProperties(self, value, wanted, schema, at):  # noqa: N802
        if not isinstance(value, dict):
            return []
        others = [name for name in value if name not in schema.get("properties", {})]
        if wanted is False:
            return [f"{at}: {name} is not in the document" for name in others]
        found = []
        for name in others:
            found += self.complaints(value[name], wanted, f"{at}.{name}")
        return found

    def _items(self, value, wanted, _, at):
        if not isinstance(value, list):
            return []
        found = []
        for number, item in enumerate(value):
            found += self.complaints(item, wanted, f"{at}[{number}]")
        return found
