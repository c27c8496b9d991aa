"""plan, up, list, down against moto: what is made, that it is made once, that nothing is left."""

from __future__ import annotations

import base64
import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from support.cloud import ACCESS, ALL, EC2, HOSTS, NOTHING, REGION, Cloud

from toolkit.cluster import Cluster
from toolkit.run import record as runs

REPOSITORY = Path(__file__).resolve().parents[2]


def test_a_plan_says_all_and_changes_nothing(cloud: Cloud) -> None:
    before = set(cloud.directory.iterdir())
    found = cloud.json("plan")
    assert [a["name"] for a in found["actions"] if a["kind"] == "instance"] == [
        "data1", "airflow1", "worker1", "worker2",
    ]  # fmt: skip
    assert found["billed"] == [
        "2 x instance t3.medium", "2 x instance t3.small", "4 x gp3 volume of 30 GB",
        "4 x public IPv4 address",
    ]  # fmt: skip
    assert cloud.front.changes() == []
    assert cloud.whole() == NOTHING
    assert set(cloud.directory.iterdir()) == before


def test_up_makes_all_of_it_once(cloud: Cloud) -> None:
    done = cloud.up()
    assert f"next: toolkit provision -i {cloud.directory}" in done.stdout
    assert sorted(cloud.instances()) == HOSTS
    assert cloud.whole() == ALL
    cloud.front.calls.clear()
    assert "nothing to do" in cloud.up().stderr
    assert cloud.front.changes() == []
    assert cloud.json("plan")["actions"] == []


