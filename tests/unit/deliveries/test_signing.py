import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from meetbot_calendar.clock import SystemClock
from meetbot_calendar.deliveries.signing import headers, new_secret, verify
from meetbot_calendar.errors import InstallationFault, Tampered

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + base64.b64encode(b"another secret, just as long").decode()

secrets_ = st.binary(min_size=24, max_size=64).map(
    lambda raw: "whsec_" + base64.b64encode(raw).decode()
)
ids = st.from_regex(r"msg_[a-z0-9]{1,30}", fullmatch=True)
instants = st.integers(10**15, 4 * 10**15).map(
    lambda microseconds: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
)


@given(secret=secrets_, message_id=ids, at=instants, body=st.text())
def test_we_sign_as_the_reference_library_does(
    secret: str, message_id: str, at: datetime, body: str
) -> None:
    made = headers(message_id, at, body.encode(), [secret])

    assert made == {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, at, body),
    }


@given(secret=secrets_, body=st.text())
def test_the_reference_library_takes_our_signatures_and_we_take_its(secret: str, body: str) -> None:
    now = SystemClock().now()
    stamp = str(int(now.timestamp()))
    theirs = Webhook(secret).sign("msg_1", now, body)

    Webhook(secret).verify(body, headers("msg_1", now, body.encode(), [secret]), json_parse=False)
    verify(
        {"webhook-id": "msg_1", "webhook-timestamp": stamp, "webhook-signature": theirs},
        body.encode(),
        [secret],
        now,
    )


@given(body=st.binary(min_size=1), data=st.data())
def test_a_flipped_bit_anywhere_breaks_the_signature(body: bytes, data: st.DataObject) -> None:
    made = headers("msg_1", NOON, body, [SECRET])
    position = data.draw(st.integers(0, len(body) * 8 - 1))
    flipped = bytearray(body)
    flipped[position // 8] ^= 1 << position % 8

    with pytest.raises(Tampered):
        verify(made, bytes(flipped), [SECRET], NOON)


@given(
    name=st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]),
    text=st.text(max_size=80),
)
def test_any_other_header_is_tampering_and_never_a_crash(name: str, text: str) -> None:
    made = headers("msg_1", NOON, b"{}", [SECRET])

    if made[name] != text and made["webhook-signature"] not in text.split(" "):
        with pytest.raises(Tampered):
            verify(made | {name: text}, b"{}", [SECRET], NOON)


@pytest.mark.parametrize(
    "shown",
    ["", "v1,zzz", "v1", "v1,", "v1a,abc=", "v1,=,=", "\x00", "v1,\u00e9", "v2," + "A" * 44],
)
def test_a_malformed_signature_is_tampering(shown: str) -> None:
    made = headers("msg_1", NOON, b"{}", [SECRET]) | {"webhook-signature": shown}

    with pytest.raises(Tampered):
        verify(made, b"{}", [SECRET], NOON)


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_every_header_is_needed(missing: str) -> None:
    made = headers("msg_1", NOON, b"{}", [SECRET])
    del made[missing]

    with pytest.raises(Tampered):
        verify(made, b"{}", [SECRET], NOON)


def test_while_a_secret_rotates_either_one_verifies() -> None:
    made = headers("msg_1", NOON, b"{}", [OTHER, SECRET])

    verify(made, b"{}", [SECRET], NOON)
    verify(made, b"{}", [OTHER], NOON)
    assert len(made["webhook-signature"].split(" ")) == 2


def test_one_matching_signature_among_strange_ones_is_enough() -> None:
    made = headers("msg_1", NOON, b"{}", [SECRET])
    made["webhook-signature"] = "v1a,asym v1,zzz " + made["webhook-signature"]

    verify({name.title(): value for name, value in made.items()}, b"{}", [OTHER, SECRET], NOON)


def test_another_secret_does_not_verify() -> None:
    made = headers("msg_1", NOON, b"{}", [SECRET])

    with pytest.raises(Tampered):
        verify(made, b"{}", [OTHER], NOON)


def test_no_secret_verifies_nothing() -> None:
    with pytest.raises(Tampered):
        verify(headers("msg_1", NOON, b"{}", [SECRET]), b"{}", [], NOON)


@pytest.mark.parametrize("away", [timedelta(minutes=5), timedelta(minutes=-5), timedelta(0)])
def test_five_minutes_either_way_are_tolerated(away: timedelta) -> None:
    verify(headers("msg_1", NOON, b"{}", [SECRET]), b"{}", [SECRET], NOON + away)


@pytest.mark.parametrize("away", [timedelta(minutes=5, seconds=1), timedelta(minutes=-6)])
def test_older_and_newer_messages_are_replays(away: timedelta) -> None:
    with pytest.raises(Tampered):
        verify(headers("msg_1", NOON, b"{}", [SECRET]), b"{}", [SECRET], NOON + away)


def test_new_secrets_are_long_and_never_alike() -> None:
    first, second = new_secret(), new_secret()

    assert first != second
    assert len(base64.b64decode(first.removeprefix("whsec_"), validate=True)) == 32


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_a", "geheim\u00e4"])
def test_an_unusable_secret_is_the_operators_to_mend(secret: str) -> None:
    with pytest.raises(InstallationFault):
        headers("msg_1", NOON, b"{}", [secret])


def test_nothing_is_sent_unsigned() -> None:
    with pytest.raises(InstallationFault):
        headers("msg_1", NOON, b"{}", [])
