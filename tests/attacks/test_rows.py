"""Attempts on the rows: raw SQL by a tenant's session, the sweep's, the gate's and the login."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.attacks.scene import OF_TENANT, Scene

SCOPE = "NULLIF(current_setting('app.scope'::text, true), ''::text)"
# What the narrow doors are for, beside looking: each changes these tables and no others.
CHANGED = {
    "operator": {"tenants", "api_keys", "key_rotations"},
    "holder": {"bots"},
    "purge": {"audit_log"},
}
POLICIES = {"wall", "sweep", "gate", *CHANGED}
ROLES = ("meetbot_tenant", *(f"meetbot_{name}" for name in sorted(POLICIES - {"wall"})))
LEAST_FILLED = 18  # tables of which the scene holds rows
UNGUESSABLE = {"id", "key_hash", "state_hash", "token_hash"}
# Nothing that is told or held is a time or a flag; an id says nothing of what it names.
SWEPT_TEXTS = {"state", "status", "retention_days", "version_num"}

Rows = list[tuple[Any, ...]]


class Sql:
    """A login's connection, on which a role and a scope can be taken; all is undone in the end."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection

    def become(self, role: str, scope: str) -> "Sql":
        self._connection.rollback()
        taken = "select set_config('role', %s, true), set_config('app.scope', %s, true)"
        self._connection.execute(taken, (role, scope))
        return self

    def ask(self, statement: str, *given: object) -> Rows:
        """Run one statement; what it did is undone, whether or not it was refused."""
        with self._connection.transaction(force_rollback=True):
            found = self._connection.execute(statement.encode(), given)
            return found.fetchall() if found.description else []

    def changed(self, statement: str) -> int:
        with self._connection.transaction(force_rollback=True):
            return self._connection.execute(statement.encode()).rowcount

    def refusal(self, statement: str, *given: object) -> str:
        """Return the words in which a statement is refused."""
        with pytest.raises(psycopg.Error) as refused:
            self.ask(statement, *given)
        return str(refused.value).splitlines()[0]


@pytest.fixture
def login(scene: Scene, scene_database: str) -> Iterator[Sql]:
    del scene
    with psycopg.connect(scene_database) as connection:
        yield Sql(connection)
        connection.rollback()


@pytest.fixture
def mallory(scene: Scene, login: Sql) -> Sql:
    return login.become("meetbot_tenant", scene.mallory.tenant_id)


def one_of(login: Sql, scene: Scene, table: str, column: str = "id") -> Any:
    """Return a value of Acme's; Mallory is the login's again afterwards."""
    login.become("meetbot_tenant", scene.acme.tenant_id)
    (found,) = login.ask(f"select {column} from {table} limit 1")  # noqa: S608 - our names
    login.become("meetbot_tenant", scene.mallory.tenant_id)
    return found[0]


def test_a_query_without_a_filter_reads_a_tenants_own_rows_of_every_table(
    scene: Scene, mallory: Sql
) -> None:
    seen = {table: mallory.ask(f"select distinct tenant_id from {table}") for table in OF_TENANT}  # noqa: S608

    assert {row for rows in seen.values() for row in rows} == {(scene.mallory.tenant_id,)}
    assert len([table for table, rows in seen.items() if rows]) > LEAST_FILLED
    assert mallory.ask("select id from tenants") == [(scene.mallory.tenant_id,)]


def test_an_update_or_delete_without_a_filter_reaches_no_other_tenants_rows(
    scene: Scene, mallory: Sql
) -> None:
    for table in OF_TENANT:
        (own,) = mallory.ask(f"select count(*) from {table}")  # noqa: S608
        named = f"tenant_id = '{scene.acme.tenant_id}'"
        for statement, most in (
            (f"update {table} set tenant_id = tenant_id", own[0]),  # noqa: S608
            (f"delete from {table} where {named}", 0),  # noqa: S608
        ):
            try:
                assert mallory.changed(statement) == most, statement
            except psycopg.errors.InsufficientPrivilege:  # some are never changed, or never removed
                continue


@pytest.mark.parametrize("table", OF_TENANT)
def test_a_row_can_neither_be_given_to_another_tenant_nor_written_in_its_name(
    scene: Scene, mallory: Sql, table: str
) -> None:
    written = mallory.refusal(f"insert into {table} (tenant_id) values (%s)", scene.acme.tenant_id)  # noqa: S608

    assert "row-level security" in written or "permission denied" in written
    if mallory.ask(f"select 1 from {table} limit 1"):  # noqa: S608
        given = mallory.refusal(f"update {table} set tenant_id = %s", scene.acme.tenant_id)  # noqa: S608
        assert "row-level security" in given or "permission denied" in given


