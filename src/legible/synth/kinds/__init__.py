"""Kinds of samples that the generator draws beside print, handwriting and pen paths; `registry` names them all."""
