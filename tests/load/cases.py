"""What happens during a run. Each case is bounded: `seconds`, and a wait with a timeout for each thing begun."""

from __future__ import annotations

import dataclasses
import time
from typing import Callable

from .stage import Stage

def scale(stage: Stage, _seconds: float) -> None:
    """2 -> 8 -> 2 tasks."""
    for desired in (8, 2):
        stage.scale(desired)
        stage.settle()
        stage.pause(stage.calm)


def roll(stage: Stage, _seconds: float) -> None:
    """Each task is replaced, twice."""
    for _ in range(2):
        stage.roll()
        stage.settle()
        stage.pause(stage.calm)


def kill(stage: Stage, seconds: float) -> None:
    """kill -9 of a task, twice, each in the middle of its calls."""
    for _ in range(2):
        stage.kill_task()
        stage.pause(seconds / 2)
        stage.settle()


def stop(stage: Stage, seconds: float) -> None:
    """ECS stops one task, twice: listener closed, GOAWAY, calls in flight finish."""
    for _ in range(2):
        stage.stop_task()
        stage.pause(seconds / 2)
        stage.settle()


def reload(stage: Stage, seconds: float) -> None:
    """HAProxy is reloaded every 3 s."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        stage.reload()
        stage.pause(3.0)


def rollcalld(stage: Stage, seconds: float) -> None:
    """rollcalld is killed every 2.3 s (which drifts through its 2 s watch) while the service goes 2 -> 5 -> 2."""
    end = time.monotonic() + seconds
    rounds = 0
    while time.monotonic() < end:
        if rounds % 4 == 0:
            stage.scale(5 if rounds % 8 == 0 else 2)
        stage.kill_rollcalld()
        stage.pause(2.3)
        rounds += 1
    stage.settle()


def everything(stage: Stage, seconds: float) -> None:
    """All of these at once, each at its own interval."""
    wanted = iter([4, 8, 2, 6, 3] * 100)
    actions: list[tuple[float, float, Callable[[], None]]] = [  # first, interval
        (1.0, 9.0, lambda: stage.scale(next(wanted))),
        (3.0, 5.3, stage.kill_rollcalld),
        (5.0, 7.1, stage.reload),
        (7.0, 23.0, stage.roll),
        (12.0, 15.0, stage.kill_task),
        (17.0, 13.0, stage.stop_task),
    ]
    begin = time.monotonic()
    due = [(begin + first, number) for number, (first, _, _) in enumerate(actions)]
    while (next_due := min(due))[0] < begin + seconds:
        at, number = next_due
        stage.pause(max(0.0, at - time.monotonic()))
        actions[number][2]()
        due[due.index(next_due)] = (at + actions[number][1], number)
    stage.scale(2)
    stage.settle()
    stage.pause(stage.calm)


@dataclasses.dataclass(frozen=True)
class Case:
    run: Callable[[Stage, float], None]
    tasks: int                  # at its begin
    stops: tuple[str, ...]      # kinds of task that it is run with
    kills: bool = False
    many: bool = False          # tasks end at a time, or faster than rollcalld looks
    lasts: float = 20.0         # seconds, for cases that repeat something

    @property
    def about(self) -> str:
        return (self.run.__doc__ or "").splitlines()[0]


CASES = {
    "scale": Case(scale, 2, ("serving", "closing"), many=True),
    "roll": Case(roll, 3, ("serving", "goaway", "closing"), many=True),
    "stop": Case(stop, 3, ("goaway",), lasts=12),
    "kill": Case(kill, 3, ("serving",), kills=True, lasts=12),
    "reload": Case(reload, 2, ("serving",)),
    "rollcalld": Case(rollcalld, 2, ("serving",)),
    "all": Case(everything, 2, ("serving", "closing"), kills=True, many=True, lasts=60),
}


def retries_matter(name: str, stop_kind: str) -> bool:
    """Whether `retry-on empty-response` can change anything: where a task closes under its calls."""
    return CASES[name].kills or stop_kind != "serving"


def play(stage: Stage, name: str, seconds: float) -> None:
    """A case under load, from its first call to its last."""
    with stage.traffic():
        stage.pause(stage.calm)
        CASES[name].run(stage, seconds)
        stage.pause(stage.calm)
