"""CLARAN: find radio galaxies and name their morphology, for whole surveys.

The science of the pipeline, importable and usable without Snakemake.  Modules follow the
order of the stages: targets, cut-outs, fusion, training, inference, catalogue, evaluation, report.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
