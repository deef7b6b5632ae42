"""What system tests start from. A test gets the real binary ($ROOST, else build/roost)."""

import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import balancer as balancer_module  # noqa: E402
from balancer import Balancer  # noqa: E402


TEST_TIMEOUT_S = 120
TEST_LONG_TIMEOUT_S = 1800


def on_term(*_):
    raise KeyboardInterrupt


def on_alarm(*_):
    raise AssertionError("the test took too long")


def pytest_configure(config):
    config.addinivalue_line("markers", "long: runs with --long only")
    # Ended from outside, the balancers end too.
    signal.signal(signal.SIGTERM, on_term)
    signal.signal(signal.SIGALRM, on_alarm)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    """A test that hangs fails."""
    is_long = item.config.getoption("--long")
    signal.alarm(TEST_LONG_TIMEOUT_S if is_long else TEST_TIMEOUT_S)
    yield
    signal.alarm(0)


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="the full counts")


def pytest_collection_modifyitems(config, items):
    """Without --long a long test is no test: not one that was skipped."""
    if not config.getoption("--long"):
        items[:] = [item for item in items if not item.get_closest_marker("long")]


@pytest.fixture(scope="session")
def is_long(request):
    """Whether the full counts were asked for."""
    return request.config.getoption("--long")


class Nest:
    """Starts balancers and ends them all."""

    def __init__(self):
        self.started = []

    def __call__(self, *flags, **options):
        """A balancer that serves. Options: config, environment."""
        return self.prepare(*flags, **options).start()

    def prepare(self, *flags, **options):
        """A balancer that was not started yet."""
        made = Balancer(*flags, **options)
        self.started.append(made)
        return made

    def end(self):
        """Ends them; an AssertionError where one of them left a process behind or broke."""
        complaints = []
        for made in reversed(self.started):
            was_killed = made.process is not None and made.process.poll() == -signal.SIGKILL
            log = made.events_text()
            try:
                left = made.end()
            except AssertionError as why:
                complaints.append(str(why))
                continue
            if left and not was_killed:
                complaints.append(f"processes left behind: {left}\n{log}")
        assert not complaints, "\n".join(complaints)

    def logs(self):
        return [(made.command(), made.events_text()) for made in self.started]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what its balancers said."""
    report = (yield).get_result()
    if report.when != "call" or not report.failed:
        return
    for value in item.funcargs.values():
        nests = [value] if isinstance(value, Nest) else []
        for command, log in [entry for nest in nests for entry in nest.logs()]:
            report.sections.append((" ".join(command), log))
        if isinstance(value, Balancer):
            report.sections.append((" ".join(value.command()), value.events_text()))


@pytest.fixture
def start():
    """Starts balancers of this test: `start("--num-servers", 1)`."""
    nest = Nest()
    yield nest
    nest.end()


@pytest.fixture
def roost(start):
    """The embedded default, for this test alone."""
    return start()


@pytest.fixture(scope="module")
def start_shared():
    """Starts balancers that the tests of a file share."""
    nest = Nest()
    yield nest
    nest.end()


@pytest.fixture(scope="module")
def shared_roost(start_shared):
    """The embedded default, shared by the tests of a file: they must leave it as it was."""
    return start_shared()


@pytest.fixture(scope="session", autouse=True)
def no_orphans():
    yield
    balancer_module.end_orphans()
