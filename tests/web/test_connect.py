"""Connecting by consent link, as the tenant, the browser and the provider see it."""

from urllib.parse import parse_qsl, urlsplit

import pytest

from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.web import pages
from tests.gateways.far_ends import allowed
from tests.journeys.stage import ANN
from tests.web.staged import Staged

BACK = "https://acme.example/calendar?from=meetbot"


@pytest.mark.parametrize("provider", list(Provider))
async def test_a_consent_leads_back_to_the_tenant_with_the_ids(
    staged: Staged, provider: Provider
) -> None:
    await staged.door.patch("/v1/tenant", {"redirect_urls": [BACK]})

    back = await staged.consent(provider, {"customer_user_id": "u 1", "redirect_url": BACK})

    where = urlsplit(back.headers["location"])
    users = (await staged.door.get("/v1/calendar/users")).json()["results"]
    assert back.status_code == 302
    assert f"{where.scheme}://{where.netloc}{where.path}" == "https://acme.example/calendar"
    assert dict(parse_qsl(where.query)) == {
        "from": "meetbot",
        "status": "success",
        "meetbot_calendar_user_id": users[0]["id"],
        "customer_user_id": "u 1",
    }


async def test_without_an_address_a_plain_page_says_that_it_worked(staged: Staged) -> None:
    back = await staged.consent(Provider.GOOGLE, {"customer_user_id": "ann"})

    assert back.status_code == 200
    assert back.headers["content-type"] == "text/html; charset=utf-8"
    assert "Acme" in back.text
    assert ANN in back.text
    assert "default-src 'none'" in back.headers["content-security-policy"]


async def test_a_consent_cannot_be_finished_twice_nor_forged(staged: Staged) -> None:
    link = (await staged.door.post("/v1/calendar/connect/google", {"customer_user_id": "a"})).json()
    answer = await allowed(staged.stage.transport, link["url"], email=ANN)

    first = await staged.returning("google", answer)
    replayed = await staged.returning("google", answer)
    forged = await staged.returning("google", answer | {"state": "made-up"})
    bare = await staged.returning("google", {})

    assert first.status_code == 200
    assert [page.status_code for page in (replayed, forged, bare)] == [400, 400, 400]
    assert "used already" in replayed.text


async def test_a_refused_consent_is_told_to_the_tenants_address(staged: Staged) -> None:
    await staged.door.patch("/v1/tenant", {"redirect_urls": [BACK]})
    body = {"customer_user_id": "ann", "redirect_url": BACK}

    back = await staged.consent(Provider.GOOGLE, body, decision="deny")

    told = dict(parse_qsl(urlsplit(back.headers["location"]).query))
    assert (told["status"], told["error"]) == ("error", "access_denied")


async def test_a_refused_consent_without_an_address_is_told_on_a_page(staged: Staged) -> None:
    back = await staged.consent(Provider.GOOGLE, {"customer_user_id": "ann"}, decision="deny")

    assert back.status_code == 400
    assert "access_denied" in back.text


async def test_an_address_that_is_not_on_the_list_is_refused(staged: Staged) -> None:
    body = {"customer_user_id": "ann", "redirect_url": "https://evil.example/"}

    answer = await staged.door.post("/v1/calendar/connect/google", body)

    assert (answer.status_code, answer.json()["code"]) == (422, "redirect_not_allowed")
    assert answer.json()["errors"][0]["pointer"] == "/redirect_url"


async def test_microsoft_is_another_name_of_outlook_and_others_are_not_there(
    staged: Staged,
) -> None:
    body = {"customer_user_id": "bob"}

    microsoft = await staged.door.post("/v1/calendar/connect/microsoft", body)
    yahoo = await staged.door.post("/v1/calendar/connect/yahoo", body)

    assert "/microsoft/" in microsoft.json()["url"]
    assert yahoo.status_code == 404


async def test_a_link_is_good_for_ten_minutes(staged: Staged) -> None:
    answer = await staged.door.post("/v1/calendar/connect/google", {"customer_user_id": "ann"})

    assert answer.status_code == 201
    assert answer.json()["expires_at"] == "2026-11-23T12:10:00Z"


async def test_attributes_are_kept_with_the_person(staged: Staged) -> None:
    body = {"customer_user_id": "ann", "attributes": {"team": "sales"}}
    await staged.door.post("/v1/calendar/connect/google", body)

    users = (await staged.door.get("/v1/calendar/users?customer_user_id=ann")).json()["results"]

    assert [user["attributes"] for user in users] == [{"team": "sales"}]


async def test_a_persons_key_connects_that_person_alone(staged: Staged) -> None:
    ann = await staged.ann()
    hers = await staged.person_key(ann)

    own = await hers.post("/v1/calendar/connect/google", {"customer_user_id": "ann"})
    other = await hers.post("/v1/calendar/connect/google", {"customer_user_id": "bob"})

    assert (own.status_code, other.status_code) == (201, 404)


def test_what_a_page_shows_is_escaped() -> None:
    shown = pages.page("<b>Acme</b>", "a < b & c", note='"quoted"').content

    assert "&lt;b&gt;Acme&lt;/b&gt;" in shown
    assert "a &lt; b &amp; c" in shown
    assert "<b>" not in shown
