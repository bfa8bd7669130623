"""Waits for events. A test never sleeps for a time it hopes is long enough."""

from __future__ import annotations

import time
from typing import Callable, TypeVar

T = TypeVar("T")
POLL_SECONDS = 0.02
PATIENCE = 4  # timeouts are written for a machine with nothing else to do; this is for one that has


def wait_until(predicate: Callable[[], T], timeout: float = 10.0, what: str = "") -> T:
    """The predicate's first true value. Raises AssertionError with its last value when the time, and our patience
    with a busy machine, are over.

    What cannot be looked at yet is not there yet: a socket of a daemon that is just starting, a page or an entry for
    what rollcalld has not seen.
    """
    deadline = time.monotonic() + timeout * PATIENCE
    last: object = None
    while True:
        try:
            value = predicate()
            if value:
                return value
            last = value
        except (OSError, LookupError, TypeError, AttributeError, AssertionError) as error:
            last = error
        if time.monotonic() >= deadline:
            raise AssertionError(f"after {timeout * PATIENCE} s still not {what or predicate}: last {last!r}")
        time.sleep(POLL_SECONDS)


def stays(predicate: Callable[[], object], seconds: float, what: str = "") -> None:
    """That something holds for a while: the proof that nothing happens is the only one that takes time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = predicate()
        assert value, f"did not stay {what or predicate}: {value!r}"
        time.sleep(POLL_SECONDS)