@pytest.mark.parametrize(
    "scope", ["", "%", "*", "null", "ten_", "{acme},{mallory}", "{acme}' or true --", " {acme}"]
)
def test_a_scope_that_is_no_tenants_id_shows_no_row(scene: Scene, login: Sql, scope: str) -> None:
    written = scope.format(acme=scene.acme.tenant_id, mallory=scene.mallory.tenant_id)
    login.become("meetbot_tenant", written)

    for table in OF_TENANT:
        assert login.ask(f"select 1 from {table} limit 1") == [], table  # noqa: S608


def test_a_scope_is_gone_for_the_next_transaction_on_the_same_connection(
    scene: Scene, scene_database: str
) -> None:
    with psycopg.connect(scene_database) as connection:
        Sql(connection).become("meetbot_tenant", scene.acme.tenant_id)
        connection.commit()

        found = connection.execute("select current_user, current_setting('app.scope', true)")

        role, scope = found.fetchone() or ("", "")
        assert (role, scope) == (connection.info.user, "")


@pytest.mark.parametrize("table", [*OF_TENANT, "tenants"])
def test_the_login_reads_no_table_without_taking_a_role(login: Sql, table: str) -> None:
    assert "permission denied" in login.refusal(f"select 1 from {table}")  # noqa: S608
    assert "permission denied" in login.refusal(f"delete from {table}")  # noqa: S608


@pytest.mark.parametrize(
    "statement",
    [
        "set role postgres",
        "set role meetbot_owner",
        "set role pg_read_all_data",
        "set role pg_write_all_data",
        "set role pg_execute_server_program",
        "set session authorization meetbot_owner",
        "set session authorization postgres",
        "alter role meetbot_tenant bypassrls",
        "alter role current_user superuser",
        "create role mallory superuser login",
        "grant meetbot_operator to meetbot_tenant",
    ],
)
def test_a_session_cannot_become_somebody_who_may_more(mallory: Sql, statement: str) -> None:
    words = mallory.refusal(statement)

    assert any(reason in words for reason in ("permission denied", "must be", "does not exist"))


@pytest.mark.parametrize(
    "statement",
    [
        "alter table events disable row level security",
        "alter table events no force row level security",
        "drop policy wall on events",
        "create policy mine on events using (true)",
        "alter policy wall on events using (true)",
        "truncate events",
        "drop table events",
        "alter table events owner to meetbot_tenant",
        "create table public.mine (x int)",
        "create view public.mine as select * from events",
        "create function public.mine() returns int language sql security definer as 'select 1'",
        "create rule mine as on select to events do instead select 1",
        "create trigger mine before insert on events execute function suppress_redundant_updates_trigger()",  # noqa: E501
        "create extension dblink",
        "create extension file_fdw",
    ],
)
def test_a_session_cannot_change_what_guards_the_rows(mallory: Sql, statement: str) -> None:
    words = mallory.refusal(statement)

    assert any(reason in words for reason in ("permission denied", "must be", "not available"))


def test_row_security_turned_off_by_the_session_itself_shows_nothing(mallory: Sql) -> None:
    with mallory._connection.transaction(force_rollback=True):
        mallory._connection.execute("set local row_security = off")

        assert "row-level security" in mallory.refusal("select * from events")


@pytest.mark.parametrize(
    "statement",
    [
        "copy (select * from events) to program 'cat'",
        "copy events to '/tmp/events'",
        "copy events from '/etc/passwd'",
        "copy events from program 'cat'",
        "select pg_read_file('/etc/passwd')",
        "select pg_ls_dir('.')",
        "select lo_import('/etc/passwd')",
    ],
)
def test_the_server_neither_reads_files_nor_runs_programs_for_a_session(
    mallory: Sql, statement: str
) -> None:
    words = mallory.refusal(statement)

    assert any(reason in words for reason in ("permission denied", "must be", "not supported"))


def test_a_copy_out_carries_no_other_tenants_rows(scene: Scene, mallory: Sql) -> None:
    for table in OF_TENANT:
        with mallory._connection.cursor().copy(f"copy {table} to stdout".encode()) as lines:
            told = b"".join(bytes(line) for line in lines).decode()

        assert scene.acme.tenant_id not in told, table


def test_a_function_of_the_sessions_own_sees_no_row_before_the_wall_does(
    scene: Scene, mallory: Sql
) -> None:
    connection = mallory._connection
    seen: list[str] = []
    connection.add_notice_handler(lambda notice: seen.append(notice.message_primary or ""))
    connection.execute(
        "create function pg_temp.peek(text) returns bool language plpgsql cost 0.0000001"
        " as $$ begin raise notice '%', $1; return true; end $$"
    )
    for table in OF_TENANT:
        connection.execute(f"select 1 from {table} where pg_temp.peek(tenant_id)".encode())  # noqa: S608

    assert set(seen) == {scene.mallory.tenant_id}


