"""Labels: a service's owner ships them, and the route is there, on every HAProxy.

HAProxy runs haproxy/haproxy.cfg as an operator copies it, with the files that `rollcalld --init` made. No `backends`
entry names any of these services; what a call reaches is told by the tasks themselves.
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

from conftest import Aws
from fakeaws.control import ACCESS_KEY_ID
from rng import client
from rollcall_testlib import paths
from rollcall_testlib.daemon import Rollcalld
from rollcall_testlib.haproxy import HAProxy, version, wait_serving
from rollcall_testlib.waiting import stays, wait_until

PATH = "/rng.Rng/Next"
CANARY_CALLS = int(os.environ.get("CANARY_CALLS", "1000"))  # tests/bench/RESULTS.md has those of 10,000


class Labels:
    """HAProxy as shipped, on a managed.dir of its own, and a rollcalld that reads labels."""

    def __init__(self, directory: Path, aws: Aws, start_haproxy: Callable[..., HAProxy],
                 start_rollcalld: Callable[..., Rollcalld]) -> None:
        self.home, self.aws = directory / "m", aws
        self.map, self.file = self.home / "routes.map", self.home / "backends.cfg"
        self._scratch = directory
        self._init()
        self.haproxy = start_haproxy(shipped=True, master=True, also=(self.file,),
                                     edit=self._with_routes)
        self._start_rollcalld = start_rollcalld

    def _with_routes(self, text: str) -> str:
        setting = f"global\n    setenv ROLLCALL_MANAGED_DIR {self.home}\n"
        return text.replace("global\n", setting, 1)

    def _managed(self) -> dict[str, Any]:
        return {"dir": str(self.home)}

    def _init(self) -> None:
        file = self._scratch / "init.yaml"
        file.write_text(json.dumps({"ecs": {"region": "eu-west-1"}, "haproxy": {"managed": self._managed()},
                                    "control": {"socket": str(self._scratch / "c")},
                                    "state_dir": str(self._scratch / "state")}))
        made = subprocess.run([paths.ROLLCALLD, "--init", "-f", str(file)], capture_output=True, text=True, timeout=10,
                              check=False)
        assert made.returncode == 0, made.stderr

    def start(self, change: Callable[[dict[str, Any]], Any] | None = None) -> Rollcalld:
        def settle(configuration: dict[str, Any]) -> None:
            configuration["haproxy"]["managed"] = self._managed()
            configuration["haproxy"]["master_socket"] = str(self.haproxy.master_socket)
            configuration["backends"] = []
            self.state = Path(configuration["state_dir"])
            configuration["defaults"] = {"check": {"inter": "200ms", "rise": 1, "fall": 2}}
            if change:
                change(configuration)

        self.rollcalld = self._start_rollcalld(settle, haproxy=self.haproxy)
        return self.rollcalld

    def serve(self, name: str, labels: dict[str, str], desired: int = 1, **options: Any) -> None:
        self.aws.control.register(family=name, labels=labels, drain=3.0, **options)
        self.aws.control.create_service(cluster="main", service=name, desired=desired, definition=name,
                                        stop_interval=0.2)
        self.aws.control.wait_steady("main", name)

    def roll(self, name: str, labels: dict[str, str]) -> None:
        self.aws.control.register(family=name, labels=labels, drain=3.0)
        self.aws.control.roll(cluster="main", service=name, definition=name)
        self.aws.control.wait_steady("main", name)

    def reached(self, authority: str, calls: int = 10) -> set[str]:
        """The services whose tasks answered; "" if a call failed."""
        result = client.call_many(self.haproxy.target, calls, authority=authority)
        service_of = {task["id"]: task["service"] for task in self.aws.control.tasks(cluster="main")}
        names = {service_of.get(name, name) for name in result.by_task}
        return names | ({""} if result.failed else set())

    def wait_reached(self, authority: str, service: str, timeout: float = 30.0) -> None:
        wait_until(lambda: self.reached(authority) == {service}, timeout, f"{authority} leads to {service}")

    def routes(self) -> dict[str, str]:
        return {route["host"] + route["path"]: route["backend"] for route in self.rollcalld.get("/v1/routes")}

    def sections(self) -> set[str]:
        return set(re.findall(r"(?m)^backend (\S+)", self.file.read_text()))

    def reasons(self, service: str) -> set[str]:
        return {endpoint["reason"] for task in self.aws.control.running("main", service)
                for endpoint in self.rollcalld.endpoints(task)}

    def wait_reason(self, service: str, reason: str) -> None:
        wait_until(lambda: self.reasons(service) == {reason}, 15, f"{service} is told as {reason}")


@pytest.fixture
def labels(directory: Path, aws: Aws, start_haproxy: Callable[..., HAProxy],
           start_rollcalld: Callable[..., Rollcalld]) -> Labels:
    return Labels(directory, aws, start_haproxy, start_rollcalld)


def test_a_label_makes_a_backend_and_a_route(labels: Labels) -> None:
    """By host, whatever its letter case and port, and by the path of a method."""
    labels.start()
    labels.serve("shop", {"rollcall.rule": "Host(`Shop.example.com`)", "rollcall.port": "50051"}, desired=2)
    labels.wait_reached("shop.example.com", "shop")
    assert labels.reached("SHOP.example.com:8443") == {"shop"}
    labels.serve("next", {"rollcall.rule": "Host(`m.example.com`) && Path(`/rng.Rng/Next`)"})
    labels.wait_reached("m.example.com", "next")
    labels.serve("other", {"rollcall.rule": "Host(`n.example.com`) && Path(`/rng.Rng/Nex`)"})
    wait_until(lambda: "n.example.com/rng.Rng/Nex" in labels.routes(), 30, "the route")
    assert labels.reached("n.example.com", 1) == {""}, "an exact path is not a prefix"
    assert labels.reached("shop.example.com") == {"shop"}, "nobody else noticed"


def test_others_do_not_notice_and_streams_live_on(labels: Labels) -> None:
    """Whether the backend is made at run time (3.4) or by a reload."""
    labels.start()
    labels.serve("calm", {"rollcall.rule": "Host(`calm`)"}, desired=2)
    labels.wait_reached("calm", "calm")
    pid = labels.haproxy.runtime.info()["Pid"]
    with client.Load(labels.haproxy.target, rate=50, connections=2, streams=2, authority="calm") as load:
        labels.serve("fresh", {"rollcall.rule": "Host(`fresh`)"})
        labels.wait_reached("fresh", "fresh")
        time.sleep(1.0)  # calls go on for a while
    assert load.result.calls > 50
    assert load.result.failed == 0, f"{dict(load.result.failures)} {load.result.details}"
    assert labels.aws.control.calls()["twice"] == []
    if version() >= (3, 4):
        assert labels.haproxy.runtime.info()["Pid"] == pid, "no reload"


def test_a_reload_by_anybody_starts_with_the_routes(labels: Labels) -> None:
    labels.start()
    labels.serve("shop", {"rollcall.rule": "Host(`shop`)"}, desired=2)
    labels.wait_reached("shop", "shop")
    wait_until(lambda: "shop/ main-shop-rng" in labels.map.read_text(), 10, "the file")
    wait_until(lambda: "backend main-shop-rng" in labels.file.read_text(), 10, "the other file")
    labels.rollcalld.kill()
    labels.haproxy.reload()
    labels.wait_reached("shop", "shop", 10)
    labels.rollcalld.start()
    labels.rollcalld.wait_ready()
    labels.wait_reason("shop", "")  # it knows the backend for its own
    assert labels.reached("shop") == {"shop"}


def test_a_foreign_hand_in_a_map_is_noticed(labels: Labels) -> None:
    labels.start()
    labels.serve("shop", {"rollcall.rule": "Host(`shop`)"})
    labels.wait_reached("shop", "shop")
    labels.haproxy.runtime.ask(f"set map {labels.map} shop/ nowhere")
    labels.haproxy.runtime.ask(f"add map {labels.map} evil/ main-shop-rng")
    wait_until(lambda: labels.reached("shop") == {"shop"} and labels.reached("evil", 1) == {""}, 15, "put right")


def test_the_articles_labels_as_traefik_had_them(labels: Labels) -> None:
    labels.start()
    labels.serve("rng", {"traefik.enable": "true", "traefik.frontend.rule": "Host:rng.example.com", "traefik.port": "50051",
                         "traefik.protocol": "h2c"}, desired=2)
    labels.wait_reached("rng.example.com", "rng")
    wait_serving(labels.haproxy, "main-rng-rng", labels.aws.control.running("main", "rng"))
    wait_until(lambda: labels.rollcalld.status()["haproxy"]["in_step"], 30, "nothing is left to do")
    counts = client.call_many(labels.haproxy.target, 100, authority="rng.example.com").by_task
    assert sorted(counts.values()) == [50, 50]
    labels.serve("v3", {"traefik.enable": "true", "traefik.http.routers.r.rule": "Host(`v3`) && PathPrefix(`/rng.Rng/`)",
                        "traefik.http.services.s.loadbalancer.server.port": "50051",
                        "traefik.http.services.s.loadbalancer.server.scheme": "h2c"})
    labels.wait_reached("v3", "v3")
    labels.serve("auth", {"traefik.enable": "true", "traefik.http.routers.r.rule": "Host(`auth`)",
                          "traefik.http.routers.r.middlewares": "auth@file",
                          "traefik.http.services.s.loadbalancer.server.scheme": "h2c"})
    labels.wait_reason("auth", "unhonoured")
    assert labels.reached("auth", 1) == {""}


def test_hostile_labels_are_refused_with_a_reason(labels: Labels) -> None:
    labels.start(lambda configuration: configuration["haproxy"]["managed"].update(allow_hosts=["*.good"]))
    labels.serve("good", {"rollcall.rule": "Host(`a.good`)"})
    labels.wait_reached("a.good", "good")
    for name, wanted, owned in (
            ("quotes", "bad_label", {"rollcall.rule": "Host(`a\"b.good`)"}),
            ("commands", "bad_label", {"rollcall.backend": "x;shutdown sessions server grpc/a"}),
            ("lines", "bad_label", {"rollcall.rule": "Host(`a.good`)\nx y"}),
            ("formats", "bad_label", {"rollcall.rule": "Host(`%[src].good`)"}),
            ("large", "bad_label", {"rollcall.rule": "Host(`" + 500_000 * "a" + "`)"}),
            ("hosts", "host_not_allowed", {"rollcall.rule": "Host(`a.evil`)"}),
            ("any", "host_not_allowed", {"rollcall.rule": "PathPrefix(`/`)"}),
            ("grpc", "name_conflict", {"rollcall.rule": "Host(`b.good`)", "rollcall.backend": "grpc"}),
            ("many", "bad_label", {"rollcall.rule": " || ".join(f"Host(`{n}.good`)" for n in range(300))})):
        labels.serve(name, owned)
        labels.wait_reason(name, wanted)
    assert labels.routes() == {"a.good/": "main-good-rng"}
    assert labels.reached("a.good") == {"good"}
    assert "main-" not in "".join(server.name for server in labels.haproxy.runtime.servers("grpc"))


def test_no_label_has_a_name_that_keeps_haproxy_from_starting(labels: Labels) -> None:
    """HAProxy 3.4 takes no backend with the name of a frontend or of a `defaults` section, neither at run time nor
    in a file: no reload is refused."""
    if version() < (3, 4):
        pytest.skip("a frontend and a backend may share a name")
    labels.start(lambda configuration: configuration["haproxy"]["managed"].update(mode="reload"))
    labels.serve("shop", {"rollcall.rule": "Host(`shop`)"})
    labels.wait_reached("shop", "shop")
    for name, backend in (("front", "grpc_in"), ("base", "rollcall")):
        labels.serve(name, {"rollcall.rule": f"Host(`{name}`)", "rollcall.backend": backend})
        labels.wait_reason(name, "name_conflict")
    wait_until(lambda: "backend main-shop-rng" in labels.file.read_text(), 10, "the file")
    assert "grpc_in" not in labels.file.read_text()
    assert labels.routes() == {"shop/": "main-shop-rng"}
    labels.haproxy.reload()
    labels.wait_reached("shop", "shop", 10)


def test_label_edits_in_a_deploy_lose_no_call(labels: Labels) -> None:
    """Another backend's name, another weight, one more host: the route that stays is served all along."""
    labels.start()
    labels.serve("shop", {"rollcall.rule": "Host(`shop`)", "rollcall.backend": "one"}, desired=2)
    labels.wait_reached("shop", "shop")
    with client.Load(labels.haproxy.target, rate=50, connections=2, streams=1, authority="shop") as load:
        labels.roll("shop", {"rollcall.rule": "Host(`shop`) || Host(`shop2`)", "rollcall.backend": "two"})
        wait_until(lambda: labels.routes().get("shop/") == "two", 30, "moved")
        labels.wait_reached("shop2", "shop")
    assert load.result.calls > 50
    assert load.result.failed == 0, f"{dict(load.result.failures)} {load.result.details}"
    assert labels.aws.control.calls()["twice"] == []


