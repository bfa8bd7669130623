"""Becomes a command that may call the kernel only as a systemd unit lets it (its SystemCallFilter=).

    /usr/bin/python3 filtered.py UNIT COMMAND ...

What is not allowed gives EPERM, as by SystemCallErrorNumber=EPERM.
"""

from __future__ import annotations

import ctypes
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 22, 38
SECCOMP_MODE_FILTER = 2
LOAD_NUMBER = (0x20, 0, 0, 0)  # BPF_LD | BPF_W | BPF_ABS: the number comes first in struct seccomp_data
ALLOW = (0x06, 0, 0, 0x7FFF0000)  # BPF_RET
REFUSE = (0x06, 0, 0, 0x00050001)  # with EPERM


def expanded(name: str) -> set[str]:
    """The system calls of a group (@name), or this one."""
    if not name.startswith("@"):
        return {name}
    said = subprocess.run(["systemd-analyze", "--no-pager", "syscall-filter", name], capture_output=True, text=True,
                          check=True, timeout=60).stdout
    members = [line.strip() for line in said.splitlines()[1:]]
    return set[str]().union(*(expanded(member) for member in members if member and not member.startswith("#")))


def allowed(unit: str) -> set[str]:
    """As systemd reads it: the first line begins a list of what may be called, the others add to it and take from it."""
    calls: set[str] = set()
    for line in re.findall(r"^SystemCallFilter=(.*)$", unit, re.MULTILINE):
        named = set[str]().union(*(expanded(name) for name in line.lstrip("~").split()))
        calls = calls - named if line.startswith("~") else calls | named
    return calls


def numbers() -> dict[str, int]:
    said = subprocess.run(["gcc", "-E", "-dM", "-include", "asm/unistd.h", "-x", "c", "/dev/null"], capture_output=True,
                          text=True, check=True, timeout=60).stdout
    return {name: int(number) for name, number in re.findall(r"^#define __NR_(\w+) (\d+)$", said, re.MULTILINE)}


def program(calls: set[str]) -> bytes:
    known = numbers()
    steps = [LOAD_NUMBER]
    for name in sorted(calls & known.keys()):
        steps += [(0x15, 0, 1, known[name]), ALLOW]  # BPF_JMP | BPF_JEQ: else over the next
    return b"".join(struct.pack("HBBI", *step) for step in [*steps, REFUSE])


def main() -> None:
    code = program(allowed(Path(sys.argv[1]).read_text(encoding="utf-8")))
    held = ctypes.create_string_buffer(code, len(code))
    filter_ = ctypes.create_string_buffer(struct.pack("HP", len(code) // 8, ctypes.addressof(held)))
    libc = ctypes.CDLL(None, use_errno=True)
    none = ctypes.c_ulong(0)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), none, none, none) != 0 or \
            libc.prctl(PR_SET_SECCOMP, ctypes.c_ulong(SECCOMP_MODE_FILTER), filter_, none, none) != 0:
        raise OSError(ctypes.get_errno(), "seccomp")
    os.execvp(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
