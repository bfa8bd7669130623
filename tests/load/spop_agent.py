#!/usr/bin/python3
"""An SPOE agent that is not well. HAProxy's health checks it answers as long as it answers HELLO at all.

  mute        never answers HELLO
  version     answers HELLO with a version that nobody speaks
  hang        answers HELLO, and never a message
  slow        acknowledges each message 50 ms late, which is later than `timeout processing`
  garbage     answers messages with bytes that are no frames
  liar        answers messages with the head of a frame of 2 GB
  stranger    acknowledges messages that were never sent
  half        answers messages with half a frame, and closes
  close       closes as a message comes
  disconnect  answers messages with AGENT-DISCONNECT 13, out of resources

At SIGTERM it says how many messages it was told.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import socket
import struct

HAPROXY_HELLO, NOTIFY, AGENT_HELLO, AGENT_DISCONNECT, ACK = 1, 3, 101, 102, 103
FIN = b"\x00\x00\x00\x01"
NO_IDS = b"\x00\x00"
MAX_FRAME_SIZE = b"\x03\xfc\xf0\x06"  # 16380, as HAProxy's own
WAYS = ("mute", "version", "hang", "slow", "garbage", "liar", "stranger", "half", "close", "disconnect")


def text(value: str) -> bytes:
    return bytes([len(value)]) + value.encode()


def frame(kind: int, ids: bytes, payload: bytes) -> bytes:
    body = bytes([kind]) + FIN + ids + payload
    return struct.pack("!I", len(body)) + body


def hello(version: str) -> bytes:
    return frame(AGENT_HELLO, NO_IDS, text("version") + b"\x08" + text(version) + text("max-frame-size") +
                 MAX_FRAME_SIZE + text("capabilities") + b"\x08" + text("pipelining"))


def disconnect(status: int, message: str) -> bytes:
    return frame(AGENT_DISCONNECT, NO_IDS, text("status-code") + b"\x03" + bytes([status]) + text("message") +
                 b"\x08" + text(message))


def after_varint(body: bytes, at: int) -> int:
    if body[at] < 240:
        return at + 1
    at += 1
    while body[at] >= 128:
        at += 1
    return at + 1


def ids_of(body: bytes) -> bytes:
    """Stream and frame, as they were sent."""
    return body[5:after_varint(body, after_varint(body, 5))]


class Agent:
    def __init__(self, how: str) -> None:
        self.how, self.told = how, 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError), contextlib.closing(writer):
            goes_on = True
            while goes_on:
                length, = struct.unpack("!I", await reader.readexactly(4))
                goes_on = await self.answer(await reader.readexactly(length), writer)

    async def answer(self, body: bytes, writer: asyncio.StreamWriter) -> bool:
        """False: the connection is over."""
        if body[0] == HAPROXY_HELLO:
            if self.how != "mute":
                writer.write(hello("1.0" if self.how == "version" else "2.0"))
                await writer.drain()
            return b"healthcheck" not in body
        if body[0] != NOTIFY:
            return False
        self.told += 1
        if self.how == "slow":
            await asyncio.sleep(0.05)
        writer.write(self.reply(frame(ACK, ids_of(body), b"")))
        await writer.drain()
        return self.how not in ("half", "close", "disconnect")

    def reply(self, right: bytes) -> bytes:
        return {"slow": right, "garbage": b"\x00\x00\x00\x20" + bytes(range(200, 232)),
                "liar": b"\x7f\xff\xff\xff" + right[4:], "stranger": frame(ACK, b"\xe1\xe1", b""),
                "half": right[:len(right) // 2], "disconnect": disconnect(13, "resources")}.get(self.how, b"")


def listen(place: str) -> socket.socket:
    """abns@NAME: as HAProxy connects to it, the name fills all of sun_path."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(b"\0" + place.removeprefix("abns@").encode().ljust(107, b"\0"))
    listener.listen(64)
    return listener


async def run(place: str, how: str) -> None:
    agent, stop = Agent(how), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await asyncio.start_unix_server(agent.serve, sock=listen(place))
    await stop.wait()
    print(f"told {agent.told}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listen", required=True, metavar="abns@NAME")
    parser.add_argument("--how", required=True, choices=WAYS)
    options = parser.parse_args()
    asyncio.run(run(options.listen, options.how))


if __name__ == "__main__":
    main()
