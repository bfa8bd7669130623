"""The configuration: what is wrong is said with its place, and then nothing at all is started."""

from __future__ import annotations

import json
import os
import re
import resource
import stat
import subprocess
from pathlib import Path
from typing import Any, Callable

import pytest

from conftest import Aws, base_configuration
from fakeaws.control import ACCESS_KEY_ID, SECRET_ACCESS_KEY
from rollcall_testlib import paths
from rollcall_testlib.daemon import Rollcalld, check_configuration, to_yaml
from rollcall_testlib.haproxy import HAProxy, wait_serving
from rollcall_testlib.waiting import wait_until

pytestmark = pytest.mark.one_haproxy  # what ECS and operators say, and not HAProxy, is what it is about

SERVICE = {"cluster": "main", "service": "rng-service"}
ECS = "ecs: {region: eu-west-1}\n"

EVERYTHING = """\
ecs:
  name: home
  region: eu-west-1
  clusters: [main, "arn:aws:ecs:eu-west-1:123456789012:cluster/other"]
  services: ["*"]
  require_healthy: yes
  watch: 1s
  refresh: 20s
  rate_limit: 2.5
  endpoint: http://127.0.0.1:8000
  access_key_id: AKIDEXAMPLE
  secret_access_key: secret
  session_token: token
haproxy:
  socket: /run/haproxy/admin.sock
  apply: true
backends:
  - name: grpc
    match: {source: "*", cluster: main, service: rng-service, container: "*"}
    port: 50051
    weight: 7
    maxconn: 100
    drain_timeout: 90s
defaults:
  proto: h2
  weight: 100
  drain_timeout: auto
control: {socket: /run/rollcall/control.sock, mode: "0660", group: root}
state_dir: /var/lib/rollcall
log: {level: info, format: auto}
"""


def test_a_good_configuration_is_checked_in_silence(directory: Path) -> None:
    for text in (EVERYTHING, ECS, (paths.TOP / "haproxy" / "rollcall.yaml").read_text()):
        done = check_configuration(directory, text)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), text


