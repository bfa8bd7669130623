"""A task whose calls fail is taken out, the others are not, and it comes back: the shipped files, on any HAProxy."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import uuid
from pathlib import Path
from typing import Any, Callable, Iterator

import grpc
import pytest

from conftest import Aws
from load import agent_cases
from rng import client
from rollcall_testlib import paths
from rollcall_testlib.daemon import Rollcalld
from rollcall_testlib.haproxy import HAProxy, version, wait_serving
from rollcall_testlib.process import Child
from rollcall_testlib.waiting import stays, wait_until

SERVICE = {"cluster": "main", "service": "rng-service"}
OUTLIER = {"interval": "2s", "base_ejection_time": "4s", "max_ejection_time": "60s"}


class Scene:
    """Three tasks behind the shipped haproxy.cfg with rollcall-spoe.cfg, calls that go on, rollcalld."""

    def __init__(self, aws: Aws, haproxy: HAProxy, daemon: Rollcalld) -> None:
        self.aws, self.haproxy, self.daemon = aws, haproxy, daemon
        self.tasks = aws.control.running(**SERVICE)
        self.sick = self.tasks[0]

    def fall_ill(self, task: dict[str, Any] | None = None) -> None:
        os.kill((task or self.sick)["pid"], signal.SIGUSR1)

    def recover(self) -> None:
        os.kill(self.sick["pid"], signal.SIGUSR2)

    def state(self, task: dict[str, Any] | None = None) -> str:
        server = self.daemon.server_of("grpc", task or self.sick)
        return server["state"] if server else "none"

    def name(self) -> str:
        server = self.haproxy.runtime.server_of("grpc", self.sick)
        assert server
        return server.name

    def status(self) -> str:
        return self.haproxy.runtime.status("grpc", self.name())

    def wait_ejected(self) -> None:
        wait_until(lambda: self.status() == "DOWN (agent)", 20, "ejected in HAProxy")
        wait_until(lambda: self.state() == "ejected", 10, "ejected in the view")

    def wait_back(self, timeout: float = 30) -> None:
        wait_until(lambda: self.status() == "UP" and self.state() == "ready", timeout, "back")


@contextlib.contextmanager
def calling(haproxy: HAProxy) -> Iterator[client.Load]:
    with client.Load(haproxy.target, rate=150, connections=3) as load:
        yield load


def make_service(aws: Aws, desired: int = 3) -> None:
    aws.control.register(family="rng", drain=1.0)
    aws.control.create_service(cluster="main", service="rng-service", desired=desired, definition="rng",
                               stop_interval=0.2)
    aws.control.wait_steady("main", "rng-service")


@pytest.fixture
def start_scene(aws: Aws, start_haproxy: Callable[..., HAProxy], start_rollcalld: Callable[..., Rollcalld],
                monkeypatch: pytest.MonkeyPatch) -> Callable[..., Scene]:
    """Names of abstract sockets are the machine's: each scene has its own."""
    def start(desired: int = 3, spoe: bool = True, edit: Callable[[str], str] = lambda text: text,
              beside: tuple[dict[str, Any], ...] = (), **outlier: Any) -> Scene:
        """beside: tasks of other services, which are to be served by the same backend."""
        place = f"abns@rc-{uuid.uuid4().hex[:12]}"
        if spoe:
            monkeypatch.setenv("ROLLCALL_SPOE", str(paths.TOP / "haproxy" / "rollcall-spoe.cfg"))
        make_service(aws, desired)
        haproxy = start_haproxy(shipped=True, master=True,
                                edit=lambda text: edit(text.replace("abns@rollcall-spoe", place)))

        def change(configuration: dict[str, Any]) -> None:
            if spoe:
                configuration["spoe"] = {"listen": place}
            configuration["backends"][0]["match"]["service"] = "*" if beside else "rng-service"
            configuration["defaults"] = {"outlier": {**OUTLIER, **outlier}, "check": {"inter": "300ms", "rise": 1}}

        daemon = start_rollcalld(change, haproxy=haproxy)
        wait_serving(haproxy, "grpc", [*aws.control.running(**SERVICE), *beside])
        if spoe:
            wait_until(lambda: haproxy.runtime.status("rollcall_spoe", "rollcalld") == "UP", 10, "the agent is up")
        return Scene(aws, haproxy, daemon)

    return start


