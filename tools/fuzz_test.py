"""A run of a target must tell a crash from a pass, and where the input is."""

import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import fuzz  # noqa: E402

PASSES = "#!/bin/sh\necho 'stat::number_of_executed_units: 1234'\n"
FINDS = '#!/bin/sh\nfor word; do case $word in -*) ;; *) touch "$word/found"; exit;; esac; done\n'
CRASHES = "#!/bin/sh\necho 'x.c:1: it does not hold'\necho 'Test unit written to /b/crash-1'\nexit 77\n"


class RunTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.addCleanup(setattr, fuzz, "FUZZ", fuzz.FUZZ)
        fuzz.FUZZ = Path(folder.name)

    def run_script(self, text):
        program = fuzz.FUZZ / "target_fuzz"
        program.write_text(text, encoding="utf-8")
        program.chmod(0o755)
        return fuzz.run("target", program, 1)

    def test_a_pass_counts_its_inputs(self):
        result = self.run_script(PASSES)
        self.assertTrue(result.has_passed)
        self.assertEqual("target: 1234 inputs, 0 new ones kept", result.line())

    def test_what_is_found_is_kept_and_counted_once(self):
        self.assertEqual(1, self.run_script(FINDS).fresh)
        self.assertEqual(0, self.run_script(FINDS).fresh)
        self.assertTrue((fuzz.FUZZ / "corpus" / "target" / "found").exists())

    def test_a_crash_fails_and_names_its_input(self):
        result = self.run_script(CRASHES)
        self.assertFalse(result.has_passed)
        self.assertEqual("target: FAILED, the input is in /b/crash-1", result.line())
        self.assertIn("does not hold", result.text)


if __name__ == "__main__":
    unittest.main()