# what is wrong, where, and what is said of it
FAULTS = {
    "unknown key": ("ecs: {region: eu-west-1, cluster: [main]}\n", "1:26", "unknown key `cluster`, did you mean "
                                                                          "`clusters`?"),
    "unknown section": (ECS + "backend: []\n", "2:1", "unknown key `backend`, did you mean `backends`?"),
    "unlike any key": (ECS + "colour: red\n", "2:1", "unknown key `colour`; known here: "),
    "duplicate key": (ECS + "log: {level: info}\nlog: {level: warn}\n", "3:1", "`log` stands twice in one map, first "
                                                                             "on line 2"),
    "alias": (ECS + "state_dir: *home\n", "2:12", "anchors (`&`) and aliases (`*`) are not taken here"),
    "anchor": (ECS + "state_dir: &home /var/lib/rollcall\n", "2:12", "anchors (`&`) and aliases (`*`)"),
    "tag": (ECS + "state_dir: !!str /var/lib/rollcall\n", "2:12", "tags (`!`) are not taken here"),
    "tab": (ECS + "log:\n\tlevel: info\n", "3:1", "a tab indents here"),
    "no unit": ("ecs:\n  region: eu-west-1\n  watch: 15\n", "3:10", "`watch`: `15` needs a unit: ms, s, m or h"),
    "no duration": ("ecs:\n  region: eu-west-1\n  watch: soon\n", "3:10", "`watch`: `soon` is not a duration"),
    "watch after refresh": ("ecs:\n  region: eu-west-1\n  watch: 1h\n", "3:10", "`watch` is longer than `refresh`"),
    "no number": (ECS + "defaults: {weight: heavy}\n", "2:20", "`weight`: `heavy` is not a whole number"),
    "too large a number": (ECS + "backends: [{name: b, match: {service: s}, port: 65536}]\n", "2:49",
                           "`port`: `65536` is not a whole number from 1 to 65535"),
    "no boolean": (ECS + "haproxy: {apply: maybe}\n", "2:18", "`apply`: `maybe` is neither true"),
    "no choice": (ECS + "log: {level: inof}\n", "2:14", "`level`: `inof` is not one of error, warn, info, debug; did "
                                                      "you mean `info`?"),
    "undefined variable": (ECS + "state_dir: ${ROLLCALL_NOT_THERE}\n", "2:12", "the variable `ROLLCALL_NOT_THERE` is "
                                                                             "not defined"),
    "one name twice": (ECS + "backends:\n  - {name: b, match: {service: s}}\n  - {name: b, match: {service: t}}\n",
                       "4:5", "backend `b` has an entry already, on line 3"),
    "two sources of one name": ("ecs:\n  - {region: eu-west-1}\n  - {region: eu-west-1}\n", "3:5",
                                "two `ecs` sources are called `eu-west-1`"),
    "a text for a list": ("ecs: {region: eu-west-1, clusters: main}\n", "1:36", "`clusters` must be a list"),
    "a list for a map": (ECS + "haproxy: [admin.sock]\n", "2:10", "`haproxy` must be a map"),
    "a map for a text": (ECS + "state_dir: {path: /x}\n", "2:12", "`state_dir` must be one value"),
    "no value": (ECS + "state_dir:\n", "2:1", "`state_dir` has no value"),
    "no match": (ECS + "backends:\n  - name: b\n", "3:5", "backend `b` needs a `match`"),
    "no name": (ECS + "backends:\n  - match: {service: s}\n", "3:5", "a backend needs a `name`"),
    "a name that HAProxy refuses": (ECS + "backends: [{name: a/b, match: {service: s}}]\n", "2:19",
                                    "`name`: `a/b` is not the name of a backend"),
    "no such source": (ECS + "backends: [{name: b, match: {source: eu-west-2}}]\n", "2:12",
                       "no `ecs` source is called `eu-west-2`, did you mean `eu-west-1`?"),
    "a constraint that is none": ('ecs:\n  region: eu-west-1\n  constraints: "Label(`a`"\n', "3:16", "`constraints`: "),
    "a rule that is none": (ECS + "backends:\n  - {name: b, managed: true, port: 1, match: {service: s},\n"
                            "     rule: 'Foo(`x`)'}\n", "4:12", "`rule`: `Foo` is no matcher"),
    "a default rule that is none": (ECS + "haproxy:\n  managed: {default_rule: 'Hst(`x`)'}\n", "3:27",
                                    "`default_rule`: `Hst` is no matcher"),
    "half a key": ("ecs: {region: eu-west-1, access_key_id: AKIDEXAMPLE}\n", "1:41",
                   "`access_key_id` needs `secret_access_key` beside it"),
    "no region": ("ecs: {clusters: [main]}\n", "1:6", "no region"),
    "a second document": (ECS + "---\nlog: {}\n", "2:1", "a second document begins here"),
    "an empty file": ("", "1:1", "nothing is configured here"),
    "nothing": ("# nothing but a comment\n", "1:1", "nothing is configured here"),
    "not UTF-8": (ECS + "state_dir: /\udcff\n", "2:13", "the text is not UTF-8"),
    "a control character": (ECS + "state_dir: /\x01\n", "2:13", "a control character in the text"),
    "too large": ("#" * (1 << 20) + "\n" + ECS, "", "larger than 1048576 bytes"),
    "too deep": (ECS + "log: " + "[" * 40 + "]" * 40 + "\n", "2:", "more than 16 deep"),
    "too many": (ECS + "backends:\n" + "  - x\n" * 10001, "10003:5", "more than 10000 items in one list"),
}


