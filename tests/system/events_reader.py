"""Reads server-sent events from the control port of a balancer."""

import json
import socket
import threading
import time

from balancer import RawSocket

EVENT_TIMEOUT_S = 10


class Events:
    """Follows /v1/events in a thread: .all is what came so far, each event as its JSON with "sse"
    (the id) besides."""

    def __init__(self, roost, query="", headers=None):
        self.raw = RawSocket(roost.control_port, timeout_s=EVENT_TIMEOUT_S)
        lines = [f"{name}: {value}" for name, value in (headers or {}).items()]
        self.raw.send(
            "\r\n".join([f"GET /v1/events{query} HTTP/1.1", "Host: localhost", *lines, "", ""])
        )
        self.status, fields = self.raw.read_head()
        self.fields = {name.lower(): value for name, value in fields}
        self.all = []
        self.comments = 0
        self.is_over = False  # it was ended in order
        self.is_cut = False
        self._text = b""
        self.thread = threading.Thread(target=self._follow, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        try:
            self.raw.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.thread.join(EVENT_TIMEOUT_S)
        self.raw.close()

    def _follow(self):
        try:
            while size := int(self.raw.read_until(b"\r\n"), 16):
                self._take(self.raw.read_exactly(size))
                self.raw.read_exactly(2)
            self.is_over = True
        except (AssertionError, OSError, ValueError):
            self.is_cut = True

    def _take(self, data):
        self._text += data
        while b"\n\n" in self._text:
            frame, self._text = self._text.split(b"\n\n", 1)
            fields = dict(
                line.split(": ", 1) for line in frame.decode().splitlines() if line[:1] != ":"
            )
            if not fields:
                self.comments += 1
                continue
            event = json.loads(fields["data"])
            event["sse"] = fields.get("id")
            assert event["what"] == fields["event"]
            self.all.append(event)

    def wait_for(self, condition, timeout_s=EVENT_TIMEOUT_S):
        """The first event, from the start on, that fits."""
        end = time.monotonic() + timeout_s
        while True:
            for event in list(self.all):
                if condition(event):
                    return event
            assert time.monotonic() < end, [event["what"] for event in self.all]
            time.sleep(0.01)

    def named(self, what, replica=None):
        return self.wait_for(
            lambda event: event["what"] == what and (not replica or replica in event["replicas"])
        )

    def wait_for_change(self, number):
        """The event of the change of a pool with that number, from 0."""
        seen = []

        def is_it(event):
            if event["what"].startswith("pool.") and event not in seen:
                seen.append(event)
            return len(seen) > number and event == seen[number]

        return self.wait_for(is_it)
