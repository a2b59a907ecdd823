"""Bot settings in a fleet's own words, and the marks by which we know our bots again.

Three keys of ``bot_config`` are ours whatever the fleet: ``bot_name``, ``bot_message`` (said in the
chat on joining) and ``bot_image_url``. Each fleet's adapter names its own words for them; where it
has none, ours is left out. Every other key is handed through as it is, and the fleet judges it.
"""

from collections.abc import Callable, Mapping
from typing import Any

from meetbot_calendar.bots.fleet import Order
from meetbot_calendar.gateways.untrusted import Json, child, text

DEFAULT_NAME = "Notetaker"
MARK = "meetbot_bot_id"
_OURS = frozenset({"bot_name", "bot_message", "bot_image_url"})

Words = Mapping[str, Callable[[Any], Json]]


def named(word: str) -> Callable[[Any], Json]:
    """Say a setting under another name."""
    return lambda value: {word: value}


def worded(order: Order, words: Words, defaults: Json | None = None) -> Json:
    """Return the settings of an order in the fleet's words; its own words beat ours."""
    config = order.bot_config
    body: Json = dict(defaults or {})
    for ours, say in words.items():
        if config.get(ours) is not None:
            body |= say(config[ours])
    return body | {key: value for key, value in config.items() if key not in _OURS}


def marked(order: Order, where: str) -> Json:
    """Return what the fleet is to keep with the bot: what the settings say, and whose it is."""
    marks = {MARK: order.bot_id, "meetbot_tenant_id": order.tenant_id}
    return {where: {**child(order.bot_config, where), **marks}}


def mark_of(kept: Json) -> str | None:
    """Return our bot's id from what the fleet kept with it."""
    return text(kept, MARK)
