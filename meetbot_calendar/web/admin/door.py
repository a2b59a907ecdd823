"""Who stands before the admin page: the cookie, and the proof that a form is ours."""

import hashlib
import hmac
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit

import msgspec
import structlog
from litestar import Request
from litestar.datastructures import Cookie

from meetbot_calendar.errors import Refused
from meetbot_calendar.journeys import admin
from meetbot_calendar.journeys.services import Services
from meetbot_calendar.web.addresses import client_of
from meetbot_calendar.web.api.parts import Given
from tenants.identity import TenantContext

COOKIE = "meetbot_admin"
_PATH = "/admin"


class NotIn(Exception):
    """Nobody is logged in here."""


class Visitor(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who is logged in; every form of theirs carries ``proof``."""

    context: TenantContext
    token: str
    proof: str

    def __repr__(self) -> str:
        return f"Visitor({self.context.actor})"


async def visitor(request: Request[Any, Any, Any], services: Given) -> Visitor:
    """Say who is there. Raises ``NotIn``."""
    token = request.cookies.get(COOKIE, "")
    proxies = tuple(map(ip_network, services.house.trusted_proxies))
    address = client_of(request.scope, proxies)
    context = await admin.recognise(services, token, address) if token else None
    if context is None:
        raise NotIn
    structlog.contextvars.bind_contextvars(tenant_id=context.tenant_id, actor=context.actor)
    proof = hmac.digest(token.encode(), b"form", hashlib.sha256).hex()
    return Visitor(context=context, token=token, proof=proof)


async def form_of(
    request: Request[Any, Any, Any], services: Services, guest: Visitor | None
) -> dict[str, str]:
    """Read a form that one of our own pages sent. Raises ``Refused`` for anybody else's."""
    origin = request.headers.get("origin")
    if origin is not None and origin != _origin(services):
        raise _foreign()
    fields = {name: str(value) for name, value in (await request.form()).items()}
    given = fields.get("proof", "").encode()
    if guest is not None and not hmac.compare_digest(given, guest.proof.encode()):
        raise _foreign()
    return fields


def cookie(services: Services, token: str) -> Cookie:
    """Write the cookie of a session; an empty token takes it back."""
    return Cookie(
        key=COOKIE,
        value=token,
        path=_PATH,
        max_age=int(admin.LIFETIME.total_seconds()) if token else 0,
        secure=services.house.public_url.startswith("https:"),
        httponly=True,
        samesite="strict",
    )


def _origin(services: Services) -> str:
    parts = urlsplit(services.house.public_url)
    return f"{parts.scheme}://{parts.netloc}"


def _foreign() -> Refused:
    return Refused(
        "This form was not sent by a page of ours, or its session is over: load the page again."
    )
