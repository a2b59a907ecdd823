"""Which local ports are free, and who holds one that is not."""

import random
import socket
import time
from pathlib import Path

_LISTENING = "0A"
# Below 32768, where Linux begins to take ports for outgoing connections (ip_local_port_range):
# while a server of ours is down, a client that calls it cannot be given the server's own port.
_OURS = range(20_000, 32_768)
_TRIES = 50
_PATIENCE = 1.0  # seconds for which a killed server's port may outlive what is seen of it
_STEP = 0.02


def is_free(host: str, port: int) -> bool:
    """Say whether a server could listen here now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind((host, port))
            door.listen(1)
        except OSError:
            return False
    return True


def free_port(wanted: int = 0) -> int:
    """Return ``wanted`` if it is free on 127.0.0.1, or else another port that is."""
    for port in (wanted, *random.sample(_OURS, _TRIES)):
        if port and is_free("127.0.0.1", port):
            return port
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])


def same_port(remembered: int) -> int:
    """Return the remembered port, or another if somebody else holds it for good.

    Linux closes the sockets of a killed process after it has let go of the folder by which
    ``vacate`` knows it, so the port of a server that has just been killed is waited for.
    """
    deadline = time.monotonic() + _PATIENCE
    while remembered and not is_free("127.0.0.1", remembered) and time.monotonic() < deadline:
        time.sleep(_STEP)
    return free_port(remembered)


def holder(port: int) -> str:
    """Name the process that listens on a port, as far as we may see it."""
    inodes = _listening_inodes(port)
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            target = str(link.readlink())
        except OSError:
            continue
        if target.removeprefix("socket:[").removesuffix("]") in inodes:
            process = link.parents[1]
            return f"{(process / 'comm').read_text().strip()} (process {process.name})"
    return "another program"


def _listening_inodes(port: int) -> set[str]:
    """Read the kernel's table of TCP sockets: address in column 1, state in 3, inode in 9."""
    found: set[str] = set()
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        lines = table.read_text().splitlines()[1:] if table.exists() else []
        for columns in map(str.split, lines):
            if columns[3] == _LISTENING and int(columns[1].rpartition(":")[2], 16) == port:
                found.add(columns[9])
    return found
