"""A fake AWS on loopback that speaks ECS's real protocol, for the demo and the tests.

Rooms, in reading order:

- world: the values (clusters, definitions, services, tasks) and the one lock around them
- wire: how those values look in ECS's answers
- lifecycle: what happens to a task over time, by a clock; the service scheduler
- processes: tasks that are real processes on loopback addresses
- actions: ECS's calls, as functions from a request to an answer
- sts: STS's calls
- forms: the query protocol as STS speaks it, forms in and XML out
- errors: ECS's error codes, statuses and texts
- signature: SigV4 of every request, recomputed with botocore
- shapes: requests and answers held against botocore's service model
- faults: what the control door can make go wrong, and where
- requestlog: what was asked, and the verdicts
- aws_door: the HTTP server that clients talk to
- metadata_door: the HTTP server of what is beside a task or an instance
- control_door: the HTTP server that tests talk to, and control: its client
"""

from __future__ import annotations

__all__ = ["Control", "ControlError"]

from .control import Control, ControlError
