#!/usr/bin/python
"""Claims a host for a cluster: refuses another's host and what others put there, else lists what is ours."""

import os

from ansible.module_utils import ownership, strangers
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: claim_host
short_description: Claim a host for a cluster
description:
  - Fails, before anything is changed, where the host belongs to another cluster, or where something that is not
    ours stands where something of ours belongs; names all of it in one message.
  - Otherwise keeps copies of what is taken over, and writes down what is ours from now on.
options:
  cluster: {description: "id and name of the cluster; without an id nothing is claimed", type: dict, required: true}
  by: {description: Who provisions, type: str, default: ""}
  origin: {description: From which directory, type: str, default: ""}
  login: {description: The user whom the control machine signs in as, type: str, default: ""}
  wanted: {description: What the roles put on this host (ownership_plan.py), type: dict, required: true}
  adopt: {description: Things of others that are taken over, type: list, elements: str, default: []}
  take: {description: Whether to claim the host; otherwise it is only compared, type: bool, default: true}
author: airflow-toolkit
"""
RETURN = """
copies: {description: "Where copies of what was taken over are: name -> path", type: dict, returned: always}
listed: {description: Paths of the files that are ours, type: list, elements: str, returned: always}
"""


class Claim:
    """One host, compared with what a cluster wants there. Raises BrokenError."""

    def __init__(self, wanted: dict, adopted: list, logins: list) -> None:
        self.wanted = wanted
        self.given = adopted
        self.adopted = strangers.known(adopted, wanted)
        self.record = ownership.read()
        self.earlier = None if self.record else ownership.earlier()
        self.owned = strangers.owned_here(self.record, self.earlier, wanted)
        self.things = strangers.strangers(wanted, self.owned, logins)

    def refusal(self, cluster: dict) -> str:
        """Why the host is not taken, and what to do; "" when it may be."""
        other = of_another(self.record, cluster)
        if other:
            return other
        wrong = strangers.malformed(self.given)
        if wrong:
            return (
                f"base_adopt names {', '.join(map(repr, wrong))}; fix: name a path, a unit, user:NAME or group:NAME, "
                "as the refusal does"
            )
        found = strangers.refused(self.things, self.adopted)
        return sentence(found) if found else ""

    def take(self, cluster: dict, by: str, origin: str) -> dict:
        """Keep copies, and write down whose host it is and what is ours; answers where the copies are.

        Raises RefusedError where another cluster has claimed the host meanwhile.
        """
        ours = [one for one in self.things if strangers.is_adopted(one["name"], self.adopted)]
        copies = strangers.keep([one["name"] for one in strangers.outermost(ours)])
        os.makedirs(ownership.DIRECTORY, 0o755, exist_ok=True)
        os.chmod(ownership.DIRECTORY, 0o755)
        key = ownership.earlier_key() if self.earlier is not None else ""
        with ownership.changing() as record:
            other = of_another(record, cluster)
            if other:  # since it was compared
                raise ownership.RefusedError(other)
            record["key"] = key or record["key"]
            if cluster.get("id") or not record["cluster"].get("id"):
                record["cluster"].update(cluster)
            record["provisioned"].update({"by": by, "from": origin, "at": ownership.now()})
            self._list(record, [one["name"] for one in ours])
        if os.path.exists(ownership.MANIFEST):
            os.unlink(ownership.MANIFEST)
        return copies

    def _list(self, record: dict, adopted: list) -> None:
        """Put on the list what is ours here, what was adopted, and what does not exist yet."""
        wanted, files = self.wanted, record["owned"]["files"]
        for path, entry in self.owned["files"].items():
            files.setdefault(path, entry)
        new = [path for path, to in wanted["links"].items() if to or not os.path.lexists(path)]
        for path in (*new, *(name for name in adopted if name.startswith("/"))):
            if path not in wanted["directories"]:
                files.setdefault(path, ownership.ADOPTED)
        ownership.add(record, "units", [*self.owned["units"], *wanted["units"]])
        ownership.add(record, "directories", [*self.owned["directories"], *wanted["directories"]])
        for kind, find in (("users", strangers.user_of), ("groups", strangers.group_of)):
            new = [
                name for name in wanted[kind] if f"{kind[:-1]}:{name}" in adopted or not find(name)
            ]
            ownership.add(record, kind, [*self.owned[kind], *new])
        for unit in wanted["units"]:
            if unit in adopted:
                files.setdefault(os.path.join(strangers.UNITS, unit), ownership.ADOPTED)


def of_another(record: dict, cluster: dict) -> str:
    """Why the host is another cluster's, and what to do; "" when it is not."""
    other = ownership.of_another(record, cluster)
    return other and (
        f"this host {other}; fix: use that cluster's inventory; if its vault was lost: toolkit secrets recover -i DIR; "
        "to give the host away: docs/ownership.md"
    )


def sentence(found: list) -> str:
    """All that is in the way, and what to do about each."""
    lines = [f"{one['what']}" + (f" (fix: {one['fix']})" if one["fix"] else "") for one in found]
    adoptable = [one["name"] for one in found if not one["fix"]]
    adopt = (
        f"\nfix: move it away; or have it taken over, with a copy in {strangers.BACKUPS}: base_adopt: [{', '.join(adoptable)}]"
        if adoptable
        else ""
    )
    return "not ours on this host, so nothing was changed:\n- " + "\n- ".join(lines) + adopt


def main() -> None:
    """Ansible calls it."""
    module = AnsibleModule(
        {
            "cluster": {"type": "dict", "required": True},
            "by": {"type": "str", "default": ""},
            "origin": {"type": "str", "default": ""},
            "login": {"type": "str", "default": ""},
            "wanted": {"type": "dict", "required": True},
            "adopt": {"type": "list", "elements": "str", "default": []},
            "take": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    given = module.params
    try:
        logins = [given["login"], os.environ.get("SUDO_USER", "")]
        claim = Claim(given["wanted"], given["adopt"], logins)
        refusal = claim.refusal(given["cluster"])
        if refusal:
            module.fail_json(msg=refusal)
        first = not claim.record
        takes = given["take"] and not module.check_mode
        copies = claim.take(given["cluster"], given["by"], given["origin"]) if takes else {}
    except (ownership.RefusedError, OSError) as error:
        module.fail_json(msg=str(error))
    listed = sorted((claim.record or {}).get("owned", {}).get("files", {}))
    module.exit_json(
        changed=bool(given["take"] and (first or copies)), copies=copies, listed=listed
    )


if __name__ == "__main__":
    main()
