"""What answers at haproxy.socket may be anything: it costs its own state in the status, and nothing else.

A front stands between rollcalld and the real HAProxy. It passes everything on, or behaves as the test says, on a unix
path and on HOST:PORT. (A socket that is absent, may not be opened, or is of too low a level: test_haproxy_side.py.)
"""

from __future__ import annotations

import contextlib
import os
import socket
import statistics
import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from conftest import Aws
from rng import client
from rollcall_testlib.daemon import Rollcalld
from rollcall_testlib.front import Behaviour, Front, pump
from rollcall_testlib.haproxy import HAProxy, wait_serving
from rollcall_testlib.process import free_port
from rollcall_testlib.waiting import wait_until

pytestmark = pytest.mark.one_haproxy

SERVICE = {"cluster": "main", "service": "rng-service"}
HOSTILE_SECONDS = 2.0
ANSWER_SECONDS = 0.1      # of the control socket: at the median, for the machine may be busy
STUCK_SECONDS = 2.5       # of the slowest answer: who waits for the socket waits for its 5 s
NOTICED_SECONDS = 15.0    # silence, and a batch that trickles, are given up after 5 s
BACK_SECONDS = 20.0       # until all is in step again


# ---- behaviours ----

def read_all(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


def hung(connection: socket.socket) -> None:
    """Accepts, reads, and never answers."""
    read_all(connection)


def half_then_silent(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"\n> Name: HAProxy\nVersion: 2.6.12\nPi")
    read_all(connection)


def half_then_closed(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"\n> Name: HAProxy\nVersion: 2.6.12\nPi")


def one_byte_a_second(connection: socket.socket) -> None:
    """What it says is right, and would take an hour."""
    connection.recv(65536)
    for byte in b"\n> \n> Name: HAProxy\nVersion: 2.6.12\nRelease_date: 2023/12/16\nNbthread: 2\nPid: 4711\n":
        connection.sendall(bytes([byte]))
        time.sleep(1.0)


def endless_garbage(connection: socket.socket) -> None:
    """As fast as it is taken; never a prompt, and never twice the same: text with blanks, and bytes that are none."""
    word = os.urandom(8).hex().translate(str.maketrans("0123456789", "ghijklmnop"))
    block = f"{word[:5]} {word[5:9]} {word[9:]}".encode() + os.urandom(65536).replace(b"> ", b">>")
    while True:
        connection.sendall(block)


def endless_lines(connection: socket.socket) -> None:
    """Text that looks right and never ends."""
    connection.recv(65536)
    while True:
        connection.sendall(b"Name: HAProxy\n" * 4096)


def endless_answer(connection: socket.socket) -> None:
    """A greeting as it should be, and a first answer without an end."""
    connection.recv(65536)
    connection.sendall(b"\n> \n> ")
    while True:
        connection.sendall(b"Name: HAProxy\n" * 4096)


def a_web_server(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n"
                       b"<html><body><h1>400 Bad Request</h1></body></html>\n")


def endless_prompts(connection: socket.socket) -> None:
    """An answer to everything, before and long after it was asked."""
    while True:
        connection.sendall(b"\n> " * 4096)


def no_prompt(connection: socket.socket) -> None:
    """`prompt` is not known to it: as HAProxy answers without it, and closes."""
    connection.recv(65536)
    connection.sendall(b"Name: HAProxy\nVersion: 2.6.12\nPid: 4711\nStart_time_sec: 1\nStopping: 0\n\n")


def only_prompts(connection: socket.socket) -> None:
    """Each line gets an empty answer, which for a command would mean that it was carried out."""
    while data := connection.recv(65536):
        connection.sendall(b"\n> " * data.count(b"\n"))


BEHAVIOURS = (hung, half_then_silent, half_then_closed, one_byte_a_second, endless_garbage, endless_lines,
              endless_answer, a_web_server, endless_prompts, no_prompt, only_prompts)
# What the kind of socket has a part in.
BY_TCP = (half_then_closed, one_byte_a_second, endless_garbage)
MET = [("unix", behaviour) for behaviour in BEHAVIOURS] + [("tcp", behaviour) for behaviour in BY_TCP] + [
    ("tcp6", hung)]


@pytest.fixture
def front(request: pytest.FixtureRequest, directory: Path, haproxy: HAProxy) -> Iterator[Front]:
    """On a unix path, or of the kind that the test is marked with."""
    addresses: dict[str, Path | tuple[str, int]] = {
        "unix": directory / "front", "tcp": ("127.0.0.1", free_port()), "tcp6": ("::1", free_port())}
    made = Front(addresses[getattr(request, "param", "unix")], haproxy.runtime.path)
    yield made
    made.die()


def start_behind(front: Front, start_rollcalld: Callable[..., Rollcalld], wait: bool = True) -> Rollcalld:
    return start_rollcalld(lambda c: c["haproxy"].update(socket=front.text), wait=wait)


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_kib(pid: int) -> int:
    return int(next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines()
                    if line.startswith("VmRSS")).split()[1])


