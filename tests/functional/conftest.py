"""Fixtures of the functional tests.

Each test gets its own fake AWS, HAProxy and rollcalld, as far as it asks for them, in a directory with a
short path (a unix socket's path holds 107 characters). After each test its fixtures see to it that the fake
AWS spoke as AWS does, that no request of ours was wrongly signed or malformed, and that no sanitizer spoke.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
import types
from pathlib import Path
from typing import Any, Callable, Generator, Iterator

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parent)]

from fakeaws.control import ACCESS_KEY_ID, SECRET_ACCESS_KEY, FakeAws  # noqa: E402
from rollcall_testlib import paths  # noqa: E402
from rollcall_testlib.daemon import Rollcalld  # noqa: E402
from rollcall_testlib.haproxy import (HAProxy, Ports, shipped_configuration,  # noqa: E402
                                      shipped_environment, slots_configuration, version)

LOG_TAIL = 6000

# The developer's own keys, profiles and proxies have no part in the tests, nor in what they start.
for name in list(os.environ):
    if name.startswith("AWS_") or name.lower().endswith("_proxy"):
        del os.environ[name]


# One suite for every HAProxy: --haproxy names another one, -m haproxy leaves out what would be the same with it.

def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--haproxy", metavar="PATH", help=f"the HAProxy to test with (default {paths.HAPROXY})")


def pytest_configure(config: pytest.Config) -> None:
    paths.HAPROXY = config.getoption("--haproxy") or paths.HAPROXY
    config.addinivalue_line("markers", "haproxy: the test runs an HAProxy (set by itself, from what its fixtures use)")
    config.addinivalue_line("markers", "one_haproxy: it would be the same with each of them: -m haproxy leaves it out")


def pytest_report_header() -> str:
    return f"HAProxy {'.'.join(map(str, version()))}: {paths.HAPROXY}"


def _names(code: types.CodeType) -> set[str]:
    inner = (constant for constant in code.co_consts if isinstance(constant, types.CodeType))
    return set(code.co_names).union(*map(_names, inner))


def _runs_haproxy(function: Any) -> bool:
    """Whether a test or fixture has to do with HAProxy itself, and not by another fixture."""
    code = getattr(getattr(function, "__wrapped__", function), "__code__", None)
    return code is not None and bool(_names(code) & {"haproxies", "HAProxy", "HAPROXY"})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        fixtures = getattr(item, "_fixtureinfo").name2fixturedefs.values()
        functions = [getattr(item, "function"), *(fixture.func for known in fixtures for fixture in known)]
        if any(map(_runs_haproxy, functions)) and not item.get_closest_marker("one_haproxy"):
            item.add_marker("haproxy")


under_test: pytest.Item | None = None


def pytest_runtest_setup(item: pytest.Item) -> None:
    global under_test
    under_test = item


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    """A failed test shows which HAProxy it was, and the logs of its processes."""
    outcome = yield
    report = outcome.get_result()
    if report.failed and item.get_closest_marker("haproxy"):
        report.sections.append(("HAProxy", pytest_report_header()))
    given = getattr(item, "funcargs", {})
    directory = given.get("directory") or getattr(given.get("stack"), "directory", None)
    if report.failed and directory and directory.exists():
        for log in sorted(directory.rglob("*.log")):
            report.sections.append((log.name, log.read_text(errors="replace")[-LOG_TAIL:]))


# The parts as context managers: a fixture of any scope may put them together.

@contextlib.contextmanager
def temporary_directory() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="rc-", dir="/tmp"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def directory() -> Iterator[Path]:
    with temporary_directory() as path:
        yield path


class Aws(FakeAws):
    """The fake AWS of one test, and what that test may do to it without failing."""

    expects_rejections = False  # set by a test that uses wrong keys or clocks

    def check(self) -> None:
        counters = self.control.counters()
        assert not counters["self_faults"], counters["self_faults"][:10]
        assert not counters["client_faults"], f"AWS knows no such members: {counters['client_faults'][:10]}"
        if not self.expects_rejections:
            assert counters["rejected_signatures"] == 0, [
                entry for entry in self.control.requests() if entry["verdict"] != "ok"][:5]


@contextlib.contextmanager
def running_aws(directory: Path) -> Iterator[Aws]:
    with Aws(directory / "aws") as running:
        running.control.create_cluster(cluster="main")
        yield running
        running.check()


@pytest.fixture
def aws(directory: Path) -> Iterator[Aws]:
    """A fake AWS with an empty cluster `main` and the key of fakeaws.control."""
    with running_aws(directory) as running:
        yield running


@pytest.fixture
def service(aws: Aws) -> str:
    """`rng-service` in cluster `main`: two tasks, real processes that serve 1 s after SIGTERM."""
    aws.control.register(family="rng", drain=1.0)
    aws.control.create_service(cluster="main", service="rng-service", desired=2, definition="rng",
                               stop_interval=0.2)
    aws.control.wait_steady("main", "rng-service")
    return "rng-service"


@contextlib.contextmanager
def haproxies(directory: Path) -> Iterator[Callable[..., HAProxy]]:
    """start(): slots; start(text): any configuration; shipped=True: haproxy/haproxy.cfg, with `extra` behind it.
    `edit` changes the text; `also` are files that it reads behind it. {socket}, {grpc}, {tcp} and {stats} stand for the paths and ports that the test gets;
    other keyword arguments go to slots_configuration.
    """
    started: list[HAProxy] = []

    def start(configuration: str | None = None, master: bool = False, shipped: bool = False, extra: str = "",
              edit: Callable[[str], str] = lambda text: text, also: tuple[Path, ...] = (),
              **options: Any) -> HAProxy:
        assert under_test and (under_test.get_closest_marker("haproxy") or under_test.get_closest_marker("one_haproxy")), (
            "a test with HAProxy that -m haproxy would leave out")
        home = directory / f"h{len(started)}"
        home.mkdir()
        ports, socket_path = Ports(), home / "s"
        if shipped:
            configuration = shipped_configuration()
        elif configuration is None:
            configuration = slots_configuration(socket_path, ports, **options)
        configuration = edit(configuration) + extra
        for name, value in {"socket": socket_path, **vars(ports)}.items():
            configuration = configuration.replace(f"{{{name}}}", str(value))
        started.append(HAProxy(home, configuration, socket_path, ports, master,
                               shipped_environment(socket_path, ports), also))
        return started[-1]

    try:
        yield start
    finally:
        for haproxy in started:
            haproxy.stop()


@pytest.fixture
def start_haproxy(directory: Path) -> Iterator[Callable[..., HAProxy]]:
    """See haproxies()."""
    with haproxies(directory) as start:
        yield start


@pytest.fixture
def haproxy(start_haproxy: Callable[..., HAProxy]) -> HAProxy:
    """The plain one: a declared backend `grpc` with 8 slots."""
    return start_haproxy()


@pytest.fixture
def shipped_haproxy(start_haproxy: Callable[..., HAProxy]) -> HAProxy:
    """haproxy/haproxy.cfg as it stands: a declared backend `grpc` with 20 slots."""
    return start_haproxy(shipped=True)


def base_configuration(aws: FakeAws, haproxy: HAProxy, home: Path) -> dict[str, Any]:
    """rollcalld on the fake AWS and that HAProxy, serving rng-service, with intervals for tests."""
    return {
        "ecs": {"region": "eu-west-1", "clusters": ["main"], "endpoint": aws.url, "watch": "200ms",
                "refresh": "1s", "rate_limit": 50, "access_key_id": ACCESS_KEY_ID,
                "secret_access_key": SECRET_ACCESS_KEY},
        "haproxy": {"socket": str(haproxy.runtime.path)},
        "backends": [{"name": "grpc", "match": {"service": "rng-service"}}],
        "control": {"socket": str(home / "c")},
        "state_dir": str(home / "state"),
    }


@contextlib.contextmanager
def daemons(directory: Path, find: Callable[[str], Any]) -> Iterator[Callable[..., Rollcalld]]:
    """start(): base_configuration on find("aws") and find("haproxy"), ready.

    `change` is called with the configuration before the start; `configuration` replaces it (a mapping, or text);
    `haproxy` and `aws` name others; wait=False returns at once.
    """
    if not Path(paths.ROLLCALLD).exists():
        pytest.fail(f"{paths.ROLLCALLD} is not built")
    started: list[Rollcalld] = []

    def start(change: Callable[[dict[str, Any]], Any] | None = None, configuration: Any = None,
              haproxy: HAProxy | None = None, aws: FakeAws | None = None, wait: bool = True,
              env: dict[str, str] | None = None, options: tuple[str, ...] = (),
              under: tuple[str, ...] = ()) -> Rollcalld:
        home = directory / f"r{len(started)}"
        (home / "state").mkdir(parents=True)
        if configuration is None:
            configuration = base_configuration(aws or find("aws"), haproxy or find("haproxy"), home)
        if change:
            change(configuration)
        started.append(Rollcalld(home, configuration, home / "c", env, options, under))
        if wait:
            started[-1].wait_ready()
        return started[-1]

    try:
        yield start
    finally:
        exits = [(daemon.stop(), daemon.expected_exit) for daemon in started]
    reports = [line for daemon in started for line in daemon.sanitizer_reports()]
    assert not reports, reports[:10]
    assert all(code == expected for code, expected in exits), f"rollcalld's exit codes, and the expected: {exits}"


@pytest.fixture
def start_rollcalld(directory: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., Rollcalld]]:
    """See daemons(); what is not named comes from the fixtures `aws` and `haproxy`."""
    with daemons(directory, request.getfixturevalue) as start:
        yield start


@pytest.fixture
def rollcalld(haproxy: HAProxy, service: str, start_rollcalld: Callable[..., Rollcalld]) -> Rollcalld:
    """The whole: rng-service with two tasks, HAProxy with slots, rollcalld ready."""
    return start_rollcalld()
