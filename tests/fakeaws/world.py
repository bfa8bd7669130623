"""What exists in the fake account: keys, clusters, task definitions, services, tasks.

Plain values with one lock around all of them. Nothing here knows HTTP, time's passing or processes.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import itertools
import random
import threading
import time
import uuid
from typing import Any, Callable, Iterator

ACCOUNT = "123456789012"
REGION = "eu-west-1"
ZONES = ("a", "b", "c")

# Life cycle, in order. A task only ever moves forward.
PROVISIONING, PENDING, ACTIVATING, RUNNING, DEACTIVATING, STOPPING, DEPROVISIONING, STOPPED = STATUSES = (
    "PROVISIONING", "PENDING", "ACTIVATING", "RUNNING", "DEACTIVATING", "STOPPING", "DEPROVISIONING", "STOPPED")


class Refused(Exception):
    """The control door was asked for something that cannot be."""


@dataclasses.dataclass
class Denial:
    """An action this key may not use; both are globs, `cluster` on the cluster's name."""

    action: str = "*"
    cluster: str = "*"


@dataclasses.dataclass
class Key:
    """An access key. A token makes it a temporary one, which is refused without it."""

    access_key_id: str
    secret_access_key: str
    session_token: str = ""
    account: str = ACCOUNT
    user: str = "rollcall"
    expired: bool = False
    expires_at: float | None = None  # by the server's clock
    denied: list[Denial] = dataclasses.field(default_factory=list)


    def has_ended(self, now: float) -> bool:
        return self.expired or (self.expires_at is not None and now >= self.expires_at)


@dataclasses.dataclass
class Role:
    """A role, and whom it trusts: globs on callers' ARNs, a web identity's token."""

    arn: str
    trusts: list[str]
    external_id: str = ""
    web_token: str = ""
    lifetime: float = 3600.0
    assumed: list[dict[str, Any]] = dataclasses.field(default_factory=list)  # who did, as whom

    @property
    def name(self) -> str:
        return self.arn.rsplit("/", 1)[-1]

    @property
    def account(self) -> str:
        return self.arn.split(":")[4]


@dataclasses.dataclass
class Definition:
    """One revision of a task definition. `containers` is ECS's containerDefinitions, as registered."""

    arn: str
    family: str
    revision: int
    containers: list[dict[str, Any]]
    network_mode: str
    registered_at: float
    network_mode_unsaid: bool       # registered without one: bridge
    # Command of the task's process: each word a template; None for a task that is only an address.
    process: list[str] | None
    hold: float = 0.0               # seconds that a container which depends on the process's takes to end

    @property
    def stop_timeout(self) -> float:
        """ECS stops a task's containers together; the slowest decides."""
        return max([float(c.get("stopTimeout", 30)) for c in self.containers], default=30.0)

    @property
    def port(self) -> int | None:
        """Where the process has to listen for the task to be RUNNING: the first mapped port."""
        for container in self.containers:
            for mapping in container.get("portMappings", []):
                first = mapping.get("containerPort") or mapping["containerPortRange"].partition("-")[0]
                return int(first)
        return None

    @property
    def on_host(self) -> bool:
        """Whether its tasks have no interface of their own, but ports of their machine."""
        return self.network_mode in ("bridge", "host")


@dataclasses.dataclass
class Host:
    """A container instance, and the machine under it: of EC2, or of ECS Anywhere."""

    arn: str
    id: str
    cluster: Cluster
    address: str
    registered_at: float
    address_known: bool = True  # to EC2 or Systems Manager

    @property
    def external(self) -> bool:
        return self.id.startswith("mi-")


