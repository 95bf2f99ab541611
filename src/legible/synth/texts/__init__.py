"""The texts of each kind of samples: receipts, forms, languages, codes, signs."""
