"""A report's facts set on plain A4 pages: what is on them, and nothing about DICOM.

Every page says whose it is, that it is for research use, and which revision of how many pages.  The
text can be searched.  The same arguments give the same bytes: no clock, no random identifiers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture
from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    Image,
    KeepTogether,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
)

from sr_templates.pdf.text import printable

_LEFT, _TOP, _BOTTOM = 18 * mm, 32 * mm, 22 * mm
_WIDTH = A4[0] - 2 * _LEFT
_INK, _QUIET, _RULE, _WARNING = map(HexColor, ("#15191f", "#5a6472", "#c4cad2", "#a3321a"))
_PICTURE_PIXELS, _JPEG_QUALITY, _PICTURE_SHARE = 1600, 90, 0.44

_BODY = ParagraphStyle("body", fontName="Helvetica", fontSize=9.5, leading=13, textColor=_INK)
_SMALL = ParagraphStyle("small", _BODY, fontSize=8, leading=10.5, textColor=_QUIET)
_TITLE = ParagraphStyle("title", _BODY, fontName="Helvetica-Bold", fontSize=17, leading=22)
_HEAD = ParagraphStyle(
    "head",
    _BODY,
    fontName="Helvetica-Bold",
    fontSize=11.5,
    leading=15,
    spaceBefore=10,
    keepWithNext=True,
)
_LEAD = ParagraphStyle("lead", _BODY, fontName="Helvetica-Bold", fontSize=11, leading=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Nodule:
    """One judged nodule.

    cells   : for its row of the summary: probability, against the band, place, size
    facts   : sentences, the limits of its number first
    pictures: (rows, columns, 3) uint8 each
    """

    name: str
    cells: Sequence[str]
    facts: Sequence[str]
    pictures: Sequence[NDArray[np.uint8]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """What is set.

    whose    : stands at the head of every page
    warning  : stands there too, in red; empty where nothing is to be warned of
    revision : stands at the foot of every page
    refused  : (name, reason)
    """

    title: str
    whose: Sequence[str]
    warning: str
    research_use: str
    revision: str
    headline: str
    nodules: Sequence[Nodule]
    refused: Sequence[tuple[str, str]]
    remarks: Sequence[str]
    made_by: str


COLUMNS = ("Nodule", "Probability of malignancy", "Against the band", "Place", "Size")


def set_pages(pages: Pages) -> bytes:
    """The document as PDF."""
    pictures = [[_encoded(picture) for picture in nodule.pictures] for nodule in pages.nodules]
    total = _build(pages, pictures, BytesIO(), total=0)
    buffer = BytesIO()
    _build(pages, pictures, buffer, total=total)
    return buffer.getvalue()


_Pictures = Sequence[Sequence[bytes]]
"""JPEG, per nodule."""


def _build(pages: Pages, pictures: _Pictures, buffer: BytesIO, *, total: int) -> int:
    """Set everything once; returns the number of pages, which their foot must know beforehand."""

    def furnish(canvas: Canvas, document: BaseDocTemplate) -> None:
        _furnish(canvas, pages, document.page, total)

    document = BaseDocTemplate(
        buffer,
        pagesize=A4,
        title=pages.title,
        author=pages.made_by,
        invariant=1,
        pageCompression=1,
        initialFontName="Helvetica",
    )
    frame = Frame(_LEFT, _BOTTOM, _WIDTH, A4[1] - _TOP - _BOTTOM, 0, 0, 0, 0)
    document.addPageTemplates([PageTemplate(frames=[frame], onPage=furnish)])
    document.build(_story(pages, pictures))
    return int(document.page)


def _story(pages: Pages, pictures: _Pictures) -> list[Flowable]:
    story: list[Flowable] = [
        _paragraph(pages.title, _TITLE),
        Spacer(0, 4),
        _paragraph(pages.headline, _LEAD),
        Spacer(0, 4),
    ]
    if pages.nodules:
        story += [_summary(pages.nodules)]
    if pages.refused:
        story += [_paragraph("Not analysed", _HEAD)]
        story += [_paragraph(f"{name}: {reason}", _BODY) for name, reason in pages.refused]
    if pages.remarks:
        story += [_paragraph("Remarks", _HEAD)]
        story += [_paragraph(remark, _BODY) for remark in pages.remarks]
    story += [Spacer(0, 8), _paragraph(pages.made_by, _SMALL)]
    for nodule, of_nodule in zip(pages.nodules, pictures, strict=True):
        story += [_nodule(nodule, of_nodule)]
    return story


def _summary(nodules: Sequence[Nodule]) -> Table:
    rows = [[_paragraph(column, _SMALL) for column in COLUMNS]]
    rows += [
        [_paragraph(cell, _BODY) for cell in (nodule.name, *nodule.cells)] for nodule in nodules
    ]
    shares = (0.16, 0.17, 0.25, 0.22, 0.20)
    table = Table(rows, colWidths=[share * _WIDTH for share in shares], repeatRows=1)
    table.setStyle(
        [
            ("LINEBELOW", (0, 0), (-1, -1), 0.5, _RULE),
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LEFTPADDING", (0, 0), (0, -1), 0),
            ("TOPPADDING", (0, 0), (-1, -1), 3),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
        ]
    )
    return table


def _nodule(nodule: Nodule, pictures: Sequence[bytes]) -> Flowable:
    """All of one nodule on one page: no picture stands under the name of another."""
    first, *others = [_picture(each) for each in pictures] or [Spacer(0, 0)]
    facts = [_paragraph(fact, _BODY) for fact in nodule.facts]
    heading = [_paragraph(nodule.name, _HEAD), Spacer(0, 3)]
    further = [part for other in others for part in (Spacer(0, 6), other)]
    return KeepTogether([*heading, first, Spacer(0, 4), *facts, *further])


def _encoded(rgb: NDArray[np.uint8]) -> bytes:
    """For print; without loss it is in the capture."""
    picture = Picture.fromarray(rgb)
    if picture.width > _PICTURE_PIXELS:
        height = round(picture.height * _PICTURE_PIXELS / picture.width)
        picture = picture.resize((_PICTURE_PIXELS, height), Picture.Resampling.LANCZOS)
    buffer = BytesIO()
    picture.save(buffer, format="JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return buffer.getvalue()


def _picture(jpeg: bytes) -> Image:
    """Across the page, and not higher than that two find room on one."""
    with Picture.open(BytesIO(jpeg)) as picture:
        height = _WIDTH * picture.height / picture.width
    share = min(1.0, _PICTURE_SHARE * (A4[1] - _TOP - _BOTTOM) / height)
    return Image(BytesIO(jpeg), width=share * _WIDTH, height=share * height, hAlign="LEFT")


def _paragraph(text: str, style: ParagraphStyle) -> Paragraph:
    return Paragraph(escape(printable(text)), style)


def _furnish(canvas: Canvas, pages: Pages, number: int, total: int) -> None:
    """Head and foot of one page."""
    width, height = A4
    at = height - 12 * mm
    canvas.setFillColor(_INK)
    for line, font in zip(pages.whose, ("Helvetica-Bold", "Helvetica"), strict=False):
        canvas.setFont(font, 9)
        canvas.drawString(_LEFT, at, printable(line))
        at -= 4.4 * mm
    canvas.setFont("Helvetica", 8)
    canvas.setFillColor(_QUIET)
    canvas.drawString(_LEFT, at, printable(pages.research_use))
    if pages.warning:
        canvas.setFont("Helvetica-Bold", 9)
        canvas.setFillColor(_WARNING)
        canvas.drawRightString(width - _LEFT, at, printable(pages.warning))
    canvas.setStrokeColor(_RULE)
    canvas.line(_LEFT, at - 2 * mm, width - _LEFT, at - 2 * mm)
    canvas.line(_LEFT, _BOTTOM - 4 * mm, width - _LEFT, _BOTTOM - 4 * mm)
    canvas.setFont("Helvetica", 8)
    canvas.setFillColor(_QUIET)
    canvas.drawString(_LEFT, _BOTTOM - 8.5 * mm, printable(pages.revision))
    canvas.drawRightString(width - _LEFT, _BOTTOM - 8.5 * mm, f"page {number} of {total}")
