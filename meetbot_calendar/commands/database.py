"""Says whether a given PostgreSQL is one that we can work with."""

import psycopg
from psycopg.conninfo import conninfo_to_dict

from meetbot_calendar.embedded.trouble import CannotStart

_OLDEST = 15
_ROLES = (
    "meetbot_tenant",
    "meetbot_sweep",
    "meetbot_operator",
    "meetbot_gate",
    "meetbot_holder",
)


def check_database(url: str, name: str = "MEETBOT_DATABASE_URL") -> str:
    """Return what it is, such as ``PostgreSQL 18.4``. Raises ``CannotStart``.

    ``name`` is the setting that holds the URL. Its password never gets into an error.
    """
    with _connect(url, name) as connection:
        version = connection.info.server_version
        if version < _OLDEST * 10_000:
            cause = f"{name} is a PostgreSQL {version // 10_000}, which is too old"
            raise CannotStart(cause, f"give a PostgreSQL {_OLDEST} or newer")
        if (encoding := connection.info.parameter_status("server_encoding")) != "UTF8":
            cause = f"the database in {name} stores text as {encoding}"
            raise CannotStart(cause, "make it with encoding UTF8")
        return f"PostgreSQL {connection.info.parameter_status('server_version')}"


def check_owner(url: str, name: str) -> None:
    """Raise ``CannotStart`` unless this login may migrate: make tables, and roles if needed."""
    with _connect(url, name) as connection:
        row = connection.execute(
            "select has_database_privilege(current_database(), 'create')"
            " and has_schema_privilege('public', 'create'),"
            " (select rolcreaterole or rolsuper from pg_roles where rolname = current_user)"
            " or (select count(*) from pg_roles where rolname = any(%s)"
            " and pg_has_role(current_user, oid, 'member')) = %s,"
            " current_user, current_database()",
            [list(_ROLES), len(_ROLES)],
        ).fetchone()
    if row is None:
        return
    may_make_tables, has_roles, user, database = row
    if not may_make_tables:
        cause = f"{user} may not make tables in the database {database}"
        raise CannotStart(cause, f"run: alter database {database} owner to {user}")
    if not has_roles:
        cause = f"{user} may not make the roles that wall tenants apart"
        raise CannotStart(cause, f"run as a superuser: alter role {user} createrole")


def login_of(url: str) -> str:
    """Return the role that a database URL logs in as."""
    return str(conninfo_to_dict(url).get("user") or "")


def _connect(url: str, name: str) -> psycopg.Connection:
    try:
        return psycopg.connect(url, connect_timeout=5, autocommit=True)
    except psycopg.OperationalError as error:
        reason = str(error).strip().splitlines()[0]
        raise CannotStart(
            f"the database in {name} does not answer: {reason}", _remedy(reason)
        ) from None
    except psycopg.ProgrammingError:
        # libpq quotes the address it cannot read, and that holds the password.
        cause = f"the address in {name} cannot be read"
        raise CannotStart(cause, "give postgresql://user:password@host:5432/database") from None


def _remedy(reason: str) -> str:
    if "password authentication failed" in reason:
        return "correct the user or the password"
    if "does not exist" in reason:
        return "create it, or correct its name"
    return "start it, or correct its address"
