"""Tasks that are real processes, each on a loopback address of its own.

A process belongs to this server: it is ended by its pid, and the kernel ends it should this server die
first. It gets a session of its own so that a Ctrl-C in the terminal reaches it only as a stopped task.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from pathlib import Path

from .world import Refused, Task

RNG_SERVER = Path(__file__).resolve().parents[1] / "rng" / "server.py"
DEFAULT_DRAIN = 3.0
_PROBE_SECONDS = 0.2


def rng_command(drain: float = DEFAULT_DRAIN) -> list[str]:
    """The random number service as a command template."""
    return [sys.executable, str(RNG_SERVER), "--listen", "{address}:{port}", "--name", "{task}",
            "--drain", str(drain), "--count-file", "{journal}"]


class Processes:
    """The processes of all tasks, by task ARN."""

    def __init__(self, work_dir: Path) -> None:
        self.work_dir = work_dir
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def journal(self, task: Task) -> Path:
        return self.work_dir / f"{task.id}.calls"

    def output(self, task: Task) -> Path:
        return self.work_dir / f"{task.id}.log"

    def start(self, task: Task) -> None:
        assert task.definition.process is not None
        fields = {"address": task.address, "port": task.port, "task": task.id,
                  "family": task.definition.family, "revision": task.definition.revision,
                  "service": task.service.name if task.service else "",
                  "journal": self.journal(task), "dir": self.work_dir}
        try:
            command = [word.format_map(fields) for word in task.definition.process]
        except (KeyError, ValueError, IndexError) as error:
            raise Refused(f"process template: {error!r}") from error
        with open(self.output(task), "ab") as output:
            # setpriv asks the kernel for the death signal and becomes the command: no shell, the same pid.
            self._running[task.arn] = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *command], stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, start_new_session=True)

    def pid(self, task: Task) -> int | None:
        process = self._running.get(task.arn)
        return process.pid if process else None

    def exit_code(self, task: Task) -> int | None:
        """None while it runs. A signal's death is 128 + its number, as a container runtime reports it."""
        process = self._running.get(task.arn)
        code = process.poll() if process else 0
        return 128 - code if code is not None and code < 0 else code

    def is_listening(self, task: Task) -> bool:
        """A connect to a loopback port is answered at once, so this holds nobody up."""
        address, port = task.address, task.port
        assert address is not None and port is not None, "the control door lets no such process in"
        with contextlib.suppress(OSError):
            with socket.create_connection((address, port), _PROBE_SECONDS):
                # A stranger on this address would be taken for the task: its own process has to live.
                return self.exit_code(task) is None
        return False

    def terminate(self, task: Task) -> None:
        if task.arn in self._running:
            self._running[task.arn].terminate()

    def kill(self, task: Task) -> None:
        if task.arn in self._running:
            self._running[task.arn].kill()

    def crash(self, task: Task) -> int:
        """Kills it and sees it die, which after SIGKILL is a matter of microseconds; its exit code."""
        self.kill(task)
        self._running[task.arn].wait()
        return self.exit_code(task) or 0

    def forget(self, task: Task) -> None:
        self._running.pop(task.arn, None)

    def kill_all(self) -> None:
        for process in self._running.values():
            process.kill()
        for process in self._running.values():
            process.wait()
        self._running.clear()
