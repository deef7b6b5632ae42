#!/usr/bin/env python3
"""Holds the tree to the rules that a compiler does not know: layers, names, sizes, lists.

usage: tools/check_tree.py [ROOT]

Prints `path:line: rule: what is wrong`, exits with 1 where anything was. Each rule is one function
of a Tree; tools/check_tree_test.py breaks each of them once.
"""

import re
import sys
from pathlib import Path

# A file includes its own folder and folders with a smaller number; the same number means strangers.
LAYERS = {
    "base": 0,
    "net": 1,
    "http": 1,
    "balance": 1,
    "conn": 2,
    "proxy": 3,
    "replica": 3,
    "config": 4,
    "control": 5,
    "load": 5,
    "ring": 5,
    "sample": 5,
    "api": 6,
    "ctl": 6,
    "experiment": 6,
    "cli": 7,
}

# Below this number nothing logs: the reason goes back to who decides.
FIRST_LAYER_THAT_LOGS = 3

# What a folder promises never to touch.
FORBIDDEN_INCLUDES = {
    "http": {"base/clock.h", "base/descriptor.h", "unistd.h", "sys/socket.h", "sys/epoll.h"},
    "balance": {"base/clock.h", "base/descriptor.h", "unistd.h", "sys/socket.h", "sys/epoll.h"},
}

FILE_LINES_MAX = 800
HEADER_LINES_MAX = 300
FUNCTION_LINES_MAX = 70

# Functions that stay longer because cutting them would not help the reader: `src/x/file.c:name`.
# At most this share of all functions.
LONG_FUNCTIONS = set()
LONG_FUNCTIONS_SHARE_MAX = 0.03

# Public functions that do not bear their file's name, each with its reason: `src/x/file.c:name`.
PREFIX_EXCEPTIONS = {
    "src/cli/main.c:main",  # C says so
}

FOREIGN_WORDS = {"backend", "backends", "upstream", "upstreams"}

