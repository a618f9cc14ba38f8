"""Files of events as people have them: containers, encodings, numbers, times, and proposals for a configuration."""

from seedbed.temporal.files._container import EVENT_SUFFIXES
from seedbed.temporal.files._file_format import FileFormat
from seedbed.temporal.files._proposal import FileProposal, propose

__all__ = ["EVENT_SUFFIXES", "FileFormat", "FileProposal", "propose"]
