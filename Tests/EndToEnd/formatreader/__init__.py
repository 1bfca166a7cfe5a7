"""A reader of Varve's files that was written from FORMAT.md alone, and shares nothing with the engine: it proves that
the page is enough. It reads everything, checks every rule of the page on the way, and is in no hurry."""

from .codecs import CODECS
from .directory import Directory, Row
from .logfile import LogFile
from .primitives import LOG_VERSION, Damaged, NewerVersion, bits, salted_crc, signed

__all__ = [
    "CODECS", "LOG_VERSION", "Damaged", "Directory", "LogFile", "NewerVersion", "Row", "bits", "salted_crc", "signed"]
