"""``claran settings``: the reference of all settings."""
# ruff: noqa: D301 - a backspace in a docstring tells click to keep the lines that follow

import click

__all__ = ["settings"]


@click.command(short_help="Print the reference of all settings of a run.")
@click.option(
    "--markdown", "form", flag_value="markdown", default=True, help="As a page in Markdown (default)."
)
@click.option("--json-schema", "form", flag_value="json-schema", help="As a JSON schema, for editors.")
def settings(form: str) -> None:
    """Print all settings: key, type, allowed values, default and description.

    \b
    Examples:
      claran settings
      claran settings --json-schema > settings.schema.json
    """
    from claran_core.settings.reference import json_schema, markdown

    click.echo(json_schema() if form == "json-schema" else markdown(), nl=form == "json-schema")
