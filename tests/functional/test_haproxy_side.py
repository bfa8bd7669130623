"""HAProxy's side: it may be absent, restarted, reloaded, too small or in somebody else's hands."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import Any, Callable

import pytest
from conftest import Aws
from rng import client
from rollcall_testlib.daemon import Rollcalld
from rollcall_testlib.haproxy import HAProxy, Server, version, wait_serving
from rollcall_testlib.rng_server import RngServer
from rollcall_testlib.waiting import stays, wait_until

SERVICE = {"cluster": "main", "service": "rng-service"}


def tasks_of(aws: Aws) -> list[dict[str, Any]]:
    return aws.control.running(**SERVICE)


# ---- not there ----

def test_haproxy_may_come_later(aws: Aws, service: str, haproxy: HAProxy,
                                start_rollcalld: Callable[..., Rollcalld]) -> None:
    """One log line that says where it was looked for; not ready, but alive; and to work when it is there."""
    haproxy.stop()
    daemon = start_rollcalld(haproxy=haproxy, wait=False)
    daemon.wait_live()
    wait_until(lambda: daemon.status()["haproxy"]["last_error"], what="the fault in the status")
    status, text = daemon.request("GET", "/ready")
    assert status == 503 and str(haproxy.runtime.path) in text
    assert daemon.status()["haproxy"]["connected"] is False
    stays(lambda: len(daemon.messages("", "warn error")) == 1, 1.5, "one line, not one per try")
    line, = daemon.messages("", "warn error")
    assert str(haproxy.runtime.path) in line
    assert "not reached" in daemon.rollcall("status").stdout
    haproxy.start()
    daemon.wait_ready()
    wait_serving(haproxy, "grpc", tasks_of(aws))
    assert daemon.messages("HAProxy answers again", "info")
    assert daemon.problems() == ""


def test_a_socket_of_too_low_a_level_is_a_named_fault(aws: Aws, service: str,
                                                      start_haproxy: Callable[..., HAProxy],
                                                      start_rollcalld: Callable[..., Rollcalld]) -> None:
    """level operator: it can be read but not told anything. Said, shown, tried again less and less often."""
    haproxy = start_haproxy(edit=lambda text: text.replace("level admin", "level operator"))
    daemon = start_rollcalld(haproxy=haproxy, wait=False)
    daemon.wait_live()
    line = wait_until(lambda: daemon.messages("level admin|ermission", "warn error"), what="what is wrong")[0]
    assert "level admin" in line, "and what to do"
    wait_until(lambda: "level admin" in daemon.problems(), what="shown")
    stays(lambda: len(daemon.messages("", "warn error")) == 1, 1.5, "said once")
    assert haproxy.runtime.serving("grpc") == set()


def test_commands_that_were_refused_are_not_told_as_done(aws: Aws, start_haproxy: Callable[..., HAProxy],
                                                         start_rollcalld: Callable[..., Rollcalld]) -> None:
    """However many they are: the log says of no server that it joins."""
    aws.control.register(family="address", process="none")
    aws.control.create_service(**SERVICE, desired=30, definition="address")
    aws.control.wait_steady(**SERVICE)
    haproxy = start_haproxy(slots="1-40", edit=lambda text: text.replace("level admin", "level operator"))
    daemon = start_rollcalld(haproxy=haproxy, wait=False)
    daemon.wait_line("level admin")
    wait_until(lambda: daemon.messages("carried out 0 of"), what="the commands' end")
    assert not daemon.messages("joins|takes calls")


def test_a_socket_that_is_not_ours_to_open_is_a_named_fault(aws: Aws, service: str, haproxy: HAProxy,
                                                            start_rollcalld: Callable[..., Rollcalld]) -> None:
    """Said with the path and what to do; and to work as soon as it may be opened."""
    haproxy.runtime.path.chmod(0)
    # Root opens any file by a capability, which goes away with this.
    powerless = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--") if os.geteuid() == 0 else ()
    daemon = start_rollcalld(haproxy=haproxy, wait=False, under=powerless)
    daemon.wait_live()
    line = wait_until(lambda: daemon.messages("ermission denied", "warn error"), what="what is wrong")[0]
    assert str(haproxy.runtime.path) in line and "group" in line
    assert str(haproxy.runtime.path) in daemon.problems()
    haproxy.runtime.path.chmod(0o600)
    daemon.wait_ready()
    wait_serving(haproxy, "grpc", tasks_of(aws))


def test_nobody_answers_on_a_socket_that_is_there(aws: Aws, service: str, haproxy: HAProxy,
                                                  start_rollcalld: Callable[..., Rollcalld]) -> None:
    """Something accepts and never speaks: a timeout like any other fault, and the daemon goes on serving."""
    haproxy.stop()
    with socket.socket(socket.AF_UNIX) as mute:
        haproxy.runtime.path.unlink(missing_ok=True)
        mute.bind(str(haproxy.runtime.path))
        mute.listen(16)
        daemon = start_rollcalld(haproxy=haproxy, wait=False)
        daemon.wait_live()
        wait_until(lambda: daemon.status()["haproxy"]["last_error"], 20, "given up")
        assert daemon.get_status("/live") == 200
    haproxy.runtime.path.unlink()
    haproxy.start()
    daemon.wait_ready()


# ---- not as it should be ----

def test_an_unknown_backend_is_a_named_fault_and_the_others_are_served(
        aws: Aws, service: str, haproxy: HAProxy, start_rollcalld: Callable[..., Rollcalld]) -> None:
    """A mistyped name in `backends`."""
    other = {"name": "gprc", "match": {"service": "rng-service"}}
    daemon = start_rollcalld(lambda c: c["backends"].insert(0, other), haproxy=haproxy)
    wait_serving(haproxy, "grpc", tasks_of(aws))
    lines = daemon.messages("`gprc`", "warn error")
    assert len(lines) == 1 and "is not in HAProxy's configuration" in lines[0]
    assert "gprc" in daemon.problems()
    assert {e["backend"]: e["reason"] for e in daemon.endpoints(tasks_of(aws)[0])} == {"gprc": "no_backend",
                                                                                       "grpc": ""}


def test_a_slot_without_an_address_takes_no_calls(aws: Aws, service: str, start_haproxy: Callable[..., HAProxy],
                                                  start_rollcalld: Callable[..., Rollcalld]) -> None:
    """`disabled` was forgotten, and nothing checks: HAProxy alone would send calls to 0.0.0.0:0."""
    haproxy = start_haproxy(check="", edit=lambda text: text.replace("0.0.0.0:0 disabled", "0.0.0.0:0"))
    start_rollcalld(haproxy=haproxy)
    wait_serving(haproxy, "grpc", tasks_of(aws))
    assert client.call_many(haproxy.target, 20).failed == 0
    assert haproxy.runtime.stat_of("grpc", "BACKEND")["wredis"] == "0", "none was sent anywhere else first"


def test_a_backend_without_slots_says_what_to_add(aws: Aws, service: str, start_haproxy: Callable[..., HAProxy],
                                                  start_rollcalld: Callable[..., Rollcalld]) -> None:
    """The line to copy stands in the message; after the reload that adds it, all is well."""
    if version() >= (3, 0):
        pytest.skip("servers are added at run time from HAProxy 3.0 on: no slots are needed")
    slots = "    server-template rc_ 8 0.0.0.0:0 disabled\n"
    haproxy = start_haproxy(edit=lambda text: text.removesuffix(slots), master=True)
    daemon = start_rollcalld(haproxy=haproxy, wait=False)
    daemon.wait_live()
    line = daemon.wait_line("has no slots")
    assert "server-template rc_ 1-20 0.0.0.0:0" in line
    assert "has no slots" in daemon.problems()
    haproxy.write(haproxy.configuration + slots)
    haproxy.reload()
    wait_serving(haproxy, "grpc", tasks_of(aws))
    wait_until(lambda: daemon.problems() == "", what="mended")


def test_a_task_without_a_slot_waits_for_one(aws: Aws, start_haproxy: Callable[..., HAProxy],
                                             start_rollcalld: Callable[..., Rollcalld]) -> None:
    """Three tasks and two slots: said, shown, explained; the slot that becomes free is used."""
    aws.control.register(family="rng", drain=0.0)
    aws.control.create_service(**SERVICE, desired=3, definition="rng")
    aws.control.wait_steady(**SERVICE)
    haproxy = start_haproxy(slots=2)
    daemon = start_rollcalld(haproxy=haproxy)
    waiting = [task for task in tasks_of(aws) if daemon.server_of("grpc", task) is None]
    assert len(waiting) == 1 and len(haproxy.runtime.serving("grpc")) == 2
    lines = daemon.messages("no free slot", "warn error")
    assert len(lines) == 1 and "backend `grpc`: no free slot for 1 task(s), all 2 are in use" in lines[0]
    assert "no free slot" in daemon.problems()
    why = daemon.rollcall("why", waiting[0]["id"]).stdout.splitlines()[0]
    assert why.startswith(f"rng-service {waiting[0]['id'][:8]}") and ": no traffic: no_slot: " in why
    served = next(task for task in tasks_of(aws) if task not in waiting)
    aws.control.scale(**SERVICE, desired=2)
    aws.control.wait_steady(**SERVICE)
    if waiting[0]["id"] not in {task["id"] for task in tasks_of(aws)}:  # the service's choice of whom to stop
        aws.control.stop_task(task=served["id"])
        aws.control.wait_steady(**SERVICE)
    wait_serving(haproxy, "grpc", tasks_of(aws))
    wait_until(lambda: daemon.problems() == "", what="mended")


MIXED = """\
global
    stats socket {socket} mode 600 level admin
