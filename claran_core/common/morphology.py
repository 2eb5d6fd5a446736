"""The six morphology classes ``iC_jP`` of the paper (Table 3), and the class of given counts."""

__all__ = ["MAX_COUNT", "MORPHOLOGIES", "morphology_of", "probability_columns"]

# Class k of the detector is MORPHOLOGIES[k - 1]; class 0 is background (paper section 4.3.2).
MORPHOLOGIES = ("1C_1P", "1C_2P", "1C_3P", "2C_2P", "2C_3P", "3C_3P")

# More components or peaks than this are too rare to learn (paper Table 1).
MAX_COUNT = 3


def morphology_of(n_components: int, n_peaks: int) -> tuple[str, bool]:
    """Return the nearest of the six classes, and whether a count lies outside them.

    Raises
    ------
    ValueError
        If a count is below one.
    """
    if n_components < 1 or n_peaks < 1:
        raise ValueError(f"a source has at least one component and one peak, not {n_components}, {n_peaks}")
    components = min(n_components, MAX_COUNT)
    peaks = min(max(n_peaks, components), MAX_COUNT)
    return f"{components}C_{peaks}P", (components, peaks) != (n_components, n_peaks)


def probability_columns() -> list[str]:
    """Return the column names of the class probabilities: ``p_1c_1p`` .. ``p_3c_3p``."""
    return [f"p_{name.lower()}" for name in MORPHOLOGIES]
