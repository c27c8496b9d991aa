"""Keyed digests of the secrets that a host has, to compare without showing any."""

import hashlib
import hmac
from urllib.parse import unquote, urlsplit

from toolkit.onhost.lib import environment


def digests(nonce, names):
    """Variable of airflow.env -> digest of its value, for those of `names` that are there."""
    return {name: digest(nonce, value) for name, value in environment().items() if name in names}


def secrets(nonce, names):
    """The same of what is secret alone: of a URL its password, as its address depends on the host."""
    found = {name: secret_of(value) for name, value in environment().items() if name in names}
    return {name: digest(nonce, value) for name, value in found.items()}


def secret_of(value):
    """The password of a URL; every other value is secret as a whole."""
    return unquote(urlsplit(value).password or "") if "://" in value else value


def digest(nonce, value):
    """HMAC-SHA256; who asks makes the key, and a new one each time."""
    return hmac.new(nonce.encode("ascii"), value.encode("utf-8"), hashlib.sha256).hexdigest()
