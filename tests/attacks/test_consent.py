"""Attempts on the consent: states, codes, redirects, pages, grants and those who refresh them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import msgspec
import pytest
from httpx import Response

from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.errors import InstallationFault
from meetbot_calendar.journeys.grants import fresh
from meetbot_calendar.storage.connections import connection_of
from meetbot_calendar.storage.tables import connections
from meetbot_calendar.wiring import ContentCiphers
from tenants.identity import TenantContext, TenantId
from tenants.secrets.keyring import Keyring
from tenants.secrets.local import LocalKeys
from tenants.storage.data_keys import DataKeys
from tenants.storage.session import Database, open_engine
from tests.attacks.scene import EVE, MALLORY, Patient, Scene
from tests.gateways.far_ends import allowed
from tests.journeys.killing import Fuse, Killed, mortal
from tests.journeys.stage import ANN, BOB, Stage
from tests.journeys.surroundings import app_at

BACK = "https://acme.example/calendar?from=meetbot"
ACCOUNTS = {Provider.GOOGLE: ANN, Provider.OUTLOOK: BOB}
EVIL_ACCOUNTS = {Provider.GOOGLE: EVE, Provider.OUTLOOK: MALLORY}
HOUR = timedelta(hours=1)

each = pytest.mark.parametrize("provider", list(Provider))


class Firm(msgspec.Struct, kw_only=True):
    """A tenant of this attempt's own."""

    id: str
    door: Patient
    scene: Scene
    name: str

    @property
    def stage(self) -> Stage:
        context = TenantContext(tenant_id=TenantId(self.id), actor="test")
        return msgspec.structs.replace(self.scene.acme.stage, context=context)

    async def link(self, provider: str, person: str = "ann", **body: Any) -> str:
        given = {"customer_user_id": person, **body}
        made = await self.door.post(f"/v1/calendar/connect/{provider}", given)
        assert made.status_code == 201, made.text
        return str(made.json()["url"])

    async def consented(self, provider: Provider, email: str = "", **body: Any) -> dict[str, str]:
        """Let a person consent; returns what the browser brings back."""
        link = await self.link(provider, **body)
        return await allowed(self.stage.transport, link, email=email or ACCOUNTS[provider])

    async def back(self, provider: str, answer: dict[str, str] | str, **headers: str) -> Response:
        query = answer if isinstance(answer, str) else urlencode(answer)
        where = f"/v1/calendar/oauth/callback/{provider}?{query}"
        return await self.scene.stranger.get(where, **headers)

    async def connected(self) -> list[str]:
        """Return the accounts of all its people."""
        async with self.stage.services.database.tenant(self.stage.context.tenant_id) as session:
            rows = await session.execute(connections.select())
            return sorted(connection_of(session, row).account_id for row in rows)


@pytest.fixture
async def acme(scene: Scene) -> Firm:
    return await firm(scene, "Acme")


@pytest.fixture
async def mallory(scene: Scene) -> Firm:
    return await firm(scene, "Mallory & Sons")


async def firm(scene: Scene, name: str) -> Firm:
    made = (await scene.operator.post("/v1/tenants", {"name": name})).json()
    return Firm(
        id=made["tenant"]["id"],
        door=scene.with_key(made["api_key"]["key"]),
        scene=scene,
        name=name,
    )


def state_of(link: str) -> str:
    return parse_qs(urlsplit(link).query)["state"][0]


@each
async def test_a_code_of_ones_own_in_anothers_consent_connects_nothing(
    acme: Firm, mallory: Firm, provider: Provider
) -> None:
    state = state_of(await acme.link(provider))
    evil = await mallory.consented(provider, EVIL_ACCOUNTS[provider])

    page = await acme.back(provider, evil | {"state": state})

    assert page.status_code == 400
    assert (await acme.connected(), await mallory.connected()) == ([], [])


@each
async def test_a_stolen_code_in_a_consent_of_ones_own_connects_nothing(
    acme: Firm, mallory: Firm, provider: Provider
) -> None:
    stolen = await acme.consented(provider)
    state = state_of(await mallory.link(provider))

    page = await mallory.back(provider, stolen | {"state": state})

    assert page.status_code == 400
    assert await mallory.connected() == []


