"""Managed backends: rollcall writes the whole section, and a reload of HAProxy by anybody loses no call.

HAProxy is started with two files, its own and the backends.cfg that `rollcalld --init` made, and reloaded through
its master socket. What a task executed is counted by its own journal.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from pathlib import Path
from typing import Any, Callable

import pytest

from conftest import Aws, base_configuration
from rng import client
from rollcall_testlib import paths
from rollcall_testlib.daemon import Rollcalld
from rollcall_testlib.haproxy import HAProxy, version, wait_serving
from rollcall_testlib.waiting import stays, wait_until

SERVICE = {"cluster": "main", "service": "rng-service"}
CHECK = {"inter": "200ms", "rise": 1, "fall": 2}
CONFIGURATION = """\
global
    stats socket {socket} mode 600 level admin
    stats timeout 1m
defaults rollcall
    mode http
    balance roundrobin
    timeout connect 1s
    timeout client 1m
    timeout server 1m
    timeout check 1s
    retries 3
    option redispatch 1
    retry-on conn-failure
defaults
    mode http
    timeout connect 1s
    timeout client 1m
    timeout server 1m
    timeout http-request 5s
frontend grpc_in
    bind 127.0.0.1:{grpc} proto h2
    http-request set-var(txn.backend) str(grpc)
    use_backend %[var(txn.backend)]
    default_backend nobody
backend nobody
# The sections that follow in backends.cfg name theirs.
"""


class Managed:
    """A directory for HAProxy's files, an HAProxy on it, and the configuration of a rollcalld that keeps it."""

    def __init__(self, directory: Path, aws: Aws, start_haproxy: Callable[..., HAProxy],
                 start_rollcalld: Callable[..., Rollcalld]) -> None:
        self.home, self.aws = directory / "m", aws
        self.file, self.good = self.home / "backends.cfg", self.home / "backends.cfg.good"
        self._scratch, self._start_haproxy, self._start_rollcalld = directory, start_haproxy, start_rollcalld

    def configuration(self, **entry: Any) -> dict[str, Any]:
        text = base_configuration(self.aws, self.haproxy, self._scratch) if hasattr(self, "haproxy") else {
            "ecs": {"region": "eu-west-1"}, "haproxy": {}, "control": {"socket": str(self._scratch / "c")},
            "state_dir": str(self._scratch / "state")}
        text["haproxy"]["managed"] = {"dir": str(self.home)}
        if hasattr(self, "haproxy"):
            text["haproxy"]["master_socket"] = str(self.haproxy.master_socket)
        text["backends"] = [{"name": "grpc", "match": {"service": "rng-service"}, "managed": True, "check": CHECK,
                             **entry}]
        return text

    def init(self) -> subprocess.CompletedProcess[str]:
        file = self._scratch / "init.yaml"
        file.write_text(json.dumps(self.configuration()))
        return subprocess.run([paths.ROLLCALLD, "--init", "-f", str(file)], capture_output=True, text=True,
                              timeout=10, check=False)

    def start_haproxy(self) -> HAProxy:
        made = self.init()
        assert made.returncode == 0, made.stderr
        self.haproxy = self._start_haproxy(CONFIGURATION, master=True, also=(self.file,))
        return self.haproxy

    def start_rollcalld(self, change: Callable[[dict[str, Any]], Any] | None = None, **entry: Any) -> Rollcalld:
        """With a control socket and a state directory of its own in each test; entry: keys of the backend."""
        def settle(configuration: dict[str, Any]) -> None:
            wanted = self.configuration(**entry)
            for key in ("haproxy", "backends"):
                configuration[key] = wanted[key]
            if change:
                change(configuration)

        self.rollcalld = self._start_rollcalld(settle, haproxy=self.haproxy)
        return self.rollcalld

    def named(self) -> set[str]:
        """ADDRESS:PORT of the servers that the file names."""
        return set(re.findall(r"(?m)^\tserver \S+ (\S+)", self.file.read_text()))

    def wait_named(self, tasks: list[dict[str, Any]]) -> None:
        wanted = {f"{task['address']}:{task['port']}" for task in tasks}
        wait_until(lambda: self.named() == wanted, 15, f"backends.cfg names {wanted}")

    def problems(self) -> list[str]:
        return [problem["message"] for problem in self.rollcalld.status()["problems"]]


