"""Description of each survey: what its pixels mean."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any, Self

from claran_core.common.cutout import Band, Beam, Role
from claran_core.common.errors import ConfigError

__all__ = ["SURVEYS", "Survey", "survey_named"]


@dataclass(frozen=True)
class Survey:
    """Meaning of the pixels of a survey.

    Attributes
    ----------
    name : str
        Key of `SURVEYS`, or the name of a survey that the settings describe; used in tables.
    band : {"radio", "infrared"}
        Plane of a subject that the survey can fill.
    unit : str
        Unit of the pixels, FITS spelling.
    pixel_scale_arcsec, beam_arcsec : float
        Native pixel and FWHM of the beam or point-spread function, arcsec; of an elliptical beam the
        geometric mean of its axes.
    rms : float
        Typical noise (1.4826 x MAD of a 3 arcmin cut-out) in `unit`.
    frequency_hz : float, optional
        Centre frequency of a radio survey.
    wavelength_m : float, optional
        Effective wavelength of an infrared survey.
    filter : str
        Name of the filter of an infrared survey.
    magnitude_zero_point : float, optional
        Vega magnitude of one count of an infrared survey.
    reference : str
        Paper or archive that documents the survey.
    noise_correlation : tuple of (float, float)
        Autocorrelation of the noise as a sum of Gaussians: weight and FWHM (arcsec) of each.  Empty: the
        noise is as smooth as the beam.
    measures_noise : bool
        Whether the autocorrelation of the noise is measured on each image instead.
    beam_axis_ratio : float
        Major over minor axis of the beam.
    beam_angle_deg : float
        Position angle of the major axis, deg, from north to east.
    image_unit : str
        Unit of images that state none; empty: `unit`.
    astrometric_error_arcsec : float
        Error of its positions that does not depend on the noise, along each axis; 0: not known.
    flux_scale : float
        Factor from flux densities of its images to those of the catalogue.
    clean_bias_mjy : float
        What its images lack at each peak, mJy/beam; 0: no correction.
    dynamic_range : float
        Peak of a bright source over the strongest artefacts around it, for the simulated sky.  The values of
        the surveys are rough.
    used_as : str
        Its entry of the settings, if that is not named after the band; of no meaning for its pixels.
    """

    name: str
    band: Band
    unit: str
    pixel_scale_arcsec: float
    beam_arcsec: float
    rms: float
    reference: str
    frequency_hz: float | None = None
    wavelength_m: float | None = None
    filter: str = ""
    magnitude_zero_point: float | None = None
    noise_correlation: tuple[tuple[float, float], ...] = ()
    measures_noise: bool = False
    beam_axis_ratio: float = 1.0
    beam_angle_deg: float = 0.0
    image_unit: str = ""
    astrometric_error_arcsec: float = 0.0
    flux_scale: float = 1.0
    clean_bias_mjy: float = 0.0
    dynamic_range: float = 500.0
    used_as: Role | None = field(default=None, compare=False)

    @property
    def role(self) -> Role:
        """Its entry of the settings' section `survey`, for file names and messages."""
        return self.used_as or self.band

    @property
    def beam(self) -> Beam:
        """Its beam."""
        stretch = math.sqrt(self.beam_axis_ratio)
        return Beam(self.beam_arcsec * stretch, self.beam_arcsec / stretch, self.beam_angle_deg)

    @property
    def noise_gaussians(self) -> tuple[tuple[float, float], ...]:
        """Autocorrelation of the noise: `noise_correlation`, or that of noise as smooth as the beam."""
        return self.noise_correlation or ((1.0, math.sqrt(2) * self.beam_arcsec),)

    def as_dict(self) -> dict[str, Any]:
        """Return the description as plain values, for the `params` of a rule and for JSON."""
        return asdict(self) | {"noise_correlation": [list(part) for part in self.noise_correlation]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the survey that `as_dict` describes."""
        correlation = tuple((float(weight), float(fwhm)) for weight, fwhm in values["noise_correlation"])
        return cls(**{**values, "noise_correlation": correlation})


SURVEYS: Mapping[str, Survey] = MappingProxyType(
    {
        "FIRST": Survey(
            name="FIRST",
            band="radio",
            unit="Jy/beam",
            pixel_scale_arcsec=1.8,
            beam_arcsec=5.4,
            rms=1.56e-4,
            frequency_hz=1.4e9,
            astrometric_error_arcsec=0.05,  # White et al. 1997, ApJ 475, 479
            reference="Becker, White & Helfand 1995, ApJ 450, 559",
            # Measured on 6,639 source-free tiles: narrower than the beam's, on a pedestal of sidelobes.
            noise_correlation=((0.805, 5.0), (0.195, 29.6)),
        ),
        "NVSS": Survey(
            name="NVSS",
            band="radio",
            unit="Jy/beam",
            pixel_scale_arcsec=15.0,
            beam_arcsec=45.0,
            rms=4.5e-4,
            frequency_hz=1.4e9,
            astrometric_error_arcsec=0.5,  # Condon et al. 1998: 0.45 and 0.56
            reference="Condon et al. 1998, AJ 115, 1693",
        ),
        "VLASS": Survey(
            name="VLASS",
            band="radio",
            unit="Jy/beam",
            pixel_scale_arcsec=1.0,
            beam_arcsec=2.5,
            rms=1.4e-4,
            frequency_hz=3.0e9,
            dynamic_range=200.0,
            astrometric_error_arcsec=0.5,  # Quick Look images, Lacy et al. 2020
            reference="Lacy et al. 2020, PASP 132, 035001 (Quick Look images of one epoch)",
        ),
        "RACS_LOW": Survey(
            name="RACS_LOW",
            band="radio",
            unit="Jy/beam",
            pixel_scale_arcsec=2.5,
            beam_arcsec=25.0,
            rms=3.0e-4,
            frequency_hz=8.875e8,
            dynamic_range=300.0,
            astrometric_error_arcsec=0.8,  # McConnell et al. 2020, PASA 37, e048
            reference="Hale et al. 2021, PASA 38, e058 (images of 25 arcsec)",
        ),
        "EMU": Survey(
            name="EMU",
            band="radio",
            unit="Jy/beam",
            pixel_scale_arcsec=2.0,
            beam_arcsec=15.0,
            rms=3.0e-5,
            frequency_hz=9.435e8,
            dynamic_range=1000.0,
            astrometric_error_arcsec=0.5,  # pilot survey, Norris et al. 2021; rough
            reference="Norris et al. 2021, PASA 38, e046 (images of 15 arcsec)",
        ),
        "LOTSS": Survey(
            name="LOTSS",
            band="radio",
            unit="Jy/beam",
            pixel_scale_arcsec=1.5,
            beam_arcsec=6.0,
            rms=8.3e-5,
            frequency_hz=1.44e8,
            astrometric_error_arcsec=0.2,  # Shimwell et al. 2022
            reference="Shimwell et al. 2022, A&A 659, A1 (DR2)",
        ),
        "MEERKAT": Survey(
            name="MEERKAT",
            band="radio",
            unit="Jy/beam",
            pixel_scale_arcsec=2.0,
            beam_arcsec=8.0,
            rms=5.0e-6,
            frequency_hz=1.28e9,
            dynamic_range=5000.0,
            astrometric_error_arcsec=0.3,  # Knowles et al. 2022
            reference="Knowles et al. 2022, A&A 657, A56 (images of 8 arcsec at L band)",
        ),
        "WISE_W1": Survey(
            name="WISE_W1",
            band="infrared",
            unit="DN",
            pixel_scale_arcsec=1.375,
            beam_arcsec=8.36,
            rms=0.18,
            wavelength_m=3.35e-6,
            filter="W1",
            magnitude_zero_point=20.5,
            reference="Wright et al. 2010, AJ 140, 1868 (AllWISE Atlas images)",
        ),
        "UNWISE_W1": Survey(
            name="UNWISE_W1",
            band="infrared",
            unit="DN",
            pixel_scale_arcsec=2.75,
            beam_arcsec=6.1,
            rms=1.1,
            wavelength_m=3.35e-6,
            filter="W1",
            magnitude_zero_point=22.5,
            reference="Lang 2014, AJ 147, 108 (Vega nanomaggies; noise as in AllWISE)",
        ),
    }
)


def survey_named(name: str) -> Survey:
    """Return the survey of a name.

    Raises
    ------
    ConfigError
        If `SURVEYS` does not describe it.
    """
    if name not in SURVEYS:
        raise ConfigError(f"config: survey {name!r} is not described; write one of: {', '.join(SURVEYS)}")
    return SURVEYS[name]
