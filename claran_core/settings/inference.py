"""Section ``inference``."""

from typing import Annotated, Literal

from pydantic import Field

from claran_core.common.options import Options, Within

__all__ = ["InferenceOptions"]


class InferenceOptions(Options):
    """Section ``inference``."""

    batch_size: Annotated[int, Within(ge=1, le=65536)] = Field(description="subjects per batch")
    min_snr: Annotated[float, Within(ge=0, le=1e6)] = Field(
        description="lowest SNR of the brightest component of a row in the detections tables"
    )
    min_probability: Annotated[float, Within(ge=0, le=1)] = Field(
        description="lowest probability of a row in the detections tables"
    )
    nms_iou: Annotated[float, Within(ge=0, le=1)] = Field(
        description="overlap (IoU) above which the less probable of two boxes of a class is suppressed"
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        description="where the network runs; `auto`: on a GPU if there is one"
    )
