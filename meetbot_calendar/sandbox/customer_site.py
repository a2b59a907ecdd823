"""The customer's own website: its people, and a button that sends each to a fresh consent link.

What a tenant's application does with the product's API, in one page: the button asks for a link
with the tenant's key and sends the browser there.
"""

from html import escape
from typing import Any
from urllib.parse import quote

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.params import FromPath, JSONBody

from meetbot_calendar.sandbox.injected import Here
from meetbot_calendar.sandbox.notes import note

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:8vh auto;padding:0 1rem}"
    "li{display:flex;justify-content:space-between;padding:.6rem 0;border-top:1px solid #ddd}"
    "a{background:#174ea6;color:#fff;padding:.3rem .9rem;border-radius:.4rem;text-decoration:none}"
)


class SitePerson(msgspec.Struct, kw_only=True):
    """One end-user of the customer's."""

    customer_user_id: str
    provider: str
    email: str
    name: str
    attributes: dict[str, str] = {}


class SiteState(msgspec.Struct, kw_only=True):
    """Where the product is, the customer's key for it, and the customer's people."""

    product: str = ""
    api_key: str = ""
    people: list[SitePerson] = []

    def __repr__(self) -> str:
        return f"SiteState({self.product})"


def router() -> Router:
    """Return the site, under ``/customer/site``."""
    return Router(path="/customer/site", route_handlers=[settle_site, show_people, send_away])


@post("/", status_code=200)
async def settle_site(data: JSONBody[SiteState], world: Here) -> dict[str, int]:
    """Say where the product is, and who the people are."""
    world.state.notes["site"] = data
    return {"people": len(data.people)}


@get("/", media_type="text/html")
async def show_people(world: Here) -> str:
    """Show everybody with a button to connect their calendar."""
    rows = "".join(
        f"<li><span>{escape(p.name)} &middot; {escape(p.email)}</span>"
        f'<a href="/customer/site/connect/{quote(p.customer_user_id)}">Connect calendar</a></li>'
        for p in note(world, "site", SiteState).people
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Acme Notes</title>'
        f"<style>{_STYLE}</style><small>Sandbox &middot; the customer's own site</small>"
        f"<h1>Acme Notes</h1><ul style='padding:0'>{rows}</ul></html>"
    )


@get("/connect/{who:str}")
async def send_away(
    request: Request[Any, Any, Any], world: Here, who: FromPath[str]
) -> Response[str]:
    """Ask the product for a one-time consent link, and send the browser there."""
    site = note(world, "site", SiteState)
    person = next((p for p in site.people if p.customer_user_id == who), None)
    if person is None:
        return Response("nobody here is called so", status_code=404)
    wish = {
        "customer_user_id": person.customer_user_id,
        "redirect_url": f"{request.base_url}customer/connected",
        "login_hint": person.email,
        "attributes": person.attributes,
    }
    headers = {"Authorization": f"Bearer {site.api_key}", "Content-Type": "application/json"}
    url = f"{site.product}/v1/calendar/connect/{person.provider}"
    answer = await world.courier.post(url, headers, msgspec.json.encode(wish))
    if answer is None or not answer.is_success:
        return Response("the product gave no consent link; see its log", status_code=502)
    return Response("", status_code=302, headers={"Location": answer.json()["url"]})
