"""Tables for other classes than the paper's."""

import pytest

from claran_core.catalogue.product.schema import CATALOGUE, SOURCES
from claran_core.common import tables
from claran_core.common.morphology import MORPHOLOGIES, probability_columns

SCHEMAS = [tables.DETECTIONS, tables.CANDIDATES, tables.ASSOCIATED, SOURCES, CATALOGUE]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_classes_take_the_place_of_the_papers(schema: object) -> None:
    assert tables.for_classes(schema, MORPHOLOGIES).equals(schema, check_metadata=True)
    ours = tables.for_classes(schema, ["FR-I", "bent"])
    place = schema.names.index("p_1c_1p")
    assert ours.names[place : place + 2] == ["p_fr_i", "p_bent"]
    assert [name for name in ours.names if name not in ("p_fr_i", "p_bent")] == [
        name for name in schema.names if name not in probability_columns()
    ]
    known, given = ours.field("p_bent"), schema.field("p_1c_1p")
    assert known.type == given.type and known.nullable == given.nullable
    assert known.metadata == given.metadata | {b"description": b"probability of class bent"}
