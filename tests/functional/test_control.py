"""What the daemon tells: the control socket's documents, and the `rollcall` command over them."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import socket
import struct
import subprocess
import termios
import time
from pathlib import Path
from typing import Any, Callable, Iterator
from urllib.parse import quote

import pytest

from conftest import Aws, daemons, haproxies, running_aws, temporary_directory
from rng import client
from rollcall_testlib import paths
from rollcall_testlib.daemon import Rollcalld
from rollcall_testlib.haproxy import HAProxy, wait_serving
from rollcall_testlib.waiting import wait_until

pytestmark = pytest.mark.one_haproxy  # what ECS and operators say, and not HAProxy, is what it is about

SERVICE = {"cluster": "main", "service": "rng-service"}


class Pattern:
    """Equal to each text that matches; Pattern(..., null=True) also to None."""

    def __init__(self, expression: str, null: bool = False) -> None:
        self._expression, self._null = expression, null

    def __eq__(self, other: object) -> bool:
        return (self._null and other is None) or (
            isinstance(other, str) and re.fullmatch(self._expression, other) is not None)

    def __repr__(self) -> str:
        return f"text like {self._expression}{' or null' if self._null else ''}"


class Number:
    """Equal to each whole number, and to null if that is allowed; not to booleans."""

    def __init__(self, least: int = 0, null: bool = False) -> None:
        self._least, self._null = least, null

    def __eq__(self, other: object) -> bool:
        return (self._null and other is None) or (type(other) is int and other >= self._least)

    def __repr__(self) -> str:
        return f"number from {self._least}{' or null' if self._null else ''}"


TIME = Pattern(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
HEX = Pattern(r"[0-9a-f]{16}")


# ---- documents ----

def test_status_has_every_field(aws: Aws, rollcalld: Rollcalld, haproxy: HAProxy) -> None:
    assert rollcalld.status() == {
        "version": Pattern(r"\d+\.\d+.*"),
        "uptime_ms": Number(),
        "config": {"path": str(rollcalld.control_socket.parent / "rollcall.yaml"), "hash": HEX, "loaded_at": TIME,
                   "refused": None},
        "sources": [{
            "name": "eu-west-1", "region": "eu-west-1", "account": "123456789012", "credentials": "configuration",
            "credentials_expire_at": None, "credentials_error": None,
            "clusters": [{"name": "main", "arn": "arn:aws:ecs:eu-west-1:123456789012:cluster/main",
                          "complete_at": TIME, "age_ms": Number(), "tasks": 2, "from_disk": False, "error": None}],
            "calls": Number(1), "throttles": 0, "budget_used_percent": Number(),
            "stretched": None, "events": None}],
        "haproxy": {"address": str(haproxy.runtime.path), "version": haproxy.runtime.info()["Version"],
                    "pid": int(haproxy.runtime.info()["Pid"]), "connected": True, "in_step": True,
                    "last_sync_at": TIME, "last_error": None},
        "spoe": None,
        "backends": 1,
        "servers": {"joining": 0, "ready": 2, "down": 0, "draining": 0, "ejected": 0, "held": 0},
        "holds": 0, "pauses": 0,
        "frozen": [],
        "digest": HEX,
        "problems": [],
    }


def test_backends_have_every_field(aws: Aws, rollcalld: Rollcalld, haproxy: HAProxy) -> None:
    server = {
        "name": Pattern(r"rc_[1-8]"), "backend": "grpc", "task": Pattern("[0-9a-f]{32}"),
        "task_arn": Pattern("arn:aws:ecs:eu-west-1:123456789012:task/main/[0-9a-f]{32}"), "source": "eu-west-1",
        "cluster": "main", "service": "rng-service", "family": "rng", "revision": 1, "container": "rng",
        "zone": Pattern("eu-west-1[abc]"), "address": Pattern(r"127\.\d+\.\d+\.\d+"), "port": 50051,
        "state": "ready", "weight": 256, "sessions": 0, "calls": 0, "since": TIME, "evidence": "running", "reason": "", "ejection": None,
    }
    backend = {"name": "grpc", "kind": "declared", "strategy": "slots", "frozen": False, "retired": False, "message": "",
               "outlier": {"mode": "observe", "without_agent_check": 2}, "paused": False, "paused_until": None,
               "shares": [], "servers": [server, server]}
    assert rollcalld.get("/v1/backends") == [backend]
    assert rollcalld.get("/v1/backends/grpc") == backend
    for task in aws.control.running(**SERVICE):
        shown, held = rollcalld.server_of("grpc", task), haproxy.runtime.server_of("grpc", task)
        assert shown is not None and held is not None
        assert (shown["name"], shown["address"], shown["zone"]) == (held.name, task["address"], task["zone"])


def test_a_task_has_every_field(aws: Aws, haproxy: HAProxy, start_rollcalld: Callable[..., Rollcalld]) -> None:
    """By id, by a prefix of at least 8 characters, and by encoded ARN."""
    aws.control.register(family="rng", drain=0.0, labels={"team": "a \"quoted\" ☂", "empty": ""})
    aws.control.create_service(**SERVICE, desired=1, definition="rng")
    aws.control.wait_steady(**SERVICE)
    daemon = start_rollcalld()
    task, = aws.control.running(**SERVICE)
    server = daemon.server_of("grpc", task)
    assert server is not None
    document = {
        "task": task["id"], "task_arn": task["arn"], "cluster": "main", "service": "rng-service", "revision": 1,
        "last_status": "RUNNING", "desired_status": "RUNNING", "health": "UNKNOWN",
        "containers": [{
            "name": "rng", "labels": {"team": "a \"quoted\" ☂", "empty": ""}, "held_by": "", "ignored_labels": [],
            "endpoints": [{"name": "", "backend": "grpc", "port": 50051, "exposed": True, "reason": "", "message": "",
                           "routes": [], "servers": [f"grpc/{server['name']}"]}]}],
    }
    for name in (task["id"], task["id"][:8], quote(task["arn"], safe="")):
        assert daemon.get(f"/v1/tasks/{name}") == document


def test_an_ended_task_stays_explainable(aws: Aws, rollcalld: Rollcalld) -> None:
    """For an hour: `why` is asked afterwards."""
    task = aws.control.running(**SERVICE)[0]
    aws.control.stop_task(task=task["id"], reason="a good one")
    aws.control.wait_task(task["id"], "STOPPED")
    ended = wait_until(lambda: (d := rollcalld.get(f"/v1/tasks/{task['id']}"))["last_status"] == "STOPPED" and d)
    endpoint, = ended["containers"][0]["endpoints"]
    assert (endpoint["exposed"], endpoint["reason"], endpoint["servers"]) == (False, "stopping", [])
    assert "a good one" in endpoint["message"]


def test_the_digest_is_of_what_is_held(aws: Aws, rollcalld: Rollcalld, haproxy: HAProxy) -> None:
    """Two that hold the same show the same; a change of a server changes it."""
    first = rollcalld.status()["digest"]
    rollcalld.restart()
    rollcalld.wait_ready()
    assert rollcalld.status()["digest"] == first
    aws.control.scale(**SERVICE, desired=1)
    aws.control.wait_steady(**SERVICE)
    wait_until(lambda: rollcalld.status()["digest"] != first, what="another digest")


def test_ready_comes_only_when_in_step_and_stays(aws: Aws, service: str, haproxy: HAProxy,
                                                 start_rollcalld: Callable[..., Rollcalld]) -> None:
    """503 with a reason while a cluster could not be read once; staleness later is no reason."""
    fault = aws.control.add_fault(kind="throttle")
    daemon = start_rollcalld(wait=False)
    daemon.wait_live()
    assert daemon.get_status("/live") == 200
    wait_until(lambda: daemon.cluster("main")["error"], 20, "the fault known")
    status, text = daemon.request("GET", "/ready")
    error = json.loads(text)["error"]
    assert (status, error["code"]) == (503, "not_ready") and "cluster main" in error["message"]
    aws.control.clear_faults(fault=fault)
    daemon.wait_ready(30)
    aws.control.add_fault(kind="throttle")
    haproxy.stop()
    wait_until(lambda: not daemon.status()["haproxy"]["connected"], what="HAProxy missed")
    assert daemon.get_status("/ready") == 200


# ---- refusals ----

@pytest.mark.parametrize("method, path, status, code", [
    ("GET", "/page", 404, "not_found"),
    ("GET", "/v1", 404, "not_found"),
    ("GET", "/v1/status/x", 404, "not_found"),
    ("GET", "/v1/backends/none", 404, "not_found"),
    ("GET", "/v1/backends/", 404, "not_found"),
    ("GET", "/v1/tasks/0123456", 404, "not_found"),
    ("GET", "/v1/tasks/" + "0" * 32, 404, "not_found"),
    ("GET", "/v1/tasks/%00", 400, "bad_path"),
    ("GET", "/v1/tasks/%zz", 400, "bad_path"),
    ("GET", "/v1/tasks/" + "a" * 5000, 400, "bad_path"),
    ("POST", "/v1/status", 405, "method_not_allowed"),
    ("DELETE", "/v1/backends/grpc", 405, "method_not_allowed"),
    ("PUT", "/ready", 405, "method_not_allowed"),
])
def test_refusals_are_json_with_a_code(control: Rollcalld, method: str, path: str, status: int, code: str) -> None:
    got, text = control.request(method, path)
    assert (got, json.loads(text)) == (status, {"error": {"code": code, "message": Pattern(".+")}})


def test_a_wrong_method_is_told_the_right_ones(control: Rollcalld) -> None:
    answer = raw(control, b"POST /v1/status HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 405 ") and b"\r\nAllow: GET, HEAD\r\n" in answer


def test_head_has_no_body(control: Rollcalld) -> None:
    answer = raw(control, b"HEAD /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ") and body == b""
    assert b"application/json" in head


def test_two_tasks_of_one_prefix_are_a_conflict(aws: Aws, haproxy: HAProxy,
                                                start_rollcalld: Callable[..., Rollcalld]) -> None:
    """409, with their ids; the whole id is not ambiguous."""
    arns = [f"arn:aws:ecs:eu-west-1:123456789012:task/main/0123456789abcdef{n:016x}" for n in (1, 2)]
    tasks = [{"taskArn": arn, "clusterArn": "arn:aws:ecs:eu-west-1:123456789012:cluster/main", "group": "family:x",
              "taskDefinitionArn": "arn:aws:ecs:eu-west-1:123456789012:task-definition/x:1", "version": 1,
              "lastStatus": "RUNNING", "desiredStatus": "RUNNING", "containers": []} for arn in arns]
    aws.control.add_fault(kind="body", action="ListTasks", body=json.dumps({"taskArns": arns}))
    aws.control.add_fault(kind="body", action="DescribeTasks", body=json.dumps({"tasks": tasks, "failures": []}))
    daemon = start_rollcalld(wait=False)
    daemon.wait_live()
    wait_until(lambda: daemon.get_status(f"/v1/tasks/{arns[0][-32:]}") == 200, what="known")
    status, text = daemon.request("GET", "/v1/tasks/01234567")
    assert status == 409
    error = json.loads(text)["error"]
    assert error["code"] == "ambiguous" and all(arn[-32:] in error["message"] for arn in arns)
    done = daemon.rollcall("why", "01234567")
    assert done.returncode == 1 and arns[1][-32:] in done.stderr


# ---- abuse ----

@pytest.fixture(scope="module")
def control() -> Iterator[Rollcalld]:
    """A ready daemon with an empty cluster, enough for its control socket; whatever is done to that, it has to serve
    the next test, too."""
    with contextlib.ExitStack() as parts:
        directory = parts.enter_context(temporary_directory())
        aws = parts.enter_context(running_aws(directory))
        haproxy = parts.enter_context(haproxies(directory))()
        yield parts.enter_context(daemons(directory, {"aws": aws, "haproxy": haproxy}.__getitem__))()


def connect(daemon: Rollcalld) -> socket.socket:
    """Waits for a place in the listener's queue, too."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(15)
    wait_until(lambda: connection.connect(str(daemon.control_socket)) is None, 15, "connected")
    return connection


