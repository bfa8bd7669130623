#!/usr/bin/python3
"""Carries out one stage of a Dockerfile on the root of a Debian, where no container engine is at hand.

    tests/packaging/dockerfile.py DOCKERFILE STAGE ROOT CONTEXT [NAME=ROOT...]

STAGE is the name behind AS, or "last". ROOT holds what the stage's FROM names already. CONTEXT is the build's. NAME=ROOT
is a stage that was built before. What is not a file of the image (user, entrypoint, ...) is printed as JSON. It knows the
instructions that our Dockerfiles use, and refuses others.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

INSIDE = Path(__file__).resolve().parent / "inside"
STEP_LIMIT = 900  # seconds


def instructions(text: str) -> list[tuple[str, str]]:
    """(INSTRUCTION, rest) of each, continuation lines joined."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(word.upper(), rest.strip()) for word, _, rest in (line.partition(" ") for line in joined.splitlines())]


def stage_of(text: str, name: str) -> list[tuple[str, str]]:
    """The instructions of one stage, without its FROM."""
    stages: list[tuple[str, list[tuple[str, str]]]] = []
    for word, rest in instructions(text):
        if word == "FROM":
            found = re.search(r"\sAS\s+(\S+)$", rest, re.IGNORECASE)
            stages.append((found.group(1) if found else "", []))
        else:
            stages[-1][1].append((word, rest))
    if name == "last":
        return stages[-1][1]
    return next(steps for stage, steps in stages if stage == name)


class Stage:
    """A root that becomes an image."""

    def __init__(self, root: Path, context: Path, others: dict[str, Path]) -> None:
        self.root, self.context, self.others = root, context, others
        self.image: dict[str, Any] = {"env": {}, "workdir": "/", "user": "0:0", "volumes": [], "entrypoint": [], "cmd": [],
                                      "healthcheck": None, "stopsignal": "SIGTERM"}

    def carry_out(self, word: str, rest: str) -> None:
        step = getattr(self, f"do_{word.lower()}", None)
        if step is None:
            raise SystemExit(f"{word}: an instruction that this test does not know")
        step(rest)

    def inside(self, path: str) -> Path:
        return self.root / (Path(self.image["workdir"]) / path).relative_to("/")

    def do_workdir(self, rest: str) -> None:
        self.image["workdir"] = rest
        self.inside(".").mkdir(parents=True, exist_ok=True)

    def do_run(self, rest: str) -> None:
        environment = [f"{name}={value}" for name, value in self.image["env"].items()]
        subprocess.run([INSIDE, self.root, "env", "-C", self.image["workdir"], *environment, "/bin/sh", "-c", rest],
                       check=True, timeout=STEP_LIMIT, stdin=subprocess.DEVNULL, stdout=sys.stderr)

    def do_copy(self, rest: str) -> None:
        words = rest.split()
        where = self.context
        if words[0].startswith("--from="):
            where = self.others[words.pop(0).removeprefix("--from=")]
        *sources, target = words
        for source in sources:
            found = [where] if source == "." else sorted(where.glob(source.lstrip("/")))
            assert found, f"COPY {source}: there is none"
            for one in found:
                self._copy(one, self.inside(target), target.endswith("/"))

    @staticmethod
    def _copy(source: Path, target: Path, into: bool) -> None:
        if source.is_dir():
            shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
            return
        target = target / source.name if into else target
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)

    def do_env(self, rest: str) -> None:
        self.image["env"].update(pair.split("=", 1) for pair in rest.split())

    def do_user(self, rest: str) -> None:
        self.image["user"] = rest

    def do_volume(self, rest: str) -> None:
        self.image["volumes"] += json.loads(rest)

    def do_healthcheck(self, rest: str) -> None:
        options, _, command = rest.partition("CMD ")
        self.image["healthcheck"] = {"options": options.split(), "test": json.loads(command)}

    def do_entrypoint(self, rest: str) -> None:
        self.image["entrypoint"] = json.loads(rest)

    def do_cmd(self, rest: str) -> None:
        self.image["cmd"] = json.loads(rest)

    def do_stopsignal(self, rest: str) -> None:
        self.image["stopsignal"] = rest


def main() -> None:
    dockerfile, name, root, context, *others = sys.argv[1:]
    stage = Stage(Path(root), Path(context), {key: Path(value) for key, _, value in (pair.partition("=") for pair in others)})
    for word, rest in stage_of(Path(dockerfile).read_text(), name):
        print(f"{word} {rest}", file=sys.stderr, flush=True)
        stage.carry_out(word, rest)
    print(json.dumps(stage.image))


if __name__ == "__main__":
    main()
