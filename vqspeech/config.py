"""Every setting of a model and its training."""

from dataclasses import dataclass, field
from math import prod
from typing import Literal

from vqspeech.settings import Checked, ConfigError

SamplerName = Literal["auto", "cpu", "cpu-float32", "cuda-graph", "cuda-triton", "reference"]
"""`auto` the fastest for the device; `cpu` compiled, weights of 16 bits; `cpu-float32` exact; `reference` plain torch;
`cuda-graph` for many streams on a GPU, `cuda-triton` for few."""

MOST_CODES = 2**20
"""Codes are counted one by one, so that many more would fill the memory."""
MOST_LAYERS = 1000
HIGHEST_RATE = 768_000
"""Samples per second of the fastest converters."""


@dataclass(frozen=True)
class EncoderConfig(Checked):
    """The strided convolutions that turn the waveform into frames (Oord et al. 2017, section 4.3)."""

    strides: tuple[int, ...] = (2, 2, 2, 2, 2, 2)
    """One convolution each, of kernel twice the stride; their product is the hop in samples."""
    channels: int = 128
    """Channels of the strided convolutions; the first two, at the highest rates, have a quarter and half as many."""
    hidden: int = 256
    """Channels of the residual blocks at frame rate."""
    dilations: tuple[int, ...] = (1, 2, 4)
    """Dilation in frames of each residual block (kernel 3); empty for none."""

    def __post_init__(self) -> None:
        self._at_least(1, "strides", "channels", "hidden", "dilations")
        self._at_most(2**16, "strides", "dilations")
        self._at_most_long(MOST_LAYERS, "strides", "dilations")


@dataclass(frozen=True)
class BottleneckConfig(Checked):
    """What stands between encoder and decoder."""

    name: Literal["vq", "nsvq", "soft_em", "gumbel", "nvil", "vimco", "fsq", "rvq", "vae", "ae", "none"] = "vq"
    """vq: nearest code; nsvq: noise substitution; soft_em: several codes by closeness; gumbel: relaxed draws; nvil and
    vimco: score-function estimators; fsq: finite scalars; rvq: a stack of vq; vae: Gaussian; ae: everything passes;
    none: nothing passes (the same decoder trained without codes)."""
    codes: int = 512
    """K, the number of codes; of each stage for rvq."""
    dim: int = 64
    """D, the width of a code."""
    code_dim: int = 0
    """Width in which frames and codes are compared (vq, nsvq, soft_em, rvq); 0 for D (Yu et al. 2022, section 3.2)."""
    beta: float = 0.25
    """Weight of the commitment loss (vq, soft_em, rvq)."""
    codebook: Literal["ema", "loss"] = "ema"
    """How codes follow the encoder (vq, rvq): exponential moving averages (appendix A.1) or the codebook loss."""
    ema_decay: float = 0.99
    """Decay of the moving averages, per step."""
    normalise: Literal["frame", "unit", "none"] = "frame"
    """What is done to every frame before it is compared with the codes: zero mean and unit variance over its values, or
    unit length for frames and codes both (times the root of the width), or nothing."""
    start_steps: int = 200
    """Steps with unquantised latents before k-means places the codes; 0 places them before the first step."""
    kmeans: bool = True
    """Place the first codes by k-means on training frames; otherwise they start at random."""
    code_scale: float = 1.0
    """Standard deviation of the random start; frames have about 1."""
    restart: float = 0.05
    """A code used less often than this share of the mean use is moved to a frame of the batch; 0 never."""
    jitter: float = 0.0
    """Probability that a frame takes a neighbour's code in training (Chorowski et al. 2019, section III-D)."""
    draws: int = 4
    """Codes drawn for a frame in training: m of soft_em, M of nvil and vimco."""
    kl: float = 1.0
    """Weight of the divergence from the prior (gumbel, nvil, vae); with 1 the loss is the bound."""
    temperature: float = 1.0
    """Of the relaxed draws of gumbel at first."""
    final_temperature: float = 0.5
    """And after `anneal_steps`."""
    anneal_steps: int = 10_000
    """Steps in which the temperature falls, by the same factor each."""
    levels: tuple[int, ...] = (8, 8, 8)
    """Values of each of the numbers that fsq rounds; their product is the number of codes."""
    stages: int = 2
    """Quantisers of rvq, one after another."""
    free_nats: float = 0.0
    """Nats a dimension and frame that vae may spend for nothing (free bits)."""

    @property
    def places_codes(self) -> bool:
        """Whether codes are placed among the encoder's frames after `start_steps`."""
        return self.name in ("vq", "nsvq", "soft_em", "rvq")

    def __post_init__(self) -> None:
        self._at_least(2, "codes", "levels")
        self._at_least(1, "dim", "draws", "stages", "anneal_steps")
        self._at_least(0, "code_dim", "beta", "ema_decay", "start_steps", "code_scale")
        self._at_least(0, "restart", "jitter", "kl", "free_nats")
        self._at_most(MOST_CODES, "codes", "draws")
        self._at_most(MOST_LAYERS, "stages")
        self._at_most_long(20, "levels")
        if not self.levels:
            raise ConfigError("levels: fsq needs at least one number")
        if self.name == "vimco" and self.draws < 2:
            raise ConfigError(f"draws: vimco compares draws with each other and needs 2 or more, not {self.draws}")
        self._at_most(1, "ema_decay", "jitter")
        width, setting = (self.code_dim, "code_dim") if self.code_dim else (self.dim, "dim")
        if self.places_codes or self.name == "ae":
            if self.normalise == "frame" and width <= 2:
                raise ConfigError(f"{setting}: {width} values of zero mean and unit variance say at most one bit")
            if self.normalise == "unit" and width == 1:
                raise ConfigError(f"{setting}: 1 value of unit length says one bit")
        if self.name == "vimco" and self.kl != 1:
            raise ConfigError("kl: the bound of vimco has no divergence to weigh")
        if self.name == "gumbel" and self.final_temperature > self.temperature:
            raise ConfigError(f"final_temperature: {self.final_temperature} is above temperature {self.temperature}")
        if prod(self.levels) > MOST_CODES:
            raise ConfigError(f"levels: {self.levels} make more than {MOST_CODES} codes")
        for name in ("temperature", "final_temperature"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name}: {getattr(self, name)} is not above 0")
        if self.name == "rvq" and self.codes**self.stages > MOST_CODES:
            raise ConfigError(f"stages: {self.codes} codes in {self.stages} stages are more than {MOST_CODES} in all")