defaults
    mode http
    timeout connect 1s
    timeout client 1m
    timeout server 1m
frontend grpc_in
    bind 127.0.0.1:{grpc} proto h2
    default_backend grpc
backend grpc
    default-server proto h2
    server web1 127.0.0.1:9 weight 7 disabled
    server rcx 127.0.0.1:9 weight 8 disabled
    server-template rc_ 4 0.0.0.0:0 check inter 200ms disabled
backend foreign
    server rc_1 127.0.0.1:9 weight 9 disabled
"""


def test_only_our_slots_of_our_backends_are_touched(aws: Aws, service: str, start_haproxy: Callable[..., HAProxy],
                                                    start_rollcalld: Callable[..., Rollcalld]) -> None:
    """web1 is the user's; so is rc_1 of a backend that no entry names."""
    haproxy = start_haproxy(MIXED)

    def strangers() -> list[Server]:
        return [s for s in haproxy.runtime.servers() if s.backend == "foreign" or s.name in ("web1", "rcx")]

    before = strangers()
    daemon = start_rollcalld(haproxy=haproxy)
    wait_serving(haproxy, "grpc", tasks_of(aws))
    aws.control.scale(**SERVICE, desired=1)
    aws.control.wait_steady(**SERVICE)
    wait_serving(haproxy, "grpc", tasks_of(aws))
    assert strangers() == before
    assert {server["name"] for server in daemon.servers("grpc")} <= {"rc_1", "rc_2", "rc_3", "rc_4"}