def test_statistics_of_the_tables_do_not_tell_what_they_hold(scene: Scene, mallory: Sql) -> None:
    del scene
    told = mallory.ask("select tablename from pg_stats where schemaname = 'public'")

    assert {table for (table,) in told} & {*OF_TENANT, "tenants"} == set()


def test_what_other_sessions_are_doing_does_not_show_their_tenants(
    scene: Scene, mallory: Sql
) -> None:
    told = repr(mallory.ask("select query from pg_stat_activity"))

    assert scene.acme.tenant_id not in told


def test_a_reference_to_another_tenants_row_does_not_tell_that_it_exists(
    scene: Scene, mallory: Sql
) -> None:
    references = mallory.ask(
        "select c.conrelid::regclass::text, c.confrelid::regclass::text, a.attname::text"
        " from pg_constraint c"
        " join pg_attribute a on a.attrelid = c.conrelid and a.attnum = any(c.conkey)"
        " where c.contype = 'f' and a.attname <> 'tenant_id' and c.confrelid <> 'tenants'::regclass"
    )
    assert references
    for table, target, column in references:
        theirs = one_of(mallory, scene, target)
        answers = {
            mallory.refusal(
                f"update {table} set {column} = %s"  # noqa: S608
                f" where ctid = (select ctid from {table} limit 1)",
                name,
            )
            for name in (theirs, theirs[:-4] + "zzzz")
        }
        assert len(answers) == 1, (table, column, answers)


def test_no_reference_leaves_the_tenant_out(mallory: Sql) -> None:
    loose = mallory.ask(
        "select c.conname::text from pg_constraint c where c.contype = 'f'"
        " and c.confrelid <> 'tenants'::regclass and not ("
        " (select attnum from pg_attribute where attrelid = c.conrelid and attname = 'tenant_id')"
        " = any(c.conkey) and (select attnum from pg_attribute where attrelid = c.confrelid"
        " and attname = 'tenant_id') = any(c.confkey))"
    )

    assert loose == []


def test_a_name_that_can_be_guessed_is_unique_within_its_tenant_alone(mallory: Sql) -> None:
    unique = mallory.ask(
        "select i.indrelid::regclass::text, i.indexrelid::regclass::text,"
        " array(select a.attname::text from pg_attribute a where a.attrelid = i.indrelid"
        " and a.attnum = any(i.indkey)) from pg_index i"
        " join pg_class c on c.oid = i.indrelid"
        " where i.indisunique and c.relnamespace = 'public'::regnamespace"
    )
    # Without the tenant, one column at least is an id or a hash of ours, which nobody guesses.
    guessable = [
        index
        for table, index, columns in unique
        if table in OF_TENANT
        and "tenant_id" not in columns
        and not any(c in UNGUESSABLE or c.endswith("_id") for c in columns)
    ]

    assert guessable == []


def test_a_sweep_reads_no_column_but_ids_and_due_times(login: Sql) -> None:
    readable = login.ask(
        "select c.relname::text, a.attname::text, format_type(a.atttypid, null), coalesce(k.key, false)"  # noqa: E501
        " from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0"
        " and not a.attisdropped"
        " left join lateral (select true as key from pg_constraint f where f.conrelid = c.oid"
        " and f.contype in ('p', 'f') and a.attnum = any(f.conkey) limit 1) k on true"
        " where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm')"
        " and has_column_privilege('meetbot_sweep', c.oid, a.attnum, 'select')"
    )
    too_much = [
        f"{table}.{column}"
        for table, column, kind, is_key in readable
        if not (
            (is_key and (column == "id" or column.endswith("_id")))
            or kind in ("timestamp with time zone", "boolean")
            or column in SWEPT_TEXTS
        )
    ]

    assert len(readable) > len(OF_TENANT)
    assert too_much == []


def test_a_sweep_and_a_gate_write_nowhere(login: Sql) -> None:
    may = login.ask(
        "select r.rolname::text, c.relname::text, p.kind from pg_roles r, pg_class c,"
        " (values ('insert'), ('update'), ('references')) p(kind)"
        " where r.rolname in ('meetbot_sweep', 'meetbot_gate')"
        " and c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'S')"
        " and (case when c.relkind = 'S' then has_sequence_privilege(r.oid, c.oid, 'update')"
        " else has_any_column_privilege(r.oid, c.oid, p.kind)"
        " or has_table_privilege(r.oid, c.oid, 'delete, truncate, trigger') end)"
    )

    assert may == []


