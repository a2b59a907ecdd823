"""A person's consent becomes a connection: once, or not at all."""

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from meetbot_calendar.calendars.model import Account, Provider
from meetbot_calendar.errors import InstallationFault, Invalid, Missing
from meetbot_calendar.journeys import connect, parting, policy, sweep
from meetbot_calendar.journeys.connect import ConnectWish, Finished
from meetbot_calendar.storage import connections
from tenants.identity import CalendarUserId
from tests.gateways.far_ends import allowed
from tests.journeys.stage import ANN, BOB, PEOPLE, Stage
from tests.journeys.surroundings import app_at

BACK = "https://app.acme.example/back?tab=2"
READ = "https://www.googleapis.com/auth/calendar.readonly"
TOKENS = {Provider.GOOGLE: "google.token", Provider.OUTLOOK: "microsoft.token"}
LISTS = {Provider.GOOGLE: "google.calendars", Provider.OUTLOOK: "microsoft.calendars"}

both = pytest.mark.parametrize(("provider", "email"), PEOPLE)


async def consented(stage: Stage, provider: Provider, email: str, **form: str) -> dict[str, str]:
    link = await stage.consent_link(provider)
    return await allowed(stage.transport, link, email=email, **form)


async def stored(stage: Stage) -> tuple[int, int]:
    """Count connections and messages."""
    (count,) = await stage.look("select count(*) from connections")
    return count, len(await stage.told())


async def finished(stage: Stage, wish: ConnectWish, email: str, **form: str) -> Finished:
    link = await connect.begin(stage.services, stage.context, wish)
    answer = await allowed(stage.transport, link.url, email=email, **form)
    return await connect.finish(stage.services, wish.provider, answer)


@both
async def test_a_consent_makes_a_connection_with_its_calendars_and_is_told(
    stage: Stage, provider: Provider, email: str
) -> None:
    done = await stage.connect(provider, email)

    (connection,) = await stage.connections(done.user_id)
    (calendar,) = (await stage.calendars(done.user_id)).values()
    ((kind, data),) = await stage.told()
    assert (done.account_id, done.error_code, done.redirect_to) == (email, None, None)
    assert (connection.account_id, connection.status) == (email, "active")
    assert (calendar.is_primary, calendar.selected) == (True, True)
    assert (kind, data["account_id"], data["customer_user_id"], data["status"]) == (
        "calendar.connected", email, "ann", "active",
    )  # fmt: skip
    assert {kind for kind, _ in stage.rings.heard} == {"sync", "watch", "decide"}


@both
async def test_a_state_opens_once(stage: Stage, provider: Provider, email: str) -> None:
    answer = await consented(stage, provider, email)
    await connect.finish(stage.services, provider, answer)

    with pytest.raises(Missing) as refused:
        await connect.finish(stage.services, provider, answer)

    assert refused.value.code == "unknown_state"
    assert await stored(stage) == (1, 1)


async def test_a_forged_state_is_unknown_and_stores_nothing(stage: Stage) -> None:
    provider, email = PEOPLE[0]
    answer = await consented(stage, provider, email)

    with pytest.raises(Missing):
        await connect.finish(stage.services, provider, answer | {"state": "x" * 43})

    assert await stored(stage) == (0, 0)
    assert (await connect.finish(stage.services, provider, answer)).error_code is None


async def test_an_answer_without_a_state_is_unknown(stage: Stage) -> None:
    with pytest.raises(Missing):
        await connect.finish(stage.services, Provider.GOOGLE, {"code": "x"})


async def test_a_state_lapses_after_ten_minutes_and_stores_nothing(stage: Stage) -> None:
    provider, email = PEOPLE[1]
    answer = await consented(stage, provider, email)
    stage.world.clock.advance(timedelta(minutes=10))

    with pytest.raises(Missing):
        await connect.finish(stage.services, provider, answer)

    assert await stored(stage) == (0, 0)


