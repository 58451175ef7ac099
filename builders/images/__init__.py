"""Builder images: built from a lock, offline, to the same digest at every center.

Imports inputs, methods, engine, locators and `builders.core`.
"""

from builders.images.catalogue import ImageCatalogue
from builders.images.definition import ImageDefinition
from builders.images.lock import ImageLock, LockChange
from builders.images.oci_archive import BuiltImage

__all__ = ["BuiltImage", "ImageCatalogue", "ImageDefinition", "ImageLock", "LockChange"]
