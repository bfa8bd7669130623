"""haproxy/haproxy.cfg as it stands: each of its promises, on whatever HAProxy the tests run with.

rollcalld has no part in it: the tests give the backend its servers as rollcalld would, in slots before 3.0 and
by `add server` from then on. What a server executed is counted by itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import socketserver
import ssl
import subprocess
import threading
import time
from concurrent import futures
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Callable, Iterator

import grpc
import pytest

from rng import client, wire
from rollcall_testlib import paths
from rollcall_testlib.haproxy import HAProxy, Ports, shipped_configuration, shipped_environment, version
from rollcall_testlib.process import free_port
from rollcall_testlib.rng_server import RngServer
from rollcall_testlib.waiting import wait_until

IS_3 = version() >= (3, 0)
# From then on HAProxy sends a call before it knows that the connection stands (h2c).
SENDS_EARLY = version() >= (3, 2)
EVERY_RNG_CALL = ("acl idempotent always_false", "acl idempotent path_beg /rng.Rng/")
# A backend that answers with what reaches the servers, as JSON.
ECHO = """
backend echo from rollcall
    http-request return status 200 content-type application/json lf-string "{\\"for\\": \\"%[req.fhdr(x-forwarded-for)]\\", \\"host\\": \\"%[req.fhdr(x-forwarded-host)]\\", \\"port\\": \\"%[req.fhdr(x-forwarded-port)]\\", \\"proto\\": \\"%[req.fhdr(x-forwarded-proto)]\\", \\"real\\": \\"%[req.fhdr(x-real-ip)]\\", \\"forwarded\\": \\"%[req.fhdr(forwarded)]\\", \\"other\\": \\"%[req.fhdr(x-forwarded-server)]\\"}"
"""


def edited(*changes: tuple[str, str]) -> Callable[[str], str]:
    """Each text must be there: an edit that changes nothing proves nothing."""
    def edit(text: str) -> str:
        for old, new in changes:
            assert old in text, f"haproxy.cfg has no `{old}` any more"
            text = text.replace(old, new)
        return text
    return edit


def into_frontend(lines: str) -> tuple[str, str]:
    return "    default_backend grpc ", f"{lines}\n    default_backend grpc "


def serve(haproxy: HAProxy, *targets: str, options: str = "proto h2") -> None:
    """These take the calls of `backend grpc`, checked in no way if they are added."""
    for number, target in enumerate(targets, 1):
        address, _, port = target.rpartition(":")
        if IS_3:
            answer = haproxy.runtime.ask(f"add server grpc/rc_{number} {target} {options}")
            assert "New server registered" in answer, answer
        else:
            haproxy.runtime.ask(f"set server grpc/rc_{number} addr {address} port {port}")
        haproxy.runtime.ask(f"set server grpc/rc_{number} state ready")
    wait_until(lambda: haproxy.runtime.serving("grpc") == set(targets), what="the servers take calls")


@pytest.fixture
def task(directory: Path) -> Iterator[RngServer]:
    with RngServer(directory, "task-1") as server:
        with client.Connection(server.target) as connection:
            connection.wait_ready(10)
        yield server


def outcome(target: str, method: str = wire.NEXT,
            credentials: grpc.ChannelCredentials | None = None) -> tuple[str, str]:
    """Code and message of one call, as a gRPC application sees them; OK has the task's name."""
    channel = (grpc.secure_channel(target, credentials, [("grpc.use_local_subchannel_pool", 1)]) if credentials else
               grpc.insecure_channel(target, [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]))
    with channel:
        call = channel.unary_unary(method, request_serializer=wire.serialize,
                                   response_deserializer=wire.Number.FromString)
        try:
            return "OK", call(wire.Range(min=1, max=2), timeout=10).task
        except grpc.RpcError as error:
            return error.code().name, error.details() or ""  # type: ignore[attr-defined]