def test_a_canary_takes_its_share(labels: Labels) -> None:
    """10 % of the calls for one task beside three."""
    labels.start()
    labels.serve("shop", {"rollcall.rule": "Host(`shop`)", "rollcall.backend": "shop"}, desired=3)
    labels.serve("canary", {"rollcall.backend": "shop", "rollcall.share": "10"})
    wait_until(lambda: labels.reached("shop", 40) == {"shop", "canary"}, 30, "both serve")
    everybody = labels.aws.control.running("main", "shop") + labels.aws.control.running("main", "canary")
    wait_serving(labels.haproxy, "shop", everybody)
    wait_until(lambda: labels.rollcalld.status()["haproxy"]["in_step"], 30, "nothing is left to do")
    stays(lambda: labels.rollcalld.status()["haproxy"]["in_step"], 1.0, "nobody joins any more")
    result = client.call_many(labels.haproxy.target, CANARY_CALLS, authority="shop")
    canary, = (task["id"] for task in labels.aws.control.running("main", "canary"))
    print(f"the canary had {result.by_task[canary]} of {CANARY_CALLS} calls; {result.failed} failed")
    assert result.failed == 0
    assert 0.08 <= result.by_task[canary] / CANARY_CALLS <= 0.12, dict(result.by_task)


def test_settings_that_only_a_file_can_say_come_by_one_reload(labels: Labels) -> None:
    """A true gRPC check, a balance, retries: HAProxy of every version takes the file that says so."""
    labels.start()
    labels.serve("calm", {"rollcall.rule": "Host(`calm`)"})
    labels.wait_reached("calm", "calm")
    labels.serve("shop", {"rollcall.rule": "Host(`shop`)", "rollcall.check": "grpc", "rollcall.check.inter": "200ms",
                          "rollcall.balance": "leastconn", "rollcall.slowstart": "1s", "rollcall.maxconn": "100",
                          "rollcall.retry": "idempotent", "rollcall.weight": "5", "rollcall.drain_timeout": "5s"})
    labels.wait_reached("shop", "shop")
    text = labels.file.read_text()
    section = text[text.index("backend main-shop-rng"):]
    assert "balance leastconn" in section and "retry-on conn-failure empty-response" in section
    assert labels.reached("calm") == {"calm"}


