"""Maps that were made of a plan before: another job of the same plan takes their pixels, for the blocks are gone by then."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from eartheye.contracts import Map
from eartheye.contracts.messages import JobRequest
from eartheye.errors import ConflictingOutput, CorruptBulk, FolderRefused, MissingBulk, NewerManifest, UnreadableManifest
from eartheye.store import Bulk, Folder
from services.inference.planning import map_digest
from services.inference.tables import Job

GONE = (ConflictingOutput, UnreadableManifest, NewerManifest, MissingBulk, CorruptBulk, FolderRefused)


def earlier_raster(session: Session, plan: str) -> tuple[Folder, Bulk] | None:
    """Return folder and raster of a finished map of a plan, None where there is none that is whole."""
    for job in session.scalars(select(Job).where(Job.plan == plan, Job.state == "done").order_by(Job.ended_at)):
        folder = Folder(job.output or "")
        try:
            if made := Map.done(folder, map_digest(plan, JobRequest.model_validate(job.request))):
                folder.open(made.raster).close()
                return folder, made.raster
        except GONE:
            continue
    return None
