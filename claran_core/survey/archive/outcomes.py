"""Outcomes of a request other than a value: faults, doubtful answers and refusals."""

__all__ = ["Doubtful", "Fault", "Refusal"]


class Fault(Exception):  # noqa: N818  (a finding about an answer, not a fault of the program)
    """A failed request that is worth a retry; with `blames_host`, the host's breaker counts it."""

    def __init__(self, reason: str, *, blames_host: bool = True, pause_s: float | None = None) -> None:
        super().__init__(reason)
        self.blames_host, self.pause_s = blames_host, pause_s


class Doubtful(Fault):
    """A suspicious answer: `value` is accepted if the same bytes come several times."""

    def __init__(self, reason: str, value: object) -> None:
        super().__init__(reason, blames_host=False)
        self.value = value


class Refusal(Exception):  # noqa: N818
    """A request that the server repeatedly refuses (HTTP `status`), or that it cannot be sent."""

    def __init__(self, reason: str, *, status: int | None = None) -> None:
        super().__init__(reason if status is None else f"HTTP {status}: {reason}")
        self.status = status
