"""What a provider of hosts says of itself to the rest of the toolkit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from toolkit.errors import ToolkitError


@dataclass(frozen=True)
class Provider:
    """Makes the hosts of a cluster from a description of them.

    Attributes:
        file: the description's name in an inventory directory.
        up: the command that makes the hosts; DIRECTORY is replaced by the inventory's.
    """

    file: str
    up: str

    def missing_hosts(self, directory: Path) -> ToolkitError:
        """Why an inventory that is described here names no host."""
        return ToolkitError(
            "its instances do not exist yet, or exist no more",
            where=str(directory / self.file),
            fix=self.up.replace("DIRECTORY", str(directory)),
        )
