"""Results recorded before the redesign are still given: every number, verdict and order. See README.md beside this."""

from __future__ import annotations

import pytest
from cases import GROUPS, cases, in_group
from compare import BECAME_NONE, MAY_CHANGE, differences
from record import recorded, replay

NEEDS = {"evaluate": ("torch",), "evaluate rasp": ("torch", "tracr")}


@pytest.mark.parametrize("group", GROUPS)
def test_what_was_recorded_is_given_again(group: str) -> None:
    for module in NEEDS.get(group, ()):
        pytest.importorskip(module)
    known, failed = recorded(), []
    for name, case in in_group(group).items():
        failed += [f"{name}: {one}" for one in differences(name, known[name], replay(case)) if not one.allowed]
    assert not failed, f"{len(failed)} fields are not as recorded:\n" + "\n".join(failed)


def test_every_case_is_recorded_and_nothing_else() -> None:
    assert list(cases()) == list(recorded())


def test_a_changed_number_verdict_or_field_is_found() -> None:
    old = {"result": {"score": 0.5, "n": [3, 4], "verdict": "undecided", "reason": "x", "rho": 1.0}}

    def kinds(**fields: object) -> list[str]:
        new = {"result": {key: value for key, value in (old["result"] | fields).items() if value != "gone"}}
        return [f"{one.path} {one.kind}" for one in differences("case", old, new)]

    assert kinds(score=0.5 + 1e-13) == [] == kinds()
    assert kinds(score=0.5 + 1e-8) == ["result.score differs"]
    assert kinds(n=[4, 3]) == ["result.n[0] differs", "result.n[1] differs"] and kinds(n=[3]) == ["result.n differs"]
    assert kinds(verdict="different") == ["result.verdict differs"] and kinds(rho="gone") == ["result.rho lost"]
    assert kinds(rho=None) == ["result.rho differs"] and kinds(more=1) == ["result.more added"]
    assert kinds(reason="y") == ["result.reason changed"] and kinds(reason="gone") == ["result.reason lost"]
    measured = {"result": {"interval": [0.2, 0.9], "tv_lower": 0.0}}
    lost = {"result": {"interval": None, "tv_lower": None}}
    assert [one.kind for one in differences("case", measured, lost)] == ["differs", "became None"]
    assert kinds(reason=None) == ["result.reason lost"] and not MAY_CHANGE & BECAME_NONE
