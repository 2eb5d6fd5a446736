"""Header values that no image has, and that would make a reader reserve terabytes."""

from astropy.io import fits

__all__ = ["absurd_card"]

# Highest order of the polynomials of SIP; images have at most 9.
MAX_SIP_ORDER = 20
SIP_ORDERS = ("A_ORDER", "B_ORDER", "AP_ORDER", "BP_ORDER")


def absurd_card(header: fits.Header) -> str:
    """Return the card of a distortion that cannot be read, with its value; empty without one.

    astropy reserves memory for the square of the order before it reads a coefficient.
    """
    for name in SIP_ORDERS:
        order = header.get(name, 0)
        if not isinstance(order, int | float) or not 0 <= order <= MAX_SIP_ORDER:
            return f"{name} = {order!r} is no order of a distortion (0 to {MAX_SIP_ORDER})"
    return ""
