"""Takes one wrapping off an address that a mail guard or a redirector has rewritten.

Everything is read out of the address itself; nothing is asked over the network. Wrappings whose
address holds no target (Mimecast, short links) stay as they are.
"""

import base64
import binascii
import re
import string
from urllib.parse import unquote

from meetbot_calendar.calendars.link_addresses import Address, parse_address

_PROOFPOINT = re.compile(r"https?://urldefense\.(?:proofpoint\.com|com|us)/v3/__", re.IGNORECASE)
_PROOFPOINT_HOST = re.compile(r"urldefense\.(?:proofpoint\.com|com|us)")

# Hosts that carry the target in a parameter, with the path where only one path redirects.
_CARRIERS: tuple[tuple[re.Pattern[str], str | None, tuple[str, ...]], ...] = tuple(
    (re.compile(host), path, names)
    for host, path, names in (
        # Microsoft Defender: Outlook's and Teams' own page.
        (r"(?:[a-z0-9-]+\.)+safelinks\.protection\.(?:outlook\.com|office365\.us)", None, ("url",)),
        (r"statics\.teams\.cdn\.(?:office\.net|live\.net)", None, ("url",)),
        (r"(?:www\.)?google\.(?:[a-z]{2,3}|com?\.[a-z]{2})", "url", ("q", "url")),
        (r"meet\.google\.com", "linkredirect", ("dest",)),
        (r"meet\.app\.goo\.gl", None, ("link",)),
        (r"accounts\.google\.com", None, ("continue",)),
        (r"linkprotect\.cudasvc\.com", "url", ("a",)),
        (r"clicktime\.symantec\.com", None, ("u",)),
        (r"protect2?\.fireeye\.com", None, ("u",)),
        (r"(?:[a-z0-9-]+\.)*protection\.sophos\.com", None, ("u",)),
        (r"slack-redir\.net", "link", ("url",)),
        (r"lm?\.facebook\.com", "l.php", ("u",)),
    )
)
_TEAMS_LAUNCHER = ("dl", "launcher", "launcher.html")


def unwrap(url: str) -> str | None:
    """Return what stands inside one wrapping; None where it is none, or a malformed one."""
    if opening := _PROOFPOINT.match(url):
        return _proofpoint_v3(url[opening.end() :])
    address = parse_address(url)
    if address is None:
        return None
    inner = _inside(address)
    for _ in range(3):  # some guards escape what another had escaped
        if not re.match(r"https?%", inner, re.IGNORECASE):
            break
        inner = unquote(inner)
    return inner or None


def _inside(address: Address) -> str:
    segments, query = address.segments, address.query
    if _PROOFPOINT_HOST.fullmatch(address.host):
        return _proofpoint_v1_v2(address)
    if address.host == "secure-web.cisco.com":
        return unquote(segments[-1]) if segments else ""
    if segments == _TEAMS_LAUNCHER and query.get("url", "").startswith("/"):
        return f"https://{address.host}{query['url'].removeprefix('/_#')}"
    for hosts, path, names in _CARRIERS:
        if hosts.fullmatch(address.host) and path in {None, "/".join(segments)}:
            return next((_plain(query[name]) for name in names if name in query), "")
    return ""


def _plain(value: str) -> str:
    """Undo base64, which Sophos uses, where the value is not an address as it stands."""
    if value[:4].lower() == "http":
        return value
    try:
        return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)).decode()
    except (binascii.Error, ValueError):
        return ""


def _proofpoint_v1_v2(address: Address) -> str:
    value = address.query.get("u", "")
    if address.segments[:1] == ("v2",):  # v2 writes an escape as "-3A" and a slash as "_"
        value = unquote(value.translate(str.maketrans("-_", "%/")))
    return value


_RUN_LENGTHS = {
    letter: length
    for length, letter in enumerate(string.ascii_letters.swapcase() + string.digits + "-_", 2)
}


def _proofpoint_v3(rest: str) -> str | None:
    """Put back what v3 took out: ``*`` is one character, ``**X`` a run whose length is X.

    The characters taken out stand in base64 between ``__;`` and ``!``.
    """
    body, _, tail = rest.partition("__;")
    token = tail.partition("!")[0]
    try:
        removed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    except (binascii.Error, ValueError):
        return None
    position = 0

    def put_back(match: re.Match[str]) -> str:
        nonlocal position
        start, position = position, position + (_RUN_LENGTHS[match[1]] if match[1] else 1)
        return removed[start:position]

    # Mail gateways fold the double slash of the target into one.
    body = re.sub(r"^(https?:/)(?=[^/])", r"\1/", unquote(body), flags=re.IGNORECASE)
    restored = re.sub(r"\*(?:\*([A-Za-z0-9_-]))?", put_back, body)
    return restored if restored and position == len(removed) else None
