#!/usr/bin/python3
"""packaging/container/compose.yaml, run as an engine would, on roots instead of images, and a story told with it.

    tests/packaging/containers.py IMAGE=ROOT,JSON ...

JSON is what dockerfile.py printed of the image. Needs root. All of it has a network of its own, in which the fake AWS and
the tasks live, too; it ends with its processes.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable

import yaml

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "functional")]

from fakeaws.control import ACCESS_KEY_ID, SECRET_ACCESS_KEY, FakeAws  # noqa: E402
from rng.client import Load, call_many  # noqa: E402
from rollcall_testlib.process import Child  # noqa: E402
from rollcall_testlib.waiting import wait_until  # noqa: E402

COMPOSE = HERE.parents[1] / "packaging" / "container" / "compose.yaml"
TARGET = "127.0.0.1:50051"
TASKS_SERVE_AFTER_SIGTERM = 3.0

# Its arguments: ROOT, "ro" or "rw", then MOUNT lines up to "--", then the command. Devices are those of an engine.
START = r"""
root=$1 mode=$2
shift 2
mount --bind "$root" "$root"
while [ "$1" != -- ]; do
	case $1 in
	bind) mount --bind "$2" "$root$3" && mount -o "remount,bind,$4" "$root$3" && shift 4 ;;
	tmpfs) mount -t tmpfs -o "$2" tmpfs "$root$3" && shift 3 ;;
	esac
done
shift
mount -t proc proc "$root/proc"
mkdir -p "$root/dev"
mount -t tmpfs -o mode=755 dev "$root/dev"
for device in null zero full random urandom; do
	: >"$root/dev/$device"
	mount --bind "/dev/$device" "$root/dev/$device"
done
[ "$mode" = rw ] || mount -o remount,bind,ro "$root"
exec chroot "$root" "$@"
"""


def settle_network() -> None:
    """Loopback, up: all the network there is."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        fcntl.ioctl(probe, 0x8914, struct.pack("16sh", b"lo", 0x1 | 0x40))  # SIOCSIFFLAGS, IFF_UP | IFF_RUNNING


class Image:
    """A root, and how it is run."""

    def __init__(self, root: Path, config: dict[str, Any]) -> None:
        self.root, self.config = root, config


