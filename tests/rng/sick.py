#!/usr/bin/python3
"""A task that is not well: it holds its address, and answers wrongly or not at all.

  503      speaks HTTP/2 and answers each request with status 503, without a word of gRPC
  reset    speaks HTTP/2 and ends each request with RST_STREAM, before any header
  hang     accepts connections, reads, and never says a byte
  mute     a whole HTTP/2 peer (settings, pings), which answers no request
  unheard  listens, but its queue is full and nobody accepts: the kernel drops each SYN
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import socket
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADERS, RST_STREAM, SETTINGS, PING = 1, 3, 4, 6
INTERNAL_ERROR = b"\0\0\0\2"
ACK, END_STREAM, END_HEADERS = 0x1, 0x1, 0x4
# HPACK (RFC 7541, 6.2.2): a literal without indexing, name 8 of the static table (:status), value of 3 bytes.
STATUS_503 = b"\x08\x03503"


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    return struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload


# Kind, flags and payload of the frame that ends each request; `mute` has none.
ANSWERS = {"503": (HEADERS, END_HEADERS | END_STREAM, STATUS_503), "reset": (RST_STREAM, 0, INTERNAL_ERROR)}


async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, how: str) -> None:
    """One HTTP/2 connection: what the protocol asks for, and the answer to each request."""
    await reader.readexactly(len(PREFACE))
    writer.write(frame(SETTINGS))
    while True:
        head = await reader.readexactly(9)
        length, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
        stream = int.from_bytes(head[5:], "big") & 0x7FFFFFFF
        payload = await reader.readexactly(length)
        if kind in (SETTINGS, PING) and not flags & ACK:
            writer.write(frame(kind, ACK, 0, payload if kind == PING else b""))
        if kind == HEADERS and how in ANSWERS:
            answer, its_flags, text = ANSWERS[how]
            writer.write(frame(answer, its_flags, stream, text))


async def serve(address: str, port: int, how: str) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError), contextlib.closing(writer):
            if how == "hang":
                while await reader.read(65536):
                    pass
            else:
                await speak(reader, writer, how)

    await asyncio.start_server(connected, address, port)
    await asyncio.Event().wait()


def stay_unheard(address: str, port: int) -> None:
    """The queue of a listener with backlog 0 holds one connection; two more of our own see that it stays full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server((address, port), backlog=0))
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        signal.pause()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listen", required=True, metavar="IP:PORT")
    parser.add_argument("--how", required=True, choices=("503", "reset", "hang", "mute", "unheard"))
    options = parser.parse_args()
    address, _, port = options.listen.rpartition(":")
    if options.how == "unheard":
        stay_unheard(address, int(port))
    else:
        asyncio.run(serve(address, int(port), options.how))


if __name__ == "__main__":
    main()
