"""What is on the page, and what a click does."""

from functools import partial
from pathlib import Path

import gradio
import numpy as np

from vqspeech.codec import Codec
from vqspeech.demo.picture import draw
from vqspeech.demo.rendition import LONGEST_SECONDS, render
from vqspeech.errors import VqspeechError
from vqspeech.report import markup

KEPT_SECONDS = 3600
"""How long a recording and what was made of it lie in the temporary folder."""
STYLE = ".scroll { overflow-x: auto; } .wide svg { height: 30rem; width: auto; max-width: none; }"
INTRODUCTION = """# vqspeech

Say something, or upload a recording of up to {seconds:.0f} s, and choose a voice. The model turns the recording into
units, {rate:g} a second, each one of {codes} codes, and speaks these. A converted voice is synthetic: say so wherever
you play it, and convert to no one who did not agree."""
COPY = "The speaker's own where the model knows it, else the nearest there is: the model cannot tell which that is."

Clip = tuple[int, np.ndarray]
"""Sample rate and 16-bit samples, which Gradio leaves as loud as they are."""
Answer = tuple[str, Clip | None, Clip | None, Clip | None, str]
"""A sentence that says what is wrong, or source, copy, conversion and their picture."""


def make_page(codec: Codec) -> gradio.Blocks:
    """The page of a model with discrete units."""
    voices = list(codec.speakers)
    rate = codec.sample_rate / codec.hop
    with gradio.Blocks(title="vqspeech", analytics_enabled=False, delete_cache=(60, KEPT_SECONDS)) as page:
        gradio.Markdown(INTRODUCTION.format(seconds=LONGEST_SECONDS, rate=rate, codes=codec.codes))
        with gradio.Row():
            # Its other button would hand the audio to a site elsewhere.
            recording = gradio.Audio(label="Recording", sources=["upload", "microphone"], type="filepath", buttons=[])
            with gradio.Column():
                voice = gradio.Dropdown(voices, value=voices[-1], label="Voice of the conversion")
                copy_voice = gradio.Dropdown(voices, value=voices[0], label="Voice of the copy", info=COPY)
                button = gradio.Button("Convert", variant="primary")
        sentence = gradio.HTML()
        with gradio.Row():
            clips = [
                gradio.Audio(label=name, interactive=False, buttons=["download"])
                for name in ("Source", "Copy", "Conversion")
            ]
        picture = gradio.HTML()
        button.click(
            partial(_answer, codec),
            [recording, copy_voice, voice],
            [sentence, *clips, picture],
            api_visibility="private",
        )
    return page


def _answer(codec: Codec, recording: str | None, copy_voice: str, voice: str) -> Answer:
    if recording is None:
        return _refusal("Record or upload speech first.")
    try:
        made = render(codec, Path(recording), copy_voice, voice)
    except VqspeechError as error:
        # The folder is Gradio's choice.
        return _refusal(f"{error}.".replace(recording, Path(recording).name))
    shown = {
        "source": made.source,
        f"copy in the voice of {copy_voice}": made.copy,
        f"conversion to the voice of {voice}": made.conversion,
    }
    source, copy, conversion = ((codec.sample_rate, _to_int16(waveform)) for waveform in shown.values())
    return "", source, copy, conversion, draw(shown, made.units, codec.hop, codec.sample_rate)


def _refusal(sentence: str) -> Answer:
    return f'<p role="alert">{markup.escape(sentence)}</p>', None, None, None, ""


def _to_int16(waveform: np.ndarray) -> np.ndarray:
    return np.clip(np.round(waveform * 2**15), -(2**15), 2**15 - 1).astype(np.int16)
