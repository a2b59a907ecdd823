"""The admin page as a browser sees it: forms, cookies, redirects."""

import re
from datetime import timedelta
from html import unescape

from httpx import Response

from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.journeys import tenants
from meetbot_calendar.journeys.tenants import TenantWish
from tests.journeys.stage import ANN
from tests.web.staged import SKIP_ALL, Staged

LATER = timedelta(hours=13)


async def key_of(staged: Staged, **wish: str) -> tuple[str, str]:
    made = (await staged.door.post("/v1/api-keys", {"name": "page", **wish})).json()
    return made["id"], made["key"]


async def send(staged: Staged, path: str, **fields: str) -> Response:
    """Send a form as our own page would."""
    return await staged.door.client.post(
        f"/admin{path}", data=fields, headers={"Origin": staged.stage.services.house.public_url}
    )


async def see(staged: Staged, path: str = "") -> Response:
    return await staged.door.client.get(f"/admin{path}")


async def log_in(staged: Staged) -> tuple[str, str]:
    """Log in; returns the key's id and the proof that forms carry."""
    key_id, key = await key_of(staged)
    assert (await send(staged, "/login", key=key)).status_code == 303
    return key_id, proof_in(await see(staged))


def proof_in(page: Response) -> str:
    found = re.search(r'name="proof" value="([0-9a-f]{64})"', page.text)
    assert found is not None
    return found[1]


async def test_who_is_not_logged_in_is_led_to_the_login(staged: Staged) -> None:
    pages = [await see(staged, path) for path in ("", "/users", "/users/mcu_x")]

    assert [(p.status_code, p.headers["location"]) for p in pages] == [(303, "/admin/login")] * 3


async def test_a_key_opens_the_page_and_is_kept_nowhere_in_the_browser(staged: Staged) -> None:
    _, key = await key_of(staged)

    answer = await send(staged, "/login", key=f" {key} ")
    page = await see(staged)

    cookie = answer.headers["set-cookie"]
    assert (answer.status_code, answer.headers["location"]) == (303, "/admin")
    assert {"HttpOnly", "Path=/admin", "SameSite=strict"} <= set(cookie.split("; "))
    assert key not in cookie
    assert page.status_code == 200
    assert "Everything arrived" in page.text
    assert page.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in page.headers["content-security-policy"]


async def test_neither_a_wrong_key_nor_a_persons_opens_the_page(staged: Staged) -> None:
    _, persons = await key_of(staged, user_id=await staged.ann())

    for key in ("mbk_wrong", "", persons):
        answer = await send(staged, "/login", key=key)
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
        assert "does not open the page" in answer.text


async def test_a_session_ends_with_its_key_with_its_time_and_at_the_logout(staged: Staged) -> None:
    key_id, _ = await log_in(staged)
    await staged.door.delete(f"/v1/api-keys/{key_id}")
    assert (await see(staged)).status_code == 303

    await log_in(staged)
    await staged.stage.pass_time(LATER)
    assert (await see(staged)).status_code == 303

    _, proof = await log_in(staged)
    old = dict(staged.door.client.cookies)
    left = await send(staged, "/logout", proof=proof)
    assert (left.status_code, left.headers["location"]) == (303, "/admin/login")
    staged.door.client.cookies.update(old)
    assert (await see(staged)).status_code == 303


async def test_the_tenant_is_seen_at_a_glance(staged: Staged) -> None:
    await staged.meet("Roadmap <b>review</b>", link="https://meet.google.com/abc-defg-hij")
    user_id = await staged.ann()
    await staged.stage.record_everything(user_id)
    await staged.stage.settle()
    await log_in(staged)

    page = await see(staged)
    people = await see(staged, "/users")

    assert "1 people" in page.text
    assert "1 active" in page.text
    assert "Roadmap &lt;b&gt;review&lt;/b&gt;" in page.text
    assert f'href="/admin/users/{user_id}"' in page.text
    assert f'href="/admin/users/{user_id}"' in people.text