def test_a_task_whose_calls_fail_is_ejected_and_comes_back(start_scene: Callable[..., Scene]) -> None:
    """Trailers-Only UNAVAILABLE, which HAProxy itself takes for success: out within seconds, for longer each time."""
    scene = start_scene(base_ejection_time="2s")

    def ejections() -> int:
        return (scene.daemon.server_of("grpc", scene.sick)["ejection"] or {}).get("times", 0)

    def sent() -> int:
        return int(scene.haproxy.runtime.stat_of("grpc", scene.name())["stot"])

    with calling(scene.haproxy) as callers:
        wait_until(lambda: len(callers.result.by_task) == 3, 10, "all three answer")
        scene.fall_ill()
        wait_until(lambda: scene.status() == "DOWN (agent)", 20, "ejected in HAProxy")
        before, done = sent(), callers.result.succeeded
        wait_until(lambda: callers.result.failed >= 5, 10, "failed calls have brought it there")
        server = wait_until(lambda: next((found for found in [scene.daemon.server_of("grpc", scene.sick)]
                                          if found["state"] == "ejected"), None), 20, "ejected in the view")
        assert server["ejection"]["cause"] in ("consecutive_errors", "failure_percentage")
        assert "ejected: " in server["reason"]
        wait_until(lambda: callers.result.succeeded > done + 100, 20, "calls go on")
        later = sent()
        if ejections() == 1:  # else this machine took so long that its time was over
            assert later == before, "no call goes there any more"
        assert {scene.state(task) for task in scene.tasks[1:]} == {"ready"}
        # Still ill when its time is over: out again, for longer.
        wait_until(lambda: ejections() >= 2, 30, "out for the second time")
        scene.recover()
        scene.wait_back()
        assert scene.daemon.messages("an outlier for 2 s: ") and scene.daemon.messages("an outlier for 4 s: ")
        callers.result.by_task.clear()
        wait_until(lambda: len(callers.result.by_task) == 3, 10, "all three answer again")


def test_a_task_that_answers_503_and_one_that_resets_are_ejected(start_scene: Callable[..., Scene], aws: Aws) -> None:
    """Both pass their health checks, and only HAProxy's counters tell of the resets."""
    sick: dict[str, dict[str, Any]] = {}
    for how in ("503", "reset"):
        aws.control.register(family=how, process=[
            sys.executable, str(paths.TOP / "tests" / "rng" / "sick.py"), "--listen", "{address}:{port}", "--how", how])
        aws.control.create_service(cluster="main", service=how, desired=1, definition=how, stop_interval=0.2)
        aws.control.wait_steady("main", how)
        sick[how] = aws.control.running(cluster="main", service=how)[0]
    scene = start_scene(desired=2, beside=tuple(sick.values()), max_ejection_percent=50,
                        base_ejection_time="60s")
    with calling(scene.haproxy) as callers:
        for how, task in sick.items():
            wait_until(lambda: scene.state(task) == "ejected", 20, f"the one of `{how}` is ejected")
        assert {scene.state(task) for task in scene.tasks} == {"ready"}
        wait_until(lambda: set(scene.haproxy.runtime.serving("grpc")) == {
            f"{task['address']}:{task['port']}" for task in scene.tasks}, 10, "served by the others")
        done = callers.result.succeeded
        wait_until(lambda: callers.result.succeeded > done + 100, 20, "calls go on")


def test_never_the_last(start_scene: Callable[..., Scene]) -> None:
    """Of two that both fail one goes, and then nobody."""
    scene = start_scene(desired=2)
    with calling(scene.haproxy):
        for task in scene.tasks:
            scene.fall_ill(task)
        wait_until(lambda: "ejected" in map(scene.state, scene.tasks), 20, "one of them")
        stays(lambda: len(scene.haproxy.runtime.serving("grpc")) >= 1, 2, "served by one at least")


def test_observe_tells_and_does_nothing_and_off_does_not_even_look(start_scene: Callable[..., Scene]) -> None:
    scene = start_scene(mode="observe")
    with calling(scene.haproxy):
        scene.fall_ill()
        scene.daemon.wait_line(r"an outlier \(only observed\)", 20)
        assert scene.daemon.server_of("grpc", scene.sick)["ejection"]["observed"] is True
        stays(lambda: scene.status() == "UP", 2, "takes calls")


def test_slots_without_agent_check_are_only_observed(start_scene: Callable[..., Scene]) -> None:
    """On 2.6 the slots' line decides; from 3.0 on rollcalld writes the servers' lines, and an agent-check with them."""
    without = " agent-check agent-addr 127.0.0.1 agent-port 4320 agent-inter 900ms"

    def edit(text: str) -> str:
        assert without in text
        return text.replace(without, "")

    scene = start_scene(edit=edit)
    backend = scene.daemon.get("/v1/backends/grpc")
    slots = version() < (3, 0)
    assert backend["outlier"] == {"mode": "observe" if slots else "enforce", "without_agent_check": 3 if slots else 0}
    with calling(scene.haproxy):
        scene.fall_ill()
        if slots:
            scene.daemon.wait_line(r"an outlier \(only observed\)", 20)
            assert scene.daemon.rollcall("eject", f"grpc/{scene.name()}").returncode == 1
            stays(lambda: scene.status() == "UP", 1, "takes calls")
        else:
            scene.wait_ejected()


