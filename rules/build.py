"""Decoded JSON becomes parts that run, arguments first; if asked, what is wrong is written down."""

from rules.budget import Fuel, OutOfBudget
from rules.faults import Fault, Where, did_you_mean, pointer, shown
from rules.kinds import ANY, LIST_FLAG, OBJECT_FLAG, Kind, either, list_of
from rules.language import OPERATORS, OTHER_WORDS, UnknownOperator
from rules.operators.reading import is_sure, variable
from rules.part import Args, Part, literal
from rules.paths import Unforeseeable, paths_in
from rules.pattern import PatternRefused
from rules.signature import Operator
from rules.values import Json, to_text
from rules.vocabulary import Scope

_FOLDING_STEPS = 10_000


class Builder:
    """Builds expressions. With ``faults`` it is strict, and appends to them what is wrong."""

    __slots__ = ("_faults",)

    def __init__(self, faults: list[Fault] | None = None) -> None:
        self._faults = faults

    def build(self, node: Json, where: Where, scope: Scope) -> Part:
        """Build what stands at a place."""
        if isinstance(node, list):
            return _list([self.build(item, (where, at), scope) for at, item in enumerate(node)])
        if not isinstance(node, dict):
            return literal(node)
        if len(node) == 1:
            name, given = next(iter(node.items()))
            return self._call(name, given, (where, name), scope)
        self._complain_of_keys(node, where)
        return literal(node)

    def _call(self, name: str, given: Json, where: Where, scope: Scope) -> Part:
        operator = OPERATORS.get(name)
        if operator is None:
            self._complain(where, f"there is no operator {shown(name)}{_meant(name)}")
            return _failing(name)
        nodes = given if isinstance(given, list) else [given]
        places: list[Where] = [where]
        if isinstance(given, list):
            places = [(where, at) for at in range(len(given))]
        if self._faults is not None and not operator.takes(len(nodes)):
            self._complain(where, f"`{name}` takes {operator.arity()}, not {len(nodes)}")
            return _failing(name)
        if operator.reads:
            self._check_paths(operator, nodes, places, scope)
        args = self._arguments(operator, nodes, places, scope)
        self._check(operator, args, places, where)
        return _variable(args, scope) if operator.name == "var" else _operation(operator, args)

    def _arguments(
        self, operator: Operator, nodes: list[Json], places: list[Where], scope: Scope
    ) -> Args:
        args: list[Part] = []
        for at, (node, place) in enumerate(zip(nodes, places, strict=True)):
            seen = scope
            if operator.loop and at == 1:
                seen = scope.within(operator.name, _seen_inside(operator, args[0].kind))
            args.append(self.build(node, place, seen))
        return tuple(args)

    def _check(self, operator: Operator, args: Args, places: list[Where], where: Where) -> None:
        if self._faults is None:
            return
        for at, detail in operator.check(args):
            self._complain(where if at is None else places[at], detail)

    def _check_paths(
        self, operator: Operator, nodes: list[Json], places: list[Where], scope: Scope
    ) -> None:
        """Check every variable that the operator may read."""
        if self._faults is None:
            return
        of_interest = {"var": slice(0, 1), "missing_some": slice(1, 2)}
        chosen = of_interest.get(operator.name, slice(None))
        for node, place in zip(nodes[chosen], places[chosen], strict=True):
            try:
                for path, stands in paths_in(node, place):
                    if scope.kind_of(path) is None:
                        self._complain(stands, scope.complaint(path))
            except Unforeseeable as unknown:
                self._complain(unknown.where, "the name of a variable must stand in the rule")

    def _complain_of_keys(self, node: dict[str, Json], where: Where) -> None:
        known = next((key for key in node if key in OPERATORS), None)
        if not node:
            self._complain(where, "an empty object is no expression: an operator is missing")
        for key in node:
            if key != known:
                beside = f" beside the operator `{known}`" if known else ""
                self._complain(
                    (where, key), f"{shown(key)} does not belong here{beside}: one key an object"
                )

    def _complain(self, where: Where, detail: str) -> None:
        if self._faults is not None:
            self._faults.append(Fault(pointer(where), detail))


def _meant(name: str) -> str:
    plain = name.strip().lower()
    if plain in OTHER_WORDS:
        return f"; did you mean `{OTHER_WORDS[plain]}`?"
    return did_you_mean(plain, OPERATORS)


def _seen_inside(operator: Operator, source: Kind) -> Kind:
    """Give what ``var`` sees in a loop over such a list."""
    item = (source.item if source.only(LIST_FLAG) else None) or ANY
    if operator.loop == "item":
        return item
    return Kind(OBJECT_FLAG, fields={"current": item, "accumulator": ANY})


def _list(parts: list[Part]) -> Part:
    if all(part.is_literal for part in parts):
        return literal([part.value for part in parts])
    runs = tuple(part.run for part in parts)
    return Part(
        run=lambda data, fuel: [run(data, fuel) for run in runs],
        kind=list_of([part.kind for part in parts]),
        cost=1 + sum(part.cost for part in parts),
        op="[]",
        args=tuple(parts),
    )


def _variable(args: Args, scope: Scope) -> Part:
    kind, field = ANY, ""
    if not args or args[0].is_literal:
        path = _path_of(args)
        kind = either([scope.kind_of(path) or ANY, *(part.kind for part in args[1:])])
        field = path if len(args) == 1 and "." not in path else ""
    return Part(
        run=variable(args, scope.shape),
        kind=kind,
        cost=_cost(args),
        op="var",
        args=args,
        field=field,
        is_sure=is_sure(scope.shape, field),
    )


def _path_of(args: Args) -> str:
    path = args[0].value if args else None
    return "" if path is None else to_text(path, Fuel(_FOLDING_STEPS))


def _operation(operator: Operator, args: Args) -> Part:
    run = operator.compile(args)
    if args and not operator.loop and not operator.reads and all(part.is_literal for part in args):
        try:
            return literal(run(None, Fuel(_FOLDING_STEPS)))
        except (OutOfBudget, PatternRefused):
            pass  # it will happen again when it runs, if it ever does
    paying = args
    if operator.loop:
        paying = args[:1] + args[2:]
    elif operator.scans:
        paying = tuple(part for part in args if not part.is_literal)
    kind = operator.gives(args)
    return Part(run=run, kind=kind, cost=_cost(paying), op=operator.name, args=args)


def _cost(args: Args) -> int:
    return 1 + sum(part.cost for part in args)


def _failing(name: str) -> Part:
    """Stand in for what does not exist. JsonLogic only minds when it comes to it."""

    def run(_data: Json, _fuel: Fuel) -> Json:
        raise UnknownOperator(f"there is no operator {shown(name)}")

    return Part(run=run, kind=ANY, op=name or "?")
