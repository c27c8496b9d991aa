"""What apt reads: both styles of its files."""

from __future__ import annotations

from toolkit.onhost.sources import deb822_sources, one_line_sources, release_file


def test_one_line_sources() -> None:
    text = (
        "# deb http://off.example.com/debian bookworm main\n"
        "deb [arch=amd64 signed-by=/k.gpg] http://a.example.com/debian bookworm main contrib # x\n"
        "deb-src http://a.example.com/debian bookworm main\n"
        "deb http://b.example.com/flat/ ./\n"
    )
    assert [release_file(*entry) for entry in one_line_sources(text)] == [
        "http://a.example.com/debian/dists/bookworm/InRelease",
        "http://b.example.com/flat/./InRelease",
    ]


def test_deb822_sources() -> None:
    text = (
        "# from the installer\nTypes: deb deb-src\nURIs: http://a.example.com/debian\n"
        "Suites: bookworm\n bookworm-updates\nComponents: main\n\n"
        "Types: deb\nEnabled: no\nURIs: http://off.example.com\nSuites: x\n\n"
        "Types: deb-src\nURIs: http://src.example.com\nSuites: x\n"
    )
    assert list(deb822_sources(text)) == [
        ("http://a.example.com/debian", "bookworm"),
        ("http://a.example.com/debian", "bookworm-updates"),
    ]