def test_instances_are_as_ec2_yml_says(cloud: Cloud, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n")
    cloud.set(EC2 + f"volume_gb: 50\ntags: {{team: data}}\npackages: [jq]\n"
              f"ca_certificates: [{tmp_path}/ca.pem]\n")  # fmt: skip
    cloud.up()
    [worker] = cloud.instances()["worker2"]
    assert worker["MetadataOptions"]["HttpTokens"] == "required"
    assert worker["InstanceType"] == "t3.small"
    assert worker["KeyName"] == "toolkit-prod"
    assert worker["PublicIpAddress"]
    tags = {tag["Key"]: tag["Value"] for tag in worker["Tags"]}
    assert tags == {
        "Name": "prod-worker2", "toolkit-cluster": "prod", "toolkit-host": "worker2",
        "toolkit-groups": "worker", "toolkit-user": "ec2-user", "team": "data",
    }  # fmt: skip
    names = {group["GroupName"] for group in worker["NetworkInterfaces"][0]["Groups"]}
    assert names == {"toolkit-prod", "toolkit-prod-worker"}
    for volume in cloud.ec2.describe_volumes()["Volumes"]:
        assert (volume["Size"], volume["VolumeType"], volume["Encrypted"]) == (50, "gp3", True)
    said = cloud.ec2.describe_instance_attribute(
        InstanceId=worker["InstanceId"], Attribute="userData"
    )
    text = base64.b64decode(said["UserData"]["Value"]).decode()
    assert text.startswith("#cloud-config\n")
    assert yaml.safe_load(text)["packages"] == ["jq"]
    assert "BEGIN CERTIFICATE" in yaml.safe_load(text)["ca_certs"]["trusted"][0]


def test_the_private_key_is_made_here_and_private(cloud: Cloud) -> None:
    cloud.up()
    key = cloud.directory / ".ssh-key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    [pair] = cloud.ec2.describe_key_pairs(IncludePublicKey=True)["KeyPairs"]
    ours = key.with_name(".ssh-key.pub").read_text().split()[:2]
    assert pair["PublicKey"].split()[:2] == ours
    sent = "".join(str(call.parameters) for call in cloud.front.calls)
    assert "PRIVATE KEY" not in sent


def test_security_groups_open_just_what_the_cluster_needs(cloud: Cloud) -> None:
    cloud.up()
    assert cloud.rules() == {
        "toolkit-prod": {(22, ACCESS)},
        "toolkit-prod-data": {(5432, "toolkit-prod"), (6379, "toolkit-prod")},
        "toolkit-prod-airflow": {
            (8080, ACCESS), (8080, "toolkit-prod"), (8794, "toolkit-prod"),
        },
        "toolkit-prod-worker": {(8793, "toolkit-prod")},
    }  # fmt: skip


def test_ports_follow_the_settings_and_rules_follow_access(cloud: Cloud) -> None:
    cloud.up()
    [group] = cloud.ec2.describe_security_groups(
        Filters=[{"Name": "group-name", "Values": ["toolkit-prod-airflow"]}]
    )["SecurityGroups"]
    cloud.ec2.authorize_security_group_ingress(
        GroupId=group["GroupId"], IpProtocol="tcp", FromPort=9100, ToPort=9100, CidrIp="10.0.0.0/8"
    )
    settings = cloud.directory / "group_vars/all/airflow.yml"
    settings.parent.mkdir(parents=True)
    settings.write_text("airflow_web_port: 8443\nmetadata_db_engine: mysql\n")
    cloud.set(EC2.replace(ACCESS, "198.51.100.0/24") + "web_access: []\n")
    assert "1 rule(s) not made by the toolkit; they stay" in cloud.up().stderr
    assert cloud.rules() == {
        "toolkit-prod": {(22, "198.51.100.0/24")},
        "toolkit-prod-data": {(3306, "toolkit-prod"), (6379, "toolkit-prod")},
        "toolkit-prod-airflow": {
            (8443, "toolkit-prod"), (8794, "toolkit-prod"), (9100, "10.0.0.0/8"),
        },
        "toolkit-prod-worker": {(8793, "toolkit-prod")},
    }  # fmt: skip


def test_the_world_is_let_in_only_when_named_and_never_unsaid(cloud: Cloud) -> None:
    cloud.set(EC2.replace(ACCESS, "0.0.0.0/0"))
    notes = cloud.json("plan")["notes"]
    assert "toolkit-prod: port 22 is open to the whole internet, as ec2.yml says" in notes


def test_a_worker_more_and_two_less(cloud: Cloud) -> None:
    cloud.up()
    before = cloud.instances()
    cloud.set(EC2.replace("count: 2", "count: 3"))
    cloud.up()
    after = cloud.instances()
    assert sorted(after) == [*HOSTS, "worker3"]
    assert {host: after[host][0]["InstanceId"] for host in HOSTS} == {
        host: before[host][0]["InstanceId"] for host in HOSTS
    }
    cloud.set(EC2.replace("count: 2", "count: 1"))
    done = cloud.up("--no-drain", expect=2)
    assert "worker2, worker3 would be removed; nothing was changed" in done.stderr
    assert sorted(cloud.instances()) == [*HOSTS, "worker3"]
    cloud.up("--no-drain", "--yes")
    assert sorted(cloud.instances()) == ["airflow1", "data1", "worker1"]


def test_a_set_that_is_gone_takes_its_group_with_it(cloud: Cloud) -> None:
    cloud.up()
    cloud.set(EC2.replace("  worker: {groups: [worker], type: t3.small, count: 2}\n", ""))
    cloud.up("--no-drain", "--yes")
    assert sorted(cloud.instances()) == ["airflow1", "data1"]
    assert "toolkit-prod-worker" not in cloud.rules()


def test_the_database_is_never_removed_in_passing(cloud: Cloud) -> None:
    cloud.up()
    cloud.set(EC2.replace("  data:", "  store:"))
    done = cloud.up("--yes", expect=2)
    assert "data1" in done.stderr and "holds the metadata database" in done.stderr
    assert cloud.whole() == ALL


def test_an_instance_that_ended_is_made_anew(cloud: Cloud) -> None:
    cloud.up()
    [lost] = cloud.instances()["worker1"]
    cloud.ec2.terminate_instances(InstanceIds=[lost["InstanceId"]])
    cloud.up()
    assert cloud.whole() == ALL
    [made] = cloud.instances()["worker1"]
    assert made["InstanceId"] != lost["InstanceId"]
    assert made["ClientToken"] != lost["ClientToken"]


def test_a_stopped_instance_is_started_and_a_second_one_removed(cloud: Cloud) -> None:
    cloud.up()
    [worker], [data] = cloud.instances()["worker1"], cloud.instances()["data1"]
    cloud.ec2.stop_instances(InstanceIds=[data["InstanceId"]])
    twin = cloud.ec2.run_instances(
        ImageId=worker["ImageId"], MinCount=1, MaxCount=1,
        TagSpecifications=[{"ResourceType": "instance", "Tags": worker["Tags"]}],
    )["Instances"][0]["InstanceId"]  # fmt: skip
    cloud.up("--yes", "--no-drain")
    states = {
        host: [one["State"]["Name"] for one in found] for host, found in cloud.instances().items()
    }
    assert states == {host: ["running"] for host in HOSTS}
    assert cloud.instances()["worker1"][0]["InstanceId"] in {worker["InstanceId"], twin}


def test_stop_and_start(cloud: Cloud) -> None:
    assert "toolkit ec2 up" in cloud.toolkit("stop", expect=2).stderr
    cloud.up()
    cloud.toolkit("stop")
    assert {one["state"] for one in cloud.json("stop")["instances"]} == {"stopped"}
    assert {host.name for host in Cluster.load(cloud.directory).all_hosts} == set(HOSTS)
    assert {one["state"] for one in cloud.json("start", "--no-wait")["instances"]} == {"running"}
    cloud.front.calls.clear()
    cloud.toolkit("start", "--no-wait")
    assert cloud.front.changes() == []


def test_elastic_addresses_stay(cloud: Cloud) -> None:
    cloud.set(EC2 + "address: elastic\n")
    assert "4 x Elastic IP" in cloud.json("plan")["billed"]
    cloud.up()
    cloud.front.calls.clear()
    cloud.up()
    assert cloud.front.changes() == []
    before = {one["host"]: one["public"] for one in cloud.json("list")["instances"]}
    # Not shown: that it stays over stop and start, as moto gives a started instance a new address.
    assert {host.name: host.address for host in Cluster.load(cloud.directory).all_hosts} == before
    assert len({one["PublicIp"] for one in cloud.ec2.describe_addresses()["Addresses"]}) == 4
    [lost] = cloud.instances()["worker2"]
    cloud.ec2.terminate_instances(InstanceIds=[lost["InstanceId"]])
    cloud.up()
    assert before == {one["host"]: one["public"] for one in cloud.json("list")["instances"]}
    cloud.set(EC2.replace("count: 2", "count: 1") + "address: elastic\n")
    cloud.up("--yes", "--no-drain")
    assert len(cloud.ec2.describe_addresses()["Addresses"]) == 3
    cloud.toolkit("down", "--confirm", "prod")
    assert cloud.whole() == NOTHING


def test_spot_workers(cloud: Cloud) -> None:
    cloud.set(EC2.replace("count: 2", "count: 2, spot: true"))
    assert "2 x spot instance t3.small" in cloud.json("plan")["billed"]
    cloud.up()
    lifecycles = {
        host: found[0].get("InstanceLifecycle") for host, found in cloud.instances().items()
    }
    assert lifecycles == {"data1": None, "airflow1": None, "worker1": "spot", "worker2": "spot"}
    assert "worker1 goes on: AWS does not stop spot instances" in cloud.toolkit("stop").stderr
    states = {one["host"]: one["state"] for one in cloud.json("list")["instances"]}
    assert states == {"data1": "stopped", "airflow1": "stopped", "worker1": "running",
                      "worker2": "running"}  # fmt: skip


def test_a_bastion_of_the_users(cloud: Cloud) -> None:
    cloud.set(EC2 + "ssh_proxy: admin@bastion.example.com:2222\n")
    cloud.up()
    arguments = {
        host.variables["ansible_ssh_common_args"]
        for host in Cluster.load(cloud.directory).all_hosts
    }
    assert arguments == {"-o ProxyJump=admin@bastion.example.com:2222"}


def test_a_bastion_that_is_made(cloud: Cloud) -> None:
    cloud.set(EC2 + "bastion: t3.nano\n")
    assert cloud.json("plan")["billed"] == [
        "2 x instance t3.medium", "1 x instance t3.nano", "2 x instance t3.small",
        "5 x gp3 volume of 30 GB", "1 x Elastic IP",
    ]  # fmt: skip
    cloud.up()
    assert "nothing to do" in cloud.up().stderr
    assert cloud.rules() == {
        "toolkit-prod": {(22, "toolkit-prod-bastion")},
        "toolkit-prod-bastion": {(22, ACCESS)},
        "toolkit-prod-data": {(5432, "toolkit-prod"), (6379, "toolkit-prod")},
        "toolkit-prod-airflow": {
            (8080, "toolkit-prod-bastion"), (8080, "toolkit-prod"), (8794, "toolkit-prod"),
        },
        "toolkit-prod-worker": {(8793, "toolkit-prod")},
    }  # fmt: skip
    listed = {one["host"]: one for one in cloud.json("list")["instances"]}
    cluster = Cluster.load(cloud.directory)
    assert sorted(host.name for host in cluster.all_hosts) == HOSTS
    for host in cluster.all_hosts:
        assert host.address == listed[host.name]["private"]
        way = str(host.variables["ansible_ssh_common_args"])
        assert f"ec2-user@{listed['bastion']['public']}" in way
    [address] = cloud.ec2.describe_addresses()["Addresses"]
    assert address["PublicIp"] == listed["bastion"]["public"]
    cloud.set(EC2)
    assert "bastion would be removed" in cloud.up("--no-drain", expect=2).stderr
    cloud.up("--yes", "--no-drain")
    assert cloud.whole() == ALL
    assert "ansible_ssh_common_args" not in Cluster.load(cloud.directory).host("data1").variables
    assert "data1 has no public address" in cloud.toolkit("plan").stdout


def test_ansible_finds_what_the_toolkit_finds(cloud: Cloud) -> None:
    cloud.up()
    done = subprocess.run(
        [sys.executable, "-m", "ansible.cli.inventory", "-i", str(cloud.directory), "--list"],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "Skipping" not in done.stderr
    listing = json.loads(done.stdout)
    cluster = Cluster.load(cloud.directory)
    groups = ("metadata_db", "broker", "scheduler", "webserver", "worker")
    assert {name: sorted(listing[name]["hosts"]) for name in groups} == {
        name: sorted(host.name for host in cluster.group(name)) for name in groups
    }
    listed = {one["host"]: one for one in cloud.json("list")["instances"]}
    assert sorted(listed) == HOSTS
    for host in cluster.all_hosts:
        assert host.address == listed[host.name]["public"]
        assert host.variables["base_address"] == listed[host.name]["private"]
        assert host.user == "ec2-user"
        assert host.key_file == cloud.directory / ".ssh-key"


def test_private_addresses(cloud: Cloud) -> None:
    cloud.set(EC2 + "address: private\n")
    cloud.up()
    cluster = Cluster.load(cloud.directory)
    assert all(host.address == host.variables["base_address"] for host in cluster.all_hosts)
    assert "public IPv4" not in str(cloud.json("plan")["billed"])


def test_down_leaves_nothing_of_ours_and_all_of_others(cloud: Cloud, tmp_path: Path) -> None:
    cloud.up()
    other = Cloud(tmp_path / "other", cloud.front, cloud.moto)
    other.directory.mkdir()
    other.set(EC2)
    other.up()
    done = cloud.toolkit("down", expect=2)
    assert f"toolkit ec2 down -i {cloud.directory} --confirm prod" in done.stderr
    assert "the cluster's name is prod" in cloud.toolkit("down", "--confirm", "x", expect=2).stderr
    cloud.toolkit("down", "--confirm", "prod")
    assert cloud.whole() == ALL  # the other cluster's
    assert [one["host"] for one in other.json("list")["instances"]] == HOSTS
    assert cloud.json("list")["instances"] == []
    assert not (cloud.directory / "hosts.aws_ec2.yml").exists()
    cloud.toolkit("down")  # there is nothing to confirm any more
    other.toolkit("down", "--confirm", "other")
    assert cloud.whole() == NOTHING


def test_down_removes_a_key_pair_that_is_used_no_more(cloud: Cloud) -> None:
    cloud.up()
    cloud.ec2.create_key_pair(KeyName="mine")
    cloud.set(EC2 + "key_pair: mine\nkey_file: .ssh-key\n")
    cloud.toolkit("down", "--confirm", "prod")
    assert cloud.whole() == NOTHING | {"key pairs": 1}


def test_another_region_is_refused(cloud: Cloud) -> None:
    cloud.up()
    for verb in ("plan", "up", "down", "list"):
        done = cloud.toolkit(verb, "--region", "us-east-1", expect=2)
        assert f"instances are in {REGION}, not in us-east-1" in done.stderr


@pytest.mark.parametrize(
    ("change", "said", "line"),
    [
        (("count: 2", "count: two"), "count has to be a whole number", 8),
        (("region:", "regoin:"), "there is no key regoin", 2),
        (("t3.small", "large"), "'large' is not an instance type", 8),
        (("[worker]", "[wroker]"), "there is no group wroker", 8),
        (("al2023", "centos"), "there is no image centos", 3),
        ((ACCESS, "203.0.113.300"), "203.0.113.300", 4),
        (("worker:", "worker1:"), "'worker1' cannot name hosts", 8),
    ],
)
def test_a_wrong_ec2_yml_makes_no_call(
    cloud: Cloud, change: tuple[str, str], said: str, line: int
) -> None:
    cloud.set(EC2.replace(*change))
    done = cloud.toolkit("up", expect=2)
    assert said in done.stderr
    assert f"ec2.yml:{line}:" in done.stderr
    assert "fix:" in done.stderr
    assert cloud.front.calls == []


def test_wrong_settings_are_known_before_anything_is_made(cloud: Cloud) -> None:
    settings = cloud.directory / "group_vars/all/airflow.yml"
    settings.parent.mkdir(parents=True)
    settings.write_text("airflow_web_prot: 1\n")
    assert "airflow_web_port" in cloud.toolkit("up", expect=2).stderr
    settings.write_text("")
    cloud.set(EC2.replace("[metadata_db, broker]", "[broker]"))
    assert "metadata_db_url" in cloud.toolkit("up", expect=2).stderr
    cloud.set(EC2 + "ca_certificates: [nowhere.pem]\n")
    assert "nowhere.pem cannot be read" in cloud.toolkit("up", expect=2).stderr
    assert cloud.front.calls == []


def test_runs_are_recorded(cloud: Cloud) -> None:
    cloud.up()
    cloud.toolkit("down", expect=2)
    newest, first = runs.recorded(cloud.directory)
    assert (first["verb"], first["result"]) == ("ec2 up", "succeeded")
    assert (newest["verb"], newest["result"]) == ("ec2 down", "refused")
    plan = json.loads((Path(first["directory"]) / "plan.json").read_text())
    assert len([one for one in plan["actions"] if one["kind"] == "instance"]) == len(HOSTS)