def curl(url: str, *options: str) -> tuple[int, dict[str, str], str]:
    """Status, headers and body, by HTTP/2 without TLS if the options name nothing else."""
    how = options or ("--http2-prior-knowledge",)
    done = subprocess.run(["curl", "-sS", "-i", "--noproxy", "*", "--max-time", "10", *how, url],
                          capture_output=True, text=True, check=True)
    head, _, body = done.stdout.replace("\r\n", "\n").partition("\n\n")
    lines = head.splitlines()
    return int(lines[0].split()[1]), dict(line.lower().split(": ", 1) for line in lines[1:]), body


def h2(*options: str) -> tuple[str, ...]:
    return ("--http2-prior-knowledge", *options)


class Mute:
    """Takes whole calls and answers none: executed, but nobody knows. Then it hangs, or closes the connection.

    Speaks as much HTTP/2 as that needs: SETTINGS, and the end of DATA on a stream.
    """

    def __init__(self, closes: bool) -> None:
        self.executed, self._closes = 0, closes
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.target = "127.0.0.1:{}".format(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection = self._listener.accept()[0]
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError, EOFError):
            connection.settimeout(30)
            connection.sendall(bytes.fromhex("000000040000000000"))
            self._take(connection, 24)
            while True:
                head = self._take(connection, 9)
                self._take(connection, int.from_bytes(head[:3], "big"))
                if head[3] == 0 and head[4] & 1:
                    self.executed += 1
                    if self._closes:
                        return

    @staticmethod
    def _take(connection: socket.socket, size: int) -> bytes:
        got = b""
        while len(got) < size:
            part = connection.recv(size - len(got))
            if not part:
                raise EOFError
            got += part
        return got

    def __enter__(self) -> Mute:
        return self

    def __exit__(self, *_: object) -> None:
        # A blocked accept is not woken by close alone.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


# ---- it starts ----

@pytest.fixture
def certificate(directory: Path) -> Path:
    """A PEM file of certificate and key, as HAProxy wants it."""
    key, crt = directory / "key.pem", directory / "crt.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(key), "-out", str(crt)],
                   check=True, capture_output=True, timeout=60)
    both = directory / "both.pem"
    both.write_bytes(crt.read_bytes() + key.read_bytes())
    return both