@dataclasses.dataclass
class Task:
    arn: str
    id: str
    cluster: Cluster
    definition: Definition
    service: Service | None
    group: str
    started_by: str
    zone: str
    created_at: float
    address: str | None
    address_held: bool = False      # shown to nobody until an address is set
    desired_status: str = RUNNING
    last_status: str = PROVISIONING
    health: str = "UNKNOWN"
    version: int = 1
    attachment_id: str = dataclasses.field(default_factory=lambda: str(uuid.uuid4()))
    interface_id: str = dataclasses.field(default_factory=lambda: f"eni-{uuid.uuid4().hex[:17]}")
    container_ids: list[str] = dataclasses.field(default_factory=list)
    pull_started_at: float | None = None
    pull_stopped_at: float | None = None
    started_at: float | None = None
    stopping_at: float | None = None
    execution_stopped_at: float | None = None
    stopped_at: float | None = None
    stop_code: str | None = None
    stopped_reason: str | None = None
    exit_code: int | None = None
    host: Host | None = None
    bindings: list[dict[str, Any]] = dataclasses.field(default_factory=list)  # of its host's ports
    bindings_held: bool = False     # shown to nobody yet

    @property
    def port(self) -> int | None:
        """Where it is reached: the first mapped port, as its host has bound it."""
        return self.bindings[0]["port"] if self.bindings else self.definition.port

    def touch(self, is_told: bool = True) -> None:
        """Each change counts; the same counter is in ECS's events. A change of health alone is in none."""
        self.version += 1
        if is_told:
            self.cluster.changed(self)

    def is_at_least(self, status: str) -> bool:
        return STATUSES.index(self.last_status) >= STATUSES.index(status)


@dataclasses.dataclass
class Deployment:
    """One revision that a service is moving to, or away from."""

    id: str
    definition: Definition
    created_at: float
    status: str = "PRIMARY"
    updated_at: float = 0.0


@dataclasses.dataclass
class Service:
    arn: str
    name: str
    cluster: Cluster
    desired: int
    created_at: float
    deployments: list[Deployment]
    # Most tasks during a deployment, and fewest RUNNING ones, in percent of `desired`.
    maximum_percent: int = 200
    minimum_percent: int = 100
    # Between two stops of old tasks in a deployment; 0: all that may go, go together.
    stop_interval: float = 0.5
    replaces_unhealthy: bool = False
    next_stop_at: float = 0.0
    next_start_at: float = 0.0
    failures_in_a_row: int = 0

    @property
    def primary(self) -> Deployment:
        return self.deployments[0]


@dataclasses.dataclass
class Cluster:
    arn: str
    name: str
    account: str
    old_arns: bool = False
    changed: Callable[[Task], None] = lambda task: None  # an event goes out
    tasks: dict[str, Task] = dataclasses.field(default_factory=dict)  # by ARN, in order of creation
    services: dict[str, Service] = dataclasses.field(default_factory=dict)
    hosts: dict[str, Host] = dataclasses.field(default_factory=dict)  # by ARN of the container instance

    def tasks_of(self, service: Service) -> Iterator[Task]:
        return (task for task in self.tasks.values() if task.service is service)


class Addresses:
    """Hands out a network's addresses in turn, so that one comes back only after all others.

    ECS gives an address again soon after its task's end; a test of that sets the address itself.
    """

    def __init__(self, network: str) -> None:
        self.network = ipaddress.ip_network(network)
        if not self.network.is_loopback:
            raise Refused(f"{network} is not in 127.0.0.0/8")
        self._first = int(self.network.network_address) + 1
        self._turn = itertools.count()

    def next(self) -> str:
        usable = max(1, self.network.num_addresses - 2)
        return str(ipaddress.ip_address(self._first + next(self._turn) % usable))


