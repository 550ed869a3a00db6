"""The command that makes the object store's buckets."""


def buckets() -> None:
    """Make the buckets of EARTHEYE_ALLOWED_ROOTS and EARTHEYE_JOB_WORK that the object store does not have yet.

    Example: `EARTHEYE_ALLOWED_ROOTS='["s3://data"]' EARTHEYE_JOB_WORK=s3://runs/work eartheye buckets`
    """
    from eartheye.settings import load
    from eartheye.store.buckets import ensure_buckets

    settings = load()
    print("\n".join(ensure_buckets([*settings.allowed_roots, settings.job_work], settings)))
