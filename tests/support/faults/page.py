"""The table of docs/reliability.md: rows of earlier results stay, those of this one are replaced."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from support.faults.named import FAULTS
from support.faults.rounds import Result

BEGIN, END = "<!-- script/faults --write: begin -->", "<!-- end -->"
HEADINGS = ("fault", "what happens", "Airflow", "run", "tries lost / done twice", "longest pause",
            "cut off, runs again after", "`status` exits with", "`health` names", "by itself", "besides")  # fmt: skip


def written(text: str, results: Iterable[Result]) -> str:
    """The page with these results."""
    before, rest = text.split(BEGIN)
    table, after = rest.split(END)
    rows = {_key(row): row for row in table.splitlines() if row.startswith("| ")}
    rows = {key: row for key, row in rows.items() if key[0] in FAULTS}
    rows |= {(one.fault, one.version): _row(one) for one in results}
    order = sorted(rows, key=lambda key: (key[1], list(FAULTS).index(key[0])))
    lines = [_cells(HEADINGS), "|" + "---|" * len(HEADINGS), *[rows[key] for key in order]]
    return before + BEGIN + "\n" + "\n".join(lines) + "\n" + END + after


def write(path: Path, results: Iterable[Result]) -> None:
    """Put results into the page."""
    path.write_text(written(path.read_text(encoding="utf-8"), results), encoding="utf-8")


def _key(row: str) -> tuple[str, str]:
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    return cells[0], cells[2]


def _row(one: Result) -> str:
    idle = FAULTS[one.fault].idle
    ended = one.state == "success" and one.right
    return _cells((
        one.fault,
        FAULTS[one.fault].what,
        one.version,
        f"green after {one.seconds:.0f} s" if idle else f"{one.seconds:.0f} s" if ended else one.state or "no end",
        "-" if idle else f"{one.lost} / {one.twice}",
        "-" if idle else f"{one.pause:.0f} s",
        "-" if one.again is None else f"{one.again:.0f} s",
        ", ".join(map(str, one.status)),
        "; ".join(codes or "nothing" for codes in one.health),
        "no" if one.hand else "yes",
        "; ".join(one.notes + ([] if idle or one.right else ["the sum or a line is wrong"])),
    ))  # fmt: skip


def _cells(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"
