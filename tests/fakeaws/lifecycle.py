"""What happens to tasks as time passes, and the scheduler that keeps services at their count.

PROVISIONING -> PENDING -> ACTIVATING -> RUNNING, the last only once the process listens. A stop flips the
desired status at once, which makes the task vanish from ListTasks while it still serves; the states that
follow are what DescribeTasks shows: RUNNING a little longer, DEACTIVATING where configured, STOPPING (the
process gets SIGTERM), DEPROVISIONING (the process is gone), STOPPED, and after an hour nothing.

One thread runs it all, from a heap of what is due; nothing here sleeps and nothing blocks.
"""

from __future__ import annotations

import collections
import dataclasses
import heapq
import itertools
import logging
import math
import threading
import time
from typing import Callable

from . import machines
from .processes import Processes
from .world import (ACTIVATING, DEACTIVATING, DEPROVISIONING, PENDING, PROVISIONING, RUNNING, STOPPED, STOPPING,
                    Cluster, Definition, Deployment, Refused, Service, Task, World)

log = logging.getLogger("fakeaws")

# How often a process is looked at: whether it listens, whether it lives.
WATCH_SECONDS = 0.02
# A service is looked at this long after a change, so that a thousand changes are one look.
RECONCILE_SECONDS = 0.005
LONGEST_RESTART_PAUSE = 5.0


@dataclasses.dataclass
class Times:
    """Seconds in each state, all multiplied by `scale`. stopTimeout is the definition's, and not scaled."""

    scale: float = 1.0
    provisioning: float = 0.05
    pending: float = 0.05
    activating: float = 0.05
    health: float = 0.05         # RUNNING until the definition's health check first passes
    stop_delay: float = 0.05     # desired STOPPED, still RUNNING: the order is on its way to the host
    deactivating: float = 0.0    # 0: no such state, as without a load balancer
    stopping: float = 0.1        # of a task without a process
    deprovisioning: float = 0.1


class Clock:
    """Runs functions when they are due, on one thread, each under the world's lock."""

    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="clock", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join()

    def after(self, seconds: float, function: Callable[[], None]) -> None:
        with self._changed:
            heapq.heappush(self._due, (time.monotonic() + seconds, next(self._order), function))
            self._changed.notify()

    def _next(self) -> Callable[[], None] | None:
        with self._changed:
            while not self._stopped:
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._due)[2]
                self._changed.wait(wait)
        return None

    def _run(self) -> None:
        while (function := self._next()) is not None:
            with self._lock:
                try:
                    function()
                except Exception:  # one task's trouble must not stop the clock of all others
                    log.exception("the clock")


