"""Graph's doors: tokens, scopes, who one is, which calendars there are, throttling, trouble (8)."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.sandbox.outlook import ANN, BOB, GRAPH, WINDOW, Reader, Tenant, of_calendar


async def test_me_says_who_one_is(contoso: Tenant) -> None:
    ann = await contoso.reader()
    account = contoso.world.directory.account("outlook", ANN)
    assert account

    me = await ann.read("/me")

    shown = {name: me[name] for name in ("id", "displayName", "mail", "userPrincipalName")}
    assert shown == {
        "id": account.subject,
        "displayName": "Ann Lee",
        "mail": ANN,
        "userPrincipalName": ANN,
    }


async def test_mail_may_be_null_beside_the_principal_name(contoso: Tenant) -> None:
    account = contoso.world.directory.account("outlook", ANN)
    assert account
    account.detail["mail"] = None

    me = await (await contoso.reader()).read("/me")

    assert (me["mail"], me["userPrincipalName"]) == (None, ANN)


async def test_the_default_calendar_looks_as_graph_prints_it(contoso: Tenant) -> None:
    ann = await contoso.reader()

    listed = (await ann.read("/me/calendars"))["value"]

    calendar = contoso.calendar()
    assert listed[0].pop("changeKey")
    assert listed == [
        {
            "id": calendar.id,
            "name": "Calendar",
            "color": "auto",
            "hexColor": "",
            "isDefaultCalendar": True,
            "isRemovable": False,
            "isTallyingResponses": True,
            "canShare": True,
            "canViewPrivateItems": True,
            "canEdit": True,
            "allowedOnlineMeetingProviders": ["teamsForBusiness"],
            "defaultOnlineMeetingProvider": "teamsForBusiness",
            "owner": {"name": "Ann Lee", "address": ANN},
        }
    ]


async def test_calendars_come_in_pages_with_absolute_links(contoso: Tenant) -> None:
    account = contoso.world.directory.account("outlook", ANN)
    assert account
    for number in range(12):
        contoso.world.directory.add_calendar(account, f"Team {number}")
    ann = await contoso.reader()

    first = await ann.read("/me/calendars")
    second = await ann.read(first["@odata.nextLink"])

    assert first["@odata.nextLink"] == f"http://127.0.0.1{GRAPH}/me/calendars?$skip=10"
    assert [len(page["value"]) for page in (first, second)] == [10, 3]
    assert "@odata.nextLink" not in second


async def test_a_shared_calendar_is_listed_with_its_owner_and_read_with_the_shared_scope(
    contoso: Tenant,
) -> None:
    account = contoso.world.directory.account("outlook", ANN)
    assert account
    contoso.world.directory.share(contoso.calendar(BOB), account, "reader")
    path = of_calendar(contoso.calendar(BOB).id, "calendarView")
    plain = await contoso.reader()
    shared = await contoso.reader(scope="User.Read Calendars.Read.Shared")

    listed = (await plain.read("/me/calendars"))["value"][1]
    refused, read = await plain.get(path, **WINDOW), await shared.get(path, **WINDOW)

    assert (listed["owner"]["address"], listed["canEdit"]) == (BOB, False)
    assert listed["allowedOnlineMeetingProviders"] == []
    assert refusal(refused) == (403, "ErrorAccessDenied")
    assert read.status_code == 200


async def test_a_calendar_that_is_gone_or_not_mine_is_not_found(contoso: Tenant) -> None:
    ann = await contoso.reader()

    answer = await ann.get(of_calendar(contoso.calendar(BOB).id, "calendarView"), **WINDOW)
    alone = await ann.get(f"/me/calendars/{contoso.calendar(BOB).id}")

    assert refusal(answer) == refusal(alone) == (404, "ErrorItemNotFound")


async def test_a_missing_wrong_or_expired_token_is_401(contoso: Tenant) -> None:
    ann = await contoso.reader()
    nobody = Reader(tenant=contoso, token="")
    stranger = Reader(tenant=contoso, token="eyJ0nothing")
    contoso.world.clock.advance(timedelta(minutes=91))

    answers = [await reader.get("/me") for reader in (nobody, stranger, ann)]

    assert {refusal(answer) for answer in answers} == {(401, "InvalidAuthenticationToken")}
    assert answers[2].json()["error"]["message"].endswith("the token is expired.")
    assert answers[0].headers["www-authenticate"].startswith("Bearer ")


async def test_a_token_reaches_only_what_it_was_granted(contoso: Tenant) -> None:
    calendars = await contoso.reader(scope="Calendars.Read")
    profile = await contoso.reader(scope="User.Read")

    assert refusal(await calendars.get("/me")) == (403, "Authorization_RequestDenied")
    assert refusal(await profile.get("/me/calendars")) == (403, "ErrorAccessDenied")


async def test_a_google_token_opens_nothing_here(contoso: Tenant) -> None:
    grants = contoso.world.grants
    ann = await contoso.reader()
    grants.state.grants[grants.state.access[ann.token].grant].account = "google:ann@example.com"

    assert refusal(await ann.get("/me")) == (401, "InvalidAuthenticationToken")


async def test_more_than_four_at_once_on_one_mailbox_are_throttled(contoso: Tenant) -> None:
    ann, bob = await contoso.reader(), await contoso.reader(BOB)

    answers = await asyncio.gather(*(ann.get("/me/calendars") for _ in range(7)))
    both = await asyncio.gather(*(r.get("/me/calendars") for r in (ann, bob) for _ in range(4)))

    throttled = [a for a in answers if a.status_code == 429]
    assert len(throttled) == 3
    assert {refusal(a) for a in throttled} == {(429, "ApplicationThrottled")}
    assert {a.headers["retry-after"] for a in throttled} == {"2"}
    assert "MailboxConcurrency" in throttled[0].json()["error"]["message"]
    assert {a.status_code for a in both} == {200}


async def test_a_refusal_carries_date_and_request_ids(contoso: Tenant) -> None:
    ann = await contoso.reader()
    headers = ann.headers | {"client-request-id": "mine"}

    answer = await contoso.http.get(f"{GRAPH}/me/calendars/none", headers=headers)

    error = answer.json()["error"]
    assert error["innerError"] == {
        "date": "2026-11-20T12:00:00",
        "request-id": answer.headers["request-id"],
        "client-request-id": "mine",
    }
    assert error["message"] == "The specified object was not found in the store."


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("401", 401, "InvalidAuthenticationToken"),
        ("401_claims", 401, "InvalidAuthenticationToken"),
        ("403", 403, "ErrorAccessDenied"),
        ("404_mailbox", 404, "MailboxNotEnabledForRESTAPI"),
        ("429", 429, "ApplicationThrottled"),
        ("500", 500, "UnknownError"),
        ("503_json", 503, "serviceNotAvailable"),
        ("503_mailbox", 503, "ErrorMailboxStoreUnavailable"),
        ("504_json", 504, "UnknownError"),
    ],
)
async def test_ordered_trouble_comes_once_in_graphs_words(
    contoso: Tenant, kind: str, status: int, code: str
) -> None:
    ann = await contoso.reader()
    contoso.world.faults.add("microsoft.calendars", kind)

    first, second = await ann.get("/me/calendars"), await ann.get("/me/calendars")

    assert (refusal(first), second.status_code) == ((status, code), 200)


async def test_a_claims_challenge_is_in_the_header_and_retry_after_as_ordered(
    contoso: Tenant,
) -> None:
    ann = await contoso.reader()
    contoso.world.faults.add("microsoft.me", "401_claims")
    contoso.world.faults.add("microsoft.calendars", "429", retry_after=77)

    challenged, throttled = await ann.get("/me"), await ann.get("/me/calendars")

    assert 'error="insufficient_claims", claims="' in challenged.headers["www-authenticate"]
    assert throttled.headers["retry-after"] == "77"


async def test_the_front_end_may_be_down_in_html(contoso: Tenant) -> None:
    ann = await contoso.reader()
    contoso.world.faults.add("microsoft", "503_html")

    answer = await ann.get("/me/calendars")

    assert (answer.status_code, answer.headers["content-type"]) == (503, "text/html; charset=utf-8")


async def test_trouble_for_one_person_leaves_the_others_alone(contoso: Tenant) -> None:
    ann, bob = await contoso.reader(), await contoso.reader(BOB)
    contoso.world.faults.add("microsoft.calendars", "404_mailbox", account=BOB)

    assert (await ann.get("/me/calendars")).status_code == 200
    assert refusal(await bob.get("/me/calendars")) == (404, "MailboxNotEnabledForRESTAPI")


def refusal(answer: httpx.Response) -> tuple[int, Any]:
    return answer.status_code, answer.json()["error"]["code"]
