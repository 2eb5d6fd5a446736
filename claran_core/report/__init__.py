"""The report: a page and the gallery beside it."""
