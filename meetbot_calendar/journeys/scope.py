"""Which of a person's accounts and calendars a request is about."""

import msgspec

from meetbot_calendar.calendars.model import PRIMARY, Calendar, Provider


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """Which accounts, and of their calendars which, by the provider's id; None: all."""

    provider: Provider | None = None
    account_id: str | None = None
    platform_id: str | None = None

    def holds(self, provider: Provider, account_id: str) -> bool:
        """Say whether an account is meant."""
        return self.provider in (None, provider) and self.account_id in (None, account_id)

    def holds_calendar(self, calendar: Calendar) -> bool:
        """Say whether a calendar is meant."""
        if not self.holds(calendar.provider, calendar.account_id):
            return False
        if self.platform_id == PRIMARY:
            return calendar.is_primary
        return self.platform_id in (None, calendar.platform_id)
