"""Plays AWS: moto answers the API, and each instance that it says runs is a lab host with exactly
that private address, key and user data; stopped, started and removed as the instance is."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from support.instance_role import ROLE, Setup, set_up
from toolkit.providers.lab import podman
from toolkit.providers.lab.hosts import OWNER
from toolkit.providers.lab.images import USER, ensure
from toolkit.providers.lab.machine import prepared

REGION = "eu-central-1"
ACCOUNT = "123456789012"
IMAGE = "debian12"
AMI = {
    "ami_id": "ami-0123456789abcdef0", "name": "lab-debian-12-amd64-20261101", "owner_id": ACCOUNT,
    "architecture": "x86_64", "root_device_name": "/dev/xvda", "root_device_type": "ebs",
    "virtualization_type": "hvm", "hypervisor": "xen", "image_type": "machine", "public": False,
    "state": "available", "description": "", "platform": None,
}  # fmt: skip
LABEL = "toolkit.e2e.aws"
_RUNS = ("pending", "running")


@dataclass
class Aws:
    """A region with one VPC, whose only subnet is a podman network; instances reach this machine
    at its `gateway`."""

    url: str
    network: str
    gateway: str
    setup: Setup
    subnet: str = ""
    containers: dict[str, str] = field(default_factory=dict)  # instance id -> container
    off: set[str] = field(default_factory=set)  # containers; podman takes too long to ask it often
    broken: list[BaseException] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """What a user of this account has in the environment."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": self.setup.admin.id,
            "AWS_SECRET_ACCESS_KEY": self.setup.admin.secret,
            "AWS_CONFIG_FILE": "/nonexistent",
            "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
            "AWS_EC2_METADATA_DISABLED": "true",
            "no_proxy": "127.0.0.1",
        }

    def client(self, service: str) -> Any:
        """The account's administrator."""
        return self.setup.admin.client(service, self.url, REGION)

    @property
    def ec2(self) -> Any:
        """A client of the account."""
        return self.client("ec2")

    @property
    def inside_url(self) -> str:
        """Where instances reach AWS."""
        return f"http://{self.gateway}:{self.url.rpartition(':')[2]}"

    def has_profile(self, address: str) -> bool:
        """Whether the instance at an address has the instance profile."""
        arns = [one.get("IamInstanceProfile", {}).get("Arn", "") for one in self._instances()
                if one.get("PrivateIpAddress") == address]  # fmt: skip
        return any(arn.endswith(f"/{ROLE}") for arn in arns)

    def left(self) -> list[str]:
        """Every resource with a tag of the toolkit, but for instances that have ended."""
        client, tagged = self.ec2, [{"Name": "tag-key", "Values": ["toolkit-cluster"]}]
        found = [
            one["GroupId"]
            for one in client.describe_security_groups(Filters=tagged)["SecurityGroups"]
        ]
        found += [one["VolumeId"] for one in client.describe_volumes(Filters=tagged)["Volumes"]]
        found += [one["KeyName"] for one in client.describe_key_pairs(Filters=tagged)["KeyPairs"]]
        found += [one["NetworkInterfaceId"]
                  for one in client.describe_network_interfaces(Filters=tagged)["NetworkInterfaces"]]  # fmt: skip
        return found + [
            one["InstanceId"] for one in self._instances() if one["State"]["Name"] != "terminated"
        ]

    def _instances(self) -> list[dict[str, Any]]:
        answer = self.ec2.describe_instances()["Reservations"]
        return [one for reservation in answer for one in reservation["Instances"]]

    def play(self, ended: threading.Event) -> None:
        """Let hosts follow instances until told to end."""
        try:
            while not ended.wait(0.5):
                for instance in self._instances():
                    self._follow(instance)
        except BaseException as error:
            self.broken.append(error)

    def _follow(self, instance: Mapping[str, Any]) -> None:
        identifier, state = instance["InstanceId"], instance["State"]["Name"]
        container = self.containers.get(identifier)
        if container is None and state in _RUNS:
            self._boot(instance)
        elif container and state == "terminated":
            podman("rm", "--force", "--time", "0", container)
            self.off.discard(container)
            del self.containers[identifier]
        elif container and state == "stopped" and container not in self.off:
            podman("stop", "--time", "20", container)
            self.off.add(container)
        elif container in self.off and state in _RUNS:
            podman("start", container)
            self.off.remove(container)
            self._names()

    def settle(self) -> None:
        """Wait until every host is as its instance: moto ends each change at once, hosts do not."""
        deadline = time.monotonic() + 120
        while not self.broken and not all(map(self._as_told, self._instances())):
            assert time.monotonic() < deadline, "hosts do not follow their instances"
            time.sleep(0.2)

    def _as_told(self, instance: Mapping[str, Any]) -> bool:
        container = self.containers.get(instance["InstanceId"])
        if instance["State"]["Name"] == "terminated":
            return container is None
        runs = container is not None and container not in self.off
        return runs == (instance["State"]["Name"] in _RUNS)

    def _boot(self, instance: Mapping[str, Any]) -> None:
        """What EC2 does: an address, a host name, the key and the user data."""
        address = instance["PrivateIpAddress"]
        name = f"{self.network}-{instance['InstanceId']}"
        podman("run", "--detach", "--name", name, "--hostname", _hostname(address),
               "--network", self.network, "--ip", address, f"--label={LABEL}={self.network}",
               f"--label={OWNER}={self.network}", *prepared().run_options(),
               ensure(IMAGE, lambda _: None), "/sbin/init")  # fmt: skip
        self.containers[instance["InstanceId"]] = name
        pairs = self.ec2.describe_key_pairs(KeyNames=[instance["KeyName"]], IncludePublicKey=True)
        given = self.ec2.describe_instance_attribute(
            InstanceId=instance["InstanceId"], Attribute="userData"
        ).get("UserData", {})
        self._names()
        _cloud_init(name, pairs["KeyPairs"][0]["PublicKey"], given.get("Value", ""))

    def _names(self) -> None:
        """The resolver of a VPC knows every host by the name that its address gives it."""
        live = {one["InstanceId"]: one["PrivateIpAddress"] for one in self._instances()
                if one["InstanceId"] in self.containers and one["State"]["Name"] in _RUNS}  # fmt: skip
        lines = "".join(f"{address} {_hostname(address)} # vpc\n" for address in live.values())
        script = "{ grep -v '# vpc$' /etc/hosts; cat; } > /run/hosts; cat /run/hosts > /etc/hosts"
        for container in {self.containers[one] for one in live} - self.off:
            podman("exec", "-i", container, "sh", "-c", script, stdin=lines.encode())


