"""Image provider for FITS files on disk, found by their WCS."""
