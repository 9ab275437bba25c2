"""Writes an initramfs: the "newc" archive the kernel unpacks. Device nodes need no privilege this way."""

import gzip

_DIRECTORY, _FILE, _CHARACTER = 0o040000, 0o100000, 0o020000


class Archive:
    """Collects members in memory and writes them compressed."""

    def __init__(self):
        self._blob = bytearray()
        self._inode = 0

    def directory(self, name):
        self._member(name, _DIRECTORY | 0o755)

    def file(self, name, content, mode=0o755):
        self._member(name, _FILE | mode, content)

    def character_device(self, name, major, minor):
        self._member(name, _CHARACTER | 0o600, device=(major, minor))

    def write(self, path):
        self._member("TRAILER!!!", 0)
        path.write_bytes(gzip.compress(bytes(self._blob), compresslevel=1))

    def _member(self, name, mode, content=b"", device=(0, 0)):
        self._inode += 1
        named = name.encode() + b"\0"
        fields = (self._inode, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(named), 0)
        self._blob += b"070701" + b"".join(b"%08X" % field for field in fields) + named
        self._pad()
        self._blob += content
        self._pad()

    def _pad(self):
        self._blob += b"\0" * (-len(self._blob) % 4)
