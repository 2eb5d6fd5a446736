"""Settings: laid over the defaults, and mistakes answered in one line."""

import dataclasses

import pytest

from claran_core.common.errors import ConfigError
from claran_core.common.paths import REPOSITORY, resolve_path
from claran_core.settings.config import (
    Config,
    FusionOptions,
    SurveysOptions,
    build_options,
    check_pretrained,
    load_config,
    plain,
)


def test_overlay_changes_only_what_it_names():
    config = load_config({"fusion": {"contour_sigma": 4}, "survey": {"infrared": {"source": "none"}}})
    assert config.fusion.contour_sigma == 4 and config.fusion.size_px == 132
    assert config.survey.infrared.source == "none" and config.survey.infrared.name == "WISE_W1"
    assert config.survey.radio.source == "simulated"
    assert config.survey.simulated.label_table is None


def test_settings_survive_the_way_through_plain_mappings():
    config = load_config()
    assert Config.from_dict(config.as_dict()) == config
    assert build_options(FusionOptions, plain(config.fusion)) == config.fusion
    assert build_options(SurveysOptions, plain(config.survey)) == config.survey
    of_table = load_config({"survey": {"simulated": {"label_table": "rgz.csv"}}}).survey
    assert build_options(SurveysOptions, plain(of_table)) == of_table
    assert of_table.simulated.label_table == "rgz.csv"


def test_overlay_from_a_file(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("seed: 3\n")
    assert load_config(path).seed == 3
    for text in ("seed: [1\n", "just words\n"):
        path.write_text(text)
        with pytest.raises(ConfigError, match=r"mine\.yaml"):
            load_config(path)
    with pytest.raises(ConfigError, match=r"absent\.yaml"):
        load_config(tmp_path / "absent.yaml")


@pytest.mark.parametrize(
    ("overlay", "says"),
    [
        ({"fusion": {"contour_sgima": 4}}, "did you mean 'contour_sigma'"),
        ({"colour": "red"}, "unknown key 'colour'"),
        ({"fusion": {"contour_sigma": -1}}, "fusion.contour_sigma"),
        ({"fusion": {"contour_sigma": "five"}}, "'five' is not of type 'number'"),
        ({"fusion": {"methods": ["D5"]}}, "write one of: F, D1, D2, D3, D4"),
        ({"fusion": {"methods": []}}, "fusion.methods"),
        ({"fusion": {"methods": ["D1"]}}, "catalogue.method is 'D4'"),
        ({"shard_size": 0}, "shard_size"),
        ({"seed": 1.5}, "seed"),
        ({"survey": {"radio": {"source": "directory"}}}, "survey.radio.path is empty"),
        ({"survey": {"radio": {"source": "archive"}}}, "the two would show different skies"),
        ({"survey": {"archive": {"order": {"FIRST": []}}}}, "survey.archive.order.FIRST"),
        ({"survey": {"archive": {"services": {"first": {"url": "ftp://x"}}}}}, "services.first.url"),
        ({"survey": {"archive": {"services": {"mine": {"url": "http://x"}}}}}, "its protocol, survey too"),
        ({"cutouts": {"archive": {"limits": {"frist": {"connections": 1}}}}}, "no service 'frist'"),
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
        ({"survey": {"simulated": {"label_table": 3}}}, "survey.simulated.label_table: 3 is not of type"),
        ({"survey": {"simulated": {"label_table": ""}}}, "survey.simulated.label_table"),
        ({"survey": {"simulated": {"labels": "x"}}}, "unknown key 'labels' in survey.simulated"),
        ({"model": {"weights": {"D9": "x"}}}, "unknown key 'D9'"),
        ({"model": {"options": {"widht": 3}}}, "config: model.options: option 'widht' of architecture"),
        ({"model": {"options": {"width": "3"}}}, "is '3', not int"),
        ({"model": {"options": [3]}}, "model.options: [3] is not of type 'object'"),
        ({"model": {"pretrained": "x.pth"}}, "model.pretrained is for vgg16, but model.architecture is"),
        ({"model": {"pretrained": ""}}, "model.pretrained"),
        (
            {"model": {"architecture": "vgg16", "options": {"freeze_low": True}}},
            "freeze_low would keep random weights; give model.pretrained",
        ),
        ({"training": {"patience": 3}}, "config: training.patience is for the error of subjects held out"),
        ({"training": {"validation_fraction": 1}}, "training.validation_fraction"),
        ({"training": {"schedule": "step"}}, "training.schedule is 'step'; write one of: cosine, steps"),
        ({"training": {"milestones": [0]}}, "training.milestones"),
        ({"training": {"precision": "float16"}}, "write one of: float32, bfloat16"),
        ({"training": None}, "training"),
        (
            {"evaluation": {"compare_with": {"flux_column": "S"}}},
            "evaluation.compare_with.flux_column is given, but no catalogue to compare with",
        ),
        ({"evaluation": {"compare_with": {"radius_arcsec": 0}}}, "evaluation.compare_with.radius_arcsec"),
    ],
)
def test_mistakes_are_answered_in_one_line(overlay, says):
    with pytest.raises(ConfigError) as caught:
        load_config(overlay)
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_options_of_the_architecture():
    assert load_config().model.options == {}
    overlay = {"model": {"architecture": "vgg16", "options": {"fc_width": 256, "input_px": 264}}}
    assert load_config(overlay).model.options == {"fc_width": 256, "input_px": 264}


def test_defaults_in_code_are_those_of_the_file():
    config = load_config()
    for options in (config.training, config.fusion):
        for entry in dataclasses.fields(options):
            if entry.default is not dataclasses.MISSING:
                assert getattr(options, entry.name) == entry.default, entry.name
    assert (config.model.options, config.model.pretrained) == ({}, None)


def test_pretrained_weights_must_be_there(tmp_path):
    assert check_pretrained(load_config().model) == []
    overlay = {"architecture": "vgg16", "pretrained": "vgg16.pth", "options": {"freeze_low": True}}
    model = load_config({"model": overlay}).model
    with pytest.raises(ConfigError, match=r"config: model\.pretrained: .*vgg16\.pth is not there; give"):
        check_pretrained(model, tmp_path)
    (tmp_path / "vgg16.pth").touch()
    assert check_pretrained(model, tmp_path) == [str(tmp_path / "vgg16.pth")]


def test_paths_of_the_configuration(tmp_path):
    assert resolve_path("resources/x.csv", tmp_path) == REPOSITORY / "resources" / "x.csv"
    assert resolve_path("data/x.csv", tmp_path) == tmp_path / "data" / "x.csv"
    assert resolve_path(str(tmp_path / "x.csv")) == tmp_path / "x.csv"


def test_numbers_may_come_as_text_from_a_profile():
    limits = {"first": {"requests_per_s": "0.5", "connections": "3"}}
    config = load_config({"cutouts": {"archive": {"limits": limits, "tries": "4"}}, "seed": "12"})
    assert config.cutouts.archive.limits == {"first": {"requests_per_s": 0.5, "connections": 3}}
    assert (config.cutouts.archive.tries, config.seed) == (4, 12)
    with pytest.raises(ConfigError, match="'true' is not of type 'integer'"):
        load_config({"seed": "true"})
