"""A picture of a plan: hosts with their components and memory, and the connections between them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from toolkit.cluster.tables import all_components
from toolkit.content import content_dir
from toolkit.verbs.plan import HostPlan, Plan

_COLUMNS = ("webserver", "scheduler", "worker")
"""Groups whose components decide which column a host is in; with servers alone it is in the last."""
_WIDTH, _GAP_X, _GAP_Y, _MARGIN, _TOP = 220, 150, 40, 30, 116
_HEAD, _ROW, _FOOT = 44, 22, 40


@dataclass(frozen=True)
class Box:
    """A host as it is drawn; measures in pixels."""

    name: str
    address: str
    rows: tuple[tuple[str, str], ...]  # component, ports
    x: int
    y: int
    height: int
    memory: str = ""
    share: float = 0.0  # of the memory, at most 1
    tight: bool = False
    outside: bool = False


@dataclass(frozen=True)
class Arrow:
    """A connection as it is drawn."""

    path: str
    label: str
    x: float
    y: float


def svg(plan: Plan) -> str:
    """The picture as the text of an SVG file; needs no other file, and no network."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    boxes = _boxes(plan)
    environment = Environment(
        loader=FileSystemLoader(content_dir() / "templates"),
        undefined=StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    return (
        environment.get_template("plan.svg.j2").render(
            plan=plan,
            boxes=boxes,
            arrows=_arrows(plan, {box.name: box for box in boxes}),
            box_width=_WIDTH,
            head=_HEAD,
            row=_ROW,
            width=max(box.x for box in boxes) + _WIDTH + _MARGIN,
            height=max(box.y + box.height for box in boxes) + _MARGIN,
        )
        + "\n"
    )


def _boxes(plan: Plan) -> list[Box]:
    columns: defaultdict[int, list[HostPlan]] = defaultdict(list)
    for host in plan.hosts:
        columns[_column(host)].append(host)
    outside = [(group, text) for group, text in plan.servers.items() if "elsewhere" in text]
    used = sorted({*columns, *([len(_COLUMNS)] if outside else [])})
    found = []
    for place, column in enumerate(used):
        x, y = _MARGIN + place * (_WIDTH + _GAP_X), _TOP
        for host in columns[column]:
            found.append(_box(host, x, y))
            y += found[-1].height + _GAP_Y
        for group, text in outside if column == len(_COLUMNS) else ():
            address = text.partition(" ")[0]
            rows = ((group, address.rpartition(":")[2]),)
            found.append(Box(f"{group}:", address, rows, x, y, _HEAD + _ROW + 12, outside=True))
            y += found[-1].height + _GAP_Y
    return found


def _column(host: HostPlan) -> int:
    groups = {one.group for one in all_components() if one.name in host.components}
    return next((n for n, group in enumerate(_COLUMNS) if group in groups), len(_COLUMNS))


def _box(host: HostPlan, x: int, y: int) -> Box:
    rows = tuple((name, " ".join(map(str, ports))) for name, ports in host.components.items())
    height = _HEAD + _ROW * len(rows) + _FOOT
    if host.memory is None or not host.memory_mb:
        return Box(host.name, host.address, rows, x, y, height, "not reached")
    needed = sum(host.memory.values())
    share = needed / host.memory_mb
    memory = f"{needed} of {host.memory_mb} MB"
    return Box(host.name, host.address, rows, x, y, height, memory, min(1.0, share), share > 0.8)


def _arrows(plan: Plan, boxes: Mapping[str, Box]) -> list[Arrow]:
    """One line for each pair of hosts, with the ports of all its connections."""
    ports: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
    for link in plan.links:
        ports[link.source, link.target].add(link.number)
    for host in plan.hosts:
        for box in (box for box in boxes.values() if box.outside and host.connections):
            ports[host.name, box.name].add(int(box.rows[0][1]))
    pairs = enumerate(sorted(ports.items()))
    return [_arrow(n, boxes[a], boxes[b], numbers) for n, ((a, b), numbers) in pairs]


def _arrow(number: int, source: Box, target: Box, ports: set[int]) -> Arrow:
    # Spread over the height, so that the lines of one box do not lie on each other.
    start_y = source.y + _HEAD + 6 + (number * 17) % max(20, source.height - _HEAD - 12)
    end_y = target.y + _HEAD + 6 + (number * 23) % max(20, target.height - _HEAD - 12)
    forward = source.x <= target.x
    start_x = source.x + (_WIDTH if forward else 0)
    end_x = target.x + (0 if forward and source.x != target.x else _WIDTH)
    label = " ".join(map(str, sorted(ports)))
    side = 1 if forward else -1
    start, end = f"M{start_x},{start_y}", f"{end_x},{end_y}"
    if abs(source.x - target.x) > _WIDTH + _GAP_X:
        # Over the columns between, not behind them.
        lane, near, far = _TOP - 10 - number % 3 * 8, start_x + side * _GAP_X // 2, end_x
        far -= side * _GAP_X // 2
        path = f"{start} C{near},{start_y} {start_x},{lane} {near + side * 40},{lane} L{far - side * 40},{lane}"
        return Arrow(f"{path} C{end_x},{lane} {far},{end_y} {end}", label, (near + far) / 2, lane)
    bend = _GAP_X * 0.6
    out = start_x + side * bend
    into = out if source.x == target.x else end_x - side * bend
    # Nearer to the source, where lines have not met yet.
    y = start_y + (end_y - start_y) * 0.15
    return Arrow(f"{start} C{out},{start_y} {into},{end_y} {end}", label, start_x + side * 38, y)
