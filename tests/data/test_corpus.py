"""Every corpus layout, told apart by what is in the folder."""

from pathlib import Path

import pytest

from vqspeech.audio import Pipe
from vqspeech.data.corpus import read_corpus
from vqspeech.errors import UsageError, VqspeechError

SPEAKER_INFO = """ID  AGE  GENDER  ACCENTS  REGION COMMENTS
p225  23  F    English    Southern  England
p280  25  F    French
p315  18  M    American   New  England (no text)
p362  29  F    American
s5    24  M    British
"""


def touch(folder: Path, *names: str) -> None:
    for name in names:
        write(folder / name, "")


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def ids(corpus) -> list[str]:
    return sorted(utterance.id for utterance in corpus.utterances)


@pytest.fixture
def vctk(tmp_path: Path) -> Path:
    """VCTK 0.92 with its known gaps."""
    folder = tmp_path / "VCTK"
    write(folder / "speaker-info.txt", SPEAKER_INFO)
    for name in ("p225/p225_001", "p280/p280_001", "p362/p362_001", "p362/p362_002", "s5/s5_001"):
        write(folder / "txt" / f"{name}.txt", "Please call\tStella. \n")
    for name in ("p225/p225_001", "p315/p315_001", "p362/p362_001", "s5/s5_001"):
        touch(folder / "wav48_silence_trimmed", f"{name}_mic1.flac", f"{name}_mic2.flac")
    touch(folder / "wav48_silence_trimmed", "p280/p280_001_mic1.flac", "log.txt", "p225/._p225_001_mic1.flac")
    return folder


def test_vctk_092(vctk):
    corpus = read_corpus(vctk)
    assert corpus.kind == "VCTK 0.92"
    assert ids(corpus) == ["p225_001", "p280_001", "p362_001", "s5_001"]
    assert [utterance.speaker for utterance in corpus.utterances] == ["p225", "p280", "p362", "s5"]
    assert [utterance.gender for utterance in corpus.utterances] == ["f", "f", "f", "m"]
    assert all(utterance.text == "Please call Stella." for utterance in corpus.utterances)
    assert all(utterance.audio.name == f"{utterance.id}_mic1.flac" for utterance in corpus.utterances)
    assert all(utterance.audio.is_file() for utterance in corpus.utterances)
    assert corpus.left_out.keys() == {"p315_001", "p362_002"} and not corpus.notes
    assert corpus.unseen["test_unseen"] == ("p232", "p257")


def test_vctk_092_the_other_microphone_stands_in_where_one_is_missing(vctk):
    corpus = read_corpus(vctk, mic="mic2")
    files = {utterance.speaker: utterance.audio.name for utterance in corpus.utterances}
    assert files["p225"] == "p225_001_mic2.flac" and files["p280"] == "p280_001_mic1.flac"
    assert corpus.notes == ["1 utterances of p280 lack mic2; the other microphone is taken"]


def test_vctk_has_two_microphones(vctk):
    with pytest.raises(UsageError, match="mic3"):
        read_corpus(vctk, mic="mic3")


def test_vctk_080_whose_speaker_info_lacks_the_p(vctk):
    (vctk / "wav48_silence_trimmed").rename(vctk / "old")
    touch(vctk / "wav48", "p225/p225_001.wav", "s5/s5_001.wav")
    write(vctk / "speaker-info.txt", "ID  AGE  GENDER  ACCENTS  REGION  \n225  23  F    English    Southern  England\n")
    corpus = read_corpus(vctk, mic="mic2")
    assert corpus.kind == "VCTK 0.80" and ids(corpus) == ["p225_001", "s5_001"]
    assert [utterance.gender for utterance in corpus.utterances] == ["f", None]
    assert not corpus.notes


def test_vctk_text_that_is_missing_for_another_reason_than_p315s_is_not_passed_over(vctk):
    (vctk / "txt" / "s5" / "s5_001.txt").unlink()
    assert {u.id: u.text for u in read_corpus(vctk).utterances}["s5_001"] is None


@pytest.fixture
def librispeech(tmp_path: Path) -> Path:
    folder = tmp_path / "LibriSpeech"
    write(
        folder / "SPEAKERS.TXT",
        ";ID  |SEX| SUBSET |MINUTES| NAME\n14   | F | dev-clean  | 25.03 | Kristin\n19   | M | dev-clean | 25 | J\n",
    )
    write(folder / "dev-clean/14/208/14-208.trans.txt", "14-208-0000 CHAPTER ELEVEN\n14-208-0001 I WENT  UP\n")
    touch(folder / "dev-clean/14/208", "14-208-0000.flac", "14-208-0001.flac")
    write(folder / "test-clean/19/198/19-198.trans.txt", "19-198-0000 NORTHANGER ABBEY\n")
    touch(folder / "test-clean/19/198", "19-198-0000.flac")
    return folder


