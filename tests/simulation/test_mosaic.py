"""Whole tiles and mosaics of the simulated sky: their pixels equal those of cut-outs bit by bit."""

import importlib
import pkgutil
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

import claran_core.simulation as package
from claran_core import __version__
from claran_core.common.cutout import Cutout
from claran_core.common.errors import InputError
from claran_core.common.linear_wcs import LinearWCS
from claran_core.common.noise import noise_sigma
from claran_core.simulation import mosaic
from claran_core.simulation.geometry import Tile, TileWindow, cells_near
from claran_core.simulation.mosaic import mosaic_window, sources_in, write_mosaic
from claran_core.simulation.population import RADIO_NSIDE, radio_cell
from claran_core.simulation.provider import SimulatedProvider
from claran_core.survey.directory.provider import DirectoryProvider
from claran_core.survey.regular import exact_linear_wcs
from claran_core.survey.surveys import SURVEYS

SEED = 5
SUBJECT, FIELD = 181.5, 2000.0  # arcsec: a subject and a field wider than the overlap of tiles


def sky(name: str = "FIRST") -> SimulatedProvider:
    return SimulatedProvider(SURVEYS[name], seed=SEED)


def clear_caches() -> None:
    """Clear the caches of all modules of the package."""
    cleared = 0
    for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        for value in vars(importlib.import_module(found.name)).values():
            if hasattr(value, "cache_clear"):
                value.cache_clear()
                cleared += 1
    assert cleared > 5


def written(path: Path, *arguments: Any, **options: int) -> tuple[np.ndarray, fits.Header]:
    clear_caches()
    write_mosaic(path, *arguments, **options)
    with fits.open(path) as hdus:
        hdus.verify("exception")
        return np.array(hdus[0].data), hdus[0].header


def same_pixels(small: np.ndarray, small_wcs: LinearWCS, large: np.ndarray, wcs: LinearWCS) -> np.ndarray:
    """The pixels of `large` that `small`, which it holds, shows."""
    assert (small_wcs.ra_deg, small_wcs.dec_deg) == (wcs.ra_deg, wcs.dec_deg)
    assert small_wcs.matrix == pytest.approx(wcs.matrix, rel=1e-13)  # cards have 16 digits
    x, y = round(wcs.x - small_wcs.x), round(wcs.y - small_wcs.y)
    assert x >= 0 and y >= 0
    cut = large[y : y + small.shape[0], x : x + small.shape[1]]
    assert cut.shape == small.shape
    return cut


def southern_corner(survey: SimulatedProvider, tile: Tile, height_px: int) -> tuple[float, float]:
    """A position that belongs to a tile, so many pixels above the lowest row it has."""
    for x in range(tile.limits.x0, tile.limits.x0 + tile.limits.nx, 10):
        place = tile.pixel_to_sky(x, tile.limits.y0 + height_px)
        if survey.grid.tile_at(*place).index == tile.index:
            return place
    raise AssertionError("the tile has no such row")


@pytest.mark.parametrize(("name", "height_px"), [("FIRST", 470), ("WISE_W1", 610)])
def test_cutout_field_tile_and_mosaic_show_the_same_bits(name: str, height_px: int, tmp_path: Path) -> None:
    tile = sky(name).grid.tile_at(150.0, 30.0)
    place = southern_corner(sky(name), tile, height_px)
    images = [written(tmp_path / "tile.fits", sky(name), 150.0, 30.0)]
    images.append(written(tmp_path / "mosaic.fits", sky(name), *place, size_px=2000))
    for width in (SUBJECT, FIELD):
        clear_caches()
        cutout = sky(name).cutout("any", *place, width)
        inside = np.isfinite(cutout.data)
        assert 0.5 < inside.mean()
        for data, header in images:
            same = same_pixels(cutout.data, cutout.wcs, *padded(data, header))
            np.testing.assert_array_equal(same[inside], cutout.data[inside])
    assert not inside.all()  # the field looks over the tile's edge
    # The mosaic goes on there, about as noisy as within.
    (tile_data, _), (data, header) = images
    assert np.isfinite(data).all() and np.isfinite(tile_data).all()
    beyond = data[: tile.limits.y0 - header["SIMY0"]]
    assert len(beyond) > 300
    assert noise_sigma(beyond) == pytest.approx(noise_sigma(data[-300:]), rel=0.5)


def padded(data: np.ndarray, header: fits.Header, margin: int = 400) -> tuple[np.ndarray, LinearWCS]:
    """An image with a border of NaN, so that windows that look over its edge can be compared."""
    wcs = exact_linear_wcs(WCS(header))
    assert wcs is not None
    return np.pad(data, margin, constant_values=np.nan), wcs.window(-margin, -margin)


