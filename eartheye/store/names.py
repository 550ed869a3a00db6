"""Names that every store can hold."""

from eartheye.errors import InvalidName

UNFINISHED = ".unfinished-"
"""How the name of a file that is still being written begins; no object is called so."""

LONGEST_PART_BYTES = 255  # of Linux file systems, and of MinIO, which stands on one
LONGEST_NAME_BYTES = 1024  # of S3


def check_name(name: str) -> str:
    """Return a name that is fit for an object or a folder within a folder; parts are separated by `/`.

    Spaces, commas and any script are fine. What could leave the folder, or mean another thing in another store, is refused.

    Raises:
        InvalidName: the name is absolute, empty, too long, or has a part that is empty, `.` or `..`, or a control character.
    """
    if reason := _reason_against(name):
        raise InvalidName(f"{name!r} is no name for an object: {reason}; choose another")
    return name


def _reason_against(name: str) -> str | None:
    parts = name.split("/")
    if not name or name.startswith("/"):
        return "it must be relative to its folder"
    if any(part in ("", ".", "..") for part in parts):
        return "a part of it is empty, '.' or '..'"
    if any(part.startswith(UNFINISHED) for part in parts):
        return f"{UNFINISHED!r} is kept for files still being written"
    if any(ord(sign) < 0x20 or ord(sign) == 0x7F or 0xD800 <= ord(sign) < 0xE000 for sign in name):
        return "it has a sign that cannot be written down"
    if max(len(part.encode()) for part in parts) > LONGEST_PART_BYTES or len(name.encode()) > LONGEST_NAME_BYTES:
        return f"it is longer than {LONGEST_NAME_BYTES} bytes, or a part of it longer than {LONGEST_PART_BYTES}"
    return None
