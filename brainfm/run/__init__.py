"""A recipe, carried out: folds trained, predicted, scored and written, each step safe against a kill."""
