"""Runs the OAuth libraries: in threads, within bounds, and over plain http to this machine.

They block, wait between retries of their own, insist on https, and name failures each in its own
way. Beneath an adapter of ours they keep to their part: what is asked, and what the answer means.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

import requests
from requests.adapters import HTTPAdapter

from meetbot_calendar.errors import TryLater
from meetbot_calendar.gateways.transport import Answer, retry_after
from meetbot_calendar.gateways.untrusted import object_in

_CONNECT, _READ = 4.0, 10.0  # seconds for each step of one request
_PATIENCE = 25.0  # seconds for a whole call; a thread that is left alone ends by itself
_TALKATIVE = ("requests_oauthlib", "oauthlib", "google.auth", "msal", "urllib3")

T = TypeVar("T")
Rewrite = Callable[[str], str]
_Timeout = float | tuple[float, float] | tuple[float, None] | None
_Cert = bytes | str | tuple[bytes | str, bytes | str] | None


async def in_thread(call: Callable[[], T]) -> T:
    """Return what a blocking call gives. Raises ``TryLater`` when it takes too long."""
    try:
        async with asyncio.timeout(_PATIENCE):
            return await asyncio.to_thread(call)
    except TimeoutError as error:
        raise TryLater("the sign-in service takes too long", code="unreachable") from error


@contextmanager
def session_to(rewrite: Rewrite) -> Iterator[requests.Session]:
    """Open a session whose every request goes where ``rewrite`` sends it."""
    with requests.Session() as session:
        guard(session, rewrite)
        yield session


def guard(session: requests.Session, rewrite: Rewrite) -> None:
    """Bind a library's own session to our rules."""
    for name in _TALKATIVE:  # at DEBUG they log tokens and secrets
        logging.getLogger(name).setLevel(logging.WARNING)
    session.trust_env = False
    session.mount("https://", _Guarded(rewrite))
    session.mount("http://", _Guarded(rewrite))


def as_https(url: str) -> str:
    """Name a plain http address in the way that the libraries accept."""
    return "https://" + url.removeprefix("http://") if url.startswith("http://") else url


def scheme_of(configured: str) -> Rewrite:
    """Send requests by the scheme of the ``configured`` address."""
    scheme, _, _ = configured.partition("://")
    return lambda url: f"{scheme}://{url.partition('://')[2]}"


class _Guarded(HTTPAdapter):
    """Sends to the rewritten address, and lets only answers through that say something."""

    def __init__(self, rewrite: Rewrite) -> None:
        super().__init__(max_retries=0)
        self._rewrite = rewrite

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: _Timeout = None,  # noqa: ARG002 - ours holds, whatever a library wishes
        verify: bool | str = True,
        cert: _Cert = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        request.url = self._rewrite(request.url or "")
        bounds = (_CONNECT, _READ)
        try:
            return _meaningful(super().send(request, stream, bounds, verify, cert, proxies))
        except requests.RequestException as error:
            detail = f"the sign-in service gave no answer ({type(error).__name__})"
            raise TryLater(detail, code="unreachable") from error


def _meaningful(response: requests.Response) -> requests.Response:
    """Return an answer that is the API's own word, good or bad; the rest is trouble on the way."""
    said = object_in(response.content)  # read in any case, or its connection would stay open
    status = response.status_code
    if status == 429 or status >= 500:  # noqa: PLR2004 - RFC 9110
        raise TryLater(f"the sign-in service answers {status}", after=_wait(response.headers))
    if response.is_redirect or not said:
        raise TryLater(
            f"the sign-in service answers {status} with no JSON", code="unreadable_answer"
        )
    return response


def _wait(headers: Mapping[str, str]) -> timedelta | None:
    lower = {name.lower(): value for name, value in headers.items()}
    return retry_after(Answer(status=503, headers=lower, body=b""))
