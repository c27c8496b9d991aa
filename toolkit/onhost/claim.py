"""Whose host it is, and what of others stands where something of ours belongs; changes nothing."""

import os

from toolkit.onhost import ownership, strangers


def cluster():
    """Whose host it is, as its list says; {} where it has none that can be read."""
    try:
        record = ownership.read()
    except (OSError, ownership.BrokenError):
        return {}
    return {"id": record.get("cluster", {}).get("id", ""), "members": record.get("members", {})}


def claim(wanted, adopted):
    """The host's cluster and last provision, and what is in the way.

    `wanted` is what roles/base/filter_plugins/ownership_plan.py makes, with digests of files that
    are copied as they are; `adopted` is base_adopt. Raises OSError where the list is there and not
    for us to read.
    """
    try:
        record = ownership.read()
    except ownership.BrokenError as error:
        return {"broken": str(error)}
    earlier = None if record else ownership.earlier()
    owned = strangers.owned_here(record, earlier, wanted)
    things = strangers.strangers(wanted, owned, [os.environ.get("SUDO_USER", "")])
    return {
        "cluster": record.get("cluster", {}).get("name", ""),
        "id": record.get("cluster", {}).get("id", ""),
        "by": record.get("provisioned", {}).get("by", ""),
        "origin": record.get("provisioned", {}).get("from", ""),
        "at": record.get("provisioned", {}).get("at", ""),
        "things": strangers.refused(things, strangers.known(adopted, wanted)),
        "backups": strangers.BACKUPS,
        "members": record.get("members", {}),
    }