def _hostname(address: str) -> str:
    return "ip-" + address.replace(".", "-")


# As cloud-init: the key first, so that a login is possible while user data is still worked on.
_FIRST_BOOT = """set -e
timeout 60 systemctl is-system-running --wait >/dev/null || true
install -d -m 0700 -o {user} -g {user} /home/{user}/.ssh
printf '%s\\n' '{key}' > /home/{user}/.ssh/authorized_keys
chown {user}: /home/{user}/.ssh/authorized_keys
[ -e /etc/ssh/ssh_host_ed25519_key ] || ssh-keygen -A >/dev/null
cat > /usr/local/bin/cloud-init <<'EOF'
#!/bin/sh
# Stands in for cloud-init status --wait.
until [ -e /var/lib/cloud-instance-done ]; do sleep 0.2; done
echo 'status: done'
EOF
chmod 0755 /usr/local/bin/cloud-init
systemctl is-active --quiet ssh || {{ systemctl reset-failed ssh; systemctl restart ssh; }}
sleep 3
cat > /usr/local/share/ca-certificates/user-data.crt
[ ! -s /usr/local/share/ca-certificates/user-data.crt ] || update-ca-certificates >/dev/null 2>&1
touch /var/lib/cloud-instance-done
"""


def _cloud_init(container: str, key: str, user_data: str) -> None:
    told = yaml.safe_load(base64.b64decode(user_data)) or {}
    trusted = "\n".join(told.get("ca_certs", {}).get("trusted", ()))
    script = _FIRST_BOOT.format(user=USER, key=key.strip())
    podman("exec", "-i", container, "sh", "-c", script, stdin=trusted.encode())


@contextlib.contextmanager
def aws(directory: Path, name: str) -> Iterator[Aws]:
    """An account with an empty VPC; whatever was made in it is gone afterwards."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    cidr, gateway = f"10.90.{os.getpid() % 256}.0/24", f"10.90.{os.getpid() % 256}.1"
    prepared()
    ensure(IMAGE, lambda _: None)
    podman("network", "create", "--disable-dns", "--subnet", cidr, name)
    server = Path(sys.executable).with_name("moto_server")
    (directory / "amis.json").write_text(json.dumps([AMI]))
    environment = os.environ | {"MOTO_AMIS_PATH": str(directory / "amis.json")}
    with (directory / "moto.log").open("w") as log:
        # Everywhere: the network has no address here before its first host.
        command = [server, "-H", "0.0.0.0", "-p", str(port)]
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    ended = threading.Event()
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(port)
        account = Aws(url, name, gateway, set_up(url, REGION))
        account.subnet = _prepare(account, cidr)
        player = threading.Thread(target=account.play, args=(ended,))
        player.start()
        try:
            yield account
        finally:
            ended.set()
            player.join()
    finally:
        process.terminate()
        process.wait()
        labelled = podman(
            "ps", "--all", "--quiet", f"--filter=label={LABEL}={name}"
        ).stdout.decode()
        if labelled.split():
            podman("rm", "--force", "--time", "0", *labelled.split())
        podman("network", "rm", "--force", name)


def _wait(port: int) -> None:
    deadline = time.monotonic() + 30
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        assert time.monotonic() < deadline, "moto does not answer"
        time.sleep(0.2)


def _prepare(account: Aws, cidr: str) -> str:
    """The VPC that a user has; returns its subnet's id."""
    vpc = account.ec2.create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"]
    subnet: str = account.ec2.create_subnet(VpcId=vpc, CidrBlock=cidr)["Subnet"]["SubnetId"]
    return subnet
