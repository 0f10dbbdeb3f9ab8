"""The GRUB entry that a command line or a FILE.vms stands for: what to write into a machine's grub.cfg."""
import os


def quote(word):
    """For GRUB's script language."""
    return word if all(c.isalnum() or c in "=-_./:,+" for c in word) else f"'{word}'"


def entry(args):
    """Files are named as they are here, in /boot."""
    title = "Escapement: " + ", ".join(w[3:] for m in args.modules for w in m.words
                                       if w.startswith("vm=") and not {"initrd", "module"} & set(m.words))
    lines = [f"menuentry '{title}' {{",
             "    " + " ".join(["multiboot2", "/boot/escapement.elf", *map(quote, args.append.split())])]
    for module in args.modules:
        path = "/boot/" + os.path.basename(module.path)
        lines.append("    " + " ".join(["module2", quote(path), *map(quote, module.words)]))
    return "\n".join([*lines, "}", ""])
