"""The customer's site sends a person to a consent link that it asks the product for."""

import msgspec

from tests.loopback import listening, says
from tests.sandbox.site import Site

ANN = {
    "customer_user_id": "ann",
    "provider": "google",
    "email": "ann@example.com",
    "name": "Ann <Rivera>",
    "attributes": {"team": "sales"},
}


async def test_the_button_leads_to_a_fresh_consent_link(site: Site) -> None:
    link = b'{"url": "https://consent.example/1", "expires_at": "2026-11-20T12:10:00Z"}'
    async with listening(says(link, 201)) as product:
        settled = {"product": product.url, "api_key": "mbk_1", "people": [ANN]}
        await site.http.post("/customer/site", json=settled)

        page = await site.http.get("/customer/site")
        away = await site.http.get("/customer/site/connect/ann")

    asked = product.heard[0]
    assert "Ann &lt;Rivera&gt;" in page.text
    assert (away.status_code, away.headers["location"]) == (302, "https://consent.example/1")
    assert (asked.target, asked.headers["authorization"]) == (
        "/v1/calendar/connect/google",
        "Bearer mbk_1",
    )
    assert msgspec.json.decode(asked.body)["customer_user_id"] == "ann"


async def test_somebody_unknown_is_sent_nowhere(site: Site) -> None:
    assert (await site.http.get("/customer/site/connect/nobody")).status_code == 404
