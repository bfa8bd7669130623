"""No caller notices: some load cases of tests/load, shortened. `tests/load/run` is the long form, with a table.

The harness is tested first: one that saw no failure would pass them all.
"""

from __future__ import annotations

import collections
import time
from pathlib import Path
from typing import Callable

import pytest

from conftest import Aws
from load import cases, results, stage, verdict
from load.traffic import Call, Mix, Traffic
from rng.journal import Journal
from rollcall_testlib import haproxy as hap
from rollcall_testlib.daemon import Rollcalld
from rollcall_testlib.haproxy import HAProxy
from rollcall_testlib.rng_server import RngServer
from rollcall_testlib.waiting import wait_until

LIGHT = Mix(unary=80, crowd_numbers=5, crowd_interval_ms=500)
SERVERS_OF_ITS_OWN = """\
global
    stats socket {socket} level admin
    LIMIT
defaults
    mode http
    timeout connect 1s
    timeout client 1m
    timeout server 1m
    retries 3
    option redispatch 1
    RETRY
frontend grpc_in
    bind 127.0.0.1:{grpc} proto h2
    default_backend grpc
backend grpc
    SERVERS
"""


# ---- the harness sees what there is to see ----

def plain_haproxy(start_haproxy: Callable[..., HAProxy], servers: list[RngServer], retry: str = "",
                  limit: str = "") -> HAProxy:
    """Without rollcalld and without checks."""
    lines = "\n    ".join(f"server s{n} {server.target} proto h2" for n, server in enumerate(servers))
    text = SERVERS_OF_ITS_OWN.replace("SERVERS", lines).replace("RETRY", retry).replace("LIMIT", limit)
    return start_haproxy(text)


def test_a_dead_server_is_seen_by_every_kind_of_call(directory: Path, start_haproxy: Callable[..., HAProxy]) -> None:
    with RngServer(directory, "alone", drain=0.0) as alone:
        haproxy = plain_haproxy(start_haproxy, [alone])
        with Traffic(directory, haproxy.target, LIGHT) as traffic:
            wait_until(lambda: alone.journal().calls > 150, what="calls")
            alone.kill()
            killed = time.monotonic()
            time.sleep(1.0)  # calls go on for a while
            calls = traffic.stop()
    found = verdict.judge(calls, {"alone": alone.journal()})
    assert {call.kind for call in calls if call.failed} == {"unary", "slow", "stream", "crowd"}
    assert found.cut > 20 and found.failed["UNAVAILABLE"] > 50
    assert [call for call in calls if call.failed and call.ended < killed - 0.1] == [], "none failed before"
    assert all(call.code and call.details for call in calls if call.failed)
    assert found.count("unexplained") == found.noticed and verdict.faults(found, verdict.Allowed())
    assert found.unknown == [] and found.calls == len({call.id for call in calls})


def test_the_crowd_is_more_than_a_hundred_streams_at_once_on_one_connection(
        directory: Path, start_haproxy: Callable[..., HAProxy]) -> None:
    """As HAProxy counts them."""
    limit, open_at_once = f"{stage.streams_key(hap.version())} 1000", 120
    with RngServer(directory, "alone", drain=0.0) as alone:
        haproxy = plain_haproxy(start_haproxy, [alone], limit=limit)
        crowd = Mix(unary=0, slow=0, streams=0, connections=1, crowd_interval_ms=500, processes=1)
        with Traffic(directory, haproxy.target, crowd) as traffic:
            wait_until(lambda: alone.journal().calls > 150, what="each stream at least once")
            calls = traffic.stop()
    assert haproxy.runtime.stat_of("grpc", "s0")["smax"] == str(open_at_once)
    # The other one is that of the unary calls, of which there are none.
    assert haproxy.runtime.stat_of("grpc_in", "FRONTEND")["conn_tot"] == "2"
    assert [call for call in calls if call.failed] == []


def test_a_replayed_call_is_counted_as_executed_twice(directory: Path, start_haproxy: Callable[..., HAProxy]) -> None:
    """kill -9 of a server in the middle of slow calls, with replay on: what the journals are for."""
    with RngServer(directory, "one", drain=0.0) as one, RngServer(directory, "two", drain=0.0) as two:
        haproxy = plain_haproxy(start_haproxy, [one, two], "retry-on conn-failure empty-response")
        mix = Mix(unary=0, slow=100, slow_ms=500, streams=0, crowd=0, processes=1)
        with Traffic(directory, haproxy.target, mix) as traffic:
            wait_until(lambda: one.journal().calls > 30 and two.journal().calls > 30, what="calls to both")
            one.kill()
            time.sleep(1.0)  # calls go on for a while
            calls = traffic.stop()
    found = verdict.judge(calls, {"one": one.journal(), "two": two.journal()})
    assert len(found.twice) > 5 and any("executed twice" in fault for fault in verdict.faults(found, verdict.Allowed()))
    assert not any(call.failed for call in calls if call.id in found.twice), "it is unseen by the caller"


def a_call(call_id: str, sent: float, ended: float, code: str = "UNAVAILABLE", received: int = 0) -> Call:
    return Call(call_id, "unary", sent, ended, code, "", "", received)


def journal_of(*call_ids: str) -> Journal:
    return Journal(collections.Counter(Next=len(call_ids)), collections.Counter(call_ids), {})


