"""Where the names of ground points stand on a map so that they do not hide each other."""

from collections.abc import Sequence

from hil.mesh_report.geography import Floats

#: Left, right, bottom, top in deg.
Box = tuple[float, float, float, float]

#: Where a name may stand beside its point, in points; and the size of its letters in deg of the map.
_BESIDE = (("left", 6.0, 0.0), ("right", -6.0, 0.0), ("center", 0.0, 8.0), ("center", 0.0, -8.0))
_LETTER_DEG, _LINE_DEG, _POINT_DEG = 1.55, 3.4, 0.49


def beside(names: Sequence[str], place: Floats) -> list[tuple[str, float, float]]:
    """How each name is aligned, and how far in points right and up of its place (n, 2 in deg) it stands.

    Each takes the first spot that keeps clear of all points and of the names before it, or the first on the map.
    """
    taken: list[Box] = [(x - 1.0, x + 1.0, y - 1.0, y + 1.0) for x, y in place]
    chosen = []
    for name, (x, y) in zip(names, place, strict=True):
        boxes = []
        for side, right, up in _BESIDE:
            width, from_x = _LETTER_DEG * len(name), x + _POINT_DEG * right
            left = from_x - width * {"left": 0.0, "center": 0.5, "right": 1.0}[side]
            middle = y + _POINT_DEG * up
            boxes.append((left, left + width, middle - 0.5 * _LINE_DEG, middle + 0.5 * _LINE_DEG))
        inside = [i for i, box in enumerate(boxes) if _inside(box)]
        free = [i for i in inside if not any(_overlap(boxes[i], other) for other in taken)]
        best = (free or inside)[0]
        taken.append(boxes[best])
        chosen.append(_BESIDE[best])
    return chosen


def _inside(box: Box) -> bool:
    return box[0] > -180.0 and box[1] < 180.0


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[1] and other[0] < one[1] and one[2] < other[3] and other[2] < one[3]
