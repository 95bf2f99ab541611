"""What legible raises: every message names the value, the limit and the way out, and fits on a line.

The command line prints the message alone; the service answers with `code` and `status`.
"""


class LegibleError(Exception):
    """A fault that the caller can mend."""


class SettingsError(LegibleError):
    """A setting or parameter is unknown or out of range."""


class CharsetError(LegibleError):
    """A text holds characters that the charset does not."""


class DataError(LegibleError):
    """A source or data set is missing, damaged or not what it says."""


class NoInkError(DataError):
    """A font draws nothing of a text at the size it is set in, as hairlines may vanish."""


class BundleError(LegibleError):
    """A bundle is missing, damaged or of another format."""


class ImageError(LegibleError):
    """Bytes that are no picture we read. `code` and `status` (HTTP) say why."""

    code = "not_an_image"
    status = 400


class DamagedImageError(ImageError):
    code = "damaged_image"


class ImageTooLargeError(ImageError):
    code = "too_large"
    status = 413


class UnsupportedFormatError(ImageError):
    code = "unsupported_format"
    status = 415
