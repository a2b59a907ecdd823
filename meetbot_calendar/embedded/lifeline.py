"""Starts one program that dies with its parent: a script of its own, run before ``exec``.

``lifeline.py PARENT SIGNAL UID GID FOLDER PROGRAM ARGUMENT...``. It imports the standard library
alone, so that it runs with ``-I -S`` and takes little time. The death signal is asked for last:
the kernel forgets it when a process changes its user. It is sent when the thread that started
this process ends, so start it from the main thread.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Become the given user in the given folder, tie the knot, become the program."""
    parent, death_signal, uid, gid = (int(word) for word in sys.argv[1:5])
    folder, *program = sys.argv[5:]
    os.chdir(folder)
    os.umask(0o077)
    if uid != os.geteuid():
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the parent ended before this program began")
    os.execv(program[0], program)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