def test_librispeech(librispeech):
    corpus = read_corpus(librispeech)
    assert corpus.kind == "LibriSpeech"
    assert [(u.id, u.speaker, u.gender, u.text) for u in corpus.utterances] == [
        ("14-208-0000", "14", "f", "CHAPTER ELEVEN"),
        ("14-208-0001", "14", "f", "I WENT UP"),
        ("19-198-0000", "19", "m", "NORTHANGER ABBEY"),
    ]


def test_a_subset_of_librispeech(librispeech):
    corpus = read_corpus(librispeech / "dev-clean")
    assert ids(corpus) == ["14-208-0000", "14-208-0001"] and corpus.utterances[0].gender == "f"


def test_librispeech_that_lists_an_utterance_twice(librispeech):
    write(librispeech / "dev-clean/14/208/14-208.trans.txt", "14-208-0000 A\n14-208-0000 B\n")
    with pytest.raises(VqspeechError, match=r"14-208\.trans\.txt:2: .*trans\.txt:1"):
        read_corpus(librispeech)


def test_a_line_of_white_space_is_no_utterance_of_librispeech(librispeech):
    write(librispeech / "dev-clean/14/208/14-208.trans.txt", "14-208-0000 A\n \t\n14-208-0001 B\n")
    assert ids(read_corpus(librispeech / "dev-clean")) == ["14-208-0000", "14-208-0001"]


def test_librispeech_audio_without_a_line_has_no_text(librispeech):
    touch(librispeech / "dev-clean/14/208", "14-208-0002.flac")
    assert {u.id: u.text for u in read_corpus(librispeech).utterances}["14-208-0002"] is None


HEADER = "utt\tspeaker\tgender\tcorpus\ttext\tpath\n"


def test_manifest(tmp_path):
    write(
        tmp_path / "manifest.tsv",
        HEADER
        + 'anna_1\tanna\tf\tx\tSay "no" to it.\taudio/1.opus\n'
        + "2\tanna\tfemale\tx\t\taudio/2.opus\n\n"
        + "ben-1\tben\tM\tx\tIt isn't.\taudio/3.opus\n",
    )
    corpus = read_corpus(tmp_path)
    assert corpus.kind == "manifest"
    assert [(u.id, u.speaker, u.gender, u.text) for u in corpus.utterances] == [
        ("anna_1", "anna", "f", 'Say "no" to it.'),
        ("anna-2", "anna", "f", None),
        ("ben-1", "ben", "m", "It isn't."),
    ]
    assert corpus.utterances[0].audio == tmp_path / "audio/1.opus"
    assert corpus.utterances[2].listed == f"{tmp_path / 'manifest.tsv'}:5"


def test_manifest_with_the_needed_columns_alone(tmp_path):
    write(tmp_path / "manifest.tsv", "path\tspeaker\tutt\r\n1.wav\tanna\tanna-1\r\n")
    (utterance,) = read_corpus(tmp_path).utterances
    assert (utterance.audio, utterance.text, utterance.gender) == (tmp_path / "1.wav", None, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"manifest\.tsv:1: .*'utt'"),
        ("utt\tpath\na\tb\n", r"manifest\.tsv:1: .*'speaker'"),
        (HEADER + "anna_1\tanna\tf\n", r"manifest\.tsv:2: 3 fields where the header has 6"),
        (HEADER + 2 * "anna_1\tanna\tf\tx\tYes.\t1.wav\n", r"manifest\.tsv:3: .*anna_1 was .*manifest\.tsv:2"),
        (HEADER + "../../x\tanna\tf\tx\tYes.\t1.wav\n", r"manifest\.tsv:2: .*\.\./\.\./x"),
        (HEADER + "anna_1\t..\tf\tx\tYes.\t1.wav\n", r"manifest\.tsv:2: .*'\.\.'"),
        (HEADER, "a manifest corpus without utterances"),
    ],
)
def test_a_faulty_manifest_is_named_by_line(tmp_path, text, message):
    write(tmp_path / "manifest.tsv", text)
    with pytest.raises(VqspeechError, match=message) as caught:
        read_corpus(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_folder_of_speaker_folders(tmp_path):
    touch(tmp_path, "anna/one day.WAV", "anna/evening/2.mp3", "ben s/ben_s-1.flac", "anna/._1.wav", "notes/read.me")
    write(tmp_path / "anna/one day.txt", "One day.\n")
    corpus = read_corpus(tmp_path)
    assert [(u.id, u.speaker, u.text) for u in corpus.utterances] == [
        ("anna-evening-2", "anna", None),
        ("anna-one_day", "anna", "One day."),
        ("ben_s-1", "ben_s", None),
    ]


@pytest.mark.parametrize("names", [("a/1.wav", "a/1.flac"), ("a/x/1.wav", "a/x-1.wav")])
def test_two_recordings_of_one_name_are_refused(tmp_path, names):
    touch(tmp_path, *names)
    with pytest.raises(VqspeechError, match=r"is also .*; rename or remove one"):
        read_corpus(tmp_path)


def test_a_kaldi_data_directory_may_hold_pipes_and_lack_texts(tmp_path):
    write(tmp_path / "wav.scp", f"1 cat 1.wav |\nben-2 {tmp_path}/2.wav\n")
    write(tmp_path / "utt2spk", "1 anna\nben-2 ben\n")
    write(tmp_path / "text", "ben-2 Yes.\n")
    write(tmp_path / "spk2gender", "ben m\n")
    first, second = read_corpus(tmp_path).utterances
    assert (first.id, first.audio, first.text, first.gender) == ("anna-1", Pipe("cat 1.wav"), None, None)
    assert first.listed == f"{tmp_path / 'wav.scp'}:1"
    assert (second.id, second.audio, second.text, second.gender) == ("ben-2", tmp_path / "2.wav", "Yes.", "m")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (["b-1", "a-1"], r"wav\.scp:2: a-1 comes after b-1"),
        (["a-1", "a-1"], r"wav\.scp:2: a-1 occurs a second time"),
        (["../../x"], r"wav\.scp:1: .*\.\./\.\./x"),
    ],
)
def test_a_kaldi_data_directory_with_bad_keys(tmp_path, keys, message):
    write(tmp_path / "wav.scp", "".join(f"{key} 1.wav\n" for key in keys))
    write(tmp_path / "utt2spk", "a-1 a\nb-1 b\n")
    with pytest.raises(VqspeechError, match=message):
        read_corpus(tmp_path)