@dataclass(frozen=True)
class DecoderConfig(Checked):
    """The WaveNet (Oord et al. 2016) and the network that prepares its conditioning."""

    layers: int = 20
    """Dilated convolutions."""
    cycle: int = 10
    """Layers after which the dilation 1, 2, 4, ... starts again at 1."""
    kernel: int = 2
    """Taps of each dilated convolution."""
    residual: int = 64
    """Channels of the residual path."""
    skip: int = 128
    """Channels of the skip path and of the output network."""
    output: Literal["mulaw", "logistics"] = "mulaw"
    """256-way mu-law, or a discretised mixture of logistics over 16 bits (Salimans et al. 2017)."""
    mixtures: int = 10
    """Components of the mixture of logistics."""
    conditioning: int = 128
    """Channels of the conditioning network."""
    conditioning_hop: int = 64
    """Samples per conditioning frame; divides the hop, so that slow codes are interpolated first."""
    conditioning_dilations: tuple[int, ...] = (1, 2)
    """Dilation of each of the conditioning network's residual blocks (kernel 3)."""
    voices: int = 0
    """Enrolled voices that have gate biases of their own, the last ones of the speaker table."""
    past_dropout: float = 0.0
    """Share of past samples hidden from the decoder in training, so that it leans on the codes."""

    def __post_init__(self) -> None:
        self._at_least(2, "kernel", "layers")
        self._at_least(1, "cycle", "residual", "skip", "mixtures")
        self._at_least(1, "conditioning", "conditioning_hop", "conditioning_dilations")
        self._at_least(0, "past_dropout", "voices")
        self._at_most(1, "past_dropout")
        self._at_most(16, "cycle")
        self._at_most(MOST_LAYERS, "layers", "kernel", "mixtures")
        self._at_most(2**16, "conditioning_dilations")
        self._at_most_long(MOST_LAYERS, "conditioning_dilations")


@dataclass(frozen=True)
class ModelConfig(Checked):
    """Encoder, bottleneck and decoder of one model."""

    sample_rate: int = 16000
    """Samples per second."""
    speaker_dim: int = 64
    """Width of the speaker embedding."""
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    bottleneck: BottleneckConfig = field(default_factory=BottleneckConfig)
    decoder: DecoderConfig = field(default_factory=DecoderConfig)

    def __post_init__(self) -> None:
        self._at_least(1, "sample_rate", "speaker_dim")
        self._at_most(HIGHEST_RATE, "sample_rate")

    @property
    def hop(self) -> int:
        """Samples per frame."""
        return prod(self.encoder.strides)


