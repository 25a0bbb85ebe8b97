"""The pure core: functions of tensors and integers, without Keras."""
