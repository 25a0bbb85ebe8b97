"""Tasks of a search, all behind the interface of `task`.

`swing_up` swings a pole up on a cart, in equations of its own; `digits`
classifies images that come with the package, with which one episode is one
batch. `gymnasium_tasks` walk and drive where the package `gymnasium` is
installed; `encoders` turn their images into a few features.
"""