def test_labels_lie_in_the_corpus_or_elsewhere(vctk, tmp_path):
    label = write(vctk / "phones" / "p225" / "p225_001.phn", "")
    assert [u.labels for u in read_corpus(vctk).utterances] == [label, None, None, None]
    other = write(tmp_path / "labels" / "s5_001.lab", "")
    assert [u.labels for u in read_corpus(vctk, labels=tmp_path / "labels").utterances] == [None, None, None, other]
    with pytest.raises(VqspeechError, match="no phone labels"):
        read_corpus(vctk, labels=tmp_path / "nowhere")


def test_labels_of_other_utterances_are_an_error(vctk, tmp_path):
    write(tmp_path / "labels" / "p225-001.lab", "")
    with pytest.raises(VqspeechError, match=r"labels: no utterance of .* has labels there, such as p225_001\.lab"):
        read_corpus(vctk, labels=tmp_path / "labels")


def test_relative_paths_of_a_kaldi_data_directory(tmp_path, monkeypatch):
    data = tmp_path / "data"
    write(data / "wav.scp", "a-1 wav/1.wav\na-2 wav/2.wav\n")
    write(data / "utt2spk", "a-1 a\na-2 a\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(VqspeechError, match=rf"wav\.scp: wav/1\.wav lies neither in {tmp_path} nor in {data};"):
        read_corpus(data)
    touch(data, "wav/2.wav")
    assert [u.audio for u in read_corpus(data).utterances] == [data / "wav/1.wav", data / "wav/2.wav"]
    touch(tmp_path, "wav/1.wav")
    assert [u.audio for u in read_corpus(data).utterances] == [tmp_path / "wav/1.wav", tmp_path / "wav/2.wav"]


def test_ids_are_sorted_by_speaker_where_one_name_begins_another(tmp_path):
    touch(tmp_path, "s1/s1_7.wav", "s1/8.wav", "s12/s12_1.wav", "s2/s2_1.wav")
    label = write(tmp_path / "phones" / "s1_7.phn", "")
    corpus = read_corpus(tmp_path)
    assert [(u.id, u.speaker) for u in sorted(corpus.utterances, key=lambda u: u.id)] == [
        ("s1-7", "s1"),
        ("s1-8", "s1"),
        ("s12_1", "s12"),
        ("s2_1", "s2"),
    ]
    assert {u.id: u.labels for u in corpus.utterances}["s1-7"] == label
    assert len(corpus.notes) == 1 and "s1" in corpus.notes[0]


def test_an_unknown_layout_says_what_was_looked_for(tmp_path):
    touch(tmp_path, "a.wav")
    with pytest.raises(VqspeechError, match=r"wav\.scp.*manifest\.tsv.*VCTK.*LibriSpeech.*speaker"):
        read_corpus(tmp_path)
    with pytest.raises(VqspeechError, match="no such folder"):
        read_corpus(tmp_path / "nowhere")