@pytest.fixture
def managed(directory: Path, aws: Aws, start_haproxy: Callable[..., HAProxy],
            start_rollcalld: Callable[..., Rollcalld]) -> Managed:
    return Managed(directory, aws, start_haproxy, start_rollcalld)


def start_service(aws: Aws, desired: int, drain: float = 3.0) -> list[dict[str, Any]]:
    aws.control.register(family="rng", drain=drain)
    aws.control.create_service(**SERVICE, desired=desired, definition="rng", stop_interval=0.2)
    aws.control.wait_steady(**SERVICE)
    return aws.control.running(**SERVICE)


def steady_load(haproxy: HAProxy) -> client.Load:
    return client.Load(haproxy.target, rate=100, connections=4, streams=2)


def expect_all_well(aws: Aws, result: client.Result) -> None:
    assert result.calls > 100
    assert result.failed == 0, f"{result.failed} of {result.calls}: {dict(result.failures)} {result.details}"
    assert aws.control.calls()["twice"] == []


# ---- --init ----

def test_init_makes_what_is_missing_and_overwrites_nothing(managed: Managed) -> None:
    first = managed.init()
    assert first.returncode == 0, first.stderr
    assert first.stdout.splitlines() == [f"made {managed.home}", f"made {managed.home}/routes.map",
                                         f"made {managed.file}"]
    assert managed.home.stat().st_mode & 0o777 == 0o755 and managed.file.stat().st_mode & 0o777 == 0o644
    (managed.home / "routes.map").write_text("a b\n")
    managed.file.unlink()
    second = managed.init()
    assert (second.returncode, second.stdout) == (0, f"made {managed.file}\n")
    assert (managed.home / "routes.map").read_text() == "a b\n"
    assert managed.init().stdout == ""


def test_init_needs_no_network_and_no_region(managed: Managed, directory: Path) -> None:
    """As at the first boot of a machine whose region would be IMDS's to tell: rollcall-init.service has no network."""
    unshare = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--net"]
    if subprocess.run([*unshare, "true"], capture_output=True, timeout=10, check=False).returncode != 0:
        pytest.skip("this kernel gives us no network namespace")
    file = directory / "init.yaml"
    file.write_text(json.dumps({**managed.configuration(), "ecs": {"clusters": ["main"]}}))
    env = {"PATH": os.environ["PATH"], "HOME": str(directory)}

    def run(option: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*unshare, paths.ROLLCALLD, option, "-f", str(file)], env=env, capture_output=True,
                              text=True, timeout=10, check=False)

    made = run("--init")
    assert (made.returncode, made.stderr) == (0, "")
    assert managed.file.exists() and (managed.home / "routes.map").exists()
    checked = run("-c")
    assert checked.returncode == 1 and "no region: give `region`" in checked.stderr, "the daemon itself needs one"


def test_init_says_what_it_cannot_make(managed: Managed) -> None:
    managed.home.write_text("a file\n")
    made = managed.init()
    assert made.returncode == 1 and f"{managed.home} is no directory" in made.stderr
    assert managed.home.read_text() == "a file\n"


# ---- a backend is made ----

def test_a_managed_backend_comes_into_being_and_serves(managed: Managed, aws: Aws) -> None:
    """From 3.4 on without a reload; before by one."""
    tasks = start_service(aws, 2)
    haproxy = managed.start_haproxy()
    pid = haproxy.runtime.info()["Pid"]
    managed.start_rollcalld()
    wait_serving(haproxy, "grpc", tasks)
    managed.wait_named(tasks)
    assert (haproxy.runtime.info()["Pid"] == pid) == (version() >= (3, 4))
    assert client.call_many(haproxy.target, 100).failed == 0
    assert managed.problems() == []
    wait_until(lambda: not managed.good.exists(), what="no reload is due")


