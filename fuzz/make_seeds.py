"""Writes what fuzzing of the readers of data starts from: `python fuzz/make_seeds.py`, with NumPy, Pillow, and what is in
`tests/fixtures`. Names that begin with `found` are inputs that fuzzing found; they are not written here."""

import gzip
import io
import json
import pathlib
import shutil
import zipfile

import numpy
from PIL import Image, ImageDraw

SEEDS = pathlib.Path(__file__).parent / "seeds"
FIXTURES = pathlib.Path(__file__).parent.parent / "tests/fixtures"


def write(target, name, content):
    folder = SEEDS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


def csv():
    # The first byte says how it is read.
    texts = {
        "numbers": (0, "a,b,c\n1,2.5,-3e-1\n4,5,6\n"),
        "classes": (1 << 3, "setosa,5.1,3.5\nvirginica,6.2,2.9\n"),
        "values": (2 << 3, "9.5,1,2\n8.5,3,4\n"),
        "ids": (3 << 3, 'Ada,1,0.5\n"B, ""C""",0,0.25\r\n'),
        "named": (4 << 3, "\ufeffid,kind, length \n1,b,5.0\n2,a,NaN\n"),
        "pixels": (5 << 3, "7,0,255,128,1\n2,3,4,5,6\n"),
        "several": (6 << 3 | 1, "1;x;3\n4;y;6\n"),
        "colours": (7 << 3 | 4, "0,1,2,3,4,255\n"),
        "header": (1 << 1, "2024,2025\n1,2\n"),
        "missing": (0, "1,,?\n2,null,NA\n"),
        "short": (0, "1,2\n3\n"),
        "open": (0, '1,"2\n3,4\n'),
        "empty": (0, ""),
    }
    for name, (choice, text) in texts.items():
        write("csv", name, bytes([choice]) + text.encode())
    packed = gzip.compress(texts["numbers"][1].encode(), mtime=0)
    write("csv", "packed", b"\0" + packed)
    write("csv", "packed-cut", b"\0" + packed[:-5])


def npy_bytes(array, **options):
    file = io.BytesIO()
    numpy.lib.format.write_array(file, array, **options)
    return file.getvalue()


def arrays():
    values = numpy.arange(12).reshape(2, 3, 2)
    for kind in ["u1", "?", "i1", "<i2", ">i4", "<i8", ">u2", "<u4", "<u8", "<f2", ">f2", "<f4", ">f4", ">f8", "<f8"]:
        name = kind.replace("<", "little-").replace(">", "big-").replace("?", "bool")
        write("npy", name, npy_bytes(values.astype(kind)))
    write("npy", "fortran", npy_bytes(numpy.asfortranarray(values.astype("<f4"))))
    write("npy", "version-2", npy_bytes(values.astype("<f4"), version=(2, 0)))
    write("npy", "scalar", npy_bytes(numpy.float32(3)))
    write("npy", "empty", npy_bytes(numpy.zeros((0, 3), "<f4")))
    write("npy", "text", npy_bytes(numpy.array(["one", "three"])))
    write("npy", "record", npy_bytes(numpy.zeros(2, [("a", "<f4"), ("b", "u1")])))
    promise = npy_bytes(numpy.zeros(1, "<f8")).replace(b"(1,), ", b"(9999999, 99),")
    write("npy", "promise", promise)
    x, y = values[..., 0].astype("u1"), numpy.array([1, 0])
    for name, save in [("stored", numpy.savez), ("packed", numpy.savez_compressed)]:
        file = io.BytesIO()
        save(file, x_train=x, y_train=y, half=values.astype("<f2"))
        write("npz", name, file.getvalue())
        write("npz", f"{name}-cut", file.getvalue()[:-30])
    file = io.BytesIO()
    numpy.savez(file)
    write("npz", "empty", file.getvalue())


def pictures():
    picture = Image.new("RGB", (19, 13), (250, 240, 230))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((3, 2, 14, 10), (200, 30, 60))
    draw.line((0, 0, 18, 12), (0, 60, 0), 2)

    def save(name, picture, format, **options):
        file = io.BytesIO()
        picture.save(file, format, **options)
        write("picture", name, file.getvalue())

    clear = picture.convert("RGBA")
    clear.putalpha(picture.convert("L"))
    save("rgb.png", picture, "PNG")
    save("grey.png", picture.convert("L"), "PNG")
    save("grey-alpha.png", clear.convert("LA"), "PNG")
    save("rgba.png", clear, "PNG")
    save("bits.png", picture.convert("1"), "PNG")
    save("palette.png", picture.quantize(7), "PNG", transparency=2)
    save("sixteen.png", picture.convert("L").convert("I;16"), "PNG")
    exif = Image.Exif()
    exif[0x0112] = 6
    save("turned.png", picture, "PNG", exif=exif)
    save("animated.png", picture, "PNG", save_all=True, append_images=[clear.convert("RGB").rotate(90)])
    save("baseline.jpg", picture, "JPEG", quality=60)
    save("whole.jpg", picture, "JPEG", quality=90, subsampling=0, exif=exif)
    save("progressive.jpg", picture, "JPEG", quality=60, progressive=True)
    save("restart.jpg", picture, "JPEG", quality=60, restart_marker_blocks=1)
    save("grey.jpg", picture.convert("L"), "JPEG", quality=60)
    save("cmyk.jpg", picture.convert("CMYK"), "JPEG", quality=60)
    save("other.gif", picture, "GIF")


def models():
    nodes = json.loads(gzip.decompress((FIXTURES / "onnx_import/nodes.json.gz").read_bytes()))
    # The smallest of each operator.
    smallest = {}
    for node in sorted(nodes, key=lambda node: (len(node["model"]), node["name"])):
        smallest.setdefault(node["operator"], node)
    for operator, node in smallest.items():
        write("onnx", operator, bytes.fromhex(node["model"]))
    for name in ["words_legacy17", "gru_dynamo", "rnn_legacy9", "sound_legacy17", "coder_dynamo", "states_legacy9"]:
        shutil.copy(FIXTURES / f"onnx_import/{name}.onnx", SEEDS / "onnx" / name)
    for path in (FIXTURES / "keras").glob("*.keras"):
        archive = zipfile.ZipFile(path)
        config, weights = json.loads(archive.read("config.json")), archive.read("model.weights.h5")
        # As text, without spaces.
        text = json.dumps(config, separators=(",", ":")).encode()
        write("keras", f"config-{path.stem}", text)
        if path.stem not in ["mlp", "refused_lambda"]:
            continue
        write("keras", f"weights-{path.stem}", weights)
        for name, method in [("stored", zipfile.ZIP_STORED), ("packed", zipfile.ZIP_DEFLATED)]:
            file = io.BytesIO()
            with zipfile.ZipFile(file, "w", method) as packed:
                for entry, content in [("config.json", text), ("model.weights.h5", weights)]:
                    packed.writestr(zipfile.ZipInfo(entry), content, method)
            write("keras", f"{name}-{path.stem}", file.getvalue())
    (SEEDS / "torch").mkdir(exist_ok=True)
    for file in (FIXTURES / "torch").glob("*.safetensors"):
        shutil.copy(file, SEEDS / "torch" / file.stem)


csv()
arrays()
pictures()
models()
