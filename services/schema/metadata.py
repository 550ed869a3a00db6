"""The tables of every service together, as the code has them."""

from sqlalchemy import MetaData

from eartheye.database import Base


def platform_metadata() -> MetaData:
    """Return the metadata of all tables, which the migrations have to reproduce."""
    import services.admin.keys.tables
    import services.inference.tables
    import services.registry.tables  # noqa: F401

    return Base.metadata
