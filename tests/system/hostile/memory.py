"""A balancer in little memory: a control group, of either version, where one may be made."""

import os
import time
from pathlib import Path

from balancer import BINARY

V1 = Path("/sys/fs/cgroup/memory")
V2 = Path("/sys/fs/cgroup")
END_S = 5


def write(path, text):
    try:
        path.write_text(text, encoding="ascii")
    except OSError:
        return False
    return True


class Group:
    """A control group with so much memory; .version is None where none may be made: then nothing
    is limited, and whoever asks for .peak_bytes() learns whether it would have been too much."""

    def __init__(self, limit_bytes):
        self.version = None
        self.peak = 0
        self.path = None
        # Where nobody has asked for it yet.
        if (V2 / "cgroup.subtree_control").exists():
            write(V2 / "cgroup.subtree_control", "+memory")
        for version, root, limit in (1, V1, "memory.limit_in_bytes"), (2, V2, "memory.max"):
            path = root / f"roost-test-{os.getpid()}"
            try:
                path.mkdir()
            except OSError:
                continue
            if (path / limit).exists() and write(path / limit, str(limit_bytes)):
                self.version, self.path = version, path
                return
            path.rmdir()

    def wrap(self, folder):
        """A program that runs ours inside."""
        inside = folder / "roost-inside"
        enter = f"echo $$ > {self.path}/cgroup.procs || exit 1" if self.path else ":"
        inside.write_text(f'#!/bin/sh\n{enter}\nexec "{BINARY}" "$@"\n', encoding="utf-8")
        inside.chmod(0o755)
        return inside

    def kills(self):
        """How many processes the kernel has killed in it."""
        if not self.path:
            return 0
        name = "memory.oom_control" if self.version == 1 else "memory.events"
        words = (self.path / name).read_text(encoding="ascii").split()
        return int(words[words.index("oom_kill") + 1])

    def look(self, pids):
        """Takes note of what these processes have now; only needed where there is no group."""
        total = 0
        for pid in pids:
            try:
                text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
            except OSError:
                continue
            # What they share counts for each: more than a group would count, never less.
            total += sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmRSS:"))
        self.peak = max(self.peak, total * 1024)

    def peak_bytes(self):
        name = "memory.max_usage_in_bytes" if self.version == 1 else "memory.peak"
        path = self.path / name if self.path else None
        if path and path.exists():
            return int(path.read_text(encoding="ascii"))
        return self.peak

    def end(self):
        """Its processes have ended, or are about to."""
        end = time.monotonic() + END_S
        while self.path:
            try:
                self.path.rmdir()
                return
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)
