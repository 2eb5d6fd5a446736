"""Leave out of published files what identifies a person or a machine: addresses, folders, passwords."""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

__all__ = ["published"]

# Settings whose values are left out, whatever they are.
PRIVATE = {"contact"}
# User and password of a URL, and values of its parameters that grant access.
USER = re.compile(r"(?<=://)[^/\s?#]*@")
SECRET = re.compile(r"([?&;][^=&\s]*(?:token|key|secret|passw|auth|signature)[^=&\s]*=)[^&\s#]+", re.I)
EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
# The folders of an absolute path within text; not of addresses such as https://host/folder.
FOLDERS = re.compile(r"(?<![\w:/.~$*?\]-])(?:~[\w-]*|\$\w+)?/(?:[^\s/'\"<>|,;:()]+/)*(?=[^\s/'\"<>|,;:()])")
ABSOLUTE = re.compile(r"(?:~[\w-]*|\$\w+)?/")


def published(value: Any) -> Any:
    """Return settings or other facts without what must not be published.

    Absolute paths become the name of their file; e-mail addresses, passwords and keys of URLs, and the
    setting ``contact`` are left out.

    Parameters
    ----------
    value : Any
        Mappings and lists, nested to any depth, of text and other scalars.
    """
    if isinstance(value, Mapping):
        return {key: None if key in PRIVATE else published(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [published(inner) for inner in value]
    return _text(value) if isinstance(value, str) else value


def _text(text: str) -> str:
    if ABSOLUTE.match(text) and "\n" not in text and ": " not in text:
        return PurePosixPath(text).name
    text = EMAIL.sub("(e-mail address)", SECRET.sub(r"\1(left out)", USER.sub("", text)))
    return FOLDERS.sub("", text)
