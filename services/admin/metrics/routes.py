"""The route that Prometheus asks."""

from collections.abc import Iterable

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from eartheye.database import answering
from eartheye.errors import DatabaseUnavailable
from eartheye.telemetry import get_logger
from services.admin.platform import Platform, PlatformDep
from services.inference.tables import Block, Job
from services.registry.tables import OutboxItem

log = get_logger(__name__)
router = APIRouter(tags=["metrics"])


@router.get("/v1/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(platform: PlatformDep) -> Response:
    """Metrics of this process, and of what the platform's tables hold; while the database is away, of this process alone."""
    found = generate_latest(REGISTRY)
    try:
        with answering(platform.engine):
            found += generate_latest(_Tables(platform))
    except DatabaseUnavailable as error:
        log.warning("metrics without those of the tables", reason=str(error))
    return Response(found, media_type=CONTENT_TYPE_LATEST)


class _Tables:
    """Counts the tables when it is asked, so that they are right in each process, whichever role moves them."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def collect(self) -> Iterable[GaugeMetricFamily]:
        jobs = GaugeMetricFamily("eartheye_jobs", "Mapping jobs by state.", labels=["state"])
        blocks = GaugeMetricFamily("eartheye_blocks", "Blocks of all plans by state.", labels=["state"])
        pending = GaugeMetricFamily("eartheye_promotion_work_pending", "Work that decided promotions still wait for.")
        with Session(self._platform.engine) as session:
            for state, count in session.execute(select(Job.state, func.count()).group_by(Job.state)).tuples():
                jobs.add_metric([state], count)
            for state, count in session.execute(select(Block.state, func.count()).group_by(Block.state)).tuples():
                blocks.add_metric([state], count)
            waiting = select(func.count()).select_from(OutboxItem).where(OutboxItem.done_at.is_(None))
            pending.add_metric([], session.scalar(waiting) or 0)
        return jobs, blocks, pending
