"""The door for tests: POST /COMMAND with a JSON object of arguments, the result as JSON.

Each public method of `Commands` is a command; its parameters are the arguments. A refusal is a 400 with
{"error": text}. control.py is the client; curl does as well:

    curl -d '{"cluster": "main", "service": "rng-service", "desired": 3}' http://127.0.0.1:PORT/scale
"""

from __future__ import annotations

import dataclasses
import http.server
import inspect
import json
import sys
from typing import Any

from rng import journal

from . import bus, machines, metadata_door, shapes
from .buckets import Buckets
from .faults import Faults
from .lifecycle import Lifecycle
from .processes import DEFAULT_DRAIN, Processes, rng_command
from .requestlog import RequestLog
from .world import ACCOUNT, Cluster, Definition, Denial, Host, Key, Refused, Role, Service, Task, World

Document = dict[str, Any]


class Commands:
    """What a test can do. Each is called under the world's lock."""

    def __init__(self, world: World, lifecycle: Lifecycle, processes: Processes, injected: Faults,
                 log: RequestLog, rates: Buckets, beside: metadata_door.Beside) -> None:
        self._beside = beside
        self._world = world
        self._lifecycle = lifecycle
        self._processes = processes
        self._faults = injected
        self._log = log
        self._rates = rates

    # Keys

    def set_key(self, access_key_id: str, secret_access_key: str, session_token: str = "",
                account: str = ACCOUNT, expired: bool = False) -> None:
        """Makes a key, or replaces it. With a session token it is a temporary one."""
        denied = self._world.keys[access_key_id].denied if access_key_id in self._world.keys else []
        self._world.keys[access_key_id] = Key(access_key_id, secret_access_key, session_token, account,
                                              expired=expired, denied=denied)

    def expire_key(self, access_key_id: str, expired: bool = True) -> None:
        self._key(access_key_id).expired = expired

    def remove_key(self, access_key_id: str) -> None:
        del self._world.keys[self._key(access_key_id).access_key_id]

    def deny(self, access_key_id: str, action: str = "*", cluster: str = "*") -> None:
        self._key(access_key_id).denied.append(Denial(action, cluster))

    def allow_all(self, access_key_id: str) -> None:
        """Takes back every deny."""
        self._key(access_key_id).denied.clear()

    # Roles, and what is beside the client

    def set_role(self, role: str, trusts: list[str] | None = None, external_id: str = "", web_token: str = "",
                 lifetime: float = 3600.0, account: str = ACCOUNT) -> str:
        """Makes a role, or replaces it; its ARN. `trusts` are globs on the ARNs of callers (none: no key may)."""
        arn = f"arn:aws:iam::{account}:role/{role}"
        self._world.roles[arn] = Role(arn, trusts or [], external_id, web_token, lifetime)
        return arn

    def assumed(self, role: str) -> list[Document]:
        """Who assumed it, in order; `role` is its ARN."""
        return self._world.roles[role].assumed

    def sessions(self, role: str) -> list[str]:
        """The ids of all keys that the role ever had, the newest last."""
        name = self._world.roles[role].name
        return [key.access_key_id for key in self._world.keys.values()
                if key.user.startswith(f"assumed-role/{name}/")]

    def secrets(self) -> list[str]:
        """Every secret and token that there ever was: none of them may be seen anywhere."""
        found = [text for key in self._world.keys.values() for text in (key.secret_access_key, key.session_token)]
        found += [role.web_token for role in self._world.roles.values()]
        return [text for text in (*found, *self._beside.tokens, self._beside.authorization) if text]

    def set_beside(self, **values: Any) -> None:
        """See metadata_door.Beside."""
        for name, value in values.items():
            if name not in vars(self._beside):
                raise Refused(f"nothing beside is called {name!r}")
            if name in ("imds", "container") and value not in getattr(metadata_door, name.upper()):
                raise Refused(f"{name} is none of {', '.join(getattr(metadata_door, name.upper()))}")
            setattr(self._beside, name, value)

    def beside_requests(self) -> list[Document]:
        return self._beside.requests

    def _key(self, access_key_id: str) -> Key:
        if access_key_id not in self._world.keys:
            raise Refused(f"no key {access_key_id}")
        return self._world.keys[access_key_id]

    # Clusters, definitions, services

    def create_cluster(self, cluster: str, account: str = ACCOUNT, old_arns: bool = False) -> str:
        return self._world.add_cluster(cluster, account, old_arns).arn

    def delete_cluster(self, cluster: str) -> None:
        """Only of one whose tasks are all without a process: it is gone at once, as a mistyped name."""
        found = self._cluster(cluster)
        if any(self._processes.pid(task) for task in found.tasks.values()):
            raise Refused(f"processes run in cluster {cluster}")
        del self._world.clusters[found.arn]

    def set_old_arns(self, cluster: str, old_arns: bool = True) -> None:
        """For tasks made from now on; an ARN never changes."""
        self._cluster(cluster).old_arns = old_arns

    def register(self, family: str, containers: list[Document] | None = None, process: Any = "rng",
                 drain: float = DEFAULT_DRAIN, network_mode: str = "awsvpc", labels: dict[str, str] | None = None,
                 port: int = 50051, stop_timeout: int | None = None, account: str = ACCOUNT,
                 hold: float = 0.0) -> str:
        """A new revision; its ARN.

        `containers` is ECS's containerDefinitions. Without it there is one container `rng` with `port`, `labels`
        and `stop_timeout`. A `network_mode` of "" is left out, which makes it a bridge. `process` is "rng" (the
        random number service, which serves `drain` seconds after SIGTERM), "none" (only an address), or a list of
        words, templates of {address} {port} {task} {service} {family} {revision} {journal} {dir}. With `hold` there is
        a container beside it that depends on it, and takes so many seconds to end (docs/hold.md).
        """
        if containers is None:
            containers = [_rng_container(port, labels or {}, stop_timeout)]
            if hold:
                containers.append({"name": "hold", "essential": False,
                                   "dependsOn": [{"containerName": "rng", "condition": "START"}]})
        for container in containers:
            unfit = shapes.faults_of("ContainerDefinition", container)
            if unfit or "name" not in container:
                raise Refused("; ".join(unfit) or "a container needs a name")
        command = _command(process, drain)
        if command is not None and not any(container.get("portMappings") for container in containers):
            raise Refused("a process needs a container with a port")
        made = self._world.add_definition(family, containers, network_mode, command, account)
        made.hold = hold
        return made.arn

    def create_service(self, cluster: str, service: str, desired: int, definition: str,
                       stop_interval: float = 0.5, replaces_unhealthy: bool = False, maximum_percent: int = 200,
                       minimum_percent: int = 100) -> Document:
        home = self._cluster(cluster)
        made = self._world.add_service(home, service, desired, self._definition(definition, home))
        made.stop_interval, made.replaces_unhealthy = stop_interval, replaces_unhealthy
        made.maximum_percent, made.minimum_percent = maximum_percent, minimum_percent
        self._lifecycle.wake(made)
        return self.service(cluster, service)

    def scale(self, cluster: str, service: str, desired: int) -> Document:
        if desired < 0:
            raise Refused("fewer than no tasks")
        found = self._service(cluster, service)
        found.desired = desired
        self._lifecycle.wake(found)
        return self.service(cluster, service)

    def roll(self, cluster: str, service: str, definition: str = "") -> Document:
        """To this revision, or to a new one that is a copy of the service's own."""
        found = self._service(cluster, service)
        if definition:
            target = self._definition(definition, found.cluster)
        else:
            own = found.primary.definition
            target = self._world.add_definition(own.family, own.containers,
                                                "" if own.network_mode_unsaid else own.network_mode, own.process,
                                                found.cluster.account)
            target.hold = own.hold
        self._lifecycle.roll(found, target)
        return self.service(cluster, service)

    def service(self, cluster: str, service: str) -> Document:
        """Counts, and whether it is steady: as many RUNNING as desired, of one revision, none on its way
        anywhere."""
        found = self._service(cluster, service)
        tasks = list(found.cluster.tasks_of(found))
        serving = [t for t in tasks if t.desired_status == t.last_status == "RUNNING"]
        moving = [t for t in tasks if t not in serving and t.last_status != "STOPPED"]
        return {
            "service": found.name, "arn": found.arn, "desired": found.desired, "running": len(serving),
            "moving": len(moving), "revision": found.primary.definition.revision,
            "steady": (len(serving) == found.desired and not moving and len(found.deployments) == 1
                       and all(t.definition is found.primary.definition for t in serving)),
        }

    # Tasks

    def run_tasks(self, cluster: str, definition: str, count: int = 1, service: str = "", address: str | None = None,
                  no_address: bool = False, instantly: bool = False) -> list[str]:
        """Tasks by hand; their ARNs. Standalone ones, or (for big numbers, `instantly`) members of a service
        whose desired count is raised to fit."""
        home = self._cluster(cluster)
        wanted = self._definition(definition, home)
        owner = self._service(cluster, service) if service else None
        if owner:
            owner.desired += count
        return [self._lifecycle.run(home, wanted, owner, address, no_address, instantly).arn for _ in range(count)]

    def stop_task(self, task: str, code: str = "UserInitiated", reason: str = "Task stopped by user") -> None:
        self._lifecycle.stop(self._world.find_task(task), code, reason)

    def crash(self, task: str) -> None:
        """Its process is killed; a service starts another in its place."""
        self._lifecycle.crash(self._world.find_task(task))

    def forget_task(self, task: str) -> None:
        """As if its hour after the stop were over: MISSING from now on. With no process only."""
        found = self._world.find_task(task)
        if self._processes.pid(found):
            raise Refused("its process runs")
        del found.cluster.tasks[found.arn]

    def set_health(self, task: str, health: str) -> None:
        if health not in ("HEALTHY", "UNHEALTHY", "UNKNOWN"):
            raise Refused(f"no health {health!r}")
        self._lifecycle.set_health(self._world.find_task(task), health)

    def set_address(self, task: str, address: str | None) -> None:
        """What ECS tells of it; None: no address yet. Its process stays where it is."""
        self._lifecycle.set_address(self._world.find_task(task), address)

    def tasks(self, cluster: str = "", service: str = "") -> list[Document]:
        """In order of creation, the stopped ones that are still describable too."""
        return [self._task(task) for task in self._tasks(cluster, service)]

    def task(self, task: str) -> Document:
        return self._task(self._world.find_task(task))

    def _task(self, task: Task) -> Document:
        return {"arn": task.arn, "id": task.id, "cluster": task.cluster.name,
                "service": task.service.name if task.service else "", "group": task.group,
                "definition": task.definition.arn, "revision": task.definition.revision,
                "address": task.address, "port": task.port, "zone": task.zone,
                "last_status": task.last_status, "desired_status": task.desired_status, "health": task.health,
                "version": task.version, "stop_code": task.stop_code, "exit_code": task.exit_code,
                "pid": self._processes.pid(task), "output": str(self._processes.output(task))}

    def calls(self, cluster: str = "", service: str = "") -> Document:
        """What the tasks' processes executed, by their own journals, ended ones too: calls by task id, and the
        call ids that were executed more than once."""
        journals = {task.id: journal.read(self._processes.journal(task)) for task in self._tasks(cluster, service)}
        return {"by_task": {task_id: found.calls for task_id, found in journals.items()},
                "twice": journal.executed_twice(journals.values())}

    # Machines

    def add_host(self, cluster: str, external: bool = False, address: str | None = None) -> Document:
        """A container instance of EC2, or of ECS Anywhere; tasks of bridge and host networks run on these, with
        their ports bound on its address."""
        host = machines.add_host(self._world, self._cluster(cluster), external, address)
        return {"arn": host.arn, "id": host.id, "address": host.address}

    def know_host(self, cluster: str, arn: str, known: bool = True) -> None:
        """Whether EC2 or Systems Manager knows an address for the machine."""
        self._host(cluster, arn).address_known = known

    def remove_host(self, cluster: str, arn: str) -> None:
        """ECS forgets the container instance; its tasks stay as they are."""
        del self._cluster(cluster).hosts[self._host(cluster, arn).arn]

    def hold_bindings(self, task: str, held: bool = True) -> None:
        """Whether ECS tells the ports that the task's host has bound."""
        found = self._world.find_task(task)
        found.bindings_held = held
        found.touch()

    def _host(self, cluster: str, arn: str) -> Host:
        hosts = self._cluster(cluster).hosts
        if arn not in hosts:
            raise Refused(f"no host {arn!r}")
        return hosts[arn]

    # Events

    def make_topic(self, topic: str, account: str = ACCOUNT) -> str:
        return self._world.bus.make_topic(topic, account).arn

    def make_queue(self, queue: str, account: str = ACCOUNT, attributes: dict[str, str] | None = None,
                   open_to_all: bool = True) -> Document:
        """Its policy lets everyone send, unless `open_to_all` is false."""
        policy = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}]}
        made = self._world.bus.make_queue(queue, account, {
            **({"Policy": json.dumps(policy)} if open_to_all else {}), **(attributes or {})})
        return {"url": made.url, "arn": made.arn}

    def set_rule(self, **values: Any) -> Document:
        """Where events go, and how; see bus.Rule."""
        for name, value in values.items():
            if name not in vars(self._world.bus.rule):
                raise Refused(f"a rule has no {name!r}")
            setattr(self._world.bus.rule, name, value)
        return vars(self._world.bus.rule)

    def set_cooldown(self, seconds: float) -> None:
        """How long the name of a deleted queue cannot be used; 60 s in AWS."""
        self._world.bus.cooldown = seconds

    def queues(self) -> list[Document]:
        return [{"name": queue.name, "url": queue.url, "arn": queue.arn, "messages": len(queue.messages),
                 "deleted": queue.deleted, "attributes": queue.attributes}
                for queue in list(self._world.bus.queues.values())]

    def subscriptions(self, topic: str) -> list[Document]:
        return [vars(found) for found in self._world.bus.topics[topic].subscriptions.values()]

    def send_message(self, queue: str, body: str) -> None:
        """By anyone, with any body."""
        queues = self._world.bus
        queues.put(queues.queue_named(queue), body)

    def event(self, task: str) -> Document:
        """What EventBridge would send of it now; a test may forge one from it."""
        return bus.event_of(self._world.find_task(task), self._world.region)

    def remove_queue(self, queue: str) -> None:
        queues = self._world.bus
        queues.remove_queue(queues.queue_named(queue))

    def events_sent(self) -> Document:
        """How many reached a queue, were lost on purpose, or refused by a policy."""
        return dict(self._world.bus.sent)

    # The server itself

    def limit_rates(self, on: bool = True) -> None:
        """AWS's own request rates, from now on; see buckets.RATES."""
        self._rates.on = on

    def add_fault(self, kind: str, **options: Any) -> int:
        """See faults.KINDS; options are action, cluster, page, containing, times, and the kind's own."""
        try:
            return self._faults.add(kind, **options).id
        except TypeError as error:
            raise Refused(str(error)) from error

    def clear_faults(self, fault: int | None = None) -> int:
        return self._faults.clear(fault)

    def faults(self) -> list[Document]:
        return [fault.document() for fault in self._faults.all()]

    def set_clock(self, offset: float) -> None:
        """Seconds by which the server's clock is ahead of the machine's."""
        self._world.clock_offset = offset

    def set_times(self, **seconds: float) -> Document:
        """Of the life cycle (see lifecycle.Times), and `describable`: how long an ended task stays."""
        times = self._lifecycle.times
        for name, value in seconds.items():
            if name == "describable":
                self._world.describable_seconds = value
            elif name in vars(times):
                setattr(times, name, value)
            else:
                raise Refused(f"no time {name!r}; there are {', '.join(vars(times))}, describable")
        return {**dataclasses.asdict(times), "describable": self._world.describable_seconds}

    def requests(self, action: str = "", after: float = 0.0, limit: int = 1000) -> list[Document]:
        return self._log.entries(action, after, limit)

    def counters(self) -> Document:
        return self._log.counters()

    def reset_counters(self) -> None:
        self._log.reset()

    # By name

    def _tasks(self, cluster: str, service: str) -> list[Task]:
        clusters = [self._cluster(cluster)] if cluster else list(self._world.clusters.values())
        return [task for home in clusters for task in home.tasks.values()
                if not service or (task.service and task.service.name == service)]

    def _cluster(self, name: str) -> Cluster:
        found = self._world.cluster(name)
        if found is None:
            raise Refused(f"no cluster {name!r}")
        return found

    def _service(self, cluster: str, name: str) -> Service:
        services = self._cluster(cluster).services
        if name not in services:
            raise Refused(f"no service {name!r} in cluster {cluster!r}")
        return services[name]

    def _definition(self, name: str, cluster: Cluster) -> Definition:
        found = self._world.definition(name, cluster.account)
        if found is None:
            raise Refused(f"no task definition {name!r}")
        return found