@pytest.mark.one_haproxy
def test_the_door_for_haproxy_outlasts_a_new_configuration(start_scene: Callable[..., Scene]) -> None:
    scene = start_scene()

    def spoe() -> dict[str, Any]:
        found: dict[str, Any] = scene.daemon.status()["spoe"]
        return found

    before = wait_until(lambda: (found := spoe()["frames"]) > 1 and found, 20, "HAProxy is there")
    assert scene.daemon.rollcall("reload").returncode == 0
    assert spoe()["frames"] >= before, "the door is the same"


@pytest.mark.one_haproxy
def test_nobody_answers_agent_checks_in_an_operators_stead(start_scene: Callable[..., Scene]) -> None:
    """Who listens there before rollcalld is told of; afterwards nobody can."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        place = other.getsockname()
        scene = start_scene(agent=f"127.0.0.1:{place[1]}")
        wait_until(lambda: f"outlier.agent: somebody listens at 127.0.0.1:{place[1]}" in scene.daemon.problems(), 20,
                   "he is found")
    wait_until(lambda: "outlier.agent" not in scene.daemon.problems(), 30, "he has gone")
    assert scene.daemon.rollcall("reload").returncode == 0

    def is_refused() -> bool:
        with pytest.raises(OSError, match="Address already in use"):
            socket.create_server(place)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(place)
        return True

    stays(is_refused, 1, "nobody else can have it")


def test_an_operator_ejects_and_puts_back(start_scene: Callable[..., Scene]) -> None:
    scene = start_scene()
    server = f"grpc/{scene.name()}"
    done = scene.daemon.rollcall("eject", server)
    assert done.returncode == 0 and "is ejected" in done.stdout, done
    scene.wait_ejected()
    refused = scene.daemon.rollcall("eject", f"grpc/{scene.haproxy.runtime.server_of('grpc', scene.tasks[1]).name}")
    assert refused.returncode == 1 and "panic_threshold" in refused.stderr
    assert scene.daemon.rollcall("uneject", server).returncode == 0
    scene.wait_back(10)
    assert scene.daemon.rollcall("eject", server, "--for", "2s").returncode == 0
    scene.wait_ejected()
    scene.wait_back(15)


def test_an_ejection_survives_a_reload_of_haproxy(start_scene: Callable[..., Scene]) -> None:
    scene = start_scene()
    assert scene.daemon.rollcall("eject", f"grpc/{scene.name()}").returncode == 0
    scene.wait_ejected()
    scene.haproxy.reload()
    wait_until(lambda: scene.haproxy.runtime.server_of("grpc", scene.sick) is not None
               and scene.status() == "DOWN (agent)", 20, "ejected in the new process, too")
    others = {f"{task['address']}:{task['port']}" for task in scene.tasks[1:]}
    assert scene.haproxy.runtime.serving("grpc") == others


def test_a_stop_puts_back_and_a_start_soon_after_ejects_again(start_scene: Callable[..., Scene]) -> None:
    scene = start_scene()
    assert scene.daemon.rollcall("eject", f"grpc/{scene.name()}").returncode == 0
    scene.wait_ejected()
    assert scene.daemon.stop() == 0
    wait_until(lambda: scene.status().startswith("UP"), 5, "put back for the time without rollcalld")
    scene.daemon.start()
    scene.daemon.wait_ready()
    scene.wait_ejected()


@pytest.mark.one_haproxy
def test_signals_during_a_stop_change_nothing(start_scene: Callable[..., Scene]) -> None:
    """It waits for a HAProxy that does not answer, for 3 s at most."""
    scene = start_scene()
    assert scene.daemon.rollcall("eject", f"grpc/{scene.name()}").returncode == 0
    scene.wait_ejected()
    daemon = scene.daemon.child
    os.killpg(scene.haproxy.child.pid, signal.SIGSTOP)
    try:
        daemon.signal(signal.SIGTERM)
        scene.daemon.wait_line("stopping; servers stay")
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            assert daemon.exit_code is None, "it waits"
            daemon.signal(number)
        assert daemon.wait() == 0
    finally:
        os.killpg(scene.haproxy.child.pid, signal.SIGCONT)
    assert len(scene.daemon.messages("stopping; servers stay")) == 1


def test_after_a_crash_uneject_puts_back(start_scene: Callable[..., Scene]) -> None:
    """Also in a backend that the file does not name (any more): state_dir knows of it, as of those of labels.
    And where nobody tells the region."""
    scene = start_scene()
    assert scene.daemon.rollcall("eject", f"grpc/{scene.name()}").returncode == 0
    scene.wait_ejected()
    directory: Path = scene.daemon.log_file.parent
    file = directory / "rollcall.yaml"
    plan = Child([paths.ROLLCALLD, "--plan", "-f", str(file)], directory / "plan.log")
    assert plan.wait() == 0 and "eject" not in plan.output(), plan.output()
    scene.daemon.kill()
    assert scene.status() == "DOWN (agent)"
    scene.daemon.write(file.read_text().replace("grpc", "other").replace('region: "eu-west-1"', 'region: ""'))
    done = Child([paths.ROLLCALLD, "--uneject", "-f", str(file)], directory / "uneject.log",
                 {"AWS_REGION": "", "AWS_DEFAULT_REGION": "", "AWS_EC2_METADATA_DISABLED": "true"})
    assert done.wait() == 0 and "1 server(s) put back" in done.output(), done.output()
    assert scene.status().startswith("UP")


def test_scattered_errors_eject_nobody(start_scene: Callable[..., Scene]) -> None:
    """INVALID_ARGUMENT is the caller's fault, however often; a good server stays."""
    scene = start_scene()
    with calling(scene.haproxy):
        assert client.call_many(scene.haproxy.target, 300, minimum=2, maximum=1).failures == {"INVALID_ARGUMENT": 300}
    assert not scene.daemon.messages("an outlier")


