"""DICOM: the report that goes to the archive."""

from __future__ import annotations

from pydicom import config

# A value that breaks its VR, or a name that the character set cannot hold, stops the report: pydicom's default is to
# warn and to write "?" in place of the name.
config.settings.writing_validation_mode = config.RAISE
