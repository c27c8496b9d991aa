"""The module that claims a host: another cluster's, what others put there, and what is taken over."""

from __future__ import annotations

import hashlib
import json
import pwd
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.module import run

MINE = {"id": "11aa", "name": "mine"}
THEIRS = {"id": "22bb", "name": "theirs"}


@dataclass
class Machine:
    """A host below a temporary directory."""

    root: Path

    @property
    def lib(self) -> Path:
        return self.root / "lib"

    @property
    def record(self) -> Any:
        return json.loads((self.lib / "cluster.json").read_text())

    def path(self, name: str, text: str | None = None) -> str:
        """A path below it; with a text the file is there."""
        path = self.root / name
        if text is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return str(path)

    def snapshot(self) -> dict[str, Any]:
        """Everything there is: mode, owner, time and content."""
        return {
            str(path): (path.lstat()[:6], path.lstat().st_mtime_ns, path.is_file() and path.read_bytes())
            for path in sorted(self.root.rglob("*"))
        }  # fmt: skip

    def wanted(self, **things: Any) -> dict[str, Any]:
        """What the roles' tables make, with only these things."""
        none: dict[str, Any] = {
            "users": {}, "groups": [], "directories": [], "links": {}, "files": [], "units": [],
            "known_units": [], "marked_units": {}, "directories_by": self.path("tmpfiles.conf"),
        }  # fmt: skip
        return none | things

    def claim(
        self, *, adopt: tuple[str, ...] = (), cluster: Any = MINE, take: bool = True,
        check_mode: bool = False, login: str = "ops", meanwhile: str = "", **things: Any,
    ) -> dict[str, Any]:  # fmt: skip
        units = str(self.root / "units")
        prepare = (
            "import os\nfrom ansible.module_utils import ownership, strangers\n"
            f"ownership.DIRECTORY = {str(self.lib)!r}\n"
            f"ownership.RECORD = {str(self.lib / 'cluster.json')!r}\n"
            f"ownership.MANIFEST = {str(self.lib / 'manifest.json')!r}\n"
            f"strangers.BACKUPS = {str(self.root / 'backups')!r}\n"
            f"strangers.UNITS = {units!r}; strangers.UNIT_DIRECTORIES = [{units!r}, {units + '-lib'!r}]\n"
            f"strangers.SCRIPTS = {units + '-scripts'!r}\n"
        )
        arguments = {
            "cluster": cluster, "by": "me@here", "origin": "/inventory/mine", "login": login,
            "wanted": self.wanted(**things), "adopt": list(adopt), "take": take,
        }  # fmt: skip
        return run("claim_host", arguments, prepare + meanwhile, check_mode=check_mode)

    def refused(self, *words: str, **arguments: Any) -> str:
        """The refusal, which has these words and changes nothing."""
        before = self.snapshot()
        answer = self.claim(**arguments)
        assert answer.get("failed"), answer
        for word in (*words, "fix:"):
            assert word in answer["msg"], answer["msg"]
        assert self.snapshot() == before
        return str(answer["msg"])


