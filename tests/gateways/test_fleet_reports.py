"""What fleets report of a life: believed when they signed it, lately; read in our words."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from meetbot_calendar.bots.fleet import Notice
from meetbot_calendar.errors import Tampered
from tests.gateways.fleet_stand import FLEETS, Stand, stand_of
from tests.loopback import Heard

LATE = timedelta(minutes=6)
SIGNS_NO_TIME = {"attendee": timedelta(hours=25)}


@pytest.fixture(params=FLEETS)
async def each(request: pytest.FixtureRequest) -> AsyncIterator[Stand]:
    async with stand_of(request.param) as stand:
        yield stand


def heard_of(each: Stand) -> list[Notice]:
    """Return everything that was posted to us, read."""
    found = [each.read(heard) for heard in each.us.heard]
    return [notice for notice in found if notice is not None]


def nameless(each: Stand) -> list[Heard]:
    """Return what was posted to us without saying of which bot: what Vexa calls a status change."""
    return [heard for heard in each.us.heard if b'"meeting.status_change"' in heard.body]


def kinds(notices: list[Notice]) -> list[str]:
    """Return the kinds of what was reported, each once."""
    return list(dict.fromkeys(n.report.kind for n in notices if n.report))


async def test_a_life_is_reported_as_joined_and_completed_of_the_bot_that_we_sent(
    each: Stand,
) -> None:
    sent = await each.fleet.send(each.order())
    await each.pass_time(10)
    await each.pass_time(100)

    notices = heard_of(each)

    ours = None if each.name == "vexa" else "bot_1"
    assert kinds(notices) == ["joined", "completed"]
    assert {(n.fleet_bot_id, n.bot_id) for n in notices} == {(sent, ours)}
    assert len(notices) == len(each.us.heard) - len(nameless(each))
    assert len(nameless(each)) == (2 if each.name == "vexa" else 0)
    reports = [n.report for n in notices if n.report]
    assert all(each.now - timedelta(seconds=120) < r.at <= each.now for r in reports)


async def test_a_bot_that_was_not_let_in_is_reported_as_failed_with_its_reason(each: Stand) -> None:
    each.trouble("fail", "reports", reason="removed_by_host")
    await each.fleet.send(each.order())
    await each.pass_time(10)

    notices = heard_of(each)

    first = next(n.report for n in notices if n.report)
    assert first.kind == "failed"
    assert first.reason in ("removed_by_host", "denied_by_host")


async def test_a_bot_that_we_called_back_is_reported_as_over_at_most(each: Stand) -> None:
    sent = await each.fleet.send(each.order())
    await each.pass_time(10)
    await each.fleet.recall(sent)
    await each.pass_time(10)

    assert kinds(heard_of(each)) in (["joined"], ["joined", "completed"])


async def test_a_report_that_somebody_else_signed_is_refused(each: Stand) -> None:
    each.trouble("forged", "reports")
    await each.fleet.send(each.order())
    await each.pass_time(10)

    with pytest.raises(Tampered):
        each.read(each.us.heard[0])
    assert each.read(each.us.heard[-1]) is not None


async def test_a_report_is_refused_when_a_byte_of_it_or_its_signature_is_missing(
    each: Stand,
) -> None:
    await each.fleet.send(each.order())
    await each.pass_time(10)
    true = each.us.heard[0]

    for spoilt in (
        Heard(method="POST", target="/", headers=true.headers, body=true.body[:-2] + b" }"),
        Heard(method="POST", target="/", headers=true.headers, body=true.body + b"}"),
        Heard(method="POST", target="/", headers={}, body=true.body),
    ):
        is_same_json = each.name == "attendee" and spoilt.body.endswith(b" }")
        if is_same_json:
            continue  # it signs what the JSON says, not its bytes
        with pytest.raises(Tampered):
            each.read(spoilt)


async def test_a_report_of_long_ago_is_refused_and_one_repeated_says_the_same(each: Stand) -> None:
    await each.fleet.send(each.order())
    await each.pass_time(10)
    true = each.us.heard[-1]

    assert each.read(true) == each.read(true, each.now + timedelta(minutes=4))
    for far in (SIGNS_NO_TIME.get(each.name, LATE), -SIGNS_NO_TIME.get(each.name, LATE)):
        with pytest.raises(Tampered):
            each.read(true, each.now + far)
