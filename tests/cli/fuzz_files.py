"""Input files of all kinds: what people have by mistake, and what is damaged or hostile."""

import json
import random
import struct
from pathlib import Path
from typing import Any

import numpy as np

GOOD = "a,b,y\n0,0,1\n1,0,0.5\n0,1,.25\n1,1,3\n2,0.5,-1\n"
HEADER = "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 3), }"

CSV = {
    "good.csv": GOOD,
    "née ü.csv": GOOD,
    "bom.csv": b"\xef\xbb\xbf" + GOOD.encode(),
    "crlf.csv": GOOD.replace("\n", "\r\n"),
    "old_mac.csv": GOOD.replace("\n", "\r"),
    "quoted.csv": '"a","b","y"\n"1","2","3"\n"2","2","1"\n"0","1","3"\n',
    "two_lines.csv": 'a,b,y\n1,"2\n",3\n',
    "utf16.csv": GOOD.encode("utf-16"),
    "utf16_unmarked.csv": GOOD.encode("utf-16-le"),
    "latin1.csv": "größe,y\n1,2\n".encode("latin-1"),
    "semicolon.csv": GOOD.replace(",", ";"),
    "semicolon_decimal.csv": "a;b;y\n1,5;2,5;3\n",
    "semicolon_quoted.csv": '"a";"b";"y"\n"1,5";"2";"3"\n',
    "tab.csv": GOOD.replace(",", "\t"),
    "spaces.csv": GOOD.replace(",", " "),
    "bars.csv": GOOD.replace(",", "|"),
    "pandas.csv": ",a,b,y\n0,0,0,1\n1,1,0,0.5\n",
    "pandas_twice.csv": "Unnamed: 0,a,b,y\n0,0,0,1\n1,1,0,0.5\n",
    "unnamed.csv": "a,,y\n1,2,3\n",
    "trailing.csv": "a,b,y,\n1,2,3,\n",
    "no_header.csv": "1,2,3\n4,5,6\n7,8,10\n",
    "ragged.csv": "a,b,y\n1,2,3\n1,2\n",
    "long_row.csv": "a,b,y\n1,2,3,4\n",
    "nan.csv": "a,b,y\n1,2,nan\n",
    "inf.csv": "a,b,y\n1,-inf,3\n",
    "gap.csv": "a,b,y\n1,,3\n",
    "text.csv": "a,b,y\n1,red,3\n",
    "hex.csv": "a,b,y\n1,0x10,3\n",
    "thousands.csv": 'a,b,y\n"1,000",2,3\n',
    "arabic.csv": "a,b,y\n٣,2,3\n",
    "digits.csv": f"a,b,y\n1,{'9' * 4301},3\n",
    "decimals.csv": f"a,b,y\n1,0.{'3' * 4400},3\n",
    "exponent.csv": "a,b,y\n1,1e99999,3\n",
    "large.csv": "a,b,y\n1,1e999,3\n2,1,0\n3,5,1\n4,4,4\n",
    "labels.csv": "a,b,y\n1,1,1e200\n2,1,0\n3,5,1\n4,4,4\n",
    "weights.csv": "a,y\n1e-160,1e150\n",
    "root.csv": "a,b,c,y\n-1,1e-8,-1,-1\n1e150,1e-150,1e150,1e150\n",
    "sum.csv": "a,y\n1,1e154\n2,1e154\n3,1e154\n",
    "small.csv": "a,b,y\n1,1,1e-320\n2,1,0\n3,5,0\n4,4,0\n",
    "twice.csv": "a,a,y\n1,2,3\n",
    "single.csv": "y\n1\n2\n",
    "header.csv": "a,b,y\n",
    "one.csv": "a,b,y\n1,2,3\n",
    "equal.csv": "a,b,y\n1,2,3\n1,2,4\n1,2,5\n",
    "linear.csv": "a,b,y\n1,2,3\n1,1,2\n0,1,1\n0,0,0\n",
    "zeros.csv": "a,b,y\n0,0,0\n0,0,0\n0,0,0\n",
    "unclosed.csv": 'a,y\n"1,2\n',
    "field.csv": f'a,y\n1,"{"x" * 200_000}"\n',
    "nul.csv": "a,y\n1,\0\n",
    "lines.csv": "\n\n\n",
    "empty.csv": "",
    "binary.csv": bytes(range(256)),
}


def npy(header: str, body: bytes = bytes(72)) -> bytes:
    """Return a .npy file of version 1 with any header."""
    text = header.encode("latin-1") + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + body


def shaped(shape: str, descr: str = "'<f8'") -> bytes:
    return npy(f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}")


