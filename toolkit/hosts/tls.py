"""TLS spoken in place of a client on this machine that knows neither the server's name nor its authority."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_CHUNK = 65536
_TIMEOUT = 10
"""Seconds for a handshake."""


def refused(port: int, name: str, context: ssl.SSLContext) -> str:
    """Why the server behind a port of this machine is not the one of that name; "" when it is.

    Raises:
        OSError: nobody answers there.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT) as plain:
        try:
            context.wrap_socket(plain, server_hostname=name).close()
        except ssl.SSLCertVerificationError as error:
            return error.verify_message
    return ""


@contextmanager
def without_tls(port: int, name: str, context: ssl.SSLContext) -> Iterator[int]:
    """A port on 127.0.0.1 for plain connections, each of which goes on with TLS.

    Args:
        port: where the server is reached on this machine.
        name: what its certificate has to prove.
    """

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The client sees that the connection is closed; Python 3.11 reports a task that was cancelled.
        with suppress(OSError, asyncio.CancelledError):
            there, back = await asyncio.open_connection(
                "127.0.0.1", port, ssl=context, server_hostname=name
            )
            ways = [asyncio.ensure_future(_copy(reader, back)),
                    asyncio.ensure_future(_copy(there, writer))]  # fmt: skip
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            back.close()
        writer.close()

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(handle, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        with suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(_end(), loop).result(2)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(2)


async def _end() -> None:
    """End all connections."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(_CHUNK):
            target.write(data)
            await target.drain()