class World:
    """All of it. Whoever reads or changes it holds `lock`."""

    def __init__(self, network: str, region: str = REGION) -> None:
        self.lock = threading.RLock()
        self.region = region
        self.clock_offset = 0.0
        self.describable_seconds = 3600.0
        self.keys: dict[str, Key] = {}
        self.roles: dict[str, Role] = {}  # by ARN
        self.clusters: dict[str, Cluster] = {}  # by ARN
        self.families: dict[tuple[str, str], list[Definition]] = {}  # by account and family
        self.bus: Any = None  # see bus.Bus
        self.addresses = Addresses(network)
        self._random = random.Random()
        self._zone_turn = itertools.count()

    def now(self) -> float:
        """The fake server's clock, which a test may set wrong."""
        return time.time() + self.clock_offset

    def arn(self, account: str, resource: str) -> str:
        return f"arn:aws:ecs:{self.region}:{account}:{resource}"

    # Clusters

    def add_cluster(self, name: str, account: str = ACCOUNT, old_arns: bool = False) -> Cluster:
        arn = self.arn(account, f"cluster/{name}")
        if arn in self.clusters:
            raise Refused(f"cluster {name} exists")
        self.clusters[arn] = Cluster(arn, name, account, old_arns, lambda task: self.bus.changed(task))
        return self.clusters[arn]

    def cluster(self, name_or_arn: str, account: str | None = None) -> Cluster | None:
        """By ARN, or by name within an account (any, for the control door)."""
        for cluster in self.clusters.values():
            if account in (None, cluster.account) and name_or_arn in (cluster.arn, cluster.name):
                return cluster
        return None

    def hosts(self, account: str) -> Iterator[Host]:
        return (host for cluster in self.clusters.values() if cluster.account == account
                for host in cluster.hosts.values())

    # Task definitions

    def add_definition(self, family: str, containers: list[dict[str, Any]], network_mode: str,
                       process: list[str] | None, account: str) -> Definition:
        revisions = self.families.setdefault((account, family), [])
        revision = len(revisions) + 1
        arn = self.arn(account, f"task-definition/{family}:{revision}")
        revisions.append(Definition(arn, family, revision, containers, network_mode or "bridge", self.now(),
                                    not network_mode, process))
        return revisions[-1]

    def definition(self, name: str, account: str) -> Definition | None:
        """By ARN, family:revision, or family (its newest revision)."""
        if name.startswith("arn:"):
            prefix = self.arn(account, "task-definition/")
            if not name.startswith(prefix):
                return None
            name = name[len(prefix):]
        family, _, revision = name.partition(":")
        revisions = self.families.get((account, family), [])
        if not revision:
            return revisions[-1] if revisions else None
        if not revision.isdigit() or not 1 <= int(revision) <= len(revisions):
            return None
        return revisions[int(revision) - 1]

    # Services and tasks

    def deployment_id(self) -> str:
        return f"ecs-svc/{self._random.randrange(10**18, 10**19)}"

    def add_service(self, cluster: Cluster, name: str, desired: int, definition: Definition) -> Service:
        if name in cluster.services:
            raise Refused(f"service {name} exists in cluster {cluster.name}")
        path = f"service/{name}" if cluster.old_arns else f"service/{cluster.name}/{name}"
        now = self.now()
        deployment = Deployment(self.deployment_id(), definition, now, updated_at=now)
        service = Service(self.arn(cluster.account, path), name, cluster, desired, now, [deployment])
        cluster.services[name] = service
        return service

    def add_task(self, cluster: Cluster, definition: Definition, service: Service | None = None,
                 address: str | None = None, address_held: bool = False) -> Task:
        # The old format's ids are UUIDs with dashes, the new one's are 32 hex digits.
        task_id = str(uuid.uuid4()) if cluster.old_arns else uuid.uuid4().hex
        path = f"task/{task_id}" if cluster.old_arns else f"task/{cluster.name}/{task_id}"
        if address is None and not address_held and not definition.on_host:
            address = self.addresses.next()
        group = f"service:{service.name}" if service else f"family:{definition.family}"
        started_by = service.primary.id if service else ""
        zone = self.region + ZONES[next(self._zone_turn) % len(ZONES)]
        task = Task(self.arn(cluster.account, path), task_id, cluster, definition, service, group, started_by,
                    zone, self.now(), address, address_held)
        task.container_ids = [str(uuid.uuid4()) for _ in definition.containers]
        cluster.tasks[task.arn] = task
        return task

    def find_task(self, name: str) -> Task:
        """By ARN, id, or a prefix of the id that only one task has."""
        found = [task for cluster in self.clusters.values() for task in cluster.tasks.values()
                 if task.arn == name or task.id.startswith(name)]
        if len(found) != 1:
            raise Refused(f"{len(found)} tasks are called {name!r}")
        return found[0]
