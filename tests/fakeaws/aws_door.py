"""The HTTP server that clients take for AWS: ECS and Systems Manager in JSON 1.1, SQS in JSON 1.0, EC2, STS and SNS in
XML, over keep-alive HTTP/1.1. Which service is meant is what the request is signed for, or what its form says.

The way of a request: read it, verify its signature, hold it against the model, carry it out, hold the
answer against the model, and let an injected fault do its damage last.
"""

from __future__ import annotations

import email.utils
import http.server
import json
import select
import socket
import struct
import sys
import time
import uuid
from typing import Any

from . import actions, buckets, bus, errors, faults, forms, query, shapes, signature, sts
from .requestlog import Entry, RequestLog
from .world import World

TARGET_PREFIXES = {"ecs": "AmazonEC2ContainerServiceV20141113.", "ssm": "AmazonSSM.", "sqs": "AmazonSQS."}
CONTENT_TYPE = "application/x-amz-json-1.1"
SQS_CONTENT_TYPE = "application/x-amz-json-1.0"
FORM_ACTIONS = {"sts": sts.ACTIONS, "sns": bus.SNS_ACTIONS}
FORM, XML = "application/x-www-form-urlencoded", "text/xml;charset=UTF-8"
LARGEST_BODY = 1 << 20


class AwsServer(http.server.ThreadingHTTPServer):
    """One thread a connection; connections live as long as the client wants."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], world: World, injected: faults.Faults, log: RequestLog,
                 rates: buckets.Buckets) -> None:
        super().__init__(address, _Handler)
        self.rates = rates
        self.world = world
        self.injected = injected
        self.log = log

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up in the middle is its own affair; anything else is ours."""
        error = sys.exc_info()[1]
        if not isinstance(error, (ConnectionError, TimeoutError)):
            self.log.self_fault(f"the server broke down: {error!r}")


