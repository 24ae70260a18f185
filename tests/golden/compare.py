"""Compare what the code gives now with what was recorded, field by field, and print what changed as a table.

    PYTHONPATH=src python tests/golden/compare.py > table.md

What may differ is listed here, and nowhere else.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from cases import GROUPS, in_group
from record import recorded, replay

#: Fields that may change, and everything inside them; they must still be there.
MAY_CHANGE = frozenset({"reason", "warnings", "provenance", "certificate", "sentence"})
#: Fields that may now be None where a made-up value was recorded: a field's name, or the end of its path with dots,
#: such as "closeness.within". `STAND_INS` has the value that was made up; any other recorded value must stay.
BECAME_NONE: frozenset[str] = frozenset(
    {
        # No interval is computed of paired draws (they are not independent), of tables without two distances that
        # differ, or with fewer than 3 units on a side; nor what rests on an interval.
        "interval",
        "intervals.separation",
        "intervals.p1",
        "intervals.p2",
        "smallest_margin",
        "p_equivalence",
        "tv_lower",
        # Of a matrix: a pair without a valid test belongs to no family, so that nothing is adjusted.
        "p_equivalent",
        "p_equivalent_adjusted",
    }
)
STAND_INS: Mapping[str, Any] = {
    "interval": [0.0, 1.0],
    "intervals.separation": [-1.0, 1.0],
    "intervals.p1": [0.0, 1.0],
    "intervals.p2": [0.0, 1.0],
    "smallest_margin": 1.0,
    "p_equivalence": 1.0,
    "tv_lower": 0.0,
    "p_equivalent": 1.0,
    "p_equivalent_adjusted": 1.0,
}
#: Fields that may now be there and were not recorded, written in the same way.
ADDED: frozenset[str] = frozenset(
    {
        "status",  # the state behind the verdict, in words
        # None where no interval is computed of paired draws, whose recorded ``intervals`` are empty
        "intervals.separation",
        "intervals.p1",
        "intervals.p2",
        # The typed record of sampling says where implementations are from, and what there was not.
        "settings.source",
        "settings.budget",
        "settings.skipped",
        "settings.unreached",
        "settings.given",
        # ``evaluate`` says the same shares under the field's names, too; the names of before stay.
        "result.effective",
        "result.interchange_accuracy",
        "result.no_effect",
    }
)
#: Further fields that may change, in one case each, with the reason.
MAY_CHANGE_IN: Mapping[str, frozenset[str]] = {
    # Two schemas are read now, and the sentence names both.
    "errors: load: broken-schema-1": frozenset({"message"}),
    # A place is now called a location, and a swap an interchange.
    "evaluate: refused: no such place": frozenset({"message"}),
    "evaluate: refused: no site": frozenset({"message"}),
    # The name of one intervention is now a list of one name, as it was in every fingerprint that was not synthetic.
    "load: sparse-a": frozenset({"intervention"}),
    # Each implementation is on both sides, and its two distances to a third differ by rounding: the processor decides.
    "paired: a model and itself": frozenset(
        {"p_within", "score", "score_min", "separation", "asymmetry", "unshared", "separability", "prompts"}
    ),
}

RELATIVE, ABSOLUTE = 1e-9, 1e-12
Kind = Literal["differs", "lost", "added", "changed", "became None"]


class Difference(NamedTuple):
    """One field that is not what was recorded; of the kinds only "changed" and "became None" are allowed."""

    path: str
    kind: Kind
    old: Any
    new: Any

    @property
    def allowed(self) -> bool:
        """Whether the redesign may do this."""
        return self.kind in ("changed", "became None")

    def __str__(self) -> str:
        if self.kind == "lost":
            return f"{self.path}: lost, was {_short(self.old)}"
        if self.kind == "added":
            return f"{self.path}: added, is {_short(self.new)}"
        return f"{self.path}: {_short(self.old)} -> {_short(self.new)}"


def differences(case: str, old: Any, new: Any) -> list[Difference]:
    """Return all fields of one case in which ``new`` is not ``old``, those that may change included."""
    return list(_differences(old, new, "", MAY_CHANGE | MAY_CHANGE_IN.get(case, frozenset()), free=False))


def _differences(old: Any, new: Any, path: str, may_change: frozenset[str], *, free: bool) -> Iterator[Difference]:
    kind: Kind = "changed" if free else "differs"
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            inner = f"{path}.{key}" if path else key
            loose = free or key in may_change
            if key not in new:
                yield Difference(inner, "changed" if free else "lost", old[key], None)
            elif key not in old:
                yield Difference(inner, "changed" if free or _listed(inner, ADDED) else "added", None, new[key])
            elif loose and not free and new[key] is None and old[key] is not None:
                yield Difference(inner, "lost", old[key], None)
            else:
                yield from _differences(old[key], new[key], inner, may_change, free=loose)
    elif isinstance(old, list) and isinstance(new, list) and (len(old) == len(new)):
        for place, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _differences(one, other, f"{path}[{place}]", may_change, free=free)
    elif new is None and old is not None and not free and _listed(path, BECAME_NONE) and _stood_in(path, old):
        yield Difference(path, "became None", old, None)
    elif not _same(old, new):
        yield Difference(path, kind, old, new)


def _same(old: Any, new: Any) -> bool:
    if isinstance(old, float) or isinstance(new, float):
        numbers = all(isinstance(x, (int, float)) and not isinstance(x, bool) for x in (old, new))
        return numbers and math.isclose(old, new, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    return type(old) is type(new) and bool(old == new)


def _listed(path: str, names: frozenset[str]) -> bool:
    """Whether a path, without its list places, ends in one of the names."""
    plain = "." + re.sub(r"\[\d+\]", "", path)
    return any(plain.endswith(f".{name}") for name in names)


def _stood_in(path: str, old: Any) -> bool:
    """Whether a recorded value is the one that was made up for this field, where the field has one."""
    return all(_same(old, value) for name, value in STAND_INS.items() if _listed(path, frozenset({name})))


def _short(value: Any, most: int = 300) -> str:
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]}..."


def main() -> None:
    """Replay all cases and print what changed, as Markdown."""
    known = recorded()
    found = {
        name: differences(name, known[name], replay(case))
        for group in GROUPS
        for name, case in in_group(group).items()
        if name in known
    }
    rows = [(name, one) for name, some in found.items() for one in some]
    sentences = [row for row in rows if row[1].kind == "changed" and _sentence(row[1])]
    print(
        f"# Golden results: {len(found)} cases replayed, {sum(not some for some in found.values())} without a change\n"
    )
    _table("Not allowed", [row for row in rows if not row[1].allowed])
    _table("Became None", [row for row in rows if row[1].kind == "became None"])
    _table("Changed sentences", sentences)
    rest = [row for row in rows if row[1].kind == "changed" and not _sentence(row[1])]
    seen = dict.fromkeys(re.sub(r"\[\d+\]", "[]", one.path) for _, one in rest)
    first = {path: [row for row in rest if re.sub(r"\[\d+\]", "[]", row[1].path) == path] for path in seen}
    _table("Other changes that may be, each with its first case", [some[0] for some in first.values()])
    print(f"{len(rows)} differences in {sum(map(bool, found.values()))} cases", file=sys.stderr)


def _sentence(one: Difference) -> bool:
    return not any(name in one.path for name in ("provenance", "certificate"))


def _table(title: str, rows: list[tuple[str, Difference]]) -> None:
    print(f"## {title}: {len(rows)}\n")
    if not rows:
        return
    print("| case | field | recorded | now |\n| --- | --- | --- | --- |")
    for name, one in rows:
        cells = (name, one.path, _short(one.old, 2000), _short(one.new, 2000))
        print("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    print()


if __name__ == "__main__":
    main()
