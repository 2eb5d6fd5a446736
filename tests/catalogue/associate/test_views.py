"""The tables of all shards become arrays that do not depend on the shards."""

from pathlib import Path

import numpy as np
import pytest
from view_tables import FRAME, ViewTables

from claran_core.catalogue.associate.views import read_sky
from claran_core.common.errors import InputError


def some_views() -> ViewTables:
    tables = ViewTables()
    tables.view("z")
    tables.view("wide", scale=2)
    tables.view("a", 30.0)
    one = tables.component("z", 10.0, snr=8.0, peaks=[(15.0, 0.0, 3.0), (18.0, 0.0, 1.0), (4.0, 2.0, 9.0)])
    tables.component("z", -20.0, n_pixels=1)
    tables.component("z", 40.0, level=1.2)
    coarse = tables.component("wide", 12.0, size=50.0, scale=2)
    tables.component("wide", 10.0, part_of=coarse)
    tables.component("a", 10.0)
    tables.candidate("wide", [coarse], 0.4, artefact=0.3)
    tables.candidate("a", [one], 0.7, room=12.0, morphology="1C_2P", at_edge=True)
    tables.candidate("z", [one], 0.6)
    return tables


def test_rows_are_sorted_by_scale_and_name(tmp_path: Path) -> None:
    tables = some_views()
    sky = tables.sky(tmp_path)
    assert sky.views.names.to_pylist() == ["a", "z", "wide"]
    assert sky.views.scale.tolist() == [1, 1, 2]
    rows = sky.components
    assert rows.view.tolist() == [0, 1, 1, 2, 2] and rows.scale.tolist() == [1, 1, 1, 2, 1]
    assert rows.usable.tolist() == [True, True, False, True, True]
    assert rows.parent.tolist() == [-1, -1, -1, -1, 3]
    assert np.diff(rows.secondary.starts).tolist() == [0, 2, 0, 0, 0]
    np.testing.assert_allclose(rows.extent[3], 25.0, rtol=1e-4)
    candidates = sky.candidates
    assert candidates.view.tolist() == [0, 1, 2] and candidates.row.tolist() == [2, 0, 1]
    assert candidates.units.values.tolist() == [0, 1, 3]
    np.testing.assert_allclose(candidates.classes[:, 1], [0.7, 0.0, 0.0], rtol=1e-6)
    assert candidates.at_edge.tolist() == [True, False, False]


def test_boxes_extend_to_the_east_and_north(tmp_path: Path) -> None:
    tables = ViewTables()
    tables.view("a")
    # The peak is 5 px to the right (west) of the left edge and 2 px below the upper edge.
    box = {"peak_x": 35.0, "peak_y": 42.0, "box_x1": 30.0, "box_x2": 36.0, "box_y1": 40.0, "box_y2": 45.0}
    tables.component("a", 0.0, **box)
    px = FRAME.pixel_scale_arcsec
    np.testing.assert_allclose(tables.sky(tmp_path).components.extent, [[5 * px, px, 2 * px, 3 * px]])


def test_arrays_are_the_same_for_any_shards(tmp_path: Path) -> None:
    tables = some_views()
    whole = tables.sky(tmp_path / "1")
    parts = read_sky(tables.write(tmp_path / "3", [["wide"], ["a"], ["z"]]), FRAME)
    for kind in ("components", "candidates"):
        one, other = getattr(whole, kind), getattr(parts, kind)
        for name, values in vars(one).items():
            if name in ("units", "secondary"):
                np.testing.assert_array_equal(values.starts, getattr(other, name).starts)
                values, again = values.values, getattr(other, name).values
            else:
                again = getattr(other, name)
            if name != "row":
                np.testing.assert_array_equal(values, again, err_msg=name)
    assert parts.views.shard.tolist() == [1, 2, 0]


def test_files_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    tables = some_views()
    with pytest.raises(InputError, match="subject 'a' is in this run twice"):
        read_sky(tables.write(tmp_path / "twice", [["a", "z"], ["a"]]), FRAME)
    files = tables.write(tmp_path / "one", [["a"], ["z", "wide"]])
    for kind in ("targets", "components", "candidates"):
        wrong = files[1]._replace(**{kind: getattr(files[0], kind)})
        with pytest.raises(InputError, match="made from other targets"):
            read_sky([wrong], FRAME)
    tables.candidate("a", [17], 0.5)
    with pytest.raises(InputError, match="component 17 of subject 'a' is not in"):
        tables.sky(tmp_path / "unknown")
    tables = some_views()
    tables.component("wide", 50.0, part_of=18)
    with pytest.raises(InputError, match="component 18, of which others are part, is missing"):
        tables.sky(tmp_path / "missing")