def test_the_gate_opens_for_no_name_but_a_rows_own(scene: Scene, login: Sql) -> None:
    gated = login.ask(
        "select polrelid::regclass::text from pg_policy where polname = 'gate'"
        " and polrelid <> 'tenants'::regclass order by 1"  # which tenants are closing, it may know
    )
    assert gated
    for scope in ("", "%", "_", "00", scene.acme.tenant_id, "' or true --"):
        login.become("meetbot_gate", scope)
        for (table,) in gated:
            try:
                found = login.ask(f"select tenant_id from {table}")  # noqa: S608
            except psycopg.errors.InvalidParameterValue:  # no hexadecimal number
                found = []
            assert found == [], (scope, table)


def test_every_table_of_a_tenants_has_the_wall_forced_for_reading_and_writing_alike(
    mallory: Sql,
) -> None:
    tables = mallory.ask(
        "select c.relname::text, c.relrowsecurity, c.relforcerowsecurity from pg_class c"
        " where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')"
        " and exists (select 1 from pg_attribute a where a.attrelid = c.oid"
        " and a.attname = 'tenant_id')"
    )
    walls = mallory.ask(
        "select tablename::text, permissive, roles::text[], cmd, qual, with_check"
        " from pg_policies where policyname = 'wall' and schemaname = 'public'"
    )
    exact = {
        (t, "PERMISSIVE", ("meetbot_tenant",), "ALL", f"(tenant_id = {SCOPE})") for t in OF_TENANT
    } | {("tenants", "PERMISSIVE", ("meetbot_tenant",), "ALL", f"(id = {SCOPE})")}

    assert {name for name, *_ in tables} == set(OF_TENANT)
    assert all(on and forced for _, on, forced in tables), tables
    assert {(t, p, tuple(r), c, q) for t, p, r, c, q, _ in walls} == exact
    assert all(q == w for *_, q, w in walls)


def test_no_policy_beside_the_wall_lets_a_tenant_or_everybody_through(mallory: Sql) -> None:
    others = mallory.ask(
        "select tablename::text, policyname::text, roles::text[], cmd from pg_policies"
        " where schemaname = 'public' and policyname <> 'wall'"
    )

    assert {name for _, name, _, _ in others} <= POLICIES
    for table, name, roles, command in others:
        assert roles == [f"meetbot_{name}"], table
        assert command == "SELECT" or table in CHANGED.get(name, set()), table


def test_no_role_of_ours_owns_anything_or_passes_through_walls(mallory: Sql) -> None:
    login = mallory._connection.info.user
    mighty = mallory.ask(
        "select rolname::text from pg_roles where rolname = any(%s)"
        " and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication)",
        [*ROLES, login],
    )
    owned = mallory.ask(
        "select relname::text from pg_class c join pg_roles r on r.oid = c.relowner"
        " where r.rolname = any(%s) and c.relnamespace = 'public'::regnamespace",
        [*ROLES, login],
    )
    members = mallory.ask(
        "select r.rolname::text, m.rolname::text from pg_auth_members a"
        " join pg_roles r on r.oid = a.roleid join pg_roles m on m.oid = a.member"
        " where m.rolname = any(%s)",
        [*ROLES, login],
    )

    assert (mighty, owned) == ([], [])
    assert set(members) == {(role, login) for role in ROLES}


def test_nothing_runs_with_its_owners_rights_or_belongs_to_everybody(mallory: Sql) -> None:
    behind = mallory.ask(
        "select proname::text from pg_proc where pronamespace = 'public'::regnamespace"
        " and prosecdef union all select relname::text from pg_class"
        " where relnamespace = 'public'::regnamespace and relkind in ('v', 'm')"
        " and not coalesce(reloptions::text like '%%security_invoker=true%%', false)"
    )
    everybodys = mallory.ask(
        "select c.relname::text from pg_class c, aclexplode(c.relacl) x"
        " where c.relnamespace = 'public'::regnamespace and x.grantee = 0"
    )
    sequences = mallory.ask(
        "select relname::text from pg_class where relnamespace = 'public'::regnamespace"
        " and relkind = 'S'"  # a counter of all tenants' tells each how busy the others are
    )

    assert (behind, everybodys, sequences) == ([], [], [])


def test_the_operators_session_reads_no_key_and_no_event(login: Sql) -> None:
    login.become("meetbot_operator", "")

    assert "permission denied" in login.refusal("select key_hash from api_keys")
    assert "permission denied" in login.refusal("select * from events")


def test_what_is_written_in_the_audit_log_can_neither_be_changed_nor_removed(mallory: Sql) -> None:
    assert "permission denied" in mallory.refusal("update audit_log set actor = 'nobody'")
    assert "permission denied" in mallory.refusal("delete from audit_log")
    assert "permission denied" in mallory.refusal("truncate audit_log")
