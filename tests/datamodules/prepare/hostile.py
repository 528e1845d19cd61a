"""Broken and hostile media files, made from small good ones; every byte follows from a seed."""

import os
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

Rng = np.random.Generator
MS = Fraction(1, 1000)


def frames(count: int, size: tuple[int, int] = (32, 32)) -> Iterator[np.ndarray]:
    """Smooth pictures with something that moves on."""
    y, x = np.mgrid[: size[0], : size[1]]
    for t in range(count):
        picture = np.stack([x * 5 % 256, y * 5 % 256, np.full(size, 9 * t % 256)], 2)
        picture[4 + t % 20 : 10 + t % 20, 8:16] = 255 - t
        yield picture.astype(np.uint8)


def encode(path, count=20, size=(32, 32), codec="libx264", pixels="yuv420p", **how) -> Path:
    """Write a video; `times` are those of its frames in milliseconds."""
    times, rate, form = how.pop("times", None), how.pop("rate", 25), how.pop("form", None)
    container_options = {k: how.pop(k) for k in ("movflags",) if k in how}
    with av.open(str(path), "w", format=form, options=container_options) as container:
        stream = container.add_stream(codec, rate=rate, options=how)
        stream.pix_fmt, (stream.height, stream.width) = pixels, size
        stream.codec_context.gop_size = 6
        if times is not None:
            stream.codec_context.time_base = MS
        for number, picture in enumerate(frames(count, size)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = times[number], MS
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def pictures(path, count=8, size=(32, 32), **how) -> Path:
    first, *rest = [Image.fromarray(f) for f in frames(count, size)]
    more = {"save_all": True, "append_images": rest} if rest else {}
    first.save(path, **more, **how)
    return path


BASES: dict[str, Callable[[Path], Path]] = {
    ".mp4": lambda p: encode(p, bf="2"),
    ".mov": lambda p: encode(p, movflags="faststart"),
    ".m4v": lambda p: encode(p, movflags="frag_keyframe+empty_moov", form="mp4"),
    ".mkv": lambda p: encode(p, bf="2"),
    ".webm": lambda p: encode(p, codec="libvpx", **{"auto-alt-ref": "1", "lag-in-frames": "8"}),
    ".avi": lambda p: encode(p, codec="mpeg4"),
    ".ts": lambda p: encode(p, form="mpegts"),
    ".mpg": lambda p: encode(p, codec="mpeg2video", form="mpeg"),
    ".wmv": lambda p: encode(p, codec="wmv2", form="asf"),
    ".flv": lambda p: encode(p, codec="flv"),
    ".3gp": lambda p: encode(p, form="3gp"),
    ".gif": lambda p: pictures(p, duration=40),
    ".webp": lambda p: pictures(p, duration=40),
    ".png": lambda p: pictures(p, 1),
    ".jpg": lambda p: pictures(p, 1),
    ".tif": lambda p: pictures(p, 2),
    ".bmp": lambda p: pictures(p, 1),
}


class Maker:
    """Makes hostile files of every family into a folder.

    Args:
        folder: where they go.
        bases: ending -> bytes of a good file.
        seed: of every draw.
    """

    def __init__(self, folder: Path, bases: dict[str, bytes], seed: int) -> None:
        self.folder, self.bases = folder, bases
        self.rng = np.random.default_rng(seed)
        self.endings = list(bases)

    def pick(self, n: int) -> tuple[str, bytearray]:
        ending = self.endings[n % len(self.endings)]
        return ending, bytearray(self.bases[ending])

    def below(self, n: int) -> int:
        return int(self.rng.integers(n))

    def put(self, name: str, data: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(bytes(data))
        return path

    @staticmethod
    def mux(container, stream, packet) -> None:
        packet.stream = stream
        with suppress(av.FFmpegError):  # a writer that minds leaves the packet out
            container.mux(packet)

    # Damage to any file.

    def truncated(self, n: int) -> Path:
        ending, data = self.pick(n)
        return self.put(f"truncated-{n}-x{ending}", data[: 1 + self.below(len(data) - 1)])

    def flipped(self, n: int) -> Path:
        ending, data = self.pick(n)
        for _ in range(1 + self.below(200 if n % 2 else 8)):
            data[self.below(len(data))] ^= 1 << self.below(8)
        return self.put(f"flipped-{n}-x{ending}", data)

    def zeroed(self, n: int) -> Path:
        ending, data = self.pick(n)
        start, length = self.below(len(data)), 1 + self.below(len(data) // 3)
        data[start : start + length] = bytes(len(data[start : start + length]))
        return self.put(f"zeroed-{n}-x{ending}", data)

    def swapped(self, n: int) -> Path:
        ending, data = self.pick(n)
        other = self.pick(n + 1 + self.below(len(self.endings) - 1))[1]
        length = int(self.rng.choice([4, 16, 64, 300]))
        return self.put(f"swapped-{n}-x{ending}", other[:length] + data[length:])

    def ending(self, n: int) -> Path:
        other = self.pick(n + 1 + self.below(len(self.endings) - 1))[0]
        return self.put(f"ending-{n}-x{other}", self.pick(n)[1])

    def empty(self, n: int) -> Path:
        return self.put(f"empty-{n}-x{self.pick(2 * n)[0]}", b"")

    def text(self, n: int) -> Path:
        words = [b"<html>404 Not Found</html>\n" * 40, self.rng.bytes(5000), b"\0" * 5000]
        return self.put(f"text-{n}-x{self.pick(3 * n)[0]}", words[n % 3])

    # Files that name other files.

    def playlist(self, n: int) -> Path:
        good = self.put("named.dat", self.bases[".mkv"])  # by itself no clip for prepare
        texts = [
            "ffconcat version 1.0\nfile named.dat\n",
            f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{good.as_uri()}\n#EXT-X-ENDLIST\n",
            f'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
            f'mediaPresentationDuration="PT1S"><Period><AdaptationSet mimeType="video/mp4">'
            f'<Representation id="1" bandwidth="9"><BaseURL>{good.as_uri()}</BaseURL>'
            "</Representation></AdaptationSet></Period></MPD>",
            "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\n"
            "a=rtpmap:96 H264/90000\n",
        ]
        ending = (".mp4", ".avi", ".mkv", ".ts", ".flv")[n % 5]
        return self.put(f"playlist-{n}-x{ending}", texts[n % 4].encode())

    # Pictures.

    def bomb(self, n: int) -> Path:
        side = (60_000, 2**31 - 1, 20_000)[n // 4 % 3]
        header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        chunk = b"IHDR" + header
        png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk
        png += struct.pack(">I", zlib.crc32(chunk)) + bytes(self.bases[".png"][33:])
        gif = bytearray(self.bases[".gif"])
        gif[6:10] = b"\xff" * 4
        bmp = bytearray(self.bases[".bmp"])
        bmp[18:26] = struct.pack("<ii", 50_000, -50_000)
        jpg = bytearray(self.bases[".jpg"])
        place = jpg.index(b"\xff\xc0") + 5
        jpg[place : place + 4] = struct.pack(">HH", 65_500, 65_500)
        ending = (".png", ".gif", ".bmp", ".jpg")[n % 4]
        return self.put(f"bomb-{n}-x{ending}", (png, gif, bmp, jpg)[n % 4])

    def gif(self, n: int) -> Path:
        data = bytearray(self.bases[".gif"])
        control = [i for i in range(len(data) - 8) if data[i : i + 3] == b"\x21\xf9\x04"]
        image = [data.index(b"\x2c", place + 8) for place in control]
        if n % 8 == 0:  # no pauses
            for place in control:
                data[place + 4 : place + 6] = b"\0\0"
        elif n % 8 == 1:  # a frame beyond the screen
            data[image[3] + 1 : image[3] + 9] = struct.pack("<4H", 5000, 5000, 400, 400)
        elif n % 8 == 2:  # a screen of no size
            data[6:10] = bytes(4)
        elif n % 8 == 3:  # no end
            data = data[:-1]
        elif n % 8 == 4:  # damaged pixels in the middle
            data[image[4] + 14 : image[5] - 20] = b"\xff" * (image[5] - 20 - image[4] - 14)
        elif n % 8 == 5:  # pauses of eleven minutes, and one that is nearly none
            for place in control[1:]:
                data[place + 4 : place + 6] = b"\xff\xff"
        elif n % 8 == 6:  # a first frame that cannot be
            data[image[0] + 1 : image[0] + 9] = struct.pack("<4H", 0, 0, 0, 0)
        else:  # rubbish after the end
            data += self.rng.bytes(3000)
        return self.put(f"gif-{n}-x.gif", data)

    # Videos.

    def atom(self, n: int) -> Path:
        ending = (".mp4", ".mov", ".m4v")[n % 3]
        data = bytearray(self.bases[ending])
        names = b"moov mdat stsz stco stts stsc ctts tkhd mdhd hdlr stsd avcC mvhd stss traf mfhd "
        place = -1
        while place < 0:
            place = data.find(names.split()[self.below(16)])
        kind = n % 4
        if kind == 0:  # another size of the atom
            data[place - 4 : place] = struct.pack(">I", self.below(2**32))
        elif kind == 1:  # numbers beyond all bounds
            data[place + 8 : place + 24] = b"\x7f\xff\xff\xff" * 4
        elif kind == 2:
            data[place + 4 : place + 20] = self.rng.bytes(16)
        else:  # another name
            data[place : place + 4] = b"free"
        return self.put(f"atom-{n}-x{ending}", data)

    def keyless(self, n: int) -> Path:
        ending, form = ((".mp4", None), (".mkv", None), (".ts", "mpegts"), (".mpg", "h264"))[n % 4]
        path = self.folder / f"keyless-{n}-x{ending}"
        source = encode(self.folder / ".source.mkv", bf="0")
        with av.open(str(source)) as old, av.open(str(path), "w", format=form) as new:
            stream = new.add_stream_from_template(old.streams.video[0])
            for packet in old.demux(video=0):
                if packet.size and (not packet.is_keyframe or (n >= 4 and packet.pts == 0)):
                    self.mux(new, stream, packet)
        return path

    def odd(self, n: int) -> Path:
        size = ((1, 1), (1, 2000), (2000, 1), (3, 5), (1, 33), (31, 1))[n % 6]
        name = f"odd-{n}-x"
        if n % 3 == 0:
            return pictures(self.folder / f"{name}.gif", 3, size, duration=40)
        if n % 3 == 1:
            return encode(self.folder / f"{name}.mkv", 4, size, "ffv1", "yuv444p")
        return encode(self.folder / f"{name}.avi", 4, size, "rawvideo", "bgr24")

    def single(self, n: int) -> Path:
        ending = (".mp4", ".mkv", ".webm", ".ts")[n % 4]
        codec = "libvpx" if ending == ".webm" else "libx264"
        form = "mpegts" if ending == ".ts" else None
        return encode(self.folder / f"single-{n}-x{ending}", 1, codec=codec, form=form)

    def soundless(self, n: int) -> Path:
        """No picture: sound alone."""
        path = self.folder / f"sound-{n}-x{('.mp4', '.mkv', '.mov', '.ts')[n % 4]}"
        form = "mpegts" if n % 4 == 3 else None
        with av.open(str(path), "w", format=form) as container:
            stream = container.add_stream("aac", rate=44100)
            for _ in range(1 + n):
                sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
                sound.sample_rate = 44100
                container.mux(stream.encode(sound))
            container.mux(stream.encode(None))
        return path

    def resized(self, n: int) -> Path:
        """Two films of different sizes, one behind the other."""
        form, ending = (
            ("mpegts", ".ts"), ("h264", ".mpg"), ("flv", ".flv"), ("mpeg", ".mpeg")
        )[n % 4]  # fmt: skip
        codec = {"flv": "flv", "mpeg": "mpeg2video"}.get(form, "libx264")
        parts = [
            encode(self.folder / f".part{k}{ending}", 8, size, codec, form=form).read_bytes()
            for k, size in enumerate([(32, 32), (48, 64)])
        ]
        return self.put(f"resized-{n}-x{ending}", b"".join(parts))

    def times(self, n: int) -> Path:
        """Times of packets that are negative, double, falling or far apart."""
        ending = (".mkv", ".mp4", ".avi", ".flv", ".mov", ".ts")[n % 6]
        path = self.folder / f"times-{n}-x{ending}"
        source = self.put(".source.avi", self.bases[".avi"])
        form = {".ts": "mpegts"}.get(ending)
        change = (
            lambda t, k: t - 10, lambda t, k: t // 3, lambda t, k: t * 40_000,
            lambda t, k: t + 7 * (k % 3), lambda t, k: t if k != 9 else t + 2**30, lambda t, k: 5,
        )[n // 2 % 6]  # fmt: skip
        with av.open(str(source)) as old, av.open(str(path), "w", format=form) as new:
            stream = new.add_stream_from_template(old.streams.video[0])
            for k, packet in enumerate(old.demux(video=0)):
                if packet.size:
                    packet.pts, packet.dts = change(packet.dts, k), change(packet.dts, k)
                    self.mux(new, stream, packet)
        return path

    def rate(self, n: int) -> Path:
        rates = (Fraction(1, 1000), Fraction(90_000), Fraction(1_000_000, 1001), Fraction(1, 7))
        ending = (".mp4", ".mkv", ".avi")[n % 3]
        codec = "mpeg4" if ending == ".avi" and n % 2 else "libx264"
        rate = rates[n % 4] if codec == "libx264" else Fraction(65_535)
        return encode(self.folder / f"rate-{n}-x{ending}", 6, rate=rate, codec=codec)

    # The file system.

    def place(self, n: int) -> Path:
        path = self.folder / f"place-{n}-x.mp4"
        kind = n % 8
        if kind < 2:
            path.symlink_to(self.folder / "nowhere.mp4" if kind else path)
        elif kind == 2:
            os.mkfifo(path)
        elif kind == 3:
            path.symlink_to("/dev/zero")
        elif kind == 4:  # a folder with a broken frame
            path.mkdir()
            for t, picture in enumerate(frames(5)):
                Image.fromarray(picture).save(path / f"{t}.png")
            (path / "3.png").write_bytes(self.bases[".png"][:60])
        elif kind == 5:  # a folder whose frames differ in size
            path.mkdir()
            for t, side in enumerate((32, 32, 40)):
                Image.fromarray(next(frames(1, (side, side)))).save(path / f"{t}.png")
        elif kind == 6:  # a folder in which lies a broken video
            path.mkdir()
            (path / "inner.mp4").write_bytes(self.bases[".mp4"][:400])
            return path / "inner.mp4"
        else:
            path.symlink_to("/dev/null")
        return path

    def name(self, n: int) -> Path:
        names = (
            "a\nb.mp4", "it's \"quoted\".mp4", "10:30 %d %s talk.mp4", "-rf.mp4", "café ☃ 動画.mp4",
            "l" * 240 + ".mp4", "a,b;c|d&e$(f)`g`.mp4", "tab\there.mp4", "x.mp4.mp4", " .mp4",
        )  # fmt: skip
        data = self.bases[".mp4"]
        return self.put(names[n % len(names)], data if n % 2 else data[:-700])


FAMILIES = {
    "truncated": 28, "flipped": 30, "zeroed": 17, "swapped": 10, "ending": 10, "empty": 6,
    "text": 6, "playlist": 8, "bomb": 7, "gif": 8, "atom": 18, "keyless": 6, "odd": 6, "single": 4,
    "soundless": 4, "resized": 4, "times": 6, "rate": 4, "place": 8, "name": 10,
}  # fmt: skip


def make_bases(folder: Path) -> dict[str, bytes]:
    """Make one good file of every kind."""
    return {end: make(folder / f"base{end}").read_bytes() for end, make in BASES.items()}


def make_all(folder: Path, bases: dict[str, bytes], *, seed: int = 0) -> list[Path]:
    """Make all 200; what they were made of is removed, except `named.dat`, which lists name."""
    maker = Maker(folder, bases, seed)
    made = [getattr(maker, family)(n) for family, count in FAMILIES.items() for n in range(count)]
    for path in folder.glob(".*"):
        path.unlink()
    return made
