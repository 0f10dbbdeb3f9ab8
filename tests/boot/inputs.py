"""Damaged images for the boot tests, made from good ones."""
import os
import struct


def _read(path):
    with open(path, "rb") as file:
        return file.read()


def _patched(data, offset, value):
    return data[:offset] + value + data[offset + len(value):]


def _first_segment(elf):
    """Offset of the program header of the first segment (ELF32)."""
    return struct.unpack_from("<I", elf, 28)[0]


def damaged_elfs(elf):
    """From a good ELF32 multiboot image."""
    segment = _first_segment(elf)
    magic = elf.find(struct.pack("<I", 0x1BADB002))
    return {
        "empty.elf": b"",
        "short.elf": elf[:40],
        "cut.elf": elf[:len(elf) // 2],
        "no-header.elf": _patched(elf, magic, b"\0\0\0\0"),
        "bad-checksum.elf": _patched(elf, magic + 8, b"\1\2\3\4"),
        "segments-nowhere.elf": _patched(elf, 28, struct.pack("<I", 0xFFFFFFF0)),
        "segment-past-end.elf": _patched(elf, segment + 16, struct.pack("<I", 0x7FFFFFFF)),
        "segment-wraps.elf": _patched(elf, segment + 12, struct.pack("<I", 0xFFFFF000)),
        "text.elf": b"this is no kernel\n" * 100,
    }


def damaged_bzimages(image):
    return {
        "cut.bzImage": image[:4096],
        "half.bzImage": image[:len(image) // 2],
        "old-protocol.bzImage": _patched(image, 0x206, struct.pack("<H", 0x0100)),
        "no-setup.bzImage": _patched(image, 0x1F1, b"\xff"),
    }


def make(directory, guests, debian):
    """Writes them all; what is missing to make one from is the cases' reason to skip."""
    os.makedirs(directory, exist_ok=True)
    machine = f"append slice=5ms\n\n[hello]\n{os.path.relpath(guests, directory)}/hello.elf mem=16M\n-- from a file\n"
    made = {"hello.txt": b"hello, module\n", "big.img": bytes(40 << 20), "one.vms": machine.encode()}
    for source, maker in ((f"{guests}/hello.elf", damaged_elfs), (f"{debian}/vmlinuz", damaged_bzimages)):
        if os.path.exists(source):
            made.update(maker(_read(source)))
    for name, data in made.items():
        with open(os.path.join(directory, name), "wb") as file:
            file.write(data)
