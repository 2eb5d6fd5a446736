"""Services as data: the configuration changes and adds them; invalid entries are refused."""

import re

import pytest

from claran_core.common.errors import ConfigError
from claran_core.survey.archive.services import (
    ORDER,
    SERVICES,
    chosen_services,
    described_services,
)


def test_surveys_with_an_archive_have_services_and_they_serve_it() -> None:
    assert set(ORDER) == {"FIRST", "WISE_W1"}
    for survey in ORDER:
        chosen = chosen_services(survey, {}, SERVICES)
        assert [service.survey for service in chosen] == [survey] * len(ORDER[survey])
        assert all(service.url.startswith("https://") and service.reference for service in chosen)


def test_a_change_leaves_the_rest_and_the_shipped_services_alone() -> None:
    services = described_services(
        {"first": {"url": "http://mirror/x"}}, {"first": {"requests_per_s": 0.5, "connections": 3}}
    )
    assert services["first"].url == "http://mirror/x" and services["first"].max_size_px == 1024
    assert (services["first"].requests_per_s, services["first"].connections) == (0.5, 3)
    assert SERVICES["first"].url != "http://mirror/x"


def test_a_site_adds_a_service_without_code() -> None:
    mine = {"survey": "WISE_W1", "protocol": "hips2fits", "url": "http://mine", "dataset": "X/unWISE"}
    services = described_services({"mine": mine})
    assert [
        service.name for service in chosen_services("WISE_W1", {"WISE_W1": ["mine", "irsa"]}, services)
    ] == [
        "mine",
        "irsa",
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"mine": {"url": "http://x", "survey": "FIRST"}},
            "services.mine is a new service; add its protocol",
        ),
        ({"first": {"protocol": "ftp"}}, "services.first.protocol is 'ftp'; write one of: first, skyview"),
    ],
)
def test_invalid_services_are_refused(changes: dict[str, dict[str, str]], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        described_services(changes)


@pytest.mark.parametrize(
    ("order", "message"),
    [
        ({"FIRST": []}, "no service given; write one of: first, skyview"),
        ({"FIRST": ["frist"]}, "unknown service 'frist'"),
        ({"FIRST": ["irsa"]}, "service 'irsa' serves WISE_W1, not FIRST"),
    ],
)
def test_invalid_orders_are_refused(order: dict[str, list[str]], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        chosen_services("FIRST", order, SERVICES)


def test_a_survey_without_a_service_says_where_to_describe_one() -> None:
    message = "order.NVSS: no service given; describe one in survey.archive.services"
    with pytest.raises(ConfigError, match=re.escape(message)):
        chosen_services("NVSS", {}, SERVICES)


def test_pages_about_the_survey_are_told_from_pages_about_trouble() -> None:
    outside = re.compile(SERVICES["first"].outside, re.I)
    for page in (
        "Position is outside of the area of the FIRST survey",
        "Sorry, the field has not been observed by the FIRST survey",
        "No images are available there: not in the survey area",
        "There are no data at this position in FIRST",
    ):
        assert outside.search(page), page
    for page in (
        "Internal error; try again later.",
        "Service outside working hours",
        "No image could be made",
    ):
        assert not outside.search(page), page


@pytest.mark.parametrize(
    ("url", "source", "leads"),
    [
        ("https://sky.example/other", "https://sky.example/cut", True),
        ("https://SKY.example:443/other", "https://sky.example/cut", True),
        ("https://mirror.example/cut", "https://sky.example/cut", True),
        ("https://big.example:8443/cut", "https://sky.example/cut", True),
        ("https://big.example/cut", "https://sky.example/cut", False),
        ("http://sky.example/other", "https://sky.example/cut", False),
        ("http://sky.example/other", "http://sky.example/cut", True),
        ("https://sky.example/other", "http://sky.example/cut", True),
        ("https://sky.example:8443/other", "https://sky.example/cut", False),
        ("https://sky.example.evil.example/", "https://sky.example/cut", False),
        ("https://sky.example@evil.example/", "https://sky.example/cut", False),
        ("https://evil.example/?sky.example", "https://sky.example/cut", False),
        ("file:///etc/hostname", "http://sky.example/cut", False),
        ("ftp://sky.example/cut", "http://sky.example/cut", False),
        ("https://sky.example:99999/", "https://sky.example/cut", False),
        ("//sky.example/", "https://sky.example/cut", False),
        ("", "http://sky.example/cut", False),
    ],
)
def test_a_service_leads_to_its_hosts_and_never_out_of_encryption(url: str, source: str, leads: bool) -> None:
    fields = {"survey": "FIRST", "protocol": "first", "hosts": ("mirror.example", "big.example:8443")}
    service = described_services({"mine": {**fields, "url": "https://sky.example/cut"}})["mine"]
    assert service.leads_to(url, source=source) == leads
