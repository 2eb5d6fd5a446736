"""A simulated radio and infrared sky of known truth.

One seed is one sky.  It looks like FIRST and WISE W1 and can be had anywhere, in any order and in
windows of any size; the embedded demonstration and the tests live on it.
"""

from claran_core.survey.simulated.source import SimulatedSource, TrueSource
from claran_core.survey.simulated.subjects import select_subjects

__all__ = ["SimulatedSource", "TrueSource", "select_subjects"]
