"""The catalogue in other formats."""
