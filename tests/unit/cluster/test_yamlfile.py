"""Files that are no YAML in UTF-8, or YAML that means harm: one error, with its line."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from toolkit.cluster import Cluster, vault
from toolkit.cluster.yamlfile import DEEPEST, is_vaulted, parse_mapping, parse_value, read_mapping
from toolkit.errors import ToolkitError

ALIASES = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 10)}]\n" for n in range(20)
)


@pytest.mark.parametrize(
    ("content", "line", "what", "fix"),
    [
        ("a: 1\nb: Größe\n".encode("latin-1"), ":2", "not text in UTF-8 (byte 0xf6)", "iconv -f ISO-8859-1"),
        ("a: 1\nb: “x”\n".encode("cp1252"), ":2", "not text in UTF-8 (byte 0x93)", "iconv"),
        ("a: 1\n".encode("utf-16"), "", "not text in UTF-8", "iconv -f UTF-16"),
        (b"\x7fELF\x02\x01\x00\xff", "", "binary data", "put the right file there"),
        (bytes(range(256)), "", "binary data", "put the right file there"),
    ],
)  # fmt: skip
def test_another_encoding(tmp_path: Path, content: bytes, line: str, what: str, fix: str) -> None:
    path = tmp_path / "x.yml"
    path.write_bytes(content)
    with pytest.raises(ToolkitError) as told:
        read_mapping(path)
    assert str(told.value.where) == f"{path}{line}"
    assert what in told.value.what
    assert fix in str(told.value.fix)


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    path = tmp_path / "x.yml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert list(read_mapping(path)) == ["a"]


@pytest.mark.parametrize(
    "text",
    ["a: " + "[" * 3000 + "]" * 3000, "a: " + "{b: " * 3000 + "}" * 3000, "- " * 1_000_000,
     "a: " + "[" * 500_000, "? " * 100_000, "a: &x [*x]", "a: &x {b: {c: *x}}",
     "a: &x " + "[" * 60 + "]" * 60 + "\nb: " + "[" * 60 + "*x" + "]" * 60],
    ids=lambda text: text[:12],
)  # fmt: skip
def test_nested_without_end(text: str) -> None:
    with pytest.raises(ToolkitError, match=f"more than {DEEPEST} levels"):
        parse_mapping(text, Path("x.yml"))


def test_aliases_of_aliases_are_counted_not_written_out() -> None:
    begun = time.process_time()
    with pytest.raises(ToolkitError, match="its aliases stand for more than"):
        parse_mapping(ALIASES, Path("x.yml"))
    assert time.process_time() - begun < 5  # and no memory is full


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: {b: 1, b: 2}", 1),
        ("a:\n  b: 1\n  c: 2\n  b: 3\n", 4),
        ("a:\n- b: 1\n  'b': 2\n", 3),
        ("all:\n  hosts:\n    h1: {x: 1}\n    h2:\n    h1: {x: 2}\n", 5),
        ("a: {b: {c: {d: 1,\n  d: 2}}}\n", 2),
    ],
)
def test_a_key_twice_below_the_top(text: str, line: int) -> None:
    with pytest.raises(ToolkitError, match="is set twice in one file") as told:
        parse_mapping(text, Path("x.yml"))
    assert str(told.value.where) == f"x.yml:{line}"


def test_merged_mappings_may_have_one_key_twice() -> None:
    found = parse_mapping("a: &a {b: 1}\nc: {<<: *a, b: 2}\nd: {<<: *a, x: 1}\n", Path("x.yml"))
    assert found["c"][0] == {"b": 2}
    assert found["d"][0] == {"b": 1, "x": 1}


@pytest.mark.parametrize(
    "value", ["2024-13-01", "!!int ''", "!!int x", "!!timestamp x", "!!bool x", "!!float x", "0x" + "f" * 6000,
              "9" * 5000, "2024-02-30T10:00:00"],
    ids=lambda value: value[:20],
)  # fmt: skip
def test_a_value_that_is_not_what_it_looks_like(value: str) -> None:
    with pytest.raises(ToolkitError, match="as the number or date that it looks like") as told:
        parse_mapping(f"x: 1\na: {value}\n", Path("x.yml"))
    assert str(told.value.where) == "x.yml:2"
    with pytest.raises(ToolkitError):
        parse_value(value, "--set a")


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yml")
    (tmp_path / "folder.yml").mkdir()
    for name in ("pipe.yml", "folder.yml"):
        for read in (read_mapping, is_vaulted):
            with pytest.raises(ToolkitError, match="no file"):
                read(tmp_path / name)


GOOD = "scheduler: {hosts: {h1: {ansible_host: 127.0.0.1}}}\n"


@pytest.mark.parametrize("password", [b"", b"\n", b" \n\n", "a directory", "nothing"])
def test_a_password_file_that_has_no_password(tmp_path: Path, password: Any) -> None:
    (tmp_path / "hosts.yml").write_text(GOOD)
    vault = tmp_path / "group_vars/all/vault.yml"
    vault.parent.mkdir(parents=True)
    vault.write_text("$ANSIBLE_VAULT;1.1;AES256\n3030\n")
    if isinstance(password, bytes):
        (tmp_path / ".vault-password").write_bytes(password)
    elif password == "a directory":
        (tmp_path / ".vault-password").mkdir()
    with pytest.raises(ToolkitError) as told:
        _ = Cluster.load(tmp_path).variables
    assert str(tmp_path) in str(told.value)


@pytest.mark.parametrize("content", [b"$ANSIBLE_VAULT;\xff\xfe", b"$ANSIBLE_VAULT;1.1;AES256\n\xff\xff\n",
                                     b"$ANSIBLE_VAULT;1.1;AES256\nzz\n", b"$ANSIBLE_VAULT;1.1;AES256"])  # fmt: skip
def test_a_vault_that_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "hosts.yml").write_text(GOOD)
    (tmp_path / ".vault-password").write_bytes(b"\xff\x00binary")
    path = tmp_path / "group_vars/all/vault.yml"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(ToolkitError) as told:
        _ = Cluster.load(tmp_path).variables
    assert str(path) in str(told.value.where)


def test_a_vault_that_is_a_directory(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text(GOOD)
    (tmp_path / "group_vars/all/vault.yml").mkdir(parents=True)
    with pytest.raises(ToolkitError, match="no file"):
        vault.stored(Cluster.load(tmp_path))
