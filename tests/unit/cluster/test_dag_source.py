"""Where DAGs come from: folders, and git repositories of every kind of name."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from toolkit.cluster import Cluster
from toolkit.cluster.dag_fetch import fetch
from toolkit.cluster.dag_source import Source, source_of, without_password
from toolkit.cluster.git import environment, explained
from toolkit.content import cache_dir
from toolkit.errors import ToolkitError

HOSTS = "scheduler: {hosts: {h1: {ansible_host: 203.0.113.7}}}\n"


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return with_settings(tmp_path, "")


def with_settings(tmp_path: Path, settings: str) -> Cluster:
    directory = tmp_path / "prod"
    (directory / "group_vars/all").mkdir(parents=True, exist_ok=True)
    (directory / "hosts.yml").write_text(HOSTS)
    (directory / "group_vars/all/airflow.yml").write_text(settings)
    return Cluster.load(directory)


def git(repository: Path, *words: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main",
                "-c", "protocol.file.allow=always"]  # fmt: skip
    return subprocess.run(["git", *identity, *words], cwd=repository, check=True, capture_output=True,
                          text=True).stdout.strip()  # fmt: skip


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working tree with two commits; v1 is the first."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    tree = tmp_path / "tree"
    tree.mkdir()
    git(tree, "init", "-q")
    for text in ("one", "two"):
        (tree / "a.py").write_text(text)
        git(tree, "add", "-A")
        git(tree, "commit", "-qm", text)
        if text == "one":
            git(tree, "tag", "v1")
    return tree


def fetched(source: Source, tmp_path: Path) -> str:
    scratch = tmp_path / "scratch"
    scratch.mkdir(exist_ok=True)
    return (fetch(source, scratch).root / "a.py").read_text()


def test_a_folder_is_taken_as_it_is_and_git_says_what_it_is(
    cluster: Cluster, repository: Path, tmp_path: Path
) -> None:
    found = fetch(source_of(cluster, str(repository), None), tmp_path)
    assert (found.root, found.ref, found.modified) == (repository, "main", False)
    (repository / "a.py").write_text("three")
    assert fetch(source_of(cluster, str(repository), None), tmp_path).modified


@pytest.mark.parametrize(
    ("ref", "text"), [("v1", "one"), ("main", "two"), ("COMMIT", "one"), ("SHORT", "one")]
)
def test_a_ref_of_a_working_tree(
    cluster: Cluster, repository: Path, tmp_path: Path, ref: str, text: str
) -> None:
    first = git(repository, "rev-parse", "v1")
    (repository / "a.py").write_text("not committed")
    ref = ref.replace("COMMIT", first).replace("SHORT", first[:9])
    assert fetched(source_of(cluster, str(repository), ref), tmp_path) == text


def test_a_bare_repository_by_path_and_by_url(
    cluster: Cluster, repository: Path, tmp_path: Path
) -> None:
    bare = tmp_path / "dags.git"
    git(tmp_path, "clone", "-q", "--bare", str(repository), str(bare))
    assert fetched(source_of(cluster, str(bare), None), tmp_path) == "two"
    found = fetch(source_of(cluster, f"file://{bare}", "v1"), tmp_path / "scratch")
    assert found.commit == git(repository, "rev-parse", "v1")


def test_a_commit_is_deployed_as_it_is(cluster: Cluster, repository: Path, tmp_path: Path) -> None:
    (repository / ".gitattributes").write_text("a.py export-ignore\n*.bin filter=lfs\n")
    (repository / "run.sh").write_text("#!/bin/sh\n")
    (repository / "run.sh").chmod(0o755)
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "attributes")
    found = fetch(source_of(cluster, str(repository), "main"), tmp_path / "scratch")
    assert (found.root / "a.py").read_text() == "two"
    assert (found.root / "run.sh").stat().st_mode & 0o100


def test_the_lock_of_a_git_that_was_killed(
    cluster: Cluster, repository: Path, tmp_path: Path
) -> None:
    source = source_of(cluster, str(repository), "main")
    assert fetched(source, tmp_path) == "two"
    (home,) = (one for one in (cache_dir() / "git").iterdir() if one.is_dir())
    (home / "shallow.lock").touch()
    git(repository, "commit", "-q", "--allow-empty", "-m", "one more")
    assert fetched(source, tmp_path) == "two"


def test_a_host_without_a_user_and_a_folder_of_such_a_name(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert source_of(cluster, "github:team/dags", None).url == "github:team/dags"
    (tmp_path / "github:team").mkdir()
    assert source_of(cluster, "github:team", None).folder == tmp_path / "github:team"


def test_the_settings_count_where_nothing_is_named(repository: Path, tmp_path: Path) -> None:
    cluster = with_settings(tmp_path, "airflow_dags_source: ../tree\nairflow_dags_ref: v1\n")
    assert fetched(source_of(cluster, None, None), tmp_path) == "one"
    assert source_of(cluster, None, "main").ref == "main"
    # A folder that is named has nothing to do with the setting's branch.
    assert source_of(cluster, str(repository), None).folder == repository


def test_nothing_is_named_at_all(cluster: Cluster) -> None:
    with pytest.raises(ToolkitError, match="airflow_dags_source is not set"):
        source_of(cluster, None, None)


@pytest.mark.parametrize("ref", ["-x", "a b", "a..b", "x~1", "@{1}", "a:b"])
def test_what_is_no_ref(cluster: Cluster, repository: Path, ref: str) -> None:
    with pytest.raises(ToolkitError, match="is no branch, tag or commit"):
        source_of(cluster, str(repository), ref)


def test_a_ref_that_is_not_there(cluster: Cluster, repository: Path, tmp_path: Path) -> None:
    for ref in ("nosuch", "deadbeef1"):
        with pytest.raises(ToolkitError, match=f"no branch, tag or commit {ref}") as missing:
            fetched(source_of(cluster, str(repository), ref), tmp_path)
        assert "git ls-remote" in str(missing.value.fix)


def test_a_ref_of_what_is_no_repository(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    with pytest.raises(ToolkitError, match="no git repository, so it has no v1"):
        source_of(cluster, str(tmp_path / "plain"), "v1")


def test_a_submodule_and_a_file_in_lfs_are_refused(
    cluster: Cluster, repository: Path, tmp_path: Path
) -> None:
    (repository / "big.bin").write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 1\n"
    )
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "lfs")
    with pytest.raises(ToolkitError, match=r"big\.bin is kept in Git LFS"):
        fetched(source_of(cluster, str(repository), "main"), tmp_path)
    git(repository, "submodule", "-q", "add", str(repository), "sub")
    git(repository, "commit", "-qm", "sub")
    with pytest.raises(ToolkitError, match="submodule, sub"):
        fetched(source_of(cluster, str(repository), "main"), tmp_path)


def test_a_password_reaches_git_by_its_environment_alone(cluster: Cluster) -> None:
    source = source_of(cluster, "https://kim:p%40ss@git.example.com/dags.git", None)
    assert source.shown == source.url == "https://git.example.com/dags.git"
    assert source.login == ("kim", "p@ss")
    assert "p@ss" not in repr(source)
    found = environment(source)
    assert found["TOOLKIT_GIT_PASSWORD"] == "p@ss"
    assert "p@ss" not in found["GIT_CONFIG_VALUE_1"]


@pytest.mark.parametrize("user", ["ghp_token", "ghp_token:"])
def test_a_token_as_the_user_s_name_is_a_secret_too(cluster: Cluster, user: str) -> None:
    url = f"https://{user}@git.example.com/dags.git"
    source = source_of(cluster, url, None)
    assert (source.url, source.login) == ("https://git.example.com/dags.git", ("ghp_token", ""))
    assert "ghp" not in without_password(f"toolkit deploy {url}")


def test_a_token_as_the_user_s_name_is_not_shown() -> None:
    source = Source("https://h/x", url="https://h/x", login=("ghp_token", ""))
    found = explained(source, "fatal: something with ghp_token")
    assert isinstance(found, ToolkitError)
    assert found.what == "git failed: fatal: something with ********"


def test_ssh_takes_no_password(cluster: Cluster) -> None:
    with pytest.raises(ToolkitError, match="takes no password") as refused:
        source_of(cluster, "ssh://git:s3c@git.example.com/dags.git", None)
    assert "s3c" not in str(refused.value)


def test_a_password_is_not_given_to_the_user_s_own_helper(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".gitconfig").write_text("[credential]\n\thelper = store\n")
    source = Source("x", url="x", login=("kim", "p@ss"))
    subprocess.run(["git", "credential", "approve"], check=True, cwd=tmp_path, text=True, env=environment(source),
                   input="protocol=https\nhost=git.example.com\nusername=kim\npassword=p@ss\n\n")  # fmt: skip
    assert not (tmp_path / ".git-credentials").exists()


def test_what_is_below_a_link_is_written_nowhere(
    cluster: Cluster, repository: Path, tmp_path: Path
) -> None:
    """git makes no such tree, but whoever writes objects by hand can."""
    outside = tmp_path / "outside"
    outside.mkdir()

    def stored(kind: str, content: str) -> str:
        done = subprocess.run(["git", "hash-object", "-w", "--literally", "-t", kind, "--stdin"], input=content.encode("latin-1"),
                              cwd=repository, check=True, capture_output=True)  # fmt: skip
        return done.stdout.decode().strip()

    def raw(digest: str) -> str:
        return bytes.fromhex(digest).decode("latin-1")

    link, text = stored("blob", str(outside)), stored("blob", "x")
    inner = stored("tree", f"100644 x.py\0{raw(text)}")
    tree = stored("tree", f"120000 a\0{raw(link)}40000 a\0{raw(inner)}")
    commit = git(repository, "commit-tree", "-m", "evil", tree)
    git(repository, "update-ref", "refs/heads/evil", commit)
    with pytest.raises(ToolkitError, match=r"a/x\.py is below a link"):
        fetched(source_of(cluster, str(repository), "evil"), tmp_path)
    assert list(outside.iterdir()) == []


def test_git_itself_gets_the_password_of_the_helper(tmp_path: Path) -> None:
    source = Source("x", url="x", login=("kim", r"p@\ts%s"))
    done = subprocess.run(["git", "credential", "fill"], input="protocol=https\nhost=git.example.com\n\n",
                          env=environment(source), cwd=tmp_path, capture_output=True, text=True, check=True)  # fmt: skip
    assert "username=kim\npassword=p@\\ts%s\n" in done.stdout


@pytest.mark.parametrize("url", ["https://kim:s3c/ret@git.example.com/x", "https://kim:s3c@ret@git.example.com/x",
                                 '"https://kim:s3c@git.example.com/x"'])  # fmt: skip
def test_a_password_that_is_not_escaped_is_refused_and_not_shown(
    cluster: Cluster, url: str
) -> None:
    with pytest.raises(ToolkitError) as refused:
        source_of(cluster, url, None)
    assert "s3c" not in str(refused.value)
    assert "ret" not in str(refused.value).replace("secret", "")
    assert "ret@" not in without_password(f"toolkit deploy {url}")


def test_a_command_line_without_its_password() -> None:
    text = "toolkit deploy -i prod https://kim:secret@git.example.com/dags.git --ref v1"
    assert without_password(text) == text.replace("kim:secret", "********")
    assert (
        without_password("toolkit deploy git@git.example.com:a.git")
        == "toolkit deploy git@git.example.com:a.git"
    )


def test_a_deploy_key(tmp_path: Path) -> None:
    cluster = with_settings(tmp_path, "airflow_dags_key: deploy key\n")
    key, url = cluster.directory / "deploy key", "git@git.example.com:team/dags.git"
    with pytest.raises(ToolkitError, match="is not there"):
        source_of(cluster, url, None)
    key.write_text("")
    key.chmod(0o644)
    with pytest.raises(ToolkitError, match="others may read") as refused:
        source_of(cluster, url, None)
    assert refused.value.fix == f"chmod 600 {key}"
    key.chmod(0o600)
    assert f"-i '{key}'" in environment(source_of(cluster, url, None))["GIT_SSH_COMMAND"]


@pytest.mark.parametrize(
    ("said", "what"),
    [
        (
            "git@h: Permission denied (publickey).\nfatal: Could not read from remote repository.",
            "refuses the key",
        ),
        ("fatal: Authentication failed for 'https://h/x'", "refuses the login"),
        (
            "fatal: could not read Username for 'https://h': terminal prompts disabled",
            "refuses the login",
        ),
        ("ssh: Could not resolve hostname h: Name or service not known", "cannot be reached"),
        (
            "fatal: unable to access 'https://h/': Failed to connect to h port 443",
            "cannot be reached",
        ),
        (
            'Load key "k": incorrect passphrase supplied to decrypt private key\ngit@h: Permission denied (publickey).',
            "has a passphrase",
        ),
        (
            'Load key "k": error in libcrypto\ngit@h: Permission denied (publickey).',
            "cannot read airflow_dags_key",
        ),
        (
            "remote: ====\nremote: ERROR: The project you were looking for could not be found or you don't have permission "
            "to view it.\nremote: \nfatal: Could not read from remote repository.",
            "may not be read with this key",
        ),
        (
            "kex_exchange_identification: read: Connection reset by peer\nfatal: Could not read from remote repository.\n\n"
            "Please make sure you have the correct access rights\nand the repository exists.",
            "git failed: kex_exchange_identification: read",
        ),
        ("Host key verification failed.", "another host key"),
        ("fatal: '/x' does not appear to be a git repository", "no such repository"),
        (
            "remote: Repository not found.\nfatal: repository 'https://h/x/' not found",
            "no such repository",
        ),
        ("fatal: something new with s3cret", r"git failed: fatal: something new with \*{8}$"),
        ("", "git failed: it gave no reason"),
    ],
)
def test_what_git_says_in_words(said: str, what: str) -> None:
    source = Source("https://h/x", url="https://h/x", ref="main", login=("kim", "s3cret"))
    found = explained(source, said)
    assert isinstance(found, ToolkitError)
    assert found.fix
    with pytest.raises(ToolkitError, match=what):
        raise ToolkitError(found.what)
