"""Does it run at all: start, answer, add, remove, heal, stop. Needs nothing but Python."""

import os
import signal
import unittest
from collections import Counter

from balancer import Balancer, wait_until


class SmokeTest(unittest.TestCase):
    def setUp(self):
        self.roost = Balancer("--num-servers", 3)
        self.addCleanup(self.roost.end)
        self.roost.start()

    def test_three_replicas_answer_and_share(self):
        greetings = Counter()
        for _ in range(60):
            answer = self.roost.get("/home")
            self.assertEqual(200, answer.status)
            self.assertEqual("successful", answer.json()["status"])
            greetings[answer.json()["message"]] += 1
        self.assertEqual({f"Hello from Server: {number}" for number in (1, 2, 3)}, set(greetings))

    def test_replicas_are_added_and_removed(self):
        answer = self.roost.add(2, ["S5", "S4"])
        self.assertEqual(200, answer.status, answer)
        names = ["Server 1", "Server 2", "Server 3", "S5", "S4"]
        self.assertEqual({"N": 5, "replicas": names}, answer.json()["message"])
        answer = self.roost.rm(1, ["Server 2"])
        self.assertEqual(200, answer.status, answer)
        names.remove("Server 2")
        self.assertEqual(names, self.roost.replicas())
        answer = self.roost.rm(2, ["S4", "nobody"])
        self.assertEqual(404, answer.status, answer)
        self.assertEqual("failure", answer.json()["status"])
        self.assertEqual(names, self.roost.replicas())

    def test_an_unknown_path_is_the_clients_mistake(self):
        answer = self.roost.get("/other?x=1")
        self.assertEqual(400, answer.status)
        self.assertEqual(
            {
                "message": "<Error> '/other' endpoint does not exist in server replicas",
                "status": "failure",
            },
            answer.json(),
        )

    def test_a_killed_replica_comes_back(self):
        before = set(self.roost.pids_with(" replica"))
        self.assertEqual(3, len(before))
        victim = min(before)
        os.kill(victim, signal.SIGKILL)
        for _ in range(50):
            self.assertEqual(200, self.roost.get("/home").status)

        def is_healed():
            now = set(self.roost.pids_with(" replica"))
            return len(now) == 3 and victim not in now

        wait_until(is_healed, 10, "three replicas again")
        self.assertEqual(["Server 1", "Server 2", "Server 3"], self.roost.replicas())

    def test_the_control_port_answers(self):
        self.assertEqual(200, self.roost.on_control("GET", "/livez").status)
        self.assertEqual(3, self.roost.on_control("GET", "/rep").json()["message"]["N"])

    def test_a_signal_ends_everything(self):
        pids = self.roost.pids()
        self.assertGreaterEqual(len(pids), 5)
        self.assertEqual(0, self.roost.terminate(signal.SIGTERM))
        wait_until(lambda: not self.roost.pids(), 10, "no process is left")

    def test_stop_ends_everything_after_a_crash(self):
        self.roost.pids()
        self.roost.terminate(signal.SIGKILL)
        stopped = self.roost.stop_command()
        self.assertEqual(0, stopped.returncode, stopped.stdout + stopped.stderr)
        wait_until(lambda: not self.roost.pids(), 10, "no process is left")
        self.assertEqual(0, self.roost.stop_command().returncode)


if __name__ == "__main__":
    unittest.main()
