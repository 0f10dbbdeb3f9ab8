#!/usr/bin/env python3
"""The tables of settings: README.md has a row for each word that vmm/settings.c takes and for no other, and the tests that
docs/time-model.md names for the settings of the time model are there."""
import os
import re
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))


def text_of(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def words_taken(table):
    """The words of a table of settings in vmm/settings.c; those that only debug kernels take stand behind ESC_DEBUG."""
    source = re.sub(r"#ifdef ESC_DEBUG.*?#endif", "", text_of("vmm/settings.c"), flags=re.S)
    body = re.search(r"const struct setting %s\[\] = \{(.*?)\n\};" % table, source, re.S)[1]
    return re.findall(r'\{"([a-z0-9-]+=?)"', body)


def rows(path, heading):
    """The rows of the first table behind a line that begins with `heading`, as lists of cells."""
    lines = text_of(path).split("\n" + heading, 1)[1].splitlines()
    begin = next(i for i, line in enumerate(lines) if line.startswith("| ---"))
    found = []
    for line in lines[begin + 1:]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return found


def first_words(path, heading):
    return [re.match(r"`([a-z0-9-]+=?)`", row[0])[1] for row in rows(path, heading)]


class Settings(unittest.TestCase):
    def test_each_word_of_a_vm_has_a_row(self):
        self.assertEqual(sorted(first_words("README.md", "On a module's line")), sorted(words_taken("vm_settings")))

    def test_each_global_word_has_a_row(self):
        self.assertEqual(sorted(first_words("README.md", "Global, on")), sorted(words_taken("global_settings")))

    def test_the_tests_of_the_time_model_are_there(self):
        table = rows("docs/time-model.md", "## Other embodiments")
        named = {word for row in table for word in re.findall(r"`([a-z0-9-]+=)", row[0])}
        missing = {"catchup=", "maxrate=", "k1=", "k2=", "leap=", "progress=", "gap=", "hyst=", "time=", "missed=",
                   "pvclock=", "tsc-deadline=", "poll=", "monitor="} - named
        self.assertFalse(missing)
        for setting, paragraph, tests in table:
            number = re.fullmatch(r"\[(\d+)\]", paragraph)
            for program, names in re.findall(r"`(test_\w+)`: ([^;]*)", tests):
                there = re.findall(r"^static void (\w+)\(void \*\*state\)", text_of(f"tests/unit/{program}.c"), re.M)
                for name in re.findall(r"`(\w+)`", names):
                    self.assertTrue([t for t in there if t.startswith(name)], f"{setting}: {program} has no {name}")
                    if number:
                        self.assertTrue(name.startswith("p" + number[1]), f"{setting}: {name} is not of {paragraph}")


if __name__ == "__main__":
    unittest.main()