async def test_consents_that_nobody_finished_are_forgotten(stage: Stage) -> None:
    await stage.consent_link(Provider.GOOGLE)
    stage.world.clock.advance(timedelta(minutes=9))
    await stage.consent_link(Provider.OUTLOOK)
    stage.world.clock.advance(timedelta(minutes=2))

    await sweep.expire(stage.services)

    assert await stage.look("select provider from oauth_states") == ["outlook"]


async def test_a_state_is_of_one_provider_and_used_up_at_another(stage: Stage) -> None:
    answer = await consented(stage, Provider.GOOGLE, ANN)

    for provider in (Provider.OUTLOOK, Provider.GOOGLE):
        with pytest.raises(Missing):
            await connect.finish(stage.services, provider, answer)

    assert await stored(stage) == (0, 0)


@both
async def test_a_refused_consent_is_an_answer_and_stores_nothing(
    stage: Stage, provider: Provider, email: str
) -> None:
    done = await stage.connect(provider, email, decision="deny")

    assert (done.error_code, done.account_id) == ("access_denied", None)
    assert await stored(stage) == (0, 0)


async def test_a_consent_without_the_calendars_names_the_box_to_tick(stage: Stage) -> None:
    done = await stage.connect(Provider.GOOGLE, ANN, chosen="1")

    assert done.error_code == "missing_scope"
    assert "tick" in str(done.error_detail)
    assert "See and download any calendar" in str(done.error_detail)
    assert await stored(stage) == (0, 0)


async def test_ticking_the_box_after_all_connects(stage: Stage) -> None:
    await stage.connect(Provider.GOOGLE, ANN, chosen="1")

    done = await stage.connect(Provider.GOOGLE, ANN, chosen="1", grant=READ)

    assert done.error_code is None


async def test_only_an_address_of_the_allow_list_is_redirected_to(stage: Stage) -> None:
    await policy.change_own(stage.services, stage.context, {"redirect_urls": (BACK,)})
    wish = ConnectWish(provider=Provider.GOOGLE, customer_user_id="ann", redirect_url=BACK + "&x=1")

    with pytest.raises(Invalid) as refused:
        await connect.begin(stage.services, stage.context, wish)

    assert refused.value.code == "redirect_not_allowed"
    assert [fault.pointer for fault in refused.value.faults] == ["/redirect_url"]


@pytest.mark.parametrize("decision", ["allow", "deny"])
async def test_the_outcome_is_appended_to_the_redirect_and_its_query_kept(
    stage: Stage, decision: str
) -> None:
    provider, email = PEOPLE[1]
    await policy.change_own(stage.services, stage.context, {"redirect_urls": (BACK,)})
    wish = ConnectWish(provider=provider, customer_user_id="ann & co", redirect_url=BACK)

    done = await finished(stage, wish, email, decision=decision)

    outcome: dict[str, Any] = {"status": ["success"], "meetbot_calendar_user_id": [done.user_id]}
    if decision == "deny":
        outcome = {"status": ["error"], "error": ["access_denied"]}
    where = urlsplit(str(done.redirect_to))
    assert (where.netloc, where.path) == ("app.acme.example", "/back")
    assert parse_qs(where.query) == {"tab": ["2"], "customer_user_id": ["ann & co"]} | outcome


async def test_the_tenants_own_id_leads_to_one_calendar_user(stage: Stage) -> None:
    google = await stage.connect(Provider.GOOGLE, ANN, customer_user_id="u-1")
    outlook = await stage.connect(Provider.OUTLOOK, BOB, customer_user_id="u-1")
    other = await stage.connect(Provider.OUTLOOK, BOB, customer_user_id="u-2")

    assert google.user_id == outlook.user_id != other.user_id
    accounts = [c.account_id for c in await stage.connections(google.user_id)]
    assert sorted(accounts) == [ANN, BOB]


@both
async def test_the_same_account_again_renews_in_place_and_keeps_its_events(
    stage: Stage, provider: Provider, email: str
) -> None:
    stage.hold_meeting(email, "Weekly", timedelta(hours=2))
    user_id = await stage.onboard(provider, email)
    (before,), events = await stage.connections(user_id), await stage.events()

    await stage.connect(provider, email)
    await stage.settle()

    (after,) = await stage.connections(user_id)
    assert (after.id, after.created_at) == (before.id, before.created_at)
    assert [event.id for event in await stage.events()] == [event.id for event in events]
    assert await stage.told_of_bots() == ["bot.scheduled"]