class Lifecycle:
    """Moves tasks and services. Each method is called under the world's lock."""

    def __init__(self, world: World, clock: Clock, processes: Processes, times: Times) -> None:
        self._world = world
        self._clock = clock
        self._processes = processes
        self.times = times
        self._woken: set[str] = set()  # services that will be looked at anyway

    def _after(self, seconds: float, function: Callable[[], None]) -> None:
        self._clock.after(seconds * self.times.scale, function)

    # A task's way up

    def start(self, task: Task) -> None:
        self._after(self.times.provisioning, lambda: self._pending(task))

    def start_running(self, task: Task) -> None:
        """For tasks without a process, by the thousand: RUNNING from the first moment."""
        now = self._world.now()
        task.pull_started_at = task.pull_stopped_at = now
        self._running(task)

    def _enter(self, task: Task, status: str, expected: str) -> bool:
        """One step up, unless the task was told to stop meanwhile."""
        if task.desired_status != RUNNING or task.last_status != expected:
            return False
        task.last_status = status
        task.touch()
        return True

    def _pending(self, task: Task) -> None:
        if self._enter(task, PENDING, PROVISIONING):
            task.pull_started_at = self._world.now()
            self._after(self.times.pending, lambda: self._activating(task))

    def _activating(self, task: Task) -> None:
        if not self._enter(task, ACTIVATING, PENDING):
            return
        task.pull_stopped_at = self._world.now()
        if task.definition.process is None:
            self._after(self.times.activating, lambda: self._running(task))
            return
        try:
            self._processes.start(task)
        except (OSError, Refused) as error:
            self._gone(task, 1, "TaskFailedToStart", f"CannotStartContainerError: {error}")
            return
        self._watch(task, not_before=time.monotonic() + self.times.activating * self.times.scale)

    def _watch(self, task: Task, not_before: float = 0.0, kill_at: float = math.inf) -> None:
        """Looks at a task's process again and again, until it is gone."""
        code = self._processes.exit_code(task)
        if code is not None:
            self._process_ended(task, code)
            return
        now = time.monotonic()
        if task.last_status == ACTIVATING and now >= not_before and self._processes.is_listening(task):
            self._running(task)
        if task.last_status == STOPPING and math.isinf(kill_at):
            kill_at = now + task.definition.hold + task.definition.stop_timeout
        if now >= kill_at:
            self._processes.kill(task)
        self._clock.after(WATCH_SECONDS, lambda: self._watch(task, not_before, kill_at))

    def _running(self, task: Task) -> None:
        if task.desired_status != RUNNING or task.is_at_least(RUNNING):
            return
        task.last_status = RUNNING
        task.started_at = self._world.now()
        task.touch()
        if any("healthCheck" in container for container in task.definition.containers):
            self._after(self.times.health, lambda: self._first_health(task))
        if task.service:
            task.service.failures_in_a_row = 0
            self.wake(task.service)

    def _first_health(self, task: Task) -> None:
        if task.last_status == RUNNING and task.health == "UNKNOWN":
            self.set_health(task, "HEALTHY")

    # A task's way down

    def stop(self, task: Task, code: str, reason: str) -> None:
        if task.desired_status == STOPPED:
            return
        self._want_stopped(task, code, reason)
        if task.last_status == RUNNING:
            self._after(self.times.stop_delay, lambda: self._deactivate(task))
        else:
            self._signal(task)  # nothing to deregister yet
        if task.service:
            self.wake(task.service)

    def _want_stopped(self, task: Task, code: str, reason: str) -> None:
        task.desired_status = STOPPED
        task.stop_code, task.stopped_reason = code, reason
        task.stopping_at = self._world.now()
        task.touch()

    def _deactivate(self, task: Task) -> None:
        if task.last_status != RUNNING:
            return  # its process ended first
        if self.times.deactivating <= 0:
            self._signal(task)
            return
        task.last_status = DEACTIVATING
        task.touch()
        self._after(self.times.deactivating, lambda: self._signal(task))

    def _signal(self, task: Task) -> None:
        if task.is_at_least(STOPPING):
            return
        task.last_status = STOPPING
        task.touch()
        if self._processes.pid(task) is None:
            self._after(self.times.stopping, lambda: self._deprovision(task, 0))
        else:
            # _watch sees the end, and kills when stopTimeout is over. Who is depended on is stopped last.
            self._clock.after(task.definition.hold, lambda: self._processes.terminate(task))

    def _process_ended(self, task: Task, code: int) -> None:
        if task.desired_status == STOPPED:
            self._deprovision(task, code)
        elif task.is_at_least(RUNNING):
            self._gone(task, code, "EssentialContainerExited", "Essential container in task exited")
        else:
            self._gone(task, code, "TaskFailedToStart", "Essential container in task exited")

    def _gone(self, task: Task, code: int, stop_code: str, reason: str) -> None:
        """Ended without being asked to."""
        failed_to_start = not task.is_at_least(RUNNING)
        self._want_stopped(task, stop_code, reason)
        if task.service:
            self._note_failure(task.service, failed_to_start)
        self._deprovision(task, code)

    def _deprovision(self, task: Task, code: int) -> None:
        if task.is_at_least(DEPROVISIONING):
            return
        self._processes.forget(task)
        task.last_status = DEPROVISIONING
        task.exit_code = code
        task.execution_stopped_at = self._world.now()
        task.touch()
        if task.service:
            self.wake(task.service)
        self._after(self.times.deprovisioning, lambda: self._stopped(task))

    def _stopped(self, task: Task) -> None:
        task.last_status = STOPPED
        task.stopped_at = self._world.now()
        task.touch()
        self._clock.after(self._world.describable_seconds, lambda: self._delete(task))

    def _delete(self, task: Task) -> None:
        task.cluster.tasks.pop(task.arn, None)

    # What tests do to tasks

    def crash(self, task: Task) -> None:
        if task.desired_status == STOPPED:
            raise Refused(f"task {task.id} is ending already")
        if self._processes.pid(task) is not None:
            self._process_ended(task, self._processes.crash(task))
        else:
            self._gone(task, 137, "EssentialContainerExited", "Essential container in task exited")

    def set_health(self, task: Task, health: str) -> None:
        task.health = health
        task.touch(is_told=False)
        service = task.service
        if service and service.replaces_unhealthy and health == "UNHEALTHY":
            self.stop(task, "ServiceSchedulerInitiated",
                      f"Task failed container health checks (service {service.name})")

    def set_address(self, task: Task, address: str | None) -> None:
        task.address = address
        task.address_held = address is None
        task.touch(is_told=False)

    # Services

    def run(self, cluster: Cluster, definition: Definition, service: Service | None = None,
            address: str | None = None, address_held: bool = False, instantly: bool = False) -> Task:
        if instantly and definition.process is not None:
            raise Refused("only a task without a process can be RUNNING at once")
        if address_held and definition.process is not None:
            raise Refused("a process needs an address")
        task = self._world.add_task(cluster, definition, service, address, address_held)
        if definition.on_host:
            try:
                machines.place(task)
            except Refused:
                del cluster.tasks[task.arn]
                raise
        if instantly:
            self.start_running(task)
        else:
            self.start(task)
        return task

    def roll(self, service: Service, definition: Definition) -> Deployment:
        now = self._world.now()
        for deployment in service.deployments:
            deployment.status, deployment.updated_at = "ACTIVE", now
        service.deployments.insert(0, Deployment(self._world.deployment_id(), definition, now, updated_at=now))
        self.wake(service)
        return service.primary

    def wake(self, service: Service) -> None:
        if service.arn not in self._woken:
            self._woken.add(service.arn)
            self._wake_later(service, RECONCILE_SECONDS)

    def _wake_later(self, service: Service, seconds: float) -> None:
        self._clock.after(seconds, lambda: self._reconcile(service))

    def _note_failure(self, service: Service, failed_to_start: bool) -> None:
        """A service that cannot start its tasks tries less and less often."""
        if failed_to_start:
            service.failures_in_a_row += 1
            pause = min(LONGEST_RESTART_PAUSE, 0.1 * 2 ** min(service.failures_in_a_row, 10))
            service.next_start_at = time.monotonic() + pause
            self._wake_later(service, pause)

    def _reconcile(self, service: Service) -> None:
        self._woken.discard(service.arn)
        wanted = [t for t in service.cluster.tasks_of(service) if t.desired_status == RUNNING]
        current = [t for t in wanted if t.started_by == service.primary.id]
        old = [t for t in wanted if t.started_by != service.primary.id]
        if len(current) > service.desired:
            self._scale_in(service, current)
        elif len(current) < service.desired:
            self._start_more(service, len(current), len(wanted))
        if old:
            self._retire(service, wanted, old)
        elif len(service.deployments) > 1:
            del service.deployments[1:]

    def _start_more(self, service: Service, current: int, total: int) -> None:
        if time.monotonic() < service.next_start_at:
            return  # _note_failure has set the alarm
        most = max(service.desired, service.desired * service.maximum_percent // 100)
        for _ in range(min(service.desired - current, most - total)):
            self.run(service.cluster, service.primary.definition, service)

    def _scale_in(self, service: Service, current: list[Task]) -> None:
        for task in _expendable_first(current)[:len(current) - service.desired]:
            self._stop_for_service(task, "Scaling activity initiated by (deployment "
                                         f"{service.primary.id})")

    def _retire(self, service: Service, wanted: list[Task], old: list[Task]) -> None:
        """Old tasks go as far as enough stay RUNNING, one after another."""
        fewest = math.ceil(service.desired * service.minimum_percent / 100)
        spare = sum(t.last_status == RUNNING for t in wanted) - fewest
        now = time.monotonic()
        for task in _expendable_first(old):
            if task.last_status == RUNNING:
                if spare <= 0 or now < service.next_stop_at:
                    continue
                spare -= 1
                if service.stop_interval > 0:
                    service.next_stop_at = now + service.stop_interval
                    self._wake_later(service, service.stop_interval)
            self._stop_for_service(task, f"Scaling activity initiated by (deployment {service.primary.id})")

    def _stop_for_service(self, task: Task, reason: str) -> None:
        self.stop(task, "ServiceSchedulerInitiated", reason)


def _expendable_first(tasks: list[Task]) -> list[Task]:
    """The scheduler's choice: those not RUNNING yet, then from the fullest zone, the oldest."""
    crowd = collections.Counter(task.zone for task in tasks)
    return sorted(tasks, key=lambda task: (task.last_status == RUNNING, -crowd[task.zone], task.created_at))