async def test_a_person_is_seen_with_each_decision_and_why(staged: Staged) -> None:
    await staged.meet("Standup", link="https://meet.google.com/abc-defg-hij")
    user_id = await staged.ann()
    await staged.door.put(f"/v1/calendar/users/{user_id}/rules", SKIP_ALL)
    await staged.stage.settle()
    await log_in(staged)

    page = unescape((await see(staged, f"/users/{user_id}")).text)

    assert ANN in page
    assert "Standup" in page
    assert "no_match: " in page
    assert '"default": "skip"' in page


async def test_rules_are_tried_and_change_nothing(staged: Staged) -> None:
    await staged.meet("Standup", link="https://meet.google.com/abc-defg-hij")
    user_id = await staged.ann()
    _, proof = await log_in(staged)
    path = f"/users/{user_id}/try"

    tried = await send(staged, path, proof=proof, rules='{"default": "record", "rules": []}')
    wrong = await send(staged, path, proof=proof, rules='{"rules": [{"name": 1}]}')
    broken = await send(staged, path, proof=proof, rules="{ not json")

    assert "record (changes)" in tried.text
    assert "/rules/0" in wrong.text
    assert "{ not json" in broken.text
    assert "record (changes)" not in wrong.text + broken.text
    assert await staged.stage.bots() == []


async def test_calendars_are_read_again_and_links_made_from_the_page(staged: Staged) -> None:
    user_id = await staged.ann()
    _, proof = await log_in(staged)
    await staged.meet("Fresh")

    synced = await send(staged, f"/users/{user_id}/sync", proof=proof)
    link = await send(staged, f"/users/{user_id}/connect/outlook", proof=proof)
    log = (await staged.door.get("/v1/audit-log")).json()["results"]

    assert "1 new, 0 changed, 0 deleted" in synced.text
    assert "Send this to the person" in link.text
    begun = [row for row in log if row["action"] == "calendar.connect_begun"]
    assert sorted((row["target"], row["details"]["provider"]) for row in begun) == [
        (user_id, "google"),
        (user_id, "outlook"),
    ]
    assert ("calendar_user.synced", "127.0.0.1") in [(e["action"], e["address"]) for e in log]
    assert "admin.entered" in [entry["action"] for entry in log]


async def test_a_delivery_that_did_not_arrive_is_sent_again(staged: Staged) -> None:
    await staged.stage.listen()
    staged.stage.world.faults.add("customer.webhooks", "500", times=1)
    await staged.stage.connect(Provider.GOOGLE, ANN)
    await staged.stage.settle()
    _, proof = await log_in(staged)
    page = await see(staged)
    found = re.search(r'action="/admin(/deliveries/[a-z0-9_]+/redeliver)"', page.text)
    assert found is not None

    answer = await send(staged, found[1], proof=proof)
    await staged.stage.settle()

    assert (answer.status_code, answer.headers["location"]) == (303, "/admin")
    assert "Everything arrived" in (await see(staged)).text


async def test_a_form_that_is_not_ours_does_nothing(staged: Staged) -> None:
    user_id = await staged.ann()
    _, proof = await log_in(staged)
    client = staged.door.client
    path = f"/admin/users/{user_id}/connect/google"

    elsewhere = await client.post(
        path, data={"proof": proof}, headers={"Origin": "https://evil.example"}
    )
    without = await client.post(path, data={})
    wrong = await client.post(path, data={"proof": "0" * 64})

    assert [a.status_code for a in (elsewhere, without, wrong)] == [400, 400, 400]
    assert all("Send this to the person" not in a.text for a in (elsewhere, without, wrong))


async def test_another_tenants_person_is_nobody(staged: Staged) -> None:
    user_id = await staged.ann()
    other = await tenants.create_tenant(staged.stage.services, TenantWish(name="Other"))
    await send(staged, "/login", key=other.secret)

    page = await see(staged, f"/users/{user_id}")

    assert page.status_code == 404
    assert ANN not in page.text
    assert Provider.GOOGLE.value not in page.text