@dataclass(frozen=True)
class LoopConfig(Checked):
    """How anything is trained."""

    max_steps: int = 100_000
    """Steps after which training ends."""
    max_minutes: float = 0.0
    """Minutes of wall clock after which training ends; 0 for no such limit."""
    stop_steps: int = 0
    """Steps after which training stops early, with the learning rates of the whole budget; 0 for never."""
    batch_size: int = 8
    """Crops per step, shared among the devices."""
    optimizer: Literal["muon", "adamw"] = "muon"
    """muon: orthogonal steps for hidden matrices, AdamW for the rest (Jordan et al. 2024); adamw: AdamW for all."""
    learning_rate: float = 1e-3
    """Peak learning rate."""
    warmup_steps: int = 200
    """Steps of linear rise to the peak learning rate."""
    final_rate: float = 0.05
    """Learning rate at the end of the budget as a share of the peak (half a cosine leads there)."""
    weight_decay: float = 0.0
    """Decoupled weight decay."""
    gradient_clip: float = 1.0
    """Largest norm of the gradient."""
    weight_ema: float = 0.999
    """Decay per step of the averaged weights, which are the ones saved for use."""
    precision: Literal["auto", "32-true", "bf16-mixed"] = "auto"
    """auto: bf16 autocast where the processor has bf16 arithmetic, else float32."""
    log_every: int = 50
    """Steps between training log lines."""
    eval_every: int = 500
    """Steps between evaluations on held-out data, each followed by a checkpoint."""
    keep: int = 2
    """Checkpoints kept, the newest ones; the best model is kept besides."""
    seed: int = 1
    """Seed of the weights, the crops and every draw in training."""

    def __post_init__(self) -> None:
        self._at_least(1, "max_steps", "batch_size", "log_every", "eval_every", "keep")
        self._at_least(0, "max_minutes", "stop_steps", "learning_rate", "warmup_steps")


@dataclass(frozen=True)
class TrainingConfig(LoopConfig):
    """How a model is trained."""

    crop: int = 3840
    """Samples per crop; rounded up to a multiple of the hop."""
    pitch_shift: float = 0.0
    """Semitones by which the encoder at most hears each crop higher or lower, so that codes leave the voice out."""
    voices: tuple[str, ...] = ()
    """Speakers that the model is to speak as, who get `voices_share` of the crops, each as many."""
    voices_share: float = 0.5
    """What is left goes to the other speakers, to each by the length of their speech."""
    phone_weight: float = 0.0
    """Weight of naming each frame's phone from its code, in nats a frame; above 0 the data need phone labels."""
    phone_crops: int = 0
    """Crops per step beside `batch_size`, of all speakers, that teach phones but are not spoken: they cost little."""
    phones_alone: bool = False
    """Whether encoder and codes learn phones alone, some twenty times faster, and the decoder stays as it is."""
    eval_seconds: float = 24.0
    """Dev speech per evaluation, in seconds."""
    audio_seconds: float = 0.0
    """Length of the copy-synthesis sample in tensorboard at each evaluation; 0 for none."""
    workers: int = 0
    """Processes that read audio ahead; 0 reads between steps."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._at_least(1, "crop")
        self._at_least(0, "workers", "audio_seconds", "pitch_shift", "voices_share", "phone_weight", "phone_crops")
        self._at_most(12, "pitch_shift")
        self._at_most(1, "voices_share")
        for name in ("phone_crops", "phones_alone"):
            if getattr(self, name) and not self.phone_weight:
                raise ConfigError(f"{name}: phones are not learnt without a phone_weight above 0")


@dataclass(frozen=True)
class PriorConfig(Checked):
    """The Transformer over codes."""

    width: int = 192
    """Channels; a multiple of twice the heads."""
    layers: int = 4
    """Of attention and feed-forward network."""
    heads: int = 4
    """Of attention."""
    window: int = 256
    """Codes that each layer looks back over."""
    dropout: float = 0.1
    """Share of each layer's output, and of the embedded codes, that is dropped in training."""
    speaker: bool = True
    """Whether the prior knows who speaks."""

    def __post_init__(self) -> None:
        self._at_least(1, "width", "layers", "heads", "window")
        self._at_least(0, "dropout")
        self._at_most(0.9, "dropout")
        self._at_most(MOST_LAYERS, "layers")
        self._at_most(2**20, "window")
        if self.width % (2 * self.heads):
            raise ConfigError(f"width: {self.width} is no multiple of twice the {self.heads} heads")


@dataclass(frozen=True)
class CodeTrainingConfig(LoopConfig):
    """How a prior is trained."""

    max_steps: int = 5000
    weight_decay: float = 0.01
    weight_ema: float = 0.99
    log_every: int = 250
    crop: int = 512
    """Codes per crop."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._at_least(1, "crop")


@dataclass(frozen=True)
class PriorTraining:
    """A prior and how it is trained."""

    model: PriorConfig = field(default_factory=PriorConfig)
    training: CodeTrainingConfig = field(default_factory=CodeTrainingConfig)


@dataclass(frozen=True)
class Config:
    """A model and how it is trained."""

    model: ModelConfig = field(default_factory=ModelConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def __post_init__(self) -> None:
        if self.training.phone_crops and self.model.bottleneck.name in ("nvil", "vimco"):
            raise ConfigError(
                f"training.phone_crops: {self.model.bottleneck.name} learns from what the decoder makes of every crop"
            )
