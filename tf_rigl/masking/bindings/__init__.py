"""The two Kerases behind `backend.flavor`; nothing else imports a Keras."""
