"""The base of settings models and its types."""

from typing import Annotated

import pytest
from pydantic import ValidationError

from claran_core.common.options import OneOf, Options, Switch, Unique, Within


class Example(Options):
    """One field of each type."""

    count: Annotated[int, Within(ge=1, le=9)]
    share: Annotated[float, Within(gt=0, lt=1)] | None
    kind: Annotated[str, OneOf(("a", "b"))]
    steps: Annotated[tuple[Annotated[int, Within(ge=0)], ...], Unique()]
    on: Switch


GOOD = Example.model_validate({"count": "3", "share": "0.5", "kind": "a", "steps": ["1", 2], "on": "false"})


def test_text_becomes_numbers_and_switches() -> None:
    assert (GOOD.count, GOOD.share, GOOD.kind, GOOD.steps, GOOD.on) == (3, 0.5, "a", (1, 2), False)


def test_models_are_frozen_and_refuse_unknown_keys() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        GOOD.count = 4  # type: ignore[misc]  # the test is that this fails
    with pytest.raises(ValidationError, match="Extra inputs"):
        GOOD.changed(cuont=4)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("count", 0),
        ("count", 10),
        ("count", True),
        ("count", 3.0),
        ("count", "3.0"),
        ("share", 0),
        ("share", 1),
        ("share", True),
        ("share", float("nan")),
        ("share", "inf"),
        ("kind", "c"),
        ("kind", 1),
        ("steps", [1, 1]),
        ("steps", [1, "1"]),
        ("steps", 1),
        ("on", 1),
        ("on", "yes"),
    ],
)
def test_other_values_are_refused(field: str, value: object) -> None:
    with pytest.raises(ValidationError, match=field):
        GOOD.changed(**{field: value})


def test_plain_form() -> None:
    assert GOOD.as_dict() == {"count": 3, "share": 0.5, "kind": "a", "steps": [1, 2], "on": False}
    assert GOOD.as_dict(exclude={"steps", "on"}) == {"count": 3, "share": 0.5, "kind": "a"}


def test_bounds_are_in_the_json_schema() -> None:
    properties = Example.model_json_schema()["properties"]
    assert (properties["count"]["minimum"], properties["count"]["maximum"]) == (1, 9)
    assert properties["share"]["anyOf"][0]["exclusiveMaximum"] == 1
    assert properties["kind"]["enum"] == ["a", "b"]
    assert properties["steps"]["uniqueItems"] is True