COMMENT_OR_TEXT = re.compile(
    r"""/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.DOTALL
)
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]', re.MULTILINE)
IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
NAME_BEFORE_ARGUMENTS = re.compile(r"([A-Za-z_]\w*)\s*\(")
LIST = re.compile(r"^(?:sources_\w+|unit_tests|fuzz_targets) = (?:files\(|\[)\n(.*?)^[)\]]", re.S | re.M)
LISTED = re.compile(r"'([^']+)'")
NOT_A_NAME = {"__attribute__", "MUST_USE", "PRINTF_LIKE", "defined", "sizeof"}


class Source:
    """One C file: its text, and the same text with comments and literals blanked out."""

    def __init__(self, root, path):
        self.path = path.relative_to(root).as_posix()
        self.name = path.stem
        self.is_header = path.suffix == ".h"
        self.text = path.read_text(encoding="utf-8")
        self.lines = self.text.splitlines()
        self.code = COMMENT_OR_TEXT.sub(blank, self.text)
        parts = self.path.split("/")
        self.folder = parts[-2] if parts[0] == "src" or parts[:2] == ["tests", "unit"] else None
        self.is_test = parts[0] == "tests"

    def line_of(self, offset):
        return self.text.count("\n", 0, offset) + 1

    def includes(self):
        """(line, is_quoted, name) of each include."""
        for match in INCLUDE.finditer(self.text):
            yield self.line_of(match.start(2)), match.group(1) == '"', match.group(2)

    def functions(self):
        """(first line, last line, name, is static) of each definition, from clang-format's layout:
        a signature that starts in column 0, a brace alone in column 0, its twin likewise."""
        lines = self.code.split("\n")
        for at, line in enumerate(lines):
            if line.rstrip() != "{":
                continue
            first = at
            while first > 0 and re.match(r"[A-Za-z_\s*]", lines[first - 1] or "#"):
                first -= 1
                if not lines[first][:1].isspace():
                    break
            signature = " ".join(lines[first:at])
            last = at
            while last < len(lines) - 1 and not lines[last].startswith("}"):
                last += 1
            names = [n for n in NAME_BEFORE_ARGUMENTS.findall(signature) if n not in NOT_A_NAME]
            if names:
                yield first + 1, last + 1, names[0], bool(re.search(r"\bstatic\b", signature))


def blank(match):
    """The same number of lines and columns; quotes stay, so that an empty text is still there."""
    found = match.group(0)
    edge = found[0] if found[0] in "\"'" else " "
    return edge + re.sub(r"[^\n]", " ", found[1:-1]) + edge


class Tree:
    def __init__(self, root):
        self.root = Path(root)
        self.sources = [
            Source(self.root, path)
            for top in ("src", "tests", "bench")
            for path in sorted((self.root / top).rglob("*.[ch]"))
        ]
        self.own = [source for source in self.sources if source.path.startswith("src/")]

    def listed(self, path):
        """The names in the list of a meson.build, in order."""
        file = self.root / path
        found = LIST.search(file.read_text(encoding="utf-8")) if file.exists() else None
        return LISTED.findall(found.group(1)) if found else []


def rule_layers(tree):
    """a file includes its own folder and lower layers only"""
    for source in tree.sources:
        if source.folder is None:
            continue
        if source.folder not in LAYERS:
            yield source.path, 1, f"folder {source.folder} is no layer"
            continue
        for line, is_quoted, name in source.includes():
            folder = name.split("/")[0]
            if not is_quoted or folder == source.folder or folder not in LAYERS:
                continue
            if LAYERS[folder] >= LAYERS[source.folder]:
                yield source.path, line, f"{source.folder}/ may not include {name}"


def rule_absences(tree):
    """what a layer promises not to touch, it does not include"""
    for source in tree.own:
        for line, _, name in source.includes():
            if name in FORBIDDEN_INCLUDES.get(source.folder, ()):
                yield source.path, line, f"{source.folder}/ does no I/O and reads no clock: {name}"
            layer = LAYERS.get(source.folder, 0)
            if name == "base/log.h" and source.folder != "base" and layer < FIRST_LAYER_THAT_LOGS:
                yield source.path, line, f"{source.folder}/ returns the reason and does not log"


def rule_includes(tree):
    """a quoted include names folder and file, exists, and a file's own header comes first"""
    for source in tree.own:
        includes = list(source.includes())
        for line, is_quoted, name in includes:
            if is_quoted and not (tree.root / "src" / name).is_file():
                yield source.path, line, f'"{name}" is no file below src/'
        own = f"{source.folder}/{source.name}.h"
        if source.is_header or not (tree.root / "src" / own).is_file():
            continue
        if not includes or includes[0][2] != own:
            yield source.path, 1, f'the first include is not "{own}"'


def rule_headers(tree):
    """a header starts with what it is and is included once"""
    for source in tree.own:
        if not source.is_header:
            continue
        if not source.text.startswith("/*"):
            yield source.path, 1, "no block comment that says what it is"
        if not re.search(r"^#pragma once$", source.code, re.MULTILINE):
            yield source.path, 1, "no #pragma once"


def rule_prefixes(tree):
    """a public function bears the name of its file"""
    for source in tree.own:
        for line, _, name, is_static in source.functions():
            if is_static and not source.is_header:
                continue
            if name.startswith(source.name + "_") or name == source.name:
                continue
            if f"{source.path}:{name}" not in PREFIX_EXCEPTIONS:
                yield source.path, line, f"{name}() is public and not {source.name}_…"


def rule_sizes(tree):
    """no file over 800 lines, no header over 300"""
    for source in tree.sources:
        limit = HEADER_LINES_MAX if source.is_header else FILE_LINES_MAX
        if len(source.lines) > limit:
            yield source.path, limit, f"{len(source.lines)} lines, {limit} are the limit"


def rule_functions(tree):
    """no function over 70 lines but the few that are listed"""
    total = 0
    long = set()
    for source in tree.own:
        for first, last, name, _ in source.functions():
            total += 1
            lines = last - first + 1
            if lines <= FUNCTION_LINES_MAX:
                continue
            long.add(f"{source.path}:{name}")
            if f"{source.path}:{name}" not in LONG_FUNCTIONS:
                yield source.path, first, f"{name}() has {lines} lines, {FUNCTION_LINES_MAX} are the limit"
    for entry in sorted(LONG_FUNCTIONS - long):
        yield entry.split(":")[0], 1, f"{entry} is on the list of long functions and is not long"
    if len(LONG_FUNCTIONS) > total * LONG_FUNCTIONS_SHARE_MAX:
        yield "tools/check_tree.py", 1, f"{len(LONG_FUNCTIONS)} long functions of {total} are too many"


def rule_threads(tree):
    """every process has one thread"""
    for source in tree.sources:
        for line, _, name in source.includes():
            if name in ("pthread.h", "threads.h"):
                yield source.path, line, f"<{name}>: there are no threads here"
        for match in re.finditer(r"\b(pthread_|thrd_|mtx_)\w+", source.code):
            yield source.path, source.line_of(match.start()), f"{match.group(0)}: no threads here"
    for path in sorted(tree.root.rglob("meson.build")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if re.search(r"dependency\('threads'|-pthread", line):
                yield path.relative_to(tree.root).as_posix(), number, "links threads"


def rule_words(tree):
    """one word per thing: a replica is no backend, an outbound no upstream"""
    for source in tree.sources:
        for match in IDENTIFIER.finditer(source.code):
            word = FOREIGN_WORDS.intersection(match.group(0).lower().split("_"))
            if word:
                line = source.line_of(match.start())
                yield source.path, line, f"{match.group(0)}: we say replica or outbound"


def rule_comments(tree):
    """comments are /* sentences */ and nothing is left for later"""
    for source in tree.sources:
        for match in COMMENT_OR_TEXT.finditer(source.text):
            found = match.group(0)
            line = source.line_of(match.start())
            if found.startswith("//"):
                yield source.path, line, "a // comment"
            if found.startswith("/") and re.search(r"\b(TODO|FIXME|XXX|HACK)\b", found):
                yield source.path, line, "something was left for later"


def rule_lists(tree):
    """every source and test is in its folder's list, sorted, and nothing else is"""
    yield from compare_list(
        "tests/unit/meson.build",
        tree.listed("tests/unit/meson.build"),
        {
            source.path.removeprefix("tests/unit/").removesuffix("_test.c")
            for source in tree.sources
            if source.path.startswith("tests/unit/") and source.path.endswith("_test.c")
        },
    )
    yield from compare_list(
        "tests/fuzz/meson.build",
        tree.listed("tests/fuzz/meson.build"),
        {
            source.name.removesuffix("_fuzz")
            for source in tree.sources
            if source.path.startswith("tests/fuzz/") and source.path.endswith("_fuzz.c")
        },
    )
    for folder in sorted(LAYERS):
        there = {
            Path(source.path).name
            for source in tree.own
            if source.folder == folder and not source.is_header and source.path != "src/cli/main.c"
        }
        path = f"src/{folder}/meson.build"
        yield from compare_list(path, tree.listed(path), there)


def compare_list(path, listed, there):
    for name in sorted(there - set(listed)):
        yield path, 1, f"{name} is not listed"
    for name in sorted(set(listed) - there):
        yield path, 1, f"{name} is listed and not there"
    if listed != sorted(listed):
        yield path, 1, "the list is not sorted"


def rule_tests(tree):
    """a unit test mirrors a file of src/: file_test.c, or file_part_test.c where one is not enough"""
    for source in tree.sources:
        if not source.path.startswith("tests/unit/") or not source.path.endswith("_test.c"):
            continue
        mirrored = source.path.removeprefix("tests/unit/").removesuffix("_test.c")
        words = mirrored.split("_")
        names = ["_".join(words[:count]) for count in range(1, len(words) + 1)]
        ends = [name + end for name in names for end in (".c", ".h")]
        if not any((tree.root / "src" / end).is_file() for end in ends):
            yield source.path, 1, f"there is no src/{mirrored}.c to test"


RULES = {
    name.removeprefix("rule_"): rule
    for name, rule in list(globals().items())
    if name.startswith("rule_")
}


def check(root):
    """{rule: [lines to print]} for every rule, in order."""
    tree = Tree(root)
    return {
        name: [f"{path}:{line}: {name}: {text}" for path, line, text in rule(tree)]
        for name, rule in RULES.items()
    }


def main(arguments):
    root = arguments[0] if arguments else Path(__file__).resolve().parent.parent
    found = [line for lines in check(root).values() for line in lines]
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