def _command(process: Any, drain: float) -> list[str] | None:
    if isinstance(process, list):
        return [str(word) for word in process]
    if process not in ("rng", "none"):
        raise Refused(f"no process {process!r}: rng, none, or a list of words")
    return rng_command(drain) if process == "rng" else None


def _rng_container(port: int, labels: dict[str, str], stop_timeout: int | None) -> Document:
    container: Document = {"name": "rng", "essential": True, "dockerLabels": labels,
                           "portMappings": [{"containerPort": port, "protocol": "tcp"}]}
    if stop_timeout is not None:
        container["stopTimeout"] = stop_timeout
    return container


class ControlServer(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], world: World, commands: Commands) -> None:
        super().__init__(address, _Handler)
        self.world = world
        self.commands = commands

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up before its answer has nobody to tell."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(http.server.BaseHTTPRequestHandler):
    server: ControlServer
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, *_: Any) -> None:
        """Commands are not news."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            result, status = self._call(self.path.strip("/"), json.loads(body or b"{}")), 200
        except (Refused, ValueError) as error:
            result, status = {"error": str(error)}, 400
        except Exception as error:  # the test that asked has to hear of it
            result, status = {"error": repr(error)}, 500
        answer = json.dumps(result).encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _call(self, name: str, arguments: Any) -> Any:
        command = None if name.startswith("_") else getattr(self.server.commands, name, None)
        if command is None or not isinstance(arguments, dict):
            raise Refused(f"no command {name!r}")
        try:
            bound = inspect.signature(command).bind(**arguments)
        except TypeError as error:
            raise Refused(f"{name}: {error}") from error
        with self.server.world.lock:
            return command(*bound.args, **bound.kwargs)