@each
async def test_a_stolen_code_is_worth_nothing_at_the_provider_without_the_verifier(
    acme: Firm, provider: Provider
) -> None:
    stage, stolen = acme.stage, await acme.consented(provider)
    path = {"google": "/google/token", "outlook": "/microsoft/common/oauth2/v2.0/token"}[provider]
    form = {
        "grant_type": "authorization_code",
        "code": stolen["code"],
        "client_id": f"{provider}-1",
        "client_secret": "secret-1",
        "redirect_uri": f"{stage.product_url}/v1/calendar/oauth/callback/{provider}",
    }
    answers = [
        await stage.transport.request("POST", f"{stage.sandbox_url}{path}", form=form | extra)
        for extra in ({}, {"code_verifier": "x" * 43})
    ]

    assert [answer.status for answer in answers] == [400, 400]


@each
async def test_a_consent_page_is_asked_with_a_challenge_and_never_the_verifier(
    acme: Firm, provider: Provider
) -> None:
    query = parse_qs(urlsplit(await acme.link(provider)).query)

    assert query["code_challenge_method"] == ["S256"]
    assert len(query["code_challenge"][0]) == 43
    assert "code_verifier" not in query
    assert len(query["state"][0]) >= 43


@each
async def test_an_answer_is_taken_once_though_it_comes_twice_at_the_same_time(
    acme: Firm, provider: Provider
) -> None:
    answer = await acme.consented(provider)

    pages = await asyncio.gather(*(acme.back(provider, answer) for _ in range(5)))

    assert sorted(page.status_code for page in pages) == [200, 400, 400, 400, 400]
    assert await acme.connected() == [ACCOUNTS[provider]]


@each
async def test_a_state_taken_to_the_other_provider_is_refused_and_used_up(
    acme: Firm, provider: Provider
) -> None:
    (other,) = set(Provider) - {provider}
    answer = await acme.consented(provider)

    mixed_up = await acme.back(other, answer)
    afterwards = await acme.back(provider, answer)

    assert (mixed_up.status_code, afterwards.status_code) == (400, 400)
    assert await acme.connected() == []


async def test_a_link_does_nothing_after_ten_minutes(acme: Firm) -> None:
    answer = await acme.consented(Provider.GOOGLE)
    acme.stage.world.clock.advance(timedelta(minutes=10))

    page = await acme.back("google", answer)

    assert (page.status_code, await acme.connected()) == (400, [])


async def test_a_link_of_a_person_or_tenant_that_was_deleted_does_nothing(
    acme: Firm, mallory: Firm
) -> None:
    persons = await acme.consented(Provider.GOOGLE)
    (user_id,) = await acme.stage.look("select id from calendar_users")
    await acme.door.delete(f"/v1/calendar/users/{user_id}")
    tenants = await mallory.consented(Provider.OUTLOOK)
    await mallory.scene.operator.delete(f"/v1/tenants/{mallory.id}")

    pages = [await acme.back("google", persons), await mallory.back("outlook", tenants)]

    assert [page.status_code for page in pages] == [400, 400]
    assert await acme.connected() == []


@pytest.mark.parametrize("state", ["", "x", "%00", "0" * 43, "0" * 5000, "' or 1=1 --", "é"])
async def test_a_made_up_state_is_refused(acme: Firm, state: str) -> None:
    for provider in Provider:
        page = await acme.back(provider, f"code=x&state={state}")
        assert page.status_code == 400


async def test_a_parameter_given_twice_is_read_once(acme: Firm, mallory: Firm) -> None:
    answer = await acme.consented(Provider.GOOGLE)
    evil = await mallory.consented(Provider.GOOGLE, EVE)

    doubled = f"{urlencode(evil)}&{urlencode({'state': answer['state']})}"
    page = await acme.back("google", doubled)

    assert page.status_code == 400
    assert (await acme.connected(), await mallory.connected()) == ([], [])


