"""The file that says which compressions were asked for, and their folder."""

from tf_rigl.experiments.process_sets.request import RequestFile

FILE = RequestFile("compress.json")
COMPRESSIONS = "compressions"  # the folder of the compressions
