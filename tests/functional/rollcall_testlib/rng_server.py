"""The random number service as a process of the test's own, on any address."""

from __future__ import annotations

import sys
from pathlib import Path

from rng import journal

from .paths import TOP
from .process import Child, free_port


class RngServer(Child):
    """One server, with its journal. As a context manager it is killed at the end."""

    def __init__(self, directory: Path, name: str, target: str = "", drain: float = 0.5) -> None:
        self.target = target or f"127.0.0.1:{free_port()}"
        self.journal_file = directory / f"{name}.calls"
        super().__init__([sys.executable, str(TOP / "tests" / "rng" / "server.py"), "--listen", self.target,
                          "--name", name, "--drain", str(drain), "--count-file", str(self.journal_file)],
                         directory / f"{name}.log")

    def journal(self) -> journal.Journal:
        return journal.read(self.journal_file)

    def __enter__(self) -> RngServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
