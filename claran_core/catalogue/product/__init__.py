"""The files of the catalogue: columns, metadata, checks."""
