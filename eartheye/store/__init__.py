"""The object store: folders of objects in a directory or in a bucket, each object whole or not there."""

from eartheye.store.bulk import Bulk
from eartheye.store.folder import Folder, open_store
from eartheye.store.port import ObjectStore

__all__ = ["Bulk", "Folder", "ObjectStore", "open_store"]