async def test_looking_at_a_link_as_scanners_do_does_not_use_it_up(acme: Firm) -> None:
    answer = await acme.consented(Provider.GOOGLE)
    path = f"/v1/calendar/oauth/callback/google?{urlencode(answer)}"

    looks = [await acme.scene.stranger.ask(m, path) for m in ("HEAD", "OPTIONS", "POST", "PUT")]
    page = await acme.back("google", answer)

    assert [look.status_code for look in looks] == [405, 204, 405, 405]
    assert page.status_code == 200


async def test_an_account_other_than_the_hinted_one_is_kept_as_the_one_it_is(acme: Firm) -> None:
    answer = await acme.consented(Provider.GOOGLE, EVE, login_hint=ANN)

    page = await acme.back("google", answer)

    assert page.status_code == 200
    assert await acme.connected() == [EVE]
    assert EVE in page.text
    assert ANN not in page.text


async def test_a_denied_consent_or_one_without_the_calendars_stores_nothing(acme: Firm) -> None:
    link = await acme.link("google")
    denied = await allowed(acme.stage.transport, link, email=ANN, decision="deny")
    acme.stage.world.faults.add("google.token", "partial_consent")
    partial = await acme.consented(Provider.GOOGLE)

    pages = [await acme.back("google", answer) for answer in (denied, partial)]

    assert [page.status_code for page in pages] == [400, 400]
    assert "See and download any calendar" in pages[1].text
    assert await acme.connected() == []


@pytest.mark.parametrize(
    "near",
    [
        "https://acme.example/calendar",
        "https://acme.example/calendar?from=meetbot&",
        "https://acme.example/calendar?from=meetbot#",
        "https://acme.example/calendar/?from=meetbot",
        "https://acme.example/calendar?from=Meetbot",
        "https://ACME.example/calendar?from=meetbot",
        "https://acme.example:443/calendar?from=meetbot",
        "http://acme.example/calendar?from=meetbot",
        "https://evil@acme.example/calendar?from=meetbot",
        "https://acme.example@evil.example/calendar?from=meetbot",
        "https://acme.example.evil.example/calendar?from=meetbot",
        "https://acme.example/calendar/../evil?from=meetbot",
        "https://acme.example/%63alendar?from=meetbot",
        "//acme.example/calendar?from=meetbot",
        " https://acme.example/calendar?from=meetbot",
        "https://acme.example/calendar?from=meetbot\r\nx: y",
        "https://аcme.example/calendar?from=meetbot",  # noqa: RUF001 - that is the attempt
        "javascript:alert(1)",
    ],
)
async def test_an_address_that_is_nearly_on_the_list_is_refused(acme: Firm, near: str) -> None:
    await acme.door.patch("/v1/tenant", {"redirect_urls": [BACK]})
    body = {"customer_user_id": "ann", "redirect_url": near}

    answer = await acme.door.post("/v1/calendar/connect/google", body)

    assert (answer.status_code, answer.json()["code"]) == (422, "redirect_not_allowed")


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,<script>",
        "http://acme.example/",
        "https://user:pass@acme.example/",
        "https://acme.example/#fragment",
        "https://acme.example\\@evil.example/",
        "https://acme.example/\r\nset-cookie: a=b",
        "https:///nowhere",
        "//acme.example/",
        "ftp://acme.example/",
    ],
)
async def test_the_list_takes_no_address_that_a_browser_could_be_harmed_with(
    acme: Firm, url: str
) -> None:
    answer = await acme.door.patch("/v1/tenant", {"redirect_urls": [url]})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/redirect_urls/0"


async def test_an_address_that_left_the_list_meanwhile_is_not_redirected_to(acme: Firm) -> None:
    await acme.door.patch("/v1/tenant", {"redirect_urls": [BACK]})
    answer = await acme.consented(Provider.GOOGLE, redirect_url=BACK)
    await acme.door.patch("/v1/tenant", {"redirect_urls": []})

    page = await acme.back("google", answer)

    assert "location" not in page.headers
    assert page.status_code == 200


