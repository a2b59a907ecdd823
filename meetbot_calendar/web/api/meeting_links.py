"""Every meeting that an event names, as the outside sees it, and why one of them is joined."""

import msgspec

from meetbot_calendar.calendars.model import EventContent, MeetingLink, Platform

_PLACES = {
    "conference": "the conference data",
    "online_meeting": "the online meeting",
    "hangout_link": "the Meet link",
    "url": "the address field",
    "location": "the location",
    "description": "the description",
    "title": "the title",
}


class MeetingLinkView(msgspec.Struct, frozen=True, kw_only=True):
    """One meeting that an event names: where it stands, and why it is the one to join, or not."""

    url: str
    platform: Platform
    place: str
    chosen: bool
    why: str


def links_view(content: EventContent) -> tuple[MeetingLinkView, ...]:
    """Write every meeting that was found in an event, the chosen one first."""
    return tuple(_view(link, content.meeting_links[0]) for link in content.meeting_links)


def _view(link: MeetingLink, chosen: MeetingLink) -> MeetingLinkView:
    return MeetingLinkView(
        url=link.url,
        platform=link.platform,
        place=link.place,
        chosen=link is chosen,
        why=_why(link, chosen),
    )


def _why(link: MeetingLink, chosen: MeetingLink) -> str:
    here, there = _PLACES.get(link.place, link.place), _PLACES.get(chosen.place, chosen.place)
    if link is chosen:
        return f"It stands in {here}, and in no place that is believed sooner does another."
    if link.place == chosen.place:
        return f"Another one stands before it in {here}."
    return f"It stands in {here}: one in {there} is believed sooner."
