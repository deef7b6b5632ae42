"""The runner must see a failure in what a suite left behind."""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import test_all  # noqa: E402

OK = "[ RUN      ] a\n[       OK ] a\n"
FAILED = "[ RUN      ] b\n[  FAILED  ] b\n"
SKIPPED = "[ RUN      ] c\n[  SKIPPED ] c\n"
UNENDED = "[ RUN      ] d\n"


class CountTest(unittest.TestCase):
    def cmocka(self, stdout, result="OK"):
        return str(test_all.count_cmocka({"stdout": stdout, "result": result}))

    def test_every_function_of_cmocka_counts(self):
        self.assertEqual("1 passed, 0 failed, 0 skipped", self.cmocka(OK))
        counted = self.cmocka(OK + FAILED + SKIPPED + "noise\n", "FAIL")
        self.assertEqual("1 passed, 1 failed, 1 skipped", counted)

    def test_a_crash_is_a_failure(self):
        self.assertEqual("1 passed, 1 failed, 0 skipped", self.cmocka(OK + UNENDED, "FAIL"))

    def test_a_program_that_fails_after_its_tests_is_a_failure(self):
        self.assertEqual("1 passed, 1 failed, 0 skipped", self.cmocka(OK, "FAIL"))

    def test_a_time_out_is_a_failure(self):
        self.assertEqual("0 passed, 1 failed, 0 skipped", self.cmocka("", "TIMEOUT"))

    def test_a_program_without_functions_is_one_test(self):
        self.assertEqual("1 passed, 0 failed, 0 skipped", self.cmocka("fine\n"))

    def test_a_report_of_pytest_is_summed(self):
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report.xml"
            report.write_text(
                '<testsuites><testsuite tests="4" failures="2" errors="1" skipped="1">'
                '<testcase name="a"/><testcase name="b"><skipped/></testcase>'
                '<testcase name="c"><failure/></testcase>'
                '<testcase name="d"><failure/><error/></testcase>'
                "</testsuite></testsuites>"
            )
            counted = str(test_all.count_junit(report))
        self.assertEqual("1 passed, 2 failed, 1 skipped", counted)

    def unittest(self, body):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "some_test.py"
            file.write_text(f"import unittest\n\n\n{body}\n\nunittest.main()\n")
            return str(test_all.unittest(file))

    def test_a_run_of_unittest_is_summed(self):
        counted = self.unittest(
            "class T(unittest.TestCase):\n"
            "    def test_a(self):\n        pass\n"
            "    def test_b(self):\n        self.fail()\n"
            "    def test_c(self):\n        1 / 0\n"
            "    def test_d(self):\n        self.skipTest('x')\n"
        )
        self.assertEqual("1 passed, 2 failed, 1 skipped", counted)

    def test_a_file_that_does_not_load_is_a_failure(self):
        self.assertEqual("0 passed, 1 failed, 0 skipped", self.unittest("import nothing_of_this"))


class MainTest(unittest.TestCase):
    def run_main(self, counted, ci):
        code = (
            "import sys, test_all\n"
            f"test_all.suite_tools = lambda options: test_all.Count{counted}\n"
            "test_all.learn_of_cmocka = lambda: None\n"
            "sys.exit(test_all.main())\n"
        )
        return subprocess.run(
            [sys.executable, "-c", code, "tools"],
            cwd=Path(__file__).resolve().parent,
            env={**os.environ, "CI": ci},
            capture_output=True,
            text=True,
        )

    def test_the_last_line_sums_up(self):
        done = self.run_main((3, 0, 1), "")
        self.assertEqual("3 passed, 0 failed, 1 skipped", done.stdout.splitlines()[-1])
        self.assertEqual(0, done.returncode, done.stderr)

    def test_a_failure_fails(self):
        self.assertEqual(1, self.run_main((3, 1, 0), "").returncode)

    def test_in_ci_a_skipped_test_fails(self):
        self.assertEqual(1, self.run_main((3, 0, 1), "true").returncode)

    def test_a_suite_that_ran_nothing_fails(self):
        done = self.run_main((0, 0, 0), "")
        self.assertEqual("0 passed, 1 failed, 0 skipped", done.stdout.splitlines()[-1])
        self.assertEqual(1, done.returncode)


if __name__ == "__main__":
    unittest.main()
