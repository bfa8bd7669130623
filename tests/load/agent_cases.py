"""What the SPOE agent does while calls come, and what callers notice of it.

The shipped haproxy.cfg and rollcall-spoe.cfg, in front of one task of the test's own: nothing but the agent changes.
Half of the calls succeed; the other half is refused by the task without data (INVALID_ARGUMENT), and each of these is a
message to the agent, which HAProxy waits for. The agent is rollcalld, or one that misbehaves (spop_agent.py).
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import signal
import socket
import statistics
import sys
import time
import uuid
from pathlib import Path
from typing import Callable, Iterator

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[1] / "functional")]
from rollcall_testlib import haproxy as hap, paths  # noqa: E402  (of the functional tests: the same parts)
from rollcall_testlib.daemon import Rollcalld  # noqa: E402
from rollcall_testlib.process import Child  # noqa: E402
from rollcall_testlib.rng_server import RngServer  # noqa: E402
from rollcall_testlib.waiting import wait_until  # noqa: E402

from . import spop_agent  # noqa: E402
from .traffic import Call, Mix, Traffic  # noqa: E402

MIX = Mix(unary=60, refused=60, slow=0, streams=2, crowd=0, processes=1)
CROWD = 256  # connections that rollcalld takes
DELAY_MAX = 0.025  # seconds: `timeout processing`, and some for a machine that does something else
SHIPPED_PLACE = "abns@rollcall-spoe"


def shipped_with(place: str, task: str) -> Callable[[str], str]:
    """For an edit of the shipped haproxy.cfg: this agent, and one task that is always there."""
    def edit(text: str) -> str:
        assert text.count(SHIPPED_PLACE) == 2
        text, n = re.subn(r"(?m)^(backend grpc from rollcall\b.*)$", rf"\1\n    server task {task}",
                          text.replace(SHIPPED_PLACE, place))
        assert n == 1
        return text
    return edit


class Stage:
    def __init__(self, directory: Path, start_haproxy: Callable[..., hap.HAProxy]) -> None:
        self._directory, self._agents = directory, 0
        self.place = f"abns@rc-{uuid.uuid4().hex[:12]}"
        self.task = RngServer(directory, "task").wait_listening()
        self.haproxy = start_haproxy(shipped=True, master=True, edit=shipped_with(self.place, self.task.target))
        self.daemon: Rollcalld | None = None
        self.agent: Child | None = None

    def run_rollcalld(self) -> Rollcalld:
        """It finds no AWS, and has no servers to care for: it is the agent, and no more."""
        home = self._directory / "agent"
        (home / "state").mkdir(parents=True)
        self.daemon = Rollcalld(home, {
            "ecs": {"region": "eu-west-1", "clusters": ["main"], "endpoint": "http://127.0.0.1:9",
                    "access_key_id": "x", "secret_access_key": "x"},
            "haproxy": {"socket": str(self.haproxy.runtime.path)},
            "backends": [{"name": "grpc", "match": {"service": "nobody"}}],
            "spoe": {"listen": self.place}, "control": {"socket": str(home / "c")}, "state_dir": str(home / "state"),
        }, home / "c")
        self.daemon.wait_live()
        return self.daemon

    def run_agent(self, how: str) -> None:
        self._agents += 1
        self.agent = Child([sys.executable, spop_agent.__file__, "--listen", self.place, "--how", how],
                           self._directory / f"agent{self._agents}.log")

    def stop_agent(self) -> int:
        """How many messages it was told."""
        assert self.agent
        self.agent.stop()
        found = re.search(r"told (\d+)", self.agent.output())
        assert found, self.agent.output()
        self.agent = None
        return int(found.group(1))

    def wait_agent_up(self) -> None:
        wait_until(lambda: self.haproxy.runtime.status("rollcall_spoe", "rollcalld") == "UP", 10, "the agent is up")

    def close(self) -> None:
        self.task.kill()
        if self.agent:
            self.agent.kill()
        if self.daemon:
            self.daemon.child.signal(signal.SIGCONT)
            self.daemon.kill()


@contextlib.contextmanager
def staged(directory: Path, start_haproxy: Callable[..., hap.HAProxy]) -> Iterator[Stage]:
    os.environ["ROLLCALL_SPOE"] = str(paths.TOP / "haproxy" / "rollcall-spoe.cfg")
    stage = Stage(directory, start_haproxy)
    try:
        yield stage
    finally:
        stage.close()
        del os.environ["ROLLCALL_SPOE"]


# ---- what rollcalld goes through ----

def well(_stage: Stage, seconds: float) -> None:
    """rollcalld runs"""
    time.sleep(seconds)


def killed(stage: Stage, seconds: float) -> None:
    """kill -9 of rollcalld, which does not come back"""
    assert stage.daemon
    time.sleep(seconds / 4)
    stage.daemon.kill()
    time.sleep(seconds * 3 / 4)


def stopped(stage: Stage, seconds: float) -> None:
    """SIGSTOP of rollcalld; its sockets stay open"""
    assert stage.daemon
    time.sleep(seconds / 4)
    stage.daemon.child.signal(signal.SIGSTOP)
    time.sleep(seconds * 3 / 4)


def repeated(action: Callable[[Stage], None], every: float) -> Callable[[Stage, float], None]:
    def run(stage: Stage, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(every)
            action(stage)
    run.__doc__ = action.__doc__
    return run


def restart(stage: Stage) -> None:
    """rollcalld stops and starts, every 0.7 s"""
    assert stage.daemon
    stage.daemon.restart()


def reload_rollcalld(stage: Stage) -> None:
    """rollcalld is reloaded, every 0.2 s"""
    assert stage.daemon
    stage.daemon.reload()


def reload_haproxy(stage: Stage) -> None:
    """HAProxy is reloaded, every second"""
    stage.haproxy.reload()


def crowded(stage: Stage, seconds: float) -> None:
    """somebody else holds all connections that rollcalld takes"""
    name = b"\0" + stage.place.removeprefix("abns@").encode().ljust(107, b"\0")
    with contextlib.ExitStack() as stack:
        for _ in range(CROWD):
            one = stack.enter_context(socket.socket(socket.AF_UNIX))
            one.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                one.connect(name)
        time.sleep(seconds)


@dataclasses.dataclass(frozen=True)
class Case:
    run: Callable[[Stage, float], None] = well
    agent: str = ""  # that misbehaves so, instead of rollcalld
    about: str = ""


CASES = {
    "well": Case(well), "killed": Case(killed), "stopped": Case(stopped), "restarted": Case(repeated(restart, 0.7)),
    "reloaded": Case(repeated(reload_rollcalld, 0.2)), "HAProxy reloaded": Case(repeated(reload_haproxy, 1.0)),
    "crowded": Case(crowded), "never there": Case(agent="none", about="nobody has ever listened"),
    **{how: Case(agent=how, about=about.strip()) for how, about in
       re.findall(r"(?m)^  ([a-z]+) +(.*)$", spop_agent.__doc__ or "")},
}


def about(name: str) -> str:
    return CASES[name].about or (CASES[name].run.__doc__ or "")


# ---- a run, and what came of it ----

@dataclasses.dataclass(frozen=True)
class Outcome:
    calls: int
    failed: list[str]  # those that ended in another way than they would have without an agent, and how
    late: int          # those that HAProxy's GOAWAY crossed; not in failed
    told: int | None  # messages that the agent has heard; None: it is not there to be asked
    good: list[float]  # seconds that they took
    refused: list[float]
    lateness: float

    @property
    def delay(self) -> float:
        """What waiting for the agent adds to half of the calls that tell it something, in seconds at most."""
        return statistics.median(self.refused) - statistics.median(self.good)

    @property
    def verdict(self) -> str:
        wrong = [*([f"{len(self.failed)} failed"] if self.failed else []),
                 *(["delayed beyond timeout processing"] if self.delay > DELAY_MAX else [])]
        return "MISSED: " + ", ".join(wrong) if wrong else "met"


def told(stage: Stage) -> int | None:
    if stage.agent:
        return stage.stop_agent()
    if stage.daemon and stage.daemon.child.exit_code is None:
        stage.daemon.child.signal(signal.SIGCONT)
        return int(stage.daemon.status()["spoe"]["notifies"])
    return None


def is_late(call: Call) -> bool:
    """It was on its way as HAProxy closed the connection, and was not executed: gRPC sends it anew, unless told not to."""
    return call.failed and call.details == "GOAWAY received"


def took(calls: list[Call], kind: str) -> list[float]:
    return sorted(call.ended - call.sent for call in calls if call.kind == kind)


def play(stage: Stage, name: str, seconds: float, directory: Path) -> Outcome:
    case = CASES[name]
    if not case.agent:
        stage.run_rollcalld()
        stage.wait_agent_up()
    elif case.agent != "none":
        stage.run_agent(case.agent)
    with Traffic(directory, stage.haproxy.target, MIX) as traffic:
        case.run(stage, seconds)
        calls = traffic.stop()
    failed = [f"{call.kind}: {call.code} {call.details}" for call in calls if call.failed and not is_late(call)]
    return Outcome(len(calls), failed, sum(map(is_late, calls)), told(stage), took(calls, "unary"),
                   took(calls, "refused"), traffic.lateness)
