"""What may be changed of each architecture, and one-line answers to mistakes in it.

A module without PyTorch: settings are checked before anything is computed.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from claran_core.common.errors import ConfigError

__all__ = [
    "ARCHITECTURE_OPTIONS",
    "AssociationOptions",
    "Vgg16Options",
    "chosen_options",
]


def _bounded(default: float, *, minimum: float, maximum: float) -> Any:
    """Field of a number from `minimum` to `maximum`."""
    return dataclasses.field(default=default, metadata={"minimum": minimum, "maximum": maximum})


@dataclass(frozen=True)
class Vgg16Options:
    """What may be changed of the paper's network.

    Attributes
    ----------
    fc_width : int
        Neurons of FC_6 and FC_7: 4096, or the 256 and 64 of the paper's smaller models (section 6.3).
    input_px : int
        Width to which a subject is magnified (section 4.1).
    freeze_low : bool
        Keep the first four convolutions as they are (section 4.2); only with weights that have seen
        other images before.
    box_gradient : float
        See `RoiMatching`; 1 is the paper's end-to-end training.
    """

    fc_width: int = _bounded(4096, minimum=1, maximum=65536)
    input_px: int = _bounded(600, minimum=32, maximum=8192)
    freeze_low: bool = False
    box_gradient: float = _bounded(1.0, minimum=0, maximum=1)


@dataclass(frozen=True)
class AssociationOptions:
    """What may be changed of the association network.

    Attributes
    ----------
    width : int
        Neurons of each hidden layer of the head.
    dropout, blind : float
        See `AssociationNetwork`.
    """

    width: int = _bounded(128, minimum=1, maximum=65536)
    dropout: float = _bounded(0.2, minimum=0, maximum=0.99)
    blind: float = _bounded(0.3, minimum=0, maximum=1)


ARCHITECTURE_OPTIONS: Mapping[str, type] = {
    "association": AssociationOptions,
    "vgg16": Vgg16Options,
}

# What a number of a field's type may be written as.  True and false are no numbers, though Python's are.
WRITTEN_AS: Mapping[type, tuple[type, ...]] = {bool: (bool,), int: (int,), float: (int, float)}


def chosen_options(architecture: str, options: Mapping[str, Any]) -> Any:
    """Options of an architecture: those given, defaults for the others.

    Parameters
    ----------
    architecture : str
        A key of `ARCHITECTURE_OPTIONS`.
    options : mapping
        Fields that differ from their defaults.

    Raises
    ------
    ConfigError
        For an unknown architecture, an unknown field, a wrong type or a value out of range, in one line.
    """
    if architecture not in ARCHITECTURE_OPTIONS:
        known = ", ".join(ARCHITECTURE_OPTIONS)
        raise ConfigError(f"architecture {architecture!r} is unknown; there are: {known}")
    kind = ARCHITECTURE_OPTIONS[architecture]
    fields = {field.name: field for field in dataclasses.fields(kind)}
    for name, value in options.items():
        problem = _problem(fields[name], value) if name in fields else "is unknown"
        if problem:
            known = ", ".join(f"{field.name} ({field.default})" for field in fields.values())
            raise ConfigError(
                f"option {name!r} of architecture {architecture!r} {problem}; it knows: {known}"
            )
    return kind(**options)


def _problem(field: dataclasses.Field, value: Any) -> str | None:
    allowed = WRITTEN_AS[field.type]
    if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
        return f"is {value!r}, not {'true or false' if field.type is bool else field.type.__name__}"
    limits = field.metadata
    if limits and not limits["minimum"] <= value <= limits["maximum"]:
        return f"is {value!r}, not within {limits['minimum']} to {limits['maximum']}"
    return None