class Container:
    """One service of the compose file, running."""

    def __init__(self, name: str, service: dict[str, Any], image: Image, compose: Compose) -> None:
        self.image = image
        self.user, self.group = str(service.get("user", image.config["user"])).split(":")
        environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", **image.config["env"],
                       **compose.environment(service)}
        self._as_user = ["setpriv", "--reuid", self.user, "--regid", self.group, "--clear-groups", "--no-new-privs",
                         "--bounding-set=-all", "--", "env", "-i", "-C", image.config["workdir"],
                         *(f"{key}={value}" for key, value in environment.items())]
        command = image.config["entrypoint"] + service.get("command", image.config["cmd"])
        mode = "ro" if service.get("read_only") else "rw"
        self.child = Child(["unshare", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "sh", "-euc", START,
                            "container", str(image.root), mode, *compose.mounts(service, image), "--", *self._as_user,
                            *command], compose.home / f"{name}.log")

    @property
    def pid(self) -> int:
        """Of the process that is 1 inside."""
        children = Path(f"/proc/{self.child.pid}/task/{self.child.pid}/children")
        return int(wait_until(lambda: children.read_text().split(), 10, "a process in the container")[0])

    def execute(self, *command: str) -> subprocess.CompletedProcess[str]:
        """As `docker exec`, and as an engine's health check."""
        return subprocess.run(["nsenter", "--target", str(self.pid), "--mount", "--pid", "--ipc", "--uts", "--root",
                               *self._as_user, *command], capture_output=True, text=True, timeout=60, check=False)

    def stop(self) -> int:
        """By the image's own signal; the exit code."""
        os.kill(self.pid, getattr(signal, self.image.config["stopsignal"]))
        return self.child.wait(120)

    def facts(self) -> dict[str, str]:
        """/proc/PID/status."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


class Compose:
    """What of a compose file ours uses."""

    def __init__(self, file: Path, images: dict[str, Image], home: Path) -> None:
        self.file, self.images, self.home = file, images, home
        self.services: dict[str, dict[str, Any]] = yaml.safe_load(file.read_text())["services"]
        self.running: dict[str, Container] = {}

    def environment(self, service: dict[str, Any]) -> dict[str, str]:
        """A name without a value is taken from our own environment."""
        given = {name: os.environ.get(name) if value is None else value
                 for name, value in service.get("environment", {}).items()}
        assert all("$" not in value for value in given.values() if value), "compose would expand a $"
        return {name: value for name, value in given.items() if value is not None}

    def mounts(self, service: dict[str, Any], image: Image) -> list[str]:
        words = []
        for volume in service.get("volumes", []):
            source, target, *mode = volume.split(":")
            inside = image.root / target.lstrip("/")
            if source.startswith("."):
                outside = (self.file.parent / source).resolve()
                inside.parent.mkdir(parents=True, exist_ok=True)
                inside.touch()
            else:
                outside = self._volume(source, inside)
                inside.mkdir(parents=True, exist_ok=True)
            words += ["bind", str(outside), target, mode[0] if mode else "rw"]
        for entry in service.get("tmpfs", []):
            target, _, options = entry.partition(":")
            words += ["tmpfs", options or "mode=1777", target]
        return words

    def _volume(self, name: str, inside: Path) -> Path:
        """A new volume is what the image has there, owner and all."""
        outside = self.home / "volumes" / name
        if not outside.exists():
            outside.parent.mkdir(exist_ok=True)
            subprocess.run(["cp", "-a", inside, outside], check=True)
        return outside

    def up(self, name: str) -> Container:
        service = self.services[name]
        for other, wanted in service.get("depends_on", {}).items():
            if wanted["condition"] == "service_completed_successfully":
                code = self.running[other].child.wait(60)
                assert code == 0, f"{other} ended with {code}:\n{self.running[other].child.output()}"
            else:
                assert self.running[other].child.exit_code is None, f"{other} does not run"
        self.running[name] = Container(name, service, self.images[service["image"]], self)
        return self.running[name]

    def close(self) -> None:
        for container in self.running.values():
            container.child.kill()


class Story:
    """The demo's main job, in containers."""

    def __init__(self, images: dict[str, Image], home: Path) -> None:
        self.aws = FakeAws(home / "aws")
        os.environ.update(AWS_REGION="eu-west-1", AWS_ACCESS_KEY_ID=ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY=SECRET_ACCESS_KEY,
                          AWS_ENDPOINT_URL=self.aws.url)
        self.compose = Compose(COMPOSE, images, home)
        # The tasks have addresses of the same network, and port 50051 of each.
        self.compose.services["haproxy"]["environment"]["ROLLCALL_GRPC_BIND"] = TARGET

    def close(self) -> None:
        self.compose.close()
        self.aws.stop()

    def serve(self, service: str, tasks: int, labels: dict[str, str]) -> None:
        control = self.aws.control
        control.register(family=service, drain=TASKS_SERVE_AFTER_SIGTERM, stop_timeout=30, labels=labels)
        control.create_service(cluster="main", service=service, desired=tasks, definition=service)
        control.wait_steady("main", service, 120)

    def servers(self, backend: str) -> list[str]:
        """The states of a backend's servers, as the command inside the container tells them."""
        told = self.compose.running["rollcalld"].execute("rollcall", "--json", "servers", backend)
        return [server["state"] for server in json.loads(told.stdout)] if told.returncode == 0 else []

    def counts(self, service: str) -> dict[str, int]:
        return self.aws.control.calls(cluster="main", service=service)["by_task"]

    def shares(self) -> list[int]:
        before = self.counts("rng-service")
        result = call_many(TARGET, 100)
        assert not result.failed, result.details
        return sorted(count - before.get(task, 0) for task, count in self.counts("rng-service").items())

    def start(self) -> None:
        self.aws.control.create_cluster(cluster="main")
        self.serve("rng-service", 2, {})
        self.compose.up("init")
        self.compose.up("haproxy")
        rollcalld = self.compose.up("rollcalld")
        test = rollcalld.image.config["healthcheck"]["test"]
        wait_until(lambda: rollcalld.execute(*test).returncode == 0, 60, "healthy by the image's HEALTHCHECK")
        wait_until(lambda: self.servers("grpc") == ["ready", "ready"], 60, "two tasks are ready")

    def tell_shares(self) -> None:
        """A check that comes late takes a server out for a moment; then it is measured again."""
        for _ in range(5):
            shares = self.shares()
            if shares == [50, 50]:
                break
            wait_until(lambda: self.servers("grpc") == ["ready", "ready"], 60, "two tasks are ready")
        assert shares == [50, 50], shares

    def tell_identities(self) -> None:
        """Nobody is root, or could become it; rollcalld's image cannot be written to."""
        for name, user, group in (("haproxy", "99", "99"), ("rollcalld", "9099", "99")):
            facts = self.compose.running[name].facts()
            assert facts["Uid"].split() == [user] * 4 and facts["Gid"].split() == [group] * 4, facts
            assert facts["CapBnd"] == facts["CapEff"] == "0" * 16 and facts["NoNewPrivs"] == "1", facts
        touched = self.compose.running["rollcalld"].execute("touch", "/tmp/file")
        assert "Read-only" in touched.stderr, touched

    def tell_label(self) -> None:
        """A managed backend: rollcalld writes for HAProxy's user, and has the master reload; calls run meanwhile."""
        with Load(TARGET, rate=100, connections=2, streams=2) as load:
            self.serve("shop", 1, {"rollcall.rule": "Host(`shop.example.com`)"})
            wait_until(lambda: self.reaches("shop"), 60, "a call reaches the service by its label")
        assert not load.result.failed, load.result.details

    def reaches(self, service: str) -> bool:
        """Whether a call for that host comes to the service; without a route it comes to the default backend."""
        before = sum(self.counts(service).values())
        call_many(TARGET, 1, authority=f"{service}.example.com")
        return sum(self.counts(service).values()) > before

    def tell_deploy(self) -> None:
        with Load(TARGET, rate=100, connections=2, streams=2) as load:
            self.aws.control.roll(cluster="main", service="rng-service")
            self.aws.control.wait_steady("main", "rng-service", 120)
            seen = load.result.calls
            wait_until(lambda: load.result.calls > seen + 100, 60, "calls after the deploy")
        assert not load.result.failed, load.result.details

    def tell_end(self) -> None:
        """As `docker stop` does it, in the order of depends_on."""
        for name in ("rollcalld", "haproxy"):
            code = self.compose.running[name].stop()
            assert code == 0, f"{name} ended with {code}:\n{self.compose.running[name].child.output()}"

    def tell(self, part: Callable[[], None]) -> None:
        part()
        print(f"ok: {part.__name__}", flush=True)

    def show_logs(self) -> None:
        for name, container in self.compose.running.items():
            print(f"== {name}", *container.child.output().splitlines()[-30:], sep="\n")


def images_of(arguments: list[str]) -> dict[str, Image]:
    found = {}
    for argument in arguments:
        name, root, config = re.fullmatch(r"([^=]+)=([^,]+),(.+)", argument).groups()
        found[name] = Image(Path(root), json.loads(Path(config).read_text()))
    return found


def main() -> int:
    settle_network()
    home = Path(tempfile.mkdtemp(prefix="rollcall-containers-"))
    story = Story(images_of(sys.argv[1:]), home)
    try:
        for part in (story.start, story.tell_identities, story.tell_shares, story.tell_label, story.tell_deploy, story.tell_end):
            story.tell(part)
    except (AssertionError, TimeoutError, RuntimeError, subprocess.TimeoutExpired) as error:
        print(f"FAILED: {error}")
        story.show_logs()
        return 1
    finally:
        story.close()
        shutil.rmtree(home)
    return 0


if __name__ == "__main__":
    # A network of one's own, and everything in it ends with its first process.
    if os.environ.get("ROLLCALL_CONTAINERS") != "inside":
        os.environ["ROLLCALL_CONTAINERS"] = "inside"
        os.execvp("unshare", ["unshare", "--net", "--", sys.executable, "-B", *sys.argv])
    sys.exit(main())
