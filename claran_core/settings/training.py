"""Section ``training``."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from claran_core.common.options import Options, Unique, Within

__all__ = ["Augmentation", "LearningRateSchedule", "Optimizer", "Precision", "TrainingOptions"]

LearningRateSchedule = Literal["cosine", "steps"]
Augmentation = Literal["none", "flip", "dihedral"]
Optimizer = Literal["auto", "adamw", "sgd"]
Precision = Literal["float32", "bfloat16"]


class TrainingOptions(Options):
    """Section ``training``."""

    batch_size: Annotated[int, Within(ge=1, le=65536)] = Field(
        description="subjects per step, over all devices"
    )
    epochs: Annotated[int, Within(ge=1, le=100_000)] = Field(description="passes over the training subjects")
    optimizer: Optimizer = Field(
        description="optimiser; auto: adamw for `association`, sgd with momentum for `vgg16` (paper 5)"
    )
    learning_rate: Annotated[float, Within(gt=0, le=10)] = Field(description="learning rate at the start")
    schedule: LearningRateSchedule = Field(
        description="decay of the learning rate: to zero on a cosine, or to a tenth at each milestone"
    )
    milestones: Annotated[tuple[Annotated[int, Within(ge=1)], ...], Unique()] = Field(
        description="iterations after which the learning rate falls to a tenth, for `steps`"
    )
    weight_decay: Annotated[float, Within(ge=0, le=1)] = Field(description="weight decay")
    augmentation: Augmentation = Field(
        description="random flips (paper 4.1), or all eight flips and quarter turns"
    )
    validation_fraction: Annotated[float, Within(ge=0, le=0.9)] = Field(
        description="share of the training subjects held out for validation"
    )
    patience: Annotated[int, Within(ge=0)] = Field(
        description="epochs without a lower validation error after which training ends; 0: never"
    )
    keep_apart_arcsec: Annotated[float, Within(ge=0, le=3600)] = Field(
        description="training subjects closer than this to a test subject are left out, arcsec; 0: none"
    )
    precision: Precision = Field(description="precision of convolutions and layers")
    weights_precision: Precision = Field(
        description="precision of the weights file; bfloat16 halves its size and keeps three digits"
    )
    checkpoint_every: Annotated[int, Within(ge=1)] = Field(description="epochs between checkpoints")

    @model_validator(mode="after")
    def _check_patience(self) -> Self:
        if self.patience and not self.validation_fraction:
            raise ValueError(
                "patience needs a validation error, but no subjects are held out; "
                "give training.validation_fraction, or write patience: 0"
            )
        return self
