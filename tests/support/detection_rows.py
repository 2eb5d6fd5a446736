"""Make rows of a table of detections."""

from collections.abc import Sequence
from typing import Any

from claran_core.common.boxes import BOX_COLUMNS
from claran_core.common.morphology import probability_columns


def detection(
    subject: str,
    box: tuple[float, ...],
    *,
    morphology: str = "1C_1P",
    probability: float = 0.9,
    component_ids: Sequence[int] = (),
    **others: float,
) -> dict[str, Any]:
    """One row; its ra and dec are wrong on purpose: positions come from the index and the box.

    The class has its probability, other classes none, or what `others` (p_2c_2p=0.3, say) gives them.
    """
    share = {name: 0.0 for name in probability_columns()} | {f"p_{morphology.lower()}": probability} | others
    corners = dict(zip(BOX_COLUMNS, box, strict=True))
    return {"subject_id": subject, "scale": 1, "ra": 1.0, "dec": 1.0, **corners, "morphology": morphology} | {
        "probability": probability,
        **share,
        "component_ids": list(component_ids),
    }
