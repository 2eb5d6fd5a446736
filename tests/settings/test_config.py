"""The configuration: overlays on the defaults, names from the objects, mistakes reported in one line."""

import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from own_survey import OWN_SURVEY

from claran_core.common.errors import ConfigError
from claran_core.common.options import Options
from claran_core.common.paths import REPOSITORY, resolve_path
from claran_core.fusion.render import METHODS
from claran_core.settings.config import DEFAULTS, Config, load_config, read_yaml
from claran_core.settings.evaluation import ScoringOptions
from claran_core.settings.fusion import FusionOptions, ImageOptions
from claran_core.settings.survey import SurveysOptions

WITHOUT_BEAM = {"pixel_scale_arcsec": 2.5, "rms": 2e-5}


def test_overlay_changes_only_what_it_names() -> None:
    config = load_config({"fusion": {"contour_sigma": 4}, "survey": {"infrared": {"source": "none"}}})
    assert config.fusion.contour_sigma == 4 and config.fusion.size_px == 132
    assert config.survey.infrared.source == "none" and config.survey.infrared.name == "WISE_W1"
    assert config.survey.radio.source == "simulated"
    assert config.survey.simulated.label_table is None


def test_settings_survive_the_way_through_plain_mappings() -> None:
    config = load_config()
    assert Config.from_dict(config.as_dict()) == config
    assert FusionOptions.model_validate(config.fusion.as_dict()) == config.fusion
    assert SurveysOptions.model_validate(config.survey.as_dict()) == config.survey
    of_table = load_config({"survey": {"simulated": {"label_table": "rgz.csv"}}}).survey
    assert SurveysOptions.model_validate(of_table.as_dict()) == of_table
    assert of_table.simulated.label_table == "rgz.csv"


def test_rules_pass_slices_of_sections() -> None:
    config = load_config()
    images = ImageOptions.model_validate(config.fusion.as_dict(exclude={"methods"}))
    assert (images.frame, images.drawing) == (config.fusion.frame, config.fusion.drawing)
    scoring = ScoringOptions.model_validate(config.evaluation.as_dict(exclude={"compare_with"}))
    assert scoring.bootstrap == config.evaluation.bootstrap


def test_a_changed_copy_is_validated() -> None:
    training = load_config().training
    assert training.changed(epochs=3).epochs == 3
    with pytest.raises(ValueError, match="epochs"):
        training.changed(epochs=0)


def test_overlay_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("seed: 3\n")
    assert load_config(path).seed == 3
    for text in ("seed: [1\n", "just words\n", f"seed: {'7' * 5000}\n"):
        path.write_text(text)
        with pytest.raises(ConfigError, match=r"mine\.yaml"):
            load_config(path)
    with pytest.raises(ConfigError, match=r"absent\.yaml"):
        load_config(tmp_path / "absent.yaml")


def test_settings_that_contain_themselves(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    for text in ("catalogue: &a {b: *a}\n", "&r\nsurvey: {radio: *r}\n", "fusion: {methods: &m [D1, *m]}\n"):
        path.write_text(text)
        with pytest.raises(ConfigError) as caught:
            load_config(path)
        assert len(str(caught.value)) < 300 and "\n" not in str(caught.value)


def test_a_list_of_references_is_not_written_out(tmp_path: Path) -> None:
    names = "abcdefghij"
    lines = [f"{one}: &{one} [{', '.join([f'*{before}'] * 9)}]" for before, one in pairwise(names)]
    (tmp_path / "bomb.yaml").write_text("\n".join([f"{names[0]}: &a [x]", *lines, "seed: *j\n"]))
    entries = read_yaml(tmp_path / "bomb.yaml")
    with pytest.raises(ConfigError) as caught:  # 9^9 entries, if it was written out
        load_config({"seed": entries["seed"]})
    assert "seed is [[[" in str(caught.value) and len(str(caught.value)) < 300


def models(kind: type[Options]) -> Iterator[type[Options]]:
    """Yield a model and the models of its sections."""
    yield kind
    for field in kind.model_fields.values():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Options):
            yield from models(field.annotation)