def test_a_shadow_sends_no_command(aws: Aws, service: str, haproxy: HAProxy,
                                   start_rollcalld: Callable[..., Rollcalld]) -> None:
    """haproxy.apply false: HAProxy is read, what should be done is known, and nothing is."""
    before = haproxy.runtime.held()
    daemon = start_rollcalld(lambda c: c["haproxy"].update(apply=False))
    status = daemon.status()
    assert (status["haproxy"]["connected"], status["haproxy"]["in_step"]) == (True, False)
    sweeps = len(aws.control.requests(action="DescribeTasks"))
    wait_until(lambda: len(aws.control.requests(action="DescribeTasks")) > sweeps + 2, what="some passes later")
    assert haproxy.runtime.held() == before


def test_two_addresses_of_one_task_do_not_stay(aws: Aws, service: str, haproxy: HAProxy,
                                               start_rollcalld: Callable[..., Rollcalld]) -> None:
    """Somebody put a served task into a second slot: it would get two shares, and does not for long."""
    daemon = start_rollcalld(haproxy=haproxy)
    task = tasks_of(aws)[0]
    free = next(server.name for server in haproxy.runtime.servers("grpc") if server.is_free_slot)
    haproxy.runtime.ask(f"set server grpc/{free} addr {task['address']} port {task['port']}")
    haproxy.runtime.ask(f"set server grpc/{free} state ready")
    wait_until(lambda: sum(s.is_ready for s in haproxy.runtime.servers("grpc")) == 2, what="two ready, not three")
    wait_serving(haproxy, "grpc", tasks_of(aws))
    wait_until(lambda: len(daemon.servers("grpc")) == 2, what="two in our view, too")