@pytest.mark.parametrize("name", ["FIRST", "WISE_W1"])
def test_directory_provider_reads_the_same_pixels(name: str, tmp_path: Path) -> None:
    place = 211.0, 12.0
    write_mosaic(tmp_path / "mosaic.fits", sky(name), *place, 400)
    read = DirectoryProvider(SURVEYS[name], tmp_path).cutout("any", 211.01, 12.02, SUBJECT)
    made = sky(name).cutout("any", 211.01, 12.02, SUBJECT)
    assert isinstance(read, Cutout) and isinstance(made, Cutout)
    assert read.origin == "mosaic.fits" and not read.flags
    np.testing.assert_array_equal(same_pixels(made.data, made.wcs, read.data, read.wcs), made.data)


@pytest.mark.parametrize("size", [64, 65])
def test_mosaic_is_centred_on_the_position(size: int, tmp_path: Path) -> None:
    data, header = written(tmp_path / "m.fits", sky(), 77.0, -33.0, size_px=size)
    assert data.shape == (size, size) and data.dtype == ">f4"
    x, y = WCS(header).wcs_world2pix(77.0, -33.0, 0)
    middle = (size - 1) / 2
    assert abs(x - middle) <= 0.51 and abs(y - middle) <= 0.51


def test_header_describes_survey_and_sky(tmp_path: Path) -> None:
    _, radio = written(tmp_path / "radio.fits", sky(), 77.0, 10.0, size_px=32)
    tile = sky().grid.tile_at(77.0, 10.0)
    assert radio["SIMULATE"] is True and radio["SIMSEED"] == SEED and radio["SIMTILE"] == tile.index
    assert radio["BUNIT"] == "Jy/beam" and radio["CREATOR"].endswith(__version__)
    assert radio["BMAJ"] == radio["BMIN"] == pytest.approx(5.4 / 3600) and radio["BPA"] == 0
    assert "MAGZP" not in radio
    _, infrared = written(tmp_path / "infrared.fits", sky("WISE_W1"), 77.0, 10.0, size_px=32)
    assert infrared["BUNIT"] == "DN" and infrared["MAGZP"] == 20.5 and "BMAJ" not in infrared


def test_whole_tile_without_a_size(tmp_path: Path) -> None:
    tile, window = mosaic_window(sky(), 150.0, 30.0)
    assert window == tile.limits
    assert tile.index == sky().grid.tile_at(150.0, 30.0).index


def test_sources_in_a_mosaic_are_those_inside_its_wcs() -> None:
    tile, window = mosaic_window(sky(), 359.95, 2.0, 900)
    found = {source.source_id for source in sources_in(sky(), tile, window)}
    wcs = tile.wcs(window)
    expected = set()
    for cell in cells_near(359.95, 2.0, 3600.0, RADIO_NSIDE):
        for source in radio_cell(SEED, cell):
            x, y = wcs.sky_to_pixels(source.ra_deg, source.dec_deg)
            if -0.5 <= x <= 899.5 and -0.5 <= y <= 899.5:
                expected.add(source.source_id)
    assert found == expected and len(found) > 5


def test_memory_does_not_grow_with_the_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Flat:
        survey, seed, population, grid = sky().survey, SEED, "none", sky().grid

        def render(self, tile: Tile, window: TileWindow) -> np.ndarray:
            asked.append(window)
            x, y = np.meshgrid(window.x0 + np.arange(window.nx), window.y0 + np.arange(window.ny))
            return x + 1000.0 * y

    monkeypatch.setattr(mosaic, "BLOCK_PX", 64)
    data, header = written(tmp_path / "m.fits", Flat(), 77.0, 10.0, size_px=300)
    assert max(max(window.shape) for window in asked) == 64
    assert sum(window.nx * window.ny for window in asked) == 300 * 300
    # Cut where noise blocks begin, whatever the mosaic's first pixel.
    assert {window.x0 % 64 for window in asked if window.x0 != header["SIMX0"]} == {0}
    x, y = header["SIMX0"] + np.arange(300.0), header["SIMY0"] + np.arange(300.0)
    np.testing.assert_array_equal(data, x + 1000 * y[:, None])


def test_interrupted_write_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.fits"
    write_mosaic(path, sky(), 77.0, 10.0, 40)
    before = path.read_bytes()

    def killed(self: SimulatedProvider, tile: Tile, window: TileWindow) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(SimulatedProvider, "render", killed)
    with pytest.raises(KeyboardInterrupt):
        write_mosaic(path, sky(), 10.0, 10.0, 40)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("m.fits", (np.nan, 0.0, 10), "ra nan, dec 0.0 deg"),
        ("m.fits", (0.0, np.inf, 10), "no position"),
        ("m.fits", (0.0, 91.0, 10), "dec 91.0"),
        ("m.fits", (0.0, 0.0, 0), "size of 0 px"),
        ("m.fits", (0.0, 0.0, -4), "size of -4 px is not between 1 and"),
        ("m.fits", (0.0, 0.0, 1_000_000), "size of 1000000 px"),
        ("m.fits.gz", (0.0, 0.0, 10), r"m\.fits\.gz: .* must end in \.fits"),
        ("m.png", (0.0, 0.0, 10), r"m\.png"),
    ],
)
def test_invalid_arguments_are_refused_in_one_line(
    tmp_path: Path, name: str, arguments: tuple[Any, ...], message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        write_mosaic(tmp_path / name, sky(), *arguments)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())
