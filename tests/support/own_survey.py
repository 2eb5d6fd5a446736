"""The description of a survey of a user's own."""

# Numbers may come as text, as `--config` gives them.
OWN_SURVEY = {"beam_arcsec": ["16", "10", 30], "pixel_scale_arcsec": 2.5, "rms": "2.0e-5"}