# ---- restarted and reloaded ----

def test_a_restarted_haproxy_is_made_whole_again(aws: Aws, service: str, haproxy: HAProxy,
                                                 start_rollcalld: Callable[..., Rollcalld]) -> None:
    """Killed and started anew it has forgotten everything."""
    daemon = start_rollcalld(haproxy=haproxy)
    haproxy.kill()
    wait_until(lambda: not daemon.status()["haproxy"]["connected"], what="noticed")
    haproxy.start()
    wait_serving(haproxy, "grpc", tasks_of(aws), timeout=5)
    assert client.call_many(haproxy.target, 10).failed == 0
    wait_until(lambda: daemon.status()["haproxy"]["pid"] == haproxy.child.pid, what="the new process in the status")


def test_a_reloaded_haproxy_is_made_whole_again_at_once(aws: Aws, service: str,
                                                        start_haproxy: Callable[..., HAProxy],
                                                        start_rollcalld: Callable[..., Rollcalld]) -> None:
    """Within a second or so of the new worker; the old one still lives on a stream, and fools nobody."""
    haproxy = start_haproxy(master=True)
    daemon = start_rollcalld(haproxy=haproxy)
    with client.Connection(haproxy.target) as connection:
        stream = connection.numbers(1, 9, count=0, interval_ms=50, timeout=60)
        next(stream)
        for _ in range(3):
            haproxy.reload()
            reloaded = time.monotonic()
            wait_serving(haproxy, "grpc", tasks_of(aws), timeout=5)
            assert time.monotonic() - reloaded < 2.0
            next(stream)
        assert client.call_many(haproxy.target, 10).failed == 0
        stream.cancel()  # type: ignore[attr-defined]
    wait_until(lambda: daemon.status()["haproxy"]["in_step"], what="in step")
    assert daemon.messages("", "warn error") == []


def test_a_change_during_a_reload_reaches_the_new_worker(aws: Aws, service: str,
                                                         start_haproxy: Callable[..., HAProxy],
                                                         start_rollcalld: Callable[..., Rollcalld]) -> None:
    """What was told to the old worker alone is lost: the new one is read back, not assumed."""
    haproxy = start_haproxy(master=True)
    start_rollcalld(haproxy=haproxy)
    aws.control.scale(**SERVICE, desired=3)
    haproxy.reload()
    aws.control.scale(**SERVICE, desired=1)
    haproxy.reload()
    aws.control.wait_steady(**SERVICE)
    wait_serving(haproxy, "grpc", tasks_of(aws))


# ---- rollcalld itself ends ----

def test_a_killed_rollcalld_disturbs_no_server_and_takes_up_where_it_was(
        aws: Aws, service: str, haproxy: HAProxy, start_rollcalld: Callable[..., Rollcalld]) -> None:
    """kill -9 under load and a new start: no state of any server changes, no call fails."""
    daemon = start_rollcalld(haproxy=haproxy)
    before = haproxy.runtime.held()
    started = time.monotonic()
    with client.Load(haproxy.target, rate=200, connections=2, streams=2) as load:
        daemon.kill()
        wait_until(lambda: load.result.succeeded > 50, what="calls without rollcalld")
        assert haproxy.runtime.held() == before
        daemon.restart()
        daemon.wait_ready()
        assert haproxy.runtime.held() == before
    assert load.result.failed == 0, load.result.details
    unchanged_for = [int(row["lastchg"]) for row in haproxy.runtime.stat("grpc") if row["status"] == "UP"]
    assert min(unchanged_for) >= int(time.monotonic() - started), "no server went down and up again"
    aws.control.scale(**SERVICE, desired=3)
    aws.control.wait_steady(**SERVICE)
    wait_serving(haproxy, "grpc", tasks_of(aws))


def test_sigterm_leaves_the_servers_and_a_task_that_ended_meanwhile_is_taken_out(
        aws: Aws, service: str, haproxy: HAProxy, start_rollcalld: Callable[..., Rollcalld]) -> None:
    """Its end is found out at the next start: the roster is read anew, and HAProxy is read back."""
    daemon = start_rollcalld(haproxy=haproxy)
    before = haproxy.runtime.held()
    assert daemon.stop() == 0
    assert haproxy.runtime.held() == before
    assert client.call_many(haproxy.target, 10).failed == 0
    aws.control.scale(**SERVICE, desired=1)
    aws.control.wait_steady(**SERVICE)
    assert haproxy.runtime.held() == before
    daemon.restart()
    daemon.wait_ready()
    wait_serving(haproxy, "grpc", tasks_of(aws))