@pytest.fixture
def managed(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """haproxy.managed.dir, with an empty routes.map, as `rollcalld --init` makes it."""
    path = directory / "managed"
    path.mkdir()
    (path / "routes.map").touch()
    monkeypatch.setenv("ROLLCALL_MANAGED_DIR", str(path))
    return path


@pytest.mark.parametrize("extra", ["", "certificate", "managed"])
def test_it_is_valid_without_a_warning(extra: str, directory: Path, request: pytest.FixtureRequest) -> None:
    """With and without what may be set; the sockets' addresses are those of the file itself."""
    env = dict(os.environ)
    if extra == "certificate":
        env["ROLLCALL_TLS_CERT"] = str(request.getfixturevalue(extra))
    elif extra == "managed":
        env["ROLLCALL_MANAGED_DIR"] = str(request.getfixturevalue(extra))
    expect_valid(directory, shipped_configuration(), env)


def expect_valid(directory: Path, text: str, env: dict[str, str]) -> None:
    """Without a warning either."""
    file = directory / "haproxy.cfg"
    file.write_text(text)
    env.update(shipped_environment(directory / "s", Ports()))
    done = subprocess.run([paths.HAPROXY, "-c", "-f", str(file)], capture_output=True, text=True, timeout=30, env=env)
    assert done.returncode == 0, done.stderr
    assert not re.search(r"WARNING|ALERT|[Ww]arnings were found", done.stdout + done.stderr), done.stderr


def test_the_lines_for_middlewares_are_valid(directory: Path, managed: Path) -> None:
    """As docs/traefik.md has them, where it says that they go."""
    document = (paths.TOP / "docs" / "traefik.md").read_text()
    document = document[document.index("## Middlewares"):]
    codes = [code.replace("NAME", "n").replace("HASH", "$6$n$n") for code in re.findall("`([^`]+)`", document)]
    host, = (code for code in codes if code.startswith("acl h "))
    lines = [code for code in codes if code.startswith(("http-request ", "http-after-response "))]
    behind = [line for line in lines if "replace-path" in line]
    sections = [code for code in codes if code.startswith(("userlist ", "user ", "backend ", "stick-table "))]
    assert len(lines) == 8 and len(behind) == 1 and len(sections) == 4
    first = next(line for line in shipped_configuration().splitlines(True) if "set-var(txn.host)" in line)
    text = edited((first, first + "".join(f"    {line}\n" for line in [host, *lines] if line not in behind)),
                  ("    use_backend %[var(txn.backend)]", f"    {behind[0]}\n    use_backend %[var(txn.backend)]"))(
        shipped_configuration())
    expect_valid(directory, text + "\n" + "\n".join(sections) + "\n", dict(os.environ))


def test_there_are_slots_only_where_servers_cannot_be_added(shipped_haproxy: HAProxy) -> None:
    slots = [server.name for server in shipped_haproxy.runtime.servers("grpc")]
    assert slots == ([] if IS_3 else [f"rc_{number}" for number in range(1, 21)])


def test_what_is_appended_begins_with_plain_settings(start_haproxy: Callable[..., HAProxy]) -> None:
    """A mode tcp backend would not start with `proto h2` on its servers."""
    haproxy = start_haproxy(shipped=True, extra="\nbackend mine\n    mode tcp\n    server a 127.0.0.1:1\n")
    assert haproxy.runtime.stat_of("mine", "a")["status"]
    assert "config :" not in haproxy.child.output(), "no warning of two ways to name defaults"


def test_a_backend_can_be_made_at_run_time(start_haproxy: Callable[..., HAProxy]) -> None:
    """`defaults rollcall` serves for it, and its calls get the same errors."""
    if version() < (3, 4):
        pytest.skip("backends are made at run time from HAProxy 3.4 on")
    haproxy = start_haproxy(shipped=True, edit=edited(into_frontend("    use_backend %[str(made)]")))
    assert "New backend registered" in haproxy.runtime.ask("add backend made from rollcall mode http")
    assert "published" in haproxy.runtime.ask("publish backend made")
    assert outcome(haproxy.target) == ("UNAVAILABLE", "HAProxy: no server takes calls")
    assert haproxy.runtime.stat_of("made", "BACKEND")["stot"] == "1"


# ---- errors ----

ERRORS = {
    400: ("INTERNAL", "HAProxy: bad request"),
    401: ("UNAUTHENTICATED", "HAProxy: unauthorized"),
    403: ("PERMISSION_DENIED", "HAProxy: forbidden"),
    404: ("UNIMPLEMENTED", "HAProxy: not found"),
    408: ("DEADLINE_EXCEEDED", "HAProxy: the request did not come in time"),
    413: ("RESOURCE_EXHAUSTED", "HAProxy: the request is too large"),
    429: ("RESOURCE_EXHAUSTED", "HAProxy: too many requests"),
    500: ("INTERNAL", "HAProxy: internal error"),
    502: ("UNAVAILABLE", "HAProxy: the server refused or broke off the connection"),
    503: ("UNAVAILABLE", "HAProxy: no server takes calls"),
    504: ("DEADLINE_EXCEEDED", "HAProxy: the server did not answer in time"),
}


def test_every_error_is_grpc_for_grpc_and_http_for_the_rest(start_haproxy: Callable[..., HAProxy]) -> None:
    """Code and message as an application gets them; and the status, with a text, for everybody else."""
    rules = "\n".join(f"    http-request deny deny_status {status} if {{ path_beg /deny/{status} }}"
                      for status in ERRORS)
    haproxy = start_haproxy(shipped=True, edit=edited(into_frontend(rules)))
    for status, expected in ERRORS.items():
        assert outcome(haproxy.target, f"/deny/{status}") == expected
        got, headers, body = curl(f"http://{haproxy.target}/deny/{status}")
        assert got == status and body.startswith(str(status)), (got, body)
        assert headers["content-type"] == "text/plain"
        assert not [name for name in headers if name.startswith("grpc-")]


def test_a_grpc_error_is_trailers_only(shipped_haproxy: HAProxy) -> None:
    """Status 200, the subtype of gRPC, no body: what every gRPC library takes."""
    for kind in ("application/grpc", "application/grpc+proto", "Application/GRPC"):
        status, headers, body = curl(f"http://{shipped_haproxy.target}/rng.Rng/Next",
                                     *h2("-X", "POST", "-H", f"content-type: {kind}"))
        assert (status, headers["content-type"], body) == (200, "application/grpc", "")
        assert (headers["grpc-status"], headers["content-length"]) == ("14", "0")


def test_a_servers_own_errors_pass(shipped_haproxy: HAProxy, task: RngServer) -> None:
    serve(shipped_haproxy, task.target)
    with client.Connection(shipped_haproxy.target) as connection, pytest.raises(grpc.RpcError) as refusal:
        connection.number(2, 1)
    assert refusal.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert refusal.value.details() == "min 2 is above max 1"


def test_a_server_that_hangs_costs_a_deadline_exceeded(start_haproxy: Callable[..., HAProxy]) -> None:
    """HAProxy's own timeout, shortened here; ordinarily the call's deadline is first."""
    with Mute(closes=False) as mute:
        haproxy = start_haproxy(shipped=True, edit=edited(("timeout server 1d", "timeout server 300ms")))
        serve(haproxy, mute.target)
        assert outcome(haproxy.target) == ERRORS[504]
    assert mute.executed == 1


# ---- what servers are told of the client ----

def test_forwarded_headers_are_set_whatever_the_client_says(
        managed: Path, certificate: Path, monkeypatch: pytest.MonkeyPatch,
        start_haproxy: Callable[..., HAProxy]) -> None:
    (managed / "routes.map").write_text("*/ echo\n")
    monkeypatch.setenv("ROLLCALL_TLS_CERT", str(certificate))
    haproxy = start_haproxy(shipped=True, extra=ECHO)
    lies = [word for name in ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port",
                              "X-Forwarded-Proto", "X-Forwarded-Server", "X-Real-IP", "x-FORWARDED-for")
            for word in ("-H", f"{name}: 6.6.6.6")]
    truth = {"for": "127.0.0.1", "host": "api.example.com:99", "real": "127.0.0.1", "forwarded": "", "other": ""}
    for url, how, port, proto in ((f"http://{haproxy.target}/", "--http2-prior-knowledge", haproxy.ports.grpc, "http"),
                                  (f"https://127.0.0.1:{haproxy.ports.tls}/", "-k", haproxy.ports.tls, "https")):
        status, _, body = curl(url, how, "-H", "Host: api.example.com:99", *lies)
        assert status == 200
        assert json.loads(body) == truth | {"port": str(port), "proto": proto}


