"""``create_calendar`` with credentials of a consent that was held elsewhere."""

import asyncio
from datetime import timedelta

import pytest

from meetbot_calendar.calendars.model import Provider
from tests.journeys.stage import ANN, BOB, MEET
from tests.journeys.test_connect import crowd
from tests.web.house import Json
from tests.web.meetstream.posted import ACCOUNTS, credentials
from tests.web.staged import Staged

CREATE = "/v1/calendar/create_calendar"
both = pytest.mark.parametrize(("provider", "email"), ACCOUNTS)


@both
async def test_posted_credentials_connect_the_account_and_watch_its_calendars(
    staged: Staged, provider: Provider, email: str
) -> None:
    body = await credentials(staged, provider, email)

    answer = await staged.door.post(CREATE, body)

    made = answer.json()
    (user,) = (await staged.door.get("/v1/calendar/users")).json()["results"]
    (calendar,) = made["calendars"]
    setup = made.pop("watch_setup")
    assert answer.status_code == 201
    assert user["customer_user_id"] == "default"
    assert made == {
        "calendar_id": f"{provider}_calendar_{user['id']}",
        "platform": f"{provider}_calendar",
        "provider": provider,
        "account_id": email,
        "user_id": user["id"],
        "user_email": email,
        "user_name": email.partition("@")[0].title(),
        "calendars": [calendar],
        "primary_calendar_id": calendar["id"],
        "message": "Calendar connected successfully",
    }
    assert set(calendar) == {"id", "summary", "isPrimary", "accessRole", "selected"}
    assert (calendar["isPrimary"], calendar["accessRole"]) == (True, "owner")
    names = ("watches_setup", "watch_results", "channel_id")
    if provider is Provider.OUTLOOK:
        names = ("subscriptions_setup", "subscription_results", "subscription_id")
    count, results, watch_id = names
    (row,) = setup[results]
    assert setup == {"success": True, count: 1, results: [row], "failed_calendars": []}
    assert set(row) == {"calendar_id", "calendar_summary", watch_id, "expiration"}
    assert row["calendar_id"] == calendar["id"]


@both
async def test_a_grant_is_refreshed_with_the_client_it_came_with(
    staged: Staged, provider: Provider, email: str
) -> None:
    await staged.door.post(CREATE, await credentials(staged, provider, email))
    await staged.stage.settle()

    await staged.stage.pass_time(timedelta(hours=3))
    staged.stage.hold_meeting(email, "Later", timedelta(hours=9))
    await staged.stage.pass_time(timedelta(hours=3))

    (row,) = (await staged.door.get("/v1/calendar/connections")).json()["connections"][provider]
    assert (row["status"], row["error"]) == ("active", None)
    assert await staged.stage.titles() == ["Later"]


@both
async def test_a_refused_client_of_its_own_asks_for_new_credentials(
    staged: Staged, provider: Provider, email: str
) -> None:
    await staged.door.post(CREATE, await credentials(staged, provider, email))
    await staged.stage.settle()
    staged.stage.world.grants.state.clients["own-client"].secret = "another"

    await staged.stage.pass_time(timedelta(hours=3))

    broken = await staged.door.get(f"/v1/calendar/connections/{provider}/{email}")
    renewed = await credentials(staged, provider, email) | {"replace": True}
    mended = await staged.door.post(CREATE, renewed)
    after = await staged.door.get(f"/v1/calendar/connections/{provider}/{email}")
    assert (broken.json()["status"], mended.status_code) == ("needs_reauth", 201)
    assert (after.json()["status"], after.json()["error"]) == ("active", None)


@both
async def test_bad_credentials_are_refused_with_the_providers_word_and_nothing_is_stored(
    staged: Staged, provider: Provider, email: str
) -> None:
    good = await credentials(staged, provider, email)
    token = next(name for name in good if name.endswith("refresh_token"))
    secret = next(name for name in good if name.endswith("client_secret"))

    spoilt = await staged.door.post(CREATE, good | {token: "nonsense"})
    wrong = await staged.door.post(CREATE, good | {secret: "nonsense"})

    assert [answer.status_code for answer in (spoilt, wrong)] == [400, 400]
    assert [answer.json()["code"] for answer in (spoilt, wrong)] == ["invalid_credentials"] * 2
    assert "invalid_grant" in spoilt.json()["detail"]
    assert "invalid_client" in wrong.json()["detail"]
    assert "nonsense" not in spoilt.text + wrong.text
    assert await staged.stage.look("select count(*) from connections") == [0]
    assert await staged.stage.look("select count(*) from calendar_users") == [0]


