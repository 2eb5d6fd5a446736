"""CLARAN: find radio galaxies and name their morphology, for whole surveys.

The science of the pipeline, importable and usable without Snakemake.  Modules follow the
order of the stages: targets, cut-outs, fusion, training, inference, catalogue, evaluation, report.
"""

from importlib import import_module
from typing import Any

__all__ = ["__version__", "read_catalogue"]

__version__ = "0.1.0"


def read_catalogue(*arguments: Any, **options: Any) -> Any:
    """Read a catalogue; see `claran_core.catalogue.product.read_catalogue.read_catalogue`."""
    # Imported here, so that the package is imported fast.
    module = import_module("claran_core.catalogue.product.read_catalogue")
    return module.read_catalogue(*arguments, **options)
