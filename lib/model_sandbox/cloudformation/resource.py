"""The base of all resource types."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

Properties = Mapping[str, Any]
#: Returns the client of a service, with the credentials that the stack is made with.
Clients = Callable[[str], Any]


class InvalidPropertyError(ValueError):
    """A property that schema or sandbox does not allow."""


class Resource(ABC):
    """A resource type; calls AWS's operations as CloudFormation does."""

    properties: ClassVar[Sequence[str]]
    required: ClassVar[Sequence[str]] = ()
    #: Properties whose change makes another resource.
    replacing: ClassVar[Sequence[str]] = ()
    #: The property that holds tags; empty where the type has none.
    tags: ClassVar[str] = "Tags"

    def __init__(self, client: Clients) -> None:
        self._client = client

    def create(self, name: str, properties: Properties) -> tuple[str, dict[str, str]]:
        """Make it, all or nothing; return physical id and attributes. `name` is a default."""
        self._check(properties)
        made = self._make(name, properties)
        try:
            self._settle(made, {}, properties)
            return made, self._attributes(made, properties)
        except Exception:
            self.delete(made, properties)
            raise

    def update(self, identity: str, old: Properties, new: Properties) -> tuple[str, dict[str, str]]:
        """Change what differs; return physical id and attributes."""
        self._check(new)
        self._settle(identity, old, new)
        return identity, self._attributes(identity, new)

    @abstractmethod
    def delete(self, identity: str, properties: Properties) -> None:
        """Remove it."""

    def _check(self, properties: Properties) -> None:
        for name in self.required:
            if name not in properties:
                raise InvalidPropertyError(f"Properties validation failed: #: required key [{name}] not found")
        for name in properties:
            if name not in self.properties:
                # AWS may know it. To take it and do nothing would let a test pass that shows nothing.
                raise InvalidPropertyError(f"Encountered unsupported property {name} (the sandbox does not know it)")

    @abstractmethod
    def _make(self, name: str, properties: Properties) -> str:
        """Return the physical id."""

    def _settle(self, identity: str, old: Properties, new: Properties) -> None:
        # `old` is empty where it was just made.
        del identity, old, new  # most types have nothing to call

    def _attributes(self, identity: str, properties: Properties) -> dict[str, str]:
        # What Fn::GetAtt can ask for.
        del identity, properties
        return {}


def tag_list(properties: Properties, name: str = "Tags") -> list[dict[str, str]]:
    return [{"Key": str(tag["Key"]), "Value": str(tag["Value"])} for tag in properties.get(name) or []]


def lost_tags(old: Properties, new: Properties, name: str = "Tags") -> list[str]:
    kept = {tag["Key"] for tag in tag_list(new, name)}
    return [tag["Key"] for tag in tag_list(old, name) if tag["Key"] not in kept]


def is_true(value: object) -> bool:
    """Read a boolean, which may be a word."""
    return str(value).lower() == "true"


def given(properties: Properties, *names: str) -> dict[str, Any]:
    return {name: properties[name] for name in names if name in properties}