async def test_credentials_without_the_calendar_permission_name_what_is_missing(
    staged: Staged,
) -> None:
    body = await credentials(staged, Provider.GOOGLE, ANN)
    (grant,) = staged.stage.world.grants.state.grants.values()
    grant.scopes = [scope for scope in grant.scopes if "calendar" not in scope]
    for token in staged.stage.world.grants.state.refresh.values():
        token.scopes = grant.scopes

    answer = await staged.door.post(CREATE, body)

    assert (answer.status_code, answer.json()["code"]) == (400, "missing_scope")
    assert "calendar" in answer.json()["detail"]


@both
async def test_the_same_account_again_is_a_conflict_unless_it_is_to_be_replaced(
    staged: Staged, provider: Provider, email: str
) -> None:
    first = (await staged.door.post(CREATE, await credentials(staged, provider, email))).json()
    staged.stage.hold_meeting(email, "Kept", timedelta(hours=5), link=MEET)
    await staged.stage.settle()
    before = await staged.stage.look("select id from events")
    again = await credentials(staged, provider, email, "newer-client")

    refused = await staged.door.post(CREATE, again)
    replaced = await staged.door.post(CREATE, again | {"replace": True})
    await staged.stage.settle()

    assert (refused.status_code, refused.json()["account_id"]) == (409, email)
    assert "replace" in refused.json()["detail"]
    assert (replaced.status_code, replaced.json()["user_id"]) == (201, first["user_id"])
    assert await staged.stage.look("select client_id from connections") == ["newer-client"]
    assert await staged.stage.look("select id from events") == before
    assert [calendar["push"] for calendar in await calendars(staged, first["user_id"])] == [
        "active"
    ]


@both
async def test_a_token_that_is_rotated_keeps_the_watches(
    staged: Staged, provider: Provider, email: str
) -> None:
    first = (await staged.door.post(CREATE, await credentials(staged, provider, email))).json()
    await staged.stage.settle()
    before = dict(staged.stage.world.state.watches)
    await staged.stage.pass_time(timedelta(days=1))
    rotated = await credentials(staged, provider, email) | {"replace": True}

    again = (await staged.door.post(CREATE, rotated)).json()
    await staged.stage.settle()
    staged.stage.hold_meeting(email, "Heard", timedelta(hours=5))
    await staged.stage.settle()

    assert watch_ids(again) == watch_ids(first)
    assert list(staged.stage.world.state.watches) == list(before)
    assert await staged.stage.titles() == ["Heard"]
    assert await staged.stage.look("select push, push_due_at > due_at from calendars") == [
        ("active", True)
    ]


def watch_ids(made: Json) -> list[str]:
    setup = made["watch_setup"]
    rows = setup.get("watch_results") or setup["subscription_results"]
    return [row.get("channel_id") or row["subscription_id"] for row in rows]


async def calendars(staged: Staged, user_id: str) -> list[dict[str, str]]:
    return (await staged.door.get(f"/v1/calendar/users/{user_id}/calendars")).json()["results"]  # type: ignore[no-any-return]


async def test_all_three_names_take_both_providers(staged: Staged) -> None:
    google = await credentials(staged, Provider.GOOGLE, ANN)
    microsoft = await credentials(staged, Provider.OUTLOOK, BOB, "own-app")

    answers = [
        await staged.door.post("/api/v1/calendar/create_outlook_calendar", google),
        await staged.door.post("/api/v1/calendar/create_google_calendar", microsoft),
    ]

    listed = (await staged.door.get("/v1/calendar/connections")).json()
    assert [answer.json()["account_id"] for answer in answers] == [ANN, BOB]
    assert answers[0].json()["user_id"] == answers[1].json()["user_id"] == listed["user_id"]
    assert listed["total"] == 2


