"""Prometheus metrics of the inference service."""

from prometheus_client import Counter, Gauge, Histogram

JOBS_ENDED = Counter("eartheye_jobs_ended_total", "Mapping jobs that ended.", ["state"])
BLOCKS_SENT = Counter("eartheye_blocks_sent_total", "Blocks sent to workers, those sent again included.")
BLOCKS_ENDED = Counter("eartheye_blocks_ended_total", "Blocks that got an outcome.", ["state"])
BLOCKS_OUTSTANDING = Gauge("eartheye_blocks_outstanding", "Blocks sent and without an outcome.")
BLOCK_SECONDS = Histogram("eartheye_block_seconds", "Time to map a block.", buckets=(0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000))
PIXELS_MAPPED = Counter("eartheye_pixels_mapped_total", "Pixels of the blocks that were mapped.")
ASSEMBLY_SECONDS = Histogram(
    "eartheye_assembly_seconds", "Time to build a map from its blocks.", buckets=(1, 3, 10, 30, 100, 300, 1000, 3000)
)
