"""Where keys come from: each source end to end, roles and accounts, keys that end, and what an operator is told.

These watch ECS only: HAProxy's socket leads nowhere, and what counts is what rollcalld asks AWS, and with which key.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from conftest import Aws, daemons
from fakeaws.control import ACCESS_KEY_ID, SECRET_ACCESS_KEY
from rollcall_testlib.daemon import Rollcalld, check_configuration
from rollcall_testlib.waiting import wait_until

OTHER = "999988887777"
REGION = "eu-west-1"
ENV_KEY = {"AWS_ACCESS_KEY_ID": ACCESS_KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY}
FILE_KEY = f"aws_access_key_id = {ACCESS_KEY_ID}\naws_secret_access_key = {SECRET_ACCESS_KEY}\n"
US = "arn:aws:iam::123456789012:user/rollcall"


class Place:
    """A home directory, and rollcallds that find there, and in their environment, what a test puts there."""

    def __init__(self, directory: Path, aws: Aws, start: Callable[..., Rollcalld]) -> None:
        self.aws, self._start = aws, start
        self.home = directory / "home"
        (self.home / ".aws").mkdir(parents=True)

    def write(self, name: str, text: str) -> str:
        path = self.home / name
        path.write_text(text)
        return str(path)

    def start(self, env: dict[str, str] | None = None, options: tuple[str, ...] = (), **ecs: Any) -> Rollcalld:
        """One source of cluster main, without a key of its own."""
        return self.start_all([ecs], env, options)

    def start_all(self, sources: list[dict[str, Any]], env: dict[str, str] | None = None,
                  options: tuple[str, ...] = ()) -> Rollcalld:
        usual = {"region": REGION, "clusters": ["main"], "endpoint": self.aws.url, "watch": "200ms", "refresh": "1s",
                 "rate_limit": 50}
        configuration = {
            "ecs": [{**usual, **source} for source in sources],
            "haproxy": {"socket": str(self.home / "no-haproxy")},
            "control": {"socket": str(self.home.parent / "r0" / "c")},
            "state_dir": str(self.home.parent / "r0" / "state"),
        }
        beside = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": self.aws.metadata_url}
        daemon = self._start(configuration=configuration, wait=False, options=options,
                             env={"HOME": str(self.home), **beside, **(env or {})})
        daemon.wait_live()
        return daemon


@pytest.fixture
def place(directory: Path, aws: Aws, request: pytest.FixtureRequest) -> Iterator[Place]:
    aws.control.register(family="address", process="none")
    aws.control.run_tasks(cluster="main", definition="address", count=3, instantly=True)
    with daemons(directory, request.getfixturevalue) as start:
        yield Place(directory, aws, start)


def wait_read(daemon: Rollcalld, cluster: str = "main", tasks: int = 3, timeout: float = 20.0) -> dict[str, Any]:
    wait_until(lambda: (found := daemon.cluster(cluster))["tasks"] == tasks and found["error"] is None, timeout,
               f"cluster {cluster} read")
    return daemon.cluster(cluster)


def complaints(daemon: Rollcalld) -> list[str]:
    """Of AWS; that there is no HAProxy is meant so."""
    return [message for message in daemon.messages("", "warn error") if "no-haproxy" not in message]


def credentials(daemon: Rollcalld, source: int = 0) -> str:
    return daemon.status()["sources"][source]["credentials"]


# ---- each source ----

@dataclasses.dataclass
class Source:
    """What is there, and what the status has to say of it. `{...}` in texts is filled in by the test."""

    named: str
    env: dict[str, str] = dataclasses.field(default_factory=dict)
    ecs: dict[str, str] = dataclasses.field(default_factory=dict)
    config: str = ""
    credentials: str = ""
    beside: dict[str, Any] = dataclasses.field(default_factory=dict)
    by_role: str = ""  # whose key signs the calls of ECS; empty: the permanent one


SOURCES = {
    "configuration": Source("configuration",
                            ecs={"access_key_id": ACCESS_KEY_ID, "secret_access_key": SECRET_ACCESS_KEY}),
    "environment": Source("environment", env={**ENV_KEY, "AWS_PROFILE": "never-looked-at"}),
    "default-profile": Source("profile default", credentials=f"[default]\n{FILE_KEY}"),
    "AWS_PROFILE": Source("profile work", env={"AWS_PROFILE": "work"}, config=f"[profile work]\n{FILE_KEY}"),
    "profile": Source("profile work", ecs={"profile": "work"}, credentials=f"[work]\n{FILE_KEY}",
                      env={"AWS_ACCESS_KEY_ID": "AKIDWRONG", "AWS_SECRET_ACCESS_KEY": "wrong"}),
    "source_profile": Source(
        "role {inner} by role {outer} by profile base", by_role="inner", credentials=f"[base]\n{FILE_KEY}",
        config="[default]\nrole_arn = {inner}\nsource_profile = middle\nrole_session_name = it-is-us\n"
               "[profile middle]\nrole_arn = {outer}\nsource_profile = base\nexternal_id = x-42\n"),
    "credential_source": Source(
        "role {outer} by environment", env={**ENV_KEY}, ecs={"profile": "work"}, by_role="outer",
        config="[profile work]\nrole_arn = {outer}\ncredential_source = Environment\nexternal_id = x-42\n"),
    "role_arn": Source("role {outer} by environment", env={**ENV_KEY}, by_role="outer",
                       ecs={"role_arn": "{outer}", "external_id": "x-42"}),
    "web-identity": Source("role {web} by web identity", by_role="web", env={
        "AWS_WEB_IDENTITY_TOKEN_FILE": "{home}/token", "AWS_ROLE_ARN": "{web}", "AWS_ROLE_SESSION_NAME": "pod-1"}),
    "container": Source("container", by_role="machine", beside={"authorization": "Basic b3BlbiBzZXNhbWU="}, env={
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "{metadata}/creds/container",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "{home}/authorization"}),
    "container-that-stumbles": Source("container", by_role="machine", beside={"container": "flaky"}, env={
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "{metadata}/creds/container"}),
    "instance": Source("instance", by_role="machine"),
    "instance-v1": Source("instance", by_role="machine", beside={"imds": "v1"}),
    "instance-whose-tokens-hang": Source("instance", by_role="machine", beside={"imds": "v1_only_get"}),
    "role-by-instance": Source(
        "role {far} by instance", by_role="far",
        config="[default]\nrole_arn = {far}\ncredential_source = Ec2InstanceMetadata\n"),
}


@pytest.mark.parametrize("name", SOURCES)
def test_each_source_is_used_and_named(aws: Aws, place: Place, name: str) -> None:
    source = SOURCES[name]
    arns = {
        "outer": aws.control.set_role(role="outer", trusts=[US], external_id="x-42"),
        "inner": aws.control.set_role(role="inner", trusts=["arn:aws:sts::*:assumed-role/outer/rollcall"]),
        "web": aws.control.set_role(role="web", web_token="eyJhbGciOi.web-identity.token"),
        "machine": aws.control.set_role(role="machine"),
        "far": aws.control.set_role(role="far", trusts=["arn:aws:sts::*:assumed-role/machine/i-0123456789abcdef0"]),
    }

    def fill(text: str) -> str:
        for key, value in {**arns, "home": str(place.home), "metadata": aws.metadata_url}.items():
            text = text.replace("{" + key + "}", value)
        return text

    aws.control.set_beside(role=arns["machine"], **source.beside)
    place.write("token", "eyJhbGciOi.web-identity.token\n")
    place.write("authorization", "Basic b3BlbiBzZXNhbWU=")
    place.write(".aws/config", fill(source.config))
    place.write(".aws/credentials", fill(source.credentials))
    daemon = place.start({key: fill(value) for key, value in source.env.items()}, ("-d",),
                         **{key: fill(value) for key, value in source.ecs.items()})
    wait_read(daemon)
    assert credentials(daemon) == fill(source.named)
    used = {entry["key"] for entry in aws.control.requests(action="ListTasks")}
    assert used == ({aws.control.sessions(role=arns[source.by_role])[-1]} if source.by_role else {ACCESS_KEY_ID})
    if source.by_role:
        assert daemon.status()["sources"][0]["credentials_expire_at"] > "2026"
    if name == "source_profile":
        assert [role["session"] for role in aws.control.assumed(role=arns["inner"])] == ["it-is-us"]
    assert complaints(daemon) == []
    no_secret_is_seen(aws, daemon)


def no_secret_is_seen(aws: Aws, daemon: Rollcalld) -> None:
    """In no log line, at level debug too, and in no answer of ours."""
    task = aws.control.running("main")[0]["id"]
    pages = [daemon.request("GET", path)[1] for path in (
        "/v1/status", "/v1/backends", f"/v1/tasks/{task}", "/v1/plan", "/v1/events", "/v1/doctor", "/metrics", "/ready")]
    pages += [daemon.rollcall(*words.split()).stdout for words in ("status", "--json status", f"why {task}", "doctor")]
    seen = daemon.output() + "".join(pages)
    assert "main" in seen
    for secret in aws.control.secrets():
        assert secret not in seen


def test_no_core_file_can_hold_a_key(place: Place) -> None:
    """A limit of 1 byte, hard: the kernel then writes none, nor pipes one to a handler."""
    daemon = place.start(ENV_KEY)
    limits = Path(f"/proc/{daemon.child.pid}/limits").read_text()
    line, = [text for text in limits.splitlines() if text.startswith("Max core file size")]
    assert line.split()[4:6] == ["1", "1"]


# ---- accounts ----

def test_each_source_may_be_of_another_account(aws: Aws, place: Place) -> None:
    """A role of each account by one key: each cluster is read with its own, and its tasks are of its account."""
    aws.control.create_cluster(cluster="far", account=OTHER)
    aws.control.register(family="address", process="none", account=OTHER)
    aws.control.run_tasks(cluster="far", definition="address", count=2, instantly=True)
    ours = aws.control.set_role(role="reader", trusts=[US])
    theirs = aws.control.set_role(role="reader", trusts=[US], account=OTHER)
    daemon = place.start_all([{"name": "ours", "role_arn": ours},
                              {"name": "theirs", "role_arn": theirs, "clusters": ["far"]}], ENV_KEY)
    wait_read(daemon)
    wait_read(daemon, "far", 2)
    assert [s["account"] for s in daemon.status()["sources"]] == ["123456789012", OTHER]
    assert [s["credentials"] for s in daemon.status()["sources"]] == [f"role {arn} by environment"
                                                                      for arn in (ours, theirs)]


# ---- keys that end ----

def test_keys_that_end_in_mid_sweep_are_renewed_and_nothing_is_missed(aws: Aws, place: Place) -> None:
    """A key lives three seconds; the cluster is never in error, and its tasks are all there."""
    aws.expects_rejections = True
    role = aws.control.set_role(role="short", trusts=[US], lifetime=3.0)
    daemon = place.start(ENV_KEY, role_arn=role)
    wait_read(daemon)
    seen: set[str] = set()

    def three_more_keys() -> bool:
        found = daemon.cluster("main")
        assert found["error"] is None and found["tasks"] == 3
        seen.update(entry["key"] for entry in aws.control.requests(action="ListTasks") if entry["verdict"] == "ok")
        return len(seen) >= 4

    wait_until(three_more_keys, 60, "three more keys in use")
    assert complaints(daemon) == []


def test_a_revoked_key_is_renewed_once_and_then_named(aws: Aws, place: Place) -> None:
    """First another can be had, and nobody notices; then none, and status says which and why; then one again."""
    aws.expects_rejections = True
    role = aws.control.set_role(role="reader", trusts=[US])
    daemon = place.start(ENV_KEY, role_arn=role)
    wait_read(daemon)
    first = aws.control.sessions(role=role)[-1]
    aws.control.remove_key(access_key_id=first)
    wait_until(lambda: len(aws.control.sessions(role=role)) == 1 and aws.control.sessions(role=role) != [first], 30,
               "another key")
    wait_read(daemon)
    assert complaints(daemon) == []

    aws.control.set_role(role="reader", trusts=[])
    aws.control.remove_key(access_key_id=aws.control.sessions(role=role)[-1])
    wait_until(lambda: "role reader: AccessDenied" in daemon.problems(), 30, "it is said")
    assert daemon.cluster("main")["tasks"] == 3, "what was known is kept"
    shown = daemon.rollcall("status").stdout
    assert "role reader: AccessDenied" in shown and f"role {role} by environment" in shown
    assert len(daemon.messages("role reader: AccessDenied", "warn error")) == 2, "the key's, and the cluster's"

    aws.control.set_role(role="reader", trusts=[US])
    wait_until(lambda: daemon.cluster("main")["error"] is None, 90, "used again")
    wait_until(lambda: "AccessDenied" not in daemon.problems(), 10, "and no more said")


@pytest.mark.parametrize("wrong", ["unknown", "secret"])
def test_a_wrong_key_is_a_permanent_fault_that_names_its_source(aws: Aws, place: Place, wrong: str) -> None:
    """Waiting does not mend it, so the daemon does not wait for it to be ready."""
    aws.expects_rejections = True
    daemon = place.start({"AWS_ACCESS_KEY_ID": "AKIDUNKNOWN" if wrong == "unknown" else ACCESS_KEY_ID,
                          "AWS_SECRET_ACCESS_KEY": "not-the-secret"})
    wanted = {"unknown": "AWS refuses the key from environment (replace it): UnrecognizedClientException",
              "secret": "the secret access key is not that of the access key id"}[wrong]
    wait_until(lambda: wanted in (daemon.cluster("main")["error"] or ""), 20, "it is said")
    assert wanted in daemon.rollcall("status").stdout
    status, text = daemon.request("GET", "/ready")
    assert status == 503 and "cluster main" not in json.loads(text)["error"]["message"], "HAProxy is all it waits for"
    no_secret_is_seen(aws, daemon)


def test_a_credentials_file_that_changes_is_read_again(aws: Aws, place: Place) -> None:
    """A key is rotated by hand: the new one written, the old one removed."""
    aws.expects_rejections = True
    place.write(".aws/credentials", f"[default]\n{FILE_KEY}")
    daemon = place.start()
    wait_read(daemon)
    aws.control.set_key(access_key_id="AKIDROTATED", secret_access_key="rotated/secret+2")
    place.write(".aws/credentials",
                "[default]\naws_access_key_id = AKIDROTATED\naws_secret_access_key = rotated/secret+2\n")
    aws.control.remove_key(access_key_id=ACCESS_KEY_ID)
    wait_until(lambda: any(entry["key"] == "AKIDROTATED" and entry["verdict"] == "ok"
                           for entry in aws.control.requests(action="ListTasks")), 90, "the new key")
    wait_read(daemon, timeout=90)


# ---- what cannot be had ----

@pytest.mark.parametrize("imds, said", [
    ("hang", "HttpPutResponseHopLimit 2"), ("hop_limit", "HttpPutResponseHopLimit 2"),
    ("off", "instance metadata: status 403"), ("no_role", "the instance has no IAM role")])
def test_an_instance_without_keys_is_told_and_holds_up_nobody(aws: Aws, place: Place, imds: str, said: str) -> None:
    """Another source is read again and again meanwhile, and the control socket answers."""
    aws.control.set_beside(role=aws.control.set_role(role="machine"), imds=imds)
    daemon = place.start_all([{"name": "key", "access_key_id": ACCESS_KEY_ID, "secret_access_key": SECRET_ACCESS_KEY},
                              {"name": "instance", "clusters": ["other"]}])
    wait_read(daemon)
    wait_until(lambda: said in (daemon.cluster("other")["error"] or ""), 30, "it is said")
    assert daemon.status()["sources"][1]["credentials"] == "instance"
    assert said in daemon.rollcall("doctor").stdout + daemon.rollcall("status").stdout
    swept = {daemon.cluster("main")["complete_at"]}
    wait_until(lambda: swept.add(daemon.cluster("main")["complete_at"]) or len(swept) >= 4, 30, "three more sweeps")
    aws.control.set_beside(imds="v2")
    aws.control.create_cluster(cluster="other")
    wait_until(lambda: daemon.cluster("other")["error"] is None, 90, "keys at last")


def test_a_disabled_metadata_service_is_not_asked(aws: Aws, place: Place) -> None:
    daemon = place.start({"AWS_EC2_METADATA_DISABLED": "true"})
    wait_until(lambda: "AWS_EC2_METADATA_DISABLED" in (daemon.cluster("main")["error"] or ""), 20, "it is said")
    assert aws.control.beside_requests() == []
    assert aws.control.counters()["requests"] == 0


@pytest.mark.parametrize("config, said", [
    ("[default]\nsso_session = s\nsso_account_id = 1\nsso_role_name = r\n", "signs in by SSO"),
    ("[default]\ncredential_process = /bin/true\n", "credential_process: not part of this version"),
    ("[default]\nrole_arn = arn:aws:iam::123456789012:role/x\nsource_profile = a\n"
     "[profile a]\nrole_arn = arn:aws:iam::123456789012:role/y\nsource_profile = default\n", "leads back to it"),
    ("[default]\nregion eu-west-1\n", "line 2: neither a section, nor a property"),
])
def test_a_profile_that_cannot_be_used_is_named(aws: Aws, place: Place, config: str, said: str) -> None:
    """And nothing else is tried in its place."""
    place.write(".aws/config", config)
    daemon = place.start()
    wait_until(lambda: said in (daemon.cluster("main")["error"] or ""), 20, "it is said")
    assert said in daemon.problems()
    assert aws.control.counters()["requests"] == 0 and aws.control.beside_requests() == []


# ---- the region ----

@pytest.mark.parametrize("known", ["profile", "task", "instance"])
def test_a_region_that_nobody_names_is_found_where_the_sdks_look(aws: Aws, place: Place, known: str) -> None:
    """The profile's, our own task's, the machine's."""
    env = dict(ENV_KEY)
    if known == "profile":
        place.write(".aws/config", f"[default]\nregion = {REGION}\n")
    elif known == "task":
        aws.control.set_beside(task_arn=f"arn:aws:ecs:{REGION}:123456789012:task/main/0123", imds="hang")
        env["ECS_CONTAINER_METADATA_URI_V4"] = f"{aws.metadata_url}/v4/task-id"
    daemon = place.start(env, region="")
    wait_read(daemon)
    assert daemon.status()["sources"][0]["region"] == daemon.status()["sources"][0]["name"] == REGION
    assert bool(aws.control.beside_requests()) == (known != "profile")


def test_a_region_that_is_nowhere_is_a_fault_with_its_place(aws: Aws, directory: Path,
                                                            monkeypatch: pytest.MonkeyPatch) -> None:
    aws.control.set_beside(imds="off")
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", aws.metadata_url)
    monkeypatch.setenv("HOME", str(directory))
    done = check_configuration(directory, "ecs: {clusters: [main]}\n")
    assert done.returncode == 1
    assert done.stderr.startswith(f"{directory}/checked.yaml:1:6: no region: give `region`")
    assert aws.control.beside_requests(), "it was asked"