# ---- streams ----

def test_a_connection_may_have_a_thousand_streams(shipped_haproxy: HAProxy, task: RngServer) -> None:
    """By default the 101st waits for another to end."""
    serve(shipped_haproxy, task.target)
    with client.Connection(shipped_haproxy.target) as connection:
        streams = [connection.numbers(1, 9, count=2, interval_ms=60_000, timeout=60) for _ in range(150)]
        for stream in streams:
            assert next(iter(stream)).task == "task-1"
        assert connection.number(1, 9, timeout=5).task == "task-1"
        assert int(shipped_haproxy.runtime.stat_of("grpc", "BACKEND")["scur"]) >= 150
        frontend = shipped_haproxy.runtime.stat_of("grpc_in", "FRONTEND")
        assert frontend["conn_tot"] == "1"
        for stream in streams:
            stream.cancel()  # type: ignore[attr-defined]


def milliseconds(configuration: str, name: str) -> int:
    found = re.search(rf"(?m)^    timeout {name} (\d+)(ms|s|m|h|d)$", configuration)
    assert found, f"no `timeout {name}`"
    return int(found.group(1)) * {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}[found.group(2)]


def test_a_quiet_stream_outlives_every_timeout_but_its_own(start_haproxy: Callable[..., HAProxy],
                                                           task: RngServer) -> None:
    """The two that can end it are longer than an hour; the others, shortened here, do not touch it."""
    hour = 3_600_000
    for name in ("client", "server"):
        assert milliseconds(shipped_configuration(), name) > hour

    def shorten(text: str) -> str:
        changed, times = re.subn(r"(?m)^    timeout (connect|queue|check|http-request|http-keep-alive) .*$",
                                 r"    timeout \1 500ms", text)
        assert times == 6, "those of `defaults common`, and the SPOE agent's"
        return changed

    haproxy = start_haproxy(shipped=True, edit=shorten)
    serve(haproxy, task.target)
    with client.Connection(haproxy.target) as connection:
        numbers = list(connection.numbers(1, 9, count=2, interval_ms=2500, timeout=20))
    assert len(numbers) == 2


