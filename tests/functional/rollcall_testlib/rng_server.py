"""The random number service as a process of the test's own, on any address."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

from rng import journal

from .paths import TOP
from .process import Child, free_port
from .waiting import wait_until


class RngServer(Child):
    """One server, with its journal. As a context manager it listens at the beginning and is killed at the end."""

    def __init__(self, directory: Path, name: str, target: str = "", drain: float = 0.5) -> None:
        self.target = target or f"127.0.0.1:{free_port()}"
        self.journal_file = directory / f"{name}.calls"
        super().__init__([sys.executable, str(TOP / "tests" / "rng" / "server.py"), "--listen", self.target,
                          "--name", name, "--drain", str(drain), "--count-file", str(self.journal_file)],
                         directory / f"{name}.log")

    def journal(self) -> journal.Journal:
        return journal.read(self.journal_file)

    def wait_listening(self) -> RngServer:
        address, _, port = self.target.rpartition(":")
        wait_until(lambda: socket.create_connection((address.strip("[]"), int(port)), 1).close() is None,
                   what=f"a server on {self.target}")
        return self

    def __enter__(self) -> RngServer:
        try:
            return self.wait_listening()
        except AssertionError:
            self.kill()
            raise

    def __exit__(self, *_: object) -> None:
        self.kill()