def test_fall_1_opens_no_gate_before_a_check_of_the_task_itself(
        aws: Aws, directory: Path, start_haproxy: Callable[..., HAProxy],
        start_rollcalld: Callable[..., Rollcalld]) -> None:
    """There a slot shows the full count at once, beside what the last check of its last task said."""
    haproxy = start_haproxy(slots=3, check="check inter 300ms rise 1 fall 1")
    aws.control.register(family="rng", drain=0.0)
    aws.control.register(family="deaf", process="none")
    aws.control.create_service(**SERVICE, desired=3, definition="rng", stop_interval=0.1)
    aws.control.wait_steady(**SERVICE)
    daemon = start_rollcalld(lambda c: c["backends"][0].update(match={"service": "*"}), haproxy=haproxy)
    wait_serving(haproxy, "grpc", tasks_of(aws))
    aws.control.scale(**SERVICE, desired=2)
    aws.control.wait_steady(**SERVICE)
    wait_serving(haproxy, "grpc", tasks_of(aws))
    aws.control.create_service(cluster="main", service="deaf", desired=1, definition="deaf")
    aws.control.wait_steady("main", "deaf")
    deaf, = aws.control.running("main", "deaf")
    wait_until(lambda: haproxy.runtime.server_of("grpc", deaf), what="the slot is its own")
    with client.Load(haproxy.target, rate=50, connections=2) as load:
        stays(lambda: not haproxy.runtime.server_of("grpc", deaf).is_ready, 3, "behind the gate")
        with RngServer(directory, "awake", f"{deaf['address']}:{deaf['port']}"):
            wait_serving(haproxy, "grpc", [*tasks_of(aws), deaf])
            assert load.result.failed == 0, load.result.details
    assert daemon.problems() == ""


# ---- HAProxy knows first ----

def test_a_task_that_dies_without_a_word_is_out_by_haproxys_own_check(
        aws: Aws, shipped_haproxy: HAProxy, start_rollcalld: Callable[..., Rollcalld]) -> None:
    """AWS is told late: HAProxy's check takes it out, calls go on, and rollcalld does not put it back."""
    aws.control.register(family="rng", drain=0.0)
    aws.control.create_service(**SERVICE, desired=2, definition="rng")
    aws.control.wait_steady(**SERVICE)
    daemon = start_rollcalld(haproxy=shipped_haproxy)
    dead, _alive = tasks_of(aws)
    aws.control.add_fault(kind="throttle")
    with client.Load(shipped_haproxy.target, rate=100, connections=2) as load:
        wait_until(lambda: load.result.succeeded > 50, what="calls")
        os.kill(dead["pid"], 9)
        wait_until(lambda: daemon.server_of("grpc", dead)["state"] == "down", what="down")
        in_flight = load.result.failed
        # Only what was in flight to it may fail: the rest is sent elsewhere unseen. From 3.2 on HAProxy sends an h2c
        # request while it still connects, and a refused connection is then nothing that `retry-on conn-failure` means:
        # half of the calls fail for as long as the checks take, which is 1.6 s.
        assert in_flight <= (2 if version() < (3, 2) else 120), load.result.details
        seen = load.result.succeeded
        wait_until(lambda: load.result.succeeded > seen + 100, what="calls after it")
        assert load.result.failed == in_flight, load.result.details
        assert "check" in daemon.server_of("grpc", dead)["reason"]
        server = shipped_haproxy.runtime.server_of("grpc", dead)
        assert server.is_ready and shipped_haproxy.runtime.status("grpc", server.name) == "DOWN"
        aws.control.clear_faults()
        aws.control.wait_steady(**SERVICE)
        wait_serving(shipped_haproxy, "grpc", tasks_of(aws), timeout=30)
        wait_until(lambda: shipped_haproxy.runtime.server_of("grpc", dead) is None or
                   shipped_haproxy.runtime.server_of("grpc", dead).in_maintenance, what="out, now that AWS says so")
    assert load.result.failed == in_flight, load.result.details
