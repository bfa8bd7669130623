"""A call's log line becomes a span in a collector: haproxy/tracing.cfg as it stands, on any HAProxy."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Callable, Iterator

import grpc
import pytest

from conftest import Aws
from load import agent_cases
from rng import client, wire
from rollcall_testlib import paths
from rollcall_testlib.daemon import Rollcalld
from rollcall_testlib.haproxy import HAProxy, version, wait_serving
from rollcall_testlib.process import Child, free_port
from rollcall_testlib.waiting import stays, wait_until

SERVICE = {"cluster": "main", "service": "rng-service"}
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
SOON = {"OTEL_BSP_SCHEDULE_DELAY": "200"}
PLACE = "    acl is_grpc req.hdr(content-type)"


class Collector:
    """Takes OTLP/HTTP JSON as the specification has it, and keeps the spans; `statuses` are answered first."""

    def __init__(self) -> None:
        self.spans: list[dict[str, Any]] = []
        self.resources: list[dict[str, Any]] = []
        self.faults: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.statuses: list[tuple[int, dict[str, str]]] = []
        self.requests = 0
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                status, extra = collector.take(self.path, dict(self.headers), body)
                self.send_response(status)
                for name, value in extra.items():
                    self.send_header(name, value)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def take(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str]]:
        self.requests += 1
        lower = {name.lower(): value for name, value in headers.items()}
        self.headers.append(lower)
        if self.statuses:
            return self.statuses.pop(0)
        if (path, lower.get("content-type"), lower.get("content-encoding")) != ("/v1/traces", "application/json", "gzip"):
            self.faults.append(f"{path} {lower}")
        document = json.loads(gzip.decompress(body))
        for resource in document["resourceSpans"]:
            self.resources.append(attributes(resource["resource"]))
            for scope in resource["scopeSpans"]:
                assert scope["scope"]["name"] == "rollcall"
                for span in scope["spans"]:
                    self.faults += faults_of(span)
                    self.spans.append(span)
        return 200, {}

    def of(self, trace_id: str) -> list[dict[str, Any]]:
        return [span for span in self.spans if span["traceId"] == trace_id]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def attributes(of: dict[str, Any]) -> dict[str, Any]:
    return {item["key"]: next(iter(item["value"].values())) for item in of["attributes"]}


def faults_of(span: dict[str, Any]) -> list[str]:
    """OTLP's JSON: ids in hexadecimal, enums as integers, 64-bit numbers as texts of digits."""
    wrong = []
    if not re.fullmatch("[0-9a-f]{32}", span["traceId"]) or not re.fullmatch("[0-9a-f]{16}", span["spanId"]):
        wrong.append(f"ids: {span}")
    if "parentSpanId" in span and not re.fullmatch("[0-9a-f]{16}", span["parentSpanId"]):
        wrong.append(f"parent: {span}")
    for name in ("startTimeUnixNano", "endTimeUnixNano"):
        if not isinstance(span[name], str) or not re.fullmatch("[0-9]{19}", span[name]):
            wrong.append(f"{name}: {span}")
    if int(span["startTimeUnixNano"]) > int(span["endTimeUnixNano"]) or span["kind"] != 2:
        wrong.append(f"times or kind: {span}")
    for item in span["attributes"]:
        (kind, value), = item["value"].items()
        if kind not in ("stringValue", "intValue") or not isinstance(value, str):
            wrong.append(f"attribute: {item}")
    return wrong


@pytest.fixture
def collector() -> Iterator[Collector]:
    running = Collector()
    yield running
    running.close()
    assert not running.faults, running.faults[:3]


class Scene:
    def __init__(self, aws: Aws, haproxy: HAProxy, daemon: Rollcalld) -> None:
        self.aws, self.haproxy, self.daemon = aws, haproxy, daemon
        self.tasks = aws.control.running(**SERVICE)

    def call(self, *metadata: tuple[str, str]) -> str:
        with grpc.insecure_channel(self.haproxy.target, [("grpc.use_local_subchannel_pool", 1)]) as channel:
            call = channel.unary_unary(wire.NEXT, request_serializer=wire.serialize,
                                       response_deserializer=wire.Number.FromString)
            try:
                call(wire.Range(min=1, max=2), timeout=10, metadata=metadata)
                return "OK"
            except grpc.RpcError as error:
                return error.code().name  # type: ignore[attr-defined]