class _Handler(http.server.BaseHTTPRequestHandler):
    server: AwsServer
    protocol_version = "HTTP/1.1"
    # An answer leaves in one write: no client waits for a delayed ACK between its headers and its body.
    wbufsize = -1
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.server.log.connected()

    def log_message(self, *_: Any) -> None:
        """The request log knows more than these lines would say."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The Date header, by the fake's clock: clients correct their own by it."""
        return email.utils.formatdate(self.server.world.now() if timestamp is None else timestamp, usegmt=True)

    @property
    def service(self) -> str:
        return signature.service_of(self.headers)

    def do_POST(self) -> None:
        started = time.monotonic()
        body = self._read_body()
        if body is None:
            return
        entry = Entry(time.time(), "", "", signature.access_key_of(self.headers), 1, 0, "ok", "", 0.0)
        status, document, fault = self._judge(body, entry)
        entry.seconds = round(time.monotonic() - started, 6)
        # Logged before it is sent: a test that has the answer finds the entry.
        self.server.log.add(entry)
        self._send(status, document, fault)

    def do_GET(self) -> None:
        self._read_body()
        self._send(404, errors.unknown_operation().document(), None)

    def _read_body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > LARGEST_BODY or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            self._send(413, errors.serialization("").document(), None)
            return None
        return self.rfile.read(int(length))

    def _judge(self, body: bytes, entry: Entry) -> tuple[int, Any, faults.Fault | None]:
        if self.headers.get_content_type() == forms.CONTENT_TYPE and forms.service_of(forms.form_of(body)):
            return self._judge_form(body, entry)
        fault: faults.Fault | None = None
        try:
            action, request = self._parse(body, entry)
            fault = self.server.injected.take(action, entry.cluster, entry.page, body.decode())
            entry.fault = fault.kind if fault else ""
            refusal = faults.error_of(fault) if fault else None
            if refusal:
                raise refusal
            document = self._perform(action, request, entry)
            document = faults.alter(fault, document) if fault else document
            return 200, query.answer(action, document) if self.service == "ec2" else document, fault
        except errors.AwsError as error:
            entry.verdict, entry.message = error.code, error.message
            return error.status, query.refusal(error) if self.service == "ec2" else error.document(), fault
        except Exception as error:  # the fake is wrong, not the client; the test has to hear of it
            self.server.log.self_fault(f"{entry.action}: {error!r}")
            entry.verdict = "InternalFailure"
            return 500, {"__type": "InternalFailure"}, fault

    def _parse(self, body: bytes, entry: Entry) -> tuple[str, dict[str, Any]]:
        world, target = self.server.world, self.headers.get("X-Amz-Target", "")
        prefix = TARGET_PREFIXES.get(self.service, "")
        entry.action = target.removeprefix(prefix)
        with world.lock:
            key = signature.verify("POST", self.path, self.headers, body, world.keys, world.region, world.now(),
                                   self.service)
        entry.key = key.access_key_id
        if self.service == "ec2":
            entry.action, request = self._parse_form(body)
        elif not target.startswith(prefix) or entry.action not in shapes.operation_names(self.service):
            raise errors.unknown_operation()
        else:
            request = self._parse_json(body)
        self._check_request(entry.action, request)
        entry.cluster = actions.cluster_name_of(entry.action, request)
        entry.page = actions.page_of(request) if self.service == "ecs" else 1
        if not self.server.rates.take(key.account, entry.action):
            raise errors.request_limit_exceeded() if self.service == "ec2" else errors.throttled()
        return entry.action, request

    def _parse_form(self, body: bytes) -> tuple[str, dict[str, Any]]:
        action, request = query.parse(body)
        if self.headers.get_content_type() != FORM or action not in shapes.operation_names("ec2"):
            raise errors.AwsError("InvalidAction", f"The action {action} is not valid for this web service.")
        return action, request

    def _parse_json(self, body: bytes) -> dict[str, Any]:
        if self.headers.get_content_type() != (SQS_CONTENT_TYPE if self.service == "sqs" else CONTENT_TYPE):
            raise errors.serialization("")
        try:
            return json.loads(body or b"{}")
        except ValueError as error:
            raise errors.serialization("") from error

    def _check_request(self, action: str, request: Any) -> None:
        unfit = shapes.request_faults(action, request, self.service)
        if self.service == "ec2":
            unfit = [text for text in unfit if not text.removesuffix(": unknown member").endswith(tuple(query.LATER))]
            unfit += query.later_faults(request)
        for text in unfit:
            if not text.endswith("unknown member"):
                raise errors.serialization(text) if "wanted" in text else errors.invalid_parameter(text)
            self.server.log.client_fault(text)

    def _perform(self, action: str, request: dict[str, Any], entry: Entry) -> dict[str, Any]:
        world = self.server.world
        if self.service == "sqs":
            document = self._perform_sqs(world, action, request, entry)
        else:
            with world.lock:
                document = actions.perform(world, world.keys[entry.key], action, request)
        entry.items = sum(len(value) for value in document.values() if isinstance(value, list))
        for text in shapes.answer_faults(action, document, self.service):
            self.server.log.self_fault(text)
        return document

    def _perform_sqs(self, world: World, action: str, request: dict[str, Any], entry: Entry) -> dict[str, Any]:
        """Not under the world's lock: a long poll takes its time."""
        key = world.keys[entry.key]
        if actions.is_denied(key, action, ""):
            raise errors.access_denied(sts.caller_arn(key), action, request.get("QueueUrl", "*"), "sqs")
        return world.bus.perform(key, action, request, self._is_gone)

    def _is_gone(self) -> bool:
        """Has the client hung up?"""
        poll = select.poll()
        poll.register(self.connection, select.POLLIN | select.POLLRDHUP)
        return any(what & (select.POLLRDHUP | select.POLLHUP | select.POLLERR) for _, what in poll.poll(0))

    # STS and SNS

    def _judge_form(self, body: bytes, entry: Entry) -> tuple[int, bytes, faults.Fault | None]:
        fault: faults.Fault | None = None
        form, request_id = forms.form_of(body), str(uuid.uuid4())
        service = forms.service_of(form)
        try:
            entry.action = form.get("Action", "")
            request = self._parse_sts(service, form, body, entry)
            fault = self.server.injected.take(entry.action, "", 1, body.decode())
            entry.fault = fault.kind if fault else ""
            refusal = faults.error_of(fault) if fault else None
            if refusal:
                raise refusal
            return 200, self._perform_sts(service, request, entry, request_id), fault
        except errors.AwsError as error:
            told = error if fault else errors.sts_twin(error)
            entry.verdict, entry.message = told.code, told.message
            return told.status, forms.error_of(service, told.code, told.message, told.status, request_id), fault
        except Exception as error:  # the fake is wrong, not the client; the test has to hear of it
            self.server.log.self_fault(f"{entry.action}: {error!r}")
            return 500, forms.error_of(service, "InternalFailure", "", 500, request_id), fault

    def _parse_sts(self, service: str, form: dict[str, str], body: bytes, entry: Entry) -> dict[str, Any]:
        world = self.server.world
        if entry.action not in FORM_ACTIONS[service]:
            raise errors.unknown_operation()
        if entry.action not in sts.UNSIGNED:
            with world.lock:
                key = signature.verify("POST", self.path, self.headers, body, world.keys, world.region, world.now(),
                                       service)
            entry.key = key.access_key_id
        elif "Authorization" in self.headers:
            self.server.log.client_fault(f"{entry.action}: signed, and it need not be")
        request, unknown = forms.request_of(service, entry.action, form)
        for text in unknown:
            self.server.log.client_fault(text)
        for text in shapes.request_faults(entry.action, request, service):
            raise errors.AwsError("ValidationError", text)
        return request

    def _perform_sts(self, service: str, request: dict[str, Any], entry: Entry, request_id: str) -> bytes:
        world = self.server.world
        with world.lock:
            key = world.keys.get(entry.key)
            if key and actions.is_denied(key, entry.action, ""):
                raise errors.access_denied(sts.caller_arn(key), entry.action, "*", service)
            document = FORM_ACTIONS[service][entry.action](world, key, request)
        answer = forms.answer_of(service, entry.action, document, request_id)
        for text in forms.answer_faults(service, entry.action, document, answer):
            self.server.log.self_fault(text)
        return answer

    # The way back

    def _encode(self, document: Any) -> tuple[str, bytes]:
        if isinstance(document, bytes):
            return XML, document
        return CONTENT_TYPE, json.dumps(document, separators=(",", ":")).encode()

    def _send(self, status: int, document: Any, fault: faults.Fault | None) -> None:
        kind = fault.kind if fault else ""
        content_type, body = self._encode(document)
        if fault:
            status, content_type, body = faults.raw_answer_of(fault) or (status, content_type, body)
        if kind == "delay" and fault:
            self._wait(fault.arguments["seconds"])
        elif kind == "hang" and fault:
            self._wait(fault.arguments["seconds"])
            self.close_connection = True
            return
        elif kind == "reset":
            self._reset()
            return
        elif kind == "malformed":
            body = body[:max(1, len(body) - 3)]
        self._send_headers(status, content_type, len(body))
        if kind == "cut" and fault:
            body = body[:int(len(body) * fault.arguments["fraction"])]
            self.close_connection = True
        self.wfile.write(body)
        self.wfile.flush()

    def _send_headers(self, status: int, content_type: str, length: int) -> None:
        self.send_response_only(status)
        self.send_header("x-amzn-RequestId", str(uuid.uuid4()))
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(length))
        self.send_header("Date", self.date_time_string())
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    def _wait(self, seconds: float) -> None:
        """Until the time is over or the client hangs up."""
        poll = select.poll()
        poll.register(self.connection, select.POLLIN)
        poll.poll(seconds * 1000)

    def _reset(self) -> None:
        # Lingering for no time makes the close an RST, which is what a dying load balancer sends.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()
