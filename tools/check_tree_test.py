"""Each rule of check_tree.py must be able to fail: every test breaks one in a tree of its own."""

import contextlib
import io
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent))

import check_tree  # noqa: E402

HEADER = "/* What it is. */\n#pragma once\n\nint {name}_get(void);\n"
SOURCE = '#include "{folder}/{name}.h"\n\nint {name}_get(void)\n{{\n    return 0;\n}}\n'


class CheckTreeTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        for folder in check_tree.LAYERS:
            self.write(f"src/{folder}/meson.build", f"sources_{folder} = files(\n)\n")
        self.module("base", "view")

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def append(self, path, text):
        file = self.root / path
        file.write_text(file.read_text(encoding="utf-8") + text, encoding="utf-8")

    def module(self, folder, name, more=""):
        """A source and its header that break nothing, and after them `more`."""
        self.write(f"src/{folder}/{name}.h", HEADER.format(name=name))
        self.write(f"src/{folder}/{name}.c", SOURCE.format(folder=folder, name=name) + more)
        names = sorted(path.name for path in (self.root / "src" / folder).glob("*.c"))
        lines = "".join(f"  '{name}',\n" for name in names)
        self.write(f"src/{folder}/meson.build", f"sources_{folder} = files(\n{lines})\n")

    def found(self):
        """{rule: lines} of the rules that something broke."""
        return {rule: lines for rule, lines in check_tree.check(self.root).items() if lines}

    def assert_broken(self, rule, text):
        found = self.found()
        self.assertEqual([rule], list(found), found)
        self.assertEqual(1, len(found[rule]), found)
        self.assertIn(text, found[rule][0])

    def test_a_clean_tree_breaks_nothing(self):
        self.module("proxy", "worker", '#include "base/view.h"\n')
        self.write("tests/unit/proxy/worker_test.c", '#include "proxy/worker.h"\n')
        self.write("tests/unit/meson.build", "unit_tests = [\n  'proxy/worker',\n]\n")
        self.assertEqual({}, self.found())

    def test_layers_forbid_an_include_upwards(self):
        self.module("net", "loop")
        self.append("src/base/view.c", '#include "net/loop.h"\n')
        self.assert_broken("layers", "src/base/view.c:7: layers: base/ may not include net/loop.h")

    def test_layers_of_the_same_number_are_strangers(self):
        self.module("net", "loop")
        self.module("http", "head", '#include "net/loop.h"\n')
        self.assert_broken("layers", "http/ may not include net/loop.h")

    def test_layers_hold_for_unit_tests(self):
        self.module("net", "loop")
        self.write("tests/unit/base/view_test.c", '#include "net/loop.h"\n')
        self.write("tests/unit/meson.build", "unit_tests = [\n  'base/view',\n]\n")
        self.assert_broken("layers", "tests/unit/base/view_test.c:1")

    def test_layers_know_every_folder(self):
        self.write("src/misc/thing.h", HEADER.format(name="thing"))
        self.assert_broken("layers", "folder misc is no layer")

    def test_absences_keep_io_out_of_http(self):
        self.module("http", "head", "#include <sys/socket.h>\n")
        self.assert_broken("absences", "http/ does no I/O")

    def test_absences_keep_the_log_out_of_lower_layers(self):
        self.module("base", "log")
        self.module("conn", "inbound", '#include "base/log.h"\n')
        self.assert_broken("absences", "conn/ returns the reason")

    def test_includes_name_a_file_that_exists(self):
        self.append("src/base/view.c", '#include "base/gone.h"\n')
        self.assert_broken("includes", '"base/gone.h" is no file')

    def test_includes_name_the_folder(self):
        self.append("src/base/view.c", '#include "view.h"\n')
        self.assert_broken("includes", '"view.h" is no file')

    def test_includes_start_with_the_own_header(self):
        text = SOURCE.format(folder="base", name="view")
        self.write("src/base/view.c", "#include <errno.h>\n" + text)
        self.assert_broken("includes", 'the first include is not "base/view.h"')

    def test_headers_say_what_they_are(self):
        self.write("src/base/list.h", "#pragma once\n")
        self.assert_broken("headers", "no block comment")

    def test_headers_are_included_once(self):
        self.write("src/base/list.h", "/* A list. #pragma once */\n")
        self.assert_broken("headers", "no #pragma once")

    def test_prefixes_bind_public_functions(self):
        self.append("src/base/view.c", "\nint helper(int a,\n           int b)\n{\n    return a + b;\n}\n")
        self.assert_broken("prefixes", "src/base/view.c:8: prefixes: helper() is public")

    def test_prefixes_bind_inline_functions_of_a_header(self):
        self.append("src/base/view.h", "static inline int get(void)\n{\n    return 1;\n}\n")
        self.assert_broken("prefixes", "get() is public")

    def test_prefixes_leave_static_functions_alone(self):
        self.append("src/base/view.c", "static int helper(void)\n{\n    return 1;\n}\n")
        self.assertEqual({}, self.found())

    def test_prefixes_see_through_attributes(self):
        self.append("src/base/view.c", "MUST_USE char *PRINTF_LIKE(1, 2) other(void)\n{\n}\n")
        self.assert_broken("prefixes", "other() is public")

    def test_sizes_limit_files(self):
        self.append("src/base/view.c", "\n" * 800)
        self.assert_broken("sizes", "806 lines, 800 are the limit")

    def test_sizes_limit_headers(self):
        self.append("src/base/view.h", "\n" * 300)
        self.assert_broken("sizes", "304 lines, 300 are the limit")

    def long_function(self, lines):
        return "static int count(void)\n{\n" + "    ;\n" * (lines - 3) + "}\n"

    def test_functions_may_have_seventy_lines(self):
        self.append("src/base/view.c", self.long_function(70))
        self.assertEqual({}, self.found())

    def test_functions_may_not_have_more(self):
        self.append("src/base/view.c", self.long_function(71))
        self.assert_broken("functions", "count() has 71 lines")

    def test_functions_on_the_list_may_be_three_in_a_hundred(self):
        self.append("src/base/view.c", self.long_function(71))
        with mock.patch.object(check_tree, "LONG_FUNCTIONS", {"src/base/view.c:count"}):
            self.assert_broken("functions", "1 long functions of 2 are too many")
            for number in range(40):
                self.append("src/base/view.c", f"static int f{number}(void)\n{{\n}}\n")
            self.assertEqual({}, self.found())

    def test_functions_leave_the_list_when_they_are_short(self):
        for number in range(40):
            self.append("src/base/view.c", f"static int f{number}(void)\n{{\n}}\n")
        with mock.patch.object(check_tree, "LONG_FUNCTIONS", {"src/base/view.c:gone"}):
            self.assert_broken("functions", "is not long")

    def test_threads_may_not_be_included(self):
        self.append("src/base/view.c", "#include <pthread.h>\n")
        self.assert_broken("threads", "<pthread.h>")

    def test_threads_may_not_be_started(self):
        self.append("src/base/view.c", "int x = pthread_create(0);\n")
        self.assert_broken("threads", "pthread_create")

    def test_threads_may_not_be_linked(self):
        self.write("meson.build", "x = dependency('threads')\n")
        self.assert_broken("threads", "meson.build:1")

    def test_words_of_others_are_no_identifiers(self):
        self.append("src/base/view.c", "static int pick_backend;\n")
        self.assert_broken("words", "pick_backend")

    def test_words_may_stand_in_comments_and_texts(self):
        self.append("src/base/view.c", '/* nginx says upstream */\nchar *x = "backend";\n')
        self.assertEqual({}, self.found())

    def test_comments_are_block_comments(self):
        self.append("src/base/view.c", "int a; // one\nchar *b = \"http://c\";\n")
        self.assert_broken("comments", "a // comment")

    def test_comments_leave_nothing_for_later(self):
        self.append("src/base/view.c", "/* TO" + "DO: more. */\n")
        self.assert_broken("comments", "left for later")

    def test_lists_hold_every_source(self):
        self.write("src/base/meson.build", "sources_base = files(\n)\n")
        self.assert_broken("lists", "view.c is not listed")

    def test_lists_end_where_the_build_goes_on(self):
        self.append("src/base/meson.build", "x = custom_target(\n  'x',\n  output: [\n  'y',\n])\n")
        self.assertEqual({}, self.found())

    def test_lists_hold_nothing_that_is_gone(self):
        self.write("src/base/meson.build", "sources_base = files(\n  'gone.c',\n  'view.c',\n)\n")
        self.assert_broken("lists", "gone.c is listed and not there")

    def test_lists_are_sorted(self):
        self.module("base", "list")
        self.write("src/base/meson.build", "sources_base = files(\n  'view.c',\n  'list.c',\n)\n")
        self.assert_broken("lists", "the list is not sorted")

    def test_lists_hold_every_test(self):
        self.write("tests/unit/base/view_test.c", '#include "base/view.h"\n')
        self.assert_broken("lists", "base/view is not listed")

    def test_lists_hold_every_fuzz_target(self):
        self.write("tests/fuzz/view_fuzz.c", "\n")
        self.assert_broken("lists", "tests/fuzz/meson.build:1: lists: view is not listed")

    def test_tests_mirror_a_source(self):
        self.write("tests/unit/base/gone_test.c", "\n")
        self.write("tests/unit/meson.build", "unit_tests = [\n  'base/gone',\n]\n")
        self.assert_broken("tests", "there is no src/base/gone.c")

    def test_every_rule_is_broken_here(self):
        tests = " ".join(name for name in dir(self) if name.startswith("test_"))
        for rule in check_tree.RULES:
            self.assertIn(f"test_{rule}_", tests)

    def test_the_command_says_what_it_found(self):
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            self.assertEqual(0, check_tree.main([self.root]))
            self.append("src/base/view.c", "int a; // one\n")
            self.assertEqual(1, check_tree.main([self.root]))
        self.assertEqual("src/base/view.c:7: comments: a // comment\n", printed.getvalue())


if __name__ == "__main__":
    unittest.main()
