"""Takes one wrapping off an address that a mail guard or a redirector has rewritten.

Everything is read out of the address itself; nothing is asked over the network. Wrappings whose
address holds no target (Mimecast, short links) stay as they are. Which guards write what was
compared with ninoseki/kachi's rules and with wrapped links in public mail archives.
"""

import base64
import binascii
import re
import string
from urllib.parse import unquote

from meetbot_calendar.calendars.link_addresses import Address, parse_address

_I = re.IGNORECASE
_PROOFPOINT = re.compile(r"https?://urldefense\.(?:proofpoint\.com|com|us)/v3/__", _I)
_PROOFPOINT_HOST = re.compile(r"urldefense\.(?:proofpoint\.com|com|us)")

# Guards that write the target into the path, mostly as it stands, its query with it.
_IN_PATH = tuple(
    re.compile(pattern, _I | re.DOTALL)
    for pattern in (
        # Check Point, and Avanan, which it bought: between three underscores, then a ticket.
        (
            r"https?://(?:protect\.checkpoint\.com|url\.avanan\.click)/v2/(?:r\d{1,3}/)?___"
            r"(https?(?::|%3a)/.*)___(?:\.(?:(?!___).)*)?"
        ),
        r"https?://secure-web\.cisco\.com/[^/?#]+/(https?(?::|%3a)/.*)",
        r"https?://secure-web\.cisco\.com/[^/?#]+/(https?%[^/?#]*).*",
        # What Amazon's mail service makes of links to count their clicks.
        r"https?://[a-z0-9-]+\.r\.[a-z0-9-]+\.awstrack\.me/[LI]\d/(https?(?::|%)[^/?#]*).*",
    )
)

# Hosts that carry the target in a parameter, with the path where only one path redirects.
_CARRIERS: tuple[tuple[re.Pattern[str], str | None, tuple[str, ...]], ...] = tuple(
    (re.compile(host), path, names)
    for host, path, names in (
        # Microsoft Defender in each of its clouds, then Outlook's and Teams' own page.
        (
            (
                r"(?:[a-z0-9-]+\.)*safelinks\.(?:protection\.)?"
                r"(?:(?:partner\.)?outlook\.(?:com|cn|us)|office365\.us|apps\.mil)"
            ),
            None,
            ("url",),
        ),
        (r"statics\.teams\.cdn\.(?:office\.net|live\.net)", None, ("url",)),
        (r"(?:www\.)?google\.(?:[a-z]{2,3}|com?\.[a-z]{2})", "url", ("q", "url")),
        (r"meet\.google\.com", "linkredirect", ("dest",)),
        (r"meet\.app\.goo\.gl", None, ("link",)),
        (r"accounts\.google\.com", None, ("continue",)),
        # Mail guards: Barracuda, Symantec, FireEye, Sophos, Trend Micro, Libraesva, Trustwave,
        # EdgePilot, Vade.
        (r"linkprotect\.cudasvc\.com", None, ("a",)),
        (r"clicktime\.symantec\.com", None, ("u",)),
        (r"protect2?\.fireeye\.com", None, ("u",)),
        (r"(?:[a-z0-9-]+\.)*protection\.sophos\.com", None, ("u",)),
        (r"[a-z0-9-]+\.trendmicro\.com", "wis/clicktime/v1/query", ("url",)),
        (r"urlsand\.esvalabs\.com", None, ("u",)),
        (r"scanmail\.trustwave\.com", None, ("u",)),
        (r"link\.edgepilot\.com", None, ("u",)),
        (r"(?:antiphishing|m365\.(?:eu|us)|gws\.eu)\.vadesecure\.com", None, ("u",)),
        # What chats and networks make of a link that is copied out of them.
        (r"slack-redir\.net", "link", ("url",)),
        (r"lm?\.facebook\.com", "l.php", ("u",)),
        (r"l\.(?:messenger|instagram|workplace)\.com", None, ("u",)),
        (r"l\.wl\.co", "l", ("u",)),
        (r"(?:[a-z]{2,3}\.)?linkedin\.com", "redir/redirect", ("url",)),
        (r"(?:[a-z]{2,3}\.)?linkedin\.com", "safety/go", ("url",)),
        (r"(?:www\.|m\.)?youtube\.com", "redirect", ("q",)),
    )
)
_TEAMS_LAUNCHER = ("dl", "launcher", "launcher.html")
# A target is an address of the web or of a platform's app (see link_respelling).
_ADDRESS = re.compile(r"(?:https?|zoommtg|zoomus|msteams)[:%]", _I)


def unwrap(url: str) -> str | None:
    """Return what stands inside one wrapping; None where it is none, or a malformed one."""
    if opening := _PROOFPOINT.match(url):
        return _proofpoint_v3(url[opening.end() :])
    address = parse_address(url)
    if address is None:
        return None
    inner = _inside(url, address)
    for _ in range(3):  # some guards escape what another had escaped
        if not re.match(r"https?:?%", inner, _I):
            break
        inner = unquote(inner)
    return inner or None


def _inside(url: str, address: Address) -> str:
    segments, query = address.segments, address.query
    if _PROOFPOINT_HOST.fullmatch(address.host):
        return _proofpoint_v1_v2(address)
    if target := next((match[1] for guard in _IN_PATH if (match := guard.fullmatch(url))), ""):
        return _two_slashes(target)
    if segments == _TEAMS_LAUNCHER and query.get("url", "").startswith("/"):
        return f"https://{address.host}{query['url'].removeprefix('/_#')}"
    for hosts, path, names in _CARRIERS:
        if hosts.fullmatch(address.host) and path in {None, "/".join(segments)}:
            return next((_plain(query[name]) for name in names if name in query), "")
    return ""


def _plain(value: str) -> str:
    """Undo base64, which Sophos uses, where the value is not an address as it stands."""
    if _ADDRESS.match(value):
        return value
    value = value.translate(str.maketrans("+/", "-_"))
    try:
        return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)).decode()
    except (binascii.Error, ValueError):
        return ""


def _two_slashes(target: str) -> str:
    """Put back the double slash of a target that mail gateways have folded into one."""
    return re.sub(r"^(https?)(?::|%3a)/(?=[^/])", r"\1://", target, flags=_I)


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

    body = _two_slashes(unquote(body))
    restored = re.sub(r"\*(?:\*([A-Za-z0-9_-]))?", put_back, body)
    return restored if restored and position == len(removed) else None
