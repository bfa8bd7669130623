"""The services beside a task or an instance: IMDS, the container endpoint, task metadata; on a port of their own.

As the real ones: IMDS wants a PUT for a token first (v2), refuses one that came through a proxy, and answers
GETs without it only where version 1 is still allowed. What goes wrong is chosen by `Beside.imds` and
`Beside.container`.
"""

from __future__ import annotations

import dataclasses
import http.server
import json
import secrets
import select
import sys
from typing import Any

from . import sts
from .requestlog import RequestLog
from .world import Role, World

CREDENTIALS = "/latest/meta-data/iam/security-credentials/"

# imds: v2 (tokens wanted), v1 (no tokens known: 404), v1_only_get (PUT hangs, GETs without a token are answered),
# hop_limit (PUT hangs, GETs without a token get 401), hang (nothing is answered), off (403), no_role
IMDS = ("v2", "v1", "v1_only_get", "hop_limit", "hang", "off", "no_role")
# container: ok, hang, refused (400), flaky (the first two of three attempts get 500), garbage
CONTAINER = ("ok", "hang", "refused", "flaky", "garbage")


@dataclasses.dataclass
class Beside:
    """What is beside the client. `role` is a role's ARN; its keys live `lifetime` seconds."""

    role: str = ""
    lifetime: float = 21600.0
    imds: str = "v2"
    container: str = "ok"
    authorization: str = ""  # what the container endpoint wants in that header; empty: nothing
    region: str = ""
    task_arn: str = ""
    cluster_arn: str = ""
    requests: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    tokens: set[str] = dataclasses.field(default_factory=set)


class MetadataServer(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], world: World, beside: Beside, log: RequestLog) -> None:
        super().__init__(address, _Handler)
        self.world = world
        self.beside = beside
        self.log = log

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, (ConnectionError, TimeoutError)):
            self.log.self_fault(f"the metadata server broke down: {error!r}")


class _Handler(http.server.BaseHTTPRequestHandler):
    server: MetadataServer
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, *_: Any) -> None:
        """Beside.requests knows."""

    def do_PUT(self) -> None:
        beside = self._note()
        if self.path != "/latest/api/token" or beside.imds == "v1":
            self._answer(404)
        elif beside.imds in ("hang", "hop_limit", "v1_only_get"):
            self._hang()
        elif beside.imds == "off":
            self._answer(403)
        elif "X-Forwarded-For" in self.headers or not self.headers.get("X-aws-ec2-metadata-token-ttl-seconds"):
            self._answer(403 if "X-Forwarded-For" in self.headers else 400)
        else:
            token = secrets.token_urlsafe(40) + "=="
            beside.tokens.add(token)
            self._answer(200, token)

    def do_GET(self) -> None:
        beside = self._note()
        if self.path.startswith("/latest/"):
            self._imds(beside)
        elif self.path == "/creds/container":
            self._container(beside)
        elif self.path == "/v4/task-id/task":
            self._answer(200, json.dumps({"Cluster": beside.cluster_arn, "TaskARN": beside.task_arn,
                                          "Family": "rollcall", "Revision": "1"}))
        else:
            self._answer(404)

    # IMDS

    def _imds(self, beside: Beside) -> None:
        token = self.headers.get("X-aws-ec2-metadata-token", "")
        if beside.imds == "hang":
            self._hang()
        elif beside.imds == "off":
            self._answer(403)
        elif beside.imds in ("v2", "no_role", "hop_limit") and token not in beside.tokens:
            self._answer(401)
        elif self.path == "/latest/meta-data/placement/region" and beside.region:
            self._answer(200, beside.region)
        elif not self.path.startswith(CREDENTIALS) or beside.imds == "no_role":
            self._answer(404)
        else:
            self._instance_role(beside)

    def _instance_role(self, beside: Beside) -> None:
        with self.server.world.lock:
            role = self.server.world.roles.get(beside.role)
            if role is None:
                self._answer(404)
            elif self.path == CREDENTIALS:
                self._answer(200, role.name)
            elif self.path == CREDENTIALS + role.name:
                self._answer(200, json.dumps({"Code": "Success", "LastUpdated": "2026-11-23T02:40:46Z",
                                              "Type": "AWS-HMAC", **self._key(role, "i-0123456789abcdef0")}))
            else:
                self._answer(404)

    def _key(self, role: Role, session: str) -> dict[str, Any]:
        key = sts.open_session(self.server.world, role, session, self.server.beside.lifetime)
        return {"AccessKeyId": key.access_key_id, "SecretAccessKey": key.secret_access_key,
                "Token": key.session_token, "Expiration": sts.stamp(key.expires_at or 0)}

    # The container endpoint

    def _container(self, beside: Beside) -> None:
        attempts = sum(request["path"] == self.path for request in beside.requests)
        if beside.container == "hang":
            self._hang()
        elif beside.container == "refused" or self.headers.get("Authorization", "") != beside.authorization:
            self._answer(400, json.dumps({"code": "AccessDenied", "message": "no credentials for this task"}))
        elif beside.container == "garbage":
            self._answer(200, "<html>not a key</html>")
        elif beside.container == "flaky" and attempts % 3 != 0:
            self._answer(500)
        else:
            with self.server.world.lock:
                role = self.server.world.roles[beside.role]
                self._answer(200, json.dumps({"RoleArn": role.arn, **self._key(role, "task")}))

    # Both

    def _note(self) -> Beside:
        with self.server.world.lock:
            self.server.beside.requests.append({"method": self.command, "path": self.path,
                                                "at": self.server.world.now()})
            return self.server.beside

    def _answer(self, status: int, body: str = "") -> None:
        encoded = body.encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    def _hang(self) -> None:
        """Until the client hangs up."""
        poll = select.poll()
        poll.register(self.connection, select.POLLIN)
        poll.poll(60_000)
        self.close_connection = True
