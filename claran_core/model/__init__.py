"""The detectors in plain torch: the paper's Faster R-CNN with ST pooling (section 4), and its successor."""

from claran_core.model.architectures import ARCHITECTURES, build_detector
from claran_core.model.association import AssociationNetwork
from claran_core.model.detector import Detector
from claran_core.model.losses import LOSS_NAMES
from claran_core.model.structures import Detections, Truth
from claran_core.model.weights import load_weights, model_id, save_weights

__all__ = [
    "ARCHITECTURES",
    "LOSS_NAMES",
    "AssociationNetwork",
    "Detections",
    "Detector",
    "Truth",
    "build_detector",
    "load_weights",
    "model_id",
    "save_weights",
]
