"""One run's world: fake AWS with a service, HAProxy with a small configuration, rollcalld, and the traffic."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Iterator

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[1] / "functional")]

import conftest  # noqa: E402  (of the functional tests: the same parts)
from fakeaws.processes import rng_command  # noqa: E402
from rng import journal  # noqa: E402
from rollcall_testlib import haproxy as hap, paths  # noqa: E402
from rollcall_testlib.daemon import Rollcalld, to_yaml  # noqa: E402
from rollcall_testlib.waiting import wait_until  # noqa: E402

from .traffic import Mix, Traffic  # noqa: E402
from .verdict import Allowed, End, Reload, Verdict, judge  # noqa: E402

SERVICE = {"cluster": "main", "service": "rng-service"}

# Kinds of task: seconds that it serves after SIGTERM, and that its calls then have to finish.
# A `goaway` task has longer than the longest stream (5 s): it cuts none.
STOPS = {"serving": (3.0, 5.0), "goaway": (0.0, 8.0), "closing": (0.0, 0.0)}

# Kinds of backend. managed: as rollcalld chooses, at run time on 3.4; managed-reload: by file and reload on 3.4, too.
BACKENDS = ("slots", "dynamic", "managed", "managed-reload", "shipped")


class Skip(Exception):
    """This version, or this rollcalld, has no such kind of backend."""


def haproxies() -> list[str]:
    """The machine's own, and those of other versions that tests/haproxy/fetch has fetched."""
    had = Path(os.environ.get("ROLLCALL_HAPROXIES", paths.TOP / "tests" / "haproxy" / "had"))
    by_version = {version_text(found): found for found in [*sorted(map(str, had.glob("*/haproxy"))), paths.HAPROXY]}
    return [by_version[version] for version in sorted(by_version)]


