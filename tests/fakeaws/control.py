"""Drives a running fake AWS from a test: starts it, and sends commands to its control door."""

from __future__ import annotations

import functools
import http.client
import json
import signal
import time
from pathlib import Path
from typing import Any, Callable, Self

from .nursery import Nursery

EXECUTABLE = Path(__file__).resolve().parent / "fakeaws"
PYTHON = "/usr/bin/python3"  # the one that has Debian's modules; another may come first in PATH

ACCESS_KEY_ID = "AKIDEXAMPLEPERMANENT"
SECRET_ACCESS_KEY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


class ControlError(Exception):
    """The control door refused; its own words."""


class Control:
    """The control door. Every command of control_door.Commands is a method here, with keyword arguments:

    control.scale(cluster="main", service="rng-service", desired=3)
    """

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address

    def call(self, command: str, **arguments: Any) -> Any:
        connection = http.client.HTTPConnection(*self.address, timeout=60)
        try:
            connection.request("POST", f"/{command}", json.dumps(arguments))
            response = connection.getresponse()
            result = json.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise ControlError(f"{command}: {result['error']}")
        return result

    def __getattr__(self, command: str) -> Callable[..., Any]:
        if command.startswith("_"):
            raise AttributeError(command)
        return lambda **arguments: self.call(command, **arguments)

    def running(self, cluster: str, service: str = "") -> list[dict[str, Any]]:
        """The tasks that serve and are meant to."""
        return [task for task in self.call("tasks", cluster=cluster, service=service)
                if task["last_status"] == task["desired_status"] == "RUNNING"]

    def wait_steady(self, cluster: str, service: str, timeout: float = 30.0) -> dict[str, Any]:
        """Until the service has what it wants and nothing moves; raises TimeoutError."""
        return self._wait(lambda: self.call("service", cluster=cluster, service=service),
                          lambda state: state["steady"], timeout)

    def wait_task(self, task: str, last_status: str, timeout: float = 30.0) -> dict[str, Any]:
        """Until a task is in that state; raises TimeoutError."""
        return self._wait(lambda: self.call("task", task=task),
                          lambda state: state["last_status"] == last_status, timeout)

    @staticmethod
    def _wait(look: Callable[[], Any], enough: Callable[[Any], bool], timeout: float) -> Any:
        deadline = time.monotonic() + timeout
        while not enough(state := look()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"after {timeout} s still {state}")
            time.sleep(0.02)
        return state


@functools.lru_cache(maxsize=None)
def nursery() -> Nursery:
    """The one of this process. The kernel ends it with the thread that started it (so start from the main one), and
    each fake AWS and its tasks with it: nothing survives a killed test run.
    """
    return Nursery(["setpriv", "--pdeathsig", "TERM", "--", PYTHON, str(EXECUTABLE), "--nursery"])


class FakeAws:
    """A fake AWS of one's own: a child process, and its control door as `control`."""

    def __init__(self, work_dir: Path, *options: str) -> None:
        work_dir.mkdir(parents=True, exist_ok=True)
        ports_file = work_dir / "ports.json"
        ports_file.unlink(missing_ok=True)
        self._log = open(work_dir / "fakeaws.log", "ab")
        self._process = nursery().start(["--work-dir", str(work_dir / "tasks"), "--ports-file", str(ports_file),
                                         *options], self._log.fileno())
        ports = self._wait_for(ports_file)
        self.url: str = ports["url"]
        self.metadata_url: str = ports["metadata_url"]
        self.network: str = ports["network"]
        self.control = Control(("127.0.0.1", ports["control_port"]))
        self.control.set_key(access_key_id=ACCESS_KEY_ID, secret_access_key=SECRET_ACCESS_KEY)

    def _wait_for(self, ports_file: Path) -> dict[str, Any]:
        deadline = time.monotonic() + 30
        while not ports_file.exists():
            if self._process.has_ended() or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"fakeaws did not start: {Path(self._log.name).read_text()}")
            time.sleep(0.02)
        return json.loads(ports_file.read_text())

    @property
    def pid(self) -> int:
        return self._process.pid

    def stop(self) -> None:
        self._process.signal(signal.SIGTERM)
        if not self._process.has_ended(10):
            self._process.signal(signal.SIGKILL)
            self._process.has_ended(10)
        self._process.close()
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
