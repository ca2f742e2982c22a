"""Reading and writing audio, and the normalisation of level and edges."""

import io

import numpy as np
import pytest
import soundfile

from tests.full_disk import full_disk
from tests.little_memory import little_memory
from vqspeech import audio
from vqspeech.audio import AudioError, Pipe

RATE = 16000


def tone(seconds: float, rate: int = RATE, hertz: float = 440.0, amplitude: float = 0.3) -> np.ndarray:
    return (amplitude * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


@pytest.mark.parametrize("rate", [8000, 11025, 44100, 48000])
@pytest.mark.parametrize("channels", [1, 2, 5])
def test_any_rate_and_number_of_channels_is_read_as_mono_at_the_rate_asked_for(tmp_path, rate, channels):
    soundfile.write(tmp_path / "a.wav", np.tile(tone(1.0, rate)[:, None], channels), rate)
    waveform = audio.read(tmp_path / "a.wav", RATE)
    assert waveform.dtype == np.float32 and waveform.shape == (RATE,)
    inside = slice(RATE // 10, -RATE // 10)
    np.testing.assert_allclose(waveform[inside], tone(1.0)[inside], atol=2e-3)


def test_channels_are_averaged(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.stack([tone(0.2), -tone(0.2)], axis=1), RATE)
    assert np.abs(audio.read(tmp_path / "a.wav", RATE)).max() < 1e-4


@pytest.mark.parametrize("ending", [".wav", ".flac", ".ogg", ".opus"])
def test_what_is_written_is_read_again(tmp_path, ending):
    path = tmp_path / "new folder" / f"a{ending}"
    audio.write(path, tone(1.5), RATE)
    waveform = audio.read(path, RATE)
    tolerance = {".wav": 1e-4, ".flac": 1e-4, ".ogg": 0.1, ".opus": 0.1}[ending]
    assert len(waveform) == len(tone(1.5))
    assert np.sqrt(np.mean((waveform - tone(1.5)) ** 2)) < tolerance
    assert audio.duration(path) == pytest.approx(1.5)
    assert audio.is_whole(path)


def test_loud_samples_are_clipped_not_wrapped(tmp_path):
    audio.write(tmp_path / "a.wav", np.array([2.0, -2.0, 1.0, -1.0]), RATE)
    np.testing.assert_allclose(audio.read(tmp_path / "a.wav", RATE), [1, -1, 1, -1], atol=1e-4)


def test_a_comment_is_kept_in_flac(tmp_path):
    audio.write(tmp_path / "a.flac", tone(0.1), RATE, comment="made of tones")
    assert audio.comment(tmp_path / "a.flac") == "made of tones"


@pytest.mark.parametrize(
    ("name", "waveform", "rate", "reason"),
    [
        ("a.mp4", tone(0.1), RATE, "names no format"),
        ("a", tone(0.1), RATE, "names no format"),
        ("a.wav", np.array([0.0, np.nan]), RATE, "NaN"),
        ("a.opus", tone(0.1), 22050, "cannot be written at 22050 Hz"),
    ],
)
def test_what_cannot_be_written_leaves_no_file(tmp_path, name, waveform, rate, reason):
    with pytest.raises(AudioError, match=reason) as caught:
        audio.write(tmp_path / name, waveform, rate)
    assert name in str(caught.value) and "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_costs_nothing_that_was_there(tmp_path):
    path = tmp_path / "a.wav"
    audio.write(path, tone(0.1), RATE)
    before = path.read_bytes()
    with pytest.raises(OSError, match=r"a\.wav"), full_disk(10_000):
        audio.write(path, tone(5.0), RATE)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def encoded(ending: str, waveform: np.ndarray | None = None, **options: str) -> bytes:
    compressed = {"ogg": ("OGG", "VORBIS"), "opus": ("OGG", "OPUS")}
    container, subtype = compressed.get(ending, (ending.upper(), "PCM_16"))
    buffer = io.BytesIO()
    samples = tone(8.0) if waveform is None else waveform
    soundfile.write(buffer, samples, RATE, format=container, subtype=options.get("subtype", subtype))
    return buffer.getvalue()


@pytest.mark.parametrize("ending", ["wav", "aiff", "flac", "ogg", "opus", "w64", "rf64", "au"])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.98])
def test_a_truncated_file_is_refused(tmp_path, ending, share):
    whole = encoded(ending)
    path = tmp_path / f"a.{ending}"
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(AudioError, match=r"truncated|malformed") as caught:
        audio.read(path, RATE)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "no such file"),
        (b"", "empty file"),
        (b"this is no audio at all, but it is long enough to be taken for some", "cannot be read as audio"),
        (encoded("wav", np.zeros(0)), "holds no samples"),
        (encoded("wav", np.array([0.0, np.nan, 0.0]), subtype="FLOAT"), "NaN or infinite"),
        (encoded("wav", np.array([0.0, np.inf, 0.0]), subtype="FLOAT"), "NaN or infinite"),
        (encoded("wav", np.full((9, 2), 3e38), subtype="FLOAT"), "NaN or infinite"),
    ],
)
def test_bad_files_give_one_line_that_names_them(tmp_path, content, reason):
    path = tmp_path / "a.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(AudioError, match=reason) as caught:
        audio.read(path, RATE)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [np.nan, 3.4e38])
