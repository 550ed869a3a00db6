"""The object store: folders of objects in a directory or in a bucket, each object whole or not there."""

from eartheye.store.bulk import Bulk
from eartheye.store.folder import Folder, object_at, open_store
from eartheye.store.patience import hurried
from eartheye.store.port import ObjectStore

__all__ = ["Bulk", "Folder", "ObjectStore", "hurried", "object_at", "open_store"]
