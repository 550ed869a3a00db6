"""The small JSON that says a stage is done, and with what."""

import hashlib
import json
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from eartheye.errors import ConflictingOutput, NewerManifest, NotFinished, UnreadableManifest
from eartheye.field_mistakes import fields_of
from eartheye.store import Folder

NAMES = ("manifest.json", "model.json", "serving.json", "world.json")
"""What manifests are called; a folder has one of them."""
CONTENTS = {
    "curated": "curated tiles",
    "checkpoint": "a checkpoint",
    "model": "a model",
    "report": "a report",
    "serving": "a serving package",
    "map": "a map",
    "world": "a synthetic world",
}
"""What a folder holds, where the kind in its manifest does not say it as a sentence has it."""
MADE_OTHERWISE = "was made from another input or configuration"
"""What is said of a folder that is refused; who asked over the bus knows the refusal by these words."""


class Manifest(BaseModel):
    """Written by a stage after all of its bulk; a stage without one is not done.

    Names inside are relative to the manifest's own folder, so that a folder can be copied or moved whole. Each subclass has a field
    `kind`, as `sites/1`: what it is, and the version of its schema.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
    name: ClassVar[str] = "manifest.json"

    made_from: str
    """Digest of the step's version, its configuration and the content of its inputs: the same `made_from`, the same bulk."""

    @classmethod
    def read(cls, folder: Folder) -> Self:
        """Return the manifest of a finished folder.

        Raises:
            NotFinished: there is none; the stage before has still to run.
            NewerManifest: a newer release wrote it.
            UnreadableManifest: it is of another kind, or not whole.
        """
        wanted, _, known = str(cls.model_fields["kind"].default).partition("/")
        if (data := folder.read(cls.name)) is None:
            if other := _kind_in(folder):
                raise _wrong_kind(folder, other, wanted)
            raise NotFinished(f"{folder.root} is not finished: run the step that makes it first")
        where = f"{folder.root}/{cls.name}"
        if (found := _kind_of(data)) is None:
            raise UnreadableManifest(f"{where} is not a manifest: delete the folder and run its step again")
        given, _, version = found.partition("/")
        if given != wanted:
            raise _wrong_kind(folder, given, wanted)
        if version.isdecimal() and int(version) > int(known):
            raise NewerManifest(f"{where} has schema {given}/{version}, this release reads up to {wanted}/{known}: upgrade EarthEye")
        try:
            return cls.model_validate(json.loads(data))
        except ValidationError as error:
            raise UnreadableManifest(f"{where}: {fields_of(error)}") from None

    @classmethod
    def done(cls, folder: Folder, made_from: str) -> Self | None:
        """Return the manifest in `folder`, None where the stage is still to do.

        Raises:
            ConflictingOutput: `folder` was made from something else.
        """
        if not folder.exists(cls.name):
            return None
        manifest = cls.read(folder)
        if manifest.made_from != made_from:
            raise ConflictingOutput(f"{folder.root} {MADE_OTHERWISE}: choose another folder")
        return manifest

    def finish(self, folder: Folder) -> Self:
        """Write the manifest: the stage is done."""
        with folder.create(self.name) as file:
            file.write(self.model_dump_json(indent=2).encode())
        return self

    @property
    def digest(self) -> str:
        """SHA-256 of the manifest: stands for the folder's whole content, for it holds the digest of each bulk object."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def digest(step: str, config: BaseModel, *inputs: str) -> str:
    """SHA-256 over what decides a stage's result.

    Args:
        step: name and version, as `sampler/1`; the version changes when the same configuration gives another result.
        config: what was set; a field left at its default does not count, so that a new option changes no old digest.
        inputs: digests of the inputs' content.
    """
    facts = [step, config.model_dump(mode="json", exclude_defaults=True), *inputs]
    return hashlib.sha256(json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _kind_of(data: bytes) -> str | None:
    """Return the kind that a manifest names, None where the bytes are none."""
    try:
        return str(json.loads(data)["kind"])
    except (ValueError, TypeError, KeyError):
        return None


def _kind_in(folder: Folder) -> str | None:
    """Return what a folder holds, by the first manifest that it has under any name; None where it has none."""
    kinds = (_kind_of(data) for name in NAMES if (data := folder.read(name)))
    return next((kind.partition("/")[0] for kind in kinds if kind), None)


def _wrong_kind(folder: Folder, given: str, wanted: str) -> UnreadableManifest:
    holds, needed = CONTENTS.get(given, given), CONTENTS.get(wanted, wanted)
    return UnreadableManifest(f"{folder.root} is a folder of {holds}, not of {needed}: give the folder of {needed}")
