"""The whole HTTP door over a real database, and what a test needs to knock at it."""

from datetime import timedelta

import msgspec
from httpx import ASGITransport, AsyncClient, Response

from meetbot_calendar.journeys.services import House, Services
from meetbot_calendar.web.app import create_app
from tests.fixed_clock import FixedClock

OPERATOR_KEY = "the-operator's-key"
Json = dict[str, object]


class Rings:
    """Wake-ups, written down."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str, str]] = []

    async def ring(self, kind: str, tenant_id: str, row_id: str) -> None:
        self.heard.append((kind, tenant_id, row_id))


class Door:
    """Knocks at the application with one key."""

    def __init__(self, client: AsyncClient, key: str | None) -> None:
        self._client = client
        self.key = key

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        raw: bytes | None = None,
        **headers: str,
    ) -> Response:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.key is not None:
            given.setdefault("Authorization", f"Bearer {self.key}")
        content = raw if body is None else msgspec.json.encode(body)
        return await self._client.request(method, path, content=content, headers=given)

    async def get(self, path: str, **headers: str) -> Response:
        return await self.ask("GET", path, **headers)

    async def post(self, path: str, body: object = None, **headers: str) -> Response:
        return await self.ask("POST", path, body, **headers)

    async def put(self, path: str, body: object = None, **headers: str) -> Response:
        return await self.ask("PUT", path, body, **headers)

    async def patch(self, path: str, body: object = None, **headers: str) -> Response:
        return await self.ask("PATCH", path, body, **headers)

    async def delete(self, path: str, **headers: str) -> Response:
        return await self.ask("DELETE", path, **headers)


class OpenHouse(msgspec.Struct, kw_only=True):
    """One running application."""

    services: Services
    clock: FixedClock
    rings: Rings
    client: AsyncClient

    def with_key(self, key: str | None) -> Door:
        return Door(self.client, key)

    @property
    def operator(self) -> Door:
        return self.with_key(OPERATOR_KEY)

    async def tenant(self, name: str = "Acme") -> tuple[Json, Door]:
        """Make a tenant; returns it and a door that its first key opens."""
        answer = await self.operator.post("/v1/tenants", {"name": name})
        assert answer.status_code == 201, answer.text
        made = answer.json()
        return made["tenant"], self.with_key(made["api_key"]["key"])


def client_of(services: Services) -> AsyncClient:
    async def well() -> str | None:
        return None

    app = create_app(
        services,
        is_operator=lambda key: key == OPERATOR_KEY,
        probes={"database": well, "redis": well},
    )
    transport = ASGITransport(app=app, raise_app_exceptions=True)  # type: ignore[arg-type]
    return AsyncClient(transport=transport, base_url="http://meetbot.test")


def house_rules() -> House:
    return House(
        public_url="http://127.0.0.1:8000",
        join_lead=timedelta(seconds=90),
        poll_interval=timedelta(seconds=300),
        past=timedelta(days=1),
        future=timedelta(days=28),
    )
