"""The demo: a tenant, its people, their consents, rules, and a stretch of meetings.

It uses the product as a customer would, over its public API, and plays the people at their
providers through the sandbox's control API.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import httpx
import msgspec

Json = dict[str, Any]
Http = httpx.AsyncClient  # noqa: TID251 - the demo stands outside the product
HttpError = httpx.HTTPError


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """One end-user of the demo's tenant."""

    customer_user_id: str
    provider: str
    email: str
    name: str
    zone: str
    attributes: dict[str, str] = {}

    @property
    def simulated_at(self) -> str:
        """Name the provider as the sandbox does."""
        return "outlook" if self.provider == "microsoft" else self.provider


ANN = Person(
    customer_user_id="ann",
    provider="google",
    email="ann@acme.example",
    name="Ann Rivera",
    zone="Europe/Berlin",
    attributes={"team": "sales", "manager_email": "mona@acme.example"},
)
BOB = Person(
    customer_user_id="bob",
    provider="microsoft",
    email="bob@acme.example",
    name="Bob Okafor",
    zone="America/New_York",
    attributes={"team": "success"},
)
CLEO = Person(
    customer_user_id="cleo",
    provider="google",
    email="cleo@acme.example",
    name="Cleo Lindqvist",
    zone="Europe/Stockholm",
)
CONNECTED = (ANN, BOB)
PEOPLE = (ANN, BOB, CLEO)

RULES: Json = {
    "default": "skip",
    "rules": [
        {
            "name": "1:1s with my manager",
            "action": "skip",
            "when": {
                "and": [
                    {"var": "is_one_on_one"},
                    {"in": [{"var": "user.attributes.manager_email"}, {"var": "attendee_emails"}]},
                ]
            },
        },
        {
            "name": "customers",
            "action": "record",
            "bot_config": {"bot_name": "Acme Notes"},
            "when": {"in": ["customer.example", {"var": "domains"}]},
        },
        {
            "name": "standups",
            "action": "skip",
            "when": {"matches": [{"var": "title"}, "(?i)stand-?up"]},
        },
        {"name": "internal", "action": "record", "when": {"var": "is_internal"}},
    ],
}

MEET = "https://meet.google.com/dem-oroo-one"
ZOOM = "https://acme.zoom.us/j/93811112222?pwd=demo"
TEAMS = "https://teams.microsoft.com/meet/33749853217630?p=demoroom"


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """One meeting of the story; ``begins`` is minutes from now on the demo's clock."""

    title: str
    begins: float
    lasts: float
    organizer: str
    guests: tuple[str, ...]
    link: str = ""
    recurrence: str = ""


SCENES = (
    Scene(title="Customer kick-off", begins=3, lasts=6, organizer=ANN.email,
          guests=("dana@customer.example",), link=MEET),
    Scene(title="Renewal call", begins=4, lasts=6, organizer=BOB.email,
          guests=("eli@customer.example",), link=TEAMS),
    Scene(title="Pipeline review", begins=8, lasts=10, organizer=ANN.email,
          guests=(BOB.email,), link=ZOOM),
    Scene(title="1:1 Mona / Ann", begins=12, lasts=10, organizer="mona@acme.example",
          guests=(ANN.email,), link="https://meet.google.com/one-onne-one"),
    Scene(title="Daily stand-up", begins=20, lasts=10, organizer=ANN.email,
          guests=(BOB.email, CLEO.email), link="https://meet.google.com/sta-ndup-day",
          recurrence="RRULE:FREQ=DAILY;COUNT=5"),
    Scene(title="Lunch (no link)", begins=45, lasts=60, organizer=BOB.email,
          guests=(ANN.email,)),
    Scene(title="Quarterly planning", begins=90, lasts=60, organizer=BOB.email,
          guests=(ANN.email, CLEO.email), link=TEAMS.replace("3374985", "4474985")),
)  # fmt: skip


class Story(msgspec.Struct, kw_only=True):
    """What the demo has made; kept between starts, so that it is made once."""

    tenant_id: str = ""
    api_key: str = ""
    user_ids: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"Story({self.tenant_id})"


