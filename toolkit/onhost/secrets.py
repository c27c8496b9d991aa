"""The secrets of a provisioned host, for a control machine that has lost its vault; as root."""

from toolkit.onhost import claim
from toolkit.onhost.digests import secret_of
from toolkit.onhost.lib import environment


def main(payload):
    """Names of settings and their values, as far as they are here, and whose host it is.

    payload: {"variables": {environment variable: setting}, "urls": {environment variable: setting of
    the password in it}}.
    """
    wanted = dict(payload["variables"], **payload["urls"])
    values = {name: value for name, value in environment().items() if name in wanted}
    found = {wanted[name]: secret_of(value) for name, value in values.items()}
    secrets = {setting: secret for setting, secret in found.items() if secret}
    return {"secrets": secrets, "cluster": claim.cluster()}
