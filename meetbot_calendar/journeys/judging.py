"""All that decides for one person, loaded together; and one event decided by it."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from meetbot_calendar.calendars.facts import facts_of
from meetbot_calendar.calendars.meeting_links import room_of
from meetbot_calendar.calendars.model import Calendar, CalendarId, StoredEvent
from meetbot_calendar.storage import calendars, rule_sets
from meetbot_calendar.storage.decisions import Override
from rules.decision import Case, Decision, OptOut, matches_opt_out
from rules.decision import decide as decide_case
from rules.parse import RuleSet, parse_policy, parse_rule_set
from tenants.identity import (
    CalendarUser,
    CalendarUserId,
    Tenant,
    TenantPolicy,
)
from tenants.storage import directory, users
from tenants.storage.session import TenantSession


class Judge(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that decides for one person, as it stands now."""

    tenant: Tenant
    user: CalendarUser
    version: int
    rule_set: RuleSet | None
    tenant_default: RuleSet | None
    policy: RuleSet | None
    calendars: Mapping[CalendarId, Calendar]
    now: datetime

    def judge(
        self, event: StoredEvent, override: Override | None, *, trace: bool = False
    ) -> Decision:
        """Decide one event; a ``trace`` tells what each rule made of it."""
        return decide_case(self._case(event, override), trace=trace)

    def _case(self, event: StoredEvent, override: Override | None) -> Case:
        policy = self.tenant.policy
        facts = facts_of(
            event, self.calendars[event.calendar_id], self.user, policy.internal_domains
        )
        return Case(
            facts=facts,
            has_link=event.content.meeting_url is not None,
            has_times=event.span is not None,
            is_cancelled=event.is_deleted or event.status == "cancelled",
            is_over=event.span is not None and event.span.end <= self.now,
            opted_out=_opted_out(policy, event),
            override=override.action if override else None,
            record_declined=policy.record_declined,
            policy=self.policy,
            rule_set=self.rule_set,
            tenant_default=self.tenant_default,
            auto_schedule=self.user.auto_schedule,
        )


def _opted_out(policy: TenantPolicy, event: StoredEvent) -> str | None:
    """Say which entry of the tenant's opt-out list forbids recording this event."""
    listed = policy.opt_out
    content = event.content
    people = [event.account_id, content.organizer and content.organizer.email]
    people += [guest.email for guest in content.attendees]
    link = content.meeting_url
    return matches_opt_out(
        OptOut(
            emails=listed.emails,
            domains=listed.domains,
            rooms=tuple(room_of(room) or room for room in listed.rooms),
        ),
        emails=[email for email in people if email],
        rooms=[room_of(link) or link] if link else [],
    )


async def load_judge(
    session: TenantSession, user_id: CalendarUserId, now: datetime, document: object = None
) -> Judge:
    """Load what decides for a person; a ``document`` stands in for the saved rules."""
    tenant = await directory.get(session)
    user = await users.known(session, user_id)
    version, saved = await rule_sets.active(session, user_id)
    asked = saved if document is None else document
    policy = tenant.policy
    return Judge(
        tenant=tenant,
        user=user,
        version=version,
        rule_set=None if asked is None else parse_rule_set(asked),
        tenant_default=parse_rule_set(policy.default_rules) if policy.default_rules else None,
        policy=parse_policy(policy.policy_rules) if policy.policy_rules else None,
        calendars={c.id: c for c in await calendars.of_user(session, user_id)},
        now=now,
    )
