"""What can be made to go wrong, where, and how often.

A fault is chosen by action, cluster, page and a text in the request, and acts on the next N requests or
until it is cleared. Some replace the answer, some change it after it has been checked against the model
(so that a wrong answer on purpose is never counted as this server's own fault), some break the transport.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import itertools
import json
import threading
from typing import Any, Callable

from .errors import AwsError, throttled
from .world import Refused

# kind -> the arguments it takes, with their defaults
KINDS: dict[str, dict[str, Any]] = {
    "error": {"code": "ServerException", "message": "", "status": 400},
    "throttle": {},                         # ThrottlingException, as ECS sends it
    "unavailable": {"status": 503},         # a load balancer's page: no JSON, no code
    "body": {"body": "", "status": 200},    # this text in place of the answer
    "malformed": {},                        # JSON that breaks off, with a right Content-Length
    "replace": {"path": "", "value": None},  # a member set to this value (wrong types)
    "remove": {"path": ""},                 # a member left out
    "empty": {},                            # the lists of the answer emptied, and no nextToken
    "partial": {"keep": 1},                 # only the first items, and no nextToken
    "repeat_token": {},                     # a nextToken on each page, always the same
    "failures": {"reason": "MISSING"},      # a Describe call's items all moved to failures[]
    "delay": {"seconds": 1.0},              # then the true answer
    "hang": {"seconds": 600.0},             # nothing, until the client hangs up
    "cut": {"fraction": 0.5},               # the answer's first part, then the connection closed
    "reset": {},                            # the connection reset before an answer
}

_LISTS = ("taskArns", "clusterArns", "serviceArns", "tasks", "clusters", "services")


@dataclasses.dataclass
class Fault:
    id: int
    kind: str
    action: str
    cluster: str
    page: int | None
    containing: str
    remaining: int | None
    arguments: dict[str, Any]
    hits: int = 0

    def matches(self, action: str, cluster: str, page: int, body: str) -> bool:
        return (fnmatch.fnmatchcase(action, self.action) and fnmatch.fnmatchcase(cluster, self.cluster)
                and self.page in (None, page) and self.containing in body)

    def document(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


class Faults:
    """The faults in force. Of several that match, the oldest acts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ids = itertools.count(1)
        self._faults: list[Fault] = []

    def add(self, kind: str, action: str = "*", cluster: str = "*", page: int | None = None,
            containing: str = "", times: int | None = None, **arguments: Any) -> Fault:
        if kind not in KINDS:
            raise Refused(f"no fault {kind!r}; there are {', '.join(KINDS)}")
        unknown = set(arguments) - set(KINDS[kind])
        if unknown:
            raise Refused(f"fault {kind!r} takes no {', '.join(sorted(unknown))}")
        fault = Fault(next(self._ids), kind, action, cluster, page, containing, times,
                      {**KINDS[kind], **arguments})
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self, fault_id: int | None = None) -> int:
        with self._lock:
            kept = [f for f in self._faults if fault_id not in (None, f.id)]
            cleared = len(self._faults) - len(kept)
            self._faults = kept
        return cleared

    def all(self) -> list[Fault]:
        with self._lock:
            return list(self._faults)

    def take(self, action: str, cluster: str, page: int, body: str) -> Fault | None:
        """The fault for this request, counted; None if all is to go well."""
        with self._lock:
            for fault in self._faults:
                if fault.matches(action, cluster, page, body):
                    fault.hits += 1
                    if fault.remaining is not None:
                        fault.remaining -= 1
                        if fault.remaining <= 0:
                            self._faults.remove(fault)
                    return fault
        return None


# Faults that change the document of a right answer

def alter(fault: Fault, document: dict[str, Any]) -> dict[str, Any]:
    """The answer with the fault in it; itself where the fault is of another sort."""
    change = _ALTERATIONS.get(fault.kind)
    if change is not None:
        document = json.loads(json.dumps(document))  # the true one may be shared
        change(document, fault.arguments)
    return document


def _parents(value: Any, path: list[str]) -> list[dict[str, Any]]:
    """The structures that hold the last member of a dotted path; lists on the way stand for each item."""
    if isinstance(value, list):
        return [parent for item in value for parent in _parents(item, path)]
    if not isinstance(value, dict):
        return []
    if len(path) == 1:
        return [value]
    return _parents(value.get(path[0]), path[1:])


def _replace(document: dict[str, Any], arguments: dict[str, Any]) -> None:
    path = arguments["path"].split(".")
    for parent in _parents(document, path):
        parent[path[-1]] = arguments["value"]


def _remove(document: dict[str, Any], arguments: dict[str, Any]) -> None:
    path = arguments["path"].split(".")
    for parent in _parents(document, path):
        parent.pop(path[-1], None)


def _empty(document: dict[str, Any], _arguments: dict[str, Any]) -> None:
    _partial(document, {"keep": 0})


def _partial(document: dict[str, Any], arguments: dict[str, Any]) -> None:
    document.pop("nextToken", None)
    for name in _LISTS:
        if name in document:
            del document[name][arguments["keep"]:]


def _repeat_token(document: dict[str, Any], _arguments: dict[str, Any]) -> None:
    # The token of the first page: a client that follows it for ever gets the same page for ever.
    document["nextToken"] = "WzEsICIiXQ=="


def _failures(document: dict[str, Any], arguments: dict[str, Any]) -> None:
    for name, arn in (("tasks", "taskArn"), ("services", "serviceArn"), ("clusters", "clusterArn")):
        for item in document.get(name, []):
            document.setdefault("failures", []).append({"arn": item[arn], "reason": arguments["reason"]})
        if name in document:
            document[name] = []


_ALTERATIONS: dict[str, Callable[[dict[str, Any], dict[str, Any]], None]] = {
    "replace": _replace, "remove": _remove, "empty": _empty, "partial": _partial,
    "repeat_token": _repeat_token, "failures": _failures,
}


def error_of(fault: Fault) -> AwsError | None:
    """The refusal a fault stands for, if it is one."""
    if fault.kind == "throttle":
        return throttled()
    if fault.kind == "error":
        return AwsError(fault.arguments["code"], fault.arguments["message"], fault.arguments["status"])
    return None


def raw_answer_of(fault: Fault) -> tuple[int, str, bytes] | None:
    """Status, content type and body of a fault that is an answer of another kind than ECS's."""
    if fault.kind == "unavailable":
        page = "<html><body><h1>Service Unavailable</h1></body></html>\n"
        return fault.arguments["status"], "text/html", page.encode()
    if fault.kind == "body":
        return fault.arguments["status"], "application/x-amz-json-1.1", fault.arguments["body"].encode()
    return None