NPY = {
    "claim.npy": shaped("(100000, 1000000)"),
    "beyond.npy": shaped("(4294967296, 4294967296)"),
    "negative.npy": shaped("(-3, 3)"),
    "negatives.npy": shaped("(-3, -3)"),
    "digits.npy": shaped("(99999999999999999999999, 3)"),
    "number.npy": shaped("3"),
    "floats.npy": shaped("(3.0, 3)"),
    "truth.npy": shaped("(True, 3)"),
    "flat.npy": shaped("(9,)"),
    "scalar.npy": shaped("()"),
    "many_axes.npy": shaped(f"({'1, ' * 70})"),
    "objects.npy": shaped("(3, 3)", "'|O'"),
    "records.npy": shaped("(3,)", "[('a', '<f8')]"),
    "integers.npy": shaped("(3, 3)", "'<i8'"),
    "strings.npy": shaped("(3, 3)", "'|S8'"),
    "void.npy": shaped("(3, 3)", "'|V0'"),
    "type.npy": shaped("(3, 3)", "'zz'"),
    "call.npy": npy("__import__('os').abort()"),
    "open.npy": npy(HEADER[:40]),
    "nested.npy": npy("(" * 4000 + ")" * 4000),
    "list.npy": npy("[1, 2]"),
    "unhashable.npy": npy("{[]: 1}"),
    "zero.npy": npy("{\0}"),
    "magic.npy": b"\x93NUMPY",
    "version.npy": b"\x93NUMPY\x09\x00" + bytes(100),
    "length.npy": b"\x93NUMPY\x02\x00\xff\xff\xff\xff{{{{",
    "utf8.npy": b"\x93NUMPY\x03\x00" + struct.pack("<I", 100) + b"\xff" * 100,
    "short.npy": npy(HEADER, bytes(8)),
    "cut.npy": npy(HEADER)[:30],
    "zip.npy": b"PK\x03\x04" + bytes(50),
    "text.npy": b"1 2 3\n",
    "empty.npy": b"",
}
ARRAYS = {
    "good.npy": np.eye(3),
    "stack.npy": np.stack([np.eye(3), 2 * np.eye(3)]),
    "huge.npy": 1e200 * np.eye(3),
    "largest.npy": np.full((2, 2), np.finfo(float).max),
    "denormal.npy": 1e-320 * np.eye(3),
    "zeros.npy": np.zeros((3, 3)),
    "none.npy": np.ones((0, 3)),
    "nans.npy": np.full((3, 3), np.nan),
    "wide.npy": np.ones((1, 100_000)),
    "half.npy": np.eye(3, dtype=np.float16),
    "long.npy": np.full((2, 2), 10, np.longdouble) ** 400,
    "vector.npy": np.ones(3),
    "minus.npy": -np.ones(3),
    "complex.npy": np.eye(3) * 1j,
}


def certificates(valid: dict[str, Any]) -> dict[str, str]:
    """Return damaged and hostile variants of a certificate, by name."""
    text = json.dumps(valid)
    changes: dict[str, Any] = {
        "radius": -1, "kind": "unknown", "point": [[1.0]], "teacher": [], "ball_radius": 1e999,
        "format": 5, "claim": None, "version": 99, "seconds": "x", "gradient_norm_upper": None,
    }  # fmt: skip
    changed = {f"{name}.json": json.dumps(valid | {name: v}) for name, v in changes.items()}
    return changed | {
        "valid.json": text,
        "half.json": text[: len(text) // 2],
        "empty.json": "",
        "list.json": "[1, 2]",
        "number.json": "3",
        "object.json": "{}",
        "deep.json": "[" * 100_000,
        "digits.json": '{"radius": ' + "9" * 5000 + "}",
        "nan.json": '{"radius": NaN}',
        "repeated.json": text[:-1] + ', "radius": 1.0}',
        "words.json": "not json",
    }


def write_all(folder: Path) -> None:
    """Write all but the certificates, and a directory under a file's name."""
    for name, content in (CSV | NPY).items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    for name, array in ARRAYS.items():
        np.save(folder / name, array)
    for name in ("folder.csv", "folder.npy", "folder.json", "used"):
        (folder / name).mkdir()
    (folder / "used" / "notes.txt").write_text("mine")
    for name in ("lock", "locked"):
        (folder / name / ".landscape-jax-lock").mkdir(parents=True)
    (folder / "manifest" / "landscape-jax-sweep.json").mkdir(parents=True)


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Change some bytes of a file."""
    found = bytearray(content)
    pieces = [b"9" * 40, b"\xff", b"\0", b"1e308", b"-1", b"null", b'"', b"[[", b"1/0", b";", b"\n"]
    for _ in range(rng.randint(1, 4)):
        # Headers stand at the front.
        at = rng.randrange(min(len(found), rng.choice((100, 10**9))))
        match rng.randrange(4):
            case 0:
                found[at] = rng.randrange(256)
            case 1:
                del found[at : at + rng.randint(1, 9)]
            case 2:
                found[at:at] = found[at : at + rng.randint(1, 30)]
            case _:
                found[at : at + 1] = rng.choice(pieces)
        found = found or bytearray(content)
    return bytes(found)
