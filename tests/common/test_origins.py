"""Files that do not belong together are refused, whichever of them is in the wrong place."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from claran_core.common.errors import InputError
from claran_core.common.origins import Origin, check_run, check_together

# What each file of a shard is made from, in order.
PARENTS = {
    "targets": (),
    "radio": ("targets",),
    "infrared": ("targets",),
    "components": ("targets", "radio"),
    "fused": ("components", "radio", "infrared"),
    "candidates": ("fused", "components"),
    "sources": ("candidates", "fused"),
}


def family(shard: str, known: Mapping[str, str] | None = None, seed: str = "1") -> dict[str, Origin]:
    """Make the files of a shard, each from those before, as the stages do."""
    settings = {"settings": f"seed {seed}"} | dict(known or {})
    files: dict[str, Origin] = {}
    for name, parents in PARENTS.items():
        own = {} if name == "targets" else settings
        made_from = check_together({parent: files[parent] for parent in parents}, own)
        content = f"{name} {shard}" if name == "targets" else f"{name} {shard} {settings}"
        files[name] = Origin(Path(shard) / name, content, made_from)
    return files


def test_files_record_all_their_ancestors() -> None:
    files = family("a")
    assert set(files["sources"].made_from) == {*PARENTS, "settings"} - {"sources"}
    assert check_together(files) == {n: file.digest for n, file in files.items()} | {"settings": "seed 1"}


@pytest.mark.parametrize("other", [family("b"), family("a", seed="2"), family("a", {"weights": "w2"})])
@pytest.mark.parametrize("name", list(PARENTS))
def test_any_file_of_another_family_is_refused(other: dict[str, Origin], name: str) -> None:
    files = family("a", {"weights": "w1"})
    assert check_together(files)
    if other[name].digest == files[name].digest:
        return  # targets do not depend on seed and weights
    with pytest.raises(InputError, match="made from other .* than those of this run"):
        check_together(files | {name: other[name]})


def test_two_files_that_agree_with_each_other_and_not_with_the_rest() -> None:
    files, other = family("a"), family("b")
    with pytest.raises(InputError):
        check_together(files | {name: other[name] for name in ("candidates", "sources")})


def test_the_message_names_both_files_and_the_stage() -> None:
    files = family("a") | {"fused": family("b")["fused"]}
    with pytest.raises(InputError, match=r"^b/fused: .*a/.* rerun the stage fusion$"):
        check_together({name: files[name] for name in ("components", "fused")})


def test_files_of_a_run_are_in_the_order_of_its_shards() -> None:
    shards = [family(name) for name in "abc"]
    made_from = check_run({}, shards)
    assert made_from["settings"] == "seed 1" and set(made_from) == {f"all_{n}" for n in PARENTS} | {
        "settings"
    }
    whole = {"catalogue": Origin(Path("catalogue"), "", made_from)}
    assert check_run(whole, shards) == made_from
    # A job that reads some of the files compares these.
    assert (
        check_run(whole, [{"components": files["components"]} for files in shards]).items()
        <= made_from.items()
    )
    for wrong in ([shards[1], shards[0], shards[2]], shards[:2], [*shards[:2], family("d")]):
        with pytest.raises(InputError, match="catalogue: made from other all"):
            check_run(whole, wrong)


def test_shards_of_two_runs_are_refused() -> None:
    with pytest.raises(InputError, match="made from other settings"):
        check_run({}, [family("a"), family("b", seed="2")])
    with pytest.raises(InputError, match="made from other weights"):
        check_run({}, [family("a", {"weights": "w1"}), family("b", {"weights": "w1"})], {"weights": "w2"})
