"""The gallery: which fused images are shown, and what is drawn over each of them.

The choice is the same for the same run: seeded, spread over the classes, test subjects first.
"""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib.image
import numpy as np
import pandas as pd

from claran_core.flags import describe
from claran_core.morphology import MORPHOLOGIES
from claran_core.report.inputs import ReportInputs

__all__ = ["Card", "DrawnBox", "choose_subjects", "make_cards", "png_data_uri"]

# Order in which splits are shown: what the detector has not seen in training says most.
SPLIT_ORDER = {"test": 0, "none": 1, "train": 2}

# Group of the subjects in which nothing was found; it takes its turn after the six classes.
NOTHING = "nothing"

# Drawn boxes stay this far inside the picture, so that the line of a box over all pixels is seen.
BORDER_PX = 0.5

# Room a label such as ``2C_3P 0.97`` takes, as shares of the picture's width and height.
LABEL_WIDTH, LABEL_HEIGHT = 0.34, 0.06


@dataclass(frozen=True)
class DrawnBox:
    """A box over an image.

    Attributes
    ----------
    x, y, width, height : float
        Upper left corner and size, frame px.
    morphology : str
        Class, which also gives the colour.
    label_x, label_y, label_anchor : float, float, str
        Where the label starts or ends, so that it stays in the picture: above the box, or inside where
        there is no room above.
    probability : float, optional
        Of the class; None for a true box.
    source_id : str
        Name in the catalogue; empty for a true box.
    flags : tuple of str
        Names of the source's own flags.
    """

    x: float
    y: float
    width: float
    height: float
    morphology: str
    label_x: float
    label_y: float
    label_anchor: str
    probability: float | None = None
    source_id: str = ""
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Card:
    """One subject of the gallery.

    Attributes
    ----------
    subject_id, split : str
        Name, and train, test or none.
    ra, dec : float
        Centre, deg, ICRS.
    image : str
        PNG as a data URI, in its own pixels.
    nx, ny : int
        Size of the image in px.
    found, true : tuple of DrawnBox
        Sources of the catalogue, most probable first, and true sources.
    flags : tuple of str
        Names of the subject's flags.
    """

    subject_id: str
    split: str
    ra: float
    dec: float
    image: str
    nx: int
    ny: int
    found: tuple[DrawnBox, ...]
    true: tuple[DrawnBox, ...]
    flags: tuple[str, ...]


def choose_subjects(
    subjects: pd.DataFrame, catalogue: pd.DataFrame, *, size: int, seed: int
) -> list[tuple[str, str]]:
    """Choose what to show: the classes take turns, within a class test subjects come first.

    Parameters
    ----------
    subjects : DataFrame
        ``subject_id`` and ``split``, one row per subject, in any order.
    catalogue : DataFrame
        ``subject_id, morphology, probability``; a subject counts for the class of its best source.
    size : int
        Number of subjects to choose.
    seed : int
        Of the order within a class and split.

    Returns
    -------
    list of (subject_id, group)
        At most `size`, sorted by group; a group is a class or ``nothing``.
    """
    ranked = catalogue.sort_values(["probability", "morphology"], ascending=[False, True], kind="stable")
    best = ranked.drop_duplicates("subject_id")
    group_of = dict(zip(best["subject_id"], best["morphology"], strict=True))
    table = subjects.sort_values("subject_id", kind="stable", ignore_index=True)
    table = table.assign(
        group=[group_of.get(subject, NOTHING) for subject in table["subject_id"]],
        rank=table["split"].map(SPLIT_ORDER),
        lot=np.random.default_rng(seed).permutation(len(table)),
    )
    table["place"] = table["group"].map({name: i for i, name in enumerate([*MORPHOLOGIES, NOTHING])})
    table = table.sort_values(["rank", "lot"], kind="stable")
    table["turn"] = table.groupby("group").cumcount()
    chosen = table.sort_values(["turn", "place"], kind="stable").head(size)
    chosen = chosen.sort_values(["place", "turn"], kind="stable")
    return list(zip(chosen["subject_id"], chosen["group"], strict=True))


def make_cards(inputs: ReportInputs) -> dict[str, list[Card]]:
    """Cards of the gallery by group, groups in the order of the classes."""
    subjects = inputs.fused.merge(inputs.targets[["subject_id", "split"]], on="subject_id", how="left")
    subjects["split"] = subjects["split"].fillna("none")
    chosen = choose_subjects(
        subjects, inputs.catalogue, size=inputs.config.report.gallery_size, seed=inputs.config.seed
    )
    rows = subjects.set_index("subject_id")
    found = _by_subject(inputs.catalogue, [subject for subject, _ in chosen])
    true = _by_subject(inputs.labels, [subject for subject, _ in chosen])
    groups: dict[str, list[Card]] = {}
    for subject, group in chosen:
        image = inputs.image_of(subject)
        card = _card(subject, rows.loc[subject], image, found.get(subject), true.get(subject))
        groups.setdefault(group, []).append(card)
    return groups


def _by_subject(table: pd.DataFrame | None, subjects: Sequence[str]) -> dict[str, pd.DataFrame]:
    if table is None:
        return {}
    return dict(iter(table[table["subject_id"].isin(subjects)].groupby("subject_id")))


def _card(
    subject_id: str,
    row: pd.Series,
    image: np.ndarray,
    found: pd.DataFrame | None,
    true: pd.DataFrame | None,
) -> Card:
    ny, nx = image.shape[:2]
    if found is not None:
        found = found.sort_values("probability", ascending=False, kind="stable")
    return Card(
        subject_id=subject_id,
        split=str(row["split"]),
        ra=float(row["ra"]),
        dec=float(row["dec"]),
        image=png_data_uri(image),
        nx=nx,
        ny=ny,
        found=_boxes(found, nx, ny, own_flags=~int(row["flags"])),
        true=_boxes(true, nx, ny, own_flags=0),
        flags=tuple(describe(int(row["flags"]))),
    )


def _boxes(table: pd.DataFrame | None, nx: int, ny: int, *, own_flags: int) -> tuple[DrawnBox, ...]:
    """Boxes to draw; `own_flags` masks out the flags that are the subject's and shown with it."""
    if table is None:
        return ()
    return tuple(_box(row, nx, ny, own_flags) for row in table.to_dict("records"))


def _box(row: dict[str, Any], nx: int, ny: int, own_flags: int) -> DrawnBox:
    x1, x2 = np.clip([row["box_x1"], row["box_x2"]], BORDER_PX, nx - BORDER_PX).tolist()
    y1, y2 = np.clip([row["box_y1"], row["box_y2"]], BORDER_PX, ny - BORDER_PX).tolist()
    fits_right = x1 + LABEL_WIDTH * nx <= nx
    fits_above = y1 - LABEL_HEIGHT * ny >= 0
    return DrawnBox(
        x=round(x1, 2),
        y=round(y1, 2),
        width=round(x2 - x1, 2),
        height=round(y2 - y1, 2),
        morphology=row["morphology"],
        label_x=round(x1 + 1 if fits_right else x2, 2),
        label_y=round(y1 - 2 if fits_above else y1 + LABEL_HEIGHT * ny, 2),
        label_anchor="start" if fits_right else "end",
        probability=row.get("probability"),
        source_id=row.get("source_id", ""),
        flags=tuple(describe(int(row.get("flags", 0)) & own_flags)),
    )


def png_data_uri(image: np.ndarray) -> str:
    """Encode an RGB image, (ny, nx, 3) uint8, as a PNG inside a ``data:`` URI."""
    buffer = io.BytesIO()
    matplotlib.image.imsave(buffer, image, format="png", metadata={"Software": None})
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
