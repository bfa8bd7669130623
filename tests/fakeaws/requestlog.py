"""What was asked of the fake AWS, with the verdict on each request, and the counters tests end on."""

from __future__ import annotations

import collections
import dataclasses
import threading
import time
from typing import Any

# A day of polling fits; an endless test does not eat the machine.
ENTRIES_KEPT = 100_000

# Codes that say the signature, the key or the clock was wrong.
SIGNATURE_CODES = frozenset({
    "InvalidSignatureException", "IncompleteSignatureException", "MissingAuthenticationTokenException",
    "UnrecognizedClientException", "ExpiredTokenException", "InvalidClientTokenId", "ExpiredToken",
    "SignatureDoesNotMatch", "MissingAuthenticationToken", "IncompleteSignature", "AuthFailure", "RequestExpired"})


@dataclasses.dataclass
class Entry:
    """One request. `verdict` is "ok" or the error's code; `fault` the kind of an injected fault."""

    at: float
    action: str
    cluster: str
    key: str
    page: int
    items: int
    verdict: str
    fault: str
    seconds: float
    message: str = ""


class RequestLog:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: collections.deque[Entry] = collections.deque(maxlen=ENTRIES_KEPT)
        self._total = 0
        self._actions: collections.Counter[str] = collections.Counter()
        self._rejected_signatures = 0
        self._connections = 0
        self._self_faults: list[str] = []
        self._client_faults: list[str] = []

    def add(self, entry: Entry) -> None:
        with self._lock:
            self._entries.append(entry)
            self._total += 1
            self._actions[entry.action] += 1
            # An injected refusal says nothing about the client.
            if entry.verdict in SIGNATURE_CODES and not entry.fault:
                self._rejected_signatures += 1

    def connected(self) -> None:
        with self._lock:
            self._connections += 1

    def self_fault(self, text: str) -> None:
        """This server's own answer does not fit AWS's model, or it broke down."""
        with self._lock:
            self._self_faults.append(text)

    def client_fault(self, text: str) -> None:
        """A request has members that AWS's model does not know. AWS ignores them; a test should not."""
        with self._lock:
            self._client_faults.append(text)

    def entries(self, action: str = "", after: float = 0.0, limit: int = ENTRIES_KEPT) -> list[dict[str, Any]]:
        with self._lock:
            chosen = [e for e in self._entries if (not action or e.action == action) and e.at > after]
        return [dataclasses.asdict(entry) for entry in chosen[-limit:]]

    def counters(self) -> dict[str, Any]:
        with self._lock:
            return {"requests": self._total, "actions": dict(self._actions), "connections": self._connections,
                    "rejected_signatures": self._rejected_signatures, "self_faults": list(self._self_faults),
                    "client_faults": list(self._client_faults), "now": time.time()}

    def reset(self) -> None:
        with self._lock:
            self._entries.clear()
            self._actions.clear()
            self._total = self._rejected_signatures = self._connections = 0
            self._self_faults.clear()
            self._client_faults.clear()
