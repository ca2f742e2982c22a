"""Source, copy and conversion as spectrograms above the units that they share."""

from collections.abc import Mapping

import numpy as np
from matplotlib import rc_context

from vqspeech.evaluation.figures import draw_spectrogram, draw_units
from vqspeech.report import markup
from vqspeech.report.picture import STYLE, new_figure, to_svg

INCHES_PER_SECOND = 10.0
NARROWEST_INCHES = 9.0
NUMBER_INCHES = 0.075
"""What the number of a code is wide."""


def draw(waveforms: Mapping[str, np.ndarray], units: np.ndarray, hop: int, sample_rate: int) -> str:
    """Waveforms `[T]` by their titles and the units `[N]` that all of them are spoken from, as HTML."""
    length = len(next(iter(waveforms.values()))) / sample_rate
    width = max(NARROWEST_INCHES, INCHES_PER_SECOND * length)
    caption = (
        f"Spectrograms of {', '.join(waveforms)}, and their {len(units)} units, {sample_rate / hop:g} a second. "
        "A stretch of one colour is a run of one code, which bears its number where there is room; colours have no "
        "further meaning."
    )
    with rc_context(STYLE):
        figure = new_figure(width, 6)
        *rows, strip = figure.subplots(len(waveforms) + 1, sharex=True, height_ratios=(*[4] * len(waveforms), 1))
        for axes, (title, waveform) in zip(rows, waveforms.items(), strict=True):
            draw_spectrogram(axes, waveform, sample_rate)
            axes.set(xlabel="", ylabel="Hz")
            axes.set_title(title, loc="left", fontsize="medium", parse_math=False)
        seconds = hop / sample_rate
        draw_units(strip, units, seconds, numbered=int(np.ceil(NUMBER_INCHES * length / width / seconds)))
        strip.set_xlim(0, length)
        return markup.figure(to_svg(figure, "rendition", caption), caption, wide=True)
