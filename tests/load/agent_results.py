"""The chapter of tests/functional/RESULTS.md on the SPOE agent: a row per case and HAProxy, kept until it is run again."""

from __future__ import annotations

import math
from pathlib import Path

from .agent_cases import CASES, Outcome, about
from .results import rewrite

HEAD = """\
# Whatever the SPOE agent does

Measured by `tests/load/spoe`, which writes this chapter (`--haproxy PATH --case hang`: one of them; its rows replace the
former ones). A short form is in the functional tests (`tests/run functional -k agent`).

The shipped haproxy.cfg and rollcall-spoe.cfg (`timeout processing 20ms`, `continue-on-error`, `spop-check`), one task, 60
calls a second that succeed and 60 that the task refuses without data, which are what HAProxy tells the agent of and
waits for.

- **failed**: calls that ended in another way than they would have without an agent. Goal: 0.
- **late**: calls that were on their way as a reloaded HAProxy closed their connection (GOAWAY), and that nobody executed.
  gRPC sends them anew by itself, unless it is told not to, as here. Without `filter spoe` there are as many.
- **told**: messages that the agent has heard; `-`: it has died; one that was started anew begins with 0.
- Times are milliseconds by the Python client's clock: half of the calls took no longer, and 99 %; first those that
  succeed, then those that are refused. Goal: half of those wait no longer than `timeout processing`.
- **lag**: the load generator's own worst delay; where it is high the machine was busy.

The agents:

"""
COLUMNS = ("agent", "HAProxy", "calls", "failed", "late", "told", "good 50 %", "99 %", "refused 50 %", "99 %", "lag",
           "goal", "date")


def _ms(times: list[float], share: float) -> str:
    return f"{times[min(len(times) - 1, math.floor(len(times) * share))] * 1000:.1f}"


def row(name: str, version: str, found: Outcome, date: str) -> str:
    fields = (name, version, str(found.calls), str(len(found.failed)), str(found.late),
              "-" if found.told is None else str(found.told), _ms(found.good, 0.5), _ms(found.good, 0.99),
              _ms(found.refused, 0.5), _ms(found.refused, 0.99), f"{found.lateness * 1000:.0f}", found.verdict, date)
    return "| " + " | ".join(fields) + " |"


def _key(line: str) -> tuple[str, ...]:
    """Empty: no row. Two patch levels of one version are one row."""
    fields = [field.strip() for field in line.strip("|").split("|")]
    if not line.startswith("|") or len(fields) != len(COLUMNS) or fields[0] not in CASES:
        return ()
    return fields[0], *fields[1].split(".")[:2]


def document(rows: list[str]) -> str:
    order = list(CASES)
    ordered = sorted(rows, key=lambda line: (order.index(_key(line)[0]), _key(line)))
    met = sum("| met |" in line for line in ordered)
    said = "".join(f"- {name}: {about(name)}\n" for name in CASES)
    table = "\n".join(["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS), *ordered])
    return f"{HEAD}{said}\n{table}\n\nGoals met in {met} of {len(ordered)} runs.\n"


def merge(file: Path, new: list[str]) -> None:
    def change(parts: list[str]) -> list[str]:
        title = HEAD.splitlines()[0]
        ours = "".join(part for part in parts if part.startswith(title))
        rows = {_key(line): line for line in ours.splitlines() if _key(line)}
        rows.update({_key(line): line for line in new})
        return [*(part for part in parts if not part.startswith(title)), document(list(rows.values()))]
    rewrite(file, change)