def version_text(haproxy: str = "") -> str:
    text = subprocess.run([haproxy or paths.HAPROXY, "-v"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"version (\d+\.\d+\.\d+)", text)
    assert found, text
    return found.group(1)


class NoTest:
    """conftest asks the test under way whether it may run an HAProxy; here is none."""

    @staticmethod
    def get_closest_marker(_name: str) -> bool:
        return True


@dataclasses.dataclass(frozen=True)
class Setting:
    backend: str = "slots"
    stop: str = "serving"
    idempotent: bool = False  # retry-on empty-response: calls may be replayed
    fast: bool = False        # intervals of the functional tests, not the defaults of the product
    mix: Mix = Mix()


def streams_key(version: tuple[int, int]) -> str:
    """What limits the concurrent streams of a client connection."""
    return "tune.h2.fe.max-concurrent-streams" if version >= (2, 8) else "tune.h2.max-concurrent-streams"


def haproxy_configuration(setting: Setting, version: tuple[int, int]) -> str:
    """The smallest one for such a backend on such a version."""
    retry = "conn-failure empty-response" if setting.idempotent else "conn-failure"
    return f"""\
global
    stats socket {{socket}} mode 600 level admin
    stats timeout 10s
    hard-stop-after 1m
    {streams_key(version)} 1000

defaults rollcall
    mode http
    balance roundrobin
    http-reuse always
    timeout connect 1s
    timeout client 1m
    timeout server 1m
    timeout check 1s
    timeout queue 5s
    timeout http-request 10s
    retries 3
    option redispatch 1
    retry-on {retry}

frontend grpc_in from rollcall
    bind 127.0.0.1:{{grpc}} proto h2
""" + (MANAGED if is_managed(setting) else _declared(setting, version))


def is_managed(setting: Setting) -> bool:
    return setting.backend.startswith("managed")


# The section itself comes from backends.cfg.
MANAGED = """\
    http-request set-var(txn.backend) str(grpc)
    use_backend %[var(txn.backend)]
    default_backend nobody
backend nobody from rollcall
"""


def _declared(setting: Setting, version: tuple[int, int]) -> str:
    # After a reload calls wait for rollcalld to bring the servers back. 2.6 cannot.
    wait = """\
    tcp-request inspect-delay 1500ms
    tcp-request content accept if { nbsrv(grpc) gt 0 }
    tcp-request content accept if WAIT_END
""" if version >= (3, 0) else ""
    servers = """\
    default-server proto h2 check inter 1s fastinter 100ms downinter 1s rise 2 fall 3 observe layer7 error-limit 1 on-error fastinter
    server-template rc_ 1-20 0.0.0.0:0 disabled
""" if setting.backend == "slots" else ""
    return f"{wait}    default_backend grpc\n\nbackend grpc from rollcall\n{servers}"


def allowed(setting: Setting, version: tuple[int, int], kills: bool, many: bool) -> Allowed:
    """`kills`: tasks are killed; `many`: so many end at a time that few or none may be left to take a call."""
    abrupt = kills or setting.stop != "serving"
    many_abrupt = many and setting.stop != "serving"
    return Allowed(refused=many_abrupt or (abrupt and version >= (3, 2) and not setting.idempotent),
                   reload=version < (3, 0) and not is_managed(setting),
                   twice=setting.idempotent and (kills or setting.stop == "closing"))


class Stage:
    """What a case has in its hands. Each thing done is marked, with its time."""

    def __init__(self, aws: Any, haproxy: hap.HAProxy, rollcalld: Rollcalld, setting: Setting,
                 directory: Path) -> None:
        self.aws, self.haproxy, self.rollcalld, self.setting = aws, haproxy, rollcalld, setting
        self.marks: list[tuple[float, str]] = []
        self.begin = time.monotonic()
        self._ends: list[End] = []
        self._reloads: list[Reload] = []
        self._traffic = Traffic(directory, haproxy.target, setting.mix)

    def mark(self, text: str) -> None:
        self.marks.append((time.monotonic(), text))

    @property
    def calm(self) -> float:
        """Seconds of load alone before, between and after what happens."""
        return 0.7 if self.setting.fast else 2.0

    def pause(self, seconds: float) -> None:
        """Load, and nothing else."""
        time.sleep(seconds)

    # What happens to tasks

    def running(self) -> list[dict[str, Any]]:
        return self.aws.control.running(**SERVICE)

    def scale(self, desired: int) -> None:
        self.mark(f"scale to {desired}")
        self.aws.control.scale(**SERVICE, desired=desired)

    def roll(self) -> None:
        self.mark("roll all tasks")
        self.aws.control.roll(**SERVICE)

    def settle(self) -> None:
        """Until the service is steady and HAProxy serves exactly its tasks."""
        self.aws.control.wait_steady(**SERVICE, timeout=90)
        hap.wait_serving(self.haproxy, "grpc", self.running(), timeout=30)
        self.mark(f"steady, {len(self.running())} tasks")

    def kill_task(self) -> None:
        task = next(task for task in self.running() if task["pid"])
        os.kill(task["pid"], signal.SIGKILL)
        self._ends.append(End(task["id"], time.monotonic(), cuts=True))
        self.mark(f"kill -9 of task {task['id'][:8]}")

    def stop_task(self) -> None:
        task = next(task for task in self.running() if task["pid"])
        self.mark(f"stop of task {task['id'][:8]}")
        self.aws.control.stop_task(task=task["id"])

    # To HAProxy and rollcalld

    def reload(self) -> None:
        begun = time.monotonic()
        self.mark("reload")
        self.haproxy.reload()
        self._reloads.append(Reload(begun, time.monotonic()))

    def kill_rollcalld(self) -> None:
        self.mark("kill -9 of rollcalld, and a new start")
        self.rollcalld.kill()
        self.rollcalld.start()

    # The whole

    @contextlib.contextmanager
    def traffic(self) -> Iterator[None]:
        with self._traffic:
            self.begin = time.monotonic()
            yield
            self.mark("no new calls")
            self.calls = self._traffic.stop()

    def verdict(self) -> Verdict:
        work = Path(self.aws.control.tasks(**SERVICE)[0]["output"]).parent
        journals = {file.stem: journal.read(file) for file in work.glob("*.calls")}
        ends = list(self._ends)
        if self.setting.stop != "serving":
            cuts = STOPS[self.setting.stop][1] == 0
            ends += [End(task, found.times[journal.ENDS], cuts) for task, found in journals.items()
                     if journal.ENDS in found.times]
        found = judge(self.calls, journals, ends, self._reloads)
        found.lateness = self._traffic.lateness
        return found


def start_service(aws: Any, desired: int, stop: str) -> None:
    drain, finish = STOPS[stop]
    aws.control.register(family="rng", process=[*rng_command(drain), "--finish", str(finish)])
    aws.control.create_service(**SERVICE, desired=desired, definition="rng")
    aws.control.wait_steady(**SERVICE)


def rollcall_configuration(setting: Setting, haproxy: hap.HAProxy,
                           managed: dict[str, str]) -> Callable[[dict[str, Any]], None]:
    def change(configuration: dict[str, Any]) -> None:
        if not setting.fast:
            for name in ("watch", "refresh", "rate_limit"):
                del configuration["ecs"][name]
        if setting.backend != "slots":
            configuration["backends"][0] |= {"check": {"inter": "1s", "rise": 2, "fall": 3}, "observe": {
                "mode": "layer7", "error_limit": 1, "on_error": "fastinter"}}
        if managed:
            configuration["backends"][0]["managed"] = True
            configuration["haproxy"] |= {"managed": managed, "master_socket": str(haproxy.master_socket)}
    return change


def unsupported(backend: str, version: tuple[int, int]) -> str:
    """Why there is no such backend on such a version; empty: there is."""
    if backend == "dynamic" and version < (3, 0):
        return "servers made at run time never reuse a connection on HAProxy 2.6: slots there"
    if backend == "managed-reload" and version < (3, 4):
        return "that is what `managed` is before 3.4"
    return ""


def init_managed(setting: Setting, directory: Path) -> dict[str, str]:
    """haproxy.managed, with what `rollcalld --init` makes for HAProxy to start."""
    home = directory / "managed"
    managed = {"dir": str(home), "mode": "reload" if setting.backend == "managed-reload" else "auto"}
    file = directory / "init.yaml"
    file.write_text(to_yaml({
        "ecs": {"region": "eu-west-1"}, "state_dir": str(directory / "init-state"),
        "haproxy": {"managed": managed, "master_socket": str(directory / "unused.sock")},
        "backends": [{"name": "grpc", "match": {"service": "rng-service"}, "managed": True}]}) + "\n")
    made = subprocess.run([paths.ROLLCALLD, "--init", "-f", str(file)], capture_output=True, text=True, timeout=10,
                          check=False)
    if not (home / "backends.cfg").exists():
        raise Skip(f"this rollcalld makes no backends.cfg: {made.stderr.strip()[:80]}")
    return managed


@contextlib.contextmanager
def staged(setting: Setting, desired: int, directory: Path,
           aws: Any = None, start_haproxy: Callable[..., hap.HAProxy] | None = None,
           start_rollcalld: Callable[..., Rollcalld] | None = None) -> Iterator[Stage]:
    """A stage with `desired` tasks that serve. A test gives its own fixtures, which then end what they started."""
    version = hap.version()
    if why := unsupported(setting.backend, version):
        raise Skip(why)
    with contextlib.ExitStack() as stack:
        aws = aws or stack.enter_context(conftest.running_aws(directory))
        start_haproxy = start_haproxy or stack.enter_context(conftest.haproxies(directory))
        start_rollcalld = start_rollcalld or stack.enter_context(conftest.daemons(directory, _no_fixture))
        start_service(aws, desired, setting.stop)
        managed = init_managed(setting, directory) if is_managed(setting) else {}
        if setting.backend == "shipped":
            haproxy = start_haproxy(shipped=True, master=True)
        else:
            also = (Path(managed["dir"]) / "backends.cfg",) if managed else ()
            haproxy = start_haproxy(haproxy_configuration(setting, version), master=True, also=also)
        rollcalld = start_rollcalld(rollcall_configuration(setting, haproxy, managed), haproxy=haproxy, aws=aws,
                                    wait=False)
        rollcalld.wait_live()
        if setting.backend == "dynamic":
            wait_until(lambda: rollcalld.get_status("/ready") == 200 or "has no slots" in rollcalld.problems(), 15,
                       "ready")
            if "has no slots" in rollcalld.problems():
                raise Skip("this rollcalld adds no servers at run time")
        stage = Stage(aws, haproxy, rollcalld, setting, directory)
        stage.settle()
        yield stage


def _no_fixture(name: str) -> Any:
    raise AssertionError(f"{name} was not given")