def watch_control(daemon: Rollcalld, seconds: float) -> list[float]:
    """How long each answer of the control socket took."""
    times, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        for path in ("/live", "/v1/status", "/v1/backends/grpc"):
            asked = time.monotonic()
            assert daemon.request("GET", path)[0] == 200
            times.append(time.monotonic() - asked)
        time.sleep(0.05)
    return times


def expect_prompt_answers(times: list[float]) -> None:
    assert len(times) > 3 and statistics.median(times) < ANSWER_SECONDS and max(times) < STUCK_SECONDS, sorted(times)


def expect_harmless(daemon: Rollcalld, aws: Aws, haproxy: HAProxy, before: set[tuple[str, ...]]) -> None:
    """While it lasts: the servers, the tasks, the calls and the machine do not feel it."""
    mark, cpu, memory = daemon.mark(), cpu_seconds(daemon.child.pid), resident_kib(daemon.child.pid)
    with client.Load(haproxy.target, rate=50, connections=1) as load:
        expect_prompt_answers(watch_control(daemon, HOSTILE_SECONDS))
    assert load.result.failed == 0 and haproxy.runtime.held() == before
    assert cpu_seconds(daemon.child.pid) - cpu < HOSTILE_SECONDS / 2
    assert resident_kib(daemon.child.pid) - memory < 8 * 1024
    status = daemon.status()
    assert status["haproxy"]["connected"] is False and status["haproxy"]["last_error"]
    assert daemon.cluster("main")["error"] in (None, ""), "ECS is none of its business"
    assert daemon.get_status("/ready") == 200, "once ready it stays so"
    said = daemon.messages("", "warn error", since=mark)
    assert len(said) <= 1, said


def expect_back(daemon: Rollcalld, aws: Aws, haproxy: HAProxy) -> None:
    """What changed meanwhile is done, and the status is clean."""
    wait_until(lambda: daemon.status()["haproxy"]["in_step"], BACK_SECONDS, "in step again")
    wait_serving(haproxy, "grpc", aws.control.running(**SERVICE), timeout=BACK_SECONDS)
    wait_until(lambda: daemon.problems() == "", what="a clean status")


def name_of(value: Any) -> str:
    return getattr(value, "__name__", str(value))


