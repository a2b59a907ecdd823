"""Attempts to reach through a route what is another's: every route of the document, every name.

Whoever asks for another's thing must be told exactly what is told for a thing that never was.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlencode

import pytest

from tests.attacks.routes import (
    A_WORD,
    NEVER_WAS,
    Route,
    all_routes,
    bodies_of,
    what_is_told,
)
from tests.attacks.scene import SECRET_WORDS, Party, Patient, Scene
from tests.journeys.stage import ANN, BOB


@pytest.fixture
async def routes(scene: Scene) -> list[Route]:
    return [route for route in await all_routes(scene.stranger) if not route.is_for_others]


@pytest.fixture
async def nothing_changes(scene: Scene) -> AsyncIterator[Party]:
    """Acme, of whose rows not one byte may change, but for when its keys were used."""
    before = await scene.acme.rows()
    yield scene.acme
    after = await scene.acme.rows()
    before.pop("api_keys")
    after.pop("api_keys")
    assert after == before


def fillings(route: Route, names: list[str], own: str) -> Iterator[tuple[str, ...]]:
    """Fill a path's holes with another's names; where there are two, also under our own user."""
    holes = [hole for hole in route.holes if route.values_of(hole) is None]
    few = [(route.values_of(hole) or [""])[0] for hole in route.holes]
    for name in names:
        for first in [name, own, names[0]] if len(holes) > 1 else [name]:
            given = iter([first, *[name] * len(holes)])
            yield tuple(few[i] or next(given) for i, _ in enumerate(route.holes))


async def asked(
    door: Patient, route: Route, filled: tuple[str, ...], *names: str
) -> list[tuple[int, str]]:
    return [
        what_is_told(await door.ask(route.method.upper(), route.at(*filled), body), *filled, *names)
        for body in bodies_of(route, names[0] if names else A_WORD)
    ]


async def walk(door: Patient, routes: list[Route], names: list[str], own: str) -> list[str]:
    """Ask every route that names something for another's; returns where an answer differs."""
    differing = []
    for route in (r for r in routes if r.names_things and not r.is_operators):
        twins: dict[tuple[str, ...], list[tuple[int, str]]] = {}
        for filled in fillings(route, names, own):
            never = tuple(NEVER_WAS if value in names else value for value in filled)
            if never not in twins:
                twins[never] = await asked(door, route, never)
            answer = await asked(door, route, filled)
            if answer != twins[never]:
                differing.append(f"{route} {filled}: {answer} but {twins[never]}")
    return differing


async def test_no_route_but_those_for_browsers_providers_and_fleets_answers_without_a_key(
    scene: Scene, routes: list[Route]
) -> None:
    assert len(routes) > 40
    for route in routes:
        filled = route.at(*[(route.values_of(h) or [NEVER_WAS])[0] for h in route.holes])
        for prefix in ("", "/api"):
            answer = await scene.stranger.ask(route.method.upper(), prefix + filled)
            assert answer.status_code == 401, route


async def test_a_tenants_key_sees_and_changes_nothing_of_another_tenant_on_any_route(
    scene: Scene, routes: list[Route], nothing_changes: Party
) -> None:
    names = await nothing_changes.names()

    assert await walk(scene.mallory.tenant, routes, names, scene.mallory.user_id) == []


async def test_a_persons_key_sees_and_changes_nothing_of_another_tenant_on_any_route(
    scene: Scene, routes: list[Route], nothing_changes: Party
) -> None:
    names = await nothing_changes.names()

    assert await walk(scene.mallory.person, routes, names, scene.mallory.user_id) == []


async def test_a_persons_key_sees_and_changes_nothing_of_a_colleague_on_any_route(
    scene: Scene, routes: list[Route], nothing_changes: Party
) -> None:
    names = [name for name in await nothing_changes.names() if name != scene.zoe_id]

    assert await walk(scene.zoe, routes, names, scene.zoe_id) == []


async def test_no_name_in_a_query_or_a_header_leads_to_another_tenants_things(
    scene: Scene, routes: list[Route], nothing_changes: Party
) -> None:
    names = await nothing_changes.names()
    differing = []
    for route in [r for r in routes if r.method == "get" and not r.is_operators]:
        path = route.at(*[(route.values_of(h) or [scene.mallory.user_id])[0] for h in route.holes])
        for place in route.queries():
            kind, _, query = place.partition(":")
            twin = await _named(scene.mallory.tenant, path, kind, query, NEVER_WAS)
            for name in names:
                answer = await _named(scene.mallory.tenant, path, kind, query, name)
                if answer != twin and answer[0] == 200:  # else ill-formed
                    differing.append(f"{route} {place} {name}: {answer} but {twin}")

    assert differing == []