@pytest.mark.parametrize("entry, line", [
    ({"balance": "leastconn"}, "\tbalance leastconn\n"),
    ({"balance": "random", "check": {**CHECK, "type": "tcp"}}, "\toption tcp-check\n"),
    ({"check": {**CHECK, "type": "off"}}, "\tserver "),
    ({"check": {**CHECK, "timeout": "700ms"}, "slowstart": "1s", "maxconn": 50}, "\ttimeout check 700ms\n"),
    ({"observe": {"mode": "layer7", "error_limit": 5, "on_error": "mark-down"}}, " observe layer7 "),
])
def test_what_an_entry_asks_for_is_in_the_section_and_haproxy_takes_it(managed: Managed, aws: Aws, entry: Any,
                                                                        line: str) -> None:
    tasks = start_service(aws, 1)
    haproxy = managed.start_haproxy()
    managed.start_rollcalld(**entry)
    wait_serving(haproxy, "grpc", tasks)
    managed.wait_named(tasks)
    assert line in managed.file.read_text()
    haproxy.reload()
    wait_serving(haproxy, "grpc", tasks)
    assert managed.problems() == []


# ---- reloads ----

def test_a_reload_finds_the_servers_up_and_rollcalld_has_nothing_to_do(managed: Managed, aws: Aws) -> None:
    tasks = start_service(aws, 3)
    haproxy = managed.start_haproxy()
    rollcalld = managed.start_rollcalld()
    wait_serving(haproxy, "grpc", tasks)
    managed.wait_named(tasks)
    mark = rollcalld.mark()
    haproxy.reload()
    held = haproxy.runtime.held()
    assert haproxy.runtime.serving("grpc") == {f"{task['address']}:{task['port']}" for task in tasks}
    rollcalld.wait_line("reloaded or restarted")
    stays(lambda: haproxy.runtime.held() == held, 1.5, "what the file says")
    # What they are called now is told; on 2.6 they were slots before.
    assert not rollcalld.messages(r"^grpc/rc_.*: (joins|drains)", since=mark), "nothing was done to any of them"


def test_reloads_under_load_fail_no_call(managed: Managed, aws: Aws) -> None:
    tasks = start_service(aws, 3)
    haproxy = managed.start_haproxy()
    managed.start_rollcalld()
    wait_serving(haproxy, "grpc", tasks)
    managed.wait_named(tasks)
    with steady_load(haproxy) as load:
        for _ in range(6):
            time.sleep(1.0)  # the pace of it: one a second
            haproxy.reload()
        time.sleep(0.5)  # calls go on for a while
    expect_all_well(aws, load.result)


def test_a_deploy_between_reloads_and_a_killed_rollcalld_fail_no_call(managed: Managed, aws: Aws) -> None:
    """All tasks are replaced, HAProxy is reloaded all the while, rollcalld dies in the middle and comes back."""
    before = start_service(aws, 3)
    haproxy = managed.start_haproxy()
    rollcalld = managed.start_rollcalld()
    wait_serving(haproxy, "grpc", before)
    managed.wait_named(before)
    with steady_load(haproxy) as load:
        aws.control.roll(**SERVICE)
        for turn in range(6):
            time.sleep(1.0)  # the pace of it
            haproxy.reload()
            if turn == 2:
                rollcalld.kill()
                rollcalld.restart()
        aws.control.wait_steady(**SERVICE)
        after = aws.control.running(**SERVICE)
        wait_serving(haproxy, "grpc", after)
        managed.wait_named(after)
        time.sleep(0.5)  # calls go on for a while
    assert not {task["id"] for task in before} & {task["id"] for task in after}
    expect_all_well(aws, load.result)


