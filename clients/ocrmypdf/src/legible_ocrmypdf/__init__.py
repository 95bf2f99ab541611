"""The plugin of OCRmyPDF that reads with legible; `plugin` is found by its entry point."""
