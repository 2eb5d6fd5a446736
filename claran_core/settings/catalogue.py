"""Section ``catalogue``: which detections become sources (paper section 6.1.1)."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from claran_core.common.options import Options, Switch, Within
from claran_core.settings.fusion import FusionMethod

__all__ = ["CatalogueOptions", "PostFilterOptions"]

# Used where `min_probability` is null: more likely a source than not; paper section 6.1.1.
DEFAULT_MIN_PROBABILITY = {"survey": 0.5, "paper": 0.8}


class PostFilterOptions(Options):
    """Rule that selects sources among the detections."""

    post_filter: Literal["survey", "paper"] = Field(
        description="rule that selects sources among the detections"
    )
    min_probability: Annotated[float, Within(ge=0, le=1)] | None = Field(
        description="lowest probability of a source; null: "
        + ", ".join(f"{value:g} with `{name}`" for name, value in DEFAULT_MIN_PROBABILITY.items())
    )
    one_source_per_field: Switch = Field(description="keep only the best source of each subject (`paper`)")

    @property
    def effective_min_probability(self) -> float:
        """Lowest probability of a source: `min_probability`, or the filter's default if that is null."""
        usual = DEFAULT_MIN_PROBABILITY[self.post_filter]
        return usual if self.min_probability is None else self.min_probability

    @model_validator(mode="after")
    def _check_one_source(self) -> Self:
        if self.one_source_per_field and self.post_filter != "paper":
            raise ValueError(
                "one_source_per_field goes with the paper's filter; "
                "write post_filter: paper, or one_source_per_field: false"
            )
        return self


class _MethodOption(Options):
    method: FusionMethod = Field(description="fusion method whose detections become the catalogue")


# The fields of the last base come first, as in config.yaml.
class CatalogueOptions(PostFilterOptions, _MethodOption):
    """Section ``catalogue``."""
