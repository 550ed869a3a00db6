"""A part of the report."""

import base64
from dataclasses import dataclass, field


@dataclass
class Picture:
    """A picture with what is said of it."""

    caption: str
    source: str
    """The picture as a data URI."""
    credit: str = ""
    """Whose imagery or data it shows, and on what terms."""


@dataclass
class Section:
    """Words, a table, pictures, links."""

    title: str
    words: list[str] = field(default_factory=list)
    limits: list[str] = field(default_factory=list)
    """What the part can and cannot show."""
    header: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    """Words, and a path relative to the report."""

    def picture(self, caption: str, data: bytes, credit: str = "") -> None:
        """Add a PNG."""
        self.pictures.append(Picture(caption, f"data:image/png;base64,{base64.b64encode(data).decode()}", credit))
