"""The services that hand out survey images, described as data.

A survey has an ordered list of services: the next is asked where one before it could not answer.  A site
adds or changes one in its configuration (``survey.archive.services``), without code, as long as the
service speaks one of the protocols known here.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from claran_core.common.errors import ConfigError

__all__ = ["ORDER", "PROTOCOLS", "SERVICES", "Service", "chosen_services", "described_services"]

PROTOCOLS = ("first", "skyview", "irsa", "hips2fits")


@dataclass(frozen=True)
class Service:
    """A service, what it calls the survey, and how often it may be asked.

    Attributes
    ----------
    name : str
        Name in the configuration, the ledger and messages.
    survey : str
        Key of `claran_core.survey.surveys.SURVEYS`.
    protocol : str
        One of `PROTOCOLS`.
    url : str
        Address that is asked.
    dataset : str
        What the service calls the survey; empty where it has only one.
    band : str
        Filter to take of the dataset, where it has several.
    requests_per_s : float
        Most requests per second, of all processes on a machine together.
    connections : int
        Most requests at a time, of all processes on a machine together.
    max_size_px : int
        Largest image it makes, in pixels of the survey.
    outside : str
        Regular expression of what a page says about a position outside the survey; empty: no page says so.
    blank_is_outside : bool
        Whether an image of zeros or blanks alone is its way to say that.
    reference : str
        Where the protocol is documented.
    """

    name: str
    survey: str
    protocol: str
    url: str
    dataset: str = ""
    band: str = ""
    requests_per_s: float = 1.0
    connections: int = 1
    max_size_px: int = 4096
    outside: str = ""
    blank_is_outside: bool = False
    reference: str = ""


# The limits are ours: no service states one.  They are far below what a browser does to these servers.
SERVICES: Mapping[str, Service] = MappingProxyType(
    {
        service.name: service
        for service in (
            Service(
                name="first",
                survey="FIRST",
                protocol="first",
                url="https://sundog.stsci.edu/cgi-bin/firstcutout",
                requests_per_s=2.0,
                connections=2,
                max_size_px=1024,
                # How the server words it could not be seen from here: `claran archive check` tells.
                # It must speak of the survey: a page about any other trouble is a fault.
                outside=r"(outside|not (been )?(covered|observed|included|in)|no (images?|fields?|data)\b)"
                r".{0,60}\b(survey|coverage|FIRST)\b",
                reference="http://third.ucllnl.org/first/cutouthelp.html",
            ),
            Service(
                name="skyview",
                survey="FIRST",
                protocol="skyview",
                url="https://skyview.gsfc.nasa.gov/current/cgi/runquery.pl",
                dataset="VLA FIRST (1.4 GHz)",
                requests_per_s=1.0,
                connections=1,
                blank_is_outside=True,
                reference="https://skyview.gsfc.nasa.gov/current/docs/batchpage.html",
            ),
            Service(
                name="irsa",
                survey="WISE_W1",
                protocol="irsa",
                url="https://irsa.ipac.caltech.edu/SIA",
                dataset="wise_allwise",
                band="W1",
                requests_per_s=4.0,
                connections=4,
                max_size_px=4095,
                reference="https://irsa.ipac.caltech.edu/ibe/sia.html and cutouts.html",
            ),
            Service(
                name="hips2fits",
                survey="WISE_W1",
                protocol="hips2fits",
                url="https://alasky.cds.unistra.fr/hips-image-services/hips2fits",
                dataset="CDS/P/allWISE/W1",
                requests_per_s=2.0,
                connections=2,
                blank_is_outside=True,
                reference="https://alasky.cds.unistra.fr/hips-image-services/hips2fits",
            ),
        )
    }
)

ORDER: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"FIRST": ("first", "skyview"), "WISE_W1": ("irsa", "hips2fits")}
)


def described_services(
    changes: Mapping[str, Mapping[str, Any]], limits: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, Service]:
    """All services, with the configuration's changes and additions.

    Parameters
    ----------
    changes : mapping
        Section ``survey.archive.services``: fields by service; a new name is a new service.
    limits : mapping, optional
        Section ``cutouts.archive.limits``: ``requests_per_s`` and ``connections`` by service.

    Raises
    ------
    ConfigError
        If a new service lacks a field it must have, or its protocol or a service's name is unknown.
    """
    services = dict(SERVICES)
    for name, fields in changes.items():
        services[name] = _described(name, services.get(name), fields)
    for name, fields in (limits or {}).items():
        if name not in services:
            raise ConfigError(
                f"config: cutouts.archive.limits: there is no service {name!r}; known: {', '.join(services)}"
            )
        services[name] = dataclasses.replace(services[name], **fields)
    return services


def chosen_services(
    survey: str, order: Mapping[str, Any], services: Mapping[str, Service]
) -> tuple[Service, ...]:
    """Services of a survey, first choice first.

    Raises
    ------
    ConfigError
        If there is none, or one named is unknown or serves another survey.
    """
    names = order.get(survey, ORDER.get(survey, ()))
    key = f"config: survey.archive.order.{survey}"
    if not names:
        serving = [service.name for service in services.values() if service.survey == survey]
        known = f"known: {', '.join(serving)}" if serving else "describe one in survey.archive.services"
        raise ConfigError(f"{key}: no service is named; {known}")
    for name in names:
        if name not in services:
            raise ConfigError(f"{key}: there is no service {name!r}; known: {', '.join(services)}")
        if services[name].survey != survey:
            raise ConfigError(f"{key}: service {name!r} serves {services[name].survey}, not {survey}")
    return tuple(services[name] for name in names)


def _described(name: str, known: Service | None, fields: Mapping[str, Any]) -> Service:
    key = f"config: survey.archive.services.{name}"
    if known is not None:
        service = dataclasses.replace(known, **fields)
    else:
        missing = {"survey", "protocol", "url"} - set(fields)
        if missing:
            raise ConfigError(f"{key} is a new service; give its {', '.join(sorted(missing))} too")
        service = Service(name=name, **fields)
    if service.protocol not in PROTOCOLS:
        raise ConfigError(f"{key}.protocol is {service.protocol!r}; write one of: {', '.join(PROTOCOLS)}")
    return service
