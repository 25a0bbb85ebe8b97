def chain(keras, shape, *layers, **options):
    return keras.Sequential([keras.Input(shape, **options), *layers])


def macs(profile):
    return {row.path: row.macs for row in profile.rows if row.macs}


def reasons(profile):
    return {layer.path: layer.reason for layer in profile.uncounted}
