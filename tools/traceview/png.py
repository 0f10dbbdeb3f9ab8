"""SVG to PNG, by whatever converter is installed."""
import shutil
import subprocess

from traceview.records import TraceError

CONVERTERS = (["rsvg-convert", "--format=png", "--zoom=2"], ["inkscape", "--pipe", "--export-type=png", "--export-filename=-"],
              ["magick", "svg:-", "png:-"], ["convert", "svg:-", "png:-"])


def convert(svg):
    """The PNG's bytes."""
    for command in CONVERTERS:
        if not shutil.which(command[0]):
            continue
        done = subprocess.run(command, input=svg.encode(), capture_output=True, timeout=120, check=False)
        if done.returncode != 0 or not done.stdout.startswith(b"\x89PNG"):
            raise TraceError(f"{command[0]} failed: {done.stderr.decode('utf-8', 'replace').strip()[:200]}")
        return done.stdout
    raise TraceError("no converter to PNG is installed (rsvg-convert is in Debian's librsvg2-bin): use --svg")