def test_clients_are_spread_anew_without_a_failed_call(start_haproxy: Callable[..., HAProxy], task: RngServer) -> None:
    """tune.h2.fe.max-total-streams: GOAWAY after so many calls, and those in flight are finished."""
    if not IS_3:
        pytest.skip("HAProxy 2.6 has no such setting")
    haproxy = start_haproxy(shipped=True, edit=edited(("max-total-streams 10000", "max-total-streams 20")))
    serve(haproxy, task.target)
    load = client.Load(haproxy.target, rate=200, connections=2, streams=4, retries=True)
    with load:
        wait_until(lambda: load.result.calls > 400, 20, "400 calls")
    assert load.result.failed == 0, load.result.details
    assert int(haproxy.runtime.stat_of("grpc_in", "FRONTEND")["conn_tot"]) > 10


# ---- TLS ----

def test_without_a_certificate_nothing_listens_for_tls(shipped_haproxy: HAProxy) -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", shipped_haproxy.ports.tls), 5)


def test_with_a_certificate_grpc_comes_over_tls_too(certificate: Path, monkeypatch: pytest.MonkeyPatch,
                                                    start_haproxy: Callable[..., HAProxy], task: RngServer) -> None:
    monkeypatch.setenv("ROLLCALL_TLS_CERT", str(certificate))
    haproxy = start_haproxy(shipped=True)
    credentials = grpc.ssl_channel_credentials((certificate.parent / "crt.pem").read_bytes())
    target = f"localhost:{haproxy.ports.tls}"
    assert outcome(target, credentials=credentials) == ("UNAVAILABLE", "HAProxy: no server takes calls")
    serve(haproxy, task.target)
    assert outcome(target, credentials=credentials) == ("OK", "task-1")
    assert outcome(haproxy.target) == ("OK", "task-1"), "and without TLS as before"


@pytest.mark.parametrize("offered, chosen", [(["h2", "http/1.1"], "h2"), (["http/1.1"], None)])
def test_alpn_is_h2_and_nothing_else(offered: list[str], chosen: str | None, certificate: Path,
                                     monkeypatch: pytest.MonkeyPatch, start_haproxy: Callable[..., HAProxy]) -> None:
    monkeypatch.setenv("ROLLCALL_TLS_CERT", str(certificate))
    haproxy = start_haproxy(shipped=True)
    context = ssl.create_default_context(cafile=str(certificate.parent / "crt.pem"))
    context.set_alpn_protocols(offered)
    with socket.create_connection(("127.0.0.1", haproxy.ports.tls), 5) as plain:
        with contextlib.suppress(ssl.SSLError):  # newer ones end the handshake: no_application_protocol
            with context.wrap_socket(plain, server_hostname="localhost") as connection:
                assert connection.selected_alpn_protocol() == chosen


# ---- for people and Prometheus ----

def test_ready_metrics_and_statistics(shipped_haproxy: HAProxy) -> None:
    door = f"http://127.0.0.1:{shipped_haproxy.ports.stats}"
    assert curl(f"{door}/ready", "--http1.1")[0] == 200
    status, _, metrics = curl(f"{door}/metrics", "--http1.1")
    assert status == 200 and 'haproxy_backend_status{proxy="grpc"' in metrics
    status, _, page = curl(f"{door}/", "--http1.1")
    assert status == 200 and "Statistics Report" in page


class Page(BaseHTTPRequestHandler):
    """Stands in for rollcalld's read-only door."""

    asked: list[str] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"the page")

    do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = do_OPTIONS = do_GET

    def address_string(self) -> str:
        return "haproxy"

    def log_message(self, *_: Any) -> None:
        pass