@pytest.mark.parametrize("text, place, message", FAULTS.values(), ids=list(FAULTS))
def test_a_fault_is_said_with_its_place(directory: Path, text: str, place: str, message: str) -> None:
    """FILE:LINE:COLUMN: message, as compilers do, and exit code 1."""
    file = directory / "bad.yaml"
    file.write_bytes(text.encode(errors="surrogateescape"))
    done = subprocess.run([paths.ROLLCALLD, "-c", "-f", str(file)], capture_output=True, text=True, timeout=10,
                          check=False)
    assert (done.returncode, done.stdout) == (1, "")
    expected = re.escape(f"{file}:{place}") + r"[:\d ]*" + ".*" + re.escape(message)
    assert re.search(f"(?m)^{expected}", done.stderr), done.stderr


def test_all_faults_are_said_at_once(directory: Path) -> None:
    done = check_configuration(directory, ECS + "log: {levl: info}\nstate_dirr: /x\nbackends: [{name: b}]\n")
    assert done.returncode == 1
    assert [re.sub(r"^.*?:(\d+:\d+): .*", r"\1", line) for line in done.stderr.splitlines()] == ["2:7", "3:1", "4:12"]


def test_a_file_that_is_not_there_or_no_file_is_a_fault(directory: Path) -> None:
    for file, message in ((directory / "none.yaml", "No such file"), (directory, "is a directory")):
        done = subprocess.run([paths.ROLLCALLD, "-c", "-f", str(file)], capture_output=True, text=True, timeout=10,
                              check=False)
        assert done.returncode == 1 and done.stderr.startswith(f"{file}: ") and message in done.stderr
        assert done.stderr.count(f"{file}: ") == 1


def test_nothing_is_started_with_a_bad_configuration(aws: Aws, haproxy: HAProxy, directory: Path) -> None:
    """No socket, no state directory, no call to AWS, no command to HAProxy: only the fault."""
    configuration = base_configuration(aws, haproxy, directory)
    configuration["ecs"]["clustres"] = ["main"]
    file = directory / "rollcall.yaml"
    file.write_text(to_yaml(configuration))
    done = subprocess.run([paths.ROLLCALLD, "-f", str(file)], capture_output=True, text=True, timeout=10, check=False)
    assert done.returncode == 1
    line, = done.stderr.splitlines()
    assert line.startswith(f"{file}:") and "did you mean `clusters`?" in line
    assert not Path(configuration["control"]["socket"]).exists()
    assert not Path(configuration["state_dir"]).exists()
    assert aws.control.counters()["connections"] == 0


