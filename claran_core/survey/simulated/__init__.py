"""A simulated radio and infrared sky of known truth.

One seed is one sky.  It looks like FIRST and WISE W1 and can be had anywhere, in any order and in
windows of any size; the embedded demonstration and the tests live on it.  Subjects of it are chosen by
`claran_core.survey.simulated.subjects`, which is not imported here because the labels it needs are made
with parts of this package.
"""

from claran_core.survey.simulated.source import SimulatedSource, TrueSource

__all__ = ["SimulatedSource", "TrueSource"]
