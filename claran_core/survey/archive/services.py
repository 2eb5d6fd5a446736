"""The services that deliver survey images, described as data.

A survey has an ordered list of services; the next one is used where those before it could not answer.  The
configuration (``survey.archive.services``) adds or changes services without code, as long as they use one of
the `PROTOCOLS`.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from claran_core.common.errors import ConfigError

__all__ = [
    "ORDER",
    "PROTOCOLS",
    "SERVICES",
    "ProtocolName",
    "Service",
    "chosen_services",
    "described_services",
]

# `claran_core.survey.archive.provider.open_service` implements each; mypy checks that none is forgotten.
ProtocolName = Literal["first", "skyview", "irsa", "hips2fits"]
PROTOCOLS: tuple[ProtocolName, ...] = get_args(ProtocolName)
USUAL_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Service:
    """A service, its name for the survey, and its request limits.

    Attributes
    ----------
    name : str
        Name in the configuration, the ledger and messages.
    survey : str
        Key of `claran_core.survey.surveys.SURVEYS`.
    protocol : str
        One of `PROTOCOLS`, the way it is queried.
    url : str
        URL of the service.
    hosts : tuple of str
        Other hosts that it may lead to, by a redirect or in a list of images: names in lower case, with the
        port unless it is the usual one.
    dataset : str
        Name of the survey at the service; empty if it has only one.
    band : str
        Filter to select from the dataset, if it has several.
    requests_per_s : float
        Maximum requests per second, of all processes on a machine together.
    connections : int
        Maximum requests at the same time, of all processes on a machine together.
    max_size_px : int
        Largest image it delivers, in pixels of the survey.
    outside : str
        Regular expression that matches its page for a position outside the survey; empty: it has no such
        page.
    blank_is_outside : bool
        Whether an image with only zeros or blanks means that the position is outside the survey.
    reference : str
        Documentation of the protocol.
    """

    name: str
    survey: str
    protocol: ProtocolName
    url: str
    hosts: tuple[str, ...] = ()
    dataset: str = ""
    band: str = ""
    requests_per_s: float = 1.0
    connections: int = 1
    max_size_px: int = 4096
    outside: str = ""
    blank_is_outside: bool = False
    reference: str = ""

    def leads_to(self, url: str, *, source: str) -> bool:
        """Return whether a request may follow from `source`, an address of the service, to `url`.

        That is so on the host of the service and on `hosts`, and from https to https only.
        """
        secure = urlsplit(source).scheme != "https" or url.lower().startswith("https://")
        return secure and host_of(url) in {host_of(self.url), *self.hosts}


# No service states a limit.  These are far below what a browser causes.
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
                # Not tested against the server; `claran archive check` does that.  The page must mention
                # the survey, because a page about any other problem is a fault.
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
                hosts=("alaskybis.cds.unistra.fr",),
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
    """Return all services, with the changes and additions of the configuration.

    Parameters
    ----------
    changes : mapping
        Section ``survey.archive.services``: fields by service; a new name is a new service.
    limits : mapping, optional
        Section ``cutouts.archive.limits``: ``requests_per_s`` and ``connections`` by service.

    Raises
    ------
    ConfigError
        If a new service lacks a required field, or a protocol or the name of a service is unknown.
    """
    services = dict(SERVICES)
    for name, fields in changes.items():
        services[name] = _described(name, services.get(name), fields)
    for name, fields in (limits or {}).items():
        if name not in services:
            raise ConfigError(
                f"config: cutouts.archive.limits: unknown service {name!r}; "
                f"write one of: {', '.join(services)}"
            )
        services[name] = dataclasses.replace(services[name], **fields)
    return services


def chosen_services(
    survey: str, order: Mapping[str, Any], services: Mapping[str, Service]
) -> tuple[Service, ...]:
    """Return the services of a survey in order of preference.

    Raises
    ------
    ConfigError
        If the survey has no service, or one is unknown or serves another survey.
    """
    names = order.get(survey, ORDER.get(survey, ()))
    key = f"config: survey.archive.order.{survey}"
    if not names:
        serving = [service.name for service in services.values() if service.survey == survey]
        known = (
            f"write one of: {', '.join(serving)}" if serving else "describe one in survey.archive.services"
        )
        raise ConfigError(f"{key}: no service given; {known}")
    for name in names:
        if name not in services:
            raise ConfigError(f"{key}: unknown service {name!r}; write one of: {', '.join(services)}")
        if services[name].survey != survey:
            raise ConfigError(f"{key}: service {name!r} serves {services[name].survey}, not {survey}")
    return tuple(services[name] for name in names)


def host_of(url: str) -> str | None:
    """Return the host of an HTTP address, with its port unless it is the usual one; else None."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in USUAL_PORTS or not parts.hostname:
        return None
    return parts.hostname if port in (None, USUAL_PORTS[parts.scheme]) else f"{parts.hostname}:{port}"


def _described(name: str, known: Service | None, fields: Mapping[str, Any]) -> Service:
    key = f"config: survey.archive.services.{name}"
    if known is not None:
        service = dataclasses.replace(known, **fields)
    else:
        missing = {"survey", "protocol", "url"} - set(fields)
        if missing:
            raise ConfigError(f"{key} is a new service; add its {', '.join(sorted(missing))}")
        service = Service(name=name, **fields)
    if service.protocol not in PROTOCOLS:
        raise ConfigError(f"{key}.protocol is {service.protocol!r}; write one of: {', '.join(PROTOCOLS)}")
    return service
