"""The table in tests/functional/RESULTS.md: a row per run, kept until the same run is done again."""

from __future__ import annotations

import dataclasses
import fcntl
import re
from pathlib import Path
from typing import Callable

from .cases import CASES
from .stage import unsupported
from .verdict import Verdict

TESTS = Path(__file__).resolve().parents[1]
FILE = TESTS / "functional" / "RESULTS.md"
FAULT_SUITE = TESTS / "scenario" / "RESULTS.md"

HEAD = """\
# What callers notice: failed calls by case and HAProxy version

Measured by `tests/load/run`, which writes this file:

    tests/load/run                                   # every case on every HAProxy here: about an hour
    tests/load/run --haproxy PATH --case roll        # one of them; its rows replace the former ones

Other HAProxy versions come from `tests/haproxy/fetch`. Short versions of the cases are in the functional tests
(`tests/run functional -k no_failed_call`). What the faults of AWS do to the servers is at the end.

## The load

About 200 calls a second by two client processes (Python, grpcio, no client retries, 10 s timeout): 130 unary calls;
15 unary calls that take 300 ms, so that some are always in flight; 8 streams of 20 numbers in 1 s over the same 4
connections; and 120 streams of 5 s at once on one connection more. Tasks are processes of their own, each on its own
address, behind a fake AWS; rollcalld runs with the product's intervals (`watch` 2 s). HAProxy has a small
configuration (`retries 3`, `option redispatch 1`, checks `inter 1s fastinter 100ms rise 2 fall 3 observe layer7
error-limit 1 on-error fastinter`), or the shipped one.

## What is counted

- **failed**: calls without an answer, by gRPC code. **cut**: streams that had begun and did not end well.
- **twice**: call ids that are in the tasks' journals more than once. A task writes its journal before it answers.
- **in flight**: of the failed and cut, those that were open on a task when it was killed, or when it cut its calls.
- **refused**: of the failed, those that nobody executed, sent while a task that had closed was still in the rotation.
- **reload**: of the failed, those that nobody executed, between a reload and 1 s after the new worker's first answer.
- **lag**: the load generator's own worst delay. Where it is high the machine was busy, and tasks, HAProxy and
  rollcalld lagged as much.
- Whatever else fails has no cause that is allowed, and the goal is missed.

Tasks: `serving` serve 3 s after SIGTERM, then GOAWAY; `goaway` close the listener at SIGTERM, send GOAWAY and finish
their calls; `closing` close at SIGTERM and cut their calls. Replay: whether calls are marked idempotent (`retry-on
empty-response`).

"""

GOALS = """\

## Goals

No call fails and none is executed twice with tasks that serve 3 s. A killed task, or one that cuts its calls, costs
only the calls in flight on it. "met, but see below" is for what HAProxy has no way around:

- refused, HAProxy 3.2 and later, no replay: with h2c it sends a call before the connection stands, so a refused one is
  no connection failure to it. Each such call fails until the checks take the closed task out: 0.3 s after the first
  error, as the error brings them forward (`observe`), and 2 s at most.
- refused, scale, roll and all with tasks that close without warning: more of them close at once than there are retries,
  or all close before rollcalld's next look at ECS (2 s) has found their successors.
- reload, HAProxy 2.6, declared backends: calls until rollcalld has filled the slots anew, at most 1 s after the new
  worker's first answer. From 3.0 the frontend waits (the inspect-delay lines).
- twice, where calls are marked idempotent and a task dies under them.
"""

FAULTS = """\

## What the faults of AWS do to the servers

The fault suite, played by `make check` on a clock of its own; what each column means, and what else was tried, is in
[tests/scenario/RESULTS.md](../scenario/RESULTS.md), which these tables are of.

"""

COLUMNS = ("case", "tasks", "HAProxy", "backend", "replay", "calls", "failed", "cut", "in flight", "refused",
           "reload", "twice", "lag", "goal", "date")
KEY = 5  # the first columns name a run
OBSERVED_SINCE = "2026-11-28"
OLDER = f"\nRows older than {OBSERVED_SINCE} are of checks without `observe`, at a `fastinter` of 200 ms.\n"


