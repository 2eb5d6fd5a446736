"""Export the catalogue to other formats."""
