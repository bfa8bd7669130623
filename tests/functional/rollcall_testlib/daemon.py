"""rollcalld under test: its configuration, its life, its control socket, and the `rollcall` command."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

from . import paths
from .process import Child
from .waiting import wait_until

_SANITIZER = re.compile(r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|MemorySanitizer|runtime error:")


def to_yaml(value: Any, indent: int = 0) -> str:
    """Block YAML of plain values. Strings are quoted as in JSON, which YAML reads the same."""
    pad = " " * indent
    if isinstance(value, dict) and value:
        return "\n".join(f"{pad}{key}:{_nested(item, indent + 2)}" for key, item in value.items())
    if isinstance(value, list) and value:
        return "\n".join(f"{pad}-\n{to_yaml(item, indent + 2)}" if isinstance(item, (dict, list)) and item
                         else f"{pad}- {json.dumps(item)}" for item in value)
    return f"{pad}{json.dumps(value)}"


def _nested(value: Any, indent: int) -> str:
    if isinstance(value, (dict, list)) and value:
        return "\n" + to_yaml(value, indent)
    return " " + json.dumps(value)


class _UnixConnection(http.client.HTTPConnection):
    """http.client over a unix socket."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class Rollcalld:
    """One rollcalld; `configuration` is a mapping, or the text itself."""

    def __init__(self, directory: Path, configuration: dict[str, Any] | str, control_socket: Path,
                 env: dict[str, str] | None = None, options: tuple[str, ...] = (),
                 under: tuple[str, ...] = ()) -> None:
        self.control_socket = control_socket
        self._configuration_file = directory / "rollcall.yaml"
        self._log = directory / "rollcalld.log"
        self._env = env or {}
        self._options = options
        self._under = under  # a command that becomes rollcalld
        self.expected_exit = 0  # what the harness holds its end against; a test of a refused start sets 1
        self.write(configuration)
        self.start()

    def write(self, configuration: dict[str, Any] | str) -> None:
        """For the next start or reload."""
        text = configuration if isinstance(configuration, str) else to_yaml(configuration) + "\n"
        self._configuration_file.write_text(text)

    def start(self) -> None:
        self.expected_exit = 0
        self.child = Child([*self._under, paths.ROLLCALLD, "-f", str(self._configuration_file), *self._options],
                           self._log, self._env)

    def wait_live(self, timeout: float = 10.0) -> None:
        wait_until(lambda: self.child.exit_code is not None or self.get_status("/live") == 200, timeout, "live")
        assert self.child.exit_code is None, f"rollcalld ended with {self.child.exit_code}:\n{self.output()}"

    def wait_ready(self, timeout: float = 15.0) -> None:
        self.wait_live(timeout)
        wait_until(lambda: self.get_status("/ready") == 200, timeout, "ready")

    # The control socket

    def request(self, method: str, path: str, timeout: float = 20.0) -> tuple[int, str]:
        connection = _UnixConnection(self.control_socket, timeout)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def get_status(self, path: str) -> int:
        return self.request("GET", path)[0]

    def get(self, path: str) -> Any:
        """The JSON of a page that has to be there."""
        status, text = self.request("GET", path)
        assert status == 200, f"GET {path}: {status} {text}"
        return json.loads(text)

    def status(self) -> Any:
        return self.get("/v1/status")

    def servers(self, backend: str) -> list[dict[str, Any]]:
        return self.get(f"/v1/backends/{backend}")["servers"]

    def server_of(self, backend: str, task: dict[str, Any]) -> dict[str, Any] | None:
        """The server that stands for a task, or None."""
        return next((server for server in self.servers(backend) if server["task"] == task["id"]), None)

    def endpoints(self, task: dict[str, Any]) -> list[dict[str, Any]]:
        """Of all containers of a task; none of one that rollcalld does not know yet."""
        status, text = self.request("GET", f"/v1/tasks/{task['id']}")
        assert status in (200, 404), text
        return [endpoint for container in json.loads(text).get("containers", ())
                for endpoint in container["endpoints"]]

    def problems(self) -> str:
        """What is wrong now, as the status words it; empty if nothing is."""
        return "; ".join(f"{problem['where']}: {problem['message']}" for problem in self.status()["problems"])

    def cluster(self, name: str) -> dict[str, Any]:
        """Of the status: the one of that name, of whichever source."""
        return next(cluster for source in self.status()["sources"] for cluster in source["clusters"]
                    if cluster["name"] == name)

    # The command

    def rollcall(self, *arguments: str, timeout: float = 40.0) -> subprocess.CompletedProcess[str]:
        """`rollcall -s SOCKET ARGUMENTS...`; the caller judges the exit code."""
        return self.rollcall_at(str(self.control_socket), *arguments, timeout=timeout)

    def rollcall_at(self, where: str, *arguments: str, timeout: float = 10.0) -> subprocess.CompletedProcess[str]:
        """The same by another door."""
        return subprocess.run([paths.ROLLCALL, "-s", where, *arguments], capture_output=True,
                              text=True, timeout=timeout, check=False)

    # Its life

    @property
    def log_file(self) -> Path:
        return self._log

    def output(self) -> str:
        """All that it and its earlier runs in this test have written."""
        return self._log.read_text(errors="replace")

    def lines(self, pattern: str) -> list[str]:
        return [line for line in self.output().splitlines() if re.search(pattern, line)]

    def wait_line(self, pattern: str, timeout: float = 10.0) -> str:
        return wait_until(lambda: self.lines(pattern), timeout, f"a log line with {pattern!r}")[0]

    def mark(self) -> int:
        """Where the log ends now, for messages(since=...)."""
        return len(self.output())

    def messages(self, pattern: str = "", levels: str = "error warn info", since: int = 0) -> list[str]:
        """The messages of these levels that match; a line that is no log line of ours counts as an error."""
        found = []
        for line in self.output()[since:].splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                record = {"level": "error", "message": line}
            if record["level"] in levels.split() and re.search(pattern, record["message"]):
                found.append(record["message"])
        return found

    def reload(self) -> None:
        self.child.signal(signal.SIGHUP)

    def stop(self) -> int:
        return self.child.stop()

    def kill(self) -> None:
        """SIGKILL: what it holds in memory is lost, as in a crash."""
        self.child.kill()
        self.expected_exit = -signal.SIGKILL

    def restart(self) -> None:
        """Stops it as systemd does, or picks up after kill(); live again on return."""
        code = self.stop()
        assert code == self.expected_exit, f"ended with {code}:\n{self.output()}"
        self.start()
        self.wait_live()

    def sanitizer_reports(self) -> list[str]:
        return [line for line in self.output().splitlines() if _SANITIZER.search(line)]


def check_configuration(directory: Path, text: str) -> subprocess.CompletedProcess[str]:
    """`rollcalld -c` on a text."""
    file = directory / "checked.yaml"
    file.write_text(text)
    return subprocess.run([paths.ROLLCALLD, "-c", "-f", str(file)], capture_output=True, text=True, timeout=10,
                          check=False)
