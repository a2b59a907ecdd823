"""Who takes part, as one mailbox sees it: answers are reliable in the organiser's copy alone."""

from typing import Any

from meetbot_calendar.sandbox.meetings import Guest, Meeting
from meetbot_calendar.sandbox.microsoft import zones
from meetbot_calendar.sandbox.store import Account

_NEVER = "0001-01-01T00:00:00Z"
_ANSWERS = {
    "none": "none",
    "accepted": "accepted",
    "declined": "declined",
    "tentative": "tentativelyAccepted",
}


def person(email: str, name: str) -> dict[str, Any]:
    """Return someone as Graph writes them."""
    return {"emailAddress": {"name": name or email, "address": email}}


def my_answer(account: Account, meeting: Meeting, slot: str | None) -> str:
    """Return the mailbox owner's own answer, as ``responseStatus.response`` has it."""
    if account.email == meeting.organizer:
        return "organizer"
    guest = meeting.guest(account.email)
    if guest is None:
        return "none"
    answer = _ANSWERS[guest.slots.get(slot or "", guest.response)]
    return "notResponded" if answer == "none" else answer


def attendees(account: Account, meeting: Meeting, slot: str | None) -> list[dict[str, Any]]:
    """Return the invited as this mailbox sees them; the organiser is not among them."""
    organises = account.email == meeting.organizer
    seen = [g for g in meeting.guests if g.email.lower() != meeting.organizer]
    if meeting.guests_hidden and not organises:
        seen = [g for g in seen if g.email.lower() == account.email]
    return [_attendee(guest, meeting, slot, told=organises) for guest in seen]


def _attendee(guest: Guest, meeting: Meeting, slot: str | None, *, told: bool) -> dict[str, Any]:
    answer = _ANSWERS[guest.slots.get(slot or "", guest.response)] if told else "none"
    kind = "resource" if guest.resource else "optional" if guest.optional else "required"
    answered = _NEVER if answer == "none" else zones.write_seconds(meeting.created_at)
    return {
        "type": kind,
        "status": {"response": answer, "time": answered},
        **person(guest.email, guest.name),
    }
