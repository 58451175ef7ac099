"""The name of a release as people type it: `vendor/product@version`."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from builders.core.errors import UsageError
from builders.recipe.recipe import ProductName, ProductVersion

_NAME: TypeAdapter[str] = TypeAdapter(ProductName)
_VERSION: TypeAdapter[str] = TypeAdapter(ProductVersion)


@dataclass(frozen=True, order=True, kw_only=True)
class ReleaseName:
    """A release; its three parts obey the rules that recipes obey."""

    vendor: str
    product: str
    version: str

    def __post_init__(self) -> None:
        try:
            _NAME.validate_python(self.vendor)
            _NAME.validate_python(self.product)
            _VERSION.validate_python(self.version)
        except ValidationError as error:
            raise _not_a_release(str(self)) from error

    @classmethod
    def parse(cls, text: str) -> ReleaseName:
        """Read `vendor/product@version`; raises `UsageError`."""
        path, at, version = text.partition("@")
        vendor, slash, product = path.partition("/")
        if not (at and slash):
            raise _not_a_release(text)
        return cls(vendor=vendor, product=product, version=version)

    @property
    def parts(self) -> tuple[str, str, str]:
        """Vendor, product and version, as the names of records have them."""
        return self.vendor, self.product, self.version

    def __str__(self) -> str:
        """Return `vendor/product@version`."""
        return f"{self.vendor}/{self.product}@{self.version}"


def _not_a_release(text: str) -> UsageError:
    return UsageError(
        "not the name of a release",
        got=ascii(text[:120]),
        expected="vendor/product@version, as in debian/netbase@6.5",
        todo="`samebits evidence list` shows the releases that the store knows",
    )
