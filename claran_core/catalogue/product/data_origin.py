"""Who made a catalogue, what others may do with it, and how to cite it.

Names of the facts are those of the IVOA Note "Data Origin in the VO", version 1.1.
"""

from collections.abc import Mapping
from typing import Any

__all__ = ["PAPER", "PAPER_DOI", "data_origin"]

PAPER_DOI = "https://doi.org/10.1093/mnras/sty2646"
PAPER = "Wu et al. 2019, MNRAS 482, 1211, doi:10.1093/mnras/sty2646"


def data_origin(facts: Mapping[str, Any]) -> dict[str, str]:
    """Return ``creator``, ``rights`` and ``citation`` of a catalogue, without what its run does not state.

    Parameters
    ----------
    facts : mapping
        Facts about the run that made it (`claran_core.catalogue.provenance.catalogue_provenance`).
    """
    stated = dict(facts.get("config", {})).get("catalogue", {})
    given = {name: stated.get(name) for name in ("creator", "rights", "citation")}
    return {name: str(value) for name, value in given.items() if value} | (
        {} if given["citation"] else {"citation": PAPER}
    )
