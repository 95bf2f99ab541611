"""Numbers in, verdict out: does what is read now still look like what the bundle was made with?"""