def test_a_service_that_is_gone_is_unavailable_and_then_forgotten(labels: Labels) -> None:
    """Its route stays for a minute, unless rollcalld was restarted and knows no end of a task; its backend goes after
    the route, at run time (3.4) or with the next reload. Somebody else's route and calls are what they were."""
    labels.start()
    labels.serve("calm", {"rollcall.rule": "Host(`calm`)"})
    labels.serve("shop", {"rollcall.rule": "Host(`shop`)"})
    labels.wait_reached("shop", "shop")
    labels.wait_reached("calm", "calm")
    wait_until(lambda: labels.sections() == {"main-calm-rng", "main-shop-rng"}, 30, "the file names both")
    labels.aws.control.scale(cluster="main", service="shop", desired=0)
    wait_until(lambda: labels.reached("shop", 1) == {""}, 30, "nobody serves")
    stays(lambda: "shop/" in labels.routes(), 1.0, "the route stays for a minute")
    labels.rollcalld.kill()
    (labels.state / "roster.json").unlink(missing_ok=True)
    pid = labels.haproxy.runtime.info()["Pid"]
    with client.Load(labels.haproxy.target, rate=20, connections=1, streams=1, authority="calm") as load:
        labels.rollcalld.start()
        labels.rollcalld.wait_ready()
        wait_until(lambda: set(labels.routes()) == {"calm/"}, 30, "the route is gone")
        wait_until(lambda: labels.sections() == {"main-calm-rng"}, 30, "the file has forgotten the backend")
        if version() >= (3, 4):
            assert "main-shop-rng" not in labels.haproxy.runtime.ask("show backend")
            assert labels.haproxy.runtime.info()["Pid"] == pid, "no reload"
    assert load.result.failed == 0, f"{dict(load.result.failures)} {load.result.details}"
    if version() < (3, 4):
        assert "main-shop-rng" in labels.file.read_text(), "who starts now is told that HAProxy has it still"
        labels.haproxy.reload()
        wait_until(lambda: "main-shop-rng" not in labels.haproxy.runtime.ask("show backend"), 30, "it is gone")
        wait_until(lambda: "main-shop-rng" not in labels.file.read_text(), 30, "nothing is left of it")
    labels.serve("shop2", {"rollcall.rule": "Host(`shop`)", "rollcall.backend": "main-shop-rng"})
    labels.wait_reached("shop", "shop2")