@pytest.mark.parametrize("front, behaviour", MET, indirect=["front"], ids=name_of)
def test_a_hostile_socket_costs_only_its_own_state(aws: Aws, service: str, haproxy: HAProxy, front: Front,
                                                   start_rollcalld: Callable[..., Rollcalld],
                                                   behaviour: Behaviour) -> None:
    """From one moment to the next, with a task started meanwhile; and all well at once when it is over."""
    daemon = start_behind(front, start_rollcalld)
    before, mark = haproxy.runtime.held(), daemon.mark()
    front.behave = behaviour
    front.hang_up()
    wait_until(lambda: daemon.status()["haproxy"]["last_error"], NOTICED_SECONDS, "noticed")
    wait_until(lambda: daemon.status()["haproxy"]["connected"] is False, 5, "shown")
    aws.control.scale(**SERVICE, desired=3)
    aws.control.wait_steady(**SERVICE)
    expect_harmless(daemon, aws, haproxy, before)
    said = daemon.messages("", "warn error", since=mark)
    assert len(said) == 1, "said once, with what is wrong"
    assert front.text in said[0] and front.text in daemon.problems()
    front.behave = None
    front.hang_up()
    expect_back(daemon, aws, haproxy)
    assert len(daemon.messages("HAProxy answers again", "info", since=mark)) == 1


@pytest.mark.parametrize("front", ["unix", "tcp", "tcp6"], indirect=True)
def test_a_socket_that_nobody_holds_any_more(aws: Aws, service: str, haproxy: HAProxy, front: Front,
                                             start_rollcalld: Callable[..., Rollcalld]) -> None:
    """The path is still there, or the port is closed: refused, until somebody listens again."""
    daemon = start_behind(front, start_rollcalld)
    before, mark = haproxy.runtime.held(), daemon.mark()
    front.die()
    wait_until(lambda: daemon.status()["haproxy"]["last_error"], NOTICED_SECONDS, "noticed")
    aws.control.scale(**SERVICE, desired=1)
    aws.control.wait_steady(**SERVICE)
    assert haproxy.runtime.held() == before
    expect_prompt_answers(watch_control(daemon, 2.0))
    said = daemon.messages("", "warn error", since=mark)
    assert len(said) == 1 and front.text in said[0] and "efused" in said[0]
    front.listen()
    expect_back(daemon, aws, haproxy)


@pytest.mark.parametrize("behaviour", (hung, endless_garbage, only_prompts), ids=name_of)
def test_a_daemon_that_starts_before_a_hostile_socket_is_live(
        aws: Aws, service: str, haproxy: HAProxy, front: Front, start_rollcalld: Callable[..., Rollcalld],
        behaviour: Behaviour) -> None:
    """Not ready, and it says why; ready when the real one is there."""
    front.behave = behaviour
    daemon = start_behind(front, start_rollcalld, wait=False)
    daemon.wait_live()
    wait_until(lambda: daemon.status()["haproxy"]["last_error"], NOTICED_SECONDS, "noticed")
    expect_prompt_answers(watch_control(daemon, 2.0))
    status, text = daemon.request("GET", "/ready")
    assert status == 503 and front.text in text
    front.behave = None
    front.hang_up()
    daemon.wait_ready()
    wait_serving(haproxy, "grpc", aws.control.running(**SERVICE))


def test_a_connection_that_breaks_in_the_middle_of_a_batch_is_taken_up_again(
        aws: Aws, service: str, haproxy: HAProxy, front: Front, start_rollcalld: Callable[..., Rollcalld]) -> None:
    """Some of the commands were carried out and nobody said which: HAProxy is read, not assumed."""
    daemon = start_behind(front, start_rollcalld)
    cuts = 0

    def cut_short(connection: socket.socket) -> None:
        """Passes on 300 bytes of what HAProxy answers."""
        nonlocal cuts
        with socket.socket(socket.AF_UNIX) as real:
            real.settimeout(5)
            real.connect(str(haproxy.runtime.path))
            threading.Thread(target=pump, args=(connection, real), daemon=True).start()
            left = 300
            while left > 0 and (data := real.recv(left)):
                connection.sendall(data)
                left -= len(data)
        cuts += 1

    front.behave = cut_short
    front.hang_up()
    aws.control.scale(**SERVICE, desired=5)
    aws.control.wait_steady(**SERVICE)
    wait_until(lambda: cuts > 3, 20, "connections cut")
    front.behave = None
    front.hang_up()
    expect_back(daemon, aws, haproxy)
    assert client.call_many(haproxy.target, 20).failed == 0
