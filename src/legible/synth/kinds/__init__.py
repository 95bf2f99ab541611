"""The kinds of samples beside print, handwriting and pen paths; `registry` names them all."""
