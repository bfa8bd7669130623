"""Starts one fake AWS after another, each in a tenth of the time.

Most of a fake AWS's start is reading botocore and its models. The nursery has read them once, and forks for each that
is wanted. It listens on the socket it was given as a file descriptor: a message is the options as JSON, with the log's
descriptor; the answer is the pid, with a descriptor of the process. It has no thread, so a fork copies a whole.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import traceback
from typing import Callable, NoReturn

MESSAGE_LIMIT = 65536
PR_SET_PDEATHSIG = 1


class Process:
    """A process of the nursery's, which is its parent."""

    def __init__(self, pid: int, descriptor: int) -> None:
        self.pid, self._descriptor = pid, descriptor

    def has_ended(self, timeout: float = 0.0) -> bool:
        return bool(select.select([self._descriptor], [], [], timeout)[0])

    def signal(self, number: int) -> None:
        if not self.has_ended():
            signal.pidfd_send_signal(self._descriptor, number)

    def close(self) -> None:
        os.close(self._descriptor)


class Nursery:
    """A running nursery, which ends with whoever started it, and what it started with it."""

    def __init__(self, command: list[str]) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            subprocess.Popen([*command, str(theirs.fileno())], pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
                             start_new_session=True)

    def start(self, options: list[str], log: int) -> Process:
        socket.send_fds(self._socket, [json.dumps(options).encode()], [log])
        answer, descriptors, _, _ = socket.recv_fds(self._socket, MESSAGE_LIMIT, 1)
        if not descriptors:
            raise RuntimeError("the nursery of the fake AWS has ended")
        return Process(int(answer), descriptors[0])


def _live(main: Callable[[list[str]], None], options: list[str], log: int, parent: int) -> NoReturn:
    """The child's part: what a process of its own would have, then main()."""
    status = 1
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)  # it had ended before the kernel knew
        os.setsid()
        os.dup2(log, 1)
        os.dup2(log, 2)
        main(options)
        status = 0
    except SystemExit as left:
        print(left, file=sys.stderr)
    except BaseException:  # whatever it is, it must not go on as a second nursery
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status)


def serve(door: socket.socket, main: Callable[[list[str]], None]) -> None:
    """Until the other side hangs up. Children that have ended are buried with the next one's birth."""
    gc.freeze()  # what is there now stays shared with the children
    nursery = os.getpid()
    while True:
        message, descriptors, _, _ = socket.recv_fds(door, MESSAGE_LIMIT, 1)
        if not message:
            return
        pid = os.fork()
        if pid == 0:
            door.close()
            _live(main, json.loads(message), descriptors[0], nursery)
        os.close(descriptors[0])
        child = os.pidfd_open(pid)
        socket.send_fds(door, [str(pid).encode()], [child])
        os.close(child)
        while os.waitpid(-1, os.WNOHANG)[0]:  # the one just born is there, so this is no error
            pass
