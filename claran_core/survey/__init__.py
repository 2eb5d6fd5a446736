"""Surveys as data, and the question every image source answers.

A `Survey` says what the pixels mean; an `ImageSource` says where they come from.  All sources answer
the same question: an image around this position, this wide, or why not.
`claran_core.survey.open.open_source` turns settings into a source.
"""

from claran_core.survey.base import SURVEYS, Cutout, ImageSource, NoImage, Survey

__all__ = ["SURVEYS", "Cutout", "ImageSource", "NoImage", "Survey"]