async def test_an_outcome_cannot_be_faked_through_the_persons_id(acme: Firm) -> None:
    person = "x&status=success&error=none\r\nset-cookie: a=b#"
    await acme.door.patch("/v1/tenant", {"redirect_urls": [BACK]})
    link = await acme.link("google", person, redirect_url=BACK)
    answer = await allowed(acme.stage.transport, link, email=ANN, decision="deny")

    page = await acme.back("google", answer)

    where = page.headers["location"]
    assert dict(parse_qsl(urlsplit(where).query)) == {
        "from": "meetbot",
        "status": "error",
        "error": "access_denied",
        "customer_user_id": person,
    }
    assert "set-cookie" not in page.headers
    assert not {"\r", "\n", "#"} & set(where)


async def test_a_tenant_named_like_a_script_is_shown_as_text(scene: Scene) -> None:
    name = "<script>alert(1)</script>\"'&"
    evil = await firm(scene, name)
    good = await evil.back("google", await evil.consented(Provider.GOOGLE))
    link = await evil.link("outlook")
    bad = await evil.back(
        "outlook", await allowed(evil.stage.transport, link, email=BOB, decision="deny")
    )

    for page in (good, bad):
        assert "<script" not in page.text
        assert escape(name) in page.text


@each
async def test_what_comes_back_with_an_error_is_not_repeated(
    acme: Firm, provider: Provider
) -> None:
    words = "<img src=x onerror=alert(1)>", "CallThisNumber1800SCAM", "https://evil.example/"
    for word in words:
        answer = {"error": word, "error_description": word, "error_uri": word, "code": word}
        state = state_of(await acme.link(provider))
        for given in (state, word):
            page = await acme.back(provider, answer | {"state": given})
            assert page.status_code in (400, 503)
            assert word not in page.text
            assert escape(word) not in page.text
            assert "location" not in page.headers


async def test_every_page_of_the_way_back_keeps_to_itself(acme: Firm) -> None:
    await acme.door.patch("/v1/tenant", {"redirect_urls": [BACK]})
    answer = await acme.consented(Provider.GOOGLE, redirect_url=BACK)
    pages = [
        await acme.back("google", answer),
        await acme.back("google", answer),
        await acme.back("google", await acme.consented(Provider.GOOGLE)),
        await acme.back("yahoo", {}),
    ]

    assert [page.status_code for page in pages] == [302, 400, 200, 404]
    for page in pages:
        assert page.headers["referrer-policy"] == "no-referrer", page.text
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["x-frame-options"] == "DENY"
        assert page.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
        assert "set-cookie" not in page.headers


@each
async def test_a_tenants_own_client_is_named_at_the_provider_and_its_secret_told_to_nobody(
    acme: Firm, provider: Provider
) -> None:
    own = app_at(acme.stage.world, acme.stage.product_url, provider, f"own-{acme.id}")
    body = {"client_id": own.client_id, "client_secret": own.client_secret}
    told = [await acme.door.put(f"/v1/oauth-apps/{provider}", body)]
    told += [
        await acme.door.get(f"/v1/oauth-apps/{provider}"),
        await acme.door.get("/v1/audit-log"),
    ]

    link = await acme.link(provider)
    answer = await allowed(acme.stage.transport, link, email=ACCOUNTS[provider])
    page = await acme.back(provider, answer)

    assert parse_qs(urlsplit(link).query)["client_id"] == [own.client_id]
    assert page.status_code == 200
    assert await acme.stage.look("select client_id from connections") == [own.client_id]
    assert [one for one in told if own.client_secret in one.text] == []


@each
async def test_a_grant_is_never_shown_to_a_client_other_than_its_own(
    acme: Firm, provider: Provider
) -> None:
    stage = acme.stage
    await acme.back(provider, await acme.consented(provider))
    (connection_id,) = await stage.look("select id from connections")
    own = app_at(stage.world, stage.product_url, provider, f"other-{acme.id}")
    others = msgspec.structs.replace(stage.services, operator_apps={provider: own})
    stage.world.clock.advance(2 * HOUR)
    before = len(stage.world.journal.asked)

    with pytest.raises(InstallationFault, match="restore it, or have the person connect again"):
        await fresh(others, stage.context, connection_id)

    assert len(stage.world.journal.asked) == before


