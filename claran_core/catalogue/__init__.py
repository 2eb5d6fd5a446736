"""The product: which detections become sources, and what is said about each."""

from claran_core.catalogue.build import build_catalogue
from claran_core.catalogue.postfilter import select_sources
from claran_core.catalogue.provenance import catalogue_provenance
from claran_core.catalogue.schema import CATALOGUE
from claran_core.catalogue.write import write_catalogue

__all__ = ["CATALOGUE", "build_catalogue", "catalogue_provenance", "select_sources", "write_catalogue"]
