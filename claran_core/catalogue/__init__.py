"""The product: which detections become sources, and what is said about each."""

from claran_core.catalogue.provenance import catalogue_provenance
from claran_core.catalogue.schema import CATALOGUE, FATES
from claran_core.catalogue.shard import write_shard
from claran_core.catalogue.write import ShardFiles, write_catalogue

__all__ = ["CATALOGUE", "FATES", "ShardFiles", "catalogue_provenance", "write_catalogue", "write_shard"]