async def _named(door: Patient, path: str, kind: str, name: str, value: str) -> tuple[int, str]:
    if kind == "header":
        return what_is_told(await door.get(path, **{name: value}), value)
    return what_is_told(await door.get(f"{path}?{urlencode({name: value})}"), value)


async def test_no_name_in_a_body_leads_to_another_tenants_things(
    scene: Scene, routes: list[Route], nothing_changes: Party
) -> None:
    names = await nothing_changes.names()
    tried = 0
    for route in [r for r in routes if r.body() and not r.is_operators]:
        filled = tuple((route.values_of(h) or [scene.mallory.user_id])[0] for h in route.holes)
        if "_id" not in str(next(bodies_of(route, A_WORD))):
            continue
        ((twin, _),) = await asked(scene.mallory.tenant, route, filled)
        if twin < 400:  # a word of the caller's own: it points at nothing
            continue
        for name in names:
            ((status, _),) = await asked(scene.mallory.tenant, route, filled, name)
            assert status == twin, (str(route), name)
            tried += 1

    assert tried >= len(names)


async def test_no_list_of_a_tenants_holds_a_name_of_another_tenant(
    scene: Scene, routes: list[Route]
) -> None:
    names = set(await scene.acme.names()) - {"google", "outlook"}
    lists = [r for r in routes if r.method == "get" and not r.is_operators]
    told = {}
    for route in lists:
        path = route.at(*[(route.values_of(h) or [scene.mallory.user_id])[0] for h in route.holes])
        for door in (scene.mallory.tenant, scene.mallory.person):
            told[str(route), door.key] = (await door.get(path)).text

    assert [(where, n) for where, said in told.items() for n in names if f'"{n}"' in said] == []


async def test_a_page_marker_of_another_tenants_list_shows_nothing_of_theirs(
    scene: Scene, routes: list[Route]
) -> None:
    names = await scene.acme.names()
    followed = 0
    for route in [r for r in routes if "query:cursor" in r.queries() and not r.is_operators]:
        path = route.at(*[scene.acme.user_id for _ in route.holes])
        first = (await scene.acme.tenant.get(f"{path}?limit=1")).json()
        if first.get("next") is None:
            continue
        followed += 1
        for door in (scene.mallory.tenant, scene.mallory.person, scene.zoe):
            own = path.replace(scene.acme.user_id, scene.mallory.user_id)
            if door is scene.zoe:
                own = path.replace(scene.acme.user_id, scene.zoe_id)
            said = (await door.get(f"{own}?limit=1&cursor={first['next']}")).text
            assert [name for name in names if f'"{name}"' in said] == [], route

    assert followed > 3


async def test_a_page_marker_that_was_altered_or_made_up_shows_nothing_of_others(
    scene: Scene, routes: list[Route]
) -> None:
    names = await scene.acme.names()
    for route in [r for r in routes if "query:cursor" in r.queries() and not r.is_operators]:
        path = route.at(*[scene.mallory.user_id for _ in route.holes])
        found = (await scene.mallory.tenant.get(f"{path}?limit=1")).json()
        genuine = urlsafe_b64decode((found.get("next") or "lA") + "==")
        for place in range(0, len(genuine), 7):
            changed = bytearray(genuine)
            changed[place] ^= 0xFF
            cursor = urlsafe_b64encode(bytes(changed)).decode().rstrip("=")
            answer = await scene.mallory.tenant.get(f"{path}?cursor={cursor}")
            assert answer.status_code in (200, 400), (route, answer.text)
            assert [name for name in names if f'"{name}"' in answer.text] == [], route


async def test_a_persons_key_opens_no_route_that_is_the_tenants(
    scene: Scene, routes: list[Route], nothing_changes: Party
) -> None:
    del nothing_changes
    tenants_own = {
        "/v1/tenant", "/v1/api-keys", "/v1/oauth-apps", "/v1/webhook-endpoints", "/v1/audit-log",
        "/v1/webhook-deliveries", "/v1/webhook-messages", "/v1/usage", "/v1/calendar/users",
    }  # fmt: skip
    for route in [r for r in routes if r.path in tenants_own]:
        for body in bodies_of(route, A_WORD):
            answer = await scene.zoe.ask(route.method.upper(), route.path, body)
            listed = route.path == "/v1/calendar/users" and answer.status_code == 200
            if listed:  # a person finds itself in the list of persons, and nobody else
                assert [row["id"] for row in answer.json()["results"]] == [scene.zoe_id]
            else:
                assert answer.status_code == 404, route


