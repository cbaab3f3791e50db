"""DICOM: the report that goes to the archive, and what other people's reports there say."""

from __future__ import annotations

from pydicom import config

# A value that breaks its VR, or a name that the character set cannot hold, stops the report: pydicom's default is to
# warn and to write "?" in place of the name.
config.settings.writing_validation_mode = config.RAISE
# What others wrote is read as far as it goes. pydicom would warn on standard error, and its warnings quote the value.
config.settings.reading_validation_mode = config.IGNORE
