"""What tools/run is made of: arguments, the boot medium, the emulators, the verdict."""