async def test_the_operators_routes_open_for_the_operators_key_alone(
    scene: Scene, routes: list[Route], nothing_changes: Party
) -> None:
    operators = [route for route in routes if route.is_operators]
    assert len(operators) > 4
    for route in operators:
        path = route.at(*[nothing_changes.tenant_id for _ in route.holes])
        for door in (scene.mallory.tenant, scene.mallory.person, scene.acme.tenant, scene.stranger):
            for prefix in ("", "/api"):
                answer = await door.ask(route.method.upper(), prefix + path, {"name": "Mine"})
                assert answer.status_code == 401, route


async def test_the_operators_key_opens_no_route_of_a_tenants(
    scene: Scene, routes: list[Route], nothing_changes: Party
) -> None:
    del nothing_changes
    for route in [r for r in routes if not r.is_operators]:
        filled = route.at(*[(route.values_of(h) or [scene.acme.user_id])[0] for h in route.holes])
        if not filled.startswith("/v1/calendar/event-schema"):
            answer = await scene.operator.ask(route.method.upper(), filled)
            assert answer.status_code in (401, 404), (route, answer.text)


async def test_an_idempotency_key_of_another_tenant_gives_none_of_their_answers(
    scene: Scene,
) -> None:
    body = {"name": "laptop"}

    theirs = await scene.acme.tenant.post("/v1/api-keys", body, Idempotency_Key="the-same")
    ours = await scene.mallory.tenant.post("/v1/api-keys", body, Idempotency_Key="the-same")
    persons = await scene.mallory.person.post(
        "/v1/calendar/connect/google", {"customer_user_id": "eve"}, Idempotency_Key="the-same"
    )

    assert (theirs.status_code, ours.status_code, persons.status_code) == (201, 201, 201)
    assert theirs.json()["key"] != ours.json()["key"]
    assert "idempotent-replayed" not in ours.headers


async def test_the_same_id_for_a_person_is_another_person_at_another_tenant(
    scene: Scene,
) -> None:
    named = {"X_Customer_User_Id": "ann"}

    theirs = await scene.acme.tenant.get("/v1/bots", **named)
    ours = await scene.mallory.tenant.get("/v1/bots", **named)

    bots = {bot["id"] for bot in theirs.json()["results"]}
    assert len(bots) > 0
    assert ours.status_code == 404 or not bots & {b["id"] for b in ours.json()["results"]}


async def test_a_persons_key_that_names_a_colleague_is_refused(scene: Scene) -> None:
    header = await scene.zoe.get("/v1/bots", X_Customer_User_Id="ann")
    query = await scene.zoe.get(f"/v1/bots?user_id={scene.acme.user_id}")
    both = await scene.zoe.get(f"/v1/bots?user_id={scene.zoe_id}", X_Customer_User_Id="ann")

    assert [answer.status_code for answer in (header, query)] == [404, 404]
    assert both.status_code in (400, 404, 422)


async def test_a_persons_key_changes_nothing_that_the_tenant_says_of_the_person(
    scene: Scene,
) -> None:
    path, facts = f"/v1/calendar/users/{scene.zoe_id}", {"attributes": {"may_be_recorded": False}}
    await scene.acme.tenant.patch(path, facts)

    tried = [
        await scene.zoe.patch(path, {"attributes": {}}),
        await scene.zoe.patch(path, {"attributes": {"may_be_recorded": True}, "bot_config": {}}),
        await scene.zoe.post(
            "/v1/calendar/connect/google",
            {"customer_user_id": "zoe", "attributes": {"may_be_recorded": True}},
        ),
    ]
    own = await scene.zoe.patch(path, facts | {"bot_config": {"bot_name": "Zoe's"}})

    assert [(answer.status_code, answer.json()["code"]) for answer in tried] == [
        (422, "tenants_own")
    ] * 3
    assert (own.status_code, own.json()["attributes"]) == (200, facts["attributes"])
    assert own.json()["bot_config"] == {"bot_name": "Zoe's"}


async def test_what_a_tenant_could_ask_for_is_there_for_the_tenant_itself(scene: Scene) -> None:
    names = await scene.acme.names()
    bots = (await scene.acme.tenant.get("/v1/bots")).json()["results"]
    exported = await scene.acme.tenant.get(f"/v1/calendar/users/{scene.acme.user_id}/export")

    assert len(bots) > 0
    assert {ANN, BOB} & set(names)
    assert SECRET_WORDS in exported.text