def ages_asked(labels: Labels) -> int:
    return int(labels.aws.control.counters()["actions"].get("DescribeServices", 0))


def told(labels: Labels, service: str) -> str:
    """What `rollcall why` says of its one task."""
    task, = labels.aws.control.running("main", service)
    return labels.rollcalld.rollcall("why", task["id"]).stdout


def test_of_two_services_that_claim_one_route_the_older_has_it(labels: Labels) -> None:
    """Whatever their names; the route is with nobody else for a moment, not before AWS has told how old they are, nor
    after a restart that cannot ask. Where nothing is contested, AWS is not asked."""
    labels.start()
    labels.serve("zebra", {"rollcall.rule": "Host(`shop`)"})
    labels.serve("other", {"rollcall.rule": "Host(`other`)"})
    labels.wait_reached("shop", "zebra")
    labels.wait_reached("other", "other")
    assert ages_asked(labels) == 0
    fault = labels.aws.control.add_fault(kind="unavailable", action="DescribeServices")
    with client.Load(labels.haproxy.target, rate=50, connections=1, streams=1, authority="shop") as load:
        labels.serve("alpha", {"rollcall.rule": "Host(`shop`)"})
        labels.wait_reason("alpha", "route_conflict")
        assert "of `zebra`, by having been there before, until AWS tells which service is older" in told(labels, "alpha")
        wait_until(lambda: "whoever has the route keeps it" in labels.rollcalld.problems(), 30, "it is a problem")
        labels.aws.control.clear_faults(fault=fault)
        wait_until(lambda: "of `zebra`, by its age: the older service has it" in told(labels, "alpha"), 90, "the age")
        wait_until(lambda: labels.rollcalld.problems() == "", 10, "no problem is left")
        asked = ages_asked(labels)
        wait_until(lambda: (labels.state / "roster.json").read_text().count("serviceName") == 2, 30, "the file")
        labels.aws.control.add_fault(kind="unavailable", action="DescribeServices")
        labels.rollcalld.kill()
        labels.rollcalld.start()
        labels.rollcalld.wait_ready()
        labels.wait_reason("alpha", "route_conflict")
        assert "by its age: the older service has it" in told(labels, "alpha"), "the file knows"
        wait_until(lambda: ages_asked(labels) > asked, 30, "it is asked again all the same")
        stays(lambda: labels.routes()["shop/"] == "main-zebra-rng", 1.0, "the route stays")
    assert labels.rollcalld.rollcall("route", "shop", PATH).stdout.splitlines()[-1] == (
        "  not had by alpha of cluster main, which asks for it, too: backend main-alpha-rng, priority 0; decided by its age: "
        "the older service has it")
    zebra, = labels.aws.control.running("main", "zebra")
    assert load.result.failed == 0 and set(load.result.by_task) == {zebra["id"]}, f"{load.result.by_task}"
    assert labels.reached("other") == {"other"}
    alpha, = labels.aws.control.running("main", "alpha")
    assert labels.rollcalld.endpoints(alpha)[0]["exposed"] is False