@pytest.fixture
def start_scene(aws: Aws, service: str, start_haproxy: Callable[..., HAProxy],
                start_rollcalld: Callable[..., Rollcalld], collector: Collector) -> Callable[..., Scene]:
    def start(env: dict[str, str] | None = None, **tracing: Any) -> Scene:
        log, lines = f"127.0.0.1:{free_port()}", (paths.TOP / "haproxy" / "tracing.cfg").read_text()

        def edit(text: str) -> str:
            assert PLACE in text and "127.0.0.1:4319" in lines
            return text.replace(PLACE, lines.replace("127.0.0.1:4319", log) + PLACE, 1)

        haproxy = start_haproxy(shipped=True, master=True, edit=edit)

        def change(configuration: dict[str, Any]) -> None:
            configuration["tracing"] = {"log_listen": log, **({} if env and ENDPOINT in env else {"endpoint": collector.url}), **tracing}

        daemon = start_rollcalld(change, haproxy=haproxy, env=env)
        wait_serving(haproxy, "grpc", aws.control.running(**SERVICE))
        return Scene(aws, haproxy, daemon)

    return start


def test_a_call_becomes_a_span_of_its_callers_trace(start_scene: Callable[..., Scene], collector: Collector) -> None:
    scene = start_scene(headers={"x-key": "secret-1"})
    trace = PARENT.split("-")[1]
    assert scene.call(("traceparent", PARENT)) == "OK"
    scene.daemon.reload()  # what waits meanwhile is not lost
    span, = wait_until(lambda: collector.of(trace), 20, "the span")
    assert (span["parentSpanId"], span["name"], span["status"]) == ("00f067aa0ba902b7", "rng.Rng/Next", {})
    assert span["flags"] == 0x301 and span["spanId"] != "00f067aa0ba902b7"
    known = attributes(span)
    assert known["rpc.system.name"] == "grpc" and known["rpc.method"] == "rng.Rng/Next"
    assert "rpc.response.status_code" not in known and known["haproxy.grpc_status_source"] == "unknown"
    assert known["aws.ecs.task.arn"] in [task["arn"] for task in scene.tasks]
    assert known["haproxy.backend"] == "grpc" and known["http.response.status_code"] == "200"
    assert collector.resources[0]["service.name"] == "haproxy" and collector.headers[0]["x-key"] == "secret-1"
    assert "secret-1" not in scene.daemon.output()


def test_after_a_reload_a_span_names_its_task_before_haproxy_was_asked(start_scene: Callable[..., Scene],
                                                                       collector: Collector) -> None:
    scene = start_scene(env=SOON)
    door = scene.haproxy.runtime.path
    away = door.rename(door.with_name("away"))
    try:
        scene.daemon.reload()
        wait_until(lambda: scene.daemon.messages(" is applied, configuration "), what="the reload")
        assert scene.call(("traceparent", PARENT)) == "OK"
        span, = wait_until(lambda: collector.of(PARENT.split("-")[1]), 20, "the span")
    finally:
        away.rename(door)
    known, arn = attributes(span), scene.tasks[0]["arn"]
    assert known["aws.ecs.task.arn"] in [task["arn"] for task in scene.tasks]
    assert known["aws.ecs.cluster.arn"] == arn.split(":task/")[0] + ":cluster/main"
    assert (known["aws.ecs.service"], known["aws.ecs.container.name"]) == (f"service:{SERVICE['service']}", "rng")


def test_an_error_without_data_has_its_status(start_scene: Callable[..., Scene], collector: Collector) -> None:
    scene = start_scene(env=SOON)
    for task in scene.tasks:
        os.kill(task["pid"], signal.SIGUSR1)
    assert scene.call(("traceparent", PARENT)) == "UNAVAILABLE"
    span, = wait_until(lambda: collector.of(PARENT.split("-")[1]), 20, "the span")
    known = attributes(span)
    assert span["status"] == {"code": 2}
    assert known["rpc.response.status_code"] == known["error.type"] == "UNAVAILABLE"