@both
async def test_a_token_service_that_is_down_costs_the_consent_and_no_more(
    stage: Stage, provider: Provider, email: str
) -> None:
    stage.world.faults.add(TOKENS[provider], "503_json", times=5)

    failed = await stage.connect(provider, email)
    stage.world.faults.clear()
    again = await stage.connect(provider, email)

    assert (failed.error_code, again.error_code) == ("try_later", None)
    assert await stored(stage) == (1, 1)


async def test_an_account_whose_calendars_cannot_be_listed_is_not_stored(stage: Stage) -> None:
    provider, email = PEOPLE[0]
    stage.world.faults.add(LISTS[provider], "503_json")

    failed = await stage.connect(provider, email)

    assert failed.error_code == "try_later"
    assert await stored(stage) == (0, 0)


async def test_a_person_has_two_hundred_connections_at_most(stage: Stage) -> None:
    first = await stage.connect(Provider.GOOGLE, ANN)
    await crowd(stage, first.user_id, 199)

    one_more = await stage.connect(Provider.OUTLOOK, BOB)
    known = await stage.connect(Provider.GOOGLE, ANN)

    assert one_more.error_code == "too_many_connections"
    assert known.error_code is None


async def test_a_removed_account_does_not_come_back_beyond_the_limit(stage: Stage) -> None:
    first = await stage.connect(Provider.GOOGLE, ANN)
    (connection,) = await stage.connections(first.user_id)
    await parting.disconnect(stage.services, stage.context, connection.id, purge_events=False)
    await crowd(stage, first.user_id, 200)

    back = await stage.connect(Provider.GOOGLE, ANN)

    assert back.error_code == "too_many_connections"


async def crowd(stage: Stage, user_id: CalendarUserId, count: int) -> None:
    """Give a person many more connections."""
    async with stage.services.database.tenant(stage.context.tenant_id) as session:
        for number in range(count):
            new = connections.NewConnection(
                id=connections.new_connection_id(stage.now),
                user_id=user_id,
                provider=Provider.GOOGLE,
                account=Account(key=f"{number}", email=f"{number}@acme.example"),
                scopes=(),
                client_id="google-1",
                sealed_grant=b"",
            )
            await connections.save(session, new, stage.now)


@both
async def test_without_an_oauth_client_the_operator_is_told_what_to_set(
    stage: Stage, provider: Provider, email: str
) -> None:
    del email
    bare = msgspec.structs.replace(stage.services, operator_apps={})
    wish = ConnectWish(provider=provider, customer_user_id="ann")

    with pytest.raises(InstallationFault) as refused:
        await connect.begin(bare, stage.context, wish)

    assert refused.value.code == "no_oauth_app"
    assert f"PUT /v1/oauth-apps/{provider}" in refused.value.detail


@both
async def test_the_tenants_own_oauth_client_comes_first(
    stage: Stage, provider: Provider, email: str
) -> None:
    own = app_at(stage.world, stage.product_url, provider, "acme-1")
    await policy.save_app(stage.services, stage.context, provider, own.client_id, own.client_secret)

    done = await stage.connect(provider, email)

    (connection,) = await stage.connections(done.user_id)
    assert connection.client_id == "acme-1"


async def test_a_consent_is_finished_with_the_client_it_was_begun_with(stage: Stage) -> None:
    answer = await consented(stage, Provider.GOOGLE, ANN)
    own = app_at(stage.world, stage.product_url, Provider.GOOGLE, "acme-1")
    await policy.save_app(
        stage.services, stage.context, Provider.GOOGLE, own.client_id, own.client_secret
    )

    done = await connect.finish(stage.services, Provider.GOOGLE, answer)

    (connection,) = await stage.connections(done.user_id)
    assert (done.error_code, connection.client_id) == (None, "google-1")