async def test_incomplete_or_mixed_credentials_are_refused_before_anybody_is_asked(
    staged: Staged,
) -> None:
    refused = [
        await staged.door.post(CREATE, body)
        for body in (
            {},
            {"google_client_id": "a", "microsoft_client_id": "b"},
            {"google_client_id": "a"},
            {"google_client_id": ""},
            {"google_token": "a"},
        )
    ]

    pointers = [[fault["pointer"] for fault in a.json().get("errors", [])] for a in refused]
    assert [answer.status_code for answer in refused] == [422] * 5
    assert pointers == [
        [],
        [],
        ["/google_client_secret", "/google_refresh_token"],
        ["/google_client_id"],
        ["/google_token"],
    ]


async def test_a_tenant_may_name_whose_account_it_is_and_somebody_new(staged: Staged) -> None:
    body = await credentials(staged, Provider.GOOGLE, ANN)

    answer = await staged.door.post(CREATE, body, X_Customer_User_Id="ann-7")

    users = (await staged.door.get("/v1/calendar/users?customer_user_id=ann-7")).json()["results"]
    assert [user["id"] for user in users] == [answer.json()["user_id"]]


async def test_a_persons_key_connects_for_that_person_alone(staged: Staged) -> None:
    ann = await staged.ann()
    hers = await staged.person_key(ann)
    body = await credentials(staged, Provider.OUTLOOK, BOB)

    other = await hers.post(CREATE, body, X_Customer_User_Id="somebody")
    own = await hers.post(CREATE, body)

    assert (other.status_code, own.status_code) == (404, 201)
    assert own.json()["user_id"] == ann


async def test_what_cannot_be_watched_is_named_and_polled(staged: Staged) -> None:
    directory = staged.stage.world.directory
    owner = directory.account("google", ANN)
    assert owner is not None
    directory.add_calendar(owner, "Holidays", generated=True)

    made = (await staged.door.post(CREATE, await credentials(staged, Provider.GOOGLE, ANN))).json()

    setup = made["watch_setup"]
    (failed,) = setup["failed_calendars"]
    assert (setup["success"], setup["watches_setup"]) == (True, 1)
    assert failed == {
        "calendar_id": made["calendars"][1]["id"],
        "calendar_summary": "Holidays",
        "error": "Google does not push for this calendar",
    }


async def test_a_person_has_two_hundred_accounts_of_both_providers_at_most(staged: Staged) -> None:
    ann = (await staged.stage.connect(Provider.GOOGLE, ANN)).user_id
    await crowd(staged.stage, ann, 199)

    full = await staged.door.post(CREATE, await credentials(staged, Provider.OUTLOOK, BOB))
    own = await credentials(staged, Provider.GOOGLE, ANN, "own-app")
    renewed = await staged.door.post(CREATE, own | {"replace": True})

    assert (full.status_code, full.json()["code"]) == (400, "too_many_connections")
    assert full.json()["error"].startswith(
        "Maximum of 200 outlook calendar connections per user reached"
    )
    assert renewed.status_code == 201


async def test_two_who_connect_the_same_account_at_once_make_one_connection(
    staged: Staged,
) -> None:
    body = await credentials(staged, Provider.GOOGLE, ANN)
    posts = [staged.door.post(CREATE, body | {"replace": replace}) for replace in (False, True)]

    answers = await asyncio.gather(*posts)
    await staged.stage.settle()

    (row,) = (await staged.door.get("/v1/calendar/connections")).json()["connections"]["google"]
    assert 201 in [answer.status_code for answer in answers]
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert (row["status"], row["last_sync_at"]) == ("active", "2026-11-23T12:00:00Z")


async def test_nothing_of_the_credentials_is_shown_or_logged(
    staged: Staged, capsys: pytest.CaptureFixture[str]
) -> None:
    body = await credentials(staged, Provider.GOOGLE, ANN)
    secrets = [value for name, value in body.items() if not name.endswith("client_id")]

    answers = [
        await staged.door.post(CREATE, body),
        await staged.door.post(CREATE, body),
        await staged.door.post(CREATE, body | {"google_client_secret": "wrong-secret"}),
        await staged.door.get("/v1/calendar/connections"),
        await staged.door.get(f"/v1/calendar/connections/google/{ANN}"),
        await staged.door.get("/v1/audit-log"),
    ]

    told = "".join(answer.text for answer in answers) + capsys.readouterr().out
    assert [answer.status_code for answer in answers] == [201, 409, 400, 200, 200, 200]
    assert [secret for secret in [*secrets, "wrong-secret"] if secret in told] == []