def test_only_the_file_has_defaults() -> None:
    fields = [(kind, name, field) for kind in models(Config) for name, field in kind.model_fields.items()]
    assert len(fields) > 60
    assert not [(kind, name) for kind, name, field in fields if not field.is_required()]
    assert load_config().as_dict() == yaml.safe_load(DEFAULTS.read_text())


def test_every_value_has_a_description() -> None:
    for kind in models(Config):
        for name, field in kind.model_fields.items():
            nested = isinstance(field.annotation, type) and issubclass(field.annotation, Options)
            assert nested or field.description, (kind, name)


def keys(settings: Any) -> Any:
    """Return the nested keys of settings, in their order."""
    return {key: keys(value) for key, value in settings.items()} if isinstance(settings, dict) else None


def test_models_and_file_have_the_same_order() -> None:
    ours, theirs = keys(load_config().as_dict()), keys(yaml.safe_load(DEFAULTS.read_text()))
    assert str(ours) == str(theirs)


@pytest.mark.parametrize("method", METHODS)
def test_every_fusion_method_is_accepted(method: str) -> None:
    overlay = {"fusion": {"methods": [method]}, "catalogue": {"method": method}}
    assert load_config({**overlay, "model": {"weights": {method: None}}}).fusion.methods == (method,)


@pytest.mark.parametrize(
    ("overlay", "says"),
    [
        ({"fusion": {"contour_sgima": 4}}, "did you mean 'contour_sigma'"),
        ({"colour": "red"}, "unknown key 'colour'"),
        ({"fusion": {"contour_sigma": -1}}, "fusion.contour_sigma"),
        (
            {"fusion": {"contour_sigma": "five"}},
            "contour_sigma is 'five'; write a number above 0, at most 100 (base",
        ),
        ({"fusion": {"methods": ["D5"]}}, "write one of: F, D1, D2, D3, D4"),
        ({"fusion": {"methods": []}}, "fusion.methods"),
        ({"fusion": {"methods": ["D1"]}}, "catalogue.method is 'D4'"),
        ({"shard_size": 0}, "shard_size"),
        ({"seed": 1.5}, "seed"),
        ({"survey": {"radio": {"source": "directory"}}}, "survey.radio.path is empty"),
        ({"survey": {"radio": {"source": "archive"}}}, "the two would show different skies"),
        ({"survey": {"archive": {"order": {"FIRST": []}}}}, "survey.archive.order.FIRST"),
        ({"survey": {"archive": {"services": {"first": {"url": "ftp://x"}}}}}, "services.first.url"),
        ({"survey": {"archive": {"services": {"mine": {"url": "http://x"}}}}}, "add its protocol, survey"),
        (
            {"cutouts": {"archive": {"limits": {"frist": {"connections": 1}}}}},
            "unknown service 'frist'; write one of",
        ),
        ({"cutouts": {"archive": {"tries": 0}}}, "cutouts.archive.tries"),
        (
            {
                "survey": {
                    "radio": {"source": "archive"},
                    "infrared": {"source": "none"},
                    "archive": {"order": {"FIRST": ["irsa"]}},
                }
            },
            "service 'irsa' serves WISE_W1, not FIRST",
        ),
        ({"survey": {"radio": {"source": "none"}}}, "survey.radio.source"),
        ({"survey": {"radio": {"name": "a b"}}}, "survey.radio.name is 'a b'; write text that matches"),
        (
            {"survey": {"radio": {"description": {"noise": 1}}}},
            "unknown key 'noise' in survey.radio",
        ),
        (
            {"survey": {"radio": {"description": {"rms": float("nan")}}}},
            "description.rms is nan; write a number",
        ),
        (
            {"survey": {"radio": {"description": {"beam_arcsec": [5, 4]}}}},
            "beam_arcsec is [5, 4]; write a number above 0, at most 3600 or a list of 3 values, a number "
            "above 0, at most 3600, then a number above 0, at most 3600, then a number from -360 to 360",
        ),
        (
            {"survey": {"radio": {"description": {"beam_arcsec": 3}}}},
            "beam_arcsec: a beam of 3 arcsec",
        ),
        (
            {"survey": {"radio": {"name": "MINE", "description": WITHOUT_BEAM}}},
            "survey.radio.description lacks beam_arcsec; MINE does not ship",
        ),
        (
            {"survey": {"radio": {"name": "MINE", "description": OWN_SURVEY | {"unit": "K"}}}},
            "description.unit is 'K', which cannot be converted to Jy/beam; write Jy/beam, mJy/beam or the "
            "like (a temperature needs frequency_hz)",
        ),
        ({"survey": {"radio": {"description": {"noise_correlation": "x"}}}}, "write 'measure' or a list of"),
        (
            {"survey": {"infrared": {"description": {"frequency_hz": 1e9}}}},
            "unknown key 'frequency_hz' in survey.infrared.description",
        ),
        (
            {
                "survey": {
                    "radio": {"source": "archive", "name": "MINE", "description": OWN_SURVEY},
                    "infrared": {"source": "none"},
                }
            },
            "source is 'archive', but no archive serves MINE",
        ),
        (
            {"survey": {"radio": {"source": "directory", "path": "x"}}},
            "the two would show different skies",
        ),
        (
            {
                "survey": {
                    "radio": {"source": "directory", "path": "x"},
                    "infrared": {"source": "none"},
                    "simulated": {"label_table": "rgz.csv"},
                }
            },
            "survey.simulated.label_table is for the simulated sky, but survey.radio.source is 'directory'",
        ),
        ({"survey": {"simulated": {"label_table": 3}}}, "survey.simulated.label_table is 3; write text"),
        ({"survey": {"simulated": {"label_table": ""}}}, "survey.simulated.label_table"),
        ({"survey": {"simulated": {"labels": "x"}}}, "unknown key 'labels' in survey.simulated"),
        ({"model": {"weights": {"D9": "x"}}}, "unknown key 'D9'"),
        ({"model": {"options": {"widht": 3}}}, "config: unknown key 'widht' in model.options; did you mean"),
        ({"model": {"options": {"width": "three"}}}, "is 'three'; write a whole number from 1 to 65536"),
        ({"model": {"options": [3]}}, "model.options is [3]; write a mapping"),
        ({"model": {"pretrained": "x.pth"}}, "model.pretrained is for vgg16, but model.architecture is"),
        ({"model": {"pretrained": ""}}, "model.pretrained"),
        (
            {"model": {"architecture": "vgg16", "options": {"freeze_low": True}}},
            "freeze_low would keep random weights; give model.pretrained",
        ),
        (
            {"training": {"patience": 3}},
            "config: training.patience needs a validation error, but no",
        ),
        ({"training": {"validation_fraction": 1}}, "training.validation_fraction"),
        ({"training": {"schedule": "step"}}, "training.schedule is 'step'; write one of: cosine, steps"),
        ({"training": {"milestones": [0]}}, "training.milestones"),
        ({"training": {"precision": "float16"}}, "write one of: float32, bfloat16"),
        ({"training": None}, "config: training is None; write a mapping"),
        ({"fusion": {"hull_fill": [1, 2]}}, "fusion.hull_fill is [1, 2]; write a list of 3 values"),
        ({"fusion": {"hull_fill": [1, 2, 300]}}, "fusion.hull_fill.2 is 300; write a whole number"),
        ({"fusion": {"methods": ["D4", "D4"]}}, "fusion.methods is ['D4', 'D4']; write a list"),
        ({"fusion": {"contour_sigma": True}}, "fusion.contour_sigma is True; write a number"),
        ({"report": {"gallery_size": "al"}}, "write a whole number from 0 to 1000000 or 'all'"),
        ({"report": {"gallery_size": "x" * 999}}, "xxx...; write"),
        ({"cutouts": {"archive": {"limits": {"first": {"conections": 1}}}}}, "did you mean 'connections'?"),
        ({"survey": {"archive": {"order": {"FRIST": ["first"]}}}}, "did you mean 'FIRST'?"),
        ({"survey": {"radio": {"name": "LOTS"}}}, "(did you mean 'LOTSS'?)"),
        (
            {"survey": {"archive": {"services": {"first": {"outside": "("}}}}},
            "survey.archive.services.first.outside is '(', not a regular expression: missing )",
        ),
        ({"catalogue": {"min_probability": 2}}, "catalogue.min_probability is 2; write a number from 0 to 1"),
        (
            {"evaluation": {"compare_with": {"flux_column": "S"}}},
            "evaluation.compare_with.flux_column is given, but no catalogue to compare with",
        ),
        ({"evaluation": {"compare_with": {"radius_arcsec": 0}}}, "evaluation.compare_with.radius_arcsec"),
        ({"targets": {"path": "a\0b.csv"}}, "targets.path is 'a\\x00b.csv', which has control characters"),
        ({"targets": {"path": "run{1}.csv"}}, "targets.path is 'run{1}.csv', but Snakemake takes { } < >"),
        ({"model": {"weights": {"D4": "<x>"}}}, "model.weights.D4 is '<x>', but Snakemake takes"),
        ({"model": {"pretrained": "a}"}}, "model.pretrained is 'a}', but Snakemake takes"),
        (
            {"survey": {"radio": {"path": "im\x1b[2Jages"}}},
            "survey.radio.path is 'im\\x1b[2Jages', which has",
        ),
        (
            {"survey": {"simulated": {"label_table": "a\tb"}}},
            "survey.simulated.label_table is 'a\\tb', which",
        ),
        ({"evaluation": {"compare_with": {"path": "a>b"}}}, "evaluation.compare_with.path is 'a>b', but"),
        ({"seed": "9" * 5000}, "seed is '999"),
    ],
)
def test_mistakes_are_reported_in_one_line(overlay: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(overlay)
    assert says in str(caught.value) and "\n" not in str(caught.value)


def numbers_of(settings: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield an overlay for each number of the settings, which sets it to NaN."""
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from ({key: inner} for inner in numbers_of(value))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield {key: math.nan}


def test_no_number_of_the_settings_may_be_nan() -> None:
    overlays = list(numbers_of(load_config().as_dict()))
    assert {"catalogue": {"min_probability": math.nan}} in overlays and len(overlays) > 30
    for overlay in overlays:
        with pytest.raises(ConfigError, match="nan"):
            load_config(overlay)


def test_options_of_the_architecture() -> None:
    assert load_config().model.options == {}
    overlay = {"model": {"architecture": "vgg16", "options": {"fc_width": 256, "input_px": 264}}}
    assert load_config(overlay).model.options == {"fc_width": 256, "input_px": 264}


def test_paths_of_the_configuration(tmp_path: Path) -> None:
    assert resolve_path("resources/x.csv", tmp_path) == REPOSITORY / "resources" / "x.csv"
    assert resolve_path("data/x.csv", tmp_path) == tmp_path / "data" / "x.csv"
    assert resolve_path(str(tmp_path / "x.csv")) == tmp_path / "x.csv"


def test_numbers_and_switches_may_come_as_text_from_a_profile() -> None:
    limits = {"first": {"requests_per_s": "0.5", "connections": "3"}}
    config = load_config({"cutouts": {"archive": {"limits": limits, "tries": "4"}}, "seed": "12"})
    assert config.cutouts.archive.limits == {"first": {"requests_per_s": 0.5, "connections": 3}}
    assert (config.cutouts.archive.tries, config.seed) == (4, 12)
    catalogue = load_config({"catalogue": {"min_probability": "1e-1"}, "report": {"gallery_size": "7"}})
    assert (catalogue.catalogue.min_probability, catalogue.report.gallery_size) == (0.1, 7)
    switched = {"architecture": "vgg16", "options": {"freeze_low": "false"}}
    assert load_config({"model": switched}).model.options["freeze_low"] is False
    for value in ("true", True, "nan", "1.5"):
        with pytest.raises(ConfigError, match="seed is .*; write a whole number from 0 to 4294967295"):
            load_config({"seed": value})
    with pytest.raises(ConfigError, match=r"contour_sigma is 'nan'|contour_sigma is nan"):
        load_config({"fusion": {"contour_sigma": "nan"}})


def test_a_missing_key_is_named() -> None:
    settings = load_config().as_dict()
    del settings["fusion"]["size_px"]
    with pytest.raises(ConfigError, match=r"config: fusion\.size_px is missing; write a whole number"):
        Config.from_dict(settings)


def test_a_misspelt_key_is_reported_before_other_problems() -> None:
    with pytest.raises(ConfigError, match="unknown key 'report_'"):
        load_config({"seed": -1, "report_": {}})
