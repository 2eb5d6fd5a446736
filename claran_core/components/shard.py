"""Find the components of all subjects of a shard, and write them."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from claran_core.common.cutout import Cutout
from claran_core.common.files import write_table
from claran_core.common.frame import Frame
from claran_core.common.log import Progress
from claran_core.common.subject import Subject
from claran_core.common.tables import COMPONENTS, NOISE
from claran_core.components.component_table import LEVELS
from claran_core.components.find import component_tables

__all__ = ["find_shard_components"]


def find_shard_components(
    targets: pd.DataFrame,
    radio: Mapping[str, Cutout],
    frame: Frame,
    *,
    components_path: Path,
    noise_path: Path,
    made_from: Mapping[str, str] | None = None,
) -> None:
    """Find the components of a shard at the levels that the splits need, and write them with the noise.

    Parameters
    ----------
    targets : DataFrame
        Rows of the shard, columns of `claran_core.common.tables.TARGETS`; the tables follow their order.
    radio : mapping of str to Cutout
        Radio cut-outs of the shard by subject.
    frame : Frame
        Geometry of the subjects.
    components_path, noise_path : Path
        Files to write: `claran_core.common.tables.COMPONENTS` and `claran_core.common.tables.NOISE`.
    made_from : mapping of str to str, optional
        Digests of the inputs by name, recorded in both files.

    Raises
    ------
    InputError
        If the cut-outs cannot be read.
    """
    progress = Progress(f"{components_path}: subjects searched for components", len(targets))

    def subjects() -> Iterator[tuple[Subject, Cutout | None, Sequence[float]]]:
        target: Any
        for target in targets.itertuples():
            subject = Subject.of_target(target, frame)
            yield subject, radio.get(target.subject_id), LEVELS[target.split]
            progress.step()

    components, noise = component_tables(subjects(), frame)
    write_table(components_path, components, COMPONENTS, made_from=made_from)
    write_table(noise_path, noise, NOISE, made_from=made_from)
