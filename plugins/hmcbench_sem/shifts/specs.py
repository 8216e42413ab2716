"""The specs of the shifts of images; docs/shifts.md says what each severity means."""

from __future__ import annotations

from hmcbench import Param, ShiftSpec

_PIXELS = "pixels of 128"
SAMPLES = 128
"""Test pictures that see a shift: eleven shifts of five severities are then 7,040 predictions, about a fifth
of the cost of seven epochs of 1,600 pictures. Every shift draws its own: a mean rests on up to 1,408."""


def image_shifts() -> list[ShiftSpec]:
    """Of detector, beam, scan, stage and file."""
    return [
        _shift("shot-noise", "beam:shot_noise", "a shorter dwell time", (1, 2, 3, 6, 12), "% of white"),
        _shift("defocus", "beam:defocus", "out of focus", (0.15, 0.25, 0.4, 0.8, 1.6), _PIXELS),
        _shift(
            "astigmatism", "beam:astigmatism", "a blur in one direction", (0.2, 0.4, 0.8, 1.6, 3.2), _PIXELS
        ),
        _shift(
            "charging",
            "beam:charging",
            "streaks of charge along scan lines",
            (5, 10, 20, 35, 60),
            "% of white",
        ),
        _shift(
            "contrast",
            "beam:contrast",
            "contrast lost, and another brightness",
            (5, 15, 25, 40, 60),
            "%",
            100,
        ),
        _shift("scan-jitter", "scan:jitter", "displaced scan lines", (0.2, 0.4, 0.8, 1.5, 3), _PIXELS),
        _shift("drift", "scan:drift", "the specimen moves during the scan", (1, 2, 4, 8, 16), _PIXELS),
        _shift(
            "magnification",
            "scan:magnification",
            "a higher magnification",
            (5, 10, 20, 40, 80),
            "% higher",
            params={
                "pixel_size": Param(
                    "unknown", "known: rescaled to the training pictures", choices=("unknown", "known")
                )
            },
        ),
        _shift("tilt", "scan:tilt", "foreshortened by a tilted stage", (5, 10, 20, 30, 45), "degrees", 80),
        _shift("jpeg", "files:jpeg", "compressed as JPEG", (20, 40, 60, 75, 90), "100 - quality", 99),
        _shift(
            "data-bar",
            "files:data_bar",
            "a data bar over the lowest rows",
            (4, 6, 8, 10, 15),
            "% of the height",
            100,
        ),
    ]


def _shift(
    name: str,
    factory: str,
    summary: str,
    severities: tuple[float, ...],
    unit: str,
    high: float | None = None,
    params: dict[str, Param] | None = None,
) -> ShiftSpec:
    return ShiftSpec(
        name=name,
        version="1",
        summary=f"image: {summary}",
        factory=f"hmcbench_sem.shifts.{factory}",
        params=params or {},
        views=("image",),
        severities=tuple(map(float, severities)),
        unit=unit,
        high=high,
        samples=SAMPLES,
        requires=("PIL",),
    )