def test_calls_end_as_they_would_whatever_the_agent_does(start_scene: Callable[..., Scene]) -> None:
    """Hung, killed, back, HAProxy reloaded meanwhile: errors keep their status, and no good call fails."""
    scene = start_scene()

    def errors(calls: int) -> dict[str, int]:
        return dict(client.call_many(scene.haproxy.target, calls, minimum=2, maximum=1).failures)

    with calling(scene.haproxy) as load:
        os.kill(scene.daemon.child.pid, signal.SIGSTOP)
        assert errors(30) == {"INVALID_ARGUMENT": 30}, "hung: each waits for timeout processing, no more"
        os.kill(scene.daemon.child.pid, signal.SIGCONT)
        scene.daemon.kill()
        assert errors(30) == {"INVALID_ARGUMENT": 30}, "gone"
        scene.daemon.start()
        scene.daemon.wait_ready()
        wait_until(lambda: scene.haproxy.runtime.status("rollcall_spoe", "rollcalld") == "UP", 20, "the agent is back")
        assert errors(30) == {"INVALID_ARGUMENT": 30}
        told = scene.daemon.status()["spoe"]["notifies"]
        assert 0 < told <= 30, "no error is told twice, and one is not if this machine needs 20 ms for it"
        # Another configuration: HAProxy's connections stay, and the counts go on.
        down = scene.haproxy.runtime.stat_of("rollcall_spoe", "rollcalld")["chkdown"]
        with open(scene.daemon.log_file.parent / "rollcall.yaml", "a") as file:
            file.write("# changed\n")
        before = scene.daemon.status()["config"]["hash"]
        scene.daemon.reload()
        wait_until(lambda: scene.daemon.status()["config"]["hash"] != before, 20, "the new configuration")
        assert errors(30) == {"INVALID_ARGUMENT": 30}
        spoe = scene.daemon.status()["spoe"]
        assert told < spoe["notifies"] <= told + 30 and spoe["listening"] and spoe["errors"] == 0, spoe
        assert scene.haproxy.runtime.stat_of("rollcall_spoe", "rollcalld")["chkdown"] == down
    assert not load.result.failures, load.result.details


@pytest.mark.parametrize("how", ["hang", "half"])
def test_calls_end_as_they_would_with_an_agent_that_misbehaves(directory: Path, start_haproxy: Callable[..., HAProxy],
                                                               how: str) -> None:
    """Silent, or with half an answer before it goes; `tests/load/spoe` has more of it, and with rollcalld itself."""
    with agent_cases.staged(directory, start_haproxy) as stage:
        stage.run_agent(how)
        stage.wait_agent_up()
        with client.Connection(stage.haproxy.target) as connection:
            for number in range(40):
                try:
                    ended = connection.number(1, number % 2).task  # every other one is refused, without data
                except grpc.RpcError as error:
                    ended = error.code().name  # type: ignore[attr-defined]
                assert ended == ("task" if number % 2 else "INVALID_ARGUMENT"), f"call {number}"
        assert stage.stop_agent() > 0, "it was asked"


def test_the_kill_switch_stops_the_messages(start_scene: Callable[..., Scene]) -> None:
    scene = start_scene()
    scene.haproxy.runtime.ask("experimental-mode on; set var proc.rollcall bool(false)")
    assert client.call_many(scene.haproxy.target, 20, minimum=2, maximum=1).failures == {"INVALID_ARGUMENT": 20}
    assert "rollcall_spoe_notifies_total 0" in scene.daemon.request("GET", "/metrics")[1]