def test_a_call_that_its_task_resets_leaves_a_line(directory: Path, start_haproxy: Callable[..., HAProxy]) -> None:
    """From 3.1 on; before, HAProxy writes none if the connection was reused, and only its counters tell."""
    if version() < (3, 1):
        pytest.skip("HAProxy has no log-steps")
    target, lines = f"127.0.0.1:{free_port()}", (paths.TOP / "haproxy" / "tracing.cfg").read_text()
    sick = Child([sys.executable, str(paths.TOP / "tests" / "rng" / "sick.py"), "--listen", target, "--how", "reset"],
                 directory / "sick.log")
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as log:
            log.bind(("127.0.0.1", 0))
            log.settimeout(20)
            place = f"127.0.0.1:{log.getsockname()[1]}"
            haproxy = start_haproxy(shipped=True, edit=lambda text: agent_cases.shipped_with("abns@none", target)(
                text).replace(PLACE, lines.replace("127.0.0.1:4319", place) + PLACE, 1))
            wait_until(lambda: haproxy.runtime.status("grpc", "task") == "UP", 10, "the task is up")
            assert client.call_many(haproxy.target, 3).failures == {"UNAVAILABLE": 3}
            ends = [json.loads(log.recv(4096)) for _ in range(3)]
        assert {(end["m"], end["v"], end["u"]) for end in ends} == {("POST", "task", "/rng.Rng/Next")}
        assert ends[-1]["st"] == 0 and ends[-1]["ts"].startswith("S"), "no answer, and whose fault it was"
    finally:
        sick.kill()


def test_what_is_no_traceparent_begins_a_trace(start_scene: Callable[..., Scene], collector: Collector) -> None:
    scene = start_scene(env=SOON)
    headers = ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
               "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
               "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
               "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
               "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", "x")
    assert scene.call() == "OK"
    for header in headers:
        assert scene.call(("traceparent", header), ("tracestate", "a=b")) == "OK"
    wait_until(lambda: len(collector.spans) == 1 + len(headers), 20, "the spans")
    assert not [span for span in collector.spans if "parentSpanId" in span]
    traces = {span["traceId"] for span in collector.spans}
    assert len(traces) == 1 + len(headers) and PARENT.split("-")[1] not in traces


def test_what_is_not_sampled_is_not_sent(start_scene: Callable[..., Scene], collector: Collector) -> None:
    """The caller's flag first; for the traces that begin here the ratio, which HAProxy is told at run time."""
    scene = start_scene(env=SOON, sample=0)
    wait_until(lambda: "<0>" in scene.haproxy.runtime.ask("experimental-mode on; get var proc.rollcall_sample")
               or "value=<0>" in scene.haproxy.runtime.ask("experimental-mode on; get var proc.rollcall_sample"),
               10, "the ratio is told")
    for _ in range(5):
        assert scene.call() == "OK"
    assert scene.call(("traceparent", PARENT.removesuffix("01") + "00")) == "OK"
    assert scene.call(("traceparent", PARENT)) == "OK"
    wait_until(lambda: collector.spans, 20, "the sampled one")
    stays(lambda: len(collector.spans) == 1, 1, "the only one")


def test_a_collector_that_is_busy_gets_it_later_and_loss_is_counted(start_scene: Callable[..., Scene],
                                                                    collector: Collector) -> None:
    collector.statuses = [(503, {}), (429, {"retry-after": "1"}), (400, {})]
    scene = start_scene(env=SOON)
    assert scene.call(("traceparent", PARENT)) == "OK"
    wait_until(lambda: collector.requests == 3, 30, "tried three times")
    wait_until(lambda: 'rollcall_trace_spans_lost_total{reason="export_failed"} 1'
               in scene.daemon.request("GET", "/metrics")[1], 10, "400 is final")
    assert scene.call(("traceparent", PARENT)) == "OK"
    wait_until(lambda: collector.spans, 20, "the next one arrives")
    metrics = scene.daemon.request("GET", "/metrics")[1]
    assert "rollcall_trace_retries_total 2" in metrics and "rollcall_trace_spans_exported_total 1" in metrics


def test_the_environment_of_opentelemetry_is_honoured(start_scene: Callable[..., Scene], collector: Collector) -> None:
    start_scene(env={**SOON, ENDPOINT: collector.url + "/", "OTEL_SERVICE_NAME": "edge",
                     "OTEL_EXPORTER_OTLP_HEADERS": "x-tenant=a%20b,host=elsewhere",
                     "OTEL_RESOURCE_ATTRIBUTES": "zone=a,service.name=no"}
                ).call(("traceparent", PARENT))
    wait_until(lambda: collector.spans, 20, "the span")
    assert collector.resources[0] == {"service.name": "edge", "zone": "a"}
    assert collector.headers[0]["x-tenant"] == "a b"
