"""packaging/systemd/rollcalld.service.in: what it takes away, rollcalld does not need."""

from __future__ import annotations

import grp
import shutil
from pathlib import Path
from typing import Any, Callable

import pytest

from conftest import Aws
from rollcall_testlib import paths
from rollcall_testlib.daemon import Rollcalld
from rollcall_testlib.haproxy import HAProxy, wait_serving

UNIT = paths.TOP / "packaging" / "systemd" / "rollcalld.service.in"
FILTERED = ("/usr/bin/python3", "-B", str(paths.TOP / "tests" / "functional" / "rollcall_testlib" / "filtered.py"), str(UNIT))
SERVICE = {"cluster": "main", "service": "rng-service"}
OTHER = grp.getgrnam("daemon")


def is_alone() -> bool:
    """rollcalld is a program, and nothing was built into it that watches it."""
    program = Path(paths.ROLLCALLD).read_bytes() if Path(paths.ROLLCALLD).exists() else b""
    return program.startswith(b"\x7fELF") and b"__asan_init" not in program


@pytest.mark.one_haproxy
@pytest.mark.skipif(not is_alone(), reason="a sanitizer or valgrind calls more")
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze tells what a group of calls is")
def test_the_system_calls_that_it_allows_are_enough(aws: Aws, service: str, haproxy: HAProxy,
                                                    start_rollcalld: Callable[..., Rollcalld]) -> None:
    """A start with every kind of door, a new task, another configuration, the doctor, a stop."""
    queue = aws.control.make_queue(queue="given")

    def change(configuration: dict[str, Any]) -> None:
        control = configuration["control"]
        control.update(group=OTHER.gr_name, listen=control["socket"] + ".read")
        configuration["spoe"] = {"listen": control["socket"] + ".spoe", "group": OTHER.gr_name}
        configuration["ecs"]["events"] = {"queue": queue["url"]}

    daemon = start_rollcalld(change, under=FILTERED)
    assert daemon.control_socket.stat().st_gid == OTHER.gr_gid
    wait_serving(haproxy, "grpc", aws.control.running(**SERVICE))
    aws.control.scale(**SERVICE, desired=3)
    aws.control.wait_steady(**SERVICE)
    wait_serving(haproxy, "grpc", aws.control.running(**SERVICE))
    assert daemon.rollcall("reload").returncode == 0
    assert daemon.rollcall("doctor").stdout
    assert daemon.problems() == ""
