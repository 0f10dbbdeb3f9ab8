"""What goes into the machine's serial port: a person's keys, or a script's text."""
import os
import queue
import sys
import termios
import threading

ESCAPE = 0x01  # Ctrl-A: the console's, inside the machine
STOP = ord("x")  # Ctrl-A x is for us, as in QEMU: stop the emulator


class Keyboard:
    """Bytes for the port, written by a thread of its own: whoever has something to say never waits for the machine."""

    def __init__(self, descriptor):
        self.descriptor = descriptor
        self.waiting = queue.SimpleQueue()
        threading.Thread(target=self._write, daemon=True).start()

    def send(self, data):
        self.waiting.put(data)

    def _write(self):
        while True:
            data = self.waiting.get()
            try:
                while data:
                    data = data[os.write(self.descriptor, data):]
            except OSError:  # the machine has gone
                return


class Terminal:
    """Standard input as it is, key by key, until the end of the run. A terminal gets its settings back."""

    def __init__(self, keyboard, child):
        self.keyboard = keyboard
        self.child = child
        self.descriptor = sys.stdin.fileno()
        self.saved = None

    def __enter__(self):
        if os.isatty(self.descriptor):
            self.saved = termios.tcgetattr(self.descriptor)
            self._set(output_raw=False)
            print("tools/run: keys go to the machine; Ctrl-A ? is the console's help, Ctrl-A x stops the emulator\r",
                  file=sys.stderr)
        threading.Thread(target=self._read, daemon=True).start()
        return self

    def __exit__(self, *_):
        if self.saved:
            termios.tcsetattr(self.descriptor, termios.TCSADRAIN, self.saved)

    def _set(self, output_raw):
        """No echo, no line editing, no signals: all of that is the guest's. Output is left alone too as soon as the
        console knows that a person is there, from its first Ctrl-A on, and ends its lines as a terminal wants it."""
        mode = list(self.saved)
        mode[0] &= ~(termios.BRKINT | termios.ICRNL | termios.INLCR | termios.IGNCR | termios.ISTRIP | termios.IXON)
        mode[3] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN | termios.ISIG)
        mode[6] = list(mode[6])
        mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
        if output_raw:
            mode[1] &= ~termios.OPOST
        termios.tcsetattr(self.descriptor, termios.TCSADRAIN, mode)

    def _read(self):
        escaped = False
        seen = False
        while data := os.read(self.descriptor, 4096):
            for key in data:
                if escaped and key == STOP:
                    self.child.terminate()
                    return
                escaped = key == ESCAPE and not escaped
            if self.saved and not seen and ESCAPE in data:
                seen = True
                self._set(output_raw=True)
            self.keyboard.send(data)
