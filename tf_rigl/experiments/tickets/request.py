"""The file that says which searches were asked for, and their folder."""

from tf_rigl.experiments.process_sets.request import RequestFile

FILE = RequestFile("tickets.json")
SEARCHES = "searches"  # the folder of the searches within that of the program
