"""A request's body becomes its struct, strictly, or every fault in it is named with a pointer."""

import re
from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec
from litestar import Request
from litestar.typing import FieldDefinition

from meetbot_calendar.errors import Fault, Invalid, Refused
from meetbot_calendar.journeys.fitness import step, unfit

T = TypeVar("T")

_UNFIT = "The body is not as it must be."
_SAID = re.compile(r"(?P<what>.*?)(?: - at `(?:key` in `)?(?P<path>\$[^`]*)`)?", re.DOTALL)
_STEP = re.compile(r"\.(?P<name>\w+)|\[(?P<index>\d+)\]|(?P<key>\[\.\.\.\])")
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<name>.*)`", re.DOTALL)


class StrictRequest(Request[Any, Any, Any]):
    """A request whose JSON body is decoded straight into what the handler asks for.

    Litestar's own way goes through untyped values and lax conversion: ``"5"`` would be a number.
    """

    async def json(self) -> object:
        """Decode the body; of the struct that the handler names, nothing looser."""
        wanted = self.route_handler.parsed_data_field
        kind = Any if wanted is None else kind_of(wanted)
        body = await self.body()
        if wanted is not None and wanted.is_optional and body.strip() == b"null":
            return None
        return decode(body, kind)


def kind_of(wanted: FieldDefinition) -> Any:  # noqa: ANN401 - whatever a handler asks for
    """Return the struct that a handler wants of a body; ``X | None`` says it may be left out."""
    if not wanted.is_optional:
        return wanted.annotation
    return next(inner.annotation for inner in wanted.inner_types if not inner.is_none_type)


def decode(body: bytes, kind: type[T]) -> T:
    """Decode JSON. Raises ``Refused`` where it is none, ``Invalid`` where it does not fit."""
    try:
        decoded = msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        faults = tuple(_every_fault(_untyped(body), kind)) or (fault_of(error),)
        raise Invalid(_UNFIT, faults) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _no_json(error) from error
    if faults := tuple(unfit(_untyped(body))):
        raise Invalid(_UNFIT, faults)
    return decoded


def _untyped(body: bytes) -> object:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _no_json(error) from error


def _no_json(error: Exception) -> Refused:
    if isinstance(error, RecursionError):
        return Refused("The body is nested too deeply.", code="malformed_json")
    return Refused(f"The body is not JSON: {error}.", code="malformed_json")


def _every_fault(given: object, kind: object) -> Iterator[Fault]:
    """Look at each field by itself: the decoder stops at the first fault."""
    if not (
        isinstance(given, dict) and isinstance(kind, type) and issubclass(kind, msgspec.Struct)
    ):
        return
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for name in given.keys() - fields.keys():
        yield Fault(step(name), "There is no such field.")
    for name, field in fields.items():
        if name not in given:
            if field.required:
                yield Fault(step(name), "This field is missing.")
            continue
        try:
            msgspec.convert(given[name], field.type)
        except msgspec.ValidationError as error:
            yield fault_of(error, step(name))


def fault_of(error: msgspec.ValidationError, prefix: str = "") -> Fault:
    """Turn the decoder's words, with their ``$.path``, into a fault with a JSON pointer."""
    said = _SAID.fullmatch(str(error))
    what, path = (said["what"], said["path"]) if said else (str(error), None)
    pointer = prefix + _pointer(path or "$")
    if unknown := _UNKNOWN.fullmatch(what):
        return Fault(pointer + step(unknown["name"]), "There is no such field.")
    if missing := _MISSING.fullmatch(what):
        return Fault(pointer + step(missing["name"]), "This field is missing.")
    return Fault(pointer, what)


def _pointer(path: str) -> str:
    """Translate ``$.rules[0].when``; beyond a key that the decoder does not name it ends."""
    pointer = ""
    for found in _STEP.finditer(path):
        if found["key"]:
            break
        pointer += step(found["name"] or found["index"])
    return pointer