@contextlib.contextmanager
def page_at(name: str) -> Iterator[list[str]]:
    # HAProxy's abns@ addresses are as long as any can be, filled up with zeros.
    class Door(socketserver.ThreadingUnixStreamServer):
        def server_bind(self) -> None:
            self.socket.bind(b"\0" + name.encode().ljust(107, b"\0"))

    Page.asked = []
    with Door("", Page) as door:
        thread = threading.Thread(target=door.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield Page.asked
        finally:
            door.shutdown()
            thread.join(10)


def test_the_page_is_shown_and_only_read(start_haproxy: Callable[..., HAProxy]) -> None:
    """By GET; nothing else gets through, however it is spelt. 503 until rollcalld is there."""
    name = f"rollcall-page-{os.getpid()}"
    haproxy = start_haproxy(shipped=True, edit=edited(("abns@rollcall-page", f"abns@{name}")))
    url = f"http://127.0.0.1:{haproxy.ports.page}/v1/status"
    assert curl(url, "--http1.1")[0] == 503
    with page_at(name) as asked:
        status, _, body = curl(url, "--http1.1")
        assert (status, body, asked) == (200, "the page", ["/v1/status"])
        for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "get", "TRACE", "PURGE"):
            assert curl(url, "--http1.1", "-X", method)[0] == 405, method
        assert subprocess.run(["curl", "-sS", "--noproxy", "*", "-I", url], capture_output=True, text=True, timeout=10,
                              check=True).stdout.split()[1] == "405"
        assert asked == ["/v1/status"]


def test_the_page_may_be_closed_to_names_that_a_web_page_brings(start_haproxy: Callable[..., HAProxy]) -> None:
    """By the line that haproxy.cfg has for it."""
    name, line = f"rollcall-page-{os.getpid()}", "http-request deny deny_status 421"
    haproxy = start_haproxy(shipped=True, edit=edited(("abns@rollcall-page", f"abns@{name}"), (f"# {line}", line)))
    door = f"http://127.0.0.1:{haproxy.ports.page}"
    with page_at(name) as asked:
        for host in ("page.example", "page.example:8080", "localhost.page.example", "127.0.0.1.page.example"):
            assert curl(f"{door}/v1/status", "--http1.1", "-H", f"Host: {host}")[0] == 421, host
        assert asked == []
        for host in (f"127.0.0.1:{haproxy.ports.page}", "LocalHost:8080", "[::1]:8080"):
            assert curl(f"{door}/v1/status", "--http1.1", "-H", f"Host: {host}")[0] == 200, host
        for path in ("/metrics", "/live", "/ready"):
            assert curl(door + path, "--http1.1", "-H", "Host: haproxy-1.internal:8080")[0] == 200, path


def test_only_the_calls_are_open_to_the_world() -> None:
    text = shipped_configuration()
    for name in ("STATS", "PAGE"):
        assert re.search(rf"presetenv ROLLCALL_{name}_BIND +127\.0\.0\.1:", text)


# ---- routes ----

def route(haproxy: HAProxy, host: str, path: str) -> str:
    """The body says which backend it was."""
    return curl(f"http://{haproxy.target}{path}", *h2("-H", f"Host: {host}"))[2]


def test_routes_go_by_the_longest_prefix_and_a_named_host_first(managed: Path,
                                                                start_haproxy: Callable[..., HAProxy]) -> None:
    (managed / "routes.map").write_text("a.example.com/ a_all\na.example.com/pkg.One/ a_one\n"
                                        "a.example.com/pkg.One/Next a_next\n*/pkg.Two/ any_two\n"
                                        "*/pkg.Two/Next any_next\n[::1]/ six\n")
    names = ("a_all", "a_one", "a_next", "any_two", "any_next", "six", "grpc")
    answers = "".join(f"\nbackend {name} from rollcall\n    http-request return status 200 content-type text/plain "
                      f"string {name}\n" for name in names[:-1])
    haproxy = start_haproxy(shipped=True, extra=answers)
    expected = {
        ("a.example.com", "/"): "a_all",
        ("a.example.com", "/pkg.One/Get"): "a_one",
        ("a.example.com", "/pkg.One/Next"): "a_next",
        ("A.Example.COM:50051", "/pkg.One/Next"): "a_next",
        ("a.example.com", "/PKG.One/Next"): "a_all",
        ("a.example.com", "/pkg.Two/Next"): "a_all",  # the host is named, if only for /
        ("b.example.com", "/pkg.Two/Get"): "any_two",
        ("b.example.com:1", "/pkg.Two/Next"): "any_next",
        ("[::1]:50051", "/x"): "six",
        ("a.example.com.evil.org", "/pkg.One/Next"): "503",
        ("b.example.com", "/pkg.Three/Get"): "503",  # no route: the default backend, which has no server
    }
    got = {request: route(haproxy, *request) for request in expected}
    assert {request: body[:3] if body.startswith("503") else body for request, body in got.items()} == expected


