"""What is wrong with a policy that a tenant asks for, with a pointer to each place."""

import re
from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import msgspec

from meetbot_calendar.calendars.meeting_links import room_of
from meetbot_calendar.errors import Fault
from rules.faults import RuleSetInvalid
from rules.parse import parse_policy, parse_rule_set
from tenants.identity import OptOut, TenantPolicy

LARGEST_CONFIG = 32 * 1024

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})+", re.ASCII)
_EMAIL = re.compile(rf"[^@\s]{{1,64}}@{_LABEL}(\.{_LABEL})*", re.ASCII)
_UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")


def faults_of(policy: TenantPolicy) -> Iterator[Fault]:
    """Find everything that types alone do not refuse."""
    yield from _each(policy.redirect_urls, "/redirect_urls", _redirect)
    yield from _each(policy.internal_domains, "/internal_domains", _domain)
    yield from _opt_out(policy.opt_out)
    yield from _rules(policy.default_rules, "/default_rules", parse_rule_set)
    yield from _rules(policy.policy_rules, "/policy_rules", parse_policy)
    yield from config_faults(policy.default_bot_config, "/default_bot_config")


def config_faults(config: dict[str, Any], pointer: str) -> Iterator[Fault]:
    """Find bot settings, or facts about a person, that are too large to keep."""
    if len(msgspec.json.encode(config)) > LARGEST_CONFIG:
        yield Fault(pointer, f"It is larger than {LARGEST_CONFIG // 1024} KiB.")


def _each(
    values: Sequence[str], pointer: str, trouble: Callable[[str], str | None]
) -> Iterator[Fault]:
    for place, value in enumerate(values):
        if detail := trouble(value):
            yield Fault(f"{pointer}/{place}", detail)


def _redirect(url: str) -> str | None:
    if _UNSAFE.search(url):
        return "It holds a blank, a backslash or a control character."
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return "It is no web address."
    host = parts.hostname or ""
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        return "It must begin with https://; http:// is for loopback hosts alone."
    if not host or "@" in parts.netloc or "#" in url:
        return "It must name a host, and hold no user name and no fragment."
    return None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _domain(domain: str) -> str | None:
    return None if _DOMAIN.fullmatch(domain) else "It is no domain, as acme.com."


def _email(email: str) -> str | None:
    return None if _EMAIL.fullmatch(email) else "It is no email address."


def _room(link: str) -> str | None:
    return None if room_of(link) else "It is no meeting link that we know."


def _opt_out(opt_out: OptOut) -> Iterator[Fault]:
    yield from _each(opt_out.emails, "/opt_out/emails", _email)
    yield from _each(opt_out.domains, "/opt_out/domains", _domain)
    yield from _each(opt_out.rooms, "/opt_out/rooms", _room)


def _rules(document: object, pointer: str, parse: Callable[[object], object]) -> Iterator[Fault]:
    if document is None:
        return
    try:
        parse(document)
    except RuleSetInvalid as error:
        for fault in error.faults:
            yield Fault(pointer + fault.pointer, fault.detail)