def test_a_restart_moves_no_route_to_who_is_read_first(labels: Labels) -> None:
    """The older service is in a cluster that AWS does not list yet, and the younger one in one that it does."""
    control = labels.aws.control
    control.create_cluster(cluster="other")
    labels.start(lambda c: c["ecs"].update({"clusters": ["main", "other"]}))
    control.register(family="old", labels={"rollcall.rule": "Host(`shop`)"})
    control.create_service(cluster="other", service="old", desired=1, definition="old")
    control.wait_steady("other", "old")
    wait_until(lambda: labels.routes() == {"shop/": "other-old-rng"}, 30, "the route")
    labels.serve("alpha", {"rollcall.rule": "Host(`shop`)"})
    wait_until(lambda: "by its age: the older service has it" in told(labels, "alpha"), 30, "the age")
    labels.rollcalld.kill()
    fault = control.add_fault(kind="unavailable", action="ListTasks", cluster="other")
    labels.rollcalld.start()
    labels.rollcalld.wait_live()
    wait_until(lambda: labels.rollcalld.cluster("main")["complete_at"] and labels.routes(), 30, "one of them is read")
    stays(lambda: labels.routes() == {"shop/": "other-old-rng"}, 2.0, "the route stays")
    control.clear_faults(fault=fault)
    labels.rollcalld.wait_ready(90)
    stays(lambda: labels.routes() == {"shop/": "other-old-rng"}, 1.0, "the route stays")