def test_what_resampling_makes_infinite_is_refused(tmp_path, value):
    samples = np.sign(np.sin(np.arange(2000))) * value
    (tmp_path / "a.wav").write_bytes(encoded("wav", samples, subtype="FLOAT"))
    with pytest.raises(AudioError, match="NaN or infinite"):
        audio.read(tmp_path / "a.wav", RATE // 2)


def test_a_folder_is_no_audio_file(tmp_path):
    with pytest.raises(AudioError, match="no such file"):
        audio.read(tmp_path, RATE)


@pytest.mark.parametrize("ending", ["w64", "rf64", "au"])
def test_a_whole_file_of_the_rarer_formats_is_read(tmp_path, ending):
    (tmp_path / "a").write_bytes(encoded(ending, tone(8.0)[:-1]))
    assert len(audio.read(tmp_path / "a", RATE)) == 8 * RATE - 1


def test_a_streamed_wav_with_an_unknown_length_is_whole(tmp_path):
    whole = encoded("wav")
    at = whole.index(b"data") + 4
    (tmp_path / "a.wav").write_bytes(whole[:at] + b"\xff\xff\xff\xff" + whole[at + 4 :])
    assert len(audio.read(tmp_path / "a.wav", RATE)) == 8 * RATE


def test_a_pipe_is_read_from_what_its_command_prints(tmp_path):
    (tmp_path / "a.wav").write_bytes(encoded("wav"))
    np.testing.assert_array_equal(audio.read(Pipe(f"cat {tmp_path}/a.wav"), RATE), audio.read(tmp_path / "a.wav", RATE))


@pytest.mark.parametrize(
    ("command", "reason"),
    [("echo gone wrong >&2; exit 3", "ended with 3: gone wrong"), ("echo words", "printed no audio")],
)
def test_a_pipe_that_fails_says_why(command, reason):
    with pytest.raises(AudioError, match=reason):
        audio.read(Pipe(command), RATE)


@pytest.mark.parametrize("amplitude", [0.001, 0.02, 0.9])
@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_speech_is_brought_to_one_level_whatever_its_pauses(amplitude, rate):
    speech = tone(1.0, rate, amplitude=amplitude)
    waveform = np.concatenate([speech, np.zeros(2 * rate, np.float32), speech])
    levelled = speech * audio.level_gain(waveform, rate)
    assert 20 * np.log10(np.sqrt(np.mean(levelled**2))) == pytest.approx(-23.0, abs=0.01)


def test_a_lone_peak_keeps_the_level_below_clipping():
    waveform = tone(1.0, amplitude=0.001)
    waveform[5000] = 0.5
    assert np.abs(waveform * audio.level_gain(waveform, RATE)).max() == pytest.approx(0.95)


def test_a_knock_is_no_speech():
    speech = tone(1.0, amplitude=0.01)
    knocked = speech.copy()
    knocked[5000:5040] = 0.9
    plain, level = (audio.measure_level([waveform], RATE) for waveform in (speech, knocked))
    assert level.speech == pytest.approx(plain.speech, rel=1e-3)
    assert level.peak == pytest.approx(0.9)
    # Five times as loud is loud speech.
    knocked[5000:5040] = 0.05
    assert audio.measure_level([knocked], RATE).speech > 1.01 * plain.speech


@pytest.mark.parametrize("samples", [0, 1, 100, RATE])
def test_digital_silence_is_left_as_it_is(samples):
    silence = np.zeros(samples, np.float32)
    assert audio.level_gain(silence, RATE) == 1.0
    assert audio.speech_span(silence, RATE) == (0, samples)


def test_noise_of_less_than_any_converter_is_silence():
    hardly = np.full(RATE, 1e-44, np.float32)
    assert np.isfinite(hardly * audio.level_gain(hardly, RATE)).all()


def in_silence(noise: float = 1e-4, before: float = 1.0, after: float = 0.7) -> np.ndarray:
    """A second of tone between silences of weak noise."""
    waveform = np.random.default_rng(0).normal(0, noise, round((before + 1.0 + after) * RATE))
    waveform[round(before * RATE) : round((before + 1.0) * RATE)] += tone(1.0, hertz=1000)
    return waveform.astype(np.float32)


def check_span(waveform: np.ndarray, start: float = 0.95, end: float = 2.05) -> None:
    found = np.array(audio.speech_span(waveform, RATE)) / RATE
    np.testing.assert_allclose(found, [start, end], atol=0.021)


def test_silence_at_the_edges_is_trimmed_to_a_margin():
    check_span(in_silence())


def test_a_click_or_hum_in_the_silence_does_not_count_as_speech():
    waveform = in_silence() + tone(2.7, hertz=50, amplitude=0.05)
    waveform[RATE // 3] = 0.5
    check_span(waveform)


def test_nothing_is_trimmed_where_speech_reaches_the_edges():
    assert audio.speech_span(tone(1.0), RATE) == (0, RATE)
    assert audio.speech_span(tone(0.03), RATE) == (0, 480)


@pytest.mark.parametrize(("rate", "channels"), [(2**32 - 1, 1), (999, 1), (RATE, 1000), (2**31 - 1, 1024)])
def test_a_header_that_promises_what_no_recording_has_is_refused(tmp_path, rate, channels):
    content = bytearray(encoded("wav"))
    content[22:24] = channels.to_bytes(2, "little")
    content[24:28] = rate.to_bytes(4, "little")
    content[28:32] = min(rate * channels * 2, 2**32 - 1).to_bytes(4, "little")
    content[32:34] = (channels * 2).to_bytes(2, "little")
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    with little_memory(), pytest.raises(AudioError, match=r"are no recording|cannot be read") as caught:
        audio.read(path, RATE)
    assert str(path) in str(caught.value)


def test_a_flac_that_promises_weeks_takes_no_memory(tmp_path):
    content = bytearray(encoded("flac"))
    # The last 36 bits before the MD5 sum, in the STREAMINFO block (RFC 9639, section 8.2).
    content[21] |= 0x0F
    content[22:26] = b"\xff" * 4
    path = tmp_path / "a.flac"
    path.write_bytes(content)
    assert audio.duration(path) > 10**6
    with little_memory(), pytest.raises(AudioError, match=r"truncated|malformed"):
        audio.read(path, RATE)


def test_silence_that_unfolds_to_more_than_twelve_hours_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(audio, "LONGEST_SECONDS", 3600)
    path = tmp_path / "a.flac"
    audio.write(path, (np.zeros(600 * 8000) for _ in range(7)), 8000)
    assert path.stat().st_size < 200_000
    with little_memory(2**29), pytest.raises(AudioError, match="longer than 1 hours: cut it first"):
        audio.read(path, RATE)