def raw(daemon: Rollcalld, request: bytes, hang_up: bool = False) -> bytes:
    """The answer to these bytes, up to the end of the connection; a reset ends it, too."""
    with connect(daemon) as connection:
        answer = b""
        with contextlib.suppress(ConnectionError):
            connection.sendall(request)
            if hang_up:
                connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            while piece := connection.recv(65536):
                answer += piece
        return answer


@pytest.mark.parametrize("request_", [
    b"\x16\x03\x01 \x00\xff \x02\x03\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET /live HTTP/9.9\r\nHost: x\r\n\r\n",
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /live HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
    b"GET /live HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"GET /live HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"POST /v1/status HTTP/1.1\r\nHost: x\r\nContent-Length: 1073741824\r\n\r\n" + b"x" * 200_000,
    b"POST /v1/status HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n" + b"x" * 65535 + b"\r\nzz",
], ids=["binary", "no-path", "version", "long-path", "many-headers", "negative-length", "huge-length", "huge-body",
        "bad-chunks"])
def test_nonsense_is_refused_and_the_next_is_served(control: Rollcalld, request_: bytes) -> None:
    answer = raw(control, request_, hang_up=True)
    assert answer == b"" or re.match(rb"HTTP/1\.[01] (400|404|405|413|414|431|505) ", answer), answer[:200]
    assert control.get_status("/live") == 200
    assert control.child.exit_code is None


