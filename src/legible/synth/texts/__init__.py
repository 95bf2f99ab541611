"""What stands in the pictures of each kind: receipts, forms, languages, codes, signs."""
