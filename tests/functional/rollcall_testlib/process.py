"""Child processes of a test, and free ports for them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import Mapping, Sequence


def free_port(address: str = "127.0.0.1") -> int:
    """A port that nothing listens on now. The kernel does not soon give the same one twice."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        return probe.getsockname()[1]


class Child:
    """A process that a test started, ended by its pid; its output is in `log`.

    The kernel kills it if the test run dies first (setpriv sets that and becomes the command).
    """

    def __init__(self, command: Sequence[str], log: Path, env: Mapping[str, str] | None = None) -> None:
        self.log = log
        with open(log, "ab") as output:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *command], stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, start_new_session=True, env={**os.environ, **(env or {})})

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        return self._process.poll()

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def wait(self, timeout: float = 40.0) -> int:
        return self._process.wait(timeout)

    def stop(self, timeout: float = 40.0) -> int:
        """SIGTERM, then SIGKILL when the time is over; the exit code."""
        if self.exit_code is None:
            self._process.terminate()
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._process.wait()

    def kill(self) -> None:
        """SIGKILL to it and to what it started: its session is its own, so the group holds nothing else."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()