def test_a_body_that_is_too_large_is_a_413(control: Rollcalld) -> None:
    head = b"POST /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 70000\r\n\r\n"
    answer = raw(control, head + b"x" * 70000)
    assert answer.startswith(b"HTTP/1.1 413 ") and b'"too_large"' in answer


def test_a_hundred_slow_clients_hold_up_nothing_but_themselves(aws: Aws, rollcalld: Rollcalld,
                                                               haproxy: HAProxy) -> None:
    """They fill the control socket; ECS and HAProxy are kept in step meanwhile, and who idles is hung up on."""
    began = time.monotonic()
    with contextlib.ExitStack() as clients:
        slow = [clients.enter_context(connect(rollcalld)) for _ in range(100)]
        for connection in slow:
            connection.sendall(b"GET /v1/sta")
        aws.control.scale(**SERVICE, desired=1)
        aws.control.wait_steady(**SERVICE)
        wait_serving(haproxy, "grpc", aws.control.running(**SERVICE), timeout=5)
        assert rollcalld.request("GET", "/live", timeout=15)[0] == 200
        assert time.monotonic() - began < 14
        assert select.select([slow[0]], [], [], 0)[0], "the first one has been hung up on"


def test_clients_that_leave_early_leave_nothing_behind(control: Rollcalld) -> None:
    """Half a request and away; a request and away before its answer; more of them than may be connected at once."""
    for request in (b"GET /v1/status HTTP/1.1\r\nHost: x\r\n", b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n"):
        for _ in range(3):
            with contextlib.ExitStack() as clients:
                for _ in range(100):
                    clients.enter_context(connect(control)).sendall(request)
            wait_until(lambda: control.get_status("/live") == 200, 5, "served again at once")


def test_one_connection_may_ask_many_times(control: Rollcalld) -> None:
    request = b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"GET /live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert raw(control, request * 20 + last).count(b"HTTP/1.1 200 ") == 21


# ---- the command ----

def test_commands_show_what_the_documents_hold(aws: Aws, rollcalld: Rollcalld, haproxy: HAProxy) -> None:
    """As text for people, and with --json the document itself, one a call."""
    status = rollcalld.rollcall("status")
    assert (status.returncode, status.stderr) == (0, "")
    for word in ("no problems", "main", "2 tasks", "2 ready", "in step", haproxy.runtime.info()["Version"]):
        assert word in status.stdout
    backends = rollcalld.rollcall("backends")
    assert re.search(r"(?m)^grpc +declared +slots +2 ", backends.stdout), backends.stdout
    servers = rollcalld.rollcall("servers")
    for task in aws.control.running(**SERVICE):
        assert re.search(rf"(?m)^grpc/rc_\d .*ready .*{task['address']}:50051 .*rng-service.*{task['id']}",
                         servers.stdout), servers.stdout
    assert rollcalld.rollcall("servers", "grpc").stdout == servers.stdout
    assert rollcalld.rollcall("health").stdout == rollcalld.rollcall("health", "--ready").stdout == "ok\n"
    assert rollcalld.rollcall("version").stdout == f"rollcall {rollcalld.status()['version']}\n" \
                                                   f"rollcalld {rollcalld.status()['version']}\n"

    def document(*command: str) -> Any:
        done = rollcalld.rollcall("--json", *command)
        assert done.returncode == 0 and done.stdout.count("\n") == 1
        return json.loads(done.stdout)

    task = aws.control.running(**SERVICE)[0]
    assert set(document("status")) == set(rollcalld.status())
    assert [backend["name"] for backend in document("backends")] == ["grpc"]
    assert {server["task"] for server in document("servers")} == {t["id"] for t in aws.control.running(**SERVICE)}
    assert document("why", task["id"]) == rollcalld.get(f"/v1/tasks/{task['id']}")
    assert document("health") == {"live": True} and document("health", "--ready") == {"ready": True}
    assert set(document("version")) == {"rollcall", "rollcalld"}


def test_an_empty_result_says_so(control: Rollcalld) -> None:
    done = control.rollcall("servers")
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("no servers")
    assert control.rollcall("servers", "--json").stdout == "[]\n"


@pytest.mark.parametrize("arguments, code", [
    (["why", "0123456789abcdef"], 1), (["why", "grpc/rc_99"], 1), (["servers", "none"], 1), (["why", "none/rc_1"], 1),
    (["why", ""], 2), (["servers", ""], 2), (["release", ""], 2), (["drain", "grpc/"], 2), (["why", "/rc_1"], 2), (["pause", ""], 2),
    ([], 2), (["wyh"], 2), (["why"], 2), (["why", "a", "b"], 2), (["status", "x"], 2), (["status", "--colour"], 2),
    (["--help"], 0), (["help"], 0), (["-V"], 0), (["status"], 0),
])
def test_exit_codes(control: Rollcalld, arguments: list[str], code: int) -> None:
    """0 well, 1 refused or unknown, 2 usage; what is wrong is on stderr, and only there."""
    done = control.rollcall(*arguments)
    assert done.returncode == code
    assert bool(done.stdout) == (code == 0) and bool(done.stderr) == (code != 0)


def test_a_full_disk_is_1(control: Rollcalld) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        for command in (["status"], ["help"], ["servers", "--json"]):
            done = subprocess.run([paths.ROLLCALL, "-s", str(control.control_socket), *command], stdout=full, text=True,
                                  stderr=subprocess.PIPE, timeout=10, check=False)
            assert done.returncode == 1 and "No space left" in done.stderr, command


def test_following_ends_with_its_reader(control: Rollcalld) -> None:
    """As `rollcall events -f | head` has to, though nothing happens any more."""
    with subprocess.Popen([paths.ROLLCALL, "-s", str(control.control_socket), "events", "-f"], stdout=subprocess.PIPE) as follower:
        assert follower.stdout
        follower.stdout.close()
        assert follower.wait(60) == 0


def test_without_a_daemon_it_is_3(directory: Path, control: Rollcalld) -> None:
    """And what to do; ROLLCALL_SOCKET names the socket where -s does not."""
    def run(where: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([paths.ROLLCALL, *arguments], capture_output=True, text=True, timeout=10, check=False,
                              env={**os.environ, "ROLLCALL_SOCKET": str(where)})

    assert run(control.control_socket, "health").returncode == 0
    assert run(directory / "none", "-s", str(control.control_socket), "health").returncode == 0
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(directory / "stale"))
    stale.close()
    for where in ("none", "stale"):
        done = run(directory / where, "status")
        assert done.returncode == 3 and "is rollcalld running?" in done.stderr and not done.stdout
        done = run(directory / where, "version")
        assert done.returncode == 3 and re.fullmatch(r"rollcall \S+\n", done.stdout)
        assert json.loads(run(directory / where, "--json", "version").stdout)["rollcalld"] is None


def test_not_ready_is_said_and_1(aws: Aws, service: str, haproxy: HAProxy,
                                 start_rollcalld: Callable[..., Rollcalld]) -> None:
    haproxy.stop()
    daemon = start_rollcalld(wait=False)
    daemon.wait_live()
    done = wait_until(lambda: (d := daemon.rollcall("health", "--ready")) and "not reached" in d.stdout and d)
    assert done.returncode == 1
    assert daemon.rollcall("health").returncode == 0


@contextlib.contextmanager
def terminal(columns: int) -> Iterator[tuple[int, int]]:
    """A terminal so wide: the end to read from, and the end that a program has."""
    near, far = pty.openpty()
    fcntl.ioctl(far, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    attributes = termios.tcgetattr(far)
    attributes[1] &= ~termios.OPOST
    termios.tcsetattr(far, termios.TCSANOW, attributes)
    try:
        yield near, far
    finally:
        os.close(near)
        os.close(far)


def on_terminal(daemon: Rollcalld, columns: int, *command: str, **env: str) -> str:
    with terminal(columns) as (near, far):
        subprocess.run([paths.ROLLCALL, "-s", str(daemon.control_socket), *command], stdout=far, timeout=10,
                       check=True, env={**os.environ, "TERM": "xterm", **env})
        return os.read(near, 65536).decode()


def test_tables_fit_the_terminal_and_colour_is_for_terminals(aws: Aws, rollcalld: Rollcalld) -> None:
    """NO_COLOR is honoured; what is no terminal gets plain text."""
    for columns in (60, 100):
        table = on_terminal(rollcalld, columns, "servers", NO_COLOR="1")
        assert "\x1b" not in table and max(map(len, table.splitlines())) <= columns, table
    assert "\x1b[" in on_terminal(rollcalld, 100, "servers")
    assert "\x1b" not in rollcalld.rollcall("servers").stdout


# ---- why ----

def test_why_names_the_backend_the_server_and_its_state(aws: Aws, rollcalld: Rollcalld, haproxy: HAProxy) -> None:
    """SERVICE TASK: in BACKEND as SERVER, STATE; for a task, a prefix, an ARN, a server with or without backend."""
    task = aws.control.running(**SERVICE)[0]
    server = haproxy.runtime.server_of("grpc", task).name
    for name in (task["id"], task["id"][:12], task["arn"], server, f"grpc/{server}"):
        done = rollcalld.rollcall("why", name)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines()[0] == f"rng-service {task['id']}: in grpc as {server}, ready"
    with client.Connection(haproxy.target) as connection:
        streams = [connection.numbers(1, 9, count=0, interval_ms=50, timeout=20) for _ in range(2)]
        for stream in streams:
            next(stream)
        aws.control.stop_task(task=task["id"])
        line = wait_until(lambda: (out := rollcalld.rollcall("why", server).stdout) and "draining" in out and out)
        assert line.splitlines()[0] == f"rng-service {task['id']}: in grpc as {server}, draining"


def planted_slots(backend: str, slots: int) -> str:
    return f"\nbackend {backend}\n    server-template rc_ 1-{slots} 0.0.0.0:0 disabled\n"


PLANTED = {"few": ("family:many", 1), "beside": ("family:two", 1), "tended": ("family:tended", 2),
           "frozen": ("family:vanishing", 4)}


def plant(aws: Aws) -> dict[str, str]:
    """A task for each reason to get no traffic; its id by the reason."""
    def container(*ports: int) -> list[dict[str, Any]]:
        return [{"name": "app", "essential": True, "portMappings": [{"containerPort": port} for port in ports]}]

    control = aws.control
    families = {"plain": container(80), "other": container(80), "portless": container(), "two": container(80, 81),
                "lost": container(80), "many": container(80), "tended": container(80), "vanishing": container(80)}
    for family, containers in families.items():
        control.register(family=family, process="none", containers=containers)

    def run(family: str, **options: Any) -> str:
        arn, = control.run_tasks(cluster="main", definition=family, **options)
        return arn.rpartition("/")[2]

    found = {"several_ports": run("two", instantly=True), "no_port": run("portless", instantly=True),
             "not_selected": run("other", instantly=True), "no_backend": run("lost", instantly=True),
             "no_address": run("plain", no_address=True, instantly=True), "unhealthy": run("plain", instantly=True),
             "stopping": run("plain", instantly=True)}
    control.set_health(task=found["unhealthy"], health="UNHEALTHY")
    control.set_times(provisioning=600, stopping=600)
    found["not_running"] = run("plain")
    for family in ("many", "many", "tended", "vanishing", "vanishing", "vanishing"):
        run(family, instantly=True)
    return found


WORDS = {"several_ports": "`app` publishes ports 80 and 81", "no_port": "publishes no TCP port",
         "not_selected": "no backends entry matches", "no_backend": "HAProxy has no backend `gprc`",
         "no_address": "no address", "unhealthy": "UNHEALTHY", "stopping": "STOPPING",
         "not_running": "PROVISIONING", "no_slot": "no free slot"}


class Transcript:
    """What an operator sees: $ROLLCALL_TRANSCRIPT gets each command and its answer (docs/why.md)."""

    def __init__(self) -> None:
        self._path = os.environ.get("ROLLCALL_TRANSCRIPT")
        self._shown: set[str] = set()

    def note(self, command: str, answer: str) -> None:
        if self._path and command not in self._shown:
            with open(self._path, "a", encoding="utf-8") as file:
                file.write(f"$ rollcall {command}\n{answer}\n")
        self._shown.add(command)


def test_why_gives_the_reason_of_each_task_without_traffic(aws: Aws, start_haproxy: Callable[..., HAProxy],
                                                           start_rollcalld: Callable[..., Rollcalld]) -> None:
    """SERVICE TASK: no traffic: REASON: message; and the same reason in the document. Whoever is held by an operator, or
    kept in a frozen backend, is told what ends that. Each by one call."""
    planted = plant(aws)
    transcript = Transcript()

    def change(configuration: dict[str, Any]) -> None:
        configuration["backends"] = [
            {"name": "grpc", "match": {"service": "family:p*"}},
            {"name": "gprc", "match": {"service": "family:lost"}},
            *({"name": name, "match": {"service": service}} for name, (service, _) in PLANTED.items())]

    haproxy = start_haproxy(extra="".join(planted_slots(name, slots) for name, (_, slots) in PLANTED.items()))
    daemon = start_rollcalld(change, haproxy=haproxy)

    def tasks_of(family: str) -> list[dict[str, Any]]:
        return [task for task in aws.control.tasks(cluster="main") if f"/{family}:" in task["definition"]]

    vanishing = tasks_of("vanishing")
    wait_until(lambda: all(daemon.server_of("frozen", task) for task in vanishing), what="all serve")
    for task in vanishing:
        aws.control.forget_task(task=task["id"])
    aws.control.stop_task(task=planted["stopping"])
    aws.control.wait_task(planted["stopping"], "STOPPING")
    planted["no_slot"], = [task["id"] for task in tasks_of("many") if daemon.server_of("few", task) is None]

    def reason(task: str) -> str:
        return daemon.get(f"/v1/tasks/{task}")["containers"][0]["endpoints"][0]["reason"]

    wait_until(lambda: reason(planted["stopping"]) == "stopping", what="the last one known")
    for expected, task in planted.items():
        service = f"family:{aws.control.task(task=task)['group'].partition(':')[2]}"
        done = daemon.rollcall("why", task)
        first = done.stdout.splitlines()[0]
        transcript.note(f"why {task[:8]}", done.stdout)
        assert done.returncode == 0
        assert first.startswith(f"{service} {task}: no traffic: {expected}: "), first
        assert WORDS[expected] in first, first
        assert reason(task) == expected
    for command in ("why", "drain"):
        done = daemon.rollcall(command, "rc_1")
        assert done.returncode == 1 and not done.stdout and "several backends" in done.stderr
        assert "few/rc_1" in done.stderr and "tended/rc_1" in done.stderr
    tended, = tasks_of("tended")
    assert daemon.rollcall("drain", "tended/rc_1").returncode == 0
    why = daemon.rollcall("why", tended["id"]).stdout
    transcript.note(f"why {tended['id'][:8]}", why)
    assert why.startswith(f"family:tended {tended['id']}: in tended as rc_1, held\n"), why
    assert "`rollcall ready tended/rc_1` ends that" in why.splitlines()[1]
    wait_until(lambda: daemon.status()["frozen"] == ["frozen"], 20, "frozen")
    name = daemon.server_of("frozen", vanishing[0])["name"]  # type: ignore[index]
    why = daemon.rollcall("why", vanishing[0]["id"]).stdout
    transcript.note(f"why {vanishing[0]['id'][:8]}", why)
    assert why.startswith(f"family:vanishing {vanishing[0]['id']}: in frozen as {name}, "), why
    assert "removal_limit" in why.splitlines()[1] and "`rollcall release frozen`" in why.splitlines()[1], why
