"""One history under way: the stage, the meetings held so far, and the dice."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from random import Random
from typing import Any

import msgspec

from meetbot_calendar.calendars.model import Provider
from meetbot_calendar.sandbox.meetings import Meeting, slot_key
from meetbot_calendar.sandbox.recurrence import slots
from meetbot_calendar.sandbox.store import Account, Calendar
from tests.journeys.stage import ANN, BOB, Stage

CY = "cy@acme.example"  # at Google, not connected: shares calendars with Ann
DEE = "dee@acme.example"  # at Microsoft, not connected: shares calendars with Bob
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

Act = Callable[["Story"], Awaitable[object]]


class Story(msgspec.Struct):
    """A stage on which anything may happen; ``dice`` decide all of it, so a seed tells it again.

    ``users`` are the calendar users by account, ``told`` what happened, in words.
    """

    stage: Stage
    dice: Random
    held: list[Meeting] = []
    users: dict[str, Any] = {}
    told: list[str] = []

    @property
    def world(self) -> Any:
        return self.stage.world

    def meeting(self) -> Meeting | None:
        return self.dice.choice(self.held) if self.held else None

    def slot(self, meeting: Meeting) -> str | None:
        """Name an occurrence of a series that is about now, or none: then all of it is meant."""
        if not meeting.recurrence or self.dice.random() < 0.4:
            return None
        near = []
        for when in slots(meeting.recurrence, meeting.start, meeting.zone, all_day=meeting.all_day):
            if when > self.stage.now + 20 * DAY or len(near) > 40:
                break
            near.append(when)
        later = [when for when in near if when > self.stage.now - DAY] or near[-1:]
        return slot_key(self.dice.choice(later), all_day=meeting.all_day) if later else None

    def person(self) -> tuple[Provider, str]:
        """Choose one of the two whose accounts are connected."""
        return self.dice.choice([(Provider.GOOGLE, ANN), (Provider.OUTLOOK, BOB)])

    def stranger(self, provider: Provider) -> Account:
        """Return who shares calendars at a provider, and is not connected."""
        email = CY if provider is Provider.GOOGLE else DEE
        account: Account = self.world.directory.account(provider.value, email)
        return account

    def account(self, provider: Provider, email: str) -> Account:
        found: Account = self.world.directory.account(provider.value, email)
        return found

    def calendars_of(self, account: Account) -> list[Calendar]:
        """Return the calendars that an account owns, not shared ones nor generated ones."""
        found = [self.world.directory.calendar(e.calendar) for e in self.entries(account)]
        return [c for c in found if c is not None and c.owner == account.email and not c.generated]

    def entries(self, account: Account) -> list[Any]:
        found: list[Any] = self.world.directory.entries(account)
        return found
