"""Ports of this computer for servers that tests start: kept for them, and waited for."""

import contextlib
import socket
import time


@contextlib.contextmanager
def kept_port():
    """One that nobody else is given, whoever asks for any: bound, not listened at. A server may, as often as it likes.

    For that both must have SO_REUSEADDR, which servers have.
    """
    with socket.socket() as kept:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.bind(("127.0.0.1", 0))
        yield kept.getsockname()[1]


def listened_at(port, process, seconds=300):
    """Wait until the process listens there; a busy computer takes its time."""
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        assert process.poll() is None, f"it ended with {process.returncode}"
        assert time.monotonic() < end, f"nobody listens at {port}"
        time.sleep(0.05)
