"""Surveys as data, and the question every image source answers.

A `Survey` says what the pixels mean; an `ImageSource` says where they come from.  All sources answer
the same question: an image around this position, this wide, or why not.
"""

from claran_core.survey.base import SURVEYS, Cutout, ImageSource, NoImage, Survey
from claran_core.survey.open import open_source

__all__ = ["SURVEYS", "Cutout", "ImageSource", "NoImage", "Survey", "open_source"]
