"""Vault by its double and, where one is given, a real one: what each principal may, and trouble."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tenants.secrets.key_provider import KeyServiceDown, KeyServiceRefused, TenantKey
from tenants.secrets.vault import VaultKeys, VaultLogin
from tests.loopback import Heard, listening, says
from tests.vault.double import ROOT_TOKEN, Vault, running_vault
from tests.vault.hands import Hands, a_tenant, a_vault, content, grant, in_hands
from tests.vault.refusals import BAD_TOKEN, FORBIDDEN
from tests.vault.set_up import SetUp, set_up
from tests.vault.transit import Transit

ROOT = VaultLogin(token=ROOT_TOKEN)
PRINCIPALS = ("api", "worker", "rotation")


@pytest.fixture(params=["double", "real"])
def ready(request: pytest.FixtureRequest) -> Iterator[SetUp]:
    with a_vault(request.param) as given:
        yield given


@pytest.fixture
async def hands(ready: SetUp) -> AsyncIterator[Hands]:
    async with in_hands(ready) as given:
        yield given


@pytest.fixture
def vault() -> Iterator[Vault]:
    """The double, with an engine."""
    with running_vault() as running:
        set_up(running.url, ROOT_TOKEN)
        running.asked.clear()
        yield running


@asynccontextmanager
async def keys_at(url: str, login: VaultLogin, **given: Any) -> AsyncIterator[VaultKeys]:
    keys = VaultKeys(url, login, **given)
    try:
        yield keys
    finally:
        await keys.close()


async def test_the_api_seals_grants_and_cannot_open_them(hands: Hands) -> None:
    name = grant(a_tenant("ana"))
    await hands.api.create(name)

    made = await hands.api.generate(name)

    with pytest.raises(KeyServiceRefused):
        await hands.api.unwrap(name, made.wrapped)
    assert await hands.worker.unwrap(name, made.wrapped) == made.plaintext


async def test_the_login_itself_tells_whether_it_opens_grants(ready: SetUp) -> None:
    name = grant(a_tenant("ana"))
    answers = []
    for principal in PRINCIPALS:
        async with keys_at(ready.url, ready.logins[principal]) as keys:
            answers.append(await keys.may_open(name))

    assert answers == [False, True, False]


# Each line: who, what they try, and how it ends. Under each principal's own token, by raw HTTP.
TRIES: list[tuple[str, str, str, dict[str, Any], int]] = [
    ("api", "POST", "transit/decrypt/meetbot-grant-{t}", {"ciphertext": "{wrapped}"}, 403),
    ("api", "POST", "transit/rewrap/meetbot-grant-{t}", {"ciphertext": "{wrapped}"}, 403),
    ("api", "POST", "transit/encrypt/meetbot-{t}", {"plaintext": "aGk="}, 403),
    ("api", "POST", "transit/encrypt/meetbot-gone", {"plaintext": "aGk="}, 403),
    ("api", "GET", "transit/export/encryption-key/meetbot-{t}", {}, 403),
    ("api", "GET", "transit/backup/meetbot-{t}", {}, 403),
    ("api", "POST", "transit/keys/meetbot-{t}/rotate", {}, 403),
    ("api", "POST", "transit/keys/meetbot-{t}/config", {"exportable": True}, 403),
    ("api", "POST", "transit/keys/meetbot-{t}/config", {"deletion_allowed": True}, 403),
    ("api", "DELETE", "transit/keys/meetbot-{t}", {}, 403),
    ("api", "POST", "transit/keys/meetbot-{t}", {"type": "rsa-2048"}, 403),
    ("api", "POST", "transit/keys/meetbot-{t}", {"exportable": True}, 403),
    ("api", "GET", "transit/keys/meetbot-{t}", {}, 403),
    ("api", "POST", "transit/datakey/plaintext/other", {}, 403),
    ("api", "POST", "transit/datakey/wrapped/meetbot-grant-{t}", {}, 403),
    ("api", "PUT", "sys/policies/acl/meetbot-api", {"policy": ""}, 403),
    ("worker", "POST", "transit/encrypt/meetbot-{t}", {"plaintext": "aGk="}, 403),
    ("worker", "POST", "transit/encrypt/meetbot-gone", {"plaintext": "aGk="}, 403),
    ("worker", "POST", "transit/keys/meetbot-gone", {"type": "aes256-gcm96"}, 403),
    ("worker", "POST", "transit/keys/meetbot-{t}/config", {"min_decryption_version": 1}, 403),
    ("worker", "POST", "transit/keys/meetbot-{t}/config", {"deletion_allowed": False}, 403),
    (
        "worker", "POST", "transit/keys/meetbot-{t}/config",
        {"deletion_allowed": True, "exportable": True}, 403,
    ),
    ("worker", "POST", "transit/keys/meetbot-{t}/config", {}, 403),
    ("worker", "GET", "transit/export/encryption-key/meetbot-{t}", {}, 403),
    ("worker", "POST", "transit/keys/meetbot-{t}/rotate", {}, 403),
    ("worker", "POST", "transit/decrypt/other", {"ciphertext": "{wrapped}"}, 403),
    ("rotation", "POST", "transit/decrypt/meetbot-{t}", {"ciphertext": "{wrapped}"}, 403),
    ("rotation", "POST", "transit/decrypt/meetbot-grant-{t}", {"ciphertext": "{wrapped}"}, 403),
    ("rotation", "POST", "transit/datakey/plaintext/meetbot-{t}", {}, 403),
    ("rotation", "POST", "transit/encrypt/meetbot-gone", {"plaintext": "aGk="}, 403),
    ("rotation", "POST", "transit/keys/meetbot-gone", {"type": "aes256-gcm96"}, 403),
    ("rotation", "POST", "transit/keys/meetbot-{t}/config", {"deletion_allowed": True}, 403),
    (
        "rotation", "POST", "transit/keys/meetbot-{t}/config",
        {"min_decryption_version": 1, "exportable": True}, 403,
    ),
    ("rotation", "DELETE", "transit/keys/meetbot-{t}", {}, 403),
    ("api", "POST", "transit/decrypt/meetbot-{t}", {"ciphertext": "{own}"}, 200),
    ("worker", "POST", "transit/decrypt/meetbot-grant-{t}", {"ciphertext": "{wrapped}"}, 200),
    ("worker", "POST", "transit/datakey/plaintext/meetbot-grant-{t}", {}, 200),
    ("rotation", "POST", "transit/rewrap/meetbot-grant-{t}", {"ciphertext": "{wrapped}"}, 200),
]  # fmt: skip


async def test_each_principal_is_let_do_its_own_work_and_no_more(
    ready: SetUp, hands: Hands
) -> None:
    tenant_id = a_tenant("ana")
    for name in (content(tenant_id), grant(tenant_id)):
        await hands.api.create(name)
    wrapped = (await hands.api.generate(grant(tenant_id))).wrapped.decode()
    own = (await hands.api.generate(content(tenant_id))).wrapped.decode()
    tokens = {name: ready.token_of(name) for name in PRINCIPALS}
    ended = []
    for who, method, path, body, wanted in TRIES:
        filled = {
            k: v.format(wrapped=wrapped, own=own) if isinstance(v, str) else v
            for k, v in body.items()
        }
        status, told = ready.ask(method, path.format(t=tenant_id), filled or None, tokens[who])
        ended.append((who, method, path, body, status))
        assert wanted != 403 or told == {"errors": [FORBIDDEN]}

    assert ended == TRIES


async def test_a_destroyed_key_is_brought_back_by_nobodys_sealing(
    ready: SetUp, hands: Hands
) -> None:
    tenant_id = a_tenant("ana")
    await hands.api.create(content(tenant_id))
    await hands.worker.destroy(content(tenant_id))
    name = f"meetbot-{tenant_id}"

    for principal in PRINCIPALS:
        token = ready.token_of(principal)
        ready.ask("POST", f"transit/encrypt/{name}", {"plaintext": "aGk="}, token)
        ready.ask("POST", f"transit/datakey/plaintext/{name}", {}, token)
        ready.ask("POST", f"transit/datakey/wrapped/{name}", {}, token)
        ready.ask("POST", f"transit/keys/{name}/rotate", {}, token)

    assert ready.ask("GET", f"transit/keys/{name}") == (404, {"errors": []})
    as_root = ready.ask("POST", f"transit/encrypt/{name}", {"plaintext": "aGk="})
    assert as_root[0] == 200  # what the policies keep from happening


SAID: list[tuple[str, str, Any, int, list[str]]] = [
    ("POST", "transit/decrypt/{n}", {}, 400, ["missing ciphertext to decrypt"]),
    ("POST", "transit/decrypt/{n}", {"ciphertext": "xx"}, 400, ["invalid ciphertext: no prefix"]),
    (
        "POST", "transit/decrypt/{n}", {"ciphertext": "vault:v9:AAAA"}, 400,
        ["invalid ciphertext: version is too new"],
    ),
    (
        "POST", "transit/decrypt/{n}", {"ciphertext": "vault:vx:AAAA"}, 400,
        ["invalid ciphertext: version number could not be decoded"],
    ),
    (
        "POST", "transit/decrypt/{n}", {"ciphertext": "vault:v1:???"}, 400,
        ["invalid ciphertext: could not decode base64"],
    ),
    (
        "POST", "transit/decrypt/{n}", {"ciphertext": "vault:v1:AAAA"}, 400,
        ["invalid ciphertext length"],
    ),
    (
        "POST", "transit/decrypt/{n}", {"ciphertext": "vault:v1:" + "eHh4" * 20}, 400,
        ["cipher: message authentication failed"],
    ),
    ("POST", "transit/decrypt/none", {"ciphertext": "x"}, 400, ["encryption key not found"]),
    ("POST", "transit/rewrap/none", {"ciphertext": "x"}, 400, ["encryption key not found"]),
    ("POST", "transit/datakey/plaintext/none", {}, 400, ["encryption key not found"]),
    ("POST", "transit/keys/none/rotate", {}, 400, ["key not found"]),
    (
        "POST", "transit/keys/none/config", {"deletion_allowed": True}, 400,
        ["no existing key named none could be found"],
    ),
    (
        "POST", "transit/keys/{n}/config", {"min_decryption_version": 9}, 400,
        ["cannot set min decryption version of 9, latest key version is 1"],
    ),
    ("GET", "transit/keys/none", None, 404, []),
    (
        "DELETE", "transit/keys/{n}", None, 400,
        ["error deleting policy {n}: deletion is not allowed for this key"],
    ),
    (
        "DELETE", "transit/keys/none", None, 400,
        ["error deleting policy none: could not delete key; not found"],
    ),
    ("GET", "transit/nothing", None, 404, ["1 error occurred:\n\t* unsupported path\n\n"]),
    (
        "GET", "no/such/mount", None, 404,
        ['no handler for route "no/such/mount". route entry not found.'],
    ),
    (
        "POST", "sys/mounts/transit", {"type": "transit"}, 400,
        ["path is already in use at transit/"],
    ),
    (
        "PUT", "sys/policies/acl/bad", {"policy": 'path "x" { capabilities = ["fly"] }'}, 400,
        ['failed to parse policy: path "x": invalid capability "fly"'],
    ),
    ("POST", "auth/token/renew-self", {}, 400, ["invalid lease ID"]),
    (
        "POST", "auth/approle/login", {"role_id": "nope", "secret_id": "x"}, 400,
        ["invalid role or secret ID"],
    ),
    (
        "POST", "auth/approle/login", {}, 500,
        ["failed to determine alias name from login request"],
    ),
]  # fmt: skip


async def test_a_real_vault_and_its_double_say_the_same(ready: SetUp, hands: Hands) -> None:
    tenant_id = a_tenant("ana")
    await hands.api.create(content(tenant_id))
    name = f"meetbot-{tenant_id}"

    for method, path, body, status, errors in SAID:
        said = ready.ask(method, path.format(n=name), body)
        assert said == (status, {"errors": [one.format(n=name) for one in errors]}), path


async def test_tokens_are_refused_in_the_same_words(ready: SetUp) -> None:
    token = ready.token_of("worker")
    lookup = ("GET", "auth/token/lookup-self", None)

    before = ready.ask(*lookup, token)[0]
    revoked = ready.ask("POST", "auth/token/revoke-self", {}, token)

    assert (before, revoked) == (200, (204, None))
    for bad in (token, "hvs.nope"):
        assert ready.ask(*lookup, bad) == (403, {"errors": [BAD_TOKEN]})


async def test_a_secret_id_is_good_as_often_as_it_was_made_for(ready: SetUp) -> None:
    role = "auth/approle/role/meetbot-api"
    once = ready.ask("POST", f"{role}/secret-id", {"num_uses": 1})[1]["data"]["secret_id"]
    login = VaultLogin(role_id=ready.logins["api"].role_id, secret_id=once)

    async with keys_at(ready.url, login) as keys, keys_at(ready.url, login) as second:
        await keys.health()
        with pytest.raises(KeyServiceRefused) as raised:
            await second.health()

    assert "used more than once" in raised.value.detail
    assert once not in raised.value.detail
    missing = ready.ask("POST", "auth/approle/login", {"role_id": login.role_id})
    assert missing == (400, {"errors": ["missing secret_id"]})


async def test_a_more_specific_path_beats_one_with_an_early_wildcard(ready: SetUp) -> None:
    policy = """
    path "transit/keys/meetbot-*" { capabilities = ["read"] }
    path "transit/keys/+/rotate" { capabilities = ["update"] }
    """
    ready.ask("PUT", "sys/policies/acl/meetbot-trap", {"policy": policy})
    role = "auth/approle/role/meetbot-trap"
    ready.ask("PUT", role, {"token_policies": "meetbot-trap"})
    role_id = ready.ask("GET", f"{role}/role-id")[1]["data"]["role_id"]
    secret_id = ready.ask("PUT", f"{role}/secret-id", {})[1]["data"]["secret_id"]
    ready.logins["trap"] = VaultLogin(role_id=role_id, secret_id=secret_id)
    ready.ask("POST", "transit/keys/meetbot-trap", {})

    token = ready.token_of("trap")

    assert ready.ask("GET", "transit/keys/meetbot-trap", None, token)[0] == 200
    assert ready.ask("POST", "transit/keys/meetbot-trap/rotate", {}, token)[0] == 403


async def test_a_sealed_vault_may_work_later(ready: SetUp, hands: Hands) -> None:
    if ready.unseal_key is None:
        pytest.skip("a real Vault is sealed only where MEETBOT_TEST_VAULT_UNSEAL_KEY is given")
    name = content(a_tenant("ana"))
    await hands.api.create(name)
    made = await hands.api.generate(name)
    ready.ask("PUT", "sys/seal", {})
    try:
        for ask in (hands.api.health, lambda: hands.api.generate(name)):
            with pytest.raises(KeyServiceDown, match="sealed: unseal it"):
                await ask()
        assert ready.ask("GET", "sys/health")[0] == 503
    finally:
        ready.ask("PUT", "sys/unseal", {"key": ready.unseal_key})

    assert await hands.api.unwrap(name, made.wrapped) == made.plaintext


async def test_a_login_that_was_revoked_is_made_anew(ready: SetUp, hands: Hands) -> None:
    name = content(a_tenant("ana"))
    await hands.api.create(name)
    made = await hands.api.generate(name)
    ready.ask("POST", "auth/token/revoke-self", {}, hands.api._door._vault.token)

    assert await hands.api.unwrap(name, made.wrapped) == made.plaintext


async def test_many_whose_login_was_revoked_log_in_once(vault: Vault) -> None:
    ready = set_up(vault.url, ROOT_TOKEN)
    async with in_hands(ready) as hands:
        names = [content(a_tenant("ana")) for _ in range(8)]
        await asyncio.gather(*(hands.api.create(name) for name in names))
        vault.asked.clear()
        vault.tokens = {ROOT_TOKEN: vault.tokens[ROOT_TOKEN]}

        await asyncio.gather(*(hands.api.generate(name) for name in names))

    assert vault.asked.count("POST auth/approle/login") == 1


async def test_a_login_is_renewed_before_it_ends_and_made_anew_near_its_last(vault: Vault) -> None:
    ready = set_up(vault.url, ROOT_TOKEN)
    vault.roles["meetbot-api"].ttl = vault.roles["meetbot-api"].max_ttl = 100.0
    async with keys_at(ready.url, ready.logins["api"]) as keys:
        await keys.health()
        vault.asked.clear()
        for moment in (10.0, 60.0):
            vault.moment = moment
            keys._door._renew_at = 0.0  # two thirds of its life have passed
            await keys.health()

    assert [one for one in vault.asked if "lookup" not in one] == [
        "POST auth/token/renew-self",  # 90 seconds are left of 100
        "POST auth/token/renew-self",  # 40 are: no renewal can move the end
        "POST auth/approle/login",
    ]


@pytest.mark.parametrize("kind", ["token", "role"])
async def test_a_login_that_is_refused_is_the_operators_to_mend(vault: Vault, kind: str) -> None:
    role_id = set_up(vault.url, ROOT_TOKEN).logins["api"].role_id
    given = {"token": "wrong"} if kind == "token" else {"role_id": role_id, "secret_id": "wrong"}

    async with keys_at(vault.url, VaultLogin(**given)) as keys:
        with pytest.raises(KeyServiceRefused) as raised:
            await keys.health()

    assert "wrong" not in raised.value.detail
    assert "\n" not in raised.value.detail


async def test_a_wrong_mount_is_the_operators_to_mend(ready: SetUp) -> None:
    login = VaultLogin(token=ready.root_token)
    async with keys_at(ready.url, login, mount="elsewhere") as keys:
        with pytest.raises(KeyServiceRefused, match="see the mount"):
            await keys.generate(content(a_tenant("ana")))


async def test_namespaces_are_named() -> None:
    with running_vault("team-a") as vault:
        vault.transit["transit"] = Transit()
        async with keys_at(vault.url, ROOT, namespace="team-a") as named:
            await named.create(content(a_tenant("ana")))
        async with keys_at(vault.url, ROOT) as unnamed:
            with pytest.raises(KeyServiceRefused):
                await unnamed.health()


@pytest.mark.parametrize("status", [429, 500, 501, 502, 418])
async def test_a_vault_in_trouble_may_work_later(vault: Vault, status: int) -> None:
    vault.fails_with = status

    async with keys_at(vault.url, ROOT) as keys:
        with pytest.raises(KeyServiceDown):
            await keys.health()


async def test_a_vault_that_is_away_may_come_back() -> None:
    with running_vault() as vault:
        url = vault.url

    async with keys_at(url, ROOT) as keys:
        with pytest.raises(KeyServiceDown):
            await keys.generate(content(a_tenant("ana")))


@pytest.mark.parametrize(
    "data", [{}, {"plaintext": "eA==", "ciphertext": "c"}, {"plaintext": "?", "ciphertext": "c"}]
)
async def test_an_answer_that_is_none_of_vaults_may_be_better_later(data: dict[str, str]) -> None:
    answer = json.dumps({"data": data}).encode()

    async with listening(says(answer)) as end, keys_at(end.url, ROOT) as keys:
        with pytest.raises(KeyServiceDown):
            await keys.generate(TenantKey(a_tenant("ana"), "content"))


async def _nothing(_: Heard, __: asyncio.StreamWriter) -> None:
    """Let it wait."""


async def test_a_vault_that_says_nothing_is_given_up_in_time() -> None:
    async with listening(_nothing) as end, keys_at(end.url, ROOT, time_limit=0.1) as keys:
        with pytest.raises(KeyServiceDown, match=r"within 0\.1 s"):
            await keys.health()


async def test_a_vault_that_drips_its_answer_is_given_up_as_well() -> None:
    async def drip(_: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n")
        for _ in range(90):
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with listening(drip) as end, keys_at(end.url, ROOT, time_limit=0.1) as keys:
        with pytest.raises(KeyServiceDown, match="in time"):
            await keys.health()


async def test_a_slow_vault_holds_few_threads_and_never_the_loop(vault: Vault) -> None:
    vault.answers_after = 0.05
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    async with keys_at(vault.url, ROOT) as keys:
        await asyncio.gather(*(keys.health() for _ in range(12)))
        threads = len(keys._door._threads._threads)
    counting.cancel()

    assert threads <= 4
    assert turns > 100


def test_a_login_shows_nothing_of_itself() -> None:
    assert repr(VaultLogin(token="hush", secret_id="hush")) == "VaultLogin(***)"