def cause_of(call: Call, journals: dict[str, Journal], **events: list[verdict.End] | list[verdict.Reload]) -> str:
    found = verdict.judge([call], journals, **events)  # type: ignore[arg-type]
    cause, = (cause for cause in verdict.CAUSES if found.count(cause))
    return cause


def test_only_what_was_open_on_a_killed_task_is_in_flight() -> None:
    journals, ends = {"dead": journal_of("on-dead"), "well": journal_of("on-well")}, [verdict.End("dead", 10.0, True)]
    assert cause_of(a_call("on-dead", 9.0, 10.01), journals, ends=ends) == "in flight"
    assert cause_of(a_call("nowhere", 9.99, 10.01), journals, ends=ends) == "in flight"
    assert cause_of(a_call("on-well", 9.0, 10.01), journals, ends=ends) == "unexplained"
    assert cause_of(a_call("on-dead", 8.0, 9.5), journals, ends=ends) == "unexplained"
    assert cause_of(a_call("nowhere", 11.0, 11.1), journals, ends=ends) == "refused"
    assert cause_of(a_call("nowhere", 15.0, 15.1), journals, ends=ends) == "unexplained"
    assert cause_of(a_call("on-dead", 9.0, 10.01), journals, ends=[verdict.End("dead", 10.0, False)]) == "unexplained"


def test_only_what_nobody_executed_is_put_down_to_a_reload() -> None:
    reloads = [verdict.Reload(10.0, 10.2)]
    assert cause_of(a_call("x", 10.1, 10.3), {}, reloads=reloads) == "reload"
    assert cause_of(a_call("x", 10.1, 10.3), {"task": journal_of("x")}, reloads=reloads) == "unexplained"
    assert cause_of(a_call("x", 11.5, 11.6), {}, reloads=reloads) == "unexplained"
    assert cause_of(a_call("x", 9.5, 9.9), {}, reloads=reloads) == "unexplained"


def test_a_run_done_again_replaces_its_row(directory: Path) -> None:
    file, key = directory / "table.md", ("kill", "serving", "3.2.26", "slots", "no")
    found = verdict.judge([a_call("a", 1, 2), a_call("b", 1, 2, "OK", 1)], {"task": journal_of("a", "b")})
    results.merge(file, [results.row(key, found, verdict.faults(found, verdict.Allowed()), "2026-01-01")])
    assert "Goals met in 0 of 1 runs." in file.read_text() and "| 2 | 1 UNAVAILABLE | 0 |" in file.read_text()
    well = verdict.judge([a_call("b", 1, 2, "OK", 1)], {"task": journal_of("b")})
    results.merge(file, [results.row((*key[:2], "3.2.27", *key[3:]), well, [], "2026-01-02"),
                         results.skipped(("kill", "serving", "3.2.26", "dynamic", "no"), "why", "2026-01-02")])
    text = file.read_text()
    assert "Goals met in 1 of 1 runs." in text and "3.2.26 | slots" not in text and "skipped: why" in text
    results.merge(file, [results.skipped(("kill", "serving", "2.6.12", "dynamic", "no"), "there is none", "2026-01-02")])
    results.merge(file, [])
    assert "there is none" not in file.read_text(), "what cannot be is not listed"
    file.write_text(file.read_text() + "\n# Of another command\n\nkept\n")
    results.merge(file, [])
    text = file.read_text()
    assert text.endswith("\n\n# Of another command\n\nkept\n") and text.count("\n# ") == 1
    assert text.count("Goals met in ") == 1 and text.count("## What the faults of AWS do") == 1


# ---- the cases ----

Play = Callable[..., verdict.Verdict]


@pytest.fixture
def play(directory: Path, aws: Aws, start_haproxy: Callable[..., HAProxy],
         start_rollcalld: Callable[..., Rollcalld]) -> Play:
    """A case, shortened, and held to its goals."""
    def run(name: str, seconds: float = 4.0, **options: object) -> verdict.Verdict:
        case, setting = cases.CASES[name], stage.Setting(fast=True, mix=LIGHT, **options)  # type: ignore[arg-type]
        try:
            with stage.staged(setting, case.tasks, directory, aws, start_haproxy, start_rollcalld) as stood:
                cases.play(stood, name, seconds)
                found = stood.verdict()
        except stage.Skip as why:
            pytest.skip(str(why))
        print(*verdict.timeline(found, stood.marks, stood.begin), sep="\n")
        missed = verdict.faults(found, stage.allowed(setting, hap.version(), case.kills, case.many))
        assert not missed, missed
        return found
    return run


DECLARED = "slots" if hap.version() < (3, 0) else "dynamic"


def test_a_killed_task_costs_what_was_in_flight_on_it(play: Play) -> None:
    found = play("kill", backend=DECLARED)
    assert found.count("in flight") > 0, "or nothing was in flight, and nothing was tested"
    assert found.twice == []


def test_reloads(play: Play) -> None:
    assert play("reload", backend="shipped").cut == 0


@pytest.mark.parametrize("backend", [DECLARED, "managed"])
def test_rollcalld_killed_again_and_again(play: Play, backend: str) -> None:
    assert play("rollcalld", backend=backend, seconds=8.0).noticed == 0


def test_all_of_it_at_once(play: Play) -> None:
    play("all", backend="managed", seconds=14.0)
