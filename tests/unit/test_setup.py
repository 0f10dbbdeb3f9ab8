#!/usr/bin/env python3
"""tools/setup and tools/fetch-debian on machines that they have not seen: with scripts in the place of Debian's programs.
Issue "the machine runs", section "On a fresh Debian 12 machine"."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
PLAIN = ("sh", "env", "sed", "head", "mktemp", "rm", "mkdir", "cp", "mv", "touch", "true")  # what they use besides

FAKES = {
    # Installed is what $STATE/installed names.
    "dpkg-query": 'grep -qx "$4" "$STATE/installed" && echo "install ok installed" || exit 1',
    "uname": "echo x86_64",
    "id": 'echo "$FAKE_UID"',
    # What was asked for. Without lists nothing is known; an old list knows what the registry no longer has.
    "apt-get": '''
echo "apt-get $*" >> "$STATE/log"
case "$1 $2" in
"update "*) [ ! -e "$STATE/offline" ] || exit 100; touch "$STATE/lists"; rm -f "$STATE/old"; exit 0 ;;
"install -s") [ -e "$STATE/lists" ] || exit 100; exit 0 ;;
"install "*) [ -e "$STATE/lists" ] && [ ! -e "$STATE/old" ] && [ ! -e "$STATE/offline" ] || exit 100; exit 0 ;;
esac
exit 100''',
    "apt-cache": "exit 0",
}
SUDO = '''
[ "$1" = -n ] && { [ -e "$STATE/password" ] && exit 1; shift; }
echo "sudo $*" >> "$STATE/log"
exec "$@"'''


class Machine(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory)
        os.mkdir(self.path("bin"))
        for name in (*PLAIN, "grep"):
            os.symlink(shutil.which(name), self.path("bin", name))
        for name, text in FAKES.items():
            self.script(name, text)
        self.has("lists")
        self.has("installed", "\n".join(self.packages()) + "\n")

    def path(self, *names):
        return os.path.join(self.directory, *names)

    def has(self, name, text=""):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def script(self, name, text):
        self.has(os.path.join("bin", name), f"#!/bin/sh\n{text}\n")
        os.chmod(self.path("bin", name), 0o755)

    def lacks(self, *packages):
        self.has("installed", "\n".join(p for p in self.packages() if p not in packages) + "\n")

    def run_tool(self, *command, uid=0):
        """(status, output, what was asked of apt-get and sudo)"""
        self.has("log")
        done = subprocess.run([os.path.join(ROOT, "tools", command[0]), *command[1:]], stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=60,
                              env={"PATH": self.path("bin"), "STATE": self.directory, "FAKE_UID": str(uid)})
        with open(self.path("log"), encoding="utf-8") as file:
            return done.returncode, done.stdout, file.read().splitlines()

    def packages(self, *words):
        """All that tools/setup asks for: what it would install where nothing is installed."""
        self.has("installed")
        _, text, _ = self.run_tool("setup", *words, uid=1000)
        return text.split("--no-install-recommends")[1].split()


class Setup(Machine):
    def test_nothing_missing(self):
        self.assertEqual(self.run_tool("setup"), (0, "", []))
        self.assertEqual(self.run_tool("setup", uid=1000), (0, "", []))

    def test_missing_and_root(self):
        self.lacks("nasm", "ovmf")
        status, text, log = self.run_tool("setup")
        self.assertEqual((status, text), (0, "tools/setup: installing nasm ovmf\n"))
        self.assertEqual(log[-1], "apt-get install -y -q --no-install-recommends nasm ovmf")
        self.assertFalse([line for line in log if "update" in line or "sudo" in line])

    def test_no_lists_yet(self):
        self.lacks("nasm")
        os.remove(self.path("lists"))
        status, _, log = self.run_tool("setup")
        self.assertEqual(status, 0)
        self.assertEqual(log[1:], ["apt-get update -q", "apt-get install -y -q --no-install-recommends nasm"])

    def test_old_lists(self):
        self.lacks("nasm")
        self.has("old")
        status, _, log = self.run_tool("setup")
        self.assertEqual(status, 0)
        self.assertEqual([line.split()[1] for line in log], ["install", "install", "update", "install"])

    def test_missing_and_sudo(self):
        self.lacks("nasm")
        self.script("sudo", SUDO)
        status, _, log = self.run_tool("setup", uid=1000)
        self.assertEqual(status, 0)
        self.assertIn("sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends nasm", log)

    def test_missing_and_nobody(self):
        """The one command to type, and nothing is touched."""
        self.lacks("nasm", "cppcheck")
        for sudo in (False, True):
            if sudo:
                self.script("sudo", SUDO)
                self.has("password")
            status, text, log = self.run_tool("setup", uid=1000)
            self.assertEqual((status, log), (1, []))
            self.assertEqual(text.splitlines()[1:],
                             ["  apt-get update && apt-get install -y --no-install-recommends nasm cppcheck"])

    def test_no_registry(self):
        self.lacks("nasm")
        self.has("offline")
        status, text, _ = self.run_tool("setup")
        self.assertEqual(status, 1)
        self.assertIn("could not install", text)
        self.assertIn("  apt-get update && apt-get install -y --no-install-recommends nasm\n", text)

    def test_no_debian(self):
        os.remove(self.path("bin/dpkg-query"))
        status, text, _ = self.run_tool("setup")
        self.assertEqual((status, text.count("\n")), (1, 1))
        self.assertIn("no Debian", text)

    def test_what_each_command_needs(self):
        everything, run = self.packages(), self.packages("run")
        self.assertEqual(len(everything), len(set(everything)))
        self.assertLess(set(run), set(everything))
        for package in ("gcc", "nasm", "python3", "qemu-system-x86", "bochs", "grub-pc-bin", "grub-efi-amd64-bin", "ovmf",
                        "busybox-static", "cpio"):
            self.assertIn(package, run)
        for package in ("libcmocka-dev", "clang-format", "cppcheck"):
            self.assertIn(package, everything)
        self.assertEqual(self.run_tool("setup", "everything")[0], 2)


class FetchDebian(Machine):
    def test_no_registry(self):
        """It says what it could not fetch, and leaves nothing behind."""
        status, text, _ = self.run_tool("fetch-debian", self.path("debian"))
        self.assertEqual(status, 1)
        self.assertIn("could not fetch linux-image-cloud-amd64", text)
        self.assertEqual(os.listdir(self.path("debian")), [])

    def test_no_registry_but_a_kernel(self):
        os.mkdir(self.path("debian"))
        self.has("debian/vmlinuz")
        status, text, _ = self.run_tool("fetch-debian", self.path("debian"))
        self.assertEqual(status, 1)
        self.assertIn("going on with the kernel that is there", text)
        self.assertEqual(os.listdir(self.path("debian")), ["vmlinuz"])

    def test_there_already(self):
        os.makedirs(self.path("debian/modules"))
        for name in ("vmlinuz", "config", "version", *(f"modules/{m}.ko" for m in ("irqbypass", "kvm", "kvm-amd"))):
            self.has("debian/" + name)
        self.assertEqual(self.run_tool("fetch-debian", self.path("debian")), (0, "", []))


if __name__ == "__main__":
    sys.exit(unittest.main())
