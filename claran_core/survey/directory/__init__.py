"""Images on disk, found by their WCS."""
