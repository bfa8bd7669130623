"""What a server executed, one line a call, in a file that outlives it.

A line is METHOD, CALL ID and the monotonic time, which all processes of a machine share. The lines TOLD and
ENDS, without a call id, say when the server was told to stop and when it stopped serving.

Each call is appended by one write(2) before it is answered, so that the file is complete even after
SIGKILL: the kernel has the line, and no shutdown code needs to run. A counter rewritten now and then
would lose its last calls exactly in the tests that kill a task.
"""

from __future__ import annotations

import collections
import dataclasses
import os
import time
from pathlib import Path
from typing import Iterable


TOLD, ENDS = "Told", "Ends"


class Writer:
    """Appends calls to a journal; with no path it only counts nothing and costs nothing."""

    def __init__(self, path: str | None) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._fd = os.open(path, flags, 0o644) if path else -1

    def add(self, method: str, call_id: str) -> None:
        if self._fd >= 0:
            # A call id comes from outside: a line break in it must not look like another call.
            name = call_id.replace("\n", " ").replace("\t", " ")
            os.write(self._fd, f"{method}\t{name}\t{time.monotonic():.6f}\n".encode())


@dataclasses.dataclass
class Journal:
    """The calls that one server executed."""

    methods: collections.Counter[str]
    call_ids: collections.Counter[str]
    times: dict[str, float]  # when a call was last executed; TOLD and ENDS stand among them

    @property
    def calls(self) -> int:
        """Calls of Next and Stream; health checks are not calls."""
        return self.methods["Next"] + self.methods["Stream"]


def read(path: str | Path) -> Journal:
    """The journal at `path`; a server that has not been called yet has none, which is an empty one."""
    journal = Journal(collections.Counter(), collections.Counter(), {})
    try:
        text = Path(path).read_bytes().decode()
    except FileNotFoundError:
        return journal
    for line in text.split("\n")[:-1]:
        method, call_id, at = line.split("\t")
        journal.times[call_id or method] = float(at)
        journal.methods[method] += 1
        if call_id:
            journal.call_ids[call_id] += 1
    return journal


def executed_twice(journals: Iterable[Journal]) -> list[str]:
    """Call ids that were executed more than once, by one server or by several."""
    total: collections.Counter[str] = collections.Counter()
    for journal in journals:
        total.update(journal.call_ids)
    return sorted(call_id for call_id, times in total.items() if times > 1)