@pytest.mark.skipif(version() < (3, 4), reason="a backend that is new needs a reload, which begins with the map's file")
def test_a_restart_that_has_lost_its_files_leaves_routes_where_haproxy_has_them(labels: Labels) -> None:
    """The map's file and roster.json are gone, as with a container's volume, and AWS does not tell who is older."""
    labels.start()
    labels.serve("zebra", {"rollcall.rule": "Host(`shop`)"})
    labels.wait_reached("shop", "zebra")
    labels.serve("alpha", {"rollcall.rule": "Host(`shop`)"})
    wait_until(lambda: "by its age: the older service has it" in told(labels, "alpha"), 30, "the age")
    labels.rollcalld.kill()
    (labels.state / "roster.json").unlink()
    labels.map.unlink()
    fault = labels.aws.control.add_fault(kind="unavailable", action="DescribeServices")
    with client.Load(labels.haproxy.target, rate=50, connections=1, streams=1, authority="shop") as load:
        labels.rollcalld.start()
        labels.rollcalld.wait_ready()
        wait_until(lambda: "of `zebra`, by having been there before" in told(labels, "alpha"), 30, "who has it keeps it")
        wait_until(lambda: "shop/ main-zebra-rng" in labels.map.read_text(), 30, "the file")
        labels.aws.control.clear_faults(fault=fault)
        wait_until(lambda: "by its age: the older service has it" in told(labels, "alpha"), 90, "the age")
    zebra, = labels.aws.control.running("main", "zebra")
    assert load.result.failed == 0 and set(load.result.by_task) == {zebra["id"]}, f"{load.result.by_task}"


