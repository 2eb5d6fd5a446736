"""The table of owners: rows in the order of the components, whatever the order of the subjects."""

import numpy as np
import pandas as pd

from claran_core.common.tables import OWNERS
from claran_core.labels.owner_table import COMPONENT_COLUMNS, OwnerTable


def test_rows_have_the_order_of_the_components() -> None:
    components = pd.DataFrame(0, index=range(4), columns=COMPONENT_COLUMNS)
    components["subject_id"], components["component_id"] = ["b", "a", "b", "a"], [4, 3, 2, 1]
    table = OwnerTable(components)
    assert table.rows("b")["component_id"].tolist() == [4, 2] and not len(table.rows("c")["level"])
    table.fill("a", np.array([1, -1]), ["x", "y"], {1: "1C_2P"}, without="unknown")
    table.fill("b", np.array([-1, 0]), ["z"], {}, without="artefact")
    table.fill("c", np.zeros(0, np.int64), [], {}, without="artefact")
    rows = table.table()
    assert rows.columns.tolist() == OWNERS.names
    assert rows["component_id"].tolist() == [4, 3, 2, 1]
    assert rows["source_id"].tolist() == ["", "y", "z", ""]
    assert rows["kind"].tolist() == ["artefact", "source", "source", "unknown"]
    assert rows["morphology"].tolist() == ["", "1C_2P", "", ""]
