"""AWS's request rates: one token bucket for each category of calls, shared by all callers of an account.

The figures are those of "Request throttling for the Amazon ECS API" (facts/ecs.md, section 3). Off until a test
turns them on: most tests ask far more often than a production daemon does.
"""

from __future__ import annotations

import time

# category -> burst, refill a second
RATES = {"cluster": (50.0, 20.0), "service": (100.0, 20.0), "resource": (100.0, 20.0), "definition": (50.0, 20.0),
         "instances": (100.0, 20.0), "managed": (100.0, 20.0)}
CATEGORIES = {
    "ListClusters": "cluster", "DescribeClusters": "cluster",
    "ListServices": "service", "DescribeServices": "service",
    "ListTasks": "resource", "DescribeTasks": "resource", "DescribeContainerInstances": "resource",
    "DescribeTaskDefinition": "definition", "DescribeInstances": "instances",
    "DescribeInstanceInformation": "managed",
}


class Buckets:
    def __init__(self) -> None:
        self.on = False
        self._levels: dict[tuple[str, str], tuple[float, float]] = {}

    def take(self, account: str, action: str) -> bool:
        """False: the call is one too many."""
        category = CATEGORIES.get(action)
        if not self.on or category is None:
            return True
        burst, refill = RATES[category]
        now = time.monotonic()
        level, at = self._levels.get((account, category), (burst, now))
        level = min(burst, level + (now - at) * refill)
        self._levels[account, category] = (level - 1 if level >= 1 else level, now)
        return level >= 1
