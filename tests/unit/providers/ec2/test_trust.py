"""Host keys of instances: known_hosts and console outputs."""

from __future__ import annotations

from support.ec2_config import KEY

from toolkit.providers.ec2 import trust


def test_known_hosts_follow_the_instances() -> None:
    text = "\n".join([
        f"10.0.0.1 {KEY} i-0a", f"10.0.0.2 {KEY} i-0b", f"10.0.0.3 {KEY}", f"10.0.0.4 {KEY}",
        f"10.0.0.5 {KEY} i-0e",
    ])  # fmt: skip
    members = {"10.0.0.1": "i-0a", "10.0.0.2": "i-0c", "10.0.0.3": "i-0d"}
    known = trust.current(text, members)
    # An address that another instance had, one that was never claimed, and one that is gone, go.
    assert known.splitlines() == [f"10.0.0.1 {KEY} i-0a", f"10.0.0.4 {KEY}"]
    assert trust.unknown(known, members) == {"10.0.0.2": "i-0c", "10.0.0.3": "i-0d"}
    met = trust.claimed(f"{known}10.0.0.2 {KEY}\n", members)
    assert met.splitlines()[-1] == f"10.0.0.2 {KEY} i-0c"
    assert trust.unknown(met, members) == {"10.0.0.3": "i-0d"}


def test_host_keys_in_a_console_output() -> None:
    output = (
        "[  12.1] cloud-init[900]: -----BEGIN SSH HOST KEY KEYS-----\r\n"
        "ecdsa-sha2-nistp256 AAAAE2VjZHNh= root@ip-10-0-0-1\r\n"
        f"[  12.2] cloud-init[900]: {KEY} root@ip-10-0-0-1\r\n"
        "-----END SSH HOST KEY KEYS-----\r\n"
    )
    assert trust.console_keys({"Output": output}) == ["ecdsa-sha2-nistp256 AAAAE2VjZHNh=", KEY]
    assert trust.console_keys({"Output": f"{KEY} not in the block"}) == []
    assert trust.console_keys({}) == []
