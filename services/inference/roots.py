"""Which folders a request may name."""

from collections.abc import Sequence
from pathlib import Path

from eartheye.errors import InvalidName, OutsideRoots, RequestRejected
from eartheye.store import open_store


def inside_roots(uri: str, roots: Sequence[str]) -> str:
    """Return the plain form of a URI that lies in one of the roots: links followed, `..` resolved.

    Args:
        uri: a path, `file:///path` or `s3://bucket/key`.
        roots: the allowed folders, in the same forms.

    Raises:
        OutsideRoots: it lies elsewhere.
        RequestRejected: it is no URI of a store.
    """
    try:
        plain = _plain(uri)
    except (InvalidName, OSError, ValueError) as error:  # a loop of links, a name too long, a NUL
        raise RequestRejected(f"{uri!r} cannot be used: {error}") from None
    for root in map(_plain, roots):
        if _holds(root, plain):
            return plain
    # the folders themselves are not told: whoever asks need not know where the service keeps what
    change = "name one inside its EARTHEYE_ALLOWED_ROOTS" if roots else "none is allowed, set EARTHEYE_ALLOWED_ROOTS"
    raise OutsideRoots(f"{uri} is outside the folders of this service: {change}")


def meets(plain: str, folder: str) -> bool:
    """Say whether what `inside_roots` returned lies in a folder, is it, or holds it."""
    other = _plain(folder)
    return _holds(other, plain) or _holds(plain, other)


def _holds(folder: str, plain: str) -> bool:
    return plain == folder or plain.startswith(folder.rstrip("/") + "/")


def _plain(uri: str) -> str:
    root = open_store(uri).root
    return root if root.startswith("s3://") else str(Path(root).resolve())