def test_a_restart_of_haproxy_starts_warm(managed: Managed, aws: Aws) -> None:
    """Even without rollcalld."""
    tasks = start_service(aws, 2)
    haproxy = managed.start_haproxy()
    rollcalld = managed.start_rollcalld()
    wait_serving(haproxy, "grpc", tasks)
    managed.wait_named(tasks)
    rollcalld.kill()
    haproxy.restart()
    assert client.call_many(haproxy.target, 20).failed == 0


# ---- what goes wrong ----

def test_a_refused_reload_leaves_the_old_worker_and_the_last_good_file(managed: Managed, aws: Aws) -> None:
    tasks = start_service(aws, 2)
    haproxy = managed.start_haproxy()
    rollcalld = managed.start_rollcalld()
    wait_serving(haproxy, "grpc", tasks)
    managed.wait_named(tasks)
    wait_until(lambda: not managed.good.exists(), what="no reload is due")
    good, pid, sound = managed.file.read_text(), haproxy.runtime.info()["Pid"], haproxy.configuration
    rollcalld.stop()
    haproxy.write(sound + "    nonsense on line 31\n")
    rollcalld = managed.start_rollcalld(balance="leastconn")
    wait_until(lambda: any("could not be reloaded" in text for text in managed.problems()), 20, "the refusal")
    if version() >= (3, 0):
        assert any("nonsense" in text for text in managed.problems()), managed.problems()
    wait_until(lambda: managed.file.read_text() == good and not managed.good.exists(), what="the last good file")
    assert haproxy.runtime.info()["Pid"] == pid
    assert client.call_many(haproxy.target, 20).failed == 0
    # The operator mends it and reloads: now it works.
    haproxy.write(sound)
    haproxy.reload()
    wait_until(lambda: "balance leastconn" in managed.file.read_text() and not managed.problems(), 30, "mended")
    wait_serving(haproxy, "grpc", tasks)


def test_without_a_master_socket_the_operator_is_told_to_reload(managed: Managed, aws: Aws) -> None:
    tasks = start_service(aws, 1)
    haproxy = managed.start_haproxy()
    managed.start_rollcalld(lambda c: c["haproxy"].pop("master_socket"), balance="leastconn")
    wait_until(lambda: any("haproxy.master_socket" in text for text in managed.problems()), 15, "a word about it")
    assert "balance leastconn" in managed.file.read_text()
    haproxy.reload()
    wait_serving(haproxy, "grpc", tasks)
    wait_until(lambda: not managed.problems(), what="no problem is left")


def test_a_missing_directory_is_said_and_servers_change_all_the_same(managed: Managed, aws: Aws) -> None:
    tasks = start_service(aws, 1)
    haproxy = managed.start_haproxy()
    managed.start_rollcalld()
    wait_serving(haproxy, "grpc", tasks)
    managed.wait_named(tasks)
    away = managed.home.rename(managed.home.with_suffix(".away"))
    aws.control.scale(**SERVICE, desired=2)
    aws.control.wait_steady(**SERVICE)
    tasks = aws.control.running(**SERVICE)
    wait_serving(haproxy, "grpc", tasks)
    wait_until(lambda: any("cannot write" in text for text in managed.problems()), what="a word about it")
    away.rename(managed.home)
    managed.wait_named(tasks)
    wait_until(lambda: not managed.problems(), what="no problem is left")


def test_a_shadow_writes_nothing_and_reloads_nothing(managed: Managed, aws: Aws) -> None:
    start_service(aws, 1)
    haproxy = managed.start_haproxy()
    text, pid = managed.file.read_text(), haproxy.runtime.info()["Pid"]
    managed.start_rollcalld(lambda c: c["haproxy"].update(apply=False))
    stays(lambda: managed.file.read_text() == text and haproxy.runtime.info()["Pid"] == pid, 2.0, "as it was")
    assert sorted(file.name for file in managed.home.iterdir()) == ["backends.cfg", "routes.map"]
