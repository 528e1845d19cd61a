"""The sound of a clip, decoded piece by piece and cut to a length."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.container import InputContainer

AAC_RATES = frozenset(
    {96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350}
)
"""Samples per second that aac knows; anything else is resampled to 48000."""

_FORMAT = "fltp"


class Sound:
    """A clip's sound from its first frame on, as mono or stereo.

    Attributes:
        rate: samples per second.
        layout: mono or stereo.
    """

    def __init__(self, container: InputContainer) -> None:
        self._container = container
        self._stream = container.streams.audio[0]
        rate = self._stream.rate
        self.rate = rate if rate in AAC_RATES else 48000
        self.layout = "mono" if self._stream.channels == 1 else "stereo"
        self._given = 0
        self._ended = False
        self._waiting = av.AudioFifo()
        self._pieces = self._decoded()

    @classmethod
    def of(cls, path: Path) -> "Sound | None":
        """Open the sound of a clip, or return None where it has none, as pictures have."""
        if path.is_dir():
            return None
        try:
            container = av.open(str(path.absolute()), metadata_errors="replace")
        except av.FFmpegError:
            return None  # a kind of picture that FFmpeg does not know
        if not container.streams.audio or container.streams.audio[0].codec_context is None:
            container.close()
            return None
        return cls(container)

    def until(self, end: Fraction) -> Iterator[AudioFrame]:
        """Yield what is heard from the last call's end to `end` seconds, not a sample more."""
        wanted = int(end * self.rate) - self._given
        while self._waiting.samples < wanted and not self._ended:
            piece = next(self._pieces, None)
            if piece is None:
                self._ended = True
            else:
                self._waiting.write(piece)
        taken = self._waiting.read(min(wanted, self._waiting.samples)) if wanted > 0 else None
        if taken is not None:
            taken.pts, taken.time_base = self._given, Fraction(1, self.rate)
            self._given += taken.samples
            yield taken

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def _decoded(self) -> Iterator[AudioFrame]:
        """Yield resampled pieces, the first beginning with the first video frame."""
        resampler = av.AudioResampler(format=_FORMAT, layout=self.layout, rate=self.rate)
        late: int | None = None  # samples by which the sound still lags behind; < 0: is early
        for frame in self._frames():
            if late is None:
                late = self._lag(frame)
                if late > 0:
                    yield self._piece(np.zeros((self._channels, late), np.float32))
            for piece in resampler.resample(frame):
                samples = piece.to_ndarray()
                cut = min(max(-late, 0), samples.shape[1])
                late += cut
                if cut < samples.shape[1]:
                    yield self._piece(samples[:, cut:])

    def _frames(self) -> Iterator[AudioFrame]:
        """Yield the frames that decode; a damaged tail ends the sound, not the pictures."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except (StopIteration, av.FFmpegError):
                return
            try:
                yield from self._stream.decode(packet)
            except av.FFmpegError:
                continue

    def _lag(self, first: AudioFrame) -> int:
        """Count the samples by which the sound begins after the pictures."""
        video = self._container.streams.best("video")
        if video is None or video.start_time is None or video.time_base is None:
            return 0
        if first.pts is None or first.time_base is None:
            return 0
        return round((first.pts * first.time_base - video.start_time * video.time_base) * self.rate)

    @property
    def _channels(self) -> int:
        return 1 if self.layout == "mono" else 2

    def _piece(self, samples: np.ndarray) -> AudioFrame:
        """Wrap (channels, n) float32; without a time, which the queue would hold us to."""
        piece = AudioFrame.from_ndarray(np.ascontiguousarray(samples), _FORMAT, self.layout)
        piece.sample_rate = self.rate
        piece.pts = None
        return piece
