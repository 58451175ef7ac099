"""Builder images: rebuilt from a lock, offline, to the same digest at every center."""

from builders.images.archive import BuiltImage
from builders.images.catalogue import Images
from builders.images.definition import ImageDefinition
from builders.images.lock import ImageLock, LockChange

__all__ = ["BuiltImage", "ImageDefinition", "ImageLock", "Images", "LockChange"]
