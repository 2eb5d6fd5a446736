"""Settings of the archive client (section ``cutouts.archive``) and of the services it asks."""

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field
from typing_extensions import TypedDict

from claran_core.common.options import OneOf, Options, Switch, Text, Within
from claran_core.survey.archive.services import PROTOCOLS
from claran_core.survey.surveys import SURVEYS

__all__ = ["FetchOptions", "ServiceChanges", "ServiceLimits"]


def _check_expression(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    return text


class ServiceLimits(TypedDict, total=False):
    """Limits of one service that differ from those in `claran_core.survey.archive.services`."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]  # pydantic's way for a TypedDict

    requests_per_s: Annotated[
        float, Within(gt=0, le=1000), Field(description="highest rate of requests, per second")
    ]
    connections: Annotated[int, Within(ge=1, le=64), Field(description="most simultaneous requests")]


class ServiceChanges(TypedDict, total=False):
    """Fields of one service that differ from those in `claran_core.survey.archive.services`."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]  # pydantic's way for a TypedDict

    survey: Annotated[str, OneOf(tuple(SURVEYS)), Field(description="survey whose images it serves")]
    protocol: Annotated[str, OneOf(PROTOCOLS), Field(description="how it is queried")]
    url: Annotated[str, Field(pattern="^https?://", description="address of the service")]
    hosts: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[a-z0-9.-]+(:[0-9]+)?$")], ...],
        Field(description="other hosts that it may redirect to, or list images on"),
    ]
    dataset: Annotated[str, Field(description="name of the survey at the service")]
    band: Annotated[str, Field(description="filter of the dataset")]
    max_size_px: Annotated[int, Within(ge=1), Field(description="width of the largest image it makes, px")]
    outside: Annotated[
        str,
        AfterValidator(_check_expression),
        Field(
            description="regular expression that matches its answer for a position outside the survey",
            json_schema_extra={"format": "regex"},
        ),
    ]
    blank_is_outside: Annotated[
        Switch, Field(description="whether a blank image means a position outside the survey")
    ]


class FetchOptions(Options):
    """Section ``cutouts.archive``: limits, time-outs and retries of requests to archives.

    They change no pixel.
    """

    contact: Annotated[str, Field(pattern="^[ -~]+$")] | None = Field(
        description="e-mail address sent to the archives with each request"
    )
    limits_folder: Text | None = Field(
        description="folder through which all processes share the limits; null: one per user in /tmp"
    )
    limits: Mapping[str, ServiceLimits] = Field(description="limits that differ, by service")
    connect_timeout_s: Annotated[float, Within(gt=0, le=600)] = Field(
        description="time-out for the connection, s"
    )
    read_timeout_s: Annotated[float, Within(gt=0, le=3600)] = Field(
        description="longest wait without a byte, s"
    )
    request_timeout_s: Annotated[float, Within(gt=0, le=7200)] = Field(
        description="time-out for a whole request with its redirects, s"
    )
    tries: Annotated[int, Within(ge=1, le=100)] = Field(description="attempts for one image at one service")
    pause_s: Annotated[float, Within(gt=0, le=600)] = Field(description="pause before the second attempt, s")
    max_pause_s: Annotated[float, Within(gt=0, le=3600)] = Field(
        description="longest pause between attempts, s; a server that asks for more counts as down"
    )
    breaker_failures: Annotated[int, Within(ge=1)] = Field(
        description="consecutive failures after which a server counts as down"
    )
    breaker_pause_s: Annotated[float, Within(gt=0, le=86400)] = Field(
        description="time for which a server that is down is not asked, s"
    )
