"""A training job as a file, which the processes of a training read.

    torchrun --nproc-per-node 2 -m claran_core.training.torchrun_job FILE

The workflow writes the file and starts the processes (`claran_core.training.torchrun`); in a single process
it calls `TrainingJob.run`.
"""

import dataclasses
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from claran_core.common.errors import ClaranError
from claran_core.common.files import write_json
from claran_core.common.log import configure_logging
from claran_core.settings.fusion import ImageOptions
from claran_core.settings.model import NetworkOptions
from claran_core.settings.training import TrainingOptions
from claran_core.survey.surveys import Survey
from claran_core.training.dataset import FusedDataset, FusedShard
from claran_core.training.train import train

__all__ = ["TrainingJob", "main"]


@dataclasses.dataclass(frozen=True)
class TrainingJob:
    """Everything that determines a training, in plain types.

    Attributes
    ----------
    method : str
        Fusion method of the images.
    targets, images, index, components, owners : list of str
        Files of all shards, in the same order.
    labels, pretrained, start : str
        Labels of the run; pre-trained layers or None; weights that the training starts from, or None.
    fusion, options, training : mapping
        Sections of the settings, and the options of the architecture.
    architecture, classes, seed, device
        As in the settings.
    survey : mapping
        Radio survey of the images, as `Survey.as_dict` gives it.
    threads : int
        CPU threads of each process.
    weights, losses, checkpoint : str
        Files to write.
    """

    method: str
    targets: list[str]
    images: list[str]
    index: list[str]
    components: list[str]
    owners: list[str]
    labels: str
    pretrained: str | None
    start: str | None
    fusion: Mapping[str, Any]
    architecture: str
    classes: list[str]
    options: Mapping[str, Any]
    training: Mapping[str, Any]
    seed: int
    survey: Mapping[str, Any]
    device: str
    threads: int
    weights: str
    losses: str
    checkpoint: str

    def write(self, path: Path) -> None:
        """Write the job as JSON."""
        write_json(path, dataclasses.asdict(self))

    @classmethod
    def read(cls, path: Path) -> "TrainingJob":
        """Read a job that `write` wrote."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))

    def run(self) -> None:
        """Train, in this process or together with others that ``torchrun`` started.

        Raises
        ------
        ClaranError
            As `claran_core.training.train.train`.
        """
        training = TrainingOptions.model_validate(dict(self.training))
        shards = zip(self.images, self.index, self.components, self.owners, strict=True)
        train(
            FusedDataset(
                [FusedShard(*map(Path, names)) for names in shards],
                targets=[Path(name) for name in self.targets],
                labels=Path(self.labels),
                class_names=self.classes,
                keep_apart_arcsec=training.keep_apart_arcsec,
            ),
            method=self.method,
            fusion=ImageOptions.model_validate(dict(self.fusion)),
            model=NetworkOptions(
                architecture=self.architecture,
                classes=tuple(self.classes),
                options=dict(self.options),
                pretrained=self.pretrained,
            ),
            training=training,
            seed=self.seed,
            survey=Survey.from_dict(self.survey),
            weights_path=Path(self.weights),
            losses_path=Path(self.losses),
            checkpoint_path=Path(self.checkpoint),
            start=None if self.start is None else Path(self.start),
            device=self.device,
            threads=self.threads,
        )


def main(path: str) -> int:
    """Run the job in a file; only the main process logs, but every process prints its error."""
    if os.environ.get("RANK", "0") == "0":
        configure_logging()
    try:
        TrainingJob.read(Path(path)).run()
    except ClaranError as error:
        print(f"claran: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