def test_a_call_without_a_route_goes_to_the_default_backend(managed: Path, start_haproxy: Callable[..., HAProxy],
                                                            task: RngServer) -> None:
    """With an empty map, which is what `rollcalld --init` makes, that is all of them."""
    haproxy = start_haproxy(shipped=True)
    serve(haproxy, task.target)
    assert outcome(haproxy.target) == ("OK", "task-1")


def test_a_route_to_a_backend_that_is_gone_is_unavailable(managed: Path, start_haproxy: Callable[..., HAProxy],
                                                          task: RngServer) -> None:
    """It is not a call for the default backend, whose tasks would call the method unimplemented."""
    (managed / "routes.map").write_text("127.0.0.1/rng.Rng/Next gone\n")
    haproxy = start_haproxy(shipped=True)
    serve(haproxy, task.target)
    assert outcome(haproxy.target) == ("UNAVAILABLE", "HAProxy: no server takes calls")
    assert outcome(haproxy.target, "/rng.Rng/Other")[0] == "UNIMPLEMENTED", "which is the task's own word"
    assert task.journal().calls == 0


def test_routes_change_at_run_time(managed: Path, start_haproxy: Callable[..., HAProxy]) -> None:
    """As rollcalld does it: a new version of the map, swapped in one go."""
    haproxy = start_haproxy(shipped=True, extra=ECHO)
    name = managed / "routes.map"
    assert route(haproxy, "x", "/").startswith("503")
    number = haproxy.runtime.ask(f"prepare map {name}").rpartition(" ")[2]
    haproxy.runtime.ask(f"add map @{number} {name} x/ echo")
    haproxy.runtime.ask(f"commit map @{number} {name}")
    assert json.loads(route(haproxy, "x", "/"))["host"] == "x"


def test_it_starts_before_there_is_a_directory_for_routes(directory: Path, monkeypatch: pytest.MonkeyPatch,
                                                          start_haproxy: Callable[..., HAProxy],
                                                          task: RngServer) -> None:
    """On 2.6 routes are read only if the directory is named; later versions look for the file."""
    if IS_3:
        monkeypatch.setenv("ROLLCALL_MANAGED_DIR", str(directory / "nowhere"))
    else:
        monkeypatch.delenv("ROLLCALL_MANAGED_DIR", raising=False)
    haproxy = start_haproxy(shipped=True)
    serve(haproxy, task.target)
    assert outcome(haproxy.target) == ("OK", "task-1")


# ---- retries ----

# No check takes a server out of these tests: which server a call goes to is the balancer's own business.
UNCHECKED = ("check inter 1s", "check inter 1h")


@pytest.mark.parametrize("is_idempotent", [False, True], ids=["any", "idempotent"])
def test_a_call_that_was_executed_is_sent_again_only_if_marked_idempotent(
        is_idempotent: bool, start_haproxy: Callable[..., HAProxy]) -> None:
    with Mute(closes=True) as mute:
        haproxy = start_haproxy(shipped=True, edit=edited(UNCHECKED, *([EVERY_RNG_CALL] if is_idempotent else [])))
        serve(haproxy, mute.target)
        for _ in range(5):
            assert outcome(haproxy.target)[0] == "UNAVAILABLE"
    assert mute.executed == (20 if is_idempotent else 5), "3 retries each"


