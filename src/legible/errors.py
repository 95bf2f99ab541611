"""The exceptions of legible. Each message fits on a line and names the value, the limit and the way out.

The command line prints the message alone. The service answers an ImageError with its `code` and `status`.
"""


class LegibleError(Exception):
    """The base of all errors that the caller can correct."""


class SettingsError(LegibleError):
    """A setting or parameter is unknown or out of range."""


class CharsetError(LegibleError):
    """A text holds characters that the charset does not have, or a charset file is damaged."""


class DataError(LegibleError):
    """A source or a data set is missing, damaged, or not what it is said to be."""


class NoLabelsError(DataError):
    """There is no label, or none whose image is still there."""


class NoInkError(DataError):
    """A font draws no ink for a text at the chosen size, as very thin strokes may vanish."""


class BundleError(LegibleError):
    """A bundle is missing, damaged, or of another format."""


class ImageError(LegibleError):
    """The bytes are not an image that legible reads. `code` (for programs) and `status` (HTTP) say why."""

    code = "not_an_image"
    status = 400


class DamagedImageError(ImageError):
    """The image is of a known format but cannot be decoded."""

    code = "damaged_image"


class ImageTooLargeError(ImageError):
    """The image has more bytes or pixels than the limits allow."""

    code = "too_large"
    status = 413


class UnsupportedFormatError(ImageError):
    """The image is of a format outside PNG, JPEG, WebP, TIFF and BMP."""

    code = "unsupported_format"
    status = 415
