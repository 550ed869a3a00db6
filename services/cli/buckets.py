"""The command that makes the object store's buckets."""


def buckets() -> None:
    """Make the buckets of EARTHEYE_ALLOWED_ROOTS and EARTHEYE_JOB_WORK that the object store does not have yet.

    With EARTHEYE_S3_ROOT_USER and EARTHEYE_S3_ROOT_PASSWORD, the administrator of a MinIO, the user of EARTHEYE_S3_ACCESS_KEY is made
    too, or given that secret key: it may list, read and write these buckets, and nothing else.

    Example: `EARTHEYE_ALLOWED_ROOTS='["s3://data"]' EARTHEYE_JOB_WORK=s3://runs/work eartheye buckets`
    """
    from eartheye.settings import load
    from eartheye.store.bucket_user import as_administrator, ensure_user
    from eartheye.store.buckets import ensure_buckets

    settings = load()
    roots = [*settings.allowed_roots, settings.job_work]
    if not settings.s3_root_user:
        made = ensure_buckets(roots, settings)
    else:
        made = ensure_buckets(roots, as_administrator(settings))
        ensure_user(made, settings)
    print("\n".join(made))