def test_where_nobody_tells_how_old_services_are_their_names_decide(labels: Labels) -> None:
    labels.start()
    labels.aws.control.deny(access_key_id=ACCESS_KEY_ID, action="DescribeServices")
    labels.serve("zebra", {"rollcall.rule": "Host(`shop`)"})
    labels.wait_reached("shop", "zebra")
    labels.serve("alpha", {"rollcall.rule": "Host(`shop`)"})
    labels.wait_reached("shop", "alpha")
    labels.wait_reason("zebra", "route_conflict")
    assert ("of `alpha`, by the order of names: AWS does not tell which service is older (ecs:DescribeServices)"
            in told(labels, "zebra"))
    problems = labels.rollcalld.problems()
    assert "so the order of names decides" in problems and "AccessDeniedException" in problems
    assert len(labels.rollcalld.messages("so the order of names decides")) == 1
    assert labels.rollcalld.cluster("main")["error"] is None, "its tasks are read as ever"
    wait_until(lambda: re.search("^warning +permissions: .*: ecs:DescribeServices in `main` is denied",
                                 labels.rollcalld.rollcall("doctor").stdout, re.M), 30, "the doctor has tried it")
    labels.aws.control.allow_all(access_key_id=ACCESS_KEY_ID)
    wait_until(lambda: labels.reached("shop") == {"zebra"}, 90, "the older has it, as soon as it is told")
    assert labels.rollcalld.problems() == ""
    labels.aws.control.scale(cluster="main", service="alpha", desired=0)
    labels.aws.control.wait_steady("main", "alpha")
    assert labels.reached("shop") == {"zebra"}


def test_an_operators_eye_sees_the_route(labels: Labels) -> None:
    rollcalld = labels.start()
    labels.serve("shop", {"rollcall.rule": "Host(`shop`) && PathPrefix(`/rng.Rng/`)", "rollcall.priority": "7",
                          "rollcall.colour": "red"})
    labels.wait_reached("shop", "shop")
    route, = rollcalld.get("/v1/routes")
    assert route == {"entrypoint": "default", "host": "shop", "path": "/rng.Rng/", "backend": "main-shop-rng",
                     "service": "shop", "source_label": "rollcall.rule", "priority": 7}
    found = rollcalld.get(f"/v1/route?host=SHOP:443&path={PATH}")
    assert found["key"] == "shop/rng.Rng/" and found["backend"] == "main-shop-rng" and len(found["servers"]) == 1
    told = rollcalld.rollcall("route", "SHOP:443", PATH)
    assert told.returncode == 0, told.stderr
    assert told.stdout.splitlines() == ["backend main-shop-rng, by shop/rng.Rng/ of entrypoint default",
                                        "  asked for by shop: rollcall.rule, priority 7",
                                        f"  servers that take its calls: {found['servers'][0]}"]
    elsewhere = rollcalld.rollcall("route", "shop", PATH, "--entrypoint", "none")
    assert "on entrypoint `none`" in elsewhere.stdout + elsewhere.stderr
    task, = labels.aws.control.running("main", "shop")
    container, = rollcalld.get(f"/v1/tasks/{task['id']}")["containers"]
    assert container["labels"]["rollcall.priority"] == "7"
    assert [note["label"] for note in container["ignored_labels"]] == ["rollcall.colour"]