@pytest.mark.parametrize("is_idempotent", [False, True], ids=["any", "idempotent"])
def test_a_server_that_refuses_connections_is_not_seen(is_idempotent: bool, start_haproxy: Callable[..., HAProxy],
                                                       task: RngServer) -> None:
    """Its calls go to the next one. From 3.2 on and without TLS only if marked: others fail, but as UNAVAILABLE."""
    haproxy = start_haproxy(shipped=True, edit=edited(UNCHECKED, *([EVERY_RNG_CALL] if is_idempotent else [])))
    serve(haproxy, f"127.0.0.1:{free_port()}", task.target)
    result = client.call_many(haproxy.target, 12)
    if SENDS_EARLY and not is_idempotent:
        assert set(result.failures) <= {"UNAVAILABLE"} and result.succeeded >= 6, result.details
    else:
        assert result.failed == 0, result.details
    assert max(task.journal().call_ids.values()) == 1


def test_with_tls_to_the_servers_a_refusal_is_not_seen(directory: Path, certificate: Path,
                                                       start_haproxy: Callable[..., HAProxy]) -> None:
    """On every version: nothing is sent before the handshake is done. Two HAProxies, the second is the task."""
    if not IS_3:
        pytest.skip("slots take TLS from their line only")
    answering = f"""
global
    stats socket {{socket}} mode 600 level admin
defaults
    mode http
    timeout connect 1s
    timeout client 1m
    timeout server 1m
frontend task
    bind 127.0.0.1:{{grpc}} ssl crt {certificate} alpn h2
    http-request return status 200 content-type application/grpc hdr grpc-status 5 hdr grpc-message answered
"""
    second = start_haproxy(answering)
    haproxy = start_haproxy(shipped=True)
    serve(haproxy, f"127.0.0.1:{free_port()}", second.target, options="ssl verify none alpn h2 sni str(localhost)")
    outcomes = {outcome(haproxy.target) for _ in range(8)}
    assert outcomes == {("NOT_FOUND", "answered")}


# ---- after a start ----

def took(haproxy: HAProxy) -> float:
    begun = time.monotonic()
    outcome(haproxy.target)
    return time.monotonic() - begun


def test_a_reload_fails_no_call_while_servers_are_added_anew(start_haproxy: Callable[..., HAProxy],
                                                             task: RngServer) -> None:
    """A worker begins without any server; here it gets them after 0.7 s. New connections meet it at once."""
    if not IS_3:
        pytest.skip("slots and their servers are another matter")
    haproxy = start_haproxy(shipped=True, master=True)
    serve(haproxy, task.target)
    # What a GOAWAY finds on its way is not executed, and gRPC sends it again unless told not to.
    load = client.Load(haproxy.target, rate=100, connections=4, retries=True)
    with load, futures.ThreadPoolExecutor(8) as newcomers:
        wait_until(lambda: load.result.calls > 50, what="calls")
        haproxy.reload()
        early = [newcomers.submit(outcome, haproxy.target) for _ in range(8)]
        time.sleep(0.7)  # what rollcalld needs, and no less: calls must really have waited
        assert not any(call.done() for call in early)
        serve(haproxy, task.target)
        assert {call.result() for call in early} == {("OK", "task-1")}
        seen = load.result.calls
        wait_until(lambda: load.result.calls > seen + 100, what="calls after the reload")
    assert load.result.failed == 0, load.result.details
    assert max(task.journal().call_ids.values()) == 1


def test_waiting_for_servers_ends_soon_after_the_start(start_haproxy: Callable[..., HAProxy]) -> None:
    """Later a backend without servers is said at once; and nobody waits while there are servers."""
    edit = edited(("date,sub(proc.started) gt 10", "date,sub(proc.started) gt 3")) if IS_3 else edited()
    haproxy = start_haproxy(shipped=True, edit=edit)
    if IS_3:
        assert took(haproxy) > 1.0
    wait_until(lambda: took(haproxy) < 0.5, 10, "an answer at once")


def test_calls_do_not_wait_where_there_are_servers(shipped_haproxy: HAProxy, task: RngServer) -> None:
    serve(shipped_haproxy, task.target)
    begun = time.monotonic()
    assert client.call_many(shipped_haproxy.target, 20).failed == 0
    assert time.monotonic() - begun < 1.4
