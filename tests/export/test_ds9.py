"""DS9 regions: astropy's regions reads back a square per source and a point per component."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy import units as u
from catalogue_rows import write_contours, write_random_catalogue, write_random_run
from regions import PointSkyRegion, RectangleSkyRegion, Regions

from claran_core.common.errors import InputError
from claran_core.common.paths import Results
from claran_core.export.ds9 import write_ds9
from claran_core.export.formats import export_catalogue
from claran_core.export.source import open_catalogue

# The reader tells of what matplotlib cannot draw.
pytestmark = pytest.mark.filterwarnings("ignore::astropy.utils.exceptions.AstropyUserWarning")


def test_squares_and_points_survive(tmp_path: Path) -> None:
    rows = write_random_catalogue(tmp_path / "c.parquet", 40)
    write_ds9(open_catalogue(tmp_path / "c.parquet"), tmp_path / "c.reg")
    read = Regions.read(tmp_path / "c.reg", format="ds9")
    squares = [region for region in read if isinstance(region, RectangleSkyRegion)]
    points = [region for region in read if isinstance(region, PointSkyRegion)]
    assert len(squares) == len(rows)
    assert len(points) == rows["component_ra"].str.len().sum()
    for square, row in zip(squares, rows.itertuples(), strict=True):
        assert square.center.frame.name == "icrs"
        np.testing.assert_allclose(
            [square.center.ra.deg, square.center.dec.deg], [row.ra, row.dec], atol=1e-7
        )
        assert square.width == square.height
        assert abs(square.width.to_value(u.arcsec) - row.angular_size) < 1e-3
        assert square.meta["text"] == row.source_id
        assert square.meta["tag"] == [row.morphology]
    places = np.array([[point.center.ra.deg, point.center.dec.deg] for point in points])
    np.testing.assert_allclose(places[:, 0], np.concatenate(rows["component_ra"]), atol=1e-7)
    np.testing.assert_allclose(places[:, 1], np.concatenate(rows["component_dec"]), atol=1e-7)


def test_no_sources_is_a_file_without_regions(tmp_path: Path) -> None:
    write_random_catalogue(tmp_path / "c.parquet", 0)
    write_ds9(open_catalogue(tmp_path / "c.parquet"), tmp_path / "c.reg")
    assert (tmp_path / "c.reg").read_text().splitlines()[-1] == "icrs"


def test_missing_column_leaves_no_file(tmp_path: Path) -> None:
    pd.DataFrame({"source_id": ["J1"], "ra": [1.0], "dec": [1.0]}).to_parquet(tmp_path / "c.parquet")
    with pytest.raises(InputError, match="'box_ra' is missing"):
        write_ds9(open_catalogue(tmp_path / "c.parquet"), tmp_path / "c.reg")
    assert [path.name for path in tmp_path.iterdir()] == ["c.parquet"]


def test_names_end_neither_braces_nor_line(tmp_path: Path) -> None:
    rows = write_random_catalogue(tmp_path / "c.parquet", 1)
    name = "J1} point=x\nimage;circle(1,2,3)\u00b5"
    rows.assign(source_id=name).to_parquet(tmp_path / "c.parquet")
    write_ds9(open_catalogue(tmp_path / "c.parquet"), tmp_path / "c.reg")
    lines = (tmp_path / "c.reg").read_text().splitlines()
    assert len(lines) == 3 + 1 + len(rows["component_ra"][0])
    assert lines[3].endswith("text={J1) point=x\\nimage;circle(1,2,3)\\xb5}")


def test_contours_are_polygons(tmp_path: Path) -> None:
    write_random_run(tmp_path, 20)
    results = Results(tmp_path)
    points = write_contours(results)
    export_catalogue(results.catalogue, tmp_path / "c.reg", to="contours")
    shapes = Regions.read(tmp_path / "c.reg", format="ds9")
    assert len(shapes) == 22  # a hole and a second ring
    assert [bool(shape.meta.get("include", True)) for shape in shapes[:3]] == [True, False, True]
    stored = pd.read_parquet(results.contours)
    wanted = np.concatenate([stored["contour_ra"].tolist()[k] for k in range(20)])
    found = np.concatenate([shape.vertices.ra.deg for shape in shapes])
    np.testing.assert_allclose(found, wanted, atol=1e-7)
    assert [shape.meta["text"] for shape in shapes[4:]] == stored["source_id"].tolist()[2:]
    assert len(points) == 20
