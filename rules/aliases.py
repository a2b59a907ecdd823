"""Another name of a provider, understood in rules as it is wherever a provider is read."""

from typing import Final

from rules.values import Json

_ALIASES: Final = {"microsoft": "outlook"}
_COMPARING: Final = frozenset({"==", "===", "!=", "!==", "in"})
_PROVIDER: Final = ({"var": "provider"}, {"var": ["provider"]})


def with_known_providers(node: Json) -> Json:
    """Return an expression in which ``provider`` is compared with the names that events bear."""
    if isinstance(node, list):
        return [with_known_providers(each) for each in node]
    if not isinstance(node, dict):
        return node
    found = {name: with_known_providers(given) for name, given in node.items()}
    return {
        name: _comparison(given) if name in _COMPARING else given for name, given in found.items()
    }


def _comparison(given: Json) -> Json:
    if not isinstance(given, list) or not any(each in _PROVIDER for each in given):
        return given
    return [_known(each) for each in given]


def _known(value: Json) -> Json:
    if isinstance(value, list):
        return [_known(each) for each in value]
    return _ALIASES.get(value, value) if isinstance(value, str) else value
