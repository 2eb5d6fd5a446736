"""Settings of the archives' client: the section ``cutouts.archive``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["FetchOptions"]


@dataclass(frozen=True)
class FetchOptions:
    """Section ``cutouts.archive``: manners and patience towards archives; no pixel depends on it."""

    contact: str | None = None
    limits_folder: str | None = None
    limits: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 60.0
    request_timeout_s: float = 180.0
    tries: int = 8
    pause_s: float = 1.0
    max_pause_s: float = 120.0
    breaker_failures: int = 20
    breaker_pause_s: float = 300.0