class Teller:
    """Tells the story over HTTP."""

    def __init__(self, http: Http, product: str, sandbox: str) -> None:
        self._http = http
        self._product = product
        self._sandbox = sandbox

    async def tell(self, story: Story, operator_key: str, now: datetime) -> None:
        """Set the stage (once), connect the people, and hold fresh meetings."""
        await self._people()
        if not story.tenant_id:
            await self._tenant(story, operator_key)
        for person in CONNECTED:
            if person.customer_user_id not in story.user_ids:
                story.user_ids[person.customer_user_id] = await self._connect(story, person)
                await self._rules(story, person)
        await self.hold(SCENES, now)
        await self._open_site(story)

    async def hold(self, scenes: Sequence[Scene], now: datetime) -> None:
        """Hold meetings from now on, at whole seconds as calendars do."""
        for scene in scenes:
            start = now.replace(microsecond=0) + timedelta(minutes=scene.begins)
            meeting = {
                "organizer": scene.organizer,
                "title": scene.title,
                "start": start.isoformat(),
                "end": (start + timedelta(minutes=scene.lasts)).isoformat(),
                "attendees": [{"email": guest, "response": "accepted"} for guest in scene.guests],
                "link": scene.link,
                "recurrence": scene.recurrence,
            }
            await self._play("/sandbox/meetings", meeting)

    async def _people(self) -> None:
        for person in PEOPLE:
            facts = {
                "provider": person.simulated_at,
                "email": person.email,
                "name": person.name,
                "zone": person.zone,
            }
            await self._play("/sandbox/people", facts)

    async def _tenant(self, story: Story, operator_key: str) -> None:
        made = await self._ask("POST", "/v1/tenants", operator_key, {"name": "Acme Notes"})
        story.tenant_id = made["tenant"]["id"]
        story.api_key = made["api_key"]["key"]
        policy = {
            "redirect_urls": [f"{self._sandbox}/customer/connected"],
            "internal_domains": ["acme.example"],
            "default_rules": RULES,
        }
        await self._ask("PATCH", "/v1/tenant", story.api_key, policy)
        address = f"{self._sandbox}/customer/webhooks/acme"
        endpoint = {"url": address, "events": ["*"], "description": "the demo's customer"}
        made = await self._ask("POST", "/v1/webhook-endpoints", story.api_key, endpoint)
        await self._play("/customer/webhooks/acme/secret", {"secret": made["secret"]})

    async def _open_site(self, story: Story) -> None:
        """Give the customer's own site what it needs to send its people to consent."""
        people = [
            {
                "customer_user_id": person.customer_user_id,
                "provider": person.provider,
                "email": person.email,
                "name": person.name,
                "attributes": person.attributes,
            }
            for person in PEOPLE
        ]
        site = {"product": self._product, "api_key": story.api_key, "people": people}
        await self._play("/customer/site", site)

    async def _rules(self, story: Story, person: Person) -> None:
        user_id = story.user_ids[person.customer_user_id]
        await self._ask("PUT", f"/v1/calendar/users/{user_id}/rules", story.api_key, RULES)

    async def _link(self, story: Story, person: Person) -> str:
        wish = {
            "customer_user_id": person.customer_user_id,
            "redirect_url": f"{self._sandbox}/customer/connected",
            "login_hint": person.email,
            "attributes": person.attributes,
        }
        path = f"/v1/calendar/connect/{person.provider}"
        made = await self._ask("POST", path, story.api_key, wish)
        return str(made["url"])

    async def _connect(self, story: Story, person: Person) -> str:
        """Play the person: open the link, allow, and follow the browser back."""
        link = await self._link(story, person)
        decision = "accept" if person.provider == "microsoft" else "allow"
        form = {"decision": decision, "account": person.email}
        answer = await self._http.post(link, data=form)
        while answer.next_request is not None:
            target = answer.next_request.url
            if target.path.endswith("/customer/connected"):
                return _user_id(person, target.params)
            answer = await self._http.get(target)
        raise StoryFailed(f"{person.name}'s consent ended at {answer.status_code}")

    async def _ask(self, method: str, path: str, key: str, body: Json) -> Json:
        answer = await self._http.request(
            method, f"{self._product}{path}", json=body, headers={"Authorization": f"Bearer {key}"}
        )
        return _good(answer, f"{method} {path}")

    async def _play(self, path: str, body: Json) -> None:
        answer = await self._http.post(f"{self._sandbox}{path}", json=body)
        _good(answer, f"POST {path}")


class StoryFailed(Exception):
    """The demo could not be told; the sentence says where it stopped."""


def _user_id(person: Person, outcome: httpx.QueryParams) -> str:
    if outcome.get("status") != "success":
        raise StoryFailed(f"{person.name} could not connect: {outcome.get('error')}")
    return str(outcome["meetbot_calendar_user_id"])


def _good(answer: httpx.Response, asked: str) -> Json:
    if not answer.is_success:
        raise StoryFailed(f"{asked} answered {answer.status_code}: {answer.text[:300]}")
    found: Json = answer.json() if answer.content else {}
    return found