def test_the_environment_may_hold_the_whole_configuration(aws: Aws, service: str, haproxy: HAProxy,
                                                          directory: Path) -> None:
    """ROLLCALL_CONFIG is the text itself; places in it are named after it."""
    def run(text: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([paths.ROLLCALLD, "-c"], capture_output=True, text=True, timeout=10, check=False,
                              env={**os.environ, "ROLLCALL_CONFIG": text})

    done = run(to_yaml(base_configuration(aws, haproxy, directory)))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = run(ECS + "state_dirr: /x\n")
    assert done.returncode == 1 and done.stderr.startswith("ROLLCALL_CONFIG:2:1: unknown key `state_dirr`")


def test_without_any_configuration_it_says_where_it_looked(directory: Path) -> None:
    if Path("/etc/rollcall/rollcall.yaml").exists():
        pytest.skip("this machine has one")
    done = subprocess.run([paths.ROLLCALLD], capture_output=True, text=True, timeout=10, check=False)
    assert done.returncode == 1
    for place in ("-f", "ROLLCALL_CONFIG", "/etc/rollcall/rollcall.yaml"):
        assert place in done.stderr


def test_variables_are_expanded_after_parsing(aws: Aws, service: str, haproxy: HAProxy, directory: Path,
                                              start_rollcalld: Callable[..., Rollcalld]) -> None:
    """In any value, once; `$$` is a dollar, and so is any other."""
    def change(configuration: dict[str, Any]) -> None:
        configuration["ecs"].update(secret_access_key="${OUR_SECRET}", clusters=["${OUR_CLUSTER}"])
        configuration["state_dir"] = f"{directory}/a$$b$c${{TWICE}}"

    start_rollcalld(change, env={"OUR_SECRET": SECRET_ACCESS_KEY, "OUR_CLUSTER": "main", "TWICE": "${OUR_SECRET}"})
    wait_serving(haproxy, "grpc", aws.control.running(**SERVICE))
    assert (directory / "a$b$c${OUR_SECRET}" / "lock").exists()


def test_a_variable_cannot_smuggle_yaml_in(directory: Path) -> None:
    file = directory / "c.yaml"
    file.write_text(ECS + "state_dir: ${EVIL}\n")
    done = subprocess.run([paths.ROLLCALLD, "-c", "-f", str(file)], capture_output=True, text=True, timeout=10,
                          check=False, env={**os.environ, "EVIL": "/x\nlog: {level: debug}"})
    assert done.returncode == 1 and f"{file}:2:12: " in done.stderr


def test_a_second_daemon_is_refused(aws: Aws, service: str, haproxy: HAProxy,
                                    start_rollcalld: Callable[..., Rollcalld]) -> None:
    """By the lock of its state directory, and by its control socket; the first goes on as if nothing had been."""
    first = start_rollcalld()
    there = {"state_dir": str(first.control_socket.parent / "state"), "control": {"socket": str(first.control_socket)}}
    for key, message in (("state_dir", "is in use by another rollcalld"),
                         ("control", "another rollcalld is listening on")):
        second = start_rollcalld(lambda c: c.update({key: there[key]}), wait=False)
        assert second.child.wait() == 1
        second.expected_exit = 1
        line, = second.messages("", "error warn")
        assert message in line and str(first.control_socket.parent) in line and line.endswith("not started")
    assert first.get_status("/ready") == 200


def test_a_socket_left_behind_is_replaced(rollcalld: Rollcalld) -> None:
    """After a kill -9 nobody has to clean up; and a proper end leaves nothing."""
    rollcalld.kill()
    assert rollcalld.control_socket.is_socket()
    rollcalld.restart()
    rollcalld.wait_ready()
    assert rollcalld.stop() == 0
    assert not rollcalld.control_socket.exists()


def test_a_file_in_the_place_of_the_socket_is_not_replaced(aws: Aws, haproxy: HAProxy, directory: Path,
                                                           start_rollcalld: Callable[..., Rollcalld]) -> None:
    precious = directory / "precious"
    precious.write_text("do not delete")
    daemon = start_rollcalld(lambda c: c["control"].update(socket=str(precious)), wait=False)
    assert daemon.child.wait() == 1
    daemon.expected_exit = 1
    assert daemon.messages("is not a socket", "error")
    assert precious.read_text() == "do not delete"


def test_the_socket_has_the_mode_that_was_asked_for(start_rollcalld: Callable[..., Rollcalld], service: str,
                                                    haproxy: HAProxy) -> None:
    daemon = start_rollcalld(lambda c: c["control"].update(mode="0600"))
    assert stat.S_IMODE(daemon.control_socket.stat().st_mode) == 0o600


def test_options() -> None:
    """-V, -h, and 2 for what it does not know."""
    def run(*options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([paths.ROLLCALLD, *options], capture_output=True, text=True, timeout=10, check=False)

    done = run("-V")
    assert done.returncode == 0 and re.fullmatch(r"rollcalld \d+\.\d+(\.\d+)?\S*\n", done.stdout)
    done = run("-h")
    assert done.returncode == 0 and "usage: rollcalld" in done.stdout
    for wrong in (["-x"], ["--colour"], ["-f"], ["-c", "surplus"]):
        done = run(*wrong)
        assert (done.returncode, done.stdout) == (2, "") and "usage: rollcalld" in done.stderr


SECRETS = ("wJalrXUtnSECRETONEwhichnobodymaysee", "tokenSECRETTWOwhichnobodymaysee")


def test_no_secret_is_in_any_output(aws: Aws, service: str, haproxy: HAProxy, directory: Path,
                                    start_rollcalld: Callable[..., Rollcalld]) -> None:
    """Not in the log, at debug; not in the status; not in what -c says of a bad file around them."""
    secret, token = SECRETS
    aws.control.set_key(access_key_id=ACCESS_KEY_ID, secret_access_key=secret, session_token=token)
    daemon = start_rollcalld(lambda c: c["ecs"].update(secret_access_key=secret, session_token=token),
                             options=("-d",))
    wait_serving(haproxy, "grpc", aws.control.running(**SERVICE))
    aws.expects_rejections = True
    aws.control.expire_key(access_key_id=ACCESS_KEY_ID)
    wait_until(lambda: daemon.cluster("main")["error"], what="a fault with the key")
    shown = daemon.output() + str(daemon.status()) + daemon.rollcall("status").stdout + daemon.rollcall(
        "status", "--json").stdout
    for bad in (f"ecs: {{region: eu-west-1, access_key_id: A, secret_access_key: {secret} {token}}}\n",
                f"ecs: {{region: eu-west-1, secret_access_key: {secret}}}\n",
                f"ecs: {{region: eu-west-1, access_key_id: A, secret_access_key: ${{{secret}}}}}\n",
                f"ecs: {{region: eu-west-1, access_key_id: A, secret_access_key: [{secret}, {token}]}}\n",
                f"ecs: {{region: eu-west-1, secret_access_key: &{secret} {token}}}\n"):
        done = check_configuration(directory, bad)
        assert done.returncode == 1
        shown += done.stdout + done.stderr
    for word in SECRETS:
        assert word not in shown


def test_sigterm_ends_it_in_good_order_and_sighup_does_not_end_it(rollcalld: Rollcalld, haproxy: HAProxy) -> None:
    """SIGHUP applies the file, here the same; SIGTERM is exit code 0, and servers stay as they are."""
    before = haproxy.runtime.held()
    rollcalld.reload()
    rollcalld.wait_line("rollcall.yaml is applied")
    assert rollcalld.get_status("/ready") == 200
    assert rollcalld.stop() == 0
    assert haproxy.runtime.held() == before
    assert "servers stay in HAProxy" in rollcalld.messages()[-1]


def test_without_standard_descriptors_nothing_else_takes_their_place(aws: Aws, haproxy: HAProxy,
                                                                     directory: Path) -> None:
    """Else the log would go where the next descriptor leads: to HAProxy, to AWS, into the state."""
    file = directory / "rollcall.yaml"
    configuration = base_configuration(aws, haproxy, directory)
    file.write_text(to_yaml(configuration))
    with subprocess.Popen(["sh", "-c", 'exec "$0" -f "$1" <&- >&- 2>&-', paths.ROLLCALLD, str(file)]) as process:
        try:
            wait_until(lambda: Path(configuration["control"]["socket"]).exists(), what="its control socket")
            for fd in range(3):
                assert os.readlink(f"/proc/{process.pid}/fd/{fd}") == "/dev/null"
            process.terminate()
            assert process.wait(10) == 0
        finally:
            process.kill()


def test_a_log_that_nobody_reads_stops_nothing(aws: Aws, service: str, haproxy: HAProxy, directory: Path) -> None:
    """The pipe is full and its reader asleep: servers come and go all the same, and what was lost is counted."""
    file = directory / "rollcall.yaml"
    configuration = base_configuration(aws, haproxy, directory)
    file.write_text(to_yaml(configuration))
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with open(reader, "rb") as log:
        while True:
            try:
                os.write(writer, b"-" * 4096 + b"\n")
            except BlockingIOError:
                break
        os.set_blocking(writer, True)
        with subprocess.Popen([paths.ROLLCALLD, "-f", str(file)], stderr=writer) as process:
            try:
                os.close(writer)
                wait_serving(haproxy, "grpc", aws.control.running(**SERVICE))
                os.read(log.fileno(), 1 << 20)
                aws.control.scale(**SERVICE, desired=3)
                wait_until(lambda: len(aws.control.running(**SERVICE)) == 3, what="a third task")
                wait_serving(haproxy, "grpc", aws.control.running(**SERVICE))
                process.terminate()
                assert process.wait(10) == 0
            finally:
                process.kill()
        lines = [json.loads(line)["message"] for line in log.read().splitlines() if line.startswith(b"{")]
    assert re.fullmatch(r"\d+ lines of this log were lost: nobody read it", lines[0])
    assert "stopping" in lines[-1]


def test_no_core_is_written_not_even_to_a_pipe(rollcalld: Rollcalld) -> None:
    """A limit of 0 is passed over where core_pattern is a pipe; at 1 the kernel writes none in either case."""
    assert resource.prlimit(rollcalld.child.pid, resource.RLIMIT_CORE) == (1, 1)


def test_a_bad_endpoint_of_the_environment_names_its_variable(aws: Aws, haproxy: HAProxy,
                                                              start_rollcalld: Callable[..., Rollcalld]) -> None:
    daemon = start_rollcalld(lambda c: c["ecs"].pop("endpoint"), env={"AWS_ENDPOINT_URL": "ftp://user:hidden@x"},
                             wait=False)
    assert daemon.child.wait() == 1
    daemon.expected_exit = 1
    line, = daemon.lines("not started")
    assert "AWS_ENDPOINT_URL: endpoint: not an http:// or https:// URL" in line and "hidden" not in line


def test_the_policy_names_just_what_is_needed(tmp_path: Path) -> None:
    """--iam: one JSON document, without a word to AWS (there is none here) and without keys."""
    file = tmp_path / "rollcall.yaml"
    file.write_text("""\
ecs:
  - {name: home, region: eu-west-1, clusters: [main], endpoint: "http://127.0.0.1:1"}
  - {name: far-away, region: us-gov-west-1, clusters: ["*"], role_arn: "arn:aws-us-gov:iam::210987654321:role/read"}
""")
    done = subprocess.run([paths.ROLLCALLD, "--iam", "-f", str(file)], capture_output=True, text=True, timeout=20,
                          check=False)
    assert (done.returncode, done.stderr) == (0, "")
    policy = json.loads(done.stdout)
    assert set(policy) == {"Version", "Statement"} and policy["Version"] == "2012-10-17"
    statements = {statement["Sid"]: statement for statement in policy["Statement"]}
    assert len(statements) == len(policy["Statement"]) == 18
    assert all(re.fullmatch("[A-Za-z0-9]+", sid) and statement["Effect"] == "Allow" for sid, statement in statements.items())
    home, far = [{action for sid, statement in statements.items() if sid.endswith(name) for action in statement["Action"]}
                 for name in ("Home", "FarAway")]
    assert home == {"ecs:ListTasks", "ecs:DescribeTasks", "ecs:DescribeClusters", "ecs:DescribeTaskDefinition",
                    "ecs:DescribeServices", "ecs:DescribeContainerInstances", "ec2:DescribeInstances", "ssm:DescribeInstanceInformation"}
    assert far == home | {"ecs:ListClusters", "sts:AssumeRole"}
    assert statements["ListTasksHome"]["Condition"] == {
        "ArnEquals": {"ecs:cluster": ["arn:aws:ecs:eu-west-1:*:cluster/main"]}}
    assert statements["DescribeTasksFarAway"]["Resource"] == ["arn:aws-us-gov:ecs:us-gov-west-1:210987654321:task/*"]
    assert statements["AssumeRoleFarAway"]["Resource"] == "arn:aws-us-gov:iam::210987654321:role/read"
