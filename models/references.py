"""How a package names the folder of another, so that the two can move together."""

import posixpath

from eartheye.store import Folder


def refer(folder: Folder, package: Folder) -> str:
    """Return how a package names the folder of another: a relative path where both lie in one store."""
    (store, path), (own_store, own_path) = split_root(folder.root), split_root(package.root)
    return posixpath.relpath(path, own_path) if store == own_store else folder.root


def resolve(uri: str, package: Folder) -> str:
    """Return the root that a package's reference means."""
    if "://" in uri or uri.startswith("/"):
        return uri
    store, path = split_root(package.root)
    return store + posixpath.normpath(posixpath.join(path, uri))


def split_root(root: str) -> tuple[str, str]:
    """`s3://bucket/a/b` to `s3://bucket` and `/a/b`; a directory's path to nothing and itself."""
    scheme, separator, rest = root.partition("://")
    if not separator:
        return "", root
    bucket, _, path = rest.partition("/")
    return f"{scheme}://{bucket}", f"/{path}"
