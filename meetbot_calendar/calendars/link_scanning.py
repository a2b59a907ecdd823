"""Finds the addresses that stand in a text, plain or HTML, in time that grows with its length."""

import html
import re
from collections.abc import Iterator

# Anybody can put megabytes into a description. What is longer is read at both ends: people write
# at the top, and conferencing add-ons put their block at the bottom.
_MOST_HEAD = 300_000
_MOST_TAIL = 100_000
_LONGEST = 8_192

# Only with their semicolon: "&region=" in a query is not a registered trade mark. The digits are
# few, since a number of thousands of digits is no character and costs dearly to read.
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")

_HREF = re.compile(
    rf"(?:href|originalsrc)\s{{0,9}}=\s{{0,9}}(?:\"([^\"]{{1,{_LONGEST}}})|'([^']{{1,{_LONGEST}}}))",
    re.IGNORECASE,
)

_CHARACTERS = r"[!#$%&()*+,\-./0-9:;=?@A-Z_a-z~]"
# People leave the scheme out where they type a link; only for hosts that can mean nothing else.
_BARE_HOSTS = (
    r"meet\.google\.com|g\.co/meet|zoom(?:gov)?\.(?:us|com)|zoom\.com\.cn|zoom-x\.de"
    r"|teams\.microsoft\.(?:com|us)|teams\.cloud\.microsoft|teams\.live\.com"
    r"|webex\.com(?:\.cn)?|webexgov\.us|gotomeeting\.com|gotomeet\.me|goto\.com"
    r"|bluejeans\.com|whereby\.com"
)
_LINK = re.compile(
    rf"(?:((?:https?|zoommtg|zoomus|msteams)://|msteams:/(?=[lm]))"
    rf"|(?<![\w@./%=&?#+~-])(?=(?:[a-z0-9-]{{1,63}}\.){{0,3}}(?:{_BARE_HOSTS})/))"
    # Teams' own context parameter, where it is not escaped, is the one place for braces.
    rf"{_CHARACTERS}{{1,{_LONGEST}}}(?:(?<=context=)\{{[^{{}}<>\s]{{1,600}}\}}{_CHARACTERS}{{0,600}})?",
    re.IGNORECASE | re.ASCII,
)
_NUMBER_IN_GROUPS = re.compile(
    r"(?<=/[jsw]/)([0-9]{3})[ \xa0\u2009\u202f\u2010-\u2015]([0-9]{3,4})"
    r"[ \xa0\u2009\u202f\u2010-\u2015]([0-9]{3,4})(?!\d)"
)
_ESCAPED_BLANKS = frozenset({"%20", "%09", "%0A", "%0D", "%3E", "%22"})
_BREAK_HINT = re.compile(r"<wbr ?/?>", re.IGNORECASE)
_JOINED = re.compile(r"[,;]+(?=https?://)", re.IGNORECASE)
_PATH_ENDS = re.compile(r"[?#,;]")


def links_in(text: str) -> Iterator[str]:
    """Give every address in a text: what its anchors point to, then what stands in the open.

    The same address may come twice. An address without a scheme is given ``https``.
    """
    if len(text) > _MOST_HEAD + _MOST_TAIL:
        text = f"{text[:_MOST_HEAD]}\n{text[-_MOST_TAIL:]}"
    text = text.replace("\\/", "/")  # JSON that was pasted, or stored, as it is written
    for match in _HREF.finditer(text):
        yield re.sub(r"\s+", "", decode_entities(match[1] or match[2]))
    text = join_groups(_BREAK_HINT.sub("", decode_entities(text)))
    for match in _LINK.finditer(text):
        for piece in _JOINED.split(match[0]):
            address = _without_punctuation(piece)
            if text[match.start() - 1 : match.start()] == "_":  # emphasis, as in *…* and _…_
                address = address.rstrip("_")
            yield address if match[1] else f"https://{address}"


def decode_entities(text: str) -> str:
    """Decode HTML entities, and those that were escaped twice."""
    for _ in range(2):
        if "&" not in text:
            break
        text = _ENTITY.sub(lambda match: html.unescape(match[0]), text)
    return text


def join_groups(text: str) -> str:
    """Join a meeting's number in an address that was typed, or copied, in groups."""
    return _NUMBER_IN_GROUPS.sub(r"\1\2\3", text)


def trimmed(address: str) -> str:
    """Take off the blanks and brackets around an address, and the blanks escaped after it."""
    address = address.strip(" \t\r\n<>\"'")
    end = len(address)
    while address[end - 3 : end].upper() in _ESCAPED_BLANKS:
        end -= 3
    return address[:end]


def _without_punctuation(address: str) -> str:
    """Cut off what belongs to the sentence around it, or to the next thing in a list."""
    end = _PATH_ENDS.search(address)
    if end and end[0] in ",;" and "__;" not in address:  # which is Proofpoint's own
        address = address[: end.start()]
    for _ in range(3):
        address = address.rstrip(".,;:!?*")
        surplus = address.count(")") - address.count("(")
        closing = len(address) - len(address.rstrip(")"))
        if (cut := min(surplus, closing)) <= 0:
            break
        address = address[:-cut]
    return address