@pytest.fixture
def host(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


# Whose host it is


def test_a_bare_host_is_claimed_and_a_second_run_changes_nothing(host: Machine) -> None:
    assert host.claim()["changed"]
    assert host.record["cluster"] == MINE
    assert host.record["provisioned"]["by"] == "me@here"
    assert host.record["provisioned"]["from"] == "/inventory/mine"
    assert (host.lib / "cluster.json").stat().st_mode & 0o777 == 0o600
    assert not host.claim()["changed"]


@pytest.mark.parametrize("cluster", [THEIRS, {"id": "", "name": "theirs"}])
@pytest.mark.parametrize("take", [True, False])
def test_another_cluster_s_host_is_refused_with_all_that_is_known(
    host: Machine, cluster: Any, take: bool
) -> None:
    host.claim()
    words = (
        "cluster mine",
        "id 11aa",
        "me@here",
        "/inventory/mine",
        host.record["provisioned"]["at"],
    )
    host.refused(*words, "secrets recover", cluster=cluster, take=take)


def test_without_an_id_nothing_is_claimed_and_the_list_is_kept(host: Machine) -> None:
    nobody = {"id": "", "name": ""}
    host.claim(cluster=nobody, units=["airflow-scheduler.service"])
    assert host.record["cluster"]["id"] == ""
    assert host.record["owned"]["units"] == ["airflow-scheduler.service"]
    assert not host.claim(cluster=nobody)["changed"]
    host.claim(cluster=MINE)
    assert host.record["cluster"] == MINE


def test_a_cluster_may_get_another_name(host: Machine) -> None:
    host.claim()
    host.claim(cluster=MINE | {"name": "renamed"})
    assert host.record["cluster"]["name"] == "renamed"


def test_what_a_newer_toolkit_wrote_stays(host: Machine) -> None:
    host.claim()
    record = host.record | {"members": ["h1"]}
    record["owned"]["timers"] = ["x.timer"]
    record["cluster"]["color"] = "red"
    (host.lib / "cluster.json").write_text(json.dumps(record))
    host.claim()
    assert host.record["members"] == ["h1"]
    assert host.record["owned"]["timers"] == ["x.timer"]
    assert host.record["cluster"]["color"] == "red"


@pytest.mark.parametrize(
    "text", ["", "no JSON", "[1]", '"x"', '{"cluster": []}', '{"owned": {"files": []}}',
             '{"owned": {"files": {"/x": "y"}}}', '{"owned": {"users": [1]}}', "[" * 3000, "\xff"],
)  # fmt: skip
def test_a_broken_list_is_one_sentence(host: Machine, text: str) -> None:
    host.lib.mkdir()
    (host.lib / "cluster.json").write_text(text, encoding="latin-1")
    host.refused("cluster.json is broken", "recognised")


def test_a_check_claims_nothing(host: Machine) -> None:
    assert host.claim(check_mode=True)["changed"]
    assert host.claim(take=False)["changed"] is False
    assert host.snapshot() == {}


@pytest.mark.parametrize("cluster", [THEIRS, {"id": "", "name": ""}])
def test_of_two_that_compared_a_bare_host_at_once_the_first_gets_it(
    host: Machine, cluster: Any
) -> None:
    # Between comparing and taking the second, the first takes it.
    first = json.dumps({"cluster": MINE, "provisioned": {"by": "me@here"}})
    meanwhile = (
        f"os.makedirs({str(host.lib)!r})\n"
        "read = ownership.read\n"
        "def later(path=None, calls=[]):\n"
        "    calls.append(1)\n"
        f"    if len(calls) == 2: open(ownership.RECORD, 'w').write({first!r})\n"
        "    return read(path)\n"
        "ownership.read = later\n"
    )
    answer = host.claim(cluster=cluster, meanwhile=meanwhile)
    assert answer["failed"]
    assert "belongs to cluster mine" in answer["msg"]
    assert host.record["cluster"] == MINE


# What others put there


def test_everything_is_refused_in_one_answer(host: Machine) -> None:
    things = {
        "users": {"daemon": {"home": "/var/lib/daemon", "shell": "/bin/bash"}},
        "groups": ["adm"],
        "directories": [host.path("etc/airflow")],
        "links": {host.path("opt/current"): "releases"},
        "files": [{"path": host.path("airflow")}, {"path": host.path("etc/airflow/airflow.cfg")}],
        "units": [
            "airflow-scheduler.service",
            "airflow-worker.service",
            "airflow-triggerer.service",
        ],
    }
    host.path("etc/airflow/airflow.cfg", "theirs")
    host.path("airflow", "theirs")
    (host.root / "opt").mkdir()
    Path(host.path("opt/current")).symlink_to("elsewhere")
    host.path("units/airflow-scheduler.service", "[Service]\nUser=admin\n")
    host.path("units-lib/airflow-worker.service", "[Service]\n")
    names = ["user:daemon", "group:adm", host.path("etc/airflow"), host.path("opt/current"), host.path("airflow"),
             "airflow-scheduler.service", "airflow-worker.service"]  # fmt: skip
    said = host.refused("User=admin", f"base_adopt: [{', '.join(names)}]", **things)
    assert "triggerer" not in said
    answer = host.claim(adopt=tuple(names), **things)
    assert list(answer["copies"]) == names
    copies = {name: Path(path) for name, path in answer["copies"].items()}
    assert (copies[host.path("etc/airflow")] / "airflow.cfg").read_text() == "theirs"
    assert copies["airflow-scheduler.service"].read_text() == "[Service]\nUser=admin\n"
    assert "daemon:x:" in copies["user:daemon"].read_text()
    assert str(copies[host.path("opt/current")].readlink()) == "elsewhere"
    owned = host.record["owned"]
    assert owned["users"] == ["daemon"]
    assert host.path("etc/airflow/airflow.cfg") in owned["files"]
    assert host.path("units/airflow-scheduler.service") in owned["files"]
    assert not host.claim(adopt=tuple(names), **things)["changed"]
    assert not host.claim(**things)["changed"]


def test_a_copy_keeps_mode_and_owner(host: Machine) -> None:
    path = host.path("file", "theirs")
    Path(path).chmod(0o4750)
    copy = host.claim(adopt=(path,), files=[{"path": path}])["copies"][path]
    before, after = Path(path).stat(), Path(copy).stat()
    assert (after.st_mode, after.st_mtime) == (before.st_mode, before.st_mtime)
    assert (host.root / "backups").stat().st_mode & 0o777 == 0o700


def test_copies_of_one_takeover_are_in_one_directory_however_long_it_takes(host: Machine) -> None:
    paths = tuple(host.path(name, "theirs") for name in ("one", "two"))
    clock = "import itertools\nticks = map(str, itertools.count())\nstrangers.time.strftime = lambda *_: next(ticks)\n"
    answer = host.claim(adopt=paths, files=[{"path": path} for path in paths], meanwhile=clock)
    assert set(answer["copies"]) == set(paths)
    assert len(list((host.root / "backups").iterdir())) == 1


@pytest.mark.parametrize("make", [
    lambda path: path.symlink_to("/dev/null"),  # a masked unit
    lambda path: path.symlink_to("no-such-file"),
    lambda path: path.write_text(""),
])  # fmt: skip
def test_a_unit_of_any_form_counts(host: Machine, make: Callable[[Path], Any]) -> None:
    (host.root / "units").mkdir()
    make(host.root / "units/airflow-scheduler.service")
    host.refused("airflow-scheduler.service", units=["airflow-scheduler.service"])


def test_a_script_of_system_v_is_a_unit_too(host: Machine) -> None:
    host.path("units-scripts/airflow-scheduler", "#!/bin/sh\n")
    host.refused("airflow-scheduler.service", units=["airflow-scheduler.service"])


def test_other_units_are_nobody_s_business(host: Machine) -> None:
    for name in (
        "airflow-backup.service",
        "airflow-backup.timer",
        "airflow-scheduler.service.d/x.conf",
    ):
        host.path(f"units/{name}", "Slice=airflow.slice\n")
    assert "failed" not in host.claim(units=["airflow-scheduler.service"])
    assert host.record["owned"]["units"] == ["airflow-scheduler.service"]


def test_directories(host: Machine) -> None:
    wanted = [host.path("opt"), host.path("opt/releases"), host.path("log")]
    (host.root / "opt/releases").mkdir(parents=True)
    (host.root / "log/lost+found").mkdir(parents=True)
    assert host.claim(directories=wanted)["changed"]  # empty ones, and a disk that is mounted there
    host.path("opt/cache/file", "of an earlier release")
    host.claim(directories=[*wanted, host.path("opt/cache")])
    assert host.path("opt/cache") in host.record["owned"]["directories"]
    other = Machine(host.root / "other")
    for number in range(6):
        other.path(f"dags/{number}.py", "theirs")
    other.refused("0.py, 1.py, 2.py, 3.py and 2 more", directories=[other.path("dags")])
    Path(other.path("link")).symlink_to("dags")
    other.refused("is no directory", directories=[other.path("link")], adopt=(other.path("link"),))


def test_a_directory_where_a_link_belongs_is_never_taken(host: Machine) -> None:
    path = host.path("current")
    host.path("current/dag.py", "theirs")
    for adopt in ((), (path,)):
        host.refused("is a directory", f"sudo mv {path}", links={path: "/srv/dags"}, adopt=adopt)
    assert "failed" not in host.claim(links={path: ""})  # nothing is put there
    host.refused("is a directory", links={path: "/srv/dags"})  # nor later, on a host of ours


def test_what_is_just_as_we_would_write_it_needs_no_question(host: Machine) -> None:
    path, link = host.path("airflow", "the same"), host.path("current")
    Path(link).symlink_to("releases/1")
    host.refused(files=[{"path": path, "sha256": hashlib.sha256(b"another").hexdigest()}])
    same = [{"path": path, "sha256": hashlib.sha256(b"the same").hexdigest()}]
    me = pwd.getpwnam("daemon")
    things = {"files": same, "links": {link: "releases/1"},
              "users": {"daemon": {"home": me.pw_dir, "shell": me.pw_shell}}}  # fmt: skip
    assert host.claim(**things)["copies"] == {}
    assert host.record["owned"]["users"] == []  # and so it is never removed


def test_a_user_with_processes_is_not_changed(host: Machine) -> None:
    root = {"root": {"home": "/var/lib/root", "shell": "/bin/bash"}}
    for adopt in ((), ("user:root",)):
        said = host.refused("home /root", "(pid ", "stop them first", users=root, adopt=adopt)
        assert "base_adopt: [user:root]" in said


def test_a_user_of_ours_whose_home_was_changed_is_refused_too(host: Machine) -> None:
    host.claim()
    record = host.record
    record["owned"]["users"] = ["root"]
    (host.lib / "cluster.json").write_text(json.dumps(record))
    root = {"root": {"home": "/var/lib/root", "shell": "/bin/bash"}}
    assert "base_adopt" not in host.refused("(pid ", users=root)


def test_the_login_user_is_nobody_to_run_airflow(host: Machine) -> None:
    users = {"airflow": {"home": "/var/lib/airflow", "shell": "/bin/bash"}}
    for adopt in ((), ("user:airflow",)):
        host.refused("you sign in as airflow", login="airflow", users=users, adopt=adopt)


@pytest.mark.parametrize("name", ["airflow", "", "user:", "etc/airflow", "admin@x"])
def test_what_can_name_nothing_is_said(host: Machine, name: str) -> None:
    host.refused("base_adopt names", adopt=(name,), directories=[host.path("etc")])


@pytest.mark.parametrize(
    "name", ["/etc", "/etc/*", "*.service", "airflow-backup.service", "user:admin"]
)
def test_only_what_is_named_as_a_whole_is_taken_over(host: Machine, name: str) -> None:
    path = host.path("etc/airflow.cfg", "theirs")
    name = name.replace("/etc", str(host.root / "etc"))
    for adopt in ((name,), (name, str(host.root))):
        host.refused(f"base_adopt: [{path}]", adopt=adopt, files=[{"path": path}])


def test_a_run_that_was_killed_goes_on(host: Machine) -> None:
    things = {"units": ["airflow-scheduler.service"], "directories": [host.path("etc")],
              "links": {host.path("etc/current"): "x"}}  # fmt: skip
    host.claim(**things)
    host.path("etc/airflow.cfg", "half")
    host.path("units/airflow-scheduler.service", "half")
    Path(host.path("etc/current")).symlink_to("y")
    assert not host.claim(**things)["changed"]


# Earlier toolkits


OUR_UNIT = "[Service]\nSlice=airflow.slice\nEnvironmentFile=/etc/airflow/airflow.env\n"


@pytest.mark.parametrize("recorded", [True, False])
def test_an_installation_of_an_earlier_toolkit_goes_on_without_a_question(
    host: Machine, recorded: bool
) -> None:
    cfg = host.path("etc/airflow.cfg", "# secrets stand in airflow.env\n")
    tool = host.path("lib/prepare.py", "old")
    host.path("tmpfiles.conf", "releases/none")
    host.path("units/airflow-scheduler.service", OUR_UNIT)
    host.path("units/airflow-backup.service", OUR_UNIT)
    host.path("units/airflow-webserver.service", "[Service]\nUser=admin\n")
    if recorded:
        (host.lib / "manifest.json").write_text(
            json.dumps({"key": "k", "files": {cfg: ["d", "640 root root"], tool: ["d", "a"]}})
        )
    files = [{"path": cfg, "mark": "secrets stand in airflow.env"},
             {"path": host.path("tmpfiles.conf"), "mark": "releases/none"}]  # fmt: skip
    if recorded:
        files.append({"path": tool})
    things = {
        "files": files, "directories": [host.path("etc")], "units": ["airflow-worker.service"],
        "known_units": ["airflow-scheduler.service", "airflow-webserver.service"],
    }  # fmt: skip
    assert host.claim(**things)["changed"]
    owned = host.record["owned"]
    assert owned["units"] == ["airflow-scheduler.service", "airflow-worker.service"]
    assert owned["files"][cfg] == (["d", "640 root root"] if recorded else None)
    assert owned["directories"] == [host.path("etc")]
    assert not (host.lib / "manifest.json").exists()
    assert not host.claim(**things)["changed"]


def test_what_others_put_on_such_a_host_is_still_theirs(host: Machine) -> None:
    host.lib.mkdir()
    host.path("units/airflow-scheduler.service", "[Service]\nUser=admin\n")
    host.refused(
        "User=admin", units=["airflow-scheduler.service"], known_units=["airflow-scheduler.service"]
    )
