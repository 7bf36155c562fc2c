"""Rows of small images with a number below each, as one picture. Needs pillow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

CELL, GAP, TEXT, LEFT, TOP = 64, 10, 18, 140, 46
"""Pixels: the side of an image, between two, a line of numbers, left of the rows, above them."""

INK, SOFT, FRAME = 20, 100, 200
"""Grey of words, of numbers, of frames; 255 is white."""


@dataclass(frozen=True, eq=False)
class Row:
    """Images `(k, m, n)` between 0 (white) and 1 (black), with errors `(k,)` as shares, or none; a name and words below it."""

    name: str
    words: str
    images: np.ndarray
    errors: np.ndarray


def picture(title: str, rows: Sequence[Row], below: str) -> Image.Image:
    """The rows under a title, dark on light."""
    heights = [CELL + GAP + (TEXT if row.errors.size else 0) for row in rows]
    width = LEFT + max(len(row.images) for row in rows) * (CELL + GAP)
    canvas = Image.new("L", (width, TOP + sum(heights) + 2 * TEXT), 255)
    pen = ImageDraw.Draw(canvas)
    large, small = ImageFont.load_default(size=17), ImageFont.load_default(size=13)
    pen.text((GAP, GAP), title, INK, large)
    y = TOP
    for row, height in zip(rows, heights, strict=True):
        pen.text((GAP, y + CELL // 2 - TEXT), row.name, INK, large)
        pen.text((GAP, y + CELL // 2 + 4), row.words, SOFT, small)
        for column, image in enumerate(row.images):
            x = LEFT + column * (CELL + GAP)
            canvas.paste(tile(image), (x, y))
            pen.rectangle((x, y, x + CELL - 1, y + CELL - 1), outline=FRAME)
            if row.errors.size:
                pen.text((x + CELL // 2, y + CELL + 2), f"{100 * row.errors[column]:.0f}%", SOFT, small, anchor="ma")
        y += height
    pen.text((GAP, y + 2), below, SOFT, small)
    return canvas


def tile(image: np.ndarray) -> Image.Image:
    """One image, its pixels as squares."""
    pixels = np.uint8(np.round(255 * (1 - np.clip(image, 0, 1))))
    return Image.fromarray(pixels).resize((CELL, CELL), Image.Resampling.NEAREST)
