"""Google's own libraries, unchanged, against the sandbox behind a real socket (Granian)."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import google.auth.exceptions
import google.auth.transport.requests
import pytest
import requests
from google.oauth2.credentials import Credentials
from google_auth_oauthlib.flow import Flow
from googleapiclient import discovery
from googleapiclient.errors import HttpError

from tests.sandbox.live import Live
from tests.sandbox.site import ANN, BOB, CALLBACK, SCOPES

WEEKLY = "RRULE:FREQ=WEEKLY;COUNT=3"


@pytest.fixture(autouse=True)
def _plain_http_is_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    monkeypatch.setenv("OAUTHLIB_RELAX_TOKEN_SCOPE", "1")


@pytest.fixture
def calendar(live: Live) -> Iterator[Any]:
    """Google's client for the Calendar API, signed in as Ann."""
    service = discovery.build(
        "calendar",
        "v3",
        credentials=connected(live),
        static_discovery=True,
        cache_discovery=False,
        client_options={"api_endpoint": f"{live.url}/google/calendar/v3/"},
    )
    yield service
    service.close()


def flow(live: Live, **more: Any) -> Flow:
    config = {
        "web": {
            "client_id": "client-1",
            "client_secret": "secret-1",
            "redirect_uris": [CALLBACK],
            "auth_uri": f"{live.url}/google/o/oauth2/v2/auth",
            "token_uri": f"{live.url}/google/token",
        }
    }
    return Flow.from_client_config(config, SCOPES.split(), redirect_uri=CALLBACK, **more)


def consented(url: str) -> str:
    """Click Allow as Ann; return the code."""
    form = {"account": ANN, "decision": "allow"}
    answer = requests.post(url, data=form, allow_redirects=False, timeout=10)
    return parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]


def connected(live: Live) -> Credentials:
    begun = flow(live)
    url, state = begun.authorization_url(access_type="offline", prompt="consent")
    code = consented(url)
    returned = flow(live, state=state, code_verifier=begun.code_verifier)
    with returned.oauth2session:
        returned.fetch_token(code=code)
        found: Credentials = returned.credentials
        return found


def control(live: Live, path: str, **body: Any) -> Any:
    answer = requests.post(f"{live.url}/sandbox{path}", json=body, timeout=10)
    assert answer.ok, answer.text
    return answer.json()


def held(live: Live, **facts: Any) -> str:
    body = {
        "organizer": ANN,
        "title": "Review",
        "start": "2026-11-23T10:00:00",
        "end": "2026-11-23T11:00:00",
        "zone": "Europe/Berlin",
    }
    made: str = control(live, "/meetings", **(body | facts))["id"]
    return made


def refreshed(credentials: Credentials) -> Credentials:
    with requests.Session() as session:
        request = google.auth.transport.requests.Request(session)
        credentials.refresh(request)  # type: ignore[no-untyped-call]
    return credentials


def test_the_consent_flow_with_pkce_gives_credentials_that_refresh(live: Live) -> None:
    credentials = connected(live)
    first = credentials.token
    stored = Credentials(  # type: ignore[no-untyped-call]
        None,
        refresh_token=credentials.refresh_token,
        token_uri=f"{live.url}/google/token",
        client_id="client-1",
        client_secret="secret-1",
    )

    refreshed(stored)

    assert credentials.granted_scopes == SCOPES.split()
    assert stored.token != first
    assert stored.refresh_token == credentials.refresh_token


def test_a_callback_that_lost_its_verifier_is_refused(live: Live) -> None:
    url, _ = flow(live).authorization_url(access_type="offline")
    returned = flow(live, autogenerate_code_verifier=False)

    with (
        returned.oauth2session,
        pytest.raises(Exception, match=r"invalid_grant.*Missing code verifier"),
    ):
        returned.fetch_token(code=consented(url))


def test_a_revoked_grant_is_a_refresh_error_that_is_not_to_be_retried(live: Live) -> None:
    credentials = connected(live)
    control(live, "/grants/revoke", provider="google", email=ANN)

    with pytest.raises(google.auth.exceptions.RefreshError) as refusal:
        refreshed(credentials)

    assert refusal.value.args[1] == {
        "error": "invalid_grant",
        "error_description": "Token has been expired or revoked.",
    }
    assert refusal.value.retryable is False


def test_googles_client_lists_calendars_and_expanded_events(live: Live, calendar: Any) -> None:
    made = held(live, recurrence=WEEKLY, attendees=[{"email": BOB, "response": "accepted"}])

    calendars = calendar.calendarList().list().execute()
    events = calendar.events()
    request = events.list(calendarId=ANN, singleEvents=True, maxResults=2, orderBy="startTime")
    found = []
    while request is not None:
        answer = request.execute()
        found += [item["id"] for item in answer["items"]]
        request = events.list_next(request, answer)

    assert [item["id"] for item in calendars["items"]] == [ANN]
    assert found == [
        f"{made}_20261123T090000Z",
        f"{made}_20261130T090000Z",
        f"{made}_20261207T090000Z",
    ]


def test_googles_client_syncs_by_token_and_sees_410(live: Live, calendar: Any) -> None:
    made = held(live)
    token = calendar.events().list(calendarId="primary").execute()["nextSyncToken"]
    control(live, f"/meetings/{made}/cancel")

    delta = calendar.events().list(calendarId="primary", syncToken=token).execute()
    control(live, "/calendars/forget", calendar=ANN)
    with pytest.raises(HttpError) as gone:
        calendar.events().list(calendarId="primary", syncToken=token).execute()

    assert [(item["id"], item["status"]) for item in delta["items"]] == [(made, "cancelled")]
    assert gone.value.status_code == 410
    assert gone.value.error_details[0]["reason"] == "fullSyncRequired"


def test_googles_client_reads_watches_and_stops(live: Live, calendar: Any) -> None:
    made = held(live, recurrence=WEEKLY)
    body = {"id": "c1", "type": "web_hook", "address": "https://127.0.0.1:1/hook"}

    one = calendar.events().get(calendarId=ANN, eventId=made).execute()
    each = calendar.events().instances(calendarId=ANN, eventId=made).execute()
    channel = calendar.events().watch(calendarId=ANN, body=body).execute()
    stop = {"id": "c1", "resourceId": channel["resourceId"]}
    stopped = calendar.channels().stop(body=stop).execute()

    assert one["recurrence"] == [WEEKLY]
    assert len(each["items"]) == 3
    assert (channel["kind"], stopped) == ("api#channel", "")


def test_googles_client_refuses_nothing_of_the_event_json(live: Live, calendar: Any) -> None:
    """Every field that the sandbox writes is one that Google's discovery document knows."""
    held(
        live,
        recurrence=WEEKLY,
        link="https://meet.google.com/abc-defg-hij",
        location="Room",
        description="Text",
        visibility="private",
        busy=False,
        attendees=[{"email": BOB, "optional": True}],
    )
    schema = calendar._schema.get("Event")["properties"]

    (event,) = calendar.events().list(calendarId=ANN).execute()["items"]

    assert set(event) <= set(schema)
    assert set(event["attendees"][1]) <= set(calendar._schema.get("EventAttendee")["properties"])
    conference = calendar._schema.get("ConferenceData")["properties"]
    assert set(event["conferenceData"]) <= set(conference)
