"""A SavedModel that keeps each masked weight packed and loads anywhere."""