class Process:
    """The product's services once more, with a pool, a key ring and a memory of their own."""

    def __init__(self, stage: Stage, url: str, folder: Path) -> None:
        self.engine = open_engine(url, pool_size=2)
        keyring = Keyring(LocalKeys(folder), DataKeys(self.engine))
        clock = stage.world.clock
        database = Database(self.engine, ContentCiphers(keyring, clock))
        self.services = msgspec.structs.replace(
            stage.services, database=database, keyring=keyring, clock=clock
        )


@pytest.fixture
async def processes(
    acme: Firm, scene_database: str, scene_folder: Path
) -> AsyncIterator[list[Process]]:
    made = [Process(acme.stage, scene_database, scene_folder / "keys") for _ in range(3)]
    yield made
    for process in made:
        await process.engine.dispose()


@each
async def test_several_processes_that_need_a_fresh_token_spend_one_refresh_token(
    acme: Firm, provider: Provider, processes: list[Process]
) -> None:
    stage = acme.stage
    await acme.back(provider, await acme.consented(provider))
    (connection_id,) = await stage.look("select id from connections")
    stage.world.clock.advance(2 * HOUR)
    before = refreshes(stage, provider)

    asking = [
        asyncio.create_task(fresh(process.services, stage.context, connection_id))
        for process in processes
        for _ in range(2)
    ]
    done, waiting = await asyncio.wait(asking, timeout=0.5)
    stage.world.clock.advance(timedelta(seconds=1))  # those who wait look again
    found = await asyncio.gather(*asking)

    assert refreshes(stage, provider) - before == 1
    assert len({grant.access_token for grant in found}) == 1
    assert len(done) + len(waiting) == 6


def refreshes(stage: Stage, provider: Provider) -> int:
    path = {"google": "/google/token", "outlook": "/oauth2/v2.0/token"}[provider]
    return len(stage.world.journal.find(path))


@each
async def test_a_refresher_killed_between_the_answer_and_the_row_loses_no_grant(
    acme: Firm, provider: Provider, processes: list[Process]
) -> None:
    stage = acme.stage
    await acme.back(provider, await acme.consented(provider))
    (connection_id,) = await stage.look("select id from connections")
    stage.world.clock.advance(2 * HOUR)
    first, second, _ = processes

    for _ in range(3):  # one after another dies there
        dying = mortal(first.services, Fuse(2))
        with pytest.raises(Killed, match="refresh"):
            await fresh(dying, stage.context, connection_id)
        stage.world.clock.advance(timedelta(seconds=31))
    kept = await fresh(second.services, stage.context, connection_id)
    stage.world.clock.advance(2 * HOUR)
    again = await fresh(first.services, stage.context, connection_id)

    assert kept.expires_at < again.expires_at
    assert await stage.look("select status from connections") == ["active"]


@each
async def test_a_rotated_refresh_token_is_what_the_next_refresh_spends(
    acme: Firm, provider: Provider, processes: list[Process]
) -> None:
    stage, first = acme.stage, processes[0].services
    await acme.back(provider, await acme.consented(provider))
    (connection_id,) = await stage.look("select id from connections")
    spent = []
    for _ in range(3):
        stage.world.clock.advance(2 * HOUR)
        spent.append((await fresh(first, stage.context, connection_id)).refresh_token)

    rotates = provider is Provider.OUTLOOK
    assert len(set(spent)) == (3 if rotates else 1)


async def test_a_sealed_grant_moved_to_another_connection_does_not_open(
    acme: Firm, mallory: Firm
) -> None:
    for each_firm, provider in ((acme, Provider.GOOGLE), (mallory, Provider.OUTLOOK)):
        await each_firm.back(provider, await each_firm.consented(provider))
    (sealed,) = await acme.stage.look("select grant_sealed from connections")
    (connection_id,) = await mallory.stage.look("select id from connections")

    cipher = await mallory.stage.services.keyring.cipher(
        TenantId(mallory.id), "grant", mallory.stage.now
    )
    with pytest.raises(Exception, match=r"changed, or sealed to something else|does not have"):
        cipher.open(connection_id, sealed)
