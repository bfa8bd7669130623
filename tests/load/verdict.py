"""What callers noticed: the records of the calls beside the tasks' own journals.

Each failed call is put down to one cause, so that what is unavoidable hides nothing else:

- in flight: it was open when a task was killed (or cut its calls), and nobody else executed it
- refused: nobody executed it, and a task that had closed without warning was still in the rotation
- reload: nobody executed it, while HAProxy was reloaded and its new worker not yet whole
- unexplained: anything else
"""

from __future__ import annotations

import collections
import dataclasses
from typing import Iterable

from rng import journal

from .traffic import Call

SLACK = 0.1        # seconds between an instant here and what a client sees of it
OUT_AFTER = 2.0    # by when checks (or rollcalld) have taken out a task that closed without warning
WHOLE_AFTER = 1.0  # after the first answer of a new worker: design.md, declared backends


@dataclasses.dataclass(frozen=True)
class End:
    """A task that closed while calls might still be sent to it."""

    task: str
    at: float
    cuts: bool  # and did not let the calls in flight finish

    def cut_off(self, call: Call, executed_by: set[str]) -> bool:
        # A Python server answers a call that reaches it while it stops with CANCELLED, and does not execute it.
        own_answer = call.details == "CANCELLED" and not executed_by
        return (self.cuts or own_answer) and call.sent <= self.at + SLACK and call.ended >= self.at - SLACK and (
            not executed_by or self.task in executed_by)

    def refused(self, call: Call) -> bool:
        return call.ended >= self.at and self.at - SLACK <= call.sent <= self.at + OUT_AFTER


@dataclasses.dataclass(frozen=True)
class Reload:
    begun: float
    answered: float  # the new worker's first answer

    def hit(self, call: Call) -> bool:
        return call.ended >= self.begun and call.sent <= self.answered + WHOLE_AFTER


CAUSES = ("in flight", "refused", "reload", "unexplained")


@dataclasses.dataclass
class Verdict:
    calls: int
    failed: collections.Counter[str]        # by gRPC code; not those cut
    cut: int                                # streams that had begun
    twice: list[str]                        # call ids
    unknown: list[str]                      # answered, and yet in no journal: the harness itself would be wrong
    causes: dict[str, list[Call]]
    widest_reload: float = 0.0              # from its begin to the last call that failed by it
    lateness: float = 0.0

    @property
    def noticed(self) -> int:
        return sum(self.failed.values()) + self.cut

    def count(self, cause: str) -> int:
        return len(self.causes[cause])


def judge(calls: list[Call], journals: dict[str, journal.Journal], ends: Iterable[End] = (),
          reloads: Iterable[Reload] = ()) -> Verdict:
    ends, reloads = list(ends), list(reloads)
    executed: dict[str, set[str]] = collections.defaultdict(set)
    for task, found in journals.items():
        for call_id in found.call_ids:
            executed[call_id].add(task)
    failed = [call for call in calls if call.failed]
    causes: dict[str, list[Call]] = {cause: [] for cause in CAUSES}
    for call in failed:
        causes[_cause(call, executed.get(call.id, set()), ends, reloads)].append(call)
    return Verdict(
        calls=len(calls), failed=collections.Counter(call.code for call in failed if not call.cut),
        cut=sum(call.cut for call in failed), twice=journal.executed_twice(journals.values()),
        unknown=[call.id for call in calls if not call.failed and call.id not in executed], causes=causes,
        widest_reload=max((call.ended - reload.begun for call in causes["reload"] for reload in reloads
                           if reload.hit(call)), default=0.0))


def _cause(call: Call, executed_by: set[str], ends: list[End], reloads: list[Reload]) -> str:
    if any(end.cut_off(call, executed_by) for end in ends):
        return "in flight"
    if executed_by:
        return "unexplained"
    refused, reload = any(end.refused(call) for end in ends), any(reload.hit(call) for reload in reloads)
    if refused and reload:  # both at once: a 503 is that HAProxy had no server
        refused = "503" not in call.details and "no server" not in call.details
    return "refused" if refused else "reload" if reload else "unexplained"


@dataclasses.dataclass(frozen=True)
class Allowed:
    """What the goals let a run cost."""

    # Calls to tasks that closed without warning, until a check takes them out: each of them on HAProxy 3.2+ (h2c, not
    # idempotent: there a refused connection is no conn-failure), and everywhere where nobody is left to retry on.
    refused: bool = False
    reload: bool = False   # declared backends on 2.6, whose frontend cannot wait for a server
    twice: bool = False    # calls marked idempotent may be replayed when their task dies


def faults(verdict: Verdict, allowed: Allowed) -> list[str]:
    """Which goals were missed, in words; none: all met."""
    found = []
    if verdict.count("unexplained"):
        found.append(f"{verdict.count('unexplained')} failed without a cause that is allowed")
    if verdict.count("refused") and not allowed.refused:
        found.append(f"{verdict.count('refused')} were sent to a task that had closed")
    if verdict.count("reload") and not allowed.reload:
        found.append(f"{verdict.count('reload')} failed by a reload")
    if verdict.twice and not allowed.twice:
        found.append(f"{len(verdict.twice)} executed twice")
    if verdict.unknown:
        found.append(f"{len(verdict.unknown)} were answered by nobody")
    return found


def timeline(verdict: Verdict, marks: list[tuple[float, str]], begin: float) -> list[str]:
    """What happened and what failed, in order; failures of one tenth of a second, code and cause in one line."""
    bins: dict[tuple[int, str, str, str, str], int] = collections.Counter()
    for cause, calls in verdict.causes.items():
        for call in calls:
            bins[int((call.ended - begin) * 10), cause, call.kind, call.code, call.details[:90]] += 1
    lines = [(at - begin, f"-- {text}") for at, text in marks]
    lines += [(tenth / 10, f"{times} {kind} {code} ({cause}): {details}")
              for (tenth, cause, kind, code, details), times in bins.items()]
    return [f"{at:7.2f} s  {text}" for at, text in sorted(lines)]
