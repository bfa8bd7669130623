"""What stands between rollcalld and the real HAProxy's socket, and does what a test wants there."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path
from typing import Callable

Behaviour = Callable[[socket.socket], None]


class Front:
    """Listens where rollcalld looks for HAProxy; `behave` None: passes on to the real one."""

    def __init__(self, address: Path | tuple[str, int], target: Path) -> None:
        self._address, self._target = address, target
        self.behave: Behaviour | None = None
        self.connections = 0
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self.listen()

    @property
    def text(self) -> str:
        if isinstance(self._address, Path):
            return str(self._address)
        host, port = self._address
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def listen(self) -> None:
        if isinstance(self._address, Path):
            self._address.unlink(missing_ok=True)
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(str(self._address))
        else:
            self._listener = socket.socket(socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET)
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listener.bind(self._address)
        self._listener.listen(64)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def hang_up(self) -> None:
        """All connections end, so that the next behaviour is met at once."""
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def die(self) -> None:
        """Nobody listens any more; a unix path stays behind."""
        assert self._listener is not None
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.add(connection)
        with connection, contextlib.suppress(OSError):
            connection.settimeout(60)
            (self.behave or self._pass_on)(connection)
            connection.shutdown(socket.SHUT_RDWR)  # close() alone waits for a thread that reads
        with self._lock:
            self._open.discard(connection)

    def _pass_on(self, connection: socket.socket) -> None:
        with socket.socket(socket.AF_UNIX) as real:
            real.settimeout(60)
            real.connect(str(self._target))
            back = threading.Thread(target=pump, args=(real, connection), daemon=True)
            back.start()
            pump(connection, real)
            back.join()


def pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
