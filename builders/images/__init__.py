"""Builder images: rebuilt from a lock, offline, to the same digest at every center."""

from builders.images.archive import BuiltImage
from builders.images.catalogue import ImageCatalogue
from builders.images.definition import ImageDefinition
from builders.images.lock import ImageLock, LockChange

__all__ = ["BuiltImage", "ImageCatalogue", "ImageDefinition", "ImageLock", "LockChange"]