@dataclasses.dataclass(frozen=True)
class Row:
    fields: tuple[str, ...]

    @property
    def key(self) -> tuple[str, ...]:
        """Two patch levels of one version are one row."""
        version = ".".join(self.fields[2].split(".")[:2])
        return (*self.fields[:2], version, *self.fields[3:KEY])

    def text(self) -> str:
        return "| " + " | ".join(self.fields) + " |"


def row(key: tuple[str, ...], verdict: Verdict, faults: list[str], date: str) -> Row:
    failed = sum(verdict.failed.values())
    codes = ", ".join(f"{times} {code}" for code, times in sorted(verdict.failed.items()))
    return Row((*key, str(verdict.calls), codes if failed else "0", str(verdict.cut),
                *(str(verdict.count(cause)) for cause in ("in flight", "refused", "reload")),
                str(len(verdict.twice)), f"{verdict.lateness * 1000:.0f} ms",
                "MISSED: " + "; ".join(faults) if faults else _met(verdict), date))


def _met(verdict: Verdict) -> str:
    at_a_price = verdict.count("refused") or verdict.count("reload") or verdict.twice
    return "met, but see below" if at_a_price else "met"


def skipped(key: tuple[str, ...], why: str, date: str) -> Row:
    return Row((*key, *["-"] * (len(COLUMNS) - KEY - 2), f"skipped: {why}", date))


def sections(text: str) -> list[str]:
    """A file's chapters, each from its `# ` line on; the first one is ours, the others come from other commands."""
    return [part for part in re.split(r"(?m)^(?=# )", text) if part]


def rewrite(file: Path, change: Callable[[list[str]], list[str]]) -> None:
    """Chapters in, chapters out. Two commands may do so at a time."""
    with open(file, "a+") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        stream.seek(0)
        made = change(sections(stream.read()))
        stream.truncate(0)
        stream.write("\n".join(part.strip("\n") + "\n" for part in made))


def merge(file: Path, new: list[Row]) -> None:
    """Replaces the rows of the same runs."""
    def change(parts: list[str]) -> list[str]:
        ours, others = "".join(parts[:1]), parts[1:]
        rows = {found.key: found for found in map(_read, ours.splitlines()) if found}
        rows.update({made.key: made for made in new})
        return [document(list(rows.values())), *others]
    rewrite(file, change)


def _read(line: str) -> Row | None:
    fields = tuple(field.strip() for field in line.strip("|").split("|"))
    if not line.startswith("|") or len(fields) != len(COLUMNS) or fields[0] not in CASES:
        return None
    major, minor = fields[2].split(".")[:2]
    return None if unsupported(fields[3], (int(major), int(minor))) else Row(fields)


def document(rows: list[Row]) -> str:
    order = list(CASES)
    ordered = sorted(rows, key=lambda found: (found.key[3], order.index(found.key[0]), found.key[1], found.key[2],
                                              found.key[4]))
    table = [Row(COLUMNS).text(), "|" + "---|" * len(COLUMNS), *(found.text() for found in ordered)]
    judged = [found for found in ordered if not found.fields[-2].startswith("skipped")]
    met = sum(found.fields[-2].startswith("met") for found in judged)
    missed = [f"- {' '.join(found.fields[:KEY])}: {found.fields[-2].removeprefix('MISSED: ')}"
              for found in judged if not found.fields[-2].startswith("met")]
    summary = [f"\nGoals met in {met} of {len(judged)} runs." + (" Missed:" if missed else ""), *missed]
    older = OLDER if any(found.fields[-1] < OBSERVED_SINCE for found in judged) else ""
    return HEAD + "\n".join(table) + "\n" + older + GOALS + "\n".join(summary) + "\n" + FAULTS + fault_suite()


def fault_suite() -> str:
    """The tables of the fault suite, with what stands between them."""
    lines = FAULT_SUITE.read_text().splitlines()
    rows = [at for at, line in enumerate(lines) if line.startswith("|")]
    return "\n".join(lines[rows[0]:rows[-1] + 1]) + "\n"
